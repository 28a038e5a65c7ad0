#include <sqlite3.h>

#include "catalog/catalog_internal.h"

#define CACHE_KIB 16384
#define CHECKPOINT_PAGES 8192
#define BUSY_MS 10000

static const char *const stmt_text[STMT__MAX] = {
#define STMT(name, text) [STMT_##name] = text,
#include "catalog/schema.inc"
#undef STMT
};

static const struct rung {
	int	 number;
	const char *text;
} rungs[] = {
#define RUNG(number, text) { number, text },
#include "catalog/schema.inc"
#undef RUNG
};

int
db_fault(struct err *err, int code, const char *path, const char *message)
{
	switch (code & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return err_set(err, ERR_CONFIG, code, "catalog %s is damaged "
		    "(%s); nothing more is written to it: restore a copy or "
		    "move it away", path, message);
	case SQLITE_FULL:
	case SQLITE_IOERR:
	case SQLITE_NOMEM:
	case SQLITE_NOLFS:
	case SQLITE_TOOBIG:
		return err_set(err, ERR_RESOURCE, code,
		    "the file system of catalog %s: %s", path, message);
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

static bool
failed(const struct db *db)
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

	if (failed(db) || !prepare(db, s))
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

void
db_begin(struct db *db)
{
	if (db->in_transaction || failed(db))
		return;
	DB_RUN0(db, BEGIN);
	db->in_transaction = !failed(db);
	db->rows = 0;
}

void
db_commit(struct db *db)
{
	if (!db->in_transaction)
		return;
	DB_RUN0(db, COMMIT);
	if (!failed(db))
		db->in_transaction = false;
}

/* synchronous = NORMAL leaves the sync of the -wal to the next checkpoint. */
void
db_sync(struct db *db)
{
	sqlite3_file *wal = NULL;
	int rc;

	if (failed(db))
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

/* --- opening --- */

static void
exec(struct db *db, const char *sql)
{
	int rc;

	if (failed(db))
		return;
	rc = sqlite3_exec(db->conn, sql, NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		fail(db, rc);
}

static int64_t
pragma_int(struct db *db, const char *sql)
{
	sqlite3_stmt *st = NULL;
	int64_t v = 0;
	int rc;

	if (failed(db))
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

static int
newest_rung(void)
{
	return rungs[ARRAY_LEN(rungs) - 1].number;
}

static void
mark_version(struct db *db, int number)
{
	char sql[80];

	snprintf(sql, sizeof(sql), "PRAGMA application_id = %d",
	    DB_APPLICATION_ID);
	exec(db, sql);
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", number);
	exec(db, sql);
}

static void
climb(struct db *db, int number)
{
	exec(db, "BEGIN IMMEDIATE");
	for (size_t i = 0; i < ARRAY_LEN(rungs); i++)
		if (rungs[i].number == number)
			exec(db, rungs[i].text);
	mark_version(db, number);
	exec(db, "COMMIT");
}

static void
climb_from(struct db *db, int version)
{
	for (int v = version + 1; v <= newest_rung() && !failed(db); v++)
		climb(db, v);
}

/* Return the text from the view's name on, if the statement makes or drops a
 * view; else NULL. */
static const char *
made_view(const char *sql)
{
	return strncmp(sql, "CREATE VIEW ", 12) == 0 ? sql + 12 : NULL;
}

static const char *
dropped_view(const char *sql)
{
	return strncmp(sql, "DROP VIEW ", 10) == 0 ? sql + 10 : NULL;
}

static bool
is_dropped_later(size_t i, const char *name)
{
	size_t len = strcspn(name, " ");
	const char *other;

	while (++i < ARRAY_LEN(rungs)) {
		other = dropped_view(rungs[i].text);
		if (other != NULL && strncmp(name, other, len) == 0 &&
		    other[len] == ';')
			return true;
	}
	return false;
}

/* Climb the whole ladder for an empty file. SQLite reads the complete schema
 * again after each change of a table; half of that time would go to views, so
 * make the views last, and only the views of the newest rung. */
static void
climb_all(struct db *db)
{
	const char *sql, *view;

	exec(db, "BEGIN IMMEDIATE");
	for (size_t i = 0; i < ARRAY_LEN(rungs); i++) {
		sql = rungs[i].text;
		if (made_view(sql) == NULL && dropped_view(sql) == NULL)
			exec(db, sql);
	}
	for (size_t i = 0; i < ARRAY_LEN(rungs); i++) {
		view = made_view(rungs[i].text);
		if (view != NULL && !is_dropped_later(i, view))
			exec(db, rungs[i].text);
	}
	mark_version(db, newest_rung());
	exec(db, "COMMIT");
}

/* Check that the file is a catalog known to this program. A catalog without
 * tables was not left by a kill (see db_create): its tables were lost together
 * with a removed -wal. */
static void
check_version(struct db *db, bool may_be_older)
{
	int64_t id = pragma_int(db, "PRAGMA application_id");
	int64_t version = pragma_int(db, "PRAGMA user_version");
	int64_t tables = pragma_int(db, "SELECT count(*) FROM sqlite_schema");

	if (failed(db))
		return;
	if (id == 0 && version == 0 && tables == 0)
		guard_empty(db->path, &db->err);
	else if (id != DB_APPLICATION_ID)
		err_set(&db->err, ERR_CONFIG, 0,
		    "%s is a database, but not a catalog of datamover",
		    db->path);
	else if (version > newest_rung())
		err_set(&db->err, ERR_CONFIG, 0, "catalog %s was made by a "
		    "newer datamover (schema %d, this one knows %d)",
		    db->path, (int)version, newest_rung());
	else if (!may_be_older && version < newest_rung())
		err_set(&db->err, ERR_CONFIG, 0, "catalog %s was made by an "
		    "older datamover (schema %d): the next "
		    "run brings it up to date",
		    db->path, (int)version);
}

static int
opened(struct db *db, struct err *err)
{
	if (!failed(db))
		return 0;
	if (err != NULL)
		*err = db->err;
	db_close(db);
	return -1;
}

static int
connect_file(struct db *db, const char *name, const char *path, int flags,
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
		exec(db, "PRAGMA trusted_schema = OFF");
		exec(db, "PRAGMA mmap_size = 0");
	}
	return opened(db, err);
}

static void
set_up_writer(struct db *db)
{
	char sql[80];

	check_version(db, true);
	if (failed(db))
		return;		/* before anything is written */
	exec(db, "PRAGMA journal_mode = WAL");
	exec(db, "PRAGMA synchronous = NORMAL");
	exec(db, "PRAGMA cell_size_check = ON");
	snprintf(sql, sizeof(sql), "PRAGMA cache_size = -%d", CACHE_KIB);
	exec(db, sql);
	snprintf(sql, sizeof(sql), "PRAGMA wal_autocheckpoint = %d",
	    CHECKPOINT_PAGES);
	exec(db, sql);
	snprintf(sql, sizeof(sql), "PRAGMA journal_size_limit = %d",
	    CHECKPOINT_PAGES * 4096);
	exec(db, sql);
	climb_from(db, (int)pragma_int(db, "PRAGMA user_version"));
	/* Touches the right edge of every large table. */
	if (DB_ROW0(db, MARKS))
		db_done(db, STMT_MARKS);
}

int
db_create(const char *path, struct err *err)
{
	struct db db;

	if (connect_file(&db, path, path, SQLITE_OPEN_READWRITE, err) == -1)
		return -1;
	/* A kill at this point leaves a file under the temporary name, removed
	 * by the next caller. */
	exec(&db, "PRAGMA journal_mode = OFF");
	climb_all(&db);
	if (opened(&db, err) == -1)
		return -1;
	db_close(&db);
	return 0;
}

int
db_open_writer(struct db *db, const char *path, struct err *err)
{
	if (connect_file(db, path, path, SQLITE_OPEN_READWRITE, err) == -1)
		return -1;
	set_up_writer(db);
	return opened(db, err);
}

int
db_open_reader(struct db *db, const char *path, struct err *err)
{
	if (connect_file(db, path, path, SQLITE_OPEN_READONLY, err) == -1)
		return -1;
	exec(db, "PRAGMA cache_size = -4096");
	return opened(db, err);
}

int
db_open_view(struct db *db, const char *uri, const char *path,
    struct err *err)
{
	if (connect_file(db, uri, path, SQLITE_OPEN_READONLY |
	    SQLITE_OPEN_URI, err) == -1)
		return -1;
	/* With this pragma LIKE 'a/%' uses the index, as GLOB does. */
	exec(db, "PRAGMA case_sensitive_like = ON");
	check_version(db, false);
	return opened(db, err);
}

int
db_copy(const char *from, const char *to, struct err *err)
{
	AUTOFREE char *uri = db_uri(from, "?mode=ro");
	sqlite3_backup *backup;
	sqlite3 *conn = NULL;
	struct db db;
	int rc;

	if (db_open_view(&db, uri, from, err) == -1)
		return -1;
	rc = sqlite3_open_v2(to, &conn, SQLITE_OPEN_READWRITE |
	    SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
	backup = rc != SQLITE_OK ? NULL :
	    sqlite3_backup_init(conn, "main", db.conn, "main");
	if (backup != NULL) {
		rc = sqlite3_backup_step(backup, -1);
		sqlite3_backup_finish(backup);
	} else if (rc == SQLITE_OK) {
		rc = sqlite3_errcode(conn);
	}
	sqlite3_close(conn);
	db_close(&db);
	if (rc == SQLITE_DONE)
		return 0;
	return db_fault(err, rc, to, sqlite3_errstr(rc));
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
