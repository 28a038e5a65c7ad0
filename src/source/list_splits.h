/*
 * list_splits.h: keys known to the catalog, for cutting a listing into ranges.
 * Without a catalog, or with a catalog that knows nothing of the bucket or
 * little of the prefix, the result is empty, which is no error.
 */
#ifndef SOURCE_LIST_SPLITS_H
#define SOURCE_LIST_SPLITS_H

#include "base/buf.h"
#include "conf/conf.h"

struct list_splits {
	struct str *keys;
	size_t	 count;
};
void	 list_splits_find(struct list_splits *, const struct conf *,
	    const char *prefix);
void	 list_splits_release(struct list_splits *);

#endif
