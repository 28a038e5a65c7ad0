/*
 * tree_internal.h: the operations that tree.c needs of each kind of tree. A
 * kind embeds struct tree and struct tree_file as the first member of its own
 * structures.
 */
#ifndef TREE_TREE_INTERNAL_H
#define TREE_TREE_INTERNAL_H

#include "tree/tree.h"

struct tree_ops {
	void	 (*free)(struct tree *);
	bool	 (*answers)(const struct tree *);
	int	 (*fds)(struct tree *, struct pollfd *, int max);
	int	 (*timeout_ms)(const struct tree *);
	void	 (*service)(struct tree *, const struct pollfd *, int n);
	void	 (*list)(struct tree *, const struct handle *, struct str path,
		    tree_page_fn *, tree_end_fn *, void *arg);
	void	 (*lookup)(struct tree *, struct str path, bool follow,
		    tree_lookup_fn *, void *arg);
	void	 (*lookup_in)(struct tree *, const struct handle *dir,
		    struct str path, tree_lookup_fn *, void *arg);
	struct tree_file *(*file_open)(struct tree *, const struct handle *,
		    struct str path);
	void	 (*file_close)(struct tree_file *);
	void	 (*file_read)(struct tree_file *, uint64_t offset, uint32_t len,
		    void *buf, tree_read_fn *, void *arg);
	void	 (*file_stat)(struct tree_file *, tree_lookup_fn *, void *arg);
};

struct tree {
	const struct tree_ops *ops;
	const char *protocol;
	const struct tree_root *root;	/* the kind's; may change */
	struct attrs listed;		/* see tree_listed */
	bool	 follow;		/* see tree_spec.follow_links */
	bool	 brief;			/* see tree_spec */
};

struct tree_file {
	struct tree *tree;
	const struct tree_ops *ops;	/* a file may outlive the tree */
	uint32_t outstanding;	/* reads and stats not ended yet */
};

int	 tree_posix_open(struct tree **, const struct tree_spec *, struct err *)
	    MUST_USE;
int	 tree_nfs_open(struct tree **, const struct tree_spec *, struct err *)
	    MUST_USE;

#endif
