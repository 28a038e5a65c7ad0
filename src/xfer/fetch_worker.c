#include "base/clock.h"
#include "xfer/fetch_int.h"

#define ACTIVE_PER_SLOT	2	/* objects begun for each request slot */
#define TURN_MS		1000

static void
start_new(struct fetch_worker *w)
{
	while (w->active_count < w->net_limit &&
	    w->net_streams < w->net_limit &&
	    w->memory_used < w->memory_limit) {
		struct fetch_item *it = fetch_next(w->f);

		if (it == NULL)
			return;
		fetching_begin(w, it);
	}
}

/* Step all; take the ended ones out. */
static bool
step_all(struct fetch_worker *w)
{
	struct fetching **tp = &w->active;
	bool busy = false;

	while (*tp != NULL) {
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

static void
publish(struct fetch_worker *w)
{
	struct s3_stats s;

	s3_stats(w->s3, &s);
	pthread_mutex_lock(&w->lock);
	w->stats_locked = s;
	pthread_mutex_unlock(&w->lock);
}

void *
fetch_worker_main(void *arg)
{
	struct fetch_worker *w = arg;
	struct fetch *f = w->f;
	bool busy;

	w->net_limit = (size_t)MAX(f->c.s3.max_inflight, 1U) *
	    ACTIVE_PER_SLOT;
	for (;;) {
		size_t was = w->active_count;

		start_new(w);
		busy = step_all(w) || w->active_count < was;
		streams_turn(w);
		if (w->active_count == 0 && (atomic_load(&f->stopping) ||
		    (atomic_load(&f->closing) && fetch_backlog(f) == 0)))
			break;
		if (atomic_load(&f->stopping) &&
		    clock_mono_ms() >= atomic_load(&f->stop_at_ms))
			break;
		s3_wait(w->s3, NULL, 0, busy ? 0 : TURN_MS);
		streams_turn(w);
		publish(w);
	}
	atomic_fetch_sub(&f->running, 1);
	return NULL;
}
