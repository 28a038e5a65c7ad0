/*
 * spool.h: output that nobody may take for hours (a pager), of a query that
 * must not stay open so long: while a query is open, the catalog's -wal can
 * only grow. What the reader does not take in time goes into a temporary
 * file without a name, and from there to the reader when the query is over.
 */
#ifndef REPORT_SPOOL_H
#define REPORT_SPOOL_H

#include <stdio.h>

#include "base/base.h"

struct spool;

/* A stream to the descriptor. Once it has waited patience_ms in all, the rest
 * is spooled; if there is no room for that, it waits on. */
struct spool *spool_new(int fd, uint64_t patience_ms);
FILE	*spool_stream(struct spool *);
/* The query is over: closes the stream and writes what was spooled. -1: not
 * all could be written. The descriptor stays open. */
int	 spool_end(struct spool **) MUST_USE;

#endif
