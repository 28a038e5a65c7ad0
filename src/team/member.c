/*
 * member.c: the clients of a team: how clients join, and what clients send.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/version.h"
#include "team/team_internal.h"

#define BEAT_MS		5000
#define SAMPLE_MS	1000	/* period over which paces are measured */

/* Close the member at the end of this turn; never close inside wire_service. */
static int
leave(struct member *m, const struct err *err)
{
	m->leave = true;
	m->err = *err;
	return -1;
}

/* --- joining --- */

static void
refuse(struct wire_peer *peer, const char *reason)
{
	struct wire_msg msg = { .type = WIRE_REFUSED };
	AUTOFREE char *text = xstrdup(reason);

	log_event(LOG_WARN, "client_refused", "address=%s %s",
	    wire_name(peer), reason);
	msg.u.refused.reason = text;
	wire_send(peer, &msg);
	wire_close(&peer);
}

static void
welcome(struct team *t, struct wire_peer *peer, const struct member *m)
{
	struct wire_msg msg = { .type = WIRE_WELCOME, .u.welcome = {
	    .client = m->number, .silence_ms = t->silence_ms } };

	wire_accept(peer);
	wire_send(peer, &msg);
}

/* Send SETUP. The member must have both connections, or its answer could not be
 * received. */
static void
send_setup(struct team *t, struct member *m)
{
	struct wire_msg msg = { .type = WIRE_SETUP };
	struct setup *s = &msg.u.setup;

	*s = t->setup;		/* lent for the call */
	team_limits_first(t, s);
	if (s->s3_clock_ms != 0)
		s->s3_clock_ms += (int64_t)clock_boot_ms();
	if (m->has_credentials) {
		s->access_key = NULL;
		s->secret_key = NULL;
		s->session_token = NULL;
	}
	wire_send(m->index, &msg);
}

/* Find the member of a HELLO. An invited client has a number; a client that
 * joined by itself may come back with its number or its pid and host; any
 * further client is new. */
static struct member *
identify(struct team *t, const struct wire_hello *h)
{
	struct member *m = team_member(t, h->client);
	char host[sizeof(m->host)];

	str_escape(str_of(h->host), host, sizeof(host));
	if (m != NULL && (m->invited || (m->pid == h->pid &&
	    strcmp(m->host, host) == 0)))
		return m;
	for (size_t i = 0; i < t->member_count; i++) {
		m = t->members[i];
		if (!m->invited && m->pid == h->pid &&
		    strcmp(m->host, host) == 0)
			return m;
	}
	return t->member_count == TEAM_MEMBERS_MAX ? NULL :
	    team_member_new(t, host);
}

static bool
is_barred(const struct team *t, const struct member *m)
{
	for (size_t i = 0; i < t->member_count; i++)
		if (t->members[i]->barred &&
		    strcmp(t->members[i]->host, m->host) == 0)
			return true;
	return false;
}

/* A program that is restarted again and again on a host is a new client each
 * time. Copy the count of fruitless sessions from the host's last client. */
static void
inherit(struct team *t, struct member *m)
{
	const struct member *last = m;

	for (size_t i = 0; i < t->member_count; i++) {
		const struct member *other = t->members[i];

		if (other != m && other->index == NULL &&
		    strcmp(other->host, m->host) == 0 && (last == m ||
		    other->since_ms >= last->since_ms))
			last = other;
	}
	m->fruitless = MAX(m->fruitless, last->fruitless);
}

static void
join(struct team *t, struct wire_peer *peer, const struct wire_hello *h)
{
	static const struct err again = { .kind = ERR_UNREACHABLE,
	    .msg = "called again on a new connection" };
	struct member *m = identify(t, h);

	if (m == NULL) {
		refuse(peer, "too many clients have come already");
		return;
	}
	if (m->index != NULL) {
		m->harmless = true;
		team_lost(t, m, &again);
	}
	if (is_barred(t, m)) {
		refuse(peer, "a client of this host sees another tree than "
		    "the master");
		return;
	}
	/* A client dials only after its earlier work has ended. */
	team_lapse(t, m);
	m->harmless = false;
	inherit(t, m);
	m->index = peer;
	m->pid = h->pid;
	m->has_credentials = h->has_credentials;
	m->session = ++t->sessions;
	m->state = MEMBER_JOINED;
	m->since_ms = t->now_ms;
	m->heard_ms = t->now_ms;
	m->beat_ms = t->now_ms;
	m->sample.at_ms = t->now_ms;
	m->sample.items = m->moved + m->failed;
	m->sample.bytes = 0;
	err_clear(&m->err);
	m->said_why = false;
	team_stall_begin(m);
	if (t->first_ms == 0)
		t->first_ms = t->now_ms;
	log_event(LOG_INFO, "client_joined", "client=%u host=%s address=%s",
	    m->number, m->host, wire_name(peer));
	welcome(t, peer, m);
	team_divide_limits(t, false);
}

static void
join_status(struct team *t, struct wire_peer *peer,
    const struct wire_hello *h)
{
	struct member *m = team_member(t, h->client);

	if (m == NULL || m->index == NULL || m->pid != h->pid ||
	    m->status != NULL) {
		refuse(peer, "this client has not called on port_index");
		return;
	}
	m->status = peer;
	m->heard_ms = t->now_ms;
	welcome(t, peer, m);
	send_setup(t, m);
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
send_beat(struct member *m, struct wire_peer *to)
{
	struct wire_msg beat = { .type = WIRE_BEAT,
	    .u.beat.heard_ms = m->stamp_ms };

	wire_send(to, &beat);
}

static void
take_heartbeat(struct member *m, const struct wire_heartbeat *h)
{
	uint64_t now = m->team->now_ms, items, bytes;
	double s;

	m->now = *h;
	m->stamp_ms = h->sent_ms;
	send_beat(m, m->status);
	if (now - m->sample.at_ms < SAMPLE_MS)
		return;
	items = m->moved + m->failed;
	bytes = h->bytes_sent + h->bytes_received;
	s = (double)(now - m->sample.at_ms) / 1000;
	m->items_per_s = (m->items_per_s +
	    (double)(items - m->sample.items) / s) / 2;
	m->bytes_per_s = (m->bytes_per_s + (double)(bytes -
	    MIN(bytes, m->sample.bytes)) / s) / 2;
	m->sample.at_ms = now;
	m->sample.items = items;
	m->sample.bytes = bytes;
}

static int
unexpected(struct member *m, const struct wire_msg *msg)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_PEER, 0, "sent %s, which has no place here",
	    wire_type_name(msg->type));
	return leave(m, &err);
}

static int
on_index(struct member *m, struct wire_msg *msg)
{
	switch (msg->type) {
	case WIRE_READY:
		m->ready = true;
		m->state = MEMBER_WORKING;
		m->since_ms = m->team->now_ms;
		break;
	case WIRE_WANT:
		m->want_items = msg->u.want.items;
		m->want_bytes = msg->u.want.bytes;
		break;
	case WIRE_BEAT:
		break;
	default:
		return unexpected(m, msg);
	}
	return 0;
}

static int
on_bye(struct member *m, const struct wire_bye *bye)
{
	m->leave = true;
	m->idle = bye->idle;
	m->err = bye->err;
	m->said_why = bye->err.kind != ERR_NONE;
	return -1;
}

static int
on_status(struct member *m, struct wire_msg *msg)
{
	struct err err = ERR_INIT;

	m->signs += msg->type != WIRE_HEARTBEAT &&
	    msg->type != WIRE_RETURNED;
	switch (msg->type) {
	case WIRE_RESULTS:
		team_results(m, &msg->u.results);
		break;
	case WIRE_FETCHED:
		team_fetched(m, &msg->u.fetched);
		break;
	case WIRE_DELETED:
		if (team_deleted(m, &msg->u.deleted, &err) == -1)
			return leave(m, &err);
		break;
	case WIRE_NOTE:
		team_note(m, &msg->u.note);
		break;
	case WIRE_RETURNED:
		team_returned(m, &msg->u.returned);
		break;
	case WIRE_HEARTBEAT:
		take_heartbeat(m, &msg->u.heartbeat);
		break;
	case WIRE_BYE:
		return on_bye(m, &msg->u.bye);
	default:
		return unexpected(m, msg);
	}
	return 0;
}

static void
heard(struct member *m)
{
	m->heard_ms = m->team->now_ms;
	dispatch_heard(m->team->dispatcher, m->number, m->heard_ms);
}

static bool
index_msg(void *arg, struct wire_msg *msg)
{
	struct member *m = arg;

	heard(m);
	return on_index(m, msg) == 0;
}

static bool
status_msg(void *arg, struct wire_msg *msg)
{
	struct member *m = arg;

	heard(m);
	return on_status(m, msg) == 0;
}

size_t
team_members_fds(struct team *t, struct pollfd *fds)
{
	size_t n = 0;

	for (size_t i = 0; i < t->member_count; i++) {
		const struct member *m = t->members[i];

		if (m->index != NULL)
			fds[n++] = (struct pollfd){ .fd = wire_fd(m->index),
			    .events = wire_events(m->index) };
		if (m->status != NULL)
			fds[n++] = (struct pollfd){ .fd = wire_fd(m->status),
			    .events = wire_events(m->status) };
	}
	return n;
}

/* Serve the status connection first: messages sent before the client went away
 * count. */
static void
service(struct team *t, struct member *m, bool index, bool status)
{
	struct err err = ERR_INIT;
	bool gone = false;

	if (m->status != NULL && (status || index))
		gone = wire_service(m->status, status_msg, m, &err) == -1;
	team_flush(t);
	if (!gone && index)
		gone = wire_service(m->index, index_msg, m, &err) == -1;
	if (!gone)
		return;
	if (m->leave)
		err = m->err;
	team_lost(t, m, err.kind == ERR_NONE || t->stopping ? NULL : &err);
}

void
team_members_service(struct team *t, const struct pollfd *fds)
{
	size_t n = 0;

	for (size_t i = 0; i < t->member_count; i++) {
		struct member *m = t->members[i];
		bool index = m->index != NULL && fds[n++].revents != 0;
		bool status = m->status != NULL && fds[n++].revents != 0;

		if (index || status)
			service(t, m, index, status);
	}
}

void
team_members_turn(struct team *t)
{
	uint64_t beat_ms = MIN((uint64_t)BEAT_MS, t->silence_ms / 3);
	/* If this process was stopped, messages of the clients still wait to be
	 * read. */
	bool was_away = t->now_ms - t->turn_ms > t->silence_ms / 2;
	struct err err = ERR_INIT;

	t->turn_ms = t->now_ms;
	for (size_t i = 0; i < t->member_count; i++) {
		struct member *m = t->members[i];

		if (m->lapse_ms != 0 && t->now_ms >= m->lapse_ms)
			team_lapse(t, m);
		if (m->index == NULL)
			continue;
		if (!was_away && t->now_ms - m->heard_ms >= t->silence_ms) {
			m->harmless = true;
			err_set(&err, ERR_UNREACHABLE, 0, "silent for %ju s",
			    (uintmax_t)(t->now_ms - m->heard_ms) / 1000);
			team_lost(t, m, &err);
		} else if (t->now_ms - m->beat_ms >= beat_ms) {
			m->beat_ms = t->now_ms;
			send_beat(m, m->index);
		}
	}
	team_stalls(t, was_away);
}
