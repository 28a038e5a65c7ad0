/*
 * leftovers.h: a run that finishes leaves no multipart upload open that it,
 * or a run before it, began. Uploads of others are not touched.
 */
#ifndef RUN_LEFTOVERS_H
#define RUN_LEFTOVERS_H

#include "catalog/catalog.h"
#include "conf/conf.h"

/* Abort what the catalog remembers and nothing will go on with. What can't be
 * aborted now stays remembered: a line of the log, and the next run. */
void	 leftovers_abort(const struct conf *, struct catalog *);

#endif
