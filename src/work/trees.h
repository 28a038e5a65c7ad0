/*
 * trees.h: the trees read by a worker, one for each export, opened when first
 * needed; and the worker's wait for trees and S3 together.
 *
 * Thread: one.
 */
#ifndef WORK_TREES_H
#define WORK_TREES_H

#include "s3/s3.h"
#include "tree/tree.h"

struct trees {
	const struct tree_spec *specs;
	size_t	 count;
	const _Atomic bool *stop;
	struct tree **v;	/* by export; NULL: not open */
	struct pollfd *fds;	/* room for every tree, and for fd */
	size_t	*first;		/* index in fds of each export's first
				   descriptor; then the end */
};

/* The specs must live until trees_release. stop ends an opening, see
 * tree_spec. */
void	 trees_init(struct trees *, const struct tree_spec *, size_t count,
	    const _Atomic bool *stop);
/* Outstanding calls get ERR_STOPPED. */
void	 trees_release(struct trees *);

/* Wait until the tree is open. */
struct tree *trees_get(struct trees *, unsigned export, struct err *);
/* Wait for trees, S3, and the descriptor fd (-1: none) together. Runs the
 * callbacks of S3; trees_service runs those of the trees. */
void	 trees_wait(struct trees *, struct s3 *, int fd, int timeout_ms);
void	 trees_service(struct trees *);

#endif
