/*
 * tree_impl.h: what tree.c needs of each kind of tree. A kind embeds struct
 * tree and struct tree_file as the first member of its own.
 */
#ifndef TREE_TREE_IMPL_H
#define TREE_TREE_IMPL_H

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
	struct handle root;
	struct attrs root_attrs;
	struct attrs listed;		/* see tree_listed */
	int64_t	 time_delta_ns;		/* see tree_time_delta */
	uint32_t read_max;
	bool	 follow;		/* see tree_spec.follow_links */
	bool	 brief;			/* see tree_spec */
};

struct tree_file {
	struct tree *tree;
	const struct tree_ops *ops;	/* a file may outlive its tree */
	uint32_t outstanding;	/* reads and stats that have not ended */
};

#define TREE_READ_MAX	((uint32_t)MIB)
#define TREE_NAME_MAX	255

int	 tree_posix_open(struct tree **, const struct tree_spec *, struct err *)
	    MUST_USE;
int	 tree_nfs_open(struct tree **, const struct tree_spec *, struct err *)
	    MUST_USE;

/* Copy a handle; only the bytes that it has. */
static inline void
handle_copy(struct handle *to, const struct handle *from)
{
	to->len = from->len;
	memcpy(to->data, from->data, from->len);
}

static inline bool
handle_same(const struct handle *a, const struct handle *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* A path that tree_list and its sisters take: relative, no empty, "." or
 * ".." component, no NUL. "" is the root. */
bool	 tree_path_valid(struct str);
/* A copy with a NUL behind it, whatever bytes it has; the caller frees it. */
char	*tree_path_copy(struct str) MUST_USE;
/* The part after the last slash. */
struct str tree_path_name(struct str);
/* True for "." and "..". */
bool	 tree_name_is_dot(struct str);
/* Why a name that a directory gave cannot be one, or NULL. */
const char *tree_name_fault(struct str);

#endif
