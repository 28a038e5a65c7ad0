/*
 * below.h: open a path below a directory, never above it, and through
 * symlinks only when asked to. openat2 (Linux 5.6) does it in one call; where
 * it is missing, or a container's filter hides it, the path is opened
 * component by component.
 */
#ifndef TREE_BELOW_H
#define TREE_BELOW_H

#include "base/base.h"

struct below {
	int	 root;		/* the directory */
	bool	 no_openat2;	/* seen to be missing */
};

/* A descriptor (close-on-exec), or -1 and errno: EXDEV for a way out, ELOOP
 * for a last symlink that isn't followed or too many of them, ENOTDIR for one
 * on the way that isn't followed. path is relative,
 * "" is the root. Not following, flags with O_PATH open a last symlink
 * itself. */
int	 below_open(struct below *, const char *path, int flags, bool follow);

#endif
