#include <errno.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/probe.h"

#include "db/db_internal.h"
#include "db/guard.h"
#include "db/holder.h"
#include "db/keep.h"
#include "db/pair.h"
#include "db/stand.h"

static int
may_write(const char *path, struct err *err)
{
	if (access(path, R_OK | W_OK) == 0 || errno == ENOENT)
		return 0;
	return err_errno(err, ERR_DENIED, errno, "%s", path);
}

/* The directory must allow to make the database, its companions and its
 * lock. */
static int
may_write_all(const char *path, struct err *err)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	AUTOFREE char *lock = guard_lock_name(path);
	AUTOFREE char *dir = path_parent(path);

	if (access(dir, R_OK | W_OK | X_OK) == -1)
		return err_errno(err, ERR_DENIED, errno, "directory %s", dir);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		AUTOFREE char *name = xasprintf("%s%s", path, ends[i]);

		if (may_write(name, err) == -1)
			return -1;
	}
	return may_write(lock, err);
}

static int
one_row(sqlite3 *conn, const char *path, int64_t v[3], struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(conn, "SELECT "
	    "(SELECT application_id FROM pragma_application_id), "
	    "(SELECT user_version FROM pragma_user_version), "
	    "(SELECT count(*) FROM sqlite_schema)", -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	for (int i = 0; i < 3 && rc == SQLITE_ROW; i++)
		v[i] = sqlite3_column_int64(st, i);
	sqlite3_finalize(st);
	return rc == SQLITE_ROW ? 0 :
	    db_fault(err, rc, path, sqlite3_errmsg(conn));
}

/* Without a -wal the file is complete: open the file as immutable, or SQLite
 * would make a -wal. */
static int
read_version(const char *path, struct catalog_probe *p, struct err *err)
{
	AUTOFREE char *wal = xasprintf("%s-wal", path);
	AUTOFREE char *uri = db_uri(path,
	    access(wal, F_OK) == -1 ? "?immutable=1" : "");
	int64_t v[3] = { 0, 0, 0 };
	sqlite3 *conn = NULL;
	int on = 1, rc;

	rc = sqlite3_open_v2(uri, &conn, SQLITE_OPEN_READONLY |
	    SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK) {
		rc = db_fault(err, rc, path, sqlite3_errstr(rc));
	} else {
		sqlite3_file_control(conn, "main", SQLITE_FCNTL_PERSIST_WAL,
		    &on);
		rc = one_row(conn, path, v, err);
	}
	sqlite3_close(conn);
	if (rc == -1)
		return -1;
	p->version = (int)v[1];
	if (v[0] == 0 && v[1] == 0 && v[2] == 0)
		return guard_empty(path, err);
	if (v[0] != DB_APPLICATION_ID && v[0] != DB_RESTORED_ID)
		return err_set(err, ERR_CONFIG, 0, "%s is a database, but "
		    "not a catalog of datamover", path);
	if (p->version > p->newest)
		return err_set(err, ERR_CONFIG, 0, "catalog %s was made by a "
		    "newer datamover (schema %d, this one knows %d)", path,
		    p->version, p->newest);
	return 0;
}

static int
look_whether_older(const char *path, struct catalog_probe *p, struct err *err)
{
	struct db db;

	if (!stand_may_be_older(path))
		return 0;
	if (db_open_older(&db, path, err) == -1)
		return -1;
	p->older = stand_is_older(&db);
	db_close(&db);
	return 0;
}

int
catalog_probe(const char *path, struct catalog_probe *p, struct err *err)
{
	struct stat st;

	memset(p, 0, sizeof(*p));
	p->newest = schema_newest();
	if (guard_place(path, err) == -1 || may_write_all(path, err) == -1)
		return -1;
	if (stat(path, &st) == -1) {
		if (errno == ENOENT)
			return 0;
		return err_errno(err, ERR_DENIED, errno, "catalog %s", path);
	}
	p->exists = true;
	p->bytes = (uint64_t)st.st_size;
	if (guard_not_empty(path, &st, err) == -1 ||
	    catalog_moved(path, err) == -1)
		return -1;
	p->in_use = catalog_in_use(path, &p->pid);
	if (pair_check(path, err) == -1 || read_version(path, p, err) == -1)
		return -1;
	return p->in_use ? 0 : look_whether_older(path, p, err);
}
