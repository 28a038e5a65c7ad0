/*
 * db_internal.h: the inside of a connection; included only by the files of
 * this folder.
 */
#ifndef DB_DB_INTERNAL_H
#define DB_DB_INTERNAL_H

#include "db/db.h"

bool	 db_failed(const struct db *);
/* Connect to the file; name is a path or a URI, path is for people. flags are
 * SQLite's. After an error the connection is closed. */
int	 db_connect(struct db *, const char *name, const char *path, int flags,
	    struct err *) MUST_USE;
/* The end of opening: -1, and the connection is closed, if any step failed. */
int	 db_opened(struct db *, struct err *);
/* Statements without a name, outside of the hot path. */
void	 db_exec(struct db *, const char *sql);
/* The first column of the first row. */
int64_t	 db_number(struct db *, const char *sql);

/* schema.c */
/* The number of the last rung. */
int	 schema_newest(void);
/* The rungs above a version, and all views anew; 0: an empty file. Does nothing
 * for the newest version. */
void	 schema_climb(struct db *, int version);
/* Check that the file is a catalog known to this program. */
void	 schema_check(struct db *, bool may_be_older);

#endif
