/*
 * Copies of a catalog: made, and put in the place of a catalog.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "db/db_internal.h"
#include "db/guard.h"
#include "db/keep.h"
#include "db/pair.h"
#include "db/stand.h"

#define FORMER_TRIES	100

static bool
is_there(const char *path, const char *end)
{
	AUTOFREE char *name = xasprintf("%s%s", path, end);
	struct stat st;

	return lstat(name, &st) == 0;
}

/* An empty file for a copy. */
static int
new_file(const char *name, struct err *err)
{
	CLEANUP(close_fd) int fd = -1;

	if (unlink(name) == 0 || errno == ENOENT)
		fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	return fd == -1 ? guard_fault(err, errno, name) : 0;
}

/* --- backup --- */

/* Only a copy of a catalog is ever replaced: not a device, nor a file of
 * anything else whose name was given by mistake, nor a catalog with which runs
 * have been made. */
static int
may_be_replaced(const char *to, struct err *err)
{
	struct stat st;

	if (is_there(to, ".lock"))
		return err_set(err, ERR_USAGE, 0, "%s has a .lock beside it: "
		    "it is the catalog of other runs, and no copy of this one; "
		    "choose another name", to);
	if (lstat(to, &st) == 0 && S_ISREG(st.st_mode) && file_is_catalog(to))
		return 0;
	return err_set(err, ERR_USAGE, 0, "%s is no copy of a catalog: "
	    "--replace puts a copy in the place of a former copy only; choose "
	    "another name", to);
}

static int
may_be_written(const char *path, const char *to, bool replace,
    struct err *err)
{
	if (file_is_same(path, to))
		return err_set(err, ERR_USAGE, 0,
		    "%s is the catalog itself", to);
	if (is_there(to, "") && !replace)
		return err_set(err, ERR_USAGE, 0, "%s exists: choose another "
		    "name, or replace it with --replace", to);
	if (is_there(to, "") && may_be_replaced(to, err) == -1)
		return -1;
	if (file_has_wal(to) || is_there(to, "-journal"))
		return err_set(err, ERR_USAGE, 0, "%s has a -wal or -journal "
		    "beside it, of another database: choose another name", to);
	return 0;
}

int
catalog_backup(const char *path, const char *to, bool replace,
    struct err *err)
{
	AUTOFREE char *part = xasprintf("%s.part", to);

	if (may_be_written(path, to, replace, err) == -1 ||
	    new_file(part, err) == -1)
		return -1;
	if (db_copy(path, part, false, err) == -1 ||
	    db_rename(part, to, replace, err) == -1) {
		unlink(part);
		return -1;
	}
	return 0;
}

int
catalog_keep_former(const char *path, char **ret_name, struct err *err)
{
	AUTOFREE char *name = NULL;
	int64_t version;
	struct db db;

	*ret_name = NULL;
	if (db_open_older(&db, path, err) == -1) {
		err_clear(err);
		return 0;
	}
	version = db_number(&db, "PRAGMA user_version");
	/* A climb that was cut has kept its copy. */
	if (db_number(&db, "SELECT count(*) FROM sqlite_schema "
	    "WHERE name = 'result_new'") > 0)
		version = schema_newest();
	db_close(&db);
	if (version >= schema_newest())
		return 0;
	name = xasprintf("%s.v%d", path, (int)version);
	if (is_there(name, ""))
		return 0;
	if (catalog_backup(path, name, false, err) == -1) {
		err_wrap(err, "the catalog before it is brought up to date "
		    "(--no-keep keeps no copy)");
		return -1;
	}
	*ret_name = STEAL(name);
	return 0;
}

/* --- restore --- */

/* Bring the -wal into the file, so that the former catalog is one file. The
 * -wal stays beside the file if somebody reads, or the catalog is damaged. */
static void
checkpoint(const char *path)
{
	struct err err = ERR_INIT;

	if (pair_check_locked(path, &err) == 0 &&
	    db_checkpoint(path, &err) == -1)
		err_clear(&err);
}

/* The copy belongs to the user of the catalog, whoever restores. */
static int
give_to_owner(const char *name, const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return errno == ENOENT ? 0 : guard_fault(err, errno, path);
	return file_give(name, &st, err);
}

/* Give the former catalog a name of its own, by a second link: until the copy
 * has the first name, the catalog has both. */
static int
link_former(const char *path, char **ret, struct err *err)
{
	char date[32];

	clock_iso8601(clock_wall_ns() / 1000000000, date);
	for (int i = 1; i <= FORMER_TRIES; i++) {
		AUTOFREE char *name = i == 1 ?
		    xasprintf("%s.%s", path, date) :
		    xasprintf("%s.%s-%d", path, date, i);
		AUTOFREE char *from = xasprintf("%s-wal", path);
		AUTOFREE char *wal = xasprintf("%s-wal", name);

		if (file_has_wal(path) && link(from, wal) == -1) {
			if (errno == EEXIST)
				continue;
			return guard_fault(err, errno, wal);
		}
		if (link(path, name) == 0) {
			*ret = STEAL(name);
			return 0;
		}
		if (errno != EEXIST)
			return guard_fault(err, errno, name);
	}
	return err_set(err, ERR_CONFIG, EEXIST, "catalog %s: no name is free "
	    "for the former catalog", path);
}

/* Remove what belongs to the former catalog, after the copy has its name. */
static int
drop_companions(const char *path, struct err *err)
{
	static const char *const ends[] = { "-wal", "-shm" };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		AUTOFREE char *name = xasprintf("%s%s", path, ends[i]);

		if (unlink(name) == -1 && errno != ENOENT)
			return guard_fault(err, errno, name);
	}
	return 0;
}

/* The caller has the lock. name: the copy, whole. */
static int
take_place(const char *name, const char *path, int lock, char **ret_former,
    struct err *err)
{
	bool exists = is_there(path, "");

	if (give_to_owner(name, path, err) == -1)
		return -1;
	if (exists)
		checkpoint(path);
	if (exists && link_former(path, ret_former, err) == -1)
		return -1;
	stand_forget(lock);
	if (db_rename(name, path, true, err) == -1)
		return -1;
	return drop_companions(path, err);
}

static int
mark_restored(const char *name, const struct keeper *who, const char *from,
    struct err *err)
{
	AUTOFREE char *file = realpath(from, NULL);
	struct db db;

	if (db_connect(&db, name, name, SQLITE_OPEN_READWRITE, err) == -1)
		return -1;
	db_begin(&db);
	schema_restored(&db, who, file);
	db_commit(&db);
	if (db_opened(&db, err) == -1)
		return -1;
	db_close(&db);
	return 0;
}

static int
restore(const char *path, const char *from, const struct keeper *who,
    int lock, char **ret_former, struct err *err)
{
	AUTOFREE char *name = xasprintf("%s.new", path);
	bool alone = file_is_same(path, from) &&
	    pair_check_locked(path, err) == -1;

	err_clear(err);
	if (new_file(name, err) == -1)
		return -1;
	if (db_copy(from, name, alone, err) == 0 &&
	    db_quick_check(name, err) == 0 &&
	    mark_restored(name, who, from, err) == 0 &&
	    take_place(name, path, lock, ret_former, err) == 0)
		return 0;
	unlink(name);
	return -1;
}

int
catalog_restore(const char *path, const char *from, const struct keeper *who,
    char **ret_former, struct err *err)
{
	char *found AUTOFREE = realpath(path, NULL);
	const char *real = found == NULL ? path : found;
	CLEANUP(close_fd) int lock = -1;
	CLEANUP(close_fd) int own = -1;

	*ret_former = NULL;
	if (is_there(real, "-journal"))
		return err_set(err, ERR_CONFIG, 0, "%s-journal is there, of "
		    "another program: move it away", real);
	if (guard_place(real, err) == -1 ||
	    guard_lock(real, &lock, err) == -1 ||
	    (found != NULL && guard_own(real, &own, err) == -1))
		return -1;
	return restore(real, from, who, lock, ret_former, err);
}
