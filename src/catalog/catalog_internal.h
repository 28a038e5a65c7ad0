/*
 * catalog_internal.h: the inside of the catalog's thread; included only by the
 * files of this folder. struct writer belongs to the catalog's thread; any
 * thread may use struct shared, under its lock.
 */
#ifndef CATALOG_CATALOG_INTERNAL_H
#define CATALOG_CATALOG_INTERNAL_H

#include <pthread.h>

#include "catalog/catalog.h"
#include "catalog/export.h"
#include "catalog/mirror.h"
#include "catalog/outcome.h"
#include "reader/stored.h"
#include "writer/writer.h"

/* Somebody waits for directories or for a lease. */
struct want {
	struct mail mail;
	struct mailbox *reply;
	size_t	 max_count;
	uint64_t max_bytes;
};
struct want_list {
	struct mail *head;	/* struct want, linked by mail.next */
	struct mail **tail;
};

/* A function to be run by the thread while the caller waits. */
struct call {
	struct mail mail;
	void	 (*fn)(struct catalog *, void *arg);
	void	*arg;
	bool	 done;		/* under shared.lock */
};

struct catalog {
	char	*path;
	char	*temporary;	/* directory that goes at close; or NULL */
	int	 lock_fd;	/* of the lock file */
	int	 own_fd;	/* of the catalog, locked */
	int64_t	 older_than;	/* see catalog_older_than */
	pthread_t thread;
	struct mailbox *in;
	struct mailbox *events;
	struct readers *readers;
	struct writer writer;
	bool	 stopping;	/* of the thread, as those below */
	uint64_t began_ms;	/* of the open transaction */
	bool	 remember;	/* with the next commit: see stand.h */
	uint64_t remembered_ms;
	struct want_list want_dirs;
	struct want_list want_lease;
	struct {
		pthread_mutex_t lock;
		pthread_cond_t changed;
		struct totals totals;
		struct err err;
		bool	 crawl_done;
	} shared;
};

enum {
	MSG_CALL = 1,
	MSG_WANT_DIRS,
	MSG_WANT_LEASE,
	MSG_PAGE,
	MSG_RESULTS,
	MSG_UPLOAD,
	MSG_OUTCOMES,
	MSG_DELETE,
	MSG_CLIENTS,
	MSG_COMPACTION,
	MSG_EXPORT,
	MSG_ROOT,
	MSG_LOST,
	MSG_STOP
};

/* post.c */
/* Any thread. */
void	 catalog_post(struct catalog *, struct mail *, int type);
/* Runs fn in the catalog's thread, in its own transaction; -1 if the catalog
 * has failed. */
int	 catalog_call(struct catalog *, void (*fn)(struct catalog *, void *),
	    void *arg, struct err *);

/* commit.c */
void	 catalog_begin(struct catalog *);
void	 catalog_commit(struct catalog *);
/* Once: mails the error; from now on messages are only thrown away. */
void	 catalog_check_failed(struct catalog *);
/* Show the counters to other threads. */
void	 catalog_publish(struct catalog *);
/* Only a call begins or ends a run. */
void	 catalog_tell_readers(struct catalog *);

/* serve.c */
void	 catalog_add_want(struct want_list *, struct mail *);
/* Drop, unanswered, the requests with this reply mailbox, or every request
 * (NULL). */
void	 catalog_drop_wants(struct want_list *, const struct mailbox *reply);
void	 catalog_serve_dirs(struct catalog *);
void	 catalog_serve_leases(struct catalog *);

/* former.c */
struct mirror_plan;
/* Names of before whose keys are those of the run's exports: into the plan,
 * whose guards are known. */
void	 catalog_find_formers(struct writer *, struct mirror_plan *);
/* Move the knowledge about the objects of former names to paths of today. */
void	 catalog_take_formers(struct writer *, const struct mirror_plan *);

/* asked.c */
/* A crawl is complete: nothing of its whole exports is left to be asked. */
void	 catalog_note_asked(struct writer *);

/* target.c */
/* 0 if the catalog does not know it. */
int64_t	 catalog_find_target(struct db *, const struct run_spec *);
/* Set the writer's targets for a run; make a new one known, and its name. An
 * error (catalog_check_target) changes nothing. */
int	 catalog_take_target(struct writer *, const struct run_spec *,
	    struct err *) MUST_USE;

/* attempt.c */
/* Insert the row of an attempt: w->attempt. */
void	 catalog_insert_attempt(struct writer *, const struct run_spec *);

/* end.c */
void	 catalog_reset_run(struct writer *);
/* Make tombstones for directories no longer listed by their parents. */
void	 catalog_bury(struct writer *);
/* Sum the counts of the directories read by this crawl. */
void	 catalog_sum_dirs(struct writer *, struct totals *);

#endif
