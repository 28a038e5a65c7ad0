/*
 * posix_stat.h: what stat and errno of a local or mounted path mean here.
 */
#ifndef TREE_POSIX_STAT_H
#define TREE_POSIX_STAT_H

#include <sys/stat.h>

#include "base/err.h"
#include "model/attrs.h"

/* The kind of error that an errno is for a path that was read. */
enum err_kind posix_errno_kind(int code);
/* Set err from errno; returns -1. */
int	 posix_errno(struct err *err, const char *what);
/* fsid: of the file system; see mounts.h. */
void	 posix_attrs(struct attrs *, const struct stat *, uint64_t fsid);
/* Stat the entry of an open directory; a symlink is not followed. Return -1
 * with errno on error. ret_mount: the entry is the root of a mount. */
int	 posix_stat(int dir, const char *name, struct stat *, bool *ret_mount);

#endif
