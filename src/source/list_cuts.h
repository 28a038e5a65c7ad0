/*
 * list_cuts.h: keys known to the catalog, for cutting a listing into ranges.
 * Without a catalog, or with a catalog that knows nothing of the bucket or
 * little of the prefix, the result is empty, which is no error. The caller
 * clears the list.
 */
#ifndef SOURCE_LIST_CUTS_H
#define SOURCE_LIST_CUTS_H

#include "base/strlist.h"
#include "conf/conf.h"

struct strlist list_cuts(const struct conf *, const char *prefix);

#endif
