/*
 * Find the process holding the catalog, for a caller who wants to end the
 * process.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/guard.h"
#include "db/holder.h"

#define UNSEEN		2	/* the lock has a holder invisible from here */
#define ENDING_TRIES	20
#define ENDING_MS	50

/* The pid in the lock file may be of another container with its own numbering:
 * the true holder has the lock file open. Return 1 if pid has the file open, 0
 * if not. */
static int
has_open(int64_t pid, const struct stat *lock, struct err *err)
{
	AUTOFREE char *name = xasprintf("/proc/%jd/fd", (intmax_t)pid);
	DIR *dir = opendir(name);
	const struct dirent *e;
	int found = 0;

	if (dir == NULL)
		return errno == ENOENT ? 0 : err_errno(err, ERR_DENIED, errno,
		    "process %jd", (intmax_t)pid);
	while (found == 0 && (e = readdir(dir)) != NULL) {
		struct stat st;

		found = fstatat(dirfd(dir), e->d_name, &st, 0) == 0 &&
		    st.st_dev == lock->st_dev && st.st_ino == lock->st_ino;
	}
	closedir(dir);
	return found;
}

/* Return 1 with *ret_pidfd, the holder; 0: the lock is free; UNSEEN; -1:
 * error. */
static int
find_holder(const char *path, int *ret_pidfd, int64_t *ret_pid,
    struct err *err)
{
	AUTOFREE char *name = guard_lock_name(path);
	struct stat catalog, lock;
	int64_t pid;
	int fd, rc;

	if (stat(path, &catalog) == -1 && errno == ENOENT)
		return err_set(err, ERR_CONFIG, errno, "catalog %s: there is "
		    "none yet; the first run makes it", path);
	if (stat(path, &catalog) == -1)
		return err_errno(err, errno == EACCES ? ERR_DENIED :
		    ERR_CONFIG, errno, "catalog %s", path);
	if (stat(name, &lock) == -1 && errno == ENOENT)
		return 0;
	if (access(name, R_OK) == -1)
		return err_errno(err, ERR_DENIED, errno, "catalog %s", name);
	if (!catalog_in_use(path, ret_pid))
		return 0;
	fd = *ret_pid > 0 ? pidfd_open((pid_t)*ret_pid, 0) : -1;
	/* Read the pid again: if unchanged, the pidfd is the lock's holder, and
	 * not a later process with the same number. */
	if (!catalog_in_use(path, &pid)) {
		close_fd(&fd);
		return 0;
	}
	rc = fd == -1 || pid != *ret_pid ? 0 : has_open(pid, &lock, err);
	if (rc == 1) {
		*ret_pidfd = fd;
		return 1;
	}
	close_fd(&fd);
	return rc == 0 ? UNSEEN : -1;
}

int
catalog_holder(const char *path, int *ret_pidfd, int64_t *ret_pid,
    struct err *err)
{
	int rc = find_holder(path, ret_pidfd, ret_pid, err);

	/* An ending process has closed its files already, and for a moment
	 * still has its locks. */
	for (int i = 0; rc == UNSEEN && i < ENDING_TRIES; i++) {
		poll(NULL, 0, ENDING_MS);
		rc = find_holder(path, ret_pidfd, ret_pid, err);
	}
	if (rc == UNSEEN)
		return err_set(err, ERR_DENIED, 0, "catalog %s is in use by "
		    "process %jd, which is not to be seen from here (of "
		    "another container?)", path, (intmax_t)*ret_pid);
	return rc;
}
