#include "base/clock.h"
#include "fetch/fetch_internal.h"

#define ACTIVE_PER_SLOT	2	/* objects begun for each request slot */
#define TURN_MS		1000
#define RATE_TURN_MS	10	/* under --bwlimit */

void
fetch_worker_init(struct pool_worker *p)
{
	struct fetch_worker *w = (struct fetch_worker *)(void *)p;
	struct fetcher *f = w->f = p->pool->owner;

	w->memory_limit = f->c.memory_bytes / f->c.workers;
	w->net_limit = (size_t)MAX(f->c.s3.store.max_inflight, 1U) *
	    ACTIVE_PER_SLOT;
	w->faults = xcalloc(f->c.export_count + 1, sizeof(*w->faults));
	trees_init(&w->trees, f->c.exports, f->c.export_count,
	    &p->pool->stopping);
}

void
fetch_worker_release(struct pool_worker *p)
{
	struct fetch_worker *w = (struct fetch_worker *)(void *)p;
	struct fetching *t;

	/* Closing trees and s3 calls the outstanding calls back: mark their
	 * fetchings as broken first. */
	for (t = w->active; t != NULL; t = t->next)
		t->broken = true;
	trees_release(&w->trees);
	s3_free(&p->s3);
	while ((t = w->active) != NULL) {
		w->active = t->next;
		fetching_free(t);
	}
	free(w->faults);
}

static void
start_new(struct fetch_worker *w)
{
	while (w->active_count < w->net_limit &&
	    w->net_streams < w->net_limit &&
	    w->memory_used < w->memory_limit) {
		struct fetch_item *it = fetch_next(w->f,
		    w->ranges < UNITS_AT_ONCE);

		if (it == NULL)
			return;
		fetching_begin(w, it);
		/* Leave the next item for a different worker. */
		if (it->size > FETCH_BUFFER)
			return;
	}
}

/* Step every fetching; remove the ended fetchings. */
static bool
step_all(struct fetch_worker *w)
{
	struct fetching **tp = &w->active;
	bool busy = false;

	/* A step may hang in a file system until this process has lost the
	 * right to go on: check the right before each step. */
	while (*tp != NULL && pool_is_valid(&w->p)) {
		struct fetching *t = *tp;

		busy = fetching_step(t) || busy;
		if (t->phase != FETCH_ENDED) {
			tp = &t->next;
			continue;
		}
		*tp = t->next;
		w->active_count--;
		fetching_free(t);
	}
	return busy;
}

/* Resume connections whose buffers were full; under --bwlimit a single
 * connection at a time. */
static void
resume(struct fetch_worker *w)
{
	if (!rate_limited(&w->f->pool.rate))
		s3_resume(w->p.s3, SIZE_MAX);
	else if (rate_ready(&w->f->pool.rate, clock_mono_ns()))
		s3_resume(w->p.s3, 1);
}

/* How long the loop may sleep: at most until the time of a waiting item
 * comes. */
static int
sleep_ms(const struct fetch_worker *w)
{
	uint64_t now = w->now_ms, until = now + TURN_MS;

	if (rate_limited(&w->f->pool.rate) && w->active_count > 0)
		until = now + RATE_TURN_MS;
	if (pool_stopping(&w->p))
		until = MIN(until, MAX(now,
		    atomic_load(&w->p.pool->stop_at_ms)));
	for (const struct fetching *t = w->active; t != NULL; t = t->next)
		if (t->phase == FETCH_LOOK && t->calls == 0)
			until = MIN(until, MAX(now, t->resume_at_ms));
	return (int)(until - now);
}

/* True: there is more to do at once. Call only while the worker has the right
 * to write; until then received bytes wait in the buffers. */
static bool
turn(struct fetch_worker *w)
{
	size_t was = w->active_count;
	bool busy;

	start_new(w);
	busy = w->active_count > was;
	was = w->active_count;
	busy = step_all(w) || w->active_count < was || busy;
	streams_turn(w);
	resume(w);
	return busy;
}

void
fetch_worker_run(struct pool_worker *p)
{
	struct fetch_worker *w = (struct fetch_worker *)(void *)p;

	for (;;) {
		bool busy = false;

		w->now_ms = clock_mono_ms();
		if (pool_is_valid(p))
			busy = turn(w);
		if (pool_over(p, w->active_count, w->now_ms))
			break;
		trees_wait(&w->trees, p->s3, -1, busy ? 0 : sleep_ms(w));
		trees_service(&w->trees);
		if (pool_is_valid(p))
			streams_turn(w);
		pool_publish(p);
	}
}
