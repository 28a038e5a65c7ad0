/*
 * fence.h: the times that keep a client which was given up from changing
 * anything afterwards.
 *
 * S is the silence: [socket_options] recv_timeout. The master gives a client's
 * work to others, and ends its run, no sooner than S after it last heard that
 * client. A client counts from the moment at which it *sent* the newest
 * heartbeat that the master has acknowledged, which is no later than the moment
 * at which the master heard it. From there on
 *
 *	until S/2	the client begins requests and writes;
 *	at S/2		it takes back what is under way: connections with
 *			requests that change something are reset, which throws
 *			away what lies in their buffers;
 *	2/5 S later	the kernel gives up what the other side doesn't
 *			acknowledge (TCP_USER_TIMEOUT), also of a client that
 *			is frozen and resets nothing.
 *
 * So the last byte of a lost client leaves its host before
 *
 *	S/2 + 2/5 S + (the first retransmission time-out) < S
 *
 * if that time-out is less than S/10 (it is a fraction of a second on lines
 * with delays below a second). What remains is what no sender can call back:
 * packets that are held on the way, a proxy that keeps whole requests, and one
 * call of send(2) of a process that is frozen in the middle of it.
 *
 * When the master dies there is nobody to wait for S: the next run with its
 * catalog does, which has noted S until the run ends (run_wait_late).
 */
#ifndef CREW_FENCE_H
#define CREW_FENCE_H

#include "base/base.h"

/* How long after an acknowledged heartbeat a client may begin something. */
static inline uint64_t
fence_valid_ms(uint64_t silence_ms)
{
	return silence_ms / 2;
}

static inline uint64_t
fence_unacked_ms(uint64_t silence_ms)
{
	return silence_ms * 2 / 5;
}

#endif
