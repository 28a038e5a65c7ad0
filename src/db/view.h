/*
 * view.h: a look at a catalog for people and reports (status, sql, report): a
 * connection that can only read, and statements of users. Use a view in a
 * single thread at a time.
 */
#ifndef DB_VIEW_H
#define DB_VIEW_H

#include "base/err.h"
#include "db/value.h"

struct catalog_view;
/* Open a catalog read-only, with an authorizer: no writes, no ATTACH, no PRAGMA
 * that changes; works for a user with only read permission, and during a run.
 * Never creates a file. A statement that computes for many minutes, while runs
 * write much, ends with RESOURCE: the catalog's -wal could only grow
 * meanwhile. */
int	 catalog_view_open(struct catalog_view **, const char *path,
	    struct err *) MUST_USE;
/* Make a second catalog readable in the same statements, as "other". */
int	 catalog_view_attach(struct catalog_view *, const char *path,
	    struct err *) MUST_USE;
/* Define a temporary view, for statements of this connection. */
int	 catalog_view_define(struct catalog_view *, const char *sql,
	    struct err *) MUST_USE;
struct db;
/* The connection, for statements of the program. */
struct db *catalog_view_db(struct catalog_view *);
void	 catalog_view_close(struct catalog_view **);
/* Called once before the first row with row NULL and the column names, then
 * for each row; return false to stop. */
typedef bool catalog_row_fn(void *arg, size_t columns, const char *const *names,
	    const struct value *row);
/* Run a single SELECT (or EXPLAIN, VALUES, WITH); other statements are
 * ERR_USAGE. */
int	 catalog_query(struct catalog_view *, const char *sql,
	    catalog_row_fn *, void *arg, struct err *) MUST_USE;

#endif
