#include "xfer/fetch_int.h"

#include "base/clock.h"

static void
wake_all(struct fetch *f)
{
	for (unsigned i = 0; i < f->c.workers; i++)
		s3_wakeup(f->workers[i].s3);
}

/* After its thread has ended. */
static void
worker_release(struct fetch_worker *w)
{
	struct fetching *t;

	/* What was on the way when the time to stop came is called back. */
	for (t = w->active; t != NULL; t = t->next)
		t->broken = true;
	s3_free(&w->s3);
	while ((t = w->active) != NULL) {
		w->active = t->next;
		fetching_free(t);
	}
	pthread_mutex_destroy(&w->lock);
}

static int
worker_init(struct fetch_worker *w, struct fetch *f, struct err *err)
{
	struct s3_config c = f->c.s3;

	w->f = f;
	pthread_mutex_init(&w->lock, NULL);
	w->memory_limit = f->c.memory_bytes / f->c.workers;
	random_bytes(&c.seed, sizeof(c.seed));
	return s3_new(&w->s3, &c, err);
}

static void
join_all(struct fetch *f, unsigned started)
{
	atomic_store(&f->closing, true);
	for (unsigned i = 0; i < started; i++)
		s3_wakeup(f->workers[i].s3);
	for (unsigned i = 0; i < started; i++)
		pthread_join(f->workers[i].thread, NULL);
	for (unsigned i = 0; i < f->c.workers; i++)
		if (f->workers[i].f != NULL)
			worker_release(&f->workers[i]);
	pthread_mutex_destroy(&f->lock);
	free(f->workers);
	free(f);
}

int
fetch_start(struct fetch **ret, const struct fetch_config *c,
    struct err *err)
{
	struct fetch *f = xcalloc(1, sizeof(*f));
	unsigned started = 0;
	int rc = 0;

	f->c = *c;
	if (f->c.range_size == 0)
		f->c.range_size = FETCH_RANGE;
	f->rate.bytes_per_s = c->bwlimit;
	f->locked.tail = &f->locked.head;
	pthread_mutex_init(&f->lock, NULL);
	f->workers = xcalloc(c->workers, sizeof(*f->workers));
	for (unsigned i = 0; i < c->workers && rc == 0; i++)
		rc = worker_init(&f->workers[i], f, err);
	atomic_store(&f->running, c->workers);
	while (rc == 0 && started < c->workers) {
		int no = pthread_create(&f->workers[started].thread, NULL,
		    fetch_worker_main, &f->workers[started]);

		if (no != 0)
			rc = err_errno(err, ERR_RESOURCE, no, "worker thread");
		else
			started++;
	}
	if (rc == 0)
		*ret = f;
	else
		join_all(f, started);
	return rc;
}

void
fetch_give(struct fetch *f, struct fetch_item *it)
{
	bool first;

	it->mail.next = NULL;
	pthread_mutex_lock(&f->lock);
	first = f->locked.backlog++ == 0;
	*f->locked.tail = &it->mail;
	f->locked.tail = &it->mail.next;
	pthread_mutex_unlock(&f->lock);
	/* A worker that waits has found the queue empty, or has enough. */
	if (first)
		wake_all(f);
}

struct fetch_item *
fetch_next(struct fetch *f)
{
	struct mail *m;

	if (atomic_load(&f->stopping))
		return NULL;
	pthread_mutex_lock(&f->lock);
	m = f->locked.head;
	if (m != NULL) {
		f->locked.head = m->next;
		if (m->next == NULL)
			f->locked.tail = &f->locked.head;
		f->locked.backlog--;
		m->next = NULL;
	}
	pthread_mutex_unlock(&f->lock);
	return (struct fetch_item *)(void *)m;
}

size_t
fetch_backlog(struct fetch *f)
{
	size_t n;

	pthread_mutex_lock(&f->lock);
	n = f->locked.backlog;
	pthread_mutex_unlock(&f->lock);
	return n;
}

bool
fetch_idle(struct fetch *f)
{
	return atomic_load(&f->running) == 0;
}

void
fetch_stop(struct fetch *f, uint64_t limit_ms)
{
	atomic_store(&f->stop_at_ms, clock_mono_ms() + limit_ms);
	atomic_store(&f->stopping, true);
	wake_all(f);
}

void
fetch_stats(struct fetch *f, struct s3_stats *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (unsigned i = 0; i < f->c.workers; i++) {
		struct fetch_worker *w = &f->workers[i];

		pthread_mutex_lock(&w->lock);
		sum->requests += w->stats_locked.requests;
		sum->retries += w->stats_locked.retries;
		sum->slowdowns += w->stats_locked.slowdowns;
		sum->bytes_sent += w->stats_locked.bytes_sent;
		sum->bytes_received += w->stats_locked.bytes_received;
		sum->window += w->stats_locked.window;
		pthread_mutex_unlock(&w->lock);
	}
}

void
fetch_free(struct fetch **fp)
{
	struct fetch *f = *fp;
	struct mail *m;

	if (f == NULL)
		return;
	*fp = NULL;
	atomic_store(&f->closing, true);
	wake_all(f);
	for (unsigned i = 0; i < f->c.workers; i++)
		pthread_join(f->workers[i].thread, NULL);
	/* Stopped: nobody began these. */
	while ((m = f->locked.head) != NULL) {
		struct fetch_item *it = (struct fetch_item *)(void *)m;

		f->locked.head = m->next;
		fetch_item_free(&it);
	}
	join_all(f, 0);
}
