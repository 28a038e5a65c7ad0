/*
 * rate.h: --bwlimit: a clock shared by the workers of an engine, with the time
 * at which the next bytes may go. Any thread; the rate may change at any time.
 */
#ifndef WORK_RATE_H
#define WORK_RATE_H

#include <stdatomic.h>

#include "base/base.h"

struct rate {
	_Atomic uint64_t bytes_per_s;	/* 0: no limit */
	_Atomic uint64_t next_ns;	/* monotonic */
};

void	 rate_set(struct rate *, uint64_t bytes_per_s);
bool	 rate_limited(const struct rate *);

/* Sending: return how many of want bytes may go now; 0: none before
 * rate_next_ms. The bytes are granted in small pieces, so that the average
 * holds over any second. */
size_t	 rate_take(struct rate *, size_t want, uint64_t now_ns);
uint64_t rate_next_ms(const struct rate *);

/* Receiving: charge for bytes already received, and ask for no more bytes until
 * the rate is ready again. */
void	 rate_charge(struct rate *, uint64_t len, uint64_t now_ns);
bool	 rate_ready(const struct rate *, uint64_t now_ns);

#endif
