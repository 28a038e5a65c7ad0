#include "send/send_internal.h"

int
sender_start(struct sender **ret, const struct sender_config *c,
    struct err *err)
{
	static const struct pool_ops ops = { .size = sizeof(struct worker),
	    .init = worker_init, .run = worker_run,
	    .release = worker_release };
	struct sender *s = xcalloc(1, sizeof(*s));

	s->c = *c;
	s->known = c->known;
	s->reach = xcalloc(c->export_count + 1, sizeof(*s->reach));
	s->pool.rate.bytes_per_s = c->bwlimit;
	s->locked.tail = &s->locked.head;
	pthread_mutex_init(&s->lock, NULL);
	if (pool_start(&s->pool, &ops, s, c->workers, &c->s3, err) == -1) {
		pthread_mutex_destroy(&s->lock);
		free(s->reach);
		free(s);
		return -1;
	}
	*ret = s;
	return 0;
}

void
sender_give(struct sender *s, struct lease *l)
{
	struct held_lease *h;

	if (l->count == 0) {
		lease_free(&l);
		return;
	}
	h = xcalloc(1, sizeof(*h));
	h->lease = l;
	h->left = l->count;
	pthread_mutex_lock(&s->lock);
	*s->locked.tail = h;
	s->locked.tail = &h->next;
	atomic_fetch_add(&s->pool.backlog, l->count);
	pthread_mutex_unlock(&s->lock);
	pool_wake(&s->pool);
}

const struct item *
sender_next(struct sender *s, struct held_lease **ret)
{
	const struct item *it = NULL;
	struct held_lease *h;

	if (atomic_load(&s->pool.stopping))
		return NULL;
	pthread_mutex_lock(&s->lock);
	h = s->locked.head;
	if (h != NULL) {
		it = &h->lease->items[h->begun++];
		atomic_fetch_sub(&s->pool.backlog, 1);
		*ret = h;
		if (h->begun == h->lease->count) {
			s->locked.head = h->next;
			if (h->next == NULL)
				s->locked.tail = &s->locked.head;
			h->next = NULL;
		}
	}
	pthread_mutex_unlock(&s->lock);
	return it;
}

void
sender_settled(struct sender *s, struct held_lease *h)
{
	bool last;

	pthread_mutex_lock(&s->lock);
	last = --h->left == 0;
	pthread_mutex_unlock(&s->lock);
	if (last) {
		lease_free(&h->lease);
		free(h);
	}
}

void
sender_noted(struct sender *s, unsigned worker, int64_t object)
{
	struct noted_mail *m;
	struct worker *w;

	if (worker >= s->c.workers)
		return;
	w = (struct worker *)(void *)pool_worker(&s->pool, worker);
	m = xcalloc(1, sizeof(*m));
	m->object = object;
	mailbox_put(w->in, &m->mail);
}

struct pool *
sender_pool(struct sender *s)
{
	return &s->pool;
}

void
sender_free(struct sender **sp)
{
	struct sender *s = *sp;
	struct held_lease *h;

	if (s == NULL)
		return;
	pool_join(&s->pool);
	pool_release(&s->pool);
	/* After a stop: leases with items not begun by any worker. */
	while ((h = s->locked.head) != NULL) {
		s->locked.head = h->next;
		lease_free(&h->lease);
		free(h);
	}
	pthread_mutex_destroy(&s->lock);
	free(s->reach);
	free(s);
	*sp = NULL;
}
