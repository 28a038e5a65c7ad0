#include <sqlite3.h>

#include "db/db_internal.h"

#define BUSY_MS 10000

static const char *const stmt_text[STMT__MAX] = {
#define STMT(name, text) [STMT_##name] = text,
#include "db/schema.inc"
#undef STMT
};

int
db_fault(struct err *err, int code, const char *path, const char *message)
{
	switch (code & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return err_set(err, ERR_CONFIG, code, "catalog %s is damaged "
		    "(%s); nothing more is written to it: put a copy in its "
		    "place with datamover catalog restore", path, message);
	case SQLITE_FULL:
	case SQLITE_IOERR:
	case SQLITE_NOMEM:
	case SQLITE_NOLFS:
	case SQLITE_TOOBIG:
		return err_set(err, ERR_RESOURCE, code,
		    "the file system of catalog %s: %s", path, message);
	case SQLITE_INTERRUPT:	/* view.c */
		return err_set(err, ERR_RESOURCE, code, "catalog %s: this "
		    "question has taken over 10 minutes, and until its end the "
		    "-wal beside the catalog can only grow: make a copy with "
		    "datamover catalog backup FILE, and ask that (--catalog "
		    "FILE)", path);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		return err_set(err, ERR_RESOURCE, code,
		    "catalog %s is locked by another program", path);
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
		return err_set(err, ERR_DENIED, code,
		    "catalog %s: %s", path, message);
	default:
		return err_set(err, ERR_BUG, code, "catalog %s: %s", path,
		    message);
	}
}

static void
fail(struct db *db, int code)
{
	if (db->err.kind == ERR_NONE)
		db_fault(&db->err, code, db->path, db->conn == NULL ?
		    sqlite3_errstr(code) : sqlite3_errmsg(db->conn));
}

bool
db_failed(const struct db *db)
{
	return db->err.kind != ERR_NONE;
}

/* --- statements --- */

/* Prepare at the first use: a run needs a third of the statements. If a
 * statement does not fit the schema, somebody has changed the schema. */
static bool
prepare(struct db *db, enum stmt s)
{
	int rc;

	if (db->stmt[s] != NULL)
		return true;
	rc = sqlite3_prepare_v3(db->conn, stmt_text[s], -1,
	    SQLITE_PREPARE_PERSISTENT, &db->stmt[s], NULL);
	if (rc != SQLITE_OK)
		fail(db, rc == SQLITE_ERROR ? SQLITE_CORRUPT : rc);
	return rc == SQLITE_OK;
}

static int
bind_one(sqlite3_stmt *st, int at, const struct value *v)
{
	switch (v->type) {
	case VALUE_INTEGER:
		return sqlite3_bind_int64(st, at, v->integer);
	case VALUE_REAL:
		return sqlite3_bind_double(st, at, v->real);
	case VALUE_TEXT:
		return sqlite3_bind_text(st, at, v->bytes.p,
		    (int)v->bytes.len, SQLITE_STATIC);
	case VALUE_BLOB:
		return sqlite3_bind_blob(st, at, v->bytes.p,
		    (int)v->bytes.len, SQLITE_STATIC);
	case VALUE_NULL:
		break;
	}
	return sqlite3_bind_null(st, at);
}

/* Every call binds every parameter, so no value of an earlier call is left. */
static bool
start(struct db *db, enum stmt s, const struct value *v, size_t n)
{
	int rc;

	if (db_failed(db) || !prepare(db, s))
		return false;
	if ((size_t)sqlite3_bind_parameter_count(db->stmt[s]) != n) {
		err_set(&db->err, ERR_BUG, 0, "statement %d has other "
		    "parameters than its %zu", (int)s, n);
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		rc = bind_one(db->stmt[s], (int)i + 1, &v[i]);
		if (rc != SQLITE_OK) {
			fail(db, rc);
			return false;
		}
	}
	return true;
}

/* True: a row. */
static bool
step(struct db *db, enum stmt s)
{
	int rc = sqlite3_step(db->stmt[s]);

	if (rc == SQLITE_ROW)
		return true;
	if (rc != SQLITE_DONE)
		fail(db, rc);
	sqlite3_reset(db->stmt[s]);
	return false;
}

void
db_run(struct db *db, enum stmt s, const struct value *v, size_t n)
{
	if (!start(db, s, v, n))
		return;
	db->rows++;
	if (step(db, s))
		sqlite3_reset(db->stmt[s]);
}

bool
db_row(struct db *db, enum stmt s, const struct value *v, size_t n)
{
	return start(db, s, v, n) && step(db, s);
}

int64_t
db_first(struct db *db, enum stmt s, const struct value *v, size_t n)
{
	int64_t value = 0;

	if (db_row(db, s, v, n)) {
		value = db_int(db, s, 0);
		db_done(db, s);
	}
	return value;
}

bool
db_next(struct db *db, enum stmt s)
{
	return step(db, s);
}

void
db_done(struct db *db, enum stmt s)
{
	sqlite3_reset(db->stmt[s]);
}

void
db_rest(struct db *db)
{
	for (enum stmt s = 0; s < STMT__MAX; s++)
		sqlite3_reset(db->stmt[s]);
}

int64_t
db_int(const struct db *db, enum stmt s, int column)
{
	return sqlite3_column_int64(db->stmt[s], column);
}

bool
db_null(const struct db *db, enum stmt s, int column)
{
	return sqlite3_column_type(db->stmt[s], column) == SQLITE_NULL;
}

struct str
db_bytes(const struct db *db, enum stmt s, int column)
{
	/* _blob returns TEXT unchanged, without a search for the closing
	 * NUL. */
	const char *p = sqlite3_column_blob(db->stmt[s], column);

	return (struct str){ p == NULL ? "" : p,
	    (size_t)sqlite3_column_bytes(db->stmt[s], column) };
}

char *
db_strdup(const struct db *db, enum stmt s, int column)
{
	struct str v = db_bytes(db, s, column);

	return db_null(db, s, column) ? NULL : xstrndup(v.p, v.len);
}

int64_t
db_changes(const struct db *db)
{
	return sqlite3_changes64(db->conn);
}

int64_t
db_last_id(const struct db *db)
{
	return sqlite3_last_insert_rowid(db->conn);
}

struct value
db_text(const char *s)
{
	struct value v = { .type = VALUE_NULL };

	if (s != NULL) {
		v.type = VALUE_TEXT;
		v.bytes = str_of(s);
	}
	return v;
}

/* --- transactions --- */

/* synchronous = NORMAL leaves the sync of the -wal to the next checkpoint. */
void
db_sync(struct db *db)
{
	sqlite3_file *wal = NULL;
	int rc;

	if (db_failed(db))
		return;
	rc = sqlite3_file_control(db->conn, "main",
	    SQLITE_FCNTL_JOURNAL_POINTER, &wal);
	if (rc == SQLITE_OK && wal != NULL && wal->pMethods != NULL)
		rc = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
	if (rc != SQLITE_OK)
		fail(db, rc);
}

void
db_rollback(struct db *db)
{
	if (!db->in_transaction)
		return;
	/* Not through db_run, which does nothing after an error. ROLLBACK fails
	 * only if the error has rolled back already. */
	sqlite3_exec(db->conn, "ROLLBACK", NULL, NULL, NULL);
	db->in_transaction = false;
}

/* --- the connection --- */

void
db_exec(struct db *db, const char *sql)
{
	int rc;

	if (db_failed(db))
		return;
	rc = sqlite3_exec(db->conn, sql, NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		fail(db, rc);
}

int64_t
db_number(struct db *db, const char *sql)
{
	sqlite3_stmt *st = NULL;
	int64_t v = 0;
	int rc;

	if (db_failed(db))
		return 0;
	rc = sqlite3_prepare_v2(db->conn, sql, -1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		v = sqlite3_column_int64(st, 0);
	else
		fail(db, rc);
	sqlite3_finalize(st);
	return v;
}

int
db_opened(struct db *db, struct err *err)
{
	if (!db_failed(db))
		return 0;
	if (err != NULL)
		*err = db->err;
	db_close(db);
	return -1;
}

int
db_connect(struct db *db, const char *name, const char *path, int flags,
    struct err *err)
{
	int rc, on = 1;

	memset(db, 0, sizeof(*db));
	db->path = xstrdup(path);
	rc = sqlite3_open_v2(name, &db->conn, flags | SQLITE_OPEN_NOMUTEX,
	    NULL);
	if (rc != SQLITE_OK) {
		fail(db, rc);
	} else {
		sqlite3_extended_result_codes(db->conn, 1);
		sqlite3_busy_timeout(db->conn, BUSY_MS);
		sqlite3_file_control(db->conn, "main",
		    SQLITE_FCNTL_PERSIST_WAL, &on);
		db_exec(db, "PRAGMA trusted_schema = OFF");
		db_exec(db, "PRAGMA mmap_size = 0");
	}
	return db_opened(db, err);
}

void
db_close(struct db *db)
{
	for (enum stmt s = 0; s < STMT__MAX; s++) {
		sqlite3_finalize(db->stmt[s]);
		db->stmt[s] = NULL;
	}
	if (db->in_transaction)
		db_rollback(db);
	sqlite3_close(db->conn);
	db->conn = NULL;
	free(db->path);
	db->path = NULL;
}
