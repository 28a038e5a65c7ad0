/*
 * judge.h: decide about an entry of a directory: new, changed, unchanged or
 * excluded. Pure.
 */
#ifndef CRAWL_JUDGE_H
#define CRAWL_JUDGE_H

#include "crawl/crawl.h"

enum judgement {
	JUDGED_UNCHANGED = 0,	/* known, the same, stored: no row */
	JUDGED_INCLUDED,	/* likewise, but another run excluded it */
	JUDGED_EXCLUDED_SAME,	/* excluded before, for the same reason */
	JUDGED_NEW,
	JUDGED_CHANGED,
	JUDGED_QUEUE,		/* known and the same, to be moved still */
	JUDGED_EXCLUDED,	/* row with the reason why */
	JUDGED_FAILED		/* row and failure */
};

/* True for a snapshot directory: servers show such directories even in an empty
 * directory. */
bool	 judge_skips(const struct crawl_config *, struct str name,
	    const struct attrs *);

/* Return the reason to leave the entry out, or NULL. Without a reason an entry
 * of unknown kind has failed, because nobody knows how many files are not moved
 * with the entry. rel is the path below the export's root. The text lasts as
 * long as config and entry, or sits in buf. */
const char *judge_excluded(const struct crawl_config *, struct str rel,
	    struct str name, const struct attrs *, char buf[120]);

/* Judge the path of a vanished file in the same way, with all directories on
 * the path: a name left out by the rules stays left out after the file is
 * gone. */
bool	 judge_leaves_out(const struct crawl_config *, struct str rel,
	    const struct attrs *);

/* known is NULL if the catalog does not have the path. why is the result of
 * judge_excluded. A key too long for S3, or an impossible size, is FAILED, with
 * err. */
enum judgement judge(const struct crawl_config *, const struct attrs *,
	    const struct known *, struct str key, const char *why,
	    struct err *);

#endif
