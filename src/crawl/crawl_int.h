/*
 * crawl_int.h: inside the crawl room: one thread and the directories that it
 * reads at the same time.
 */
#ifndef CRAWL_CRAWL_INT_H
#define CRAWL_CRAWL_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/backoff.h"
#include "crawl/crawl.h"
#include "crawl/judge.h"

/* The tree of an export, as one thread has it. */
struct mount {
	struct tree *tree;	/* or NULL */
	struct err err;		/* why there is none ... */
	uint64_t again_ms;	/* ... and when to try again */
	unsigned tries;
};

struct crawler {
	struct crawl *c;
	pthread_t thread;
	struct mailbox *in;	/* directories from the catalog */
	struct catalog_reader *reader;
	struct mount *mounts;	/* by export */
	struct pollfd *fds;
	size_t	*fds_first;
	struct reading *active;
	size_t	 active_count;
	bool	 asked;		/* for directories; the answer is to come */
	bool	 end;		/* the catalog has no more */
	struct rng rng;
	int	 list_fd;	/* --files-from, or -1 */
	bool	 list_wanted;	/* there is room for more of it */
	bool	 list_ready;	/* it can be read without waiting */
};

struct crawl {
	struct crawl_config c;
	struct crawler *v;
	unsigned count;
	_Atomic bool stopping;
	/* A warning of this kind was given: the first file speaks for all. */
	_Atomic bool told_owner;
	_Atomic bool told_mtime;
};

/* A directory being read, or (list) the names of a file being looked up. */
struct reading {
	struct crawler *w;
	struct reading *next;
	struct dir_job job;
	struct buf raw;		/* name bytes below the export's root */
	struct buf path;	/* catalog path of the entry at hand */
	size_t	 raw_len;	/* of the directory alone */
	size_t	 path_len;
	struct idset seen;	/* objects of the catalog that are there */
	struct dir_page *page;
	uint64_t count;		/* entries that this listing brought */
	uint64_t most;		/* the largest of those so far */
	uint64_t fault_ms;	/* since when it comes no further */
	unsigned tries;
	uint64_t resume_at_ms;
	bool	 has_entries;	/* that are no snapshot directories */
	bool	 listing;	/* callbacks will come */
	unsigned links;		/* symlinks being looked up */
	bool	 ended;		/* the listing ended ... */
	struct err err;		/* ... so */
};

/* crawler.c */
/* Mounts it, if it must. An export that could be reached when the run began
 * and can't now is ERR_RETRY. */
struct tree *crawler_tree(struct crawler *, unsigned export, struct err *);
/* Wait for descriptors and serve the trees once. */
void	 crawler_turn(struct crawler *, int timeout_ms);

/* reading.c */
struct reading *reading_new(struct crawler *, struct dir_job *);
void	 reading_free(struct reading **);
void	 reading_start(struct reading *);
/* Judge one entry and put it on the page. fh lent. */
void	 reading_entry(struct reading *, struct str name,
	    const struct tree_entry *);
/* The same for one that is left out, with the reason. */
void	 reading_excluded(struct reading *, struct str name,
	    const struct tree_entry *, const char *why);
/* (list) A name that can't be looked at as one of an object: it has failed,
 * and leaves no row but that. path NULL: that of the entry at hand. */
void	 reading_refused(struct reading *, const char *path,
	    const struct err *);
void	 reading_flush(struct reading *, bool last);
/* True when it is done and reported. */
bool	 reading_settle(struct reading *);

/* links.c: --links follow */
void	 link_follow(struct reading *, struct str name);

/* list.c: --files-from */
void	*list_main(void *);

#endif
