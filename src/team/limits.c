/*
 * limits.c: divides the limits of the run among its clients. Clients with work
 * in hand share the limits; idle clients keep a little, to begin with when work
 * comes.
 */
#include "team/team_internal.h"

#define IDLE_PART	10	/* divisor: an idle client gets this part of an
				   equal share */
#define IDLE_MS		2000	/* between two leases a client is not idle */
#define DIVIDE_MS	1000	/* time between divisions while the same clients
				   are here */

static uint64_t
share_of(uint64_t whole, size_t count)
{
	/* 0 means no limit. */
	return whole == 0 ? 0 : MAX(whole / MAX(count, 1U), 1U);
}

/* Give a new client an equal share: its load is not known yet. */
void
team_limits_first(const struct team *t, struct setup *s)
{
	s->bwlimit = share_of(t->bwlimit, team_clients_up(t));
	s->tpslimit = share_of(t->tpslimit, team_clients_up(t));
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
is_busy(const struct team *t, const struct team_client *c)
{
	return c->index != NULL && c->busy_ms != 0 &&
	    t->now_ms - c->busy_ms < IDLE_MS;
}

/* Find the clients that have work. Return true if any client has become busy or
 * idle since the last division. */
static bool
look(struct team *t)
{
	bool other = false;

	for (size_t i = 0; i < t->client_count; i++) {
		struct team_client *c = t->clients[i];
		size_t leases, tasks;

		dispatch_holding(t->dispatcher, c->number, &leases, &tasks);
		if (tasks > 0)
			c->busy_ms = t->now_ms;
		other = other || is_busy(t, c) != c->limit_busy;
	}
	return other;
}

void
team_divide_limits(struct team *t, bool again)
{
	size_t up = team_clients_up(t), busy = 0;
	struct wire_msg msg = { .type = WIRE_LIMITS };
	bool other = look(t);

	if (!again && up == t->limited && !(other &&
	    t->now_ms - t->limited_ms >= DIVIDE_MS))
		return;
	t->limited = up;
	t->limited_ms = t->now_ms;
	for (size_t i = 0; i < t->client_count; i++) {
		t->clients[i]->limit_busy = is_busy(t, t->clients[i]);
		busy += t->clients[i]->limit_busy;
	}
	if (t->bwlimit == 0 && t->tpslimit == 0 && !again)
		return;
	for (size_t i = 0; i < t->client_count; i++) {
		struct team_client *c = t->clients[i];

		if (c->index == NULL)
			continue;
		msg.u.limits.bwlimit = divide(t->bwlimit, c->limit_busy, busy,
		    up);
		msg.u.limits.tpslimit = divide(t->tpslimit, c->limit_busy,
		    busy, up);
		wire_send(c->index, &msg);
	}
}
