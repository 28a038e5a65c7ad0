/*
 * judge.h: what becomes of one entry: the diff of a directory. Pure.
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

/* A snapshot directory: a server shows it in a directory that is empty. */
bool	 judge_skips(const struct crawl_config *, struct str name,
	    const struct attrs *);

/* Why the entry is left out, or NULL: then one of unknown kind is failed, as
 * nobody knows what is not moved with it. rel is the path below the export's
 * root. The text lasts as long as config and entry, or sits in buf. */
const char *judge_excluded(const struct crawl_config *, struct str rel,
	    struct str name, const struct attrs *, char buf[120]);

/* The same of a file that is no longer there, with all directories on the way
 * to it: a name that is left out stays left out when it is gone. */
bool	 judge_leaves_out(const struct crawl_config *, struct str rel,
	    const struct attrs *);

/* known is NULL if the catalog has no such path. why is judge_excluded's. A
 * key that S3 can't hold, or a size that no file has, is FAILED, with err. */
enum judgement judge(const struct crawl_config *, const struct attrs *,
	    const struct known *, struct str key, const char *why,
	    struct err *);

#endif
