/*
 * clock.h: the clocks. Waiting and rates use the monotonic one; only what
 * people or S3 read uses the wall clock.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/base.h"

/* Milliseconds and nanoseconds of the monotonic clock. */
uint64_t clock_mono_ms(void);
uint64_t clock_mono_ns(void);
/* Milliseconds since the machine booted. Nobody sets it, and it goes on while
 * the machine sleeps. */
uint64_t clock_boot_ms(void);
/* Nanoseconds since 1970 (UTC). */
int64_t	 clock_wall_ns(void);
/* Seconds since 1970 as 2026-11-22T12:00:00Z; out has room for 32 bytes. */
void	 clock_iso8601(int64_t sec, char out[32]);

#endif
