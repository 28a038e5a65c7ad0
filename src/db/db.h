/*
 * db.h: a SQLite connection and the named statements of schema/queries.sql.
 *
 * The first error of a connection stays in db.err: every later call does
 * nothing, so callers check a row of calls once, at its end. Use a connection
 * in a single thread at a time. A statement is prepared at its first use, so a
 * run pays only for its own statements; tests/lint/sql.sh prepares every
 * statement.
 */
#ifndef DB_DB_H
#define DB_DB_H

#include "base/err.h"
#include "db/value.h"

struct sqlite3;
struct sqlite3_stmt;

enum stmt {
#define STMT(name, text) STMT_##name,
#include "db/schema.inc"
#undef STMT
	STMT__MAX
};

#define DB_APPLICATION_ID 0x444d4341	/* "DMCA" */
#define DB_RESTORED_ID	0x444d4352	/* "DMCR": it was restored once */

struct db {
	struct sqlite3 *conn;
	struct sqlite3_stmt *stmt[STMT__MAX];
	char	*path;
	struct err err;		/* kind NONE: all is well */
	uint64_t rows;		/* written since db_begin */
	int64_t	 changes;	/* SQLite's count of changed rows then */
	int64_t	 mark_page;	/* see pair.h; 0: not yet known */
	bool	 in_transaction;
};

/* Make the catalog's file if there is none; else check that the file is a
 * database, without touching it. */
int	 db_file(const char *path, struct err *) MUST_USE;
/* Open the writer's connection: bring an older catalog to the newest
 * schema. */
int	 db_open_writer(struct db *, const char *path, struct err *) MUST_USE;
int	 db_open_reader(struct db *, const char *path, struct err *) MUST_USE;
/* Open a connection for one who is not the master, and may have only read
 * permission. A catalog with another schema than this program's is refused. */
int	 db_open_look(struct db *, const char *path, struct err *) MUST_USE;
/* Attach a catalog to such a connection, as "other", for reading; the catalog
 * is checked in the same way. */
int	 db_attach_look(struct db *, const char *path, struct err *) MUST_USE;
/* As db_open_look; the schema may be an older one. */
int	 db_open_older(struct db *, const char *path, struct err *) MUST_USE;
/* Was the catalog ever restored? Only the head of the file is read, as every
 * PUT asks. Not while this process has the catalog open. */
bool	 db_is_restored(const char *path) MUST_USE;
/* Is the schema this program's? Has the catalog the table of a restored one? */
bool	 db_is_newest(struct db *);
bool	 db_was_restored(struct db *);
/* True if the catalog, of this schema, was certainly never restored. */
bool	 db_is_unrestored(struct db *);
/* Write a snapshot of a catalog to another file, which is missing or empty. The
 * catalog may be in use, and of an older schema. The copy has a mark of its own
 * and no -wal, and is on the disk. alone: leave the -wal of the catalog out. */
int	 db_copy(const char *from, const char *to, bool alone, struct err *)
	    MUST_USE;
/* Return a file name as SQLite's URI, with "?name=value" appended, or "". The
 * caller frees the string. */
char	*db_uri(const char *path, const char *query);
void	 db_close(struct db *);

/* db_begin does nothing inside a transaction, db_commit nothing outside. */
void	 db_begin(struct db *);
void	 db_commit(struct db *);
/* Committed transactions are on the disk when db_sync returns. */
void	 db_sync(struct db *);
void	 db_rollback(struct db *);

#define INT(v)		((struct value){ .type = VALUE_INTEGER, \
			    .integer = (int64_t)(v) })
#define TEXT(s)		db_text(s)
#define BYTES(s)	((struct value){ .type = VALUE_TEXT, .bytes = (s) })
#define BLOB(p, n)	((struct value){ .type = (n) > 0 ? VALUE_BLOB : \
			    VALUE_NULL, .bytes = { (const char *)(p), (n) } })
#define NOTHING		((struct value){ .type = VALUE_NULL })
/* NULL is SQL's NULL. */
struct value db_text(const char *);

/* Run a statement to its end: DB_RUN(db, OBJECT_GONE, INT(run), INT(id)).
 * The values are needed only during the call. */
#define DB_RUN(db, name, ...) \
	db_run((db), STMT_##name, (const struct value[]){ __VA_ARGS__ }, \
	    sizeof((const struct value[]){ __VA_ARGS__ }) / \
	    sizeof(struct value))
#define DB_RUN0(db, name) db_run((db), STMT_##name, NULL, 0)
void	 db_run(struct db *, enum stmt, const struct value *, size_t);

/* Read the first row; false if there is no row or after an error. After true,
 * columns can be read until db_next or db_done; the result of db_bytes lives as
 * long. The values bound must live until the last db_next. */
#define DB_ROW(db, name, ...) \
	db_row((db), STMT_##name, (const struct value[]){ __VA_ARGS__ }, \
	    sizeof((const struct value[]){ __VA_ARGS__ }) / \
	    sizeof(struct value))
#define DB_ROW0(db, name) db_row((db), STMT_##name, NULL, 0)
bool	 db_row(struct db *, enum stmt, const struct value *, size_t);
/* The first column of the first row; 0: there is no row, or it is NULL. */
int64_t	 db_first(struct db *, enum stmt, const struct value *, size_t);
bool	 db_next(struct db *, enum stmt);
void	 db_done(struct db *, enum stmt);
/* As db_done, for every statement: afterwards no read transaction is open. */
void	 db_rest(struct db *);
int64_t	 db_int(const struct db *, enum stmt, int column);
bool	 db_null(const struct db *, enum stmt, int column);
struct str db_bytes(const struct db *, enum stmt, int column);
/* Return a copy, to be freed by the caller; NULL for SQL's NULL. */
char	*db_strdup(const struct db *, enum stmt, int column);
/* The number of rows changed by the last statement; the row id of the last
 * insert. */
int64_t	 db_changes(const struct db *);
int64_t	 db_last_id(const struct db *);

/* SQLite's code as an error of ours; the border table. */
int	 db_fault(struct err *, int code, const char *path,
	    const char *message);

#endif
