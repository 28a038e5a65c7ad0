/*
 * idmap.h: what belongs to a 64-bit id: a hash from id to pointer. Owns
 * nothing but its table.
 */
#ifndef BASE_IDMAP_H
#define BASE_IDMAP_H

#include "base/base.h"

struct idmap_slot {
	int64_t	 id;
	void	*p;		/* NULL: an empty slot */
};
struct idmap {
	struct idmap_slot *slots;
	size_t	 cap;		/* a power of two, or 0 */
	size_t	 count;
	size_t	 at;		/* where idmap_any looks first */
};

/* An idmap of zeros is empty. */
void	 idmap_release(struct idmap *);
/* The id must not be there; p is not NULL. */
void	 idmap_put(struct idmap *, int64_t id, void *p);
/* NULL: it is not there. */
void	*idmap_get(const struct idmap *, int64_t id);
void	 idmap_remove(struct idmap *, int64_t id);
/* Any of them; NULL if there is none. */
void	*idmap_any(struct idmap *);

#endif
