/*
 * spool.h: output that nobody may take for hours (a pager), of a query that
 * must not stay open so long: while a query is open, the catalog's -wal can
 * only grow. What the reader does not take in time goes into a temporary
 * file without a name, and from there to the reader when the query is over.
 */
#ifndef PRINT_SPOOL_H
#define PRINT_SPOOL_H

#include <stdio.h>

#include "base/base.h"

struct spool;

/* A stream to the descriptor. Once the writer has waited patience_ms in all,
 * the rest is spooled to a file; if the disk has no room for the file, the
 * writer waits on. */
struct spool *spool_new(int fd, uint64_t patience_ms);
FILE	*spool_stream(struct spool *);
/* The query is over: close the stream and write the spooled bytes. -1: some
 * bytes could not be written. The descriptor stays open. */
int	 spool_end(struct spool **) MUST_USE;

#endif
