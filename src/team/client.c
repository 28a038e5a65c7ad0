/*
 * client.c: the clients of a team: how clients join, and what clients send.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/version.h"
#include "team/team_internal.h"

#define BEAT_MS		5000
#define SAMPLE_MS	1000	/* period over which paces are measured */

/* Close the client at the end of this turn; never close inside wire_service. */
static int
leave(struct team_client *c, const struct err *err)
{
	c->leave = true;
	c->err = *err;
	return -1;
}

/* --- joining --- */

static void
refuse(struct wire_peer *peer, const char *reason)
{
	struct wire_msg msg = { .type = WIRE_REFUSED };
	AUTOFREE char *text = xstrdup(reason);

	log_event(LOG_WARN, EVENT_CLIENT_REFUSED,
	    LOG_WITH(LOG_SHOW_TEXT("address", wire_name(peer)),
		LOG_TEXT("reason", reason)),
	    "%s", reason);
	msg.u.refused.reason = text;
	wire_send(peer, &msg);
	wire_close(&peer);
}

static void
welcome(struct team *t, struct wire_peer *peer, const struct team_client *c)
{
	struct wire_msg msg = { .type = WIRE_WELCOME, .u.welcome = {
	    .client = c->number, .silence_ms = t->silence_ms } };

	wire_accept(peer);
	wire_send(peer, &msg);
}

/* Send SETUP. The client must have both connections, or its answer could not be
 * received. */
static void
send_setup(struct team *t, struct team_client *c)
{
	const struct store *store = &t->conf->s3_storage;
	struct wire_msg msg = { .type = WIRE_SETUP };
	struct setup *s = &msg.u.setup;
	CLEANUP(buf_release) struct buf settings;

	buf_init(&settings, MIB);
	conf_for_clients(t->conf, &settings);
	*s = t->setup;		/* lent for the call, as all below */
	s->settings = settings.data;
	s->ca_pem = store->ca_pem;
	team_limits_first(t, s);
	if (s->s3_clock_ms != 0)
		s->s3_clock_ms += (int64_t)clock_boot_ms();
	s->keys_number = c->keys_number = keyring_get(store->keyring, &s->keys);
	c->keys_given_up = 0;
	wire_send(c->index, &msg);
	keys_release(&s->keys);
}

/* Find the client of a HELLO. An invited client has a number; a client that
 * joined by itself may come back with its number or its pid and host; any
 * further client is new. */
static struct team_client *
identify(struct team *t, const struct wire_hello *h)
{
	struct team_client *c = team_client(t, h->client);
	char host[sizeof(c->host)];

	str_escape(str_of(h->host), host, sizeof(host));
	if (c != NULL && (c->invited || (c->pid == h->pid &&
	    strcmp(c->host, host) == 0)))
		return c;
	for (size_t i = 0; i < t->client_count; i++) {
		c = t->clients[i];
		if (!c->invited && c->pid == h->pid &&
		    strcmp(c->host, host) == 0)
			return c;
	}
	return t->client_count == TEAM_CLIENTS_MAX ? NULL :
	    team_client_new(t, host);
}

bool
team_is_barred(const struct team *t, const struct team_client *c)
{
	for (size_t i = 0; i < t->client_count; i++)
		if (t->clients[i]->barred &&
		    strcmp(t->clients[i]->host, c->host) == 0)
			return true;
	return false;
}

/* A program that is restarted again and again on a host is a new client each
 * time. Copy the count of fruitless sessions from the host's last client. */
static void
inherit(struct team *t, struct team_client *c)
{
	const struct team_client *last = c;

	for (size_t i = 0; i < t->client_count; i++) {
		const struct team_client *other = t->clients[i];

		if (other != c && other->index == NULL &&
		    strcmp(other->host, c->host) == 0 && (last == c ||
		    other->since_ms >= last->since_ms))
			last = other;
	}
	c->fruitless = MAX(c->fruitless, last->fruitless);
}

static void
join(struct team *t, struct wire_peer *peer, const struct wire_hello *h)
{
	static const struct err again = { .kind = ERR_UNREACHABLE,
	    .msg = "called again on a new connection" };
	struct team_client *c = identify(t, h);

	if (c == NULL) {
		refuse(peer, "too many clients have come already");
		return;
	}
	if (c->index != NULL) {
		c->harmless = true;
		team_lost(t, c, &again);
	}
	if (team_is_barred(t, c)) {
		refuse(peer, "a client of this host sees another tree than "
		    "the master");
		return;
	}
	/* A client dials only after its earlier work has ended. */
	team_lapse(t, c);
	c->harmless = false;
	inherit(t, c);
	c->index = peer;
	c->pid = h->pid;
	c->session = ++t->sessions;
	c->state = CLIENT_JOINED;
	c->since_ms = t->now_ms;
	c->heard_ms = t->now_ms;
	c->beat_ms = t->now_ms;
	c->sample.at_ms = t->now_ms;
	c->sample.items = c->moved + c->failed;
	c->sample.bytes = 0;
	err_clear(&c->err);
	c->said_why = false;
	team_stall_begin(c);
	if (t->first_ms == 0)
		t->first_ms = t->now_ms;
	log_event(LOG_INFO, EVENT_CLIENT_JOINED,
	    LOG_WITH(LOG_SHOW_NUMBER("client", c->number),
		LOG_SHOW_TEXT("client_host", c->host),
		LOG_SHOW_TEXT("address", wire_name(peer))),
	    "it works for this run now");
	welcome(t, peer, c);
	team_divide_limits(t, false);
}

static void
join_status(struct team *t, struct wire_peer *peer,
    const struct wire_hello *h)
{
	struct team_client *c = team_client(t, h->client);

	if (c == NULL || c->index == NULL || c->pid != h->pid ||
	    c->status != NULL) {
		refuse(peer, "this client has not called on port_index");
		return;
	}
	c->status = peer;
	c->heard_ms = t->now_ms;
	welcome(t, peer, c);
	send_setup(t, c);
}

void
team_hello(void *arg, struct wire_peer *peer, struct wire_hello *h)
{
	struct team *t = arg;
	char reason[232];

	if (h->protocol != WIRE_PROTOCOL ||
	    strcmp(h->version, DATAMOVER_VERSION) != 0) {
		char version[64];

		str_escape(str_of(h->version), version, sizeof(version));
		snprintf(reason, sizeof(reason), "the client is datamover %s "
		    "(protocol %u), the master %s (protocol %u): they must "
		    "be the same", version, h->protocol, DATAMOVER_VERSION,
		    WIRE_PROTOCOL);
		refuse(peer, reason);
	} else if (t->stopping) {
		/* Close without REFUSED: the client may then ask the next
		 * run. */
		wire_close(&peer);
	} else if (h->channel == 0) {
		join(t, peer, h);
	} else {
		join_status(t, peer, h);
	}
}

/* --- messages from clients --- */

static void
send_beat(struct team_client *c, struct wire_peer *to)
{
	struct wire_msg beat = { .type = WIRE_BEAT,
	    .u.beat.heard_ms = c->stamp_ms };

	wire_send(to, &beat);
}

static void
take_heartbeat(struct team_client *c, const struct wire_heartbeat *h)
{
	uint64_t now = c->team->now_ms, items, bytes;
	double s;

	c->now = *h;
	c->stamp_ms = h->sent_ms;
	send_beat(c, c->status);
	if (now - c->sample.at_ms < SAMPLE_MS)
		return;
	items = c->moved + c->failed;
	bytes = h->bytes_sent + h->bytes_received;
	s = (double)(now - c->sample.at_ms) / 1000;
	c->items_per_s = (c->items_per_s +
	    (double)(items - c->sample.items) / s) / 2;
	c->bytes_per_s = (c->bytes_per_s + (double)(bytes -
	    MIN(bytes, c->sample.bytes)) / s) / 2;
	c->sample.at_ms = now;
	c->sample.items = items;
	c->sample.bytes = bytes;
}

static int
unexpected(struct team_client *c, const struct wire_msg *msg)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_PEER, 0, "sent %s, which has no place here",
	    wire_type_name(msg->type));
	return leave(c, &err);
}

static int
on_index(struct team_client *c, struct wire_msg *msg)
{
	switch (msg->type) {
	case WIRE_READY:
		c->ready = true;
		c->state = CLIENT_WORKING;
		c->since_ms = c->team->now_ms;
		break;
	case WIRE_WANT:
		c->want_items = msg->u.want.items;
		c->want_bytes = msg->u.want.bytes;
		break;
	case WIRE_BEAT:
		break;
	default:
		return unexpected(c, msg);
	}
	return 0;
}

static int
on_bye(struct team_client *c, const struct wire_bye *bye)
{
	c->leave = true;
	c->idle = bye->idle;
	c->err = bye->err;
	c->said_why = bye->err.kind != ERR_NONE;
	return -1;
}

static int
on_status(struct team_client *c, struct wire_msg *msg)
{
	struct err err = ERR_INIT;

	c->signs += msg->type != WIRE_HEARTBEAT &&
	    msg->type != WIRE_RETURNED;
	switch (msg->type) {
	case WIRE_RESULTS:
		team_results(c, &msg->u.results);
		break;
	case WIRE_FETCHED:
		team_fetched(c, &msg->u.fetched);
		break;
	case WIRE_DELETED:
		if (team_deleted(c, &msg->u.deleted, &err) == -1)
			return leave(c, &err);
		break;
	case WIRE_NOTE:
		team_note(c, &msg->u.note);
		break;
	case WIRE_RETURNED:
		team_returned(c, &msg->u.returned);
		break;
	case WIRE_HEARTBEAT:
		take_heartbeat(c, &msg->u.heartbeat);
		break;
	case WIRE_EXPIRED:
		team_expired(c, msg->u.expired.number);
		break;
	case WIRE_BYE:
		return on_bye(c, &msg->u.bye);
	default:
		return unexpected(c, msg);
	}
	return 0;
}

static void
heard(struct team_client *c)
{
	c->heard_ms = c->team->now_ms;
	dispatch_heard(c->team->dispatcher, c->number, c->heard_ms);
}

static bool
index_msg(void *arg, struct wire_msg *msg)
{
	struct team_client *c = arg;

	heard(c);
	return on_index(c, msg) == 0;
}

static bool
status_msg(void *arg, struct wire_msg *msg)
{
	struct team_client *c = arg;

	heard(c);
	return on_status(c, msg) == 0;
}

size_t
team_clients_fds(struct team *t, struct pollfd *fds)
{
	size_t n = 0;

	for (size_t i = 0; i < t->client_count; i++) {
		const struct team_client *c = t->clients[i];

		if (c->index != NULL)
			fds[n++] = (struct pollfd){ .fd = wire_fd(c->index),
			    .events = wire_events(c->index) };
		if (c->status != NULL)
			fds[n++] = (struct pollfd){ .fd = wire_fd(c->status),
			    .events = wire_events(c->status) };
	}
	return n;
}

/* Serve the status connection first: messages sent before the client went away
 * count. */
static void
service(struct team *t, struct team_client *c, bool index, bool status)
{
	struct err err = ERR_INIT;
	bool gone = false;

	if (c->status != NULL && (status || index))
		gone = wire_service(c->status, status_msg, c, &err) == -1;
	team_flush(t);
	if (!gone && index)
		gone = wire_service(c->index, index_msg, c, &err) == -1;
	if (!gone)
		return;
	if (c->leave)
		err = c->err;
	team_lost(t, c, err.kind == ERR_NONE || t->stopping ? NULL : &err);
}

void
team_clients_service(struct team *t, const struct pollfd *fds)
{
	size_t n = 0;

	for (size_t i = 0; i < t->client_count; i++) {
		struct team_client *c = t->clients[i];
		bool index = c->index != NULL && fds[n++].revents != 0;
		bool status = c->status != NULL && fds[n++].revents != 0;

		if (index || status)
			service(t, c, index, status);
	}
}

void
team_clients_turn(struct team *t)
{
	uint64_t beat_ms = MIN((uint64_t)BEAT_MS, t->silence_ms / 3);
	/* If this process was stopped, messages of the clients still wait to be
	 * read. */
	bool was_away = t->now_ms - t->turn_ms > t->silence_ms / 2;
	struct err err = ERR_INIT;

	t->turn_ms = t->now_ms;
	for (size_t i = 0; i < t->client_count; i++) {
		struct team_client *c = t->clients[i];

		if (c->lapse_ms != 0 && t->now_ms >= c->lapse_ms)
			team_lapse(t, c);
		if (c->index == NULL)
			continue;
		if (!was_away && t->now_ms - c->heard_ms >= t->silence_ms) {
			c->harmless = true;
			err_set(&err, ERR_UNREACHABLE, 0, "silent for %ju s",
			    (uintmax_t)(t->now_ms - c->heard_ms) / 1000);
			team_lost(t, c, &err);
		} else if (t->now_ms - c->beat_ms >= beat_ms) {
			c->beat_ms = t->now_ms;
			send_beat(c, c->index);
		}
	}
	team_stalls(t, was_away);
}
