/*
 * How a catalog is opened: the settings of SQLite for each kind of connection.
 */
#include <ctype.h>
#include <errno.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/db_internal.h"
#include "db/guard.h"
#include "db/keep.h"
#include "db/pair.h"

#define CACHE_KIB 16384
#define CHECKPOINT_PAGES 8192

char *
db_uri(const char *path, const char *query)
{
	struct buf b;

	buf_init(&b, 64 * KIB);
	buf_addstr(&b, path[0] == '/' ? "file://" : "file:");
	for (; *path != '\0'; path++) {
		unsigned char c = (unsigned char)*path;

		if (isalnum(c) || strchr("/-_.~", c) != NULL)
			buf_addch(&b, *path);
		else
			buf_addf(&b, "%%%02X", c);
	}
	buf_addstr(&b, query);
	return b.data;
}

static void
set_up_writer(struct db *db)
{
	char sql[80];

	schema_check(db, true);
	foreign_refuse(db);
	if (db_failed(db))
		return;		/* before anything is written */
	db_exec(db, "PRAGMA journal_mode = WAL");
	db_exec(db, "PRAGMA synchronous = NORMAL");
	db_exec(db, "PRAGMA cell_size_check = ON");
	snprintf(sql, sizeof(sql), "PRAGMA cache_size = -%d", CACHE_KIB);
	db_exec(db, sql);
	/* With SQLite's 1,000 pages in the -wal: the climb may be long, and
	 * needs space beside the catalog. */
	schema_climb(db, (int)db_number(db, "PRAGMA user_version"));
	snprintf(sql, sizeof(sql), "PRAGMA wal_autocheckpoint = %d",
	    CHECKPOINT_PAGES);
	db_exec(db, sql);
	snprintf(sql, sizeof(sql), "PRAGMA journal_size_limit = %d",
	    CHECKPOINT_PAGES * 4096);
	db_exec(db, sql);
	/* Touches the right edge of every large table. */
	if (DB_ROW0(db, MARKS))
		db_done(db, STMT_MARKS);
}

int
db_open_writer(struct db *db, const char *path, struct err *err)
{
	if (db_connect(db, path, path, SQLITE_OPEN_READWRITE, err) == -1)
		return -1;
	set_up_writer(db);
	return db_opened(db, err);
}

int
db_open_reader(struct db *db, const char *path, struct err *err)
{
	if (db_connect(db, path, path, SQLITE_OPEN_READONLY, err) == -1)
		return -1;
	db_exec(db, "PRAGMA cache_size = -4096");
	return db_opened(db, err);
}

static int
open_view(struct db *db, const char *uri, const char *path,
    bool may_be_older, struct err *err)
{
	if (db_connect(db, uri, path, SQLITE_OPEN_READONLY |
	    SQLITE_OPEN_URI, err) == -1)
		return -1;
	/* With this pragma LIKE 'a/%' uses the index, as GLOB does. */
	db_exec(db, "PRAGMA case_sensitive_like = ON");
	schema_check(db, may_be_older);
	return db_opened(db, err);
}

/* How a user who can't make files beside the catalog reads it. Without a -wal
 * there is no writer, because masters leave their -wal in place: the file is
 * immutable. A -wal needs its -shm, which a master leaves too, and a copy by
 * other programs often lacks. */
enum beside {
	BESIDE_READABLE,
	BESIDE_NOTHING,		/* nor can anything be made */
	BESIDE_NO_SHM		/* but a -wal with changes */
};

static enum beside
look_beside(const char *path)
{
	char *real AUTOFREE = realpath(path, NULL);
	const char *name = real == NULL ? path : real;
	AUTOFREE char *wal = xasprintf("%s-wal", name);
	AUTOFREE char *shm = xasprintf("%s-shm", name);
	AUTOFREE char *dir = path_parent(name);
	struct stat st = { .st_size = 0 };

	if (access(dir, W_OK) == 0)
		return BESIDE_READABLE;
	if (stat(wal, &st) == -1)
		return BESIDE_NOTHING;
	if (access(shm, F_OK) == 0)
		return BESIDE_READABLE;
	return st.st_size == 0 ? BESIDE_NOTHING : BESIDE_NO_SHM;
}

/* Look at a file before SQLite does. */
static int
may_look(const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) == -1 && errno == ENOENT)
		return err_set(err, ERR_CONFIG, errno, "catalog %s: there is "
		    "none yet; the first run makes it", path);
	if (stat(path, &st) == -1)
		return err_errno(err, errno == EACCES ? ERR_DENIED :
		    ERR_CONFIG, errno, "catalog %s", path);
	if (access(path, R_OK) == -1)
		return err_errno(err, ERR_DENIED, errno, "catalog %s", path);
	if (guard_not_empty(path, &st, err) == -1)
		return -1;
	if (look_beside(path) == BESIDE_NO_SHM)
		return err_set(err, ERR_DENIED, 0, "catalog %s: its last "
		    "changes are in the -wal beside it, which SQLite reads "
		    "only where it may make files: copy both files to a "
		    "directory that you may write, and name that copy", path);
	return catalog_moved(path, err);
}

static int
look(struct db *db, const char *path, bool alone, bool may_be_older,
    struct err *err)
{
	AUTOFREE char *uri = NULL;

	if (may_look(path, err) == -1 ||
	    (!alone && pair_check(path, err) == -1))
		return -1;
	uri = db_uri(path, alone || look_beside(path) == BESIDE_NOTHING ?
	    "?immutable=1" : "");
	return open_view(db, uri, path, may_be_older, err);
}

int
db_open_look(struct db *db, const char *path, struct err *err)
{
	return look(db, path, false, false, err);
}

int
db_attach_look(struct db *db, const char *path, struct err *err)
{
	AUTOFREE char *uri = NULL;
	sqlite3_stmt *st = NULL;
	struct db probe;
	int rc;

	if (db_open_look(&probe, path, err) == -1)
		return -1;
	db_close(&probe);
	uri = db_uri(path, look_beside(path) == BESIDE_NOTHING ?
	    "?immutable=1" : "?mode=ro");
	rc = sqlite3_prepare_v2(db->conn, "ATTACH ? AS other", -1, &st, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_bind_text(st, 1, uri, -1, SQLITE_STATIC);
		sqlite3_step(st);
		rc = sqlite3_finalize(st);
	}
	return rc == SQLITE_OK ? 0 :
	    db_fault(err, rc, path, sqlite3_errmsg(db->conn));
}

int
db_open_older(struct db *db, const char *path, struct err *err)
{
	return look(db, path, false, true, err);
}

/* A single step: SQLite begins anew with each step that finds changes of
 * another process. */
static int
copy_pages(struct db *from, struct db *to, struct err *err)
{
	sqlite3_backup *backup = sqlite3_backup_init(to->conn, "main",
	    from->conn, "main");
	int rc;

	if (backup == NULL)
		return db_fault(err, sqlite3_errcode(to->conn), to->path,
		    sqlite3_errmsg(to->conn));
	rc = sqlite3_backup_step(backup, -1);
	sqlite3_backup_finish(backup);
	return rc == SQLITE_DONE ? 0 :
	    db_fault(err, rc, to->path, sqlite3_errstr(rc));
}

/* A copy is one file: no -wal may be left beside it. With a mark of its own it
 * is told from the state that was copied. */
static void
finish_copy(struct db *db)
{
	int off = 0;

	sqlite3_file_control(db->conn, "main", SQLITE_FCNTL_PERSIST_WAL, &off);
	db_exec(db, "PRAGMA journal_mode = DELETE");
	db_begin(db);
	pair_mark(db);
	db_commit(db);
}

int
db_copy(const char *from, const char *to, bool alone, struct err *err)
{
	struct db source, copy;
	int rc;

	if (look(&source, from, alone, true, err) == -1)
		return -1;
	rc = db_connect(&copy, to, to, SQLITE_OPEN_READWRITE |
	    SQLITE_OPEN_CREATE, err);
	if (rc == 0) {
		rc = copy_pages(&source, &copy, err);
		if (rc == 0)
			finish_copy(&copy);
		if (rc == 0 && copy.err.kind != ERR_NONE) {
			*err = copy.err;
			rc = -1;
		}
		db_close(&copy);
	}
	db_close(&source);
	return rc;
}

int
db_vacuum(const char *from, const char *to, struct err *err)
{
	AUTOFREE char *sql = NULL;
	struct db db;
	char *quoted;

	if (db_connect(&db, from, from, SQLITE_OPEN_READWRITE, err) == -1)
		return -1;
	quoted = sqlite3_mprintf("VACUUM INTO %Q", to);
	sql = xstrdup(quoted);
	sqlite3_free(quoted);
	db_exec(&db, sql);
	if (db_opened(&db, err) == -1)
		return -1;
	db_close(&db);
	if (db_connect(&db, to, to, SQLITE_OPEN_READWRITE, err) == -1)
		return -1;
	finish_copy(&db);
	if (db_opened(&db, err) == -1)
		return -1;
	db_close(&db);
	return 0;
}

int
db_checkpoint(const char *path, struct err *err)
{
	struct db db;

	if (db_connect(&db, path, path, SQLITE_OPEN_READWRITE, err) == -1)
		return -1;
	db_number(&db, "PRAGMA user_version");
	db_number(&db, "PRAGMA wal_checkpoint(TRUNCATE)");
	if (db_opened(&db, err) == -1)
		return -1;
	db_close(&db);
	return 0;
}
