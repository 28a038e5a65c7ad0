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
#include "team/team_internal.h"

/* Return how long a client may have to wait for a request if tpslimit is
 * small. */
static uint64_t
waits_for_leave_ms(const struct team *t)
{
	return t->tpslimit == 0 ? 0 : 2 * UINT64_C(1000000) *
	    team_members_up(t) / t->tpslimit;
}

static bool
stands_by(const struct team *t, const struct member *m)
{
	size_t leases, tasks;

	dispatch_holding(t->dispatcher, m->number, &leases, &tasks);
	return m->ready && m->stall.worked && m->misses == 0 &&
	    m->want_items > 0 && tasks == 0;
}

static bool
others_stand_by(const struct team *t)
{
	for (size_t i = 0; i < t->member_count; i++)
		if (stands_by(t, t->members[i]))
			return dispatch_queued(t->dispatcher) == 0;
	return false;
}

void
team_stall_begin(struct member *m)
{
	m->stall.sum = m->signs;
	m->stall.worked = false;
	m->stall.since_ms = m->team->now_ms;
}

/* Update the stall of a member: has the member brought results or bytes, or is
 * it without tasks? */
static void
look(struct team *t, struct member *m)
{
	uint64_t sum = m->signs + m->now.bytes_sent + m->now.bytes_received +
	    m->now.bytes_read;
	size_t leases, tasks;

	dispatch_holding(t->dispatcher, m->number, &leases, &tasks);
	if (sum != m->stall.sum)
		m->stall.worked = true;
	if (sum != m->stall.sum || tasks == 0)
		m->stall.since_ms = t->now_ms;
	m->stall.sum = sum;
}

static uint64_t
limit_ms(const struct team *t, const struct member *m)
{
	uint64_t most = 2 * (t->setup.retry_for_ms + t->silence_ms);

	return waits_for_leave_ms(t) + (!m->stall.worked &&
	    others_stand_by(t) ? t->silence_ms : most);
}

void
team_stalls(struct team *t, bool was_away)
{
	struct err err = ERR_INIT;

	for (size_t i = 0; i < t->member_count; i++) {
		struct member *m = t->members[i];
		uint64_t ms;

		if (m->index == NULL)
			continue;
		look(t, m);
		if (was_away || t->stopping)
			m->stall.since_ms = t->now_ms;
		ms = t->now_ms - m->stall.since_ms;
		/* Test silence_ms first: the lower limit is cheaper to
		 * compute. */
		if (ms < t->silence_ms || ms < limit_ms(t, m))
			continue;
		err_set(&err, ERR_UNREACHABLE, 0, "brought nothing of its work "
		    "for %ju s, no result and not a byte",
		    (uintmax_t)ms / 1000);
		m->said_why = true;
		team_distrust(m);
		team_lost(t, m, &err);
	}
}
