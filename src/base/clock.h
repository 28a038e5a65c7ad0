/*
 * clock.h: the clocks. Waits and rates use the monotonic clock; only times for
 * people or S3 use the wall clock.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/base.h"

/* Milliseconds and nanoseconds of the monotonic clock. */
uint64_t clock_mono_ms(void);
uint64_t clock_mono_ns(void);
/* Milliseconds since the machine booted. Nobody can set this clock, and the
 * clock goes on while the machine sleeps. */
uint64_t clock_boot_ms(void);
/* Nanoseconds since 1970 (UTC). */
int64_t	 clock_wall_ns(void);
/* Seconds since 1970 as 2026-11-22T12:00:00Z; out has room for 32 bytes. */
void	 clock_iso8601(int64_t sec, char out[32]);

#endif
