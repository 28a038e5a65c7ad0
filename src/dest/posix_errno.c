/* What an error of the system means for a destination. */
#include <errno.h>

#include "dest/posix_internal.h"

static enum err_kind
errno_kind(int code)
{
	switch (code) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
	case ENOMEM:
	case EMFILE:
	case ENFILE:
		return ERR_RESOURCE;
	case EACCES:
	case EPERM:
	case EROFS:
		return ERR_DENIED;
	case ENAMETOOLONG:
	case EISDIR:
	case ENOTDIR:
	case ELOOP:
	case EXDEV:
	case EINVAL:	/* the file system refuses a name or a time */
	case EILSEQ:
	case EOVERFLOW:
		return ERR_INVALID;
	default:
		return ERR_RETRY;
	}
}

int
dest_errno(struct err *err, const char *what)
{
	int code = errno;

	return err_errno(err, errno_kind(code), code, "%s", what);
}
