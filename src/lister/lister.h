/*
 * lister.h: lists every key with a prefix, several ranges of keys at once
 * over one struct s3.
 *
 * The ranges lie between cuts: keys that the caller knows (from a catalog,
 * say) and, where a range turns out to be long, between directories that the
 * lister looks for itself. Wrong or few cuts cost time, never a key:
 * each comes exactly once. In order, pages of ranges whose turn has not come
 * are kept: at most four for each request at once, so that memory stays flat.
 * So cuts 2,000 to 4,000 keys apart let such a listing run in parallel
 * all along; a few for a large bucket help only where order doesn't matter.
 *
 * A server that doesn't list in the order of bytes is listed in one range.
 *
 * Life cycle: s3_lister_new, turns of s3_wait, callbacks from there (never
 * from s3_lister_new), s3_lister_free at any time, in callbacks too, but
 * before or after s3_free as the caller likes. Thread: that of the struct s3.
 */
#ifndef LISTER_LISTER_H
#define LISTER_LISTER_H

#include "base/strlist.h"
#include "s3/s3.h"

struct s3_lister;

/* Up to 1,000 keys, in order, lent for the time of the call. */
typedef void s3_lister_page_fn(void *arg, const struct s3_listed *,
	    size_t count);
/* Called once at the end: err is NULL if the caller got every key. */
typedef void s3_lister_done_fn(void *arg, const struct err *);

struct s3_lister_plan {
	struct str prefix;		/* "": the whole bucket */
	struct strlist cuts;		/* in any order; copied */
	unsigned max_parallel;		/* requests at once; 0: 8 requests; 1:
					   single pages in sequence */
	bool	 ordered;		/* pages come in key order */
};

void	 s3_lister_new(struct s3_lister **, struct s3 *,
	    const struct s3_lister_plan *, s3_lister_page_fn *,
	    s3_lister_done_fn *, void *arg);
void	 s3_lister_free(struct s3_lister **);

/* Give no more pages until s3_lister_resume: the lister keeps pages from
 * requests under way. s3_lister_resume may give the kept pages before
 * returning. */
void	 s3_lister_pause(struct s3_lister *);
void	 s3_lister_resume(struct s3_lister *);

struct s3_lister_stats {
	uint64_t keys;
	uint64_t pages;			/* requests for keys */
	uint64_t probes;		/* requests for directories */
	uint64_t ranges;
	size_t	 kept_max;		/* most pages that waited at once */
};
void	 s3_lister_stats(const struct s3_lister *, struct s3_lister_stats *);

#endif
