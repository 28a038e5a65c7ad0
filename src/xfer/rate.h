/*
 * rate.h: --bwlimit, a clock of send slots shared by all workers of a run.
 * Any thread.
 */
#ifndef XFER_RATE_H
#define XFER_RATE_H

#include <stdatomic.h>

#include "base/base.h"

struct rate {
	uint64_t bytes_per_s;		/* 0: no limit */
	_Atomic uint64_t next_ns;	/* when the next slot begins */
};

/* Reserve a slot for this many bytes: the time (monotonic, ms) at which they
 * may go. */
uint64_t rate_reserve(struct rate *, uint64_t bytes, uint64_t now_ms);

#endif
