/*
 * place.h: is a file in the file system in which the crawl saw the file's
 * directory? A file system that is mounted below an export may be unmounted
 * after the crawl: another entry of the same name, or none, may then show at
 * the file's path.
 *
 * The attributes of a file tell the file's own file system, at no cost. If it
 * is not the expected one, or if nothing is at the path, place_ask looks up the
 * directory by path: a single file may be a mount of its own, or may be the
 * target of a symlink.
 */
#ifndef TREE_PLACE_H
#define TREE_PLACE_H

#include "tree/tree.h"

/* err NULL: right tells whether the directory is in the expected file system.
 * Otherwise nobody knows; err says why. */
typedef void place_fn(void *arg, bool right, const struct err *err);

struct place {
	/* Filled in by the caller, and unchanged until the answer. */
	struct tree *tree;
	const char *raw;	/* path of the file below the export's root */
	bool	 follow_links;
	bool	 gone;		/* nothing is at the path: the nearest existing
				   directory above counts */
	uint64_t fsid;		/* expected; 0: that of the export's root */
	bool	 numbered;	/* file systems have the same numbers here as
				   where the crawl ran: the hosts of a team
				   number mounted file systems differently */
	place_fn *answer;
	void	*arg;
	/* Of place.c. */
	uint64_t dir_fsid;
	size_t	 at;		/* length of the path that is asked for */
};

/* Is this the expected file system, if the export's root is in file system
 * root? */
bool	 place_is_expected(const struct place *, uint64_t fsid, uint64_t root);
/* Look up the directory of the file; calls answer once, as tree_lookup does. */
void	 place_ask(struct place *);
/* The error of a file in the wrong place; returns -1. Kind and code
 * (UNREACHABLE, EXDEV) are those of no other error of a file that is read. */
int	 place_wrong(const struct place *, struct err *);

#endif
