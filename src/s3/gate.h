/*
 * gate.h: decide when a request may begin: at most tps in 1,000 s, and none
 * after the valid_until moment, unless the owner moves the moment on again and
 * again. Once the moment has come, the client takes back the requests under way
 * with an effect on the store. The clients of several threads share one gate.
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
/* No request begins at or after this moment (clock_mono_ms; 0: no such moment),
 * until the owner moves the moment on: a process thawed after a freeze must not
 * go on with work meanwhile given to another client. */
void	 s3_gate_valid_until(struct s3_gate *, uint64_t until_ms);
/* Return true if the moment of s3_gate_valid_until has not come. */
bool	 s3_gate_is_valid(const struct s3_gate *, uint64_t now_ms);
/* Return the milliseconds until this moment comes; UINT64_MAX: no moment is
 * set. */
uint64_t s3_gate_left_ms(const struct s3_gate *, uint64_t now_ms);
/* Return true if a request may begin now; the gate counts the request. */
bool	 s3_gate_pass(struct s3_gate *, uint64_t now_ns);
/* Return when the next request may begin; UINT64_MAX: not before the owner
 * moves the end on. */
uint64_t s3_gate_next_ms(const struct s3_gate *, uint64_t now_ms);

#endif
