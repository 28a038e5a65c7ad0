/*
 * gate.h: when a request may begin: at most so many a second, and none
 * after a moment that has to be moved on again and again; what changes
 * something and is under way then is taken back. One gate is shared by the
 * clients of several threads.
 *
 * Pure: the time, monotonic, comes from the caller. Thread: any.
 */
#ifndef S3_GATE_H
#define S3_GATE_H

#include <stdatomic.h>

#include "base/base.h"

/* Begins as zeros: nothing is limited. */
struct s3_gate {
	_Atomic uint64_t tps;		/* requests in 1,000 s; 0: no limit */
	_Atomic uint64_t next_ns;
	_Atomic uint64_t valid_until_ms; /* 0: for ever */
};

void	 s3_gate_limit(struct s3_gate *, uint64_t tps);
/* No request begins at or after this moment (clock_mono_ms; 0: no such
 * moment), until it is moved on: a process that was frozen must not go on
 * with work that was given to others meanwhile. */
void	 s3_gate_valid_until(struct s3_gate *, uint64_t until_ms);
/* That moment has not come. */
bool	 s3_gate_is_valid(const struct s3_gate *, uint64_t now_ms);
/* Milliseconds until it comes; UINT64_MAX: there is none. */
uint64_t s3_gate_left_ms(const struct s3_gate *, uint64_t now_ms);
/* One request may begin now; it is counted. */
bool	 s3_gate_pass(struct s3_gate *, uint64_t now_ns);
/* When the next may; UINT64_MAX: not before the end is moved on. */
uint64_t s3_gate_next_ms(const struct s3_gate *, uint64_t now_ms);

#endif
