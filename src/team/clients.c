/*
 * clients.c: the clients of a team: the list, and what a client's state says.
 */
#include "team/team_internal.h"

#define GATHER_MS	3000	/* clients of a run arrive within this period */
#define JOINERS		4	/* clients assumed to join by themselves */

const char *
team_state_name(enum client_state s)
{
	static const char *const names[] = {
		[CLIENT_LAUNCHING] = "launching",
		[CLIENT_AWAITED] = "launched",
		[CLIENT_JOINED] = "joined",
		[CLIENT_WORKING] = "working",
		[CLIENT_LOST] = "lost",
		[CLIENT_FAILED] = "failed",
		[CLIENT_ENDED] = "ended",
	};

	return names[s];
}

struct team_client *
team_client_new(struct team *t, const char *host)
{
	struct team_client *c = xcalloc(1, sizeof(*c));

	c->team = t;
	c->since_ms = t->now_ms;
	str_escape(str_of(host), c->host, sizeof(c->host));
	t->clients = xreallocarray(t->clients, t->client_count + 1,
	    sizeof(struct team_client *));
	t->clients[t->client_count++] = c;
	c->number = (unsigned)t->client_count;
	return c;
}

struct team_client *
team_client(struct team *t, uint64_t number)
{
	return number == 0 || number > t->client_count ? NULL :
	    t->clients[number - 1];
}

size_t
team_clients_up(const struct team *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->client_count; i++)
		n += t->clients[i]->index != NULL;
	return n;
}

size_t
team_clients_hoped(const struct team *t)
{
	size_t n = team_clients_up(t);

	for (size_t i = 0; i < t->client_count; i++)
		n += t->clients[i]->state == CLIENT_LAUNCHING ||
		    t->clients[i]->state == CLIENT_AWAITED;
	return t->open ? MAX(n, (size_t)JOINERS) : n;
}

size_t
team_clients_soon(const struct team *t)
{
	return t->first_ms != 0 && t->now_ms - t->first_ms < GATHER_MS ?
	    team_clients_hoped(t) : team_clients_up(t);
}

bool
team_is_able(const struct team_client *c)
{
	return c->ready && c->misses < MISSES_MAX;
}

void
team_distrust(struct team_client *c)
{
	c->misses = MISSES_MAX;
	c->probe_ms = c->team->now_ms + PROBE_MS;
}

void
team_say_stop(struct team *t, uint64_t limit_ms)
{
	struct wire_msg msg = { .type = WIRE_STOP,
	    .u.stop.limit_ms = limit_ms };

	for (size_t i = 0; i < t->client_count; i++)
		if (t->clients[i]->index != NULL)
			wire_send(t->clients[i]->index, &msg);
}

bool
team_lapsing(const struct team *t)
{
	for (size_t i = 0; i < t->client_count; i++)
		if (t->clients[i]->lapse_ms != 0)
			return true;
	return false;
}

void
team_clients_free(struct team *t)
{
	for (size_t i = 0; i < t->client_count; i++) {
		wire_close(&t->clients[i]->index);
		wire_close(&t->clients[i]->status);
		free(t->clients[i]);
	}
	free(t->clients);
	t->clients = NULL;
	t->client_count = 0;
}
