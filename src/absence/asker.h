/*
 * asker.h: asks the source whether files are gone, by their paths, now: a
 * caller must ask before deleting an object because its file is gone, and
 * before believing the "gone" of a client. verify/absence.h decides on the
 * meaning of the answers.
 *
 * The asker asks for a batch of files over connections of its own, many files
 * at a time. Each directory on the way is looked up from the root of its
 * export, once a batch: for every file below a missing directory one question
 * is enough. An answer holds for the moment in which the source gave the
 * answer: ask just before using an answer, and keep none.
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
	/* The root of each export as seen when the run began (kind UNKNOWN: not
	 * seen): a different root in its place proves nothing. Or NULL. */
	const struct attrs *seen;
	size_t	 export_count;
	bool	 ignore_inode;
	bool	 looks_for_case; /* a name that is found, but stands in its
				    directory in other letters, is gone: this
				    costs a listing of each directory in which
				    a file is found */
	uint64_t retry_for_ms;	/* how long to put up with passing faults */
	/* Called several times a second while the asker waits; returns false to
	 * stop the asker. Or NULL. */
	bool	 (*turn)(void *arg);
	void	*arg;
};

struct absence_question {
	const char *path;	/* catalog path of a file */
	bool	 noted;		/* fsid is known */
	uint64_t fsid;		/* file system of the file's directory when
				   the file was seen */
	bool	 any_fs;	/* accept any file system: a GONE then describes
				   the present, and allows no deletion */
	/* The answer: */
	enum absence verdict;
	struct attrs attrs;	/* PRESENT: of the existing entry */
	struct err why;		/* UNKNOWN: the reason */
	bool	 everywhere;	/* the reason concerns the whole export */
	unsigned export;	/* of the path, if any */
};

struct asker *asker_new(const struct asker_config *);
void	 asker_free(struct asker **);
/* Answer each question. -1 (ERR_STOPPED): turn returned false, and the answers
 * are of no use. */
int	 absence_ask(struct asker *, struct absence_question *, size_t n,
	    struct err *) MUST_USE;
/* Find the export that a catalog path lies in, and the rest of the path; false
 * if no export holds the path. */
bool	 absence_export_of(const char *const *roots, size_t count,
	    const char *path, unsigned *ret_export, const char **ret_rest);

#endif
