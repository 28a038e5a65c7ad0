/*
 * list_cuts.h: keys known to the catalog, for cutting a listing into ranges.
 * Without a catalog, or with a catalog that knows nothing of the bucket or
 * little of the prefix, the result is empty, which is no error.
 */
#ifndef SOURCE_LIST_CUTS_H
#define SOURCE_LIST_CUTS_H

#include "base/buf.h"
#include "conf/conf.h"

struct list_cuts {
	struct str *keys;
	size_t	 count;
};
void	 list_cuts_find(struct list_cuts *, const struct conf *,
	    const char *prefix);
void	 list_cuts_release(struct list_cuts *);

#endif
