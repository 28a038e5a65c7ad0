/*
 * rate.h: --bwlimit: one clock shared by all workers of a run, at which the
 * next bytes may go. Any thread.
 */
#ifndef XFER_RATE_H
#define XFER_RATE_H

#include <stdatomic.h>

#include "base/base.h"

struct rate {
	uint64_t bytes_per_s;		/* 0: no limit */
	_Atomic uint64_t next_ns;	/* monotonic */
};

/* How many of want bytes may go now; 0: none before rate_next_ms. Bytes come
 * in small pieces, so that the average holds over any second. */
size_t	 rate_take(struct rate *, size_t want, uint64_t now_ns);
uint64_t rate_next_ms(const struct rate *);

#endif
