/*
 * members.c: the clients of a team: the list, and what a member's state says.
 */
#include "team/team_internal.h"

#define GATHER_MS	3000	/* clients of a run arrive within this period */
#define JOINERS		4	/* clients assumed to join by themselves */

const char *
team_state_name(enum member_state s)
{
	static const char *const names[] = {
		[MEMBER_LAUNCHING] = "launching",
		[MEMBER_AWAITED] = "launched",
		[MEMBER_JOINED] = "joined",
		[MEMBER_WORKING] = "working",
		[MEMBER_LOST] = "lost",
		[MEMBER_FAILED] = "failed",
		[MEMBER_ENDED] = "ended",
	};

	return names[s];
}

struct member *
team_member_new(struct team *t, const char *host)
{
	struct member *m = xcalloc(1, sizeof(*m));

	m->team = t;
	m->since_ms = t->now_ms;
	str_escape(str_of(host), m->host, sizeof(m->host));
	t->members = xreallocarray(t->members, t->member_count + 1,
	    sizeof(struct member *));
	t->members[t->member_count++] = m;
	m->number = (unsigned)t->member_count;
	return m;
}

struct member *
team_member(struct team *t, uint64_t number)
{
	return number == 0 || number > t->member_count ? NULL :
	    t->members[number - 1];
}

size_t
team_members_up(const struct team *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->member_count; i++)
		n += t->members[i]->index != NULL;
	return n;
}

size_t
team_members_hoped(const struct team *t)
{
	size_t n = team_members_up(t);

	for (size_t i = 0; i < t->member_count; i++)
		n += t->members[i]->state == MEMBER_LAUNCHING ||
		    t->members[i]->state == MEMBER_AWAITED;
	return t->open ? MAX(n, (size_t)JOINERS) : n;
}

size_t
team_members_soon(const struct team *t)
{
	return t->first_ms != 0 && t->now_ms - t->first_ms < GATHER_MS ?
	    team_members_hoped(t) : team_members_up(t);
}

bool
team_is_able(const struct member *m)
{
	return m->ready && m->misses < MISSES_MAX;
}

void
team_distrust(struct member *m)
{
	m->misses = MISSES_MAX;
	m->probe_ms = m->team->now_ms + PROBE_MS;
}

void
team_say_stop(struct team *t, uint64_t limit_ms)
{
	struct wire_msg msg = { .type = WIRE_STOP,
	    .u.stop.limit_ms = limit_ms };

	for (size_t i = 0; i < t->member_count; i++)
		if (t->members[i]->index != NULL)
			wire_send(t->members[i]->index, &msg);
}

bool
team_lapsing(const struct team *t)
{
	for (size_t i = 0; i < t->member_count; i++)
		if (t->members[i]->lapse_ms != 0)
			return true;
	return false;
}

void
team_members_free(struct team *t)
{
	for (size_t i = 0; i < t->member_count; i++) {
		wire_close(&t->members[i]->index);
		wire_close(&t->members[i]->status);
		free(t->members[i]);
	}
	free(t->members);
	t->members = NULL;
	t->member_count = 0;
}
