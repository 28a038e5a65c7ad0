/*
 * backoff.h: how long to wait before trying again: full jitter with a cap
 * ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015). Pure: the
 * random number comes from the caller.
 */
#ifndef BASE_BACKOFF_H
#define BASE_BACKOFF_H

#include "base/base.h"

/* Milliseconds to wait before attempt number attempt (1 is the first retry):
 * uniform in [0, min(cap, base * 2^(attempt - 1))]. */
uint64_t backoff_ms(unsigned attempt, uint64_t base_ms, uint64_t cap_ms,
	    uint64_t random);

/* A fast generator for the use of a single thread (xorshift64*); never for
 * secrets. */
struct rng {
	uint64_t state;
};
void	 rng_seed(struct rng *, uint64_t);
uint64_t rng_next(struct rng *);

#endif
