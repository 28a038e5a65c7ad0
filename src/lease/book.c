#include "lease/book.h"

#define FIRST_COUNT	64	/* of a holder whose pace is not known */

struct out {
	int64_t	 lease;
	uint32_t epoch;
	unsigned holder;
	size_t	 left;
	uint64_t deadline_ms;
};

/* What a holder does in a second, as an average that forgets. */
struct pace {
	uint64_t since_ms;
	double	 items;		/* in this window */
	double	 bytes;
	double	 items_per_s;
	double	 bytes_per_s;
};

struct lease_book {
	struct lease_limits limits;
	struct out *out;
	size_t	 out_count;
	size_t	 out_cap;
	struct pace *pace;	/* by holder */
	size_t	 pace_count;
	size_t	 items;
};

struct lease_book *
lease_book_new(const struct lease_limits *l)
{
	struct lease_book *b = xcalloc(1, sizeof(*b));

	b->limits = *l;
	return b;
}

void
lease_book_free(struct lease_book **bp)
{
	if (*bp == NULL)
		return;
	free((*bp)->out);
	free((*bp)->pace);
	free(*bp);
	*bp = NULL;
}

static struct pace *
pace_of(struct lease_book *b, unsigned holder)
{
	if (holder >= b->pace_count) {
		b->pace = xreallocarray(b->pace, holder + 1,
		    sizeof(*b->pace));
		memset(b->pace + b->pace_count, 0, (holder + 1 -
		    b->pace_count) * sizeof(*b->pace));
		b->pace_count = holder + 1;
	}
	return &b->pace[holder];
}

void
lease_book_size(const struct lease_book *b, unsigned holder,
    size_t *ret_count, uint64_t *ret_bytes)
{
	const struct lease_limits *l = &b->limits;
	double s = (double)l->target_ms / 1000;
	double items = FIRST_COUNT, bytes = (double)l->max_bytes;

	if (holder < b->pace_count && b->pace[holder].items_per_s > 0) {
		items = b->pace[holder].items_per_s * s;
		bytes = b->pace[holder].bytes_per_s * s;
	}
	*ret_count = MIN(l->max_count, (size_t)MAX(items, 1.0));
	*ret_bytes = MIN(l->max_bytes, (uint64_t)MAX(bytes, 1.0));
}

void
lease_book_grant(struct lease_book *b, int64_t lease, uint32_t epoch,
    unsigned holder, size_t items, uint64_t now_ms)
{
	struct pace *p = pace_of(b, holder);

	if (p->since_ms == 0)
		p->since_ms = now_ms;
	if (b->out_count == b->out_cap) {
		b->out_cap = MAX(b->out_cap * 2, (size_t)16);
		b->out = xreallocarray(b->out, b->out_cap, sizeof(*b->out));
	}
	b->out[b->out_count++] = (struct out){ .lease = lease, .epoch = epoch,
	    .holder = holder, .left = items,
	    .deadline_ms = now_ms + b->limits.silence_ms };
	b->items += items;
}

static struct out *
find(struct lease_book *b, int64_t lease)
{
	for (size_t i = 0; i < b->out_count; i++)
		if (b->out[i].lease == lease)
			return &b->out[i];
	return NULL;
}

static void
drop(struct lease_book *b, struct out *o)
{
	b->items -= o->left;
	*o = b->out[--b->out_count];
}

static void
count_pace(struct pace *p, size_t items, uint64_t bytes, uint64_t now_ms)
{
	double s;

	p->items += (double)items;
	p->bytes += (double)bytes;
	if (now_ms - p->since_ms < 1000)
		return;
	s = (double)(now_ms - p->since_ms) / 1000;
	if (p->items_per_s > 0) {
		p->items_per_s = (p->items_per_s + p->items / s) / 2;
		p->bytes_per_s = (p->bytes_per_s + p->bytes / s) / 2;
	} else {
		p->items_per_s = p->items / s;
		p->bytes_per_s = p->bytes / s;
	}
	p->items = 0;
	p->bytes = 0;
	p->since_ms = now_ms;
}

bool
lease_book_results(struct lease_book *b, int64_t lease, uint32_t epoch,
    size_t count, uint64_t bytes, uint64_t now_ms)
{
	struct out *o = find(b, lease);

	if (o == NULL || o->epoch != epoch || count > o->left)
		return false;
	o->left -= count;
	b->items -= count;
	o->deadline_ms = now_ms + b->limits.silence_ms;
	count_pace(pace_of(b, o->holder), count, bytes, now_ms);
	if (o->left == 0)
		drop(b, o);
	return true;
}

void
lease_book_heard(struct lease_book *b, unsigned holder, uint64_t now_ms)
{
	for (size_t i = 0; i < b->out_count; i++)
		if (b->out[i].holder == holder)
			b->out[i].deadline_ms = now_ms + b->limits.silence_ms;
}

static void
take_back(struct lease_book *b, size_t i, lease_back_fn *fn, void *arg)
{
	int64_t lease = b->out[i].lease;
	uint32_t epoch = b->out[i].epoch + 1;

	drop(b, &b->out[i]);
	fn(arg, lease, epoch);
}

void
lease_book_lost(struct lease_book *b, unsigned holder, lease_back_fn *fn,
    void *arg)
{
	for (size_t i = b->out_count; i-- > 0;)
		if (b->out[i].holder == holder)
			take_back(b, i, fn, arg);
}

void
lease_book_expire(struct lease_book *b, uint64_t now_ms, lease_back_fn *fn,
    void *arg)
{
	for (size_t i = b->out_count; i-- > 0;)
		if (b->out[i].deadline_ms <= now_ms)
			take_back(b, i, fn, arg);
}

size_t
lease_book_count(const struct lease_book *b)
{
	return b->out_count;
}

size_t
lease_book_items(const struct lease_book *b)
{
	return b->items;
}
