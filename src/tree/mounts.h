/*
 * mounts.h: identify the file system of an open file in a mounted tree by a
 * number that survives a reboot or a new mount of the same source. st_dev does
 * not: NFS, FUSE, overlay and btrfs get a new st_dev at each mount.
 *
 * The number is a hash of the mount's type and source, of the mounted part of
 * the file system (a bind mount, a subvolume), of the mount point below the
 * tree's root, and of the id from statfs, unless that id is the device number.
 * Two mounts of a tree never have the same number.
 *
 * Life cycle: mounts_init, mounts_of, mounts_release. Answers are kept by mount
 * and device until the table of mounts changes.
 *
 * Thread: one.
 */
#ifndef TREE_MOUNTS_H
#define TREE_MOUNTS_H

#include <sys/stat.h>

#include "base/buf.h"

struct mount_known {
	uint64_t mount;		/* mount id; 0: the kernel gives none */
	dev_t	 dev;
	uint64_t fsid;
};

struct mounts {
	int	 table_fd;	/* /proc/self/mountinfo, or -1 */
	struct buf table;	/* text of the table; empty: read again */
	char	*root;		/* path of the tree's root */
	struct mount_known *known;
	size_t	 count;
};

/* root: the open directory; mount points are taken relative to root. */
void	 mounts_init(struct mounts *, int root);
void	 mounts_release(struct mounts *);
/* Forget the kept answers if the table of mounts has changed. */
void	 mounts_refresh(struct mounts *);
/* The file system of the open file (O_PATH will do), whose st_dev is dev. */
uint64_t mounts_of(struct mounts *, int fd, dev_t dev);
/* Return the file system of the entry name in the open directory dir, whose
 * file system is dir_fsid. Mount an automount point that is not mounted yet. */
uint64_t mounts_of_entry(struct mounts *, int dir, const char *name,
	    uint64_t dir_fsid);

#endif
