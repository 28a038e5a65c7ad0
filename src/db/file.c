/*
 * The catalog's file: looked at before SQLite does, and made whole before it
 * has its name.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/db_internal.h"
#include "db/guard.h"
#include "db/keep.h"

#define SQLITE_HEADER 16	/* bytes of its magic string */
#define APPLICATION_ID_AT 68	/* in SQLite's header */

/* A catalog without rows, of an empty file. */
static int
create(const char *path, struct err *err)
{
	struct db db;

	if (db_connect(&db, path, path, SQLITE_OPEN_READWRITE, err) == -1)
		return -1;
	/* A kill at this point leaves a file under the temporary name, removed
	 * by the next caller. */
	db_exec(&db, "PRAGMA journal_mode = OFF");
	schema_climb(&db, 0);
	if (db_opened(&db, err) == -1)
		return -1;
	db_close(&db);
	return 0;
}

/* Look at the first bytes before SQLite does: a file other than a database is
 * not touched. SQLite takes an empty file for a new database, and throws away
 * the -wal beside the file. */
static int
look_at(int fd, const char *path, struct err *err)
{
	char head[SQLITE_HEADER];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) == -1)
		return guard_fault(err, errno, path);
	if (guard_not_empty(path, &st, err) == -1 ||
	    catalog_moved(path, err) == -1)
		return -1;
	n = pread(fd, head, sizeof(head), 0);
	if (n == -1)
		return guard_fault(err, errno, path);
	if ((size_t)n < sizeof(head) ||
	    memcmp(head, "SQLite format 3", sizeof(head)) != 0)
		return err_set(err, ERR_CONFIG, 0, "catalog %s is damaged "
		    "(not a database); it was not touched: put a copy in its "
		    "place with datamover catalog restore", path);
	return 0;
}

bool
file_is_same(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
	    x.st_ino == y.st_ino;
}

/* The application id in the head of the file; 0: there is none. */
static uint32_t
application_id(const char *path)
{
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t id[4] = { 0 };

	if (fd == -1 || pread(fd, id, sizeof(id), APPLICATION_ID_AT) !=
	    sizeof(id))
		return 0;
	return (uint32_t)id[0] << 24 | (uint32_t)id[1] << 16 |
	    (uint32_t)id[2] << 8 | id[3];
}

bool
db_is_restored(const char *path)
{
	return application_id(path) == DB_RESTORED_ID;
}

bool
file_has_wal(const char *path)
{
	AUTOFREE char *name = xasprintf("%s-wal", path);
	struct stat st;

	return stat(name, &st) == 0 && st.st_size > 0;
}

bool
file_is_catalog(const char *path)
{
	uint32_t id = application_id(path);

	return id == DB_APPLICATION_ID || id == DB_RESTORED_ID;
}

int
file_give(const char *name, const struct stat *st, struct err *err)
{
	if ((st->st_uid != geteuid() &&
	    chown(name, st->st_uid, st->st_gid) == -1) ||
	    chmod(name, st->st_mode & 0777) == -1)
		return guard_fault(err, errno, name);
	return 0;
}

int
db_rename(const char *from, const char *to, bool replace, struct err *err)
{
	AUTOFREE char *parent = path_parent(to);
	CLEANUP(close_fd) int fd = open(from, O_RDONLY | O_CLOEXEC);
	CLEANUP(close_fd) int dir = open(parent, O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC);

	if (fd == -1 || fsync(fd) == -1)
		return guard_fault(err, errno, from);
	if (dir == -1 || renameat2(AT_FDCWD, from, AT_FDCWD, to,
	    replace ? 0 : RENAME_NOREPLACE) == -1 ||
	    (fsync(dir) == -1 && errno != EINVAL))
		return guard_fault(err, errno, to);
	return 0;
}

/* Rename the new file into place. First remove an empty -wal of the same name:
 * the -wal belongs to a removed catalog. */
static int
into_place(const char *name, const char *path, struct err *err)
{
	AUTOFREE char *wal = xasprintf("%s-wal", path);
	AUTOFREE char *shm = xasprintf("%s-shm", path);
	AUTOFREE char *dir = path_parent(path);
	CLEANUP(close_fd) int fd = open(dir, O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC);

	if (fd == -1 || (unlink(wal) == -1 && errno != ENOENT) ||
	    (unlink(shm) == -1 && errno != ENOENT) ||
	    rename(name, path) == -1 ||
	    (fsync(fd) == -1 && errno != EINVAL))
		return guard_fault(err, errno, path);
	return 0;
}

/* Make the whole file under another name: so an empty catalog was never left by
 * a kill, and is never taken for a new catalog. */
static int
make_file(const char *path, struct err *err)
{
	AUTOFREE char *name = xasprintf("%s.new", path);
	CLEANUP(close_fd) int fd = -1;

	if (unlink(name) == 0 || errno == ENOENT)
		fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd == -1)
		return guard_fault(err, errno, name);
	if (create(name, err) == -1 || into_place(name, path, err) == -1) {
		unlink(name);
		return -1;
	}
	return 0;
}

int
db_file(const char *path, struct err *err)
{
	CLEANUP(close_fd) int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat st;

	if (fd != -1)
		return look_at(fd, path, err);
	if (errno != ENOENT)
		return guard_fault(err, errno, path);
	if (lstat(path, &st) == 0)
		return err_set(err, ERR_CONFIG, 0, "catalog %s is a symbolic "
		    "link to a file that is not there", path);
	if (file_has_wal(path))
		return err_set(err, ERR_CONFIG, 0, "catalog %s is not there, "
		    "but the -wal beside it has its last changes: put it back, "
		    "or a copy with datamover catalog restore; or remove "
		    "that -wal to begin with a new catalog", path);
	return make_file(path, err);
}
