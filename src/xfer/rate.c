#include "xfer/rate.h"

#define PIECES_PER_S	50
#define PIECE_MIN	((size_t)1024)
#define PIECE_MAX	((size_t)(64 * KIB))

size_t
rate_take(struct rate *r, size_t want, uint64_t now_ns)
{
	uint64_t next, after;
	size_t n;

	if (r->bytes_per_s == 0)
		return want;
	n = (size_t)MIN(r->bytes_per_s / PIECES_PER_S, PIECE_MAX);
	n = MIN(want, MAX(n, PIECE_MIN));
	next = atomic_load(&r->next_ns);
	do {
		if (next > now_ns)
			return 0;
		/* Time that nobody used is not saved up, but for the moment
		 * that it took to look. */
		after = MAX(next, now_ns - MIN(now_ns, 1000000000U /
		    PIECES_PER_S)) + n * 1000000000U / r->bytes_per_s;
	} while (!atomic_compare_exchange_weak(&r->next_ns, &next, after));
	return n;
}

uint64_t
rate_next_ms(const struct rate *r)
{
	return atomic_load(&r->next_ns) / 1000000 + 1;
}
