/*
 * walk.h: the path part of following symlinks below a root; pure.
 *
 * walk_next takes the next component of the remaining path. If a component is a
 * symlink, walk_splice replaces the component by the symlink's target. ".."
 * goes up; a path above the root, or a target that begins with '/', is outside.
 *
 * Life cycle: walk_init, walk_next until WALK_END or an error, walk_release.
 */
#ifndef TREE_WALK_H
#define TREE_WALK_H

#include "base/buf.h"
#include "base/err.h"

#define WALK_HOPS_MAX	40
#define WALK_PATH_MAX	65536

enum walk_step {
	WALK_END = 0,		/* nothing is left */
	WALK_NAME,		/* go into this component */
	WALK_UP,		/* go to the parent */
	WALK_OUTSIDE		/* ".." at the root */
};

struct walk {
	char	*rest;		/* owned */
	size_t	 len;
	size_t	 off;
	size_t	 depth;		/* below the root */
	unsigned hops;		/* symlinks so far */
};

void	 walk_init(struct walk *, struct str path);
void	 walk_release(struct walk *);
/* name points into the walk; name is valid until the next walk_splice. */
enum walk_step walk_next(struct walk *, struct str *ret_name);
/* Nothing but slashes and "." is left. */
bool	 walk_at_end(const struct walk *);
/* Replace the component that walk_next gave last by the symlink target. */
int	 walk_splice(struct walk *, struct str target, struct err *) MUST_USE;

#endif
