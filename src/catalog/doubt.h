/*
 * doubt.h: versions of files not known to be held by the target: a run was
 * killed, or an answer lost, between a request and its result. For an existing
 * file the next PUT asks S3 when coming to the file. No PUT comes to a vanished
 * file, nor to a file whose object DEL was to delete: a HEAD request asks for
 * the key (run/doubts.h), and the answer is recorded here. Until then the
 * catalog neither counts on the object nor calls the object deleted.
 */
#ifndef CATALOG_DOUBT_H
#define CATALOG_DOUBT_H

#include "catalog/catalog.h"
#include "verify/held.h"

struct doubt {
	int64_t	 object;
	char	*path;		/* catalog path; owned */
};
void	 doubt_release(struct doubt *);

/* List the next n doubts at most, of files gone or about to be deleted, with
 * object ids larger than after; *ret_count less than n means the end of the
 * list. If the run has crawled, vanished directories become tombstones first.
 * Waits. */
enum doubt_kind {
	DOUBT_ANY = 0,
	DOUBT_NOTED,	/* what an earlier run was about to delete or to bring
			   back, whatever became of the files */
	DOUBT_ALL	/* whatever became of the files */
};
int	 catalog_doubts(struct catalog *, enum doubt_kind, int64_t after,
	    struct doubt *v, size_t n, size_t *ret_count, struct err *)
	    MUST_USE;

/* What HEAD said of its key. Where S3 does not say, the version stays in doubt;
 * with DOUBT_ANY the run has a failure. */
struct found {
	const struct doubt *doubt;
	struct held_answer answer;
	char	*version_id;	/* the store's, of the object or of the delete
				   marker in its place; or NULL; owned by the
				   caller */
};
/* Record the answers. An existing object is held from now on, as the version
 * that verify/held.h finds it to be; an object not put by this catalog is
 * foreign, and counted in *ret_foreign. Waits until the rows are on disk. */
int	 catalog_put_found(struct catalog *, enum doubt_kind,
	    const struct found *v, size_t n, size_t *ret_foreign,
	    struct err *) MUST_USE;

/* Call before undo sends the requests that bring these versions back: after a
 * kill a later run asks what became of them. A version without an outcome, or
 * with FAILED and lost, stays in doubt. Waits until the rows are on disk. */
int	 catalog_note_restoring(struct catalog *, const int64_t *v, size_t n,
	    struct err *) MUST_USE;

#endif
