/*
 * asker.h: asks the source whether files are gone, by their paths, now:
 * what has to be known before an object is deleted because of it, or before
 * somebody else's "gone" is believed. What the answers mean is decided by
 * verify/absence.h.
 *
 * A batch of files is asked for over connections of the asker's own, many at
 * a time. Each directory on the way is looked up from the root of its export,
 * once a batch: for all below one that is gone, one question is enough. An
 * answer holds for the moment in which it was given: ask just before it is
 * used, and keep none.
 *
 * Life cycle: asker_new, absence_ask for each batch, asker_free. Thread: one.
 */
#ifndef ABSENCE_ASKER_H
#define ABSENCE_ASKER_H

#include "tree/tree.h"
#include "verify/absence.h"

struct asker;

struct asker_config {
	const struct tree_spec *exports;	/* copied */
	const char *const *roots;	/* catalog path of each; must live */
	/* The root of each, as it was when the run began (kind UNKNOWN: not
	 * looked at): another one in its place proves nothing. Or NULL. */
	const struct attrs *seen;
	size_t	 export_count;
	bool	 ignore_inode;
	uint64_t retry_for_ms;	/* how long passing faults are put up with */
	/* Called several times a second while the asker waits; false: it is
	 * to stop. Or NULL. */
	bool	 (*turn)(void *arg);
	void	*arg;
};

struct absence_question {
	const char *path;	/* catalog path of a file */
	bool	 noted;		/* the file system of its directory ... */
	uint64_t fsid;		/* ... when the file was seen */
	bool	 any_fs;	/* whatever it was: a GONE says what is to be
				   seen now, and allows no deletion */
	/* The answer: */
	enum absence verdict;
	struct attrs attrs;	/* PRESENT: of what is there */
	struct err why;		/* UNKNOWN: the reason */
	bool	 everywhere;	/* ... which concerns the whole export */
	unsigned export;	/* if it lies in one */
};

struct asker *asker_new(const struct asker_config *);
void	 asker_free(struct asker **);
/* Answers all. -1 (ERR_STOPPED): turn said so, the answers are of no use. */
int	 absence_ask(struct asker *, struct absence_question *, size_t n,
	    struct err *) MUST_USE;
/* The export that a catalog path lies in, and the rest of the path; false:
 * none. */
bool	 absence_export_of(const char *const *roots, size_t count,
	    const char *path, unsigned *ret_export, const char **ret_rest);

#endif
