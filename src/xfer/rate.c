#include "xfer/rate.h"

uint64_t
rate_reserve(struct rate *r, uint64_t bytes, uint64_t now_ms)
{
	uint64_t now_ns = now_ms * 1000000, start, next;

	if (r->bytes_per_s == 0)
		return now_ms;
	next = atomic_load(&r->next_ns);
	do {
		start = MAX(next, now_ns);
	} while (!atomic_compare_exchange_weak(&r->next_ns, &next, start +
	    (uint64_t)((double)bytes * 1e9 / (double)r->bytes_per_s)));
	return start / 1000000;
}
