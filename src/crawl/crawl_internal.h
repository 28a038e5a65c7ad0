/*
 * crawl_internal.h: inside the crawl room: one thread and the directories that
 * it reads at the same time.
 */
#ifndef CRAWL_CRAWL_INTERNAL_H
#define CRAWL_CRAWL_INTERNAL_H

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
	/* A warning of this kind was given: the first file speaks for all. */
	_Atomic bool told_owner;
	_Atomic bool told_mtime;
	_Atomic bool told_future;
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
	struct look *waiting;	/* of those, for their next try */
	bool	 left;		/* its export is lost: for the next run */
	bool	 ended;		/* the listing ended ... */
	struct err err;		/* ... so */
	struct attrs self;	/* ... of this directory */
	struct attrs job_attrs;	/* of job.fh; kind UNKNOWN: not known */
	unsigned cut;		/* lists that ended with "no such entry",
				   since one got further */
	bool	 unseen;	/* the catalog has objects that didn't come */
	bool	 confirmed;	/* self is what the path names */
	bool	 absent;	/* by its path: nothing is there */
};

/* crawler.c */
/* Mounts it, if it must. An export that could be reached when the run began
 * and can't now is ERR_RETRY. */
struct tree *crawler_tree(struct crawler *, unsigned export, struct err *);
/* There was a fault of the export: has nothing come of it for retry_for, and
 * does its server not answer? Then all that is left of it has failed. */
bool	 crawler_lost(struct crawler *, unsigned export, uint64_t now_ms);
/* Something came. */
void	 crawler_answered(struct crawler *, unsigned export);
/* Wait for descriptors and serve the trees once. */
void	 crawler_turn(struct crawler *, int timeout_ms);

/* reading.c */
struct reading *reading_new(struct crawler *, struct dir_job *);
void	 reading_free(struct reading **);
void	 reading_start(struct reading *);
/* Judge one entry and put it on the page. fh lent. */
void	 reading_entry(struct reading *, struct str name,
	    const struct tree_entry *);
/* The same for one that is left out, with the reason. hides: what is known
 * below its path stays as it is. */
void	 reading_excluded(struct reading *, struct str name,
	    const struct tree_entry *, const char *why, bool hides);
/* (list) A name that can't be looked at as one of an object: it has failed,
 * and leaves no row but that. path NULL: that of the entry at hand. */
void	 reading_refused(struct reading *, const char *path,
	    const struct err *);
/* One that can't be looked at, whatever it is: what the catalog has at and
 * below its path stays. */
void	 reading_unknown(struct reading *, struct str name,
	    const struct err *);
void	 reading_flush(struct reading *, bool last);
/* True when it is done and reported. */
bool	 reading_settle(struct reading *);

/* looks.c: name is that of the entry at hand. */
/* It is a link: it becomes an entry as what it points to. */
void	 look_follow(struct reading *, struct str name);
/* Its attributes didn't come, with a fault that passes: look at it again in a
 * moment. False if it is to be taken as it is. */
bool	 look_again(struct reading *, struct str name, const struct err *);
void	 looks_turn(struct reading *, uint64_t now);
/* Those that wait; their reading goes. */
void	 looks_free(struct reading *);

/* self.c */
/* In the callback of a listing that ended well: what was listed. */
void	 self_note(struct reading *);
/* Before it is said what is gone: true if the directory is being looked up,
 * and the answer is to be waited for. It may be that it must be read again. */
bool	 self_must_ask(struct reading *);

/* times.c: an entry of this name, or ("") the directory itself, was met. */
void	 times_note(struct reading *, struct str name, const struct attrs *);

/* list.c: --files-from */
void	*list_main(void *);

#endif
