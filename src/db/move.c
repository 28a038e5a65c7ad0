/*
 * Another place for a catalog.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/db_internal.h"
#include "db/guard.h"
#include "db/keep.h"
#include "db/pair.h"
#include "db/stand.h"

/* Check the new place. The catalog itself is there if an earlier call was
 * killed between two steps; a note is there if the catalog was there once. */
static int
may_go_to(const char *path, const char *to, struct err *err)
{
	AUTOFREE char *wal = xasprintf("%s-wal", to);
	AUTOFREE char *old = note_read(to);
	struct stat st;

	if (strcmp(path, to) == 0)
		return err_set(err, ERR_USAGE, 0,
		    "%s is where the catalog is", to);
	if (stat(wal, &st) == 0 && st.st_size > 0)
		return err_set(err, ERR_USAGE, 0, "%s has a -wal beside it, "
		    "of another database: choose another name", to);
	if (old != NULL && unlink(to) == -1)
		return guard_fault(err, errno, to);
	if (lstat(to, &st) == 0 && !file_is_same(path, to))
		return err_set(err, ERR_USAGE, 0, "%s exists: choose another "
		    "name", to);
	return 0;
}

/* On another file system the catalog is copied. */
static int
bring(const char *path, const char *to, struct err *err)
{
	AUTOFREE char *name = xasprintf("%s.new", to);
	struct stat st;

	if (link(path, to) == 0 || (errno == EEXIST && file_is_same(path, to)))
		return 0;
	if (stat(path, &st) == -1)
		return guard_fault(err, errno, path);
	unlink(name);
	if (db_copy(path, name, false, err) == 0 &&
	    chmod(name, st.st_mode & 0777) == 0 &&
	    (st.st_uid == geteuid() ||
	    chown(name, st.st_uid, st.st_gid) == 0) &&
	    db_rename(name, to, false, err) == 0)
		return 0;
	if (err->kind == ERR_NONE)
		guard_fault(err, errno, name);
	unlink(name);
	return -1;
}

/* The caller has both locks, and that of the catalog itself. */
static int
move(const char *path, const char *to, int own, struct err *err)
{
	static const char *const ends[] = { "-wal", "-shm" };
	AUTOFREE char *name = xasprintf("%s.new", path);
	AUTOFREE char *wal = xasprintf("%s-wal", path);
	struct stat st;

	if (may_go_to(path, to, err) == -1 ||
	    pair_check_locked(path, err) == -1 ||
	    db_checkpoint(path, err) == -1)
		return -1;
	if ((stat(wal, &st) == 0 && st.st_size > 0) || guard_is_read(own))
		return err_set(err, ERR_RESOURCE, 0, "catalog %s is being "
		    "read: try again when nobody has it open", path);
	if (note_write(name, to, err) == -1 || bring(path, to, err) == -1 ||
	    db_rename(name, path, true, err) == -1) {
		unlink(name);
		return -1;
	}
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		AUTOFREE char *old = xasprintf("%s%s", path, ends[i]);

		unlink(old);
	}
	return 0;
}

/* The note and the settings need a name that holds in every directory. */
static char *
absolute(const char *path)
{
	AUTOFREE char *dir = path_parent(path);
	AUTOFREE char *real = realpath(dir, NULL);
	const char *slash = strrchr(path, '/');

	return xasprintf("%s/%s", real == NULL ? dir :
	    strcmp(real, "/") == 0 ? "" : real,
	    slash == NULL ? path : slash + 1);
}

int
catalog_move(const char *path, const char *to, struct err *err)
{
	char *real AUTOFREE = realpath(path, NULL);
	AUTOFREE char *place = NULL;
	CLEANUP(close_fd) int lock = -1;
	CLEANUP(close_fd) int lock_there = -1;
	CLEANUP(close_fd) int own = -1;

	if (real == NULL)
		return guard_fault(err, errno, path);
	if (guard_place(to, err) == -1)
		return -1;
	place = absolute(to);
	if (catalog_moved(real, err) == -1 ||
	    guard_lock(real, &lock, err) == -1 ||
	    guard_own(real, &own, err) == -1 ||
	    (strcmp(real, place) != 0 &&
	    guard_lock(place, &lock_there, err) == -1))
		return -1;
	stand_carry(lock, lock_there);
	return move(real, place, own, err);
}
