#include "fetch/fetch_internal.h"

int
fetch_start(struct fetcher **ret, const struct fetch_config *c,
    struct err *err)
{
	static const struct pool_ops ops = { .size = sizeof(struct
	    fetch_worker), .init = fetch_worker_init, .run = fetch_worker_run,
	    .release = fetch_worker_release };
	struct fetcher *f = xcalloc(1, sizeof(*f));

	f->c = *c;
	if (f->c.range_size == 0)
		f->c.range_size = FETCH_RANGE;
	f->pool.rate.bytes_per_s = c->bwlimit;
	f->locked.tail = &f->locked.head;
	pthread_mutex_init(&f->lock, NULL);
	if (pool_start(&f->pool, &ops, f, c->workers, &c->s3, err) == -1) {
		pthread_mutex_destroy(&f->lock);
		free(f);
		return -1;
	}
	*ret = f;
	return 0;
}

void
fetch_give(struct fetcher *f, struct fetch_item *it)
{
	bool first;

	it->mail.next = NULL;
	pthread_mutex_lock(&f->lock);
	first = atomic_fetch_add(&f->pool.backlog, 1) == 0;
	*f->locked.tail = &it->mail;
	f->locked.tail = &it->mail.next;
	pthread_mutex_unlock(&f->lock);
	/* A waiting worker has found the queue empty, or has enough work. */
	if (first)
		pool_wake(&f->pool);
}

struct fetch_item *
fetch_next(struct fetcher *f, bool range_too)
{
	struct mail *m;

	if (atomic_load(&f->pool.stopping))
		return NULL;
	pthread_mutex_lock(&f->lock);
	m = f->locked.head;
	if (m != NULL && !range_too &&
	    ((struct fetch_item *)(void *)m)->step == SPLIT_RANGE)
		m = NULL;
	if (m != NULL) {
		f->locked.head = m->next;
		if (m->next == NULL)
			f->locked.tail = &f->locked.head;
		atomic_fetch_sub(&f->pool.backlog, 1);
		m->next = NULL;
	}
	pthread_mutex_unlock(&f->lock);
	return (struct fetch_item *)(void *)m;
}

struct mail *
fetch_take_back(struct fetcher *f, size_t most)
{
	struct mail **at = &f->locked.head, *taken;
	size_t n;

	pthread_mutex_lock(&f->lock);
	n = pool_backlog(&f->pool);
	for (size_t i = most; i < n; i++)
		at = &(*at)->next;
	taken = *at;
	*at = NULL;
	f->locked.tail = at;
	atomic_fetch_sub(&f->pool.backlog, MIN(most, n));
	pthread_mutex_unlock(&f->lock);
	return taken;
}

struct pool *
fetch_pool(struct fetcher *f)
{
	return &f->pool;
}

void
fetch_free(struct fetcher **fp)
{
	struct fetcher *f = *fp;
	struct mail *m;

	if (f == NULL)
		return;
	*fp = NULL;
	pool_join(&f->pool);
	pool_release(&f->pool);
	/* Stopped: nobody began these. */
	while ((m = f->locked.head) != NULL) {
		struct fetch_item *it = (struct fetch_item *)(void *)m;

		f->locked.head = m->next;
		fetch_item_free(&it);
	}
	pthread_mutex_destroy(&f->lock);
	free(f);
}
