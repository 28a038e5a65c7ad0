#include "base/backoff.h"

uint64_t
backoff_ms(unsigned attempt, uint64_t base_ms, uint64_t cap_ms,
    uint64_t random)
{
	uint64_t top = base_ms;

	for (unsigned i = 1; i < attempt && top < cap_ms; i++)
		top *= 2;
	top = MIN(top, cap_ms);
	return random % (top + 1);
}

void
rng_seed(struct rng *r, uint64_t seed)
{
	r->state = seed == 0 ? 0x9e3779b97f4a7c15U : seed;
}

uint64_t
rng_next(struct rng *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * 0x2545f4914f6cdd1dU;
}
