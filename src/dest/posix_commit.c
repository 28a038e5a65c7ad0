#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "dest/posix_internal.h"

#define NS_A_SEC ((int64_t)1000000000)

static int
set_owner(int fd, const struct dest_meta *m, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return dest_errno(err, "look up");
	if (st.st_uid == m->uid && st.st_gid == m->gid)
		return 0;
	if (fchown(fd, m->uid, m->gid) == -1)
		return dest_errno(err, "set the owner");
	return 0;
}

static int
set_mode(int fd, mode_t mode, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return dest_errno(err, "look up");
	if ((st.st_mode & 07777) != mode && fchmod(fd, mode) == -1)
		return dest_errno(err, "set the mode");
	return 0;
}

/* Set the owner first: a change of the owner clears the set-id bits. Without
 * the owner, set-id bits would apply to another user. */
static int
set_owner_mode(int fd, const struct dest_meta *m, bool as_root,
    struct err *err)
{
	bool owner = as_root && m->has_owner;

	if (owner && set_owner(fd, m, err) == -1)
		return -1;
	if (!m->has_mode)
		return 0;
	return set_mode(fd, m->mode & (owner ? 07777 : 0777), err);
}

/* A file system that can't hold the mtime stores the nearest possible date. */
static bool
was_refused(int fd, const struct timespec *mtime)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_mtim.tv_sec != mtime->tv_sec;
}

static int
set_mtime(struct dest_file *file, int fd, int64_t mtime_ns, struct err *err)
{
	struct timespec times[2] = {
		{ .tv_nsec = UTIME_OMIT },
		{ .tv_sec = mtime_ns / NS_A_SEC,
		    .tv_nsec = mtime_ns % NS_A_SEC },
	};
	struct stat st;

	/* Before 1970 the division rounds the wrong way. */
	if (times[1].tv_nsec < 0) {
		times[1].tv_sec--;
		times[1].tv_nsec += NS_A_SEC;
	}
	if (fstat(fd, &st) == -1)
		return dest_errno(err, "look up");
	if (st.st_mtim.tv_sec == times[1].tv_sec &&
	    st.st_mtim.tv_nsec == times[1].tv_nsec)
		return 0;
	if (futimens(fd, times) == -1)
		return dest_errno(err, "set the mtime");
	if (!dest_mtime_is_odd(mtime_ns) || !was_refused(fd, &times[1]))
		return 0;
	file->mtime_refused = true;
	times[1] = st.st_mtim;
	if (futimens(fd, times) == -1)
		return dest_errno(err, "set the mtime");
	return 0;
}

int
posix_restore(struct dest_file *file, const struct dest_meta *m,
    bool as_root, struct err *err)
{
	int fd = posix_file_of(file)->fd;

	if (set_owner_mode(fd, m, as_root, err) == -1)
		return -1;
	file->mtime_refused = false;
	return m->has_mtime ? set_mtime(file, fd, m->mtime_ns, err) : 0;
}

static int
sync_file(int fd, struct err *err)
{
	return fsync(fd) == -1 ? dest_errno(err, "sync") : 0;
}

/* Some mounts report only at close that the server lost the written bytes or
 * has no room for them. Where write already reports all errors, this extra
 * close costs nothing. */
static int
flush(int fd, struct err *err)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy == -1)
		return dest_errno(err, "flush");
	if (close(copy) == -1 && errno != EINTR)
		return dest_errno(err, "write");
	return 0;
}

int
posix_flush(struct dest_file *file, struct err *err)
{
	return sync_file(posix_file_of(file)->fd, err);
}

static int
sync_dir(int dir, struct err *err)
{
	CLEANUP(close_fd) int fd = openat(dir, ".",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* A directory with write but no read permission can't be synced. */
	if (fd == -1 && errno == EACCES)
		return 0;
	if (fd == -1)
		return dest_errno(err, "open directory");
	/* EINVAL: the file system can't sync directories. */
	if (fsync(fd) == -1 && errno != EINVAL)
		return dest_errno(err, "sync directory");
	return 0;
}

/* Does the temporary name still name our file? A file without a record is not
 * shared, so spare a mounted server three extra requests. */
static int
check_part(struct posix_file *f, struct err *err)
{
	uint64_t size;
	struct stat st;

	if (f->file.recorded)
		return posix_part_check(f, &size, err);
	if (fstat(f->fd, &st) == -1)
		return dest_errno(err, "look up");
	return posix_part_is(f->dir, f->file.temp, &st) ? 0 : dest_taken(err);
}

static int
put_in_place(struct posix_file *f, struct err *err)
{
	if (check_part(f, err) == -1)
		return -1;
	if (renameat(f->dir, f->file.temp, f->dir, f->file.name) == 0) {
		f->file.in_place = true;
		return 0;
	}
	if (errno == EISDIR || errno == ENOTEMPTY || errno == EEXIST)
		return dest_in_the_way(err);
	return dest_errno(err, "rename");
}

static int
finish(struct posix_file *f, const struct dest_meta *m, bool as_root,
    bool sync, struct err *err)
{
	/* Do the slow and failing steps first, while the record still
	 * exists. */
	if (flush(f->fd, err) == -1 || (sync && f->file.recorded &&
	    sync_file(f->fd, err) == -1))
		return -1;
	if (set_owner_mode(f->fd, m, as_root, err) == -1)
		return -1;
	if (!m->has_mode && set_mode(f->fd, f->file.dest->file_mode, err) == -1)
		return -1;
	if (ftruncate(f->fd, (off_t)f->file.size) == -1)
		return dest_errno(err, "cut to size");
	if (m->has_mtime && set_mtime(&f->file, f->fd, m->mtime_ns, err) ==
	    -1)
		return -1;
	if (sync && sync_file(f->fd, err) == -1)
		return -1;
	return put_in_place(f, err);
}

int
posix_commit(struct dest_file *file, const struct dest_meta *m, bool as_root,
    bool sync, struct err *err)
{
	struct posix_file *f = posix_file_of(file);

	if (!file->in_place && finish(f, m, as_root, sync, err) == -1)
		return -1;
	return sync ? sync_dir(f->dir, err) : 0;
}

void
posix_close(struct dest_file *file, bool remove)
{
	struct posix_file *f = posix_file_of(file);
	struct stat st;

	if (remove && f->fd != -1 && fstat(f->fd, &st) == 0 &&
	    posix_part_is(f->dir, file->temp, &st))
		unlinkat(f->dir, file->temp, 0);
	close_fd(&f->fd);
	close_fd(&f->dir);
	free(file->name);
	free(f);
}
