/*
 * Looking at a catalog: a connection only able to read.
 */
#include <sqlite3.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "db/db.h"
#include "db/view.h"

/* A statement that computes for so long, while runs write so much that can't
 * be brought into the file as long as the statement reads, is ended. */
#define PATIENCE_MS	(10 * 60 * 1000)
#define WAL_MAX		(256 * (off_t)MIB)
#define LOOK_MS		1000
#define LOOK_STEPS	100000	/* of SQLite's machine */

struct catalog_view {
	struct db db;
	uint64_t since_ms;	/* since when it reads the same state */
	uint64_t looked_ms;
};

/* A statement begins; others of the connection may be under way. */
static int
note_begin(unsigned what, void *arg, void *statement, void *sql)
{
	struct catalog_view *v = arg;

	(void)what;
	(void)statement;
	(void)sql;
	if (sqlite3_txn_state(v->db.conn, "main") == SQLITE_TXN_NONE)
		v->since_ms = clock_mono_ms();
	return 0;
}

/* Return 1 to end the statement. */
static int
is_in_the_way(void *arg)
{
	struct catalog_view *v = arg;
	uint64_t now = clock_mono_ms();
	AUTOFREE char *wal = NULL;
	struct stat st;

	if (now - v->since_ms < PATIENCE_MS || now - v->looked_ms < LOOK_MS ||
	    sqlite3_txn_state(v->db.conn, "main") == SQLITE_TXN_NONE)
		return 0;
	v->looked_ms = now;
	wal = xasprintf("%s-wal", v->db.path);
	return stat(wal, &st) == 0 && st.st_size > WAL_MAX;
}

/* For statements of users: allow reading, and nothing else. */
static int
authorize(void *arg, int action, const char *a, const char *b,
    const char *database, const char *view)
{
	(void)arg;
	(void)a;
	(void)database;
	(void)view;
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_READ:
	case SQLITE_RECURSIVE:
		return SQLITE_OK;
	case SQLITE_FUNCTION:
		return strcmp(b, "load_extension") == 0 ? SQLITE_DENY :
		    SQLITE_OK;
	default:
		return SQLITE_DENY;
	}
}

int
catalog_view_open(struct catalog_view **ret, const char *path,
    struct err *err)
{
	struct catalog_view *v = xcalloc(1, sizeof(*v));

	if (db_open_look(&v->db, path, err) == -1) {
		free(v);
		return -1;
	}
	v->since_ms = clock_mono_ms();
	sqlite3_set_authorizer(v->db.conn, authorize, NULL);
	sqlite3_trace_v2(v->db.conn, SQLITE_TRACE_STMT, note_begin, v);
	sqlite3_progress_handler(v->db.conn, LOOK_STEPS, is_in_the_way, v);
	*ret = v;
	return 0;
}

int
catalog_view_attach(struct catalog_view *v, const char *path,
    struct err *err)
{
	int rc;

	sqlite3_set_authorizer(v->db.conn, NULL, NULL);
	rc = db_attach_look(&v->db, path, err);
	sqlite3_set_authorizer(v->db.conn, authorize, NULL);
	return rc;
}

int
catalog_view_define(struct catalog_view *v, const char *sql, struct err *err)
{
	int rc;

	sqlite3_set_authorizer(v->db.conn, NULL, NULL);
	rc = sqlite3_exec(v->db.conn, sql, NULL, NULL, NULL);
	sqlite3_set_authorizer(v->db.conn, authorize, NULL);
	return rc == SQLITE_OK ? 0 :
	    db_fault(err, rc, v->db.path, sqlite3_errmsg(v->db.conn));
}

struct db *
catalog_view_db(struct catalog_view *v)
{
	return &v->db;
}

void
catalog_view_close(struct catalog_view **vp)
{
	struct catalog_view *v = *vp;

	if (v == NULL)
		return;
	db_close(&v->db);
	free(v);
	*vp = NULL;
}

static struct value
column_value(sqlite3_stmt *st, int i)
{
	struct value v = { .type = VALUE_NULL };
	const char *p;

	switch (sqlite3_column_type(st, i)) {
	case SQLITE_INTEGER:
		v.type = VALUE_INTEGER;
		v.integer = sqlite3_column_int64(st, i);
		break;
	case SQLITE_FLOAT:
		v.type = VALUE_REAL;
		v.real = sqlite3_column_double(st, i);
		break;
	case SQLITE_TEXT:
	case SQLITE_BLOB:
		v.type = sqlite3_column_type(st, i) == SQLITE_TEXT ?
		    VALUE_TEXT : VALUE_BLOB;
		p = sqlite3_column_blob(st, i);
		v.bytes.p = p == NULL ? "" : p;
		v.bytes.len = (size_t)sqlite3_column_bytes(st, i);
		break;
	default:
		break;
	}
	return v;
}

static int
prepare_one(struct db *db, const char *sql, sqlite3_stmt **ret,
    struct err *err)
{
	sqlite3_stmt *second = NULL;
	const char *tail;
	int rc = sqlite3_prepare_v2(db->conn, sql, -1, ret, &tail);

	if (rc == SQLITE_OK && *ret != NULL && *tail != '\0') {
		rc = sqlite3_prepare_v2(db->conn, tail, -1, &second, NULL);
		if (rc == SQLITE_OK && second != NULL) {
			sqlite3_finalize(second);
			return err_set(err, ERR_USAGE, 0,
			    "one statement at a time");
		}
	}
	if (rc == SQLITE_ERROR)
		return err_set(err, ERR_USAGE, rc, "SQL: %s",
		    sqlite3_errmsg(db->conn));
	if (rc == SQLITE_AUTH)
		return err_set(err, ERR_USAGE, rc, "SQL: only SELECT is "
		    "allowed (%s)", sqlite3_errmsg(db->conn));
	if (rc != SQLITE_OK)
		return db_fault(err, rc, db->path, sqlite3_errmsg(db->conn));
	if (*ret == NULL || sqlite3_column_count(*ret) == 0 ||
	    !sqlite3_stmt_readonly(*ret))
		return err_set(err, ERR_USAGE, 0,
		    "SQL: only SELECT is allowed");
	return 0;
}

static int
give_rows(struct db *db, sqlite3_stmt *st, catalog_row_fn *fn, void *arg,
    struct err *err)
{
	size_t n = (size_t)sqlite3_column_count(st);
	const char **names AUTOFREE = xreallocarray(NULL, n, sizeof(*names));
	struct value *row AUTOFREE = xreallocarray(NULL, n, sizeof(*row));
	int rc;

	for (size_t i = 0; i < n; i++)
		names[i] = sqlite3_column_name(st, (int)i);
	/* The first step before the names: a fault leaves nothing printed. */
	rc = sqlite3_step(st);
	if ((rc == SQLITE_ROW || rc == SQLITE_DONE) &&
	    !fn(arg, n, names, NULL))
		return 0;
	while (rc == SQLITE_ROW) {
		for (size_t i = 0; i < n; i++)
			row[i] = column_value(st, (int)i);
		if (!fn(arg, n, names, row))
			return 0;
		rc = sqlite3_step(st);
	}
	if (rc == SQLITE_DONE)
		return 0;
	if (rc == SQLITE_ERROR || rc == SQLITE_AUTH)
		return err_set(err, ERR_USAGE, rc, "SQL: %s",
		    sqlite3_errmsg(db->conn));
	return db_fault(err, rc, db->path, sqlite3_errmsg(db->conn));
}

int
catalog_query(struct catalog_view *v, const char *sql, catalog_row_fn *fn,
    void *arg, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = prepare_one(&v->db, sql, &st, err);

	if (rc == 0)
		rc = give_rows(&v->db, st, fn, arg, err);
	sqlite3_finalize(st);
	return rc;
}
