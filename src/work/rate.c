#include "work/rate.h"

#define PIECES_PER_S	50
#define PIECE_MIN	((size_t)1024)
#define PIECE_MAX	((size_t)(64 * KIB))
#define NS_PER_SEC	UINT64_C(1000000000)
#define UNUSED_NS	(NS_PER_SEC / PIECES_PER_S)	/* unused time to save
							   up */
#define AHEAD_NS	UINT64_C(10000000)	/* the precision of waits */

void
rate_set(struct rate *r, uint64_t bytes_per_s)
{
	/* A wait at the old rate might be long. */
	if (atomic_exchange(&r->bytes_per_s, bytes_per_s) != bytes_per_s)
		atomic_store(&r->next_ns, 0);
}

bool
rate_limited(const struct rate *r)
{
	return atomic_load_explicit(&r->bytes_per_s, memory_order_relaxed) > 0;
}

/* The time at which the next bytes may go, after these len bytes. Do not save
 * unused time up, but for the moment that a look at the clock takes. */
static uint64_t
after(uint64_t next, uint64_t now_ns, uint64_t len, uint64_t bytes_per_s)
{
	return MAX(next, now_ns - MIN(now_ns, UNUSED_NS)) +
	    len * NS_PER_SEC / bytes_per_s;
}

size_t
rate_take(struct rate *r, size_t want, uint64_t now_ns)
{
	uint64_t bytes_per_s = atomic_load(&r->bytes_per_s);
	uint64_t next = atomic_load(&r->next_ns);
	size_t n;

	if (bytes_per_s == 0)
		return want;
	n = (size_t)MIN(bytes_per_s / PIECES_PER_S, PIECE_MAX);
	n = MIN(want, MAX(n, PIECE_MIN));
	do {
		if (next > now_ns)
			return 0;
	} while (!atomic_compare_exchange_weak(&r->next_ns, &next,
	    after(next, now_ns, n, bytes_per_s)));
	return n;
}

uint64_t
rate_next_ms(const struct rate *r)
{
	return atomic_load(&r->next_ns) / 1000000 + 1;
}

void
rate_charge(struct rate *r, uint64_t len, uint64_t now_ns)
{
	uint64_t bytes_per_s = atomic_load(&r->bytes_per_s);
	uint64_t next = atomic_load(&r->next_ns);

	if (bytes_per_s == 0)
		return;
	while (!atomic_compare_exchange_weak(&r->next_ns, &next,
	    after(next, now_ns, len, bytes_per_s)))
		;
}

bool
rate_ready(const struct rate *r, uint64_t now_ns)
{
	return !rate_limited(r) ||
	    atomic_load(&r->next_ns) <= now_ns + AHEAD_NS;
}
