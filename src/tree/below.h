/*
 * below.h: open a path below a directory, never above the directory, and
 * through symlinks only on request. openat2 (Linux 5.6) opens a path in a
 * single call. Where openat2 is missing, or a container's filter hides openat2,
 * below.c opens the path component by component.
 */
#ifndef TREE_BELOW_H
#define TREE_BELOW_H

#include "base/base.h"

struct below {
	int	 root;		/* the directory */
	bool	 no_openat2;	/* seen to be missing */
};

/* Return a descriptor (close-on-exec), or -1 and errno: EXDEV for a path that
 * leaves the root; ELOOP for a last symlink that is not followed, or for too
 * many symlinks; ENOTDIR for a symlink in the middle that is not followed. path
 * is relative, "" is the root. Without follow, O_PATH in flags opens a last
 * symlink itself. */
int	 below_open(struct below *, const char *path, int flags, bool follow);

#endif
