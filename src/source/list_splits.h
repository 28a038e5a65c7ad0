/*
 * list_splits.h: keys that the catalog knows, at which a listing may be cut
 * into ranges. Where there is no catalog, or it knows nothing of the bucket
 * or little of the prefix, there are none, which is no error.
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
