/*
 * The temporary file in a directory. A file of a single range is made anew each
 * time. A file of several ranges is locked, so that two processes don't mix
 * their ranges.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "dest/posix_internal.h"

#define OPEN_PART (O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
#define TRIES_MAX 8

bool
posix_part_is(int dir, const char *name, const struct stat *st)
{
	struct stat now;

	return fstatat(dir, name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	    now.st_ino == st->st_ino && now.st_dev == st->st_dev;
}

/* Ask the server anew: a mount's cache of directories and names may be old. */
static bool
stat_now(int dir, const char *name, struct statx *st)
{
	int flags = AT_SYMLINK_NOFOLLOW | AT_STATX_FORCE_SYNC;

	return statx(dir, name, *name == '\0' ? flags | AT_EMPTY_PATH : flags,
	    STATX_BASIC_STATS, st) == 0;
}

int
posix_part_check(struct posix_file *f, uint64_t *ret_size, struct err *err)
{
	struct statx dir, name, own;

	if (!stat_now(f->fd, "", &own))
		return dest_errno(err, "look up");
	if (!stat_now(f->dir, "", &dir) ||
	    !stat_now(f->dir, f->file.temp, &name) ||
	    name.stx_ino != own.stx_ino ||
	    name.stx_dev_major != own.stx_dev_major ||
	    name.stx_dev_minor != own.stx_dev_minor)
		return dest_taken(err);
	*ret_size = own.stx_size;
	return 0;
}

/* Remove any entry with the temporary name. */
static int
clear_name(const struct posix_file *f, struct err *err)
{
	if (unlinkat(f->dir, f->file.temp, 0) == 0 || errno == ENOENT)
		return 0;
	return dest_errno(err, "remove an old temporary file");
}

int
posix_part_new(struct dest_file *file, struct err *err)
{
	struct posix_file *f = posix_file_of(file);

	for (int i = 0; i < TRIES_MAX; i++) {
		f->fd = openat(f->dir, f->file.temp, OPEN_PART | O_EXCL, 0600);
		if (f->fd != -1)
			return 0;
		if (errno != EEXIST)
			return dest_errno(err, "create");
		if (clear_name(f, err) == -1)
			return -1;
	}
	return err_set(err, ERR_RETRY, EEXIST,
	    "another process writes this file");
}

/*
 * Is uid the owner of files that we create here? A server or a mount may give
 * new files to another user than the creator.
 */
static bool
is_our_owner(const struct posix_file *f, uid_t uid)
{
	CLEANUP(close_fd) int fd = -1;
	char name[DEST_TEMP_LEN + 1];
	struct stat st;
	int rc;

	if (uid == geteuid())
		return true;
	/* No fetched file can have this probe name: dest_path refuses the
	 * name. */
	dest_temp_name(str_of(f->file.temp), name);
	unlinkat(f->dir, name, 0);
	fd = openat(f->dir, name, OPEN_PART | O_EXCL, 0600);
	if (fd == -1)
		return false;
	rc = fstat(fd, &st);
	unlinkat(f->dir, name, 0);
	return rc == 0 && st.st_uid == uid;
}

/* Return true for a file made by us and without a second name. */
static bool
is_ours(const struct posix_file *f, const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_nlink == 1 &&
	    is_our_owner(f, st->st_uid);
}

/* Open and lock the file of the temporary name. Return 1, 0 to look again, or
 * -1. */
static int
lock_name(struct posix_file *f, struct err *err)
{
	struct stat st;

	f->fd = openat(f->dir, f->file.temp, OPEN_PART, 0600);
	if (f->fd == -1 && (errno == ELOOP || errno == EACCES ||
	    errno == ENXIO))
		return clear_name(f, err);
	if (f->fd == -1)
		return dest_errno(err, "create");
	/* Go on without a lock where the file system has no locks. */
	if (flock(f->fd, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK)
		return err_set(err, ERR_RETRY, EWOULDBLOCK,
		    "another process writes this file");
	if (fstat(f->fd, &st) == -1)
		return dest_errno(err, "look up");
	/* If not, another process renamed or removed the file before the
	 * lock. */
	if (!posix_part_is(f->dir, f->file.temp, &st))
		return 0;
	return is_ours(f, &st) ? 1 : clear_name(f, err);
}

int
posix_part_shared(struct dest_file *file, struct err *err)
{
	struct posix_file *f = posix_file_of(file);

	for (int i = 0; i < TRIES_MAX; i++) {
		int rc = lock_name(f, err);

		if (rc == 1)
			return 0;
		/* Close first: a later error must not unlink a file of another
		 * process. */
		close_fd(&f->fd);
		if (rc == -1)
			return -1;
	}
	return err_set(err, ERR_RETRY, 0, "another process writes this file");
}

/* Take a shared lock. The shared lock keeps out processes that want the file
 * exclusively; while such a process holds the lock, the file may be
 * replaced. */
int
posix_part_join(struct dest_file *file, struct err *err)
{
	struct posix_file *f = posix_file_of(file);
	struct statx now;
	struct stat st;

	/* Refresh the mount's cache: the name may be cached for an older
	 * file. */
	if (!stat_now(f->dir, "", &now))
		return dest_errno(err, "look up");
	f->fd = openat(f->dir, f->file.temp, (OPEN_PART & ~O_CREAT));
	if (f->fd == -1 && (errno == ENOENT || errno == ELOOP))
		return err_set(err, ERR_GONE, errno,
		    "the temporary file is not there");
	if (f->fd == -1)
		return dest_errno(err, "open");
	if (flock(f->fd, LOCK_SH | LOCK_NB) == -1 && errno == EWOULDBLOCK)
		return err_set(err, ERR_RETRY, EWOULDBLOCK,
		    "another process writes this file");
	if (fstat(f->fd, &st) == -1)
		return dest_errno(err, "look up");
	/* Do not check the owner; the token identifies the file. */
	if (S_ISREG(st.st_mode) && st.st_nlink == 1 &&
	    posix_part_is(f->dir, f->file.temp, &st))
		return 0;
	return err_set(err, ERR_GONE, 0, "the temporary file is another");
}

/* --- its bytes --- */

int
posix_size(struct dest_file *file, uint64_t *ret_size, struct err *err)
{
	struct stat st;

	if (fstat(posix_file_of(file)->fd, &st) == -1)
		return dest_errno(err, "look up");
	*ret_size = (uint64_t)st.st_size;
	return 0;
}

/* Make a new file: another process may still write to the old file, for a host
 * that was cut off may have lost the lock. */
static int
renew(struct posix_file *f, struct err *err)
{
	uint64_t size;

	if (clear_name(f, err) == -1)
		return -1;
	close_fd(&f->fd);
	if (posix_part_shared(&f->file, err) == -1)
		return -1;
	if (posix_part_check(f, &size, err) == 0 && size == 0)
		return 0;
	/* Not ours to remove. */
	close_fd(&f->fd);
	return err_set(err, ERR_RETRY, 0, "another process writes this file");
}

int
posix_clear(struct dest_file *file, uint64_t size, struct err *err)
{
	struct posix_file *f = posix_file_of(file);
	uint64_t was;

	if (posix_size(file, &was, err) == -1 ||
	    (was > 0 && renew(f, err) == -1))
		return -1;
	if (ftruncate(f->fd, (off_t)size) == -1)
		return dest_errno(err, "make room");
	return 0;
}

int
posix_pwrite(struct dest_file *file, uint64_t offset, const void *p,
    size_t len, struct err *err)
{
	int fd = posix_file_of(file)->fd;
	const char *from = p;

	while (len > 0) {
		ssize_t n = pwrite(fd, from, len, (off_t)offset);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENOSPC;
		if (n <= 0)
			return dest_errno(err, "write");
		from += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* Another process may have committed the file meanwhile, and cut the file to
 * size: write no byte behind the end then. A byte already on the way may still
 * land behind the end; the next run would find such a file by size. */
int
posix_note(struct dest_file *file, uint64_t offset, const void *p,
    size_t len, struct err *err)
{
	uint64_t size;

	if (posix_part_check(posix_file_of(file), &size, err) == -1)
		return -1;
	if (size != dest_part_end(file))
		return dest_taken(err);
	return posix_pwrite(file, offset, p, len, err);
}

ssize_t
posix_pread(struct dest_file *file, uint64_t offset, void *p, size_t len,
    struct err *err)
{
	int fd = posix_file_of(file)->fd;
	char *to = p;
	size_t got = 0;

	while (got < len) {
		ssize_t n = pread(fd, to + got, len - got,
		    (off_t)(offset + got));

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return dest_errno(err, "read");
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}
