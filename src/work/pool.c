#include "work/pool.h"

#include "base/clock.h"
#include "crypto/crypto.h"

struct pool_worker *
pool_worker(const struct pool *p, unsigned index)
{
	return (struct pool_worker *)(void *)(p->workers +
	    index * p->ops->size);
}

static void *
thread_main(void *arg)
{
	struct pool_worker *w = arg;

	w->pool->ops->run(w);
	/* Cut the connections of each ended thread at once: a hanging thread
	 * may keep the pool from its end. */
	s3_cut(w->s3);
	atomic_fetch_sub(&w->pool->running, 1);
	return NULL;
}

static int
make(struct pool *p, unsigned index, const struct s3_config *sc,
    struct err *err)
{
	struct pool_worker *w = pool_worker(p, index);
	struct s3_config c = *sc;

	c.gate = p->gate;
	random_bytes(&c.seed, sizeof(c.seed));
	if (s3_new(&w->s3, &c, err) == -1)
		return -1;
	w->pool = p;
	w->index = index;
	pthread_mutex_init(&w->lock, NULL);
	p->ops->init(w);
	p->made++;
	return 0;
}

static int
start(struct pool *p, struct err *err)
{
	struct pool_worker *w = pool_worker(p, p->started);
	int no;

	atomic_fetch_add(&p->running, 1);
	no = pthread_create(&w->thread, NULL, thread_main, w);
	if (no != 0) {
		atomic_fetch_sub(&p->running, 1);
		return err_errno(err, ERR_RESOURCE, no, "worker thread");
	}
	p->started++;
	return 0;
}

int
pool_start(struct pool *p, const struct pool_ops *ops, void *owner,
    unsigned count, const struct s3_config *sc, struct err *err)
{
	int rc = 0;

	p->ops = ops;
	p->owner = owner;
	p->count = count;
	p->gate = sc->gate != NULL ? sc->gate : &p->own_gate;
	p->workers = xcalloc(count, ops->size);
	while (p->made < count && rc == 0)
		rc = make(p, p->made, sc, err);
	while (p->started < count && rc == 0)
		rc = start(p, err);
	if (rc == 0)
		return 0;
	pool_join(p);
	pool_release(p);
	return -1;
}

void
pool_wake(struct pool *p)
{
	for (unsigned i = 0; i < p->started; i++)
		s3_wakeup(pool_worker(p, i)->s3);
}

void
pool_stop(struct pool *p, uint64_t limit_ms)
{
	atomic_store(&p->stop_at_ms, clock_mono_ms() + limit_ms);
	atomic_store(&p->stopping, true);
	pool_wake(p);
}

void
pool_limits(struct pool *p, uint64_t bwlimit, uint64_t tpslimit)
{
	rate_set(&p->rate, bwlimit);
	s3_gate_limit(p->gate, tpslimit);
	pool_wake(p);
}

size_t
pool_backlog(const struct pool *p)
{
	return atomic_load(&p->backlog);
}

bool
pool_idle(struct pool *p)
{
	return atomic_load(&p->running) == 0;
}

void
pool_join(struct pool *p)
{
	atomic_store(&p->closing, true);
	pool_wake(p);
	for (unsigned i = 0; i < p->started; i++)
		pthread_join(pool_worker(p, i)->thread, NULL);
	p->started = 0;
}

void
pool_release(struct pool *p)
{
	for (unsigned i = 0; i < p->made; i++) {
		struct pool_worker *w = pool_worker(p, i);

		p->ops->release(w);
		s3_free(&w->s3);
		pthread_mutex_destroy(&w->lock);
	}
	free(p->workers);
	p->workers = NULL;
	p->made = p->count = 0;
}

void
pool_stats(struct pool *p, struct s3_stats *sum, uint64_t *sum_bytes_read)
{
	for (unsigned i = 0; i < p->made; i++) {
		struct pool_worker *w = pool_worker(p, i);

		pthread_mutex_lock(&w->lock);
		sum->requests += w->stats_locked.requests;
		sum->retries += w->stats_locked.retries;
		sum->slowdowns += w->stats_locked.slowdowns;
		sum->bytes_sent += w->stats_locked.bytes_sent;
		sum->bytes_received += w->stats_locked.bytes_received;
		sum->window += w->stats_locked.window;
		pthread_mutex_unlock(&w->lock);
		*sum_bytes_read += atomic_load(&w->bytes_read);
	}
}

bool
pool_is_valid(const struct pool_worker *w)
{
	return s3_gate_is_valid(w->pool->gate, clock_mono_ms());
}

bool
pool_stopping(const struct pool_worker *w)
{
	return atomic_load(&w->pool->stopping);
}

bool
pool_over(const struct pool_worker *w, size_t active, uint64_t now_ms)
{
	const struct pool *p = w->pool;

	if (atomic_load(&p->stopping))
		return active == 0 || now_ms >= atomic_load(&p->stop_at_ms);
	return atomic_load(&p->closing) && active == 0 && pool_backlog(p) == 0;
}

void
pool_publish(struct pool_worker *w)
{
	struct s3_stats s;

	s3_stats(w->s3, &s);
	pthread_mutex_lock(&w->lock);
	w->stats_locked = s;
	pthread_mutex_unlock(&w->lock);
}
