#include "send/send_internal.h"

int
engine_start(struct engine **ret, const struct engine_config *c,
    struct err *err)
{
	static const struct pool_ops ops = { .size = sizeof(struct worker),
	    .init = worker_init, .run = worker_run,
	    .release = worker_release };
	struct engine *e = xcalloc(1, sizeof(*e));

	e->c = *c;
	e->reach = xcalloc(c->export_count + 1, sizeof(*e->reach));
	e->pool.rate.bytes_per_s = c->bwlimit;
	e->locked.tail = &e->locked.head;
	pthread_mutex_init(&e->lock, NULL);
	if (pool_start(&e->pool, &ops, e, c->workers, &c->s3, err) == -1) {
		pthread_mutex_destroy(&e->lock);
		free(e->reach);
		free(e);
		return -1;
	}
	*ret = e;
	return 0;
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
	pool_wake(&e->pool);
}

const struct item *
engine_next(struct engine *e, struct held_lease **ret)
{
	const struct item *it = NULL;
	struct held_lease *h;

	if (atomic_load(&e->pool.stopping))
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
	struct noted_mail *m;
	struct worker *w;

	if (worker >= e->c.workers)
		return;
	w = (struct worker *)(void *)pool_worker(&e->pool, worker);
	m = xcalloc(1, sizeof(*m));
	m->object = object;
	mailbox_put(w->in, &m->mail);
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
	return pool_idle(&e->pool);
}

void
engine_stop(struct engine *e, uint64_t limit_ms)
{
	pool_stop(&e->pool, limit_ms);
}

void
engine_limits(struct engine *e, uint64_t bwlimit, uint64_t tpslimit)
{
	pool_limits(&e->pool, bwlimit, tpslimit);
}

void
engine_free(struct engine **ep)
{
	struct engine *e = *ep;
	struct held_lease *h;

	if (e == NULL)
		return;
	pool_join(&e->pool);
	pool_release(&e->pool);
	/* After a stop: leases with items not begun by any worker. */
	while ((h = e->locked.head) != NULL) {
		e->locked.head = h->next;
		lease_free(&h->lease);
		free(h);
	}
	pthread_mutex_destroy(&e->lock);
	free(e->reach);
	free(e);
	*ep = NULL;
}

void
engine_stats(struct engine *e, struct s3_stats *sum, uint64_t *ret_read)
{
	*ret_read = 0;
	pool_stats(&e->pool, sum);
	for (unsigned i = 0; i < e->c.workers; i++) {
		struct worker *w = (struct worker *)(void *)pool_worker(
		    &e->pool, i);

		*ret_read += atomic_load(&w->bytes_read);
	}
}
