#include "base/clock.h"
#include "xfer/xfer.h"

static void
wake_all(struct engine *e)
{
	for (unsigned i = 0; i < e->c.workers; i++)
		s3_wakeup(e->workers[i].s3);
}

/* After its thread has ended. Transfers that were on the way when the time to
 * stop came are left as they are; their items stay open in the catalog. */
static void
worker_release(struct worker *w)
{
	struct mail *m, *next;
	struct transfer *t;

	for (size_t i = 0; i < w->e->c.export_count; i++)
		tree_free(&w->trees[i]);
	s3_free(&w->s3);
	while ((t = w->active) != NULL) {
		w->active = t->next;
		transfer_free(t);
	}
	free(w->trees);
	free(w->faults);
	free(w->fds);
	free(w->fds_first);
	for (size_t i = 0; i < w->spare_count; i++)
		free(w->spare[i]);
	for (m = mailbox_take(w->in); m != NULL; m = next) {
		next = m->next;
		free(m);
	}
	mailbox_free(&w->in);
	pthread_mutex_destroy(&w->lock);
}

static int
worker_init(struct worker *w, struct engine *e, unsigned index,
    struct err *err)
{
	struct s3_config c = e->c.s3;

	w->e = e;
	w->index = index;
	pthread_mutex_init(&w->lock, NULL);
	w->in = mailbox_new(0);
	w->trees = xcalloc(e->c.export_count, sizeof(*w->trees));
	w->faults = xcalloc(e->c.export_count, sizeof(*w->faults));
	w->fds = xcalloc(1 + e->c.export_count * TREE_FDS, sizeof(*w->fds));
	w->fds_first = xcalloc(e->c.export_count, sizeof(*w->fds_first));
	w->memory_limit = e->c.memory_bytes / e->c.workers;
	random_bytes(&c.seed, sizeof(c.seed));
	rng_seed(&w->rng, c.seed);
	return s3_new(&w->s3, &c, err);
}

int
engine_start(struct engine **ret, const struct engine_config *c,
    struct err *err)
{
	struct engine *e = xcalloc(1, sizeof(*e));
	unsigned started = 0;
	int rc = 0;

	e->c = *c;
	e->rate.bytes_per_s = c->bwlimit;
	e->locked.tail = &e->locked.head;
	pthread_mutex_init(&e->lock, NULL);
	e->workers = xcalloc(c->workers, sizeof(*e->workers));
	for (unsigned i = 0; i < c->workers && rc == 0; i++)
		rc = worker_init(&e->workers[i], e, i, err);
	atomic_store(&e->running, c->workers);
	while (rc == 0 && started < c->workers) {
		int no = pthread_create(&e->workers[started].thread, NULL,
		    worker_main, &e->workers[started]);

		if (no != 0)
			rc = err_errno(err, ERR_RESOURCE, no, "worker thread");
		else
			started++;
	}
	if (rc == 0) {
		*ret = e;
		return 0;
	}
	atomic_store(&e->closing, true);
	for (unsigned i = 0; i < started; i++) {
		s3_wakeup(e->workers[i].s3);
		pthread_join(e->workers[i].thread, NULL);
	}
	for (unsigned i = 0; i < c->workers; i++)
		if (e->workers[i].e != NULL)
			worker_release(&e->workers[i]);
	free(e->workers);
	free(e);
	return -1;
}

void
engine_give(struct engine *e, struct lease *l)
{
	struct held_lease *h;

	if (l->count == 0) {
		lease_free(&l);
		return;
	}
	h = xcalloc(1, sizeof(*h));
	h->lease = l;
	h->left = l->count;
	pthread_mutex_lock(&e->lock);
	*e->locked.tail = h;
	e->locked.tail = &h->next;
	e->locked.backlog += l->count;
	pthread_mutex_unlock(&e->lock);
	wake_all(e);
}

const struct item *
engine_next(struct engine *e, struct held_lease **ret)
{
	const struct item *it = NULL;
	struct held_lease *h;

	if (atomic_load(&e->stopping))
		return NULL;
	pthread_mutex_lock(&e->lock);
	h = e->locked.head;
	if (h != NULL) {
		it = &h->lease->items[h->begun++];
		e->locked.backlog--;
		*ret = h;
		if (h->begun == h->lease->count) {
			e->locked.head = h->next;
			if (h->next == NULL)
				e->locked.tail = &e->locked.head;
			h->next = NULL;
		}
	}
	pthread_mutex_unlock(&e->lock);
	return it;
}

void
engine_settled(struct engine *e, struct held_lease *h)
{
	bool last;

	pthread_mutex_lock(&e->lock);
	last = --h->left == 0;
	pthread_mutex_unlock(&e->lock);
	if (last) {
		lease_free(&h->lease);
		free(h);
	}
}

void
engine_noted(struct engine *e, unsigned worker, int64_t object)
{
	struct noted_mail *m = xcalloc(1, sizeof(*m));

	m->object = object;
	if (worker >= e->c.workers ||
	    !mailbox_put(e->workers[worker].in, &m->mail)) {
		free(m);
		return;
	}
	s3_wakeup(e->workers[worker].s3);
}

size_t
engine_backlog(struct engine *e)
{
	size_t n;

	pthread_mutex_lock(&e->lock);
	n = e->locked.backlog;
	pthread_mutex_unlock(&e->lock);
	return n;
}

bool
engine_idle(struct engine *e)
{
	return atomic_load(&e->running) == 0;
}

void
engine_stop(struct engine *e, uint64_t limit_ms)
{
	atomic_store(&e->stop_at_ms, clock_mono_ms() + limit_ms);
	atomic_store(&e->stopping, true);
	wake_all(e);
}

void
engine_free(struct engine **ep)
{
	struct engine *e = *ep;
	struct held_lease *h;

	if (e == NULL)
		return;
	atomic_store(&e->closing, true);
	wake_all(e);
	for (unsigned i = 0; i < e->c.workers; i++)
		pthread_join(e->workers[i].thread, NULL);
	for (unsigned i = 0; i < e->c.workers; i++)
		worker_release(&e->workers[i]);
	/* Stopped: leases with items that nobody began. */
	while ((h = e->locked.head) != NULL) {
		e->locked.head = h->next;
		lease_free(&h->lease);
		free(h);
	}
	pthread_mutex_destroy(&e->lock);
	free(e->workers);
	free(e);
	*ep = NULL;
}

void
engine_stats(struct engine *e, struct s3_stats *sum, uint64_t *ret_read)
{
	memset(sum, 0, sizeof(*sum));
	*ret_read = 0;
	for (unsigned i = 0; i < e->c.workers; i++) {
		struct worker *w = &e->workers[i];

		pthread_mutex_lock(&w->lock);
		sum->requests += w->stats_locked.requests;
		sum->retries += w->stats_locked.retries;
		sum->slowdowns += w->stats_locked.slowdowns;
		sum->bytes_sent += w->stats_locked.bytes_sent;
		sum->bytes_received += w->stats_locked.bytes_received;
		sum->window += w->stats_locked.window;
		pthread_mutex_unlock(&w->lock);
		*ret_read += atomic_load(&w->bytes_read);
	}
}
