/*
 * fence.h: the times that keep a client given up by the master from changing
 * anything afterwards.
 *
 * S is the silence: [socket_options] recv_timeout. The master gives a client's
 * work to others, and ends its run, no sooner than S after it last heard that
 * client. A client counts from the moment at which it *sent* the newest
 * heartbeat that the master has acknowledged, which is no later than the moment
 * at which the master heard the heartbeat. From there on
 *
 *	until S/2	the client begins requests and writes;
 *	at S/2		the client takes back its outstanding requests:
 *			connections with requests that change something are
 *			reset, and a reset throws away the bytes in their
 *			buffers;
 *	2/5 S later	the kernel gives up bytes that the other side doesn't
 *			acknowledge (TCP_USER_TIMEOUT), also of a client that
 *			is frozen and resets nothing.
 *
 * So the last byte of a lost client leaves its host before
 *
 *	S/2 + 2/5 S + (the first retransmission time-out) < S
 *
 * if that time-out is less than S/10 (the time-out is a fraction of a second on
 * lines with delays below a second). No sender can call back packets held on
 * the way, requests kept whole by a proxy, and the bytes in a single call of
 * send(2) of a process frozen in the middle of the call.
 *
 * After the death of the master no process waits for S. The next run with the
 * master's catalog does so, because the catalog has noted S until the end of
 * the run (run_wait_late).
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
