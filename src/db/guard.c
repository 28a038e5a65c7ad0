/*
 * The checks before a catalog is opened: its file system, its directory, its
 * header, and the lock against a second master.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "db/guard.h"
#include "db/holder.h"

/* The offset of a byte far beyond the end of any catalog, never locked by
 * SQLite. */
#define GUARD_BYTE ((off_t)1 << 62)
/* The bytes on which each connection has a shared lock, as long as it is open
 * (sqlite.org/lockingv3.html; WAL keeps the lock). */
#define SHARED_BYTES	((off_t)0x40000002)
#define SHARED_LEN	510

/* WAL needs shared memory, not available between hosts on these file systems.
 * FUSE is not in the list: the file system below FUSE is unknown. */
static const struct {
	unsigned long magic;
	const char *name;
} network[] = {
	{ NFS_SUPER_MAGIC, "NFS" },
	{ SMB_SUPER_MAGIC, "SMB" },
	{ CIFS_SUPER_MAGIC, "CIFS" },
	{ SMB2_SUPER_MAGIC, "SMB" },
	{ V9FS_MAGIC, "9p" },
	{ CEPH_SUPER_MAGIC, "Ceph" },
	{ AFS_SUPER_MAGIC, "AFS" },
	{ CODA_SUPER_MAGIC, "Coda" },
	{ NCP_SUPER_MAGIC, "NCP" },
	{ 0x0bd00bd0, "Lustre" },
	{ 0x47504653, "GPFS" },
	{ 0x01161970, "GFS2" },
	{ OCFS2_SUPER_MAGIC, "OCFS2" },
};

int
guard_place(const char *path, struct err *err)
{
	AUTOFREE char *dir = path_parent(path);
	struct statfs fs;

	if (statfs(dir, &fs) == -1) {
		if (errno == ENOENT || errno == ENOTDIR)
			return err_set(err, ERR_CONFIG, errno, "catalog %s: "
			    "directory %s does not exist", path, dir);
		return err_errno(err, ERR_DENIED, errno, "catalog %s", path);
	}
	for (size_t i = 0; i < ARRAY_LEN(network); i++)
		if ((unsigned long)fs.f_type == network[i].magic)
			return err_set(err, ERR_CONFIG, 0, "catalog %s is on "
			    "a network file system (%s): it must be on a "
			    "local one", path, network[i].name);
	return 0;
}

int
guard_fault(struct err *err, int code, const char *path)
{
	enum err_kind kind = ERR_CONFIG;

	if (code == EACCES || code == EPERM || code == EROFS)
		kind = ERR_DENIED;
	else if (code == ENOSPC || code == EDQUOT || code == EMFILE ||
	    code == ENFILE || code == EIO)
		kind = ERR_RESOURCE;
	return err_errno(err, kind, code, "catalog %s", path);
}

/* The pid that the holder wrote, or 0. */
static int64_t
read_pid(int fd)
{
	char text[GUARD_PID_SIZE] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return 0;
	return strtoll(text, NULL, 10);
}

/* The lock belongs to the open file and not to the process: the lock goes with
 * its holder, however the holder ends, and F_OFD_GETLK does not take the
 * lock. */
static struct flock
lock_of(off_t start, off_t len)
{
	return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET,
	    .l_start = start, .l_len = len };
}

char *
guard_lock_name(const char *path)
{
	AUTOFREE char *dir = path_parent(path);
	const char *slash = strrchr(path, '/');
	char *real = realpath(path, NULL);
	char *name;

	if (real != NULL) {
		name = xasprintf("%s.lock", real);
		free(real);
		return name;
	}
	/* It is made there now. */
	real = realpath(dir, NULL);
	name = xasprintf("%s/%s.lock", real == NULL ? dir : real,
	    slash == NULL ? path : slash + 1);
	free(real);
	return name;
}

int
guard_lock(const char *path, int *ret_fd, struct err *err)
{
	AUTOFREE char *name = guard_lock_name(path);
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	struct flock lock = lock_of(0, 0);
	char text[GUARD_HEAD_SIZE + 1];
	int n;

	if (fd == -1)
		return guard_fault(err, errno, name);
	if (fcntl(fd, F_OFD_SETLK, &lock) == -1) {
		err_set(err, ERR_DENIED, errno, "catalog %s is in use by "
		    "another datamover (process %lld)", path,
		    (long long)read_pid(fd));
		close_fd(&fd);
		return -1;
	}
	/* The blanks are wider than what was there. */
	n = snprintf(text, sizeof(text), "%-*lld\n%*s\n", GUARD_PID_SIZE - 1,
	    (long long)getpid(), GUARD_HEAD_SIZE - GUARD_PID_SIZE - 1, "");
	if (pwrite(fd, text, (size_t)n, 0) == -1) {
		guard_fault(err, errno, name);
		close_fd(&fd);
		return -1;
	}
	*ret_fd = fd;
	return 0;
}

/* The lock file is named after the catalog, and a catalog may have several
 * names (hard links): lock the catalog file as well. Closing any descriptor of
 * the catalog drops SQLite's locks of this process: so close this descriptor
 * after SQLite's. */
int
guard_own(const char *path, int *ret_fd, struct err *err)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct flock lock = lock_of(GUARD_BYTE, 1);

	if (fd == -1)
		return guard_fault(err, errno, path);
	if (fcntl(fd, F_OFD_SETLK, &lock) == -1) {
		err_set(err, ERR_DENIED, errno, "catalog %s is in use by "
		    "another datamover, under another name", path);
		close_fd(&fd);
		return -1;
	}
	*ret_fd = fd;
	return 0;
}

bool
guard_is_read(int fd)
{
	struct flock lock = lock_of(SHARED_BYTES, SHARED_LEN);

	return fcntl(fd, F_OFD_GETLK, &lock) == -1 || lock.l_type != F_UNLCK;
}

int
guard_empty(const char *path, struct err *err)
{
	return err_set(err, ERR_CONFIG, 0, "catalog %s is empty: what was in "
	    "it is lost; put a copy in its place with datamover catalog "
	    "restore, or remove the file to begin with a new catalog", path);
}

int
guard_not_empty(const char *path, const struct stat *st, struct err *err)
{
	if (!S_ISREG(st->st_mode))
		return err_set(err, ERR_CONFIG, 0,
		    "catalog %s is not a file", path);
	return st->st_size == 0 ? guard_empty(path, err) : 0;
}

bool
catalog_in_use(const char *path, int64_t *ret_pid)
{
	AUTOFREE char *name = guard_lock_name(path);
	CLEANUP(close_fd) int fd = open(name, O_RDONLY | O_CLOEXEC);
	struct flock lock = lock_of(0, 0);

	*ret_pid = 0;
	if (fd == -1 || fcntl(fd, F_OFD_GETLK, &lock) == -1 ||
	    lock.l_type == F_UNLCK)
		return false;
	*ret_pid = read_pid(fd);
	return true;
}
