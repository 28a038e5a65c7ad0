/*
 * crawl_internal.h: inside the crawl room: a crawl thread and the directories
 * read by the thread at the same time.
 */
#ifndef CRAWL_CRAWL_INTERNAL_H
#define CRAWL_CRAWL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/backoff.h"
#include "crawl/crawl.h"
#include "crawl/judge.h"

/* The tree of an export, as mounted by a single thread. */
struct mount {
	struct tree *tree;	/* or NULL */
	struct err err;		/* why there is none ... */
	uint64_t again_ms;	/* ... and when to try again */
	unsigned tries;
	uint64_t fault_ms;	/* since when nothing came but faults; or 0 */
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
	atomic_uint at_work;	/* threads that have not ended */
	_Atomic bool stopping;
	/* A warning of this kind was given: warn of the first such file
	 * only. */
	_Atomic bool told_owner;
	_Atomic bool told_mtime;
	_Atomic bool told_future;
};

/* A look-up that waits for its next try: the first member of the look-up. */
struct waiting {
	struct waiting *next;
	uint64_t resume_at_ms;
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
	struct dir_times times;	/* what was met so far */
	int64_t	 limit_ns;	/* later times don't show a clock */
	uint64_t count;		/* entries that this listing brought */
	uint64_t most;		/* the largest of those so far */
	uint64_t fault_ms;	/* since when it comes no further */
	unsigned tries;
	uint64_t resume_at_ms;
	bool	 fs_seen;	/* its file system is fsid */
	bool	 fs_other;	/* ... and was another one: it isn't read */
	uint64_t fsid;
	bool	 followed;	/* of a list: a link leads to the entry ... */
	uint64_t dir_fsid;	/* ... and the file system of its directory */
	bool	 has_entries;	/* that are no snapshot directories */
	bool	 listing;	/* callbacks will come */
	unsigned looks;		/* entries being looked up, or the directory */
	struct waiting *waiting; /* of those, for their next try */
	bool	 left;		/* the export is lost: leave the directory to
				   the next run */
	bool	 ended;		/* the listing ended ... */
	struct err err;		/* ... so */
	struct attrs self;	/* ... of this directory */
	struct attrs job_attrs;	/* of job.fh; kind UNKNOWN: not known */
	unsigned cut;		/* listings ended by "no such entry" since a
				   listing last got further */
	bool	 unseen;	/* the catalog has objects that didn't come */
	bool	 confirmed;	/* self is what the path names */
	bool	 absent;	/* by its path: nothing is there */
	size_t	 above;		/* if absent: length of the path of the
				   directory above that is being looked up */
};

/* waiting.c */
/* Take the look-ups whose time has come off the list; fn gets each. now
 * UINT64_MAX: take all. */
void	 waiting_take(struct waiting **, uint64_t now,
	    void (*fn)(void *lookup));
void	 waiting_add(struct waiting **, struct waiting *, uint64_t at_ms);

/* crawler.c */
/* Return the export's tree, mounted if necessary. If an export could be reached
 * when the run began and can't be mounted now, the error is ERR_RETRY. */
struct tree *crawler_tree(struct crawler *, unsigned export, struct err *);
/* Note a fault of the export. Return true if the export brought nothing for
 * retry_for and its server does not answer: then the rest of the export has
 * failed. */
bool	 crawler_lost(struct crawler *, unsigned export, uint64_t now_ms);
/* Something came. */
void	 crawler_answered(struct crawler *, unsigned export);
/* Wait for descriptors and serve the trees once. */
void	 crawler_turn(struct crawler *, int timeout_ms);

/* reading.c */
struct reading *reading_new(struct crawler *, struct dir_job *);
void	 reading_free(struct reading **);
void	 reading_start(struct reading *);
/* Judge an entry and put the entry on the page. fh is lent. */
void	 reading_entry(struct reading *, struct str name,
	    const struct tree_entry *);
/* Do the same for an entry to be left out for the reason why. hides: everything
 * known below the entry's path stays unchanged. */
void	 reading_excluded(struct reading *, struct str name,
	    const struct tree_entry *, const char *why, bool hides);
/* (list) The name can't be looked up as the name of an object: record a failure
 * and no other row. path NULL: the path of the entry at hand. */
void	 reading_refused(struct reading *, const char *path,
	    const struct err *);
/* The entry can't be looked at and is of unknown kind: everything in the
 * catalog at and below its path stays. */
void	 reading_unknown(struct reading *, struct str name,
	    const struct err *);
void	 reading_flush(struct reading *, bool last);
/* True when it is done and reported. */
bool	 reading_settle(struct reading *);

/* looks.c: name is the name of the entry at hand. */
/* Look up the target of a link; the target then becomes the entry. */
void	 look_follow(struct reading *, struct str name);
/* The attributes of an entry didn't come because of a passing fault: look the
 * entry up again in a moment. Return false if the caller must take the entry as
 * of unknown kind. */
bool	 look_again(struct reading *, struct str name, const struct err *);
void	 looks_turn(struct reading *, uint64_t now);
/* Those that wait; their reading goes. */
void	 looks_free(struct reading *);

/* self.c */
/* Note the attributes of the listed directory. Call only in the callback of a
 * listing without an error. */
void	 self_note(struct reading *);
/* Call before reporting objects as gone. Return true if the directory is being
 * looked up: the caller must wait for the answer, and may have to read the
 * directory again. */
bool	 self_must_ask(struct reading *);

/* times.c: note the times of an entry or, with name "", of the directory
 * itself. */
void	 times_note(struct reading *, struct str name, const struct attrs *);

/* list.c: --files-from */
void	*list_main(void *);

#endif
