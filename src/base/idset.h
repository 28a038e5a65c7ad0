/*
 * idset.h: a set of 64-bit ids, small for ids close together (72 bytes for each
 * run of 512 ids), such as the ids of a directory.
 */
#ifndef BASE_IDSET_H
#define BASE_IDSET_H

#include "base/base.h"

struct idset {
	struct idset_chunk *chunks;
	size_t	 cap;		/* a power of two, or 0 */
	size_t	 used;
};

void	 idset_init(struct idset *);
void	 idset_release(struct idset *);
/* True if the id was not in the set before. */
bool	 idset_add(struct idset *, int64_t id);
bool	 idset_has(const struct idset *, int64_t id);

#endif
