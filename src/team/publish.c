/*
 * publish.c: the figures of a team for people: a line for each client that is
 * here or may come, a line for each of the last GONE_SHOWN clients that are
 * gone, and a sum for all earlier clients. Clients may come and go all night.
 */
#include "team/team_internal.h"

#define PUBLISH_MS	200
#define GONE_SHOWN	100

static void
describe(struct team *t, const struct team_client *c, struct client_line *line)
{
	size_t leases, items;

	memset(line, 0, sizeof(*line));
	line->number = c->number;
	memcpy(line->host, c->host, sizeof(line->host));
	snprintf(
	    line->state, sizeof(line->state), "%s", team_state_name(c->state));
	dispatch_holding(t->dispatcher, c->number, &leases, &items);
	line->leases = leases;
	line->items = items;
	line->moved = c->moved;
	line->failed = c->failed;
	line->bytes = MAX(c->bytes, c->before.bytes_sent +
	    c->before.bytes_received + c->now.bytes_sent +
	    c->now.bytes_received);
	line->items_per_s = c->items_per_s;
	line->bytes_per_s = c->bytes_per_s;
	if (c->heard_ms != 0)
		line->heard_ms = t->now_ms - c->heard_ms;
	str_escape(str_of(c->err.msg), line->reason, sizeof(line->reason));
}

static void
add_stats(struct crew_stats *s, const struct wire_heartbeat *h)
{
	s->s3.requests += h->requests;
	s->s3.retries += h->retries;
	s->s3.slowdowns += h->slowdowns;
	s->s3.bytes_sent += h->bytes_sent;
	s->s3.bytes_received += h->bytes_received;
	s->bytes_read += h->bytes_read;
}

static bool
is_gone(const struct team_client *c)
{
	return c->state >= CLIENT_LOST && c->index == NULL &&
	    c->lapse_ms == 0;
}

static int
compare_times(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? 1 : *x > *y ? -1 : 0;
}

/* Return the time of the first loss to show: clients gone earlier are only in
 * the sum. Return 0 if all clients are shown. */
static uint64_t
shown_since_ms(const struct team *t)
{
	AUTOFREE uint64_t *v = xcalloc(t->client_count + 1, sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; i < t->client_count; i++)
		if (is_gone(t->clients[i]))
			v[n++] = t->clients[i]->since_ms;
	if (n <= GONE_SHOWN)
		return 0;
	qsort(v, n, sizeof(*v), compare_times);
	/* Show, or sum, all clients gone in the same millisecond. */
	return v[GONE_SHOWN - 1] == v[GONE_SHOWN] ? v[GONE_SHOWN] + 1 :
	    v[GONE_SHOWN - 1];
}

static void
add_line(struct client_line *sum, const struct client_line *c)
{
	sum->moved += c->moved;
	sum->failed += c->failed;
	sum->bytes += c->bytes;
}

/* Write the lines to v, which must have room for every line; return their
 * number. */
static size_t
describe_all(struct team *t, struct client_line *v)
{
	uint64_t since_ms = shown_since_ms(t);
	struct client_line sum = { .state = "gone" };
	size_t n = 0, summed = 0;

	for (size_t i = 0; i < t->client_count; i++) {
		const struct team_client *c = t->clients[i];

		describe(t, c, &v[n]);
		if (is_gone(c) && c->since_ms < since_ms) {
			add_line(&sum, &v[n]);
			summed++;
		} else {
			n++;
		}
	}
	if (summed == 0)
		return n;
	snprintf(sum.host, sizeof(sum.host), "%zu others", summed);
	v[n++] = sum;
	return n;
}

void
team_publish(struct team *t, bool now)
{
	struct crew_stats sum;

	if (!now && t->now_ms - t->publish_ms < PUBLISH_MS)
		return;
	t->publish_ms = t->now_ms;
	memset(&sum, 0, sizeof(sum));
	pthread_mutex_lock(&t->lock);
	if (t->locked.client_cap < t->client_count + 1) {
		t->locked.client_cap = 2 * t->client_count + 1;
		t->locked.clients = xreallocarray(t->locked.clients,
		    t->locked.client_cap, sizeof(struct client_line));
	}
	t->locked.client_count = describe_all(t, t->locked.clients);
	for (size_t i = 0; i < t->client_count; i++) {
		add_stats(&sum, &t->clients[i]->before);
		add_stats(&sum, &t->clients[i]->now);
	}
	t->locked.stats = sum;
	pthread_mutex_unlock(&t->lock);
}
