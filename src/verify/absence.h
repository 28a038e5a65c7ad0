/*
 * absence.h: what counts as proof that a file is gone from the source. Pure.
 *
 * A file is gone if the source says of its path, or of a directory on the way
 * to it, that there is no such entry or that something else is in its place;
 * for a symlink that stands for a directory on the way, that is what it says
 * of the target;
 * and if the directory that this was said of answers itself, before and
 * after, and lies in the file system in which the file was seen. Any other
 * answer (denied, stale, time-out, no attributes) proves nothing.
 */
#ifndef VERIFY_ABSENCE_H
#define VERIFY_ABSENCE_H

#include "base/err.h"
#include "model/attrs.h"

enum absence {
	ABSENCE_UNKNOWN = 0,	/* nobody may conclude anything */
	ABSENCE_GONE,
	ABSENCE_PRESENT		/* it is there, or a symlink that hides it */
};

/* What the source said of one path, symlinks being what the crawl takes them
 * for. */
struct absence_answer {
	struct err err;		/* ERR_NONE: it is there */
	struct attrs attrs;	/* if so */
	bool	 dangling;	/* a followed symlink: "no such entry" is what
				   the source says of its target */
};

struct absence_case {
	/* The nearest directory above the file that is there, as it answered
	 * before and after the entry was asked for. */
	const struct absence_answer *before;
	const struct absence_answer *after;
	/* The next component below it on the way to the file. */
	const struct absence_answer *entry;
	bool	 is_file;	/* that is the file itself */
	bool	 noted;		/* the directory's file system ... */
	uint64_t fsid;		/* ... when the file was seen */
	bool	 ignore_inode;	/* inodes of this source mean nothing */
};

/* True if entries of it can be asked for: it is a directory, and there. */
bool	 absence_stands(const struct absence_answer *);
/* With UNKNOWN, why says why. */
enum absence absence_judge(const struct absence_case *, struct err *why);

#endif
