/*
 * stall.c: clients whose heartbeats arrive, but that bring nothing of the work
 * in hand: no result, not a byte. Such clients count as lost.
 *
 * A client that has brought nothing in this session, while a proven client
 * stands by, cannot reach a server that the proven client reaches: the limit is
 * silence_ms, not minutes. Any further client gets twice the time after which
 * it would give up by itself: a thread hangs there, in a file system most
 * likely.
 */
#include "target/plan.h"
#include "team/team_internal.h"

/* Return how long a client may have to wait for a request if tpslimit is
 * small. */
static uint64_t
waits_for_leave_ms(const struct team *t)
{
	return t->tpslimit == 0 ? 0 : 2 * UINT64_C(1000000) *
	    team_clients_up(t) / t->tpslimit;
}

static bool
stands_by(const struct team *t, const struct team_client *c)
{
	size_t leases, tasks;

	dispatch_holding(t->dispatcher, c->number, &leases, &tasks);
	return c->ready && c->stall.worked && c->misses == 0 &&
	    c->want_items > 0 && tasks == 0;
}

static bool
others_stand_by(const struct team *t)
{
	for (size_t i = 0; i < t->client_count; i++)
		if (stands_by(t, t->clients[i]))
			return dispatch_queued(t->dispatcher) == 0;
	return false;
}

void
team_stall_begin(struct team_client *c)
{
	c->stall.sum = c->signs;
	c->stall.worked = false;
	c->stall.since_ms = c->team->now_ms;
}

/* Update the stall of a client: has the client brought results or bytes, or is
 * it without tasks? */
static void
look(struct team *t, struct team_client *c)
{
	uint64_t sum = c->signs + c->now.bytes_sent + c->now.bytes_received +
	    c->now.bytes_read;
	size_t leases, tasks;

	dispatch_holding(t->dispatcher, c->number, &leases, &tasks);
	if (sum != c->stall.sum)
		c->stall.worked = true;
	if (sum != c->stall.sum || tasks == 0)
		c->stall.since_ms = t->now_ms;
	c->stall.sum = sum;
}

static uint64_t
limit_ms(const struct team *t, const struct team_client *c)
{
	uint64_t most = 2 * (plan_retry_ms(t->conf) + t->silence_ms);

	return waits_for_leave_ms(t) + (!c->stall.worked &&
	    others_stand_by(t) ? t->silence_ms : most);
}

void
team_stalls(struct team *t, bool was_away)
{
	struct err err = ERR_INIT;

	for (size_t i = 0; i < t->client_count; i++) {
		struct team_client *c = t->clients[i];
		uint64_t ms;

		if (c->index == NULL)
			continue;
		look(t, c);
		if (was_away || t->stopping)
			c->stall.since_ms = t->now_ms;
		ms = t->now_ms - c->stall.since_ms;
		/* Test silence_ms first: the lower limit is cheaper to
		 * compute. */
		if (ms < t->silence_ms || ms < limit_ms(t, c))
			continue;
		err_set(&err, ERR_UNREACHABLE, 0, "brought nothing of its work "
		    "for %ju s, no result and not a byte",
		    (uintmax_t)ms / 1000);
		c->said_why = true;
		team_distrust(c);
		team_lost(t, c, &err);
	}
}
