#include "tree/posix_stat.h"

#include <errno.h>
#include <fcntl.h>

enum err_kind
posix_errno_kind(int code)
{
	switch (code) {
	case ENOENT:
	case ENOTDIR:
	case EISDIR:
	case ELOOP:
	case EXDEV:	/* below_open: out of the tree */
	case ENXIO:	/* a socket or a FIFO where a file was */
		return ERR_GONE;
	case EACCES:
	case EPERM:
		return ERR_DENIED;
	case ENAMETOOLONG:
	case EINVAL:
	case EOVERFLOW:
	case EFBIG:
		return ERR_INVALID;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOSPC:
		return ERR_RESOURCE;
	default:
		return ERR_RETRY;
	}
}

int
posix_errno(struct err *err, const char *what)
{
	int code = errno;

	return err_errno(err, posix_errno_kind(code), code, "%s", what);
}

void
posix_attrs(struct attrs *a, const struct stat *st, uint64_t fsid)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		a->kind = ENTRY_FILE;
		break;
	case S_IFDIR:
		a->kind = ENTRY_DIR;
		break;
	case S_IFLNK:
		a->kind = ENTRY_LINK;
		break;
	case S_IFIFO:
		a->kind = ENTRY_FIFO;
		break;
	case S_IFSOCK:
		a->kind = ENTRY_SOCKET;
		break;
	case S_IFCHR:
		a->kind = ENTRY_CHAR;
		break;
	case S_IFBLK:
		a->kind = ENTRY_BLOCK;
		break;
	default:
		a->kind = ENTRY_UNKNOWN;
	}
	a->mode = st->st_mode & 07777;
	a->uid = st->st_uid;
	a->gid = st->st_gid;
	a->size = (uint64_t)st->st_size;
	a->mtime_ns = attrs_time_ns(st->st_mtim.tv_sec,
	    (uint32_t)st->st_mtim.tv_nsec);
	a->ctime_ns = attrs_time_ns(st->st_ctim.tv_sec,
	    (uint32_t)st->st_ctim.tv_nsec);
	a->atime_ns = attrs_time_ns(st->st_atim.tv_sec,
	    (uint32_t)st->st_atim.tv_nsec);
	a->ino = st->st_ino;
	a->fsid = fsid;
}

int
posix_stat(int dir, const char *name, struct stat *st, bool *ret_mount)
{
	struct statx x;

	if (statx(dir, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
	    STATX_BASIC_STATS, &x) == -1) {
		*ret_mount = false;
		return errno == ENOSYS ? fstatat(dir, name, st,
		    AT_SYMLINK_NOFOLLOW) : -1;
	}
	*ret_mount = (x.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
	*st = (struct stat){
		.st_mode = x.stx_mode,
		.st_uid = x.stx_uid,
		.st_gid = x.stx_gid,
		.st_size = (off_t)x.stx_size,
		.st_ino = x.stx_ino,
		.st_mtim = { x.stx_mtime.tv_sec, x.stx_mtime.tv_nsec },
		.st_ctim = { x.stx_ctime.tv_sec, x.stx_ctime.tv_nsec },
		.st_atim = { x.stx_atime.tv_sec, x.stx_atime.tv_nsec },
	};
	return 0;
}
