/*
 * pair.h: whether a catalog and the -wal next to it belong together, found out
 * before SQLite reads either. SQLite replays a -wal into whatever file stands
 * beside it: a copy that was put in the place of a catalog would be mixed with
 * the last changes of the catalog that was there.
 *
 * Each transaction writes a mark (table stamp): an id of the state that it
 * makes, and what the file was when the transaction began. The mark of the
 * first transaction of a -wal says to which file the -wal belongs.
 */
#ifndef DB_PAIR_H
#define DB_PAIR_H

#include "base/err.h"

struct db;

/* Return -1 with CONFIG if the file at path and its -wal don't belong together.
 * Only reads. While a master holds the catalog there is nothing to check. */
int	 pair_check(const char *path, struct err *) MUST_USE;
/* As pair_check, for the master: the caller holds the catalog's lock. */
int	 pair_check_locked(const char *path, struct err *) MUST_USE;

/* Write the mark, at the end of a transaction that has changed something. A
 * copy of an older schema has no place for it. */
void	 pair_mark(struct db *);

#endif
