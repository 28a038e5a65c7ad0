/*
 * idmap.h: a hash from a 64-bit id to a pointer. Owns nothing but its table.
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
/* The map must not hold the id yet; p is not NULL. */
void	 idmap_put(struct idmap *, int64_t id, void *p);
/* Return the pointer of the id; NULL if the map lacks the id. */
void	*idmap_get(const struct idmap *, int64_t id);
void	 idmap_remove(struct idmap *, int64_t id);
/* Return the pointer of any id; NULL if the map is empty. */
void	*idmap_any(struct idmap *);

#endif
