/*
 * mounts.h: which file system an open file of a mounted tree lies in, as a
 * number that is the same after a reboot or a new mount of the same thing.
 * st_dev isn't: NFS, FUSE, overlay and btrfs get a new one at each mount.
 *
 * The number is made of the type and the source of the mount, of what it
 * shows of its file system (a bind mount, a subvolume), of its place below
 * the tree's root, and of the id that statfs gives, where that is one of the
 * file system and not of its device. Two mounts of a tree never have the same
 * number.
 *
 * Life cycle: mounts_init, mounts_of, mounts_release. Answers are kept by
 * mount and device until the table of mounts changes.
 *
 * Thread: one.
 */
#ifndef TREE_MOUNTS_H
#define TREE_MOUNTS_H

#include <sys/stat.h>

#include "base/buf.h"

struct mount_known {
	uint64_t mount;		/* its id; 0: the kernel doesn't tell it */
	dev_t	 dev;
	uint64_t fsid;
};

struct mounts {
	int	 table_fd;	/* /proc/self/mountinfo, or -1 */
	struct buf table;	/* its text; empty: to be read */
	char	*root;		/* path of the tree's */
	struct mount_known *known;
	size_t	 count;
};

/* root: the open directory that paths are relative to. */
void	 mounts_init(struct mounts *, int root);
void	 mounts_release(struct mounts *);
/* Forget what is known if the table of mounts has changed since. */
void	 mounts_refresh(struct mounts *);
/* The file system of the open file (O_PATH will do), whose st_dev is dev. */
uint64_t mounts_of(struct mounts *, int fd, dev_t dev);
/* The same for a directory in the open directory dir, whose file system is
 * dir_fsid. An automount that isn't there yet is mounted. */
uint64_t mounts_of_entry(struct mounts *, int dir, const char *name,
	    uint64_t dir_fsid);

#endif
