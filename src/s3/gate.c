#include "s3/gate.h"

#define NS_PER_MS	UINT64_C(1000000)
#define NS_PER_1000_S	UINT64_C(1000000000000)
/* Waits are as fine as a millisecond, and threads wake late: up to this much
 * unused time may be used later. */
#define SAVED_NS	(20 * NS_PER_MS)

/* The current wait becomes a wait at the new rate: a caller may set the limit
 * every second, and must not thereby let a request pass each time. */
void
s3_gate_limit(struct s3_gate *g, uint64_t tps)
{
	uint64_t old = atomic_exchange(&g->tps, tps);
	uint64_t next = atomic_load(&g->next_ns), last, after;

	if (old == tps)
		return;
	do {
		last = old == 0 ? 0 : next - MIN(next, NS_PER_1000_S / old);
		after = last == 0 || tps == 0 ? 0 : last + NS_PER_1000_S / tps;
	} while (!atomic_compare_exchange_weak(&g->next_ns, &next, after));
}

void
s3_gate_valid_until(struct s3_gate *g, uint64_t until_ms)
{
	atomic_store(&g->valid_until_ms, until_ms);
}

bool
s3_gate_is_valid(const struct s3_gate *g, uint64_t now_ms)
{
	uint64_t until_ms = atomic_load(&g->valid_until_ms);

	return until_ms == 0 || now_ms < until_ms;
}

uint64_t
s3_gate_left_ms(const struct s3_gate *g, uint64_t now_ms)
{
	uint64_t until_ms = atomic_load(&g->valid_until_ms);

	if (until_ms == 0)
		return UINT64_MAX;
	return until_ms <= now_ms ? 0 : until_ms - now_ms;
}

bool
s3_gate_pass(struct s3_gate *g, uint64_t now_ns)
{
	uint64_t tps = atomic_load(&g->tps), next, after;

	if (!s3_gate_is_valid(g, now_ns / NS_PER_MS))
		return false;
	if (tps == 0)
		return true;
	next = atomic_load(&g->next_ns);
	do {
		if (next > now_ns)
			return false;
		after = MAX(next, now_ns - MIN(now_ns, SAVED_NS)) +
		    NS_PER_1000_S / tps;
	} while (!atomic_compare_exchange_weak(&g->next_ns, &next, after));
	return true;
}

uint64_t
s3_gate_next_ms(const struct s3_gate *g, uint64_t now_ms)
{
	if (!s3_gate_is_valid(g, now_ms))
		return UINT64_MAX;
	if (atomic_load(&g->tps) == 0)
		return 0;
	return (atomic_load(&g->next_ns) + NS_PER_MS - 1) / NS_PER_MS;
}
