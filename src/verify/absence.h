/*
 * absence.h: what counts as proof that a file is gone from the source. Pure.
 *
 * A file is gone if two conditions hold. First, the source says of the file's
 * path, or of a directory on the way to the file, "no such entry", or reports
 * an entry of a different kind; for a symlink in place of a directory on the
 * way, the source's answer about the target counts. Second, the parent
 * directory of the missing entry answers itself, before and after, and lies in
 * the file system in which the file was seen. Any other answer (denied, stale,
 * time-out, no attributes) proves nothing.
 */
#ifndef VERIFY_ABSENCE_H
#define VERIFY_ABSENCE_H

#include "base/err.h"
#include "model/attrs.h"

enum absence {
	ABSENCE_UNKNOWN = 0,	/* no conclusion is allowed */
	ABSENCE_GONE,
	ABSENCE_PRESENT		/* the file exists, or a symlink hides the
				   file */
};

/* The source's answer about a path, with symlinks treated as by the crawl. */
struct absence_answer {
	struct err err;		/* ERR_NONE: the entry exists */
	struct attrs attrs;	/* of an existing entry */
	bool	 dangling;	/* a followed symlink: the source says "no such
				   entry" of the target */
};

struct absence_case {
	/* The nearest existing directory above the file, with its answers
	 * before and after the question about the entry. */
	const struct absence_answer *before;
	const struct absence_answer *after;
	/* The next component below the directory on the way to the file. */
	const struct absence_answer *entry;
	bool	 is_file;	/* entry is the file itself */
	bool	 noted;		/* the directory's file system ... */
	uint64_t fsid;		/* ... when the file was seen */
	bool	 ignore_inode;	/* inodes of this source mean nothing */
};

/* True if the source can be asked for entries of the path: the path exists and
 * is a directory. */
bool	 absence_stands(const struct absence_answer *);
/* For UNKNOWN, why gets the reason. */
enum absence absence_judge(const struct absence_case *, struct err *why);

#endif
