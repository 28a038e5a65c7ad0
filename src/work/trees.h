/*
 * trees.h: the trees that one worker reads, one for each export, opened when
 * first needed; and its wait for them and for S3 together.
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
	struct pollfd *fds;	/* room for all */
	size_t	*first;		/* where those of each export begin; then
				   their end */
};

/* The specs must live as long. stop ends an opening, see tree_spec. */
void	 trees_init(struct trees *, const struct tree_spec *, size_t count,
	    const _Atomic bool *stop);
/* Calls that are out get ERR_STOPPED. */
void	 trees_release(struct trees *);

/* Waits while it is opened. */
struct tree *trees_get(struct trees *, unsigned export, struct err *);
/* One wait for everything: trees, S3, and the descriptor fd (-1: none). Runs
 * the callbacks of S3; trees_service those of the trees. */
void	 trees_wait(struct trees *, struct s3 *, int fd, int timeout_ms);
void	 trees_service(struct trees *);

#endif
