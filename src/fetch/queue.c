/* The items that no worker has begun. Any thread. */
#include "fetch/fetch_internal.h"

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
