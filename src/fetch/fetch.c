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
