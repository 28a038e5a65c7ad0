/*
 * leftovers.h: a run that finishes leaves no multipart upload open that it,
 * or a run before it, began. Uploads of others are not touched.
 */
#ifndef RUN_LEFTOVERS_H
#define RUN_LEFTOVERS_H

#include "catalog/catalog.h"
#include "conf/conf.h"

/* Abort what the catalog remembers and nothing will go on with: no run with
 * these settings comes to its file, or not to this version. Of the files that a
 * PUT may come to, those whose keys begin with one of the prefixes: DEL has
 * deleted what was there. What can't be aborted now stays remembered: a line of
 * the log, and the next run. */
void	 leftovers_abort(const struct conf *, struct catalog *,
	    char *const *prefixes, size_t prefix_count);

#endif
