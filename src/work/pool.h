/*
 * pool.h: the worker threads of an engine, each with connections to S3 of its
 * own: how they start, are woken, are told to stop, and end.
 *
 * The struct of an engine's worker begins with a struct pool_worker; the
 * pool makes as many as it is told. pool_start; pool_stop, if there is no
 * time to wait; pool_join; pool_release.
 *
 * Thread: the owner's, but for what is meant for workers.
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
	pthread_mutex_t lock;
	struct s3_stats stats_locked;
};

struct pool_ops {
	size_t	 size;		/* of a worker */
	/* It is all zeros but for the pool's part; its thread does not run. */
	void	(*init)(struct pool_worker *);
	/* The thread. */
	void	(*run)(struct pool_worker *);
	/* The thread has ended, or never ran. To have the last callbacks of
	 * s3 before something is freed, s3_free it here. */
	void	(*release)(struct pool_worker *);
};

struct pool {
	const struct pool_ops *ops;
	void	*owner;
	unsigned count;
	unsigned made;		/* workers that init has seen */
	unsigned started;	/* threads */
	char	*workers;
	struct rate rate;	/* --bwlimit */
	struct s3_gate *gate;	/* the config's, or */
	struct s3_gate own_gate;
	_Atomic bool stopping;
	_Atomic uint64_t stop_at_ms;	/* leave what is on the way */
	_Atomic bool closing;		/* end when there is nothing to do */
	_Atomic unsigned running;	/* threads */
};

/* The pool is all zeros, but for its rate. After an error nothing is left.
 * owner is for the workers. */
int	 pool_start(struct pool *, const struct pool_ops *, void *owner,
	    unsigned count, const struct s3_config *, struct err *) MUST_USE;
struct pool_worker *pool_worker(const struct pool *, unsigned index);
void	 pool_wake(struct pool *);
/* Begin nothing new; end what can be ended within limit_ms. */
void	 pool_stop(struct pool *, uint64_t limit_ms);
/* Bytes a second, requests in 1,000 seconds; 0: no limit. At any time. */
void	 pool_limits(struct pool *, uint64_t bwlimit, uint64_t tpslimit);
/* All threads have ended. */
bool	 pool_idle(struct pool *);
/* Threads end when they have nothing to do, or have been stopped: wait. */
void	 pool_join(struct pool *);
/* The workers; after pool_join. */
void	 pool_release(struct pool *);
/* Sums of what the workers have published. */
void	 pool_stats(struct pool *, struct s3_stats *);

/* --- for the workers --- */

/* It has so much on the way, so much is left to begin: must it end? */
bool	 pool_over(const struct pool_worker *, size_t active, size_t backlog,
	    uint64_t now_ms);
bool	 pool_stopping(const struct pool_worker *);
/* The moment of s3_gate_valid_until has not come: nothing that others would see
 * may be done once it has. */
bool	 pool_is_valid(const struct pool_worker *);
/* Once a turn. */
void	 pool_publish(struct pool_worker *);

#endif
