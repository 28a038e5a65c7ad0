/*
 * limits.c: the limits of the run, divided among its clients: those that
 * have work in hand share them; the others keep a little, to begin with when
 * they get some.
 */
#include "team/team_internal.h"

#define IDLE_PART	10	/* of an equal share, for who has nothing */
#define IDLE_MS		2000	/* between two leases one isn't idle */
#define DIVIDE_MS	1000	/* not more often, while the same are here */

static uint64_t
share_of(uint64_t whole, size_t count)
{
	/* 0 means that there is no limit. */
	return whole == 0 ? 0 : MAX(whole / MAX(count, 1U), 1U);
}

/* Of one that comes: it is not known yet what it will have. */
void
team_limits_first(const struct team *t, struct setup *s)
{
	s->bwlimit = share_of(t->bwlimit, team_members_up(t));
	s->tpslimit = share_of(t->tpslimit, team_members_up(t));
}

static uint64_t
divide(uint64_t whole, bool busy, size_t busy_count, size_t up)
{
	uint64_t idle = share_of(whole, up * IDLE_PART);

	if (busy_count == 0 || busy_count == up || whole == 0)
		return share_of(whole, up);
	if (!busy)
		return idle;
	return share_of(whole - MIN(whole, idle * (up - busy_count)),
	    busy_count);
}

static bool
is_busy(const struct team *t, const struct member *m)
{
	return m->index != NULL && m->busy_ms != 0 &&
	    t->now_ms - m->busy_ms < IDLE_MS;
}

/* Who has work? True: others than when the limits were last divided. */
static bool
look(struct team *t)
{
	bool other = false;

	for (size_t i = 0; i < t->member_count; i++) {
		struct member *m = t->members[i];
		size_t leases, tasks;

		desk_holding(t->desk, m->number, &leases, &tasks);
		if (tasks > 0)
			m->busy_ms = t->now_ms;
		other = other || is_busy(t, m) != m->limit_busy;
	}
	return other;
}

void
team_divide_limits(struct team *t, bool again)
{
	size_t up = team_members_up(t), busy = 0;
	struct wire_msg msg = { .type = WIRE_LIMITS };
	bool other = look(t);

	if (!again && up == t->limited && !(other &&
	    t->now_ms - t->limited_ms >= DIVIDE_MS))
		return;
	t->limited = up;
	t->limited_ms = t->now_ms;
	for (size_t i = 0; i < t->member_count; i++) {
		t->members[i]->limit_busy = is_busy(t, t->members[i]);
		busy += t->members[i]->limit_busy;
	}
	if (t->bwlimit == 0 && t->tpslimit == 0 && !again)
		return;
	for (size_t i = 0; i < t->member_count; i++) {
		struct member *m = t->members[i];

		if (m->index == NULL)
			continue;
		msg.u.limits.bwlimit = divide(t->bwlimit, m->limit_busy, busy,
		    up);
		msg.u.limits.tpslimit = divide(t->tpslimit, m->limit_busy,
		    busy, up);
		wire_send(m->index, &msg);
	}
}
