/*
 * lister_internal.h: declarations shared by the files of the lister. The ranges
 * of a lister stand in key order; each begins behind the end of the range
 * before.
 */
#ifndef LISTER_LISTER_INTERNAL_H
#define LISTER_LISTER_INTERNAL_H

#include "lister/lister.h"

#define S3_PROBE_AT	8	/* pages after which a range is long */

/* A waiting page: the keys' bytes follow the entries. */
struct s3_page {
	struct s3_page *next;
	size_t	 count;
	struct s3_listed keys[];
};

struct s3_range {
	struct s3_range *next;
	struct s3_lister *lister;
	struct str seen;	/* the last key received, or the start */
	bool	 bounded;
	struct str last;	/* last key of the range, if bounded */
	struct str token;	/* of the next page, or empty */
	struct s3_page *first;	/* that wait */
	struct s3_page *tail;
	unsigned pages;		/* that came */
	struct str mark;	/* first key of page number marked, or empty */
	unsigned marked;
	unsigned probe_at;	/* look for directories after so many */
	bool	 asking;
	bool	 ended;
};

struct s3_merge;

struct s3_lister {
	struct s3 *s3;
	size_t	 cluster;
	struct s3_merge *merge;	/* of several clusters, or NULL */
	struct str prefix;
	unsigned parallel;
	bool	 ordered;
	s3_lister_page_fn *page;
	s3_lister_done_fn *done;
	void	*arg;
	struct str *cuts;	/* sorted */
	size_t	 cut_count;
	size_t	 cut_next;	/* the end of the next range to be made */
	bool	 made_all;
	struct s3_range *first;
	struct s3_range *tail;
	size_t	 range_count;
	size_t	 kept;		/* pages waiting in the ranges */
	unsigned asking;	/* requests that have yet to call back */
	bool	 paused;
	bool	 unsorted;	/* the server's order isn't that of bytes */
	bool	 cut;		/* the listing has or had more than one range */
	bool	 busy;		/* in a callback of the caller's */
	bool	 over;		/* done was called */
	bool	 dead;		/* freed */
	struct {
		bool	 asking;
		struct str level;	/* whose directories are looked for */
		struct str after;
		size_t	 group;		/* directories for a range */
		size_t	 below;		/* directories in the probed page */
	} probe;
	struct s3_lister_stats stats;
};

/* A lister of one cluster. */
void	 s3_lister_new_in(struct s3_lister **, struct s3 *, size_t cluster,
	    const struct s3_lister_plan *, s3_lister_page_fn *,
	    s3_lister_done_fn *, void *arg);
/* Requests in flight and running callbacks still point to a freed lister: the
 * last request or callback releases the memory. */
void	 s3_lister_release_if_dead(struct s3_lister *);
/* Return a new page with a copy of the keys. */
struct s3_page *s3_page_new(const struct s3_listed *, size_t count);
int	 s3_key_compare(struct str, struct str);
/* Replace an own string by a copy. */
void	 s3_own(struct str *, struct str);
struct s3_range *s3_range_new(struct s3_lister *, struct str after);
/* Ask for pages while requests and kept pages leave room. */
void	 s3_lister_ask(struct s3_lister *);
/* A request has called back. Return false if the lister is over or freed. */
bool	 s3_lister_answered(struct s3_lister *);

/* cut.c: handle a new page of a long range: look for directories to cut the
 * range at. */
void	 s3_lister_probe(struct s3_range *, const struct s3_listed *,
	    size_t count);

/* merge.c: the listers of the clusters, for a merged listing. */
void	 s3_merge_new(struct s3_lister *, const struct s3_lister_plan *);
void	 s3_merge_free(struct s3_merge *);
void	 s3_merge_resume(struct s3_merge *);
void	 s3_merge_stats(const struct s3_merge *, struct s3_lister_stats *);

#endif
