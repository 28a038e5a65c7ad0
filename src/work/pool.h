/*
 * pool.h: the worker threads of an engine, each with connections to S3 of its
 * own: how the threads start, are woken, are told to stop, and end.
 *
 * The struct of an engine's worker begins with a struct pool_worker; the pool
 * makes count workers. pool_start; pool_stop, if there is no time to wait;
 * pool_join; pool_release. An engine keeps its pool for these four calls and
 * lends it for the others (sender_pool, fetch_pool, delete_pool).
 *
 * Thread: the owner's, except for the functions marked for the workers.
 */
#ifndef WORK_POOL_H
#define WORK_POOL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/err.h"
#include "s3/s3.h"
#include "work/rate.h"

struct pool_worker {
	struct pool *pool;
	unsigned index;
	struct s3 *s3;
	pthread_t thread;
	_Atomic uint64_t bytes_read;	/* of files; the worker adds to it */
	pthread_mutex_t lock;
	struct s3_stats stats_locked;
};

struct pool_ops {
	size_t	 size;		/* of a worker */
	/* The worker is all zeros but for the pool's part; the worker's thread
	 * does not run yet. */
	void	(*init)(struct pool_worker *);
	/* The thread. */
	void	(*run)(struct pool_worker *);
	/* The thread has ended, or never ran. To get the last callbacks of s3
	 * before freeing their arguments, call s3_free here. */
	void	(*release)(struct pool_worker *);
};

struct pool {
	const struct pool_ops *ops;
	void	*owner;
	unsigned count;
	unsigned made;		/* workers after their init */
	unsigned started;	/* threads */
	char	*workers;
	struct rate rate;	/* --bwlimit */
	_Atomic size_t backlog;	/* items given and not yet begun; the engine
				   counts them */
	struct s3_gate *gate;	/* the config's, or */
	struct s3_gate own_gate;
	_Atomic bool stopping;
	_Atomic uint64_t stop_at_ms;	/* when to abandon outstanding work */
	_Atomic bool closing;		/* end when no work is left */
	_Atomic unsigned running;	/* threads */
};

/* The caller passes a pool of zeros, but for the rate. After an error the pool
 * owns nothing. The workers find owner in the pool. */
int	 pool_start(struct pool *, const struct pool_ops *, void *owner,
	    unsigned count, const struct s3_config *, struct err *) MUST_USE;
struct pool_worker *pool_worker(const struct pool *, unsigned index);
void	 pool_wake(struct pool *);
/* Begin no new work; end the begun work within limit_ms if possible. */
void	 pool_stop(struct pool *, uint64_t limit_ms);
/* Bytes a second, requests in 1,000 seconds; 0: no limit. At any time. */
void	 pool_limits(struct pool *, uint64_t bwlimit, uint64_t tpslimit);
size_t	 pool_backlog(const struct pool *);
/* True if every thread has ended. */
bool	 pool_idle(struct pool *);
/* Wait for the threads: each ends when no work is left, or after pool_stop. */
void	 pool_join(struct pool *);
/* Release the workers; after pool_join. */
void	 pool_release(struct pool *);
/* Add the statistics published by the workers, and the bytes that they have
 * read from files. */
void	 pool_stats(struct pool *, struct s3_stats *sum,
	    uint64_t *sum_bytes_read);

/* --- for the workers --- */

/* Must the worker end, with active items under way? */
bool	 pool_over(const struct pool_worker *, size_t active,
	    uint64_t now_ms);
bool	 pool_stopping(const struct pool_worker *);
/* True before the moment of s3_gate_valid_until. From that moment on a worker
 * must not do anything visible to other processes. */
bool	 pool_is_valid(const struct pool_worker *);
/* Publish the worker's statistics; call once a turn. */
void	 pool_publish(struct pool_worker *);

#endif
