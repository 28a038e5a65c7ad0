#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/log.h"
#include "base/silence.h"
#include "base/signals.h"
#include "base/version.h"
#include "client/client_internal.h"
#include "crew/fence.h"
#include "crew/setup.h"

#define BEAT_MS		1000	/* time between two of our heartbeats */
#define TURN_MS		200
#define START_MS	30000	/* WELCOME and SETUP must arrive within this
				   time */
#define STOP_LIMIT_MS	5000	/* transfers under way may end in this time */
#define LINGER_MS	2000	/* time for the last messages to arrive */
#define HUNG_MS		10000	/* time for threads to end after crew_stop */
#define SILENT		"the master has not answered for too long"
#define DELETES		8	/* batches in hand, of 1,000 keys each */

static void
end(struct session *s, enum session_end how, enum err_kind kind,
    const char *reason)
{
	if (s->end != SESSION_GOES_ON)
		return;
	s->end = how;
	err_set(&s->err, kind, 0, "%s", reason);
}

static void
stop(struct session *s, uint64_t limit_ms)
{
	s->stopping = true;
	s->stop_at_ms = clock_mono_ms() + limit_ms;
	if (s->crew != NULL)
		crew_stop(s->crew, limit_ms);
}

/* --- messages of the master --- */

static void
send_hello(struct session *s, unsigned channel)
{
	char host[256] = "";
	char version[] = DATAMOVER_VERSION;
	struct wire_msg m = { .type = WIRE_HELLO };

	gethostname(host, sizeof(host) - 1);
	m.u.hello = (struct wire_hello){
		.protocol = WIRE_PROTOCOL,
		.version = version,
		.host = host,
		.pid = s->c->pid,
		.client = s->c->number,
		.channel = (uint8_t)channel,
	};
	s->hello_ms[channel] = clock_mono_ms();
	wire_send(s->peer[channel], &m);
}

static int
dial(struct session *s, unsigned channel, struct err *err)
{
	const struct invite *v = &s->c->invite;

	if (wire_dial(&s->peer[channel], v->address, channel ==
	    CHANNEL_INDEX ? v->port_index : v->port_status, v->key, err) == -1)
		return -1;
	/* The master has proved the key; accept large frames from it. */
	wire_accept(s->peer[channel]);
	send_hello(s, channel);
	return 0;
}

static bool
take_welcome(struct session *s, unsigned channel,
    const struct wire_welcome *w)
{
	if (s->welcome[channel]) {
		err_set(&s->err, ERR_PEER, 0, "the master sent WELCOME twice");
		return false;
	}
	s->welcome[channel] = true;
	s->acked_ms = s->hello_ms[channel];
	s->silence_ms = MAX(w->silence_ms, (uint64_t)BEAT_MS);
	if (channel == CHANNEL_STATUS)
		return true;
	s->c->number = w->client;
	return dial(s, CHANNEL_STATUS, &s->err) == 0;
}

/* Take the settings of the master, and the keys of S3. */
static int
take_settings(struct session *s, struct setup *setup)
{
	struct store *store = &s->conf.s3_storage;

	if (conf_from_master(&s->conf, setup->settings, &s->err) == -1 ||
	    keys_check(&setup->keys, &s->err) == -1)
		return -1;
	setup->conf = &s->conf;
	store->ca_pem = STEAL(setup->ca_pem);
	store->keyring = keyring_new();
	keyring_set(store->keyring, &setup->keys, setup->keys_number);
	keyring_has_renewer(store->keyring);
	return 0;
}

/* Take other keys of S3, or learn that no other keys will come. */
static bool
take_keys(struct session *s, const struct wire_keys *k)
{
	struct keyring *ring = s->conf.s3_storage.keyring;

	if (ring == NULL)
		return true;
	if (k->err.kind != ERR_NONE)
		keyring_give_up(ring, k->number, &k->err);
	else if (keys_check(&k->keys, &s->err) == 0)
		keyring_set(ring, &k->keys, k->number);
	else
		return false;
	return true;
}

/* Tell the master, once, that the store calls the keys in force expired. */
static void
ask_for_keys(struct session *s)
{
	const struct keyring *ring = s->conf.s3_storage.keyring;
	struct wire_msg m = { .type = WIRE_EXPIRED };

	if (ring == NULL || !keyring_awaits(ring) ||
	    keyring_number(ring) == s->keys_asked)
		return;
	s->keys_asked = m.u.expired.number = keyring_number(ring);
	wire_send(s->peer[CHANNEL_STATUS], &m);
}

/* Extend the fence: see crew/fence.h. The fence also holds if this process is
 * frozen and wakes up in the middle of a transfer. */
static void
stay_valid(struct session *s)
{
	if (s->crew != NULL)
		crew_valid_until(s->crew, s->acked_ms +
		    fence_valid_ms(s->silence_ms));
}

static bool
take_setup(struct session *s, struct setup *setup)
{
	struct wire_msg m = { .type = WIRE_READY };
	unsigned workers;

	if (s->crew != NULL) {
		err_set(&s->err, ERR_PEER, 0, "the master sent SETUP twice");
		return false;
	}
	if (setup->s3_clock_ms != 0)
		setup->s3_clock_ms -= (int64_t)clock_boot_ms();
	/* The client may see another tree than the master, which must agree to
	 * a version that the crawl has not seen. */
	setup->exact = true;
	s->op = setup->op;
	s->more_follows = setup->more_follows;
	s->export_count = setup->export_count;
	if (take_settings(s, setup) == -1 ||
	    client_limits_check(setup, &s->err) == -1) {
		s->end = SESSION_FAILED;
		return false;
	}
	workers = setup_workers(setup);
	if (crew_local(&s->crew, setup, s->in, &s->err) == -1) {
		s->end = SESSION_FAILED;
		return false;
	}
	stay_valid(s);
	s->capacity = s->op == OP_DEL ? DELETES :
	    (unsigned)MIN(crew_enough(s->crew), (size_t)100000);
	m.u.ready = (struct wire_ready){ .workers = workers, .slots =
	    workers * MAX(s->conf.s3_storage.max_inflight, 1U) };
	wire_send(s->peer[CHANNEL_INDEX], &m);
	session_want(s, true);
	log_event(LOG_INFO, EVENT_CLIENT, NULL, "%s: works for %s, %u workers",
	    op_name(s->op), wire_name(s->peer[CHANNEL_INDEX]), workers);
	return true;
}

static bool
take_stop(struct session *s, uint64_t limit_ms)
{
	s->told = true;
	stop(s, limit_ms);
	return true;
}

static bool
refused(struct session *s, const char *reason)
{
	err_set(&s->err, ERR_DENIED, 0, "the master refuses: %s",
	    reason == NULL ? "" : reason);
	s->end = SESSION_FAILED;
	return false;
}

static bool
take_beat(struct session *s, uint64_t heard_ms)
{
	if (heard_ms > clock_mono_ms()) {
		err_set(&s->err, ERR_PEER, 0, "the master has heard a "
		    "heartbeat that was not sent");
		return false;
	}
	s->acked_ms = MAX(s->acked_ms, heard_ms);
	stay_valid(s);
	return true;
}

static bool
take_message(struct session *s, unsigned channel, struct wire_msg *m)
{
	/* This process was frozen until now: the message is from before. */
	if (clock_mono_ms() - s->acked_ms >= s->silence_ms)
		return err_set(&s->err, ERR_UNREACHABLE, 0, SILENT) == 0;
	switch (m->type) {
	case WIRE_WELCOME:
		return take_welcome(s, channel, &m->u.welcome);
	case WIRE_REFUSED:
		return refused(s, m->u.refused.reason);
	case WIRE_SETUP:
		return take_setup(s, &m->u.setup);
	case WIRE_LEASE_PUT:
	case WIRE_LEASE_FETCH:
	case WIRE_LEASE_DELETE:
		return session_work(s, m);
	case WIRE_RECALL:
		session_give_back(s, m->u.recall.items);
		return true;
	case WIRE_NOTED:
		if (s->crew != NULL)
			crew_noted(s->crew, m->u.noted.worker,
			    m->u.noted.object);
		return true;
	case WIRE_LIMITS:
		if (s->crew != NULL)
			crew_limits(s->crew, m->u.limits.bwlimit,
			    m->u.limits.tpslimit);
		return true;
	case WIRE_KEYS:
		return take_keys(s, &m->u.keys);
	case WIRE_BEAT:
		return take_beat(s, m->u.beat.heard_ms);
	case WIRE_STOP:
		return take_stop(s, m->u.stop.limit_ms);
	default:
		err_set(&s->err, ERR_PEER, 0, "the master sent %s",
		    wire_type_name(m->type));
		return false;
	}
}

static bool
on_index(void *arg, struct wire_msg *m)
{
	return take_message(arg, CHANNEL_INDEX, m);
}

static bool
on_status(void *arg, struct wire_msg *m)
{
	return take_message(arg, CHANNEL_STATUS, m);
}

/* --- the connections --- */

/* The connection has ended; s->err or err holds the reason. */
static void
broken(struct session *s, const struct err *err)
{
	enum session_end how = SESSION_LOST;
	/* This client ended the session: the second connection can still carry
	 * the reason. */
	bool ours = s->end == SESSION_FAILED && err->kind == ERR_STOPPED;

	if (s->err.kind == ERR_NONE || err->kind != ERR_STOPPED)
		s->err = *err;
	if (s->err.kind == ERR_DENIED || s->err.kind == ERR_PEER ||
	    s->err.kind == ERR_CONFIG)
		how = SESSION_FAILED;
	/* The master said STOP and expected the connection to end. */
	if (s->told)
		how = SESSION_DONE;
	if (s->end == SESSION_GOES_ON)
		s->end = how;
	/* Otherwise no message can reach the master any more. */
	s->deaf = !ours;
}

static void
service(struct session *s, unsigned channel)
{
	struct err err = ERR_INIT;

	if (s->peer[channel] == NULL || wire_service(s->peer[channel],
	    channel == CHANNEL_INDEX ? on_index : on_status, s, &err) == 0)
		return;
	/* Name port_status in the error: the user must look at the port that
	 * does not answer. */
	if (channel == CHANNEL_INDEX && s->peer[CHANNEL_STATUS] != NULL &&
	    !s->welcome[CHANNEL_STATUS] && err.kind != ERR_STOPPED)
		err_set(&err, ERR_UNREACHABLE, 0, "%s (port_status) does not "
		    "answer", wire_name(s->peer[CHANNEL_STATUS]));
	broken(s, &err);
}

static void
heartbeat(struct session *s, uint64_t now)
{
	struct wire_msg m = { .type = WIRE_HEARTBEAT };
	struct crew_stats cs;

	if (s->crew == NULL || !s->welcome[CHANNEL_STATUS] ||
	    now - s->beat_ms < BEAT_MS)
		return;
	s->beat_ms = now;
	crew_stats(s->crew, &cs);
	m.u.heartbeat = (struct wire_heartbeat){
		.requests = cs.s3.requests,
		.retries = cs.s3.retries,
		.slowdowns = cs.s3.slowdowns,
		.bytes_sent = cs.s3.bytes_sent,
		.bytes_received = cs.s3.bytes_received,
		.bytes_read = cs.bytes_read,
		.in_hand = s->items,
		.sent_ms = now,
	};
	wire_send(s->peer[CHANNEL_STATUS], &m);
}

/* A client that was frozen must not act on messages that waited: the master has
 * given its work to another client. */
static void
check_silence(struct session *s, uint64_t now)
{
	if (s->crew == NULL && now - s->acked_ms >= START_MS) {
		end(s, SESSION_LOST, ERR_UNREACHABLE, "");
		err_set(&s->err, ERR_UNREACHABLE, 0, "%s (port_index) does "
		    "not answer", wire_name(s->peer[CHANNEL_INDEX]));
	} else if (now - s->acked_ms >= s->silence_ms)
		end(s, SESSION_LOST, ERR_UNREACHABLE, SILENT);
	else
		return;
	s->deaf = true;
}

static void
read_signals(struct session *s)
{
	for (int no; (no = signals_next(s->c->signals)) != 0;) {
		bool again = s->c->stop_signal != 0;

		s->c->stop_signal = no;
		stop(s, again || s->crew == NULL ? 0 : STOP_LIMIT_MS);
	}
}

/* The parent process has closed standard input. A STOP of the master may still
 * be on its way. */
static void
read_input(struct session *s)
{
	char waste[512];
	ssize_t n = read(s->c->input, waste, sizeof(waste));

	if (n > 0 || (n == -1 && (errno == EAGAIN || errno == EINTR)))
		return;
	s->c->input = -1;
	if (!s->stopping)
		stop(s, STOP_LIMIT_MS);
}

/* Wait for an event; then serve the mail, the connections, signals and standard
 * input. */
static void
turn(struct session *s)
{
	struct pollfd fds[CHANNELS + 3];
	unsigned n = 0, peers[CHANNELS];
	uint64_t now;

	for (unsigned i = 0; i < CHANNELS; i++) {
		peers[i] = n;
		if (s->peer[i] != NULL)
			fds[n++] = (struct pollfd){ .fd = wire_fd(s->peer[i]),
			    .events = wire_events(s->peer[i]) };
	}
	/* poll(2) ignores descriptors of -1. */
	fds[n++] = (struct pollfd){ .fd = mailbox_fd(s->in),
	    .events = POLLIN };
	fds[n++] = (struct pollfd){ .fd = s->c->signals, .events = POLLIN };
	fds[n++] = (struct pollfd){ .fd = s->c->input, .events = POLLIN };
	poll(fds, n, TURN_MS);
	silence_watch(clock_mono_ms());
	now = clock_mono_ms();
	check_silence(s, now);
	if (s->deaf)
		return;
	session_take_mail(s);
	for (unsigned i = CHANNELS; i-- > 0 && !s->deaf;)
		if (s->peer[i] != NULL && fds[peers[i]].revents != 0)
			service(s, i);
	if (fds[n - 2].revents != 0)
		read_signals(s);
	if (fds[n - 1].revents != 0)
		read_input(s);
	if (s->deaf)
		return;
	session_flush(s, false);
	if (s->crew != NULL)
		session_want(s, false);
	ask_for_keys(s);
	heartbeat(s, now);
}

/* --- the end --- */

/* When stopping: has all work ended, or is the time over? */
static bool
is_over(struct session *s)
{
	if (!s->stopping)
		return false;
	return s->crew == NULL || crew_idle(s->crew) ||
	    clock_mono_ms() >= s->stop_at_ms + TURN_MS;
}

static void
send_bye(struct session *s, bool idle)
{
	struct wire_msg m = { .type = WIRE_BYE, .u.bye.idle = idle };

	if (s->end == SESSION_FAILED)
		m.u.bye.err = s->err;
	else if (s->c->stop_signal != 0)
		err_set(&m.u.bye.err, ERR_STOPPED, 0, "interrupted");
	wire_send(s->peer[CHANNEL_STATUS], &m);
}

static bool
on_last(void *arg UNUSED, struct wire_msg *m UNUSED)
{
	return true;
}

/* Send the last messages, until the master closes the connection or LINGER_MS
 * is over. Received bytes must be read, as closing would otherwise reset the
 * connection and lose bytes sent before. */
static void
linger(struct session *s)
{
	uint64_t until = clock_mono_ms() + LINGER_MS;
	struct wire_peer *p = s->peer[CHANNEL_STATUS];
	struct err err = ERR_INIT;

	while (clock_mono_ms() < until) {
		struct pollfd fd = { .fd = wire_fd(p),
		    .events = wire_events(p) };

		if (poll(&fd, 1, TURN_MS) > 0 &&
		    wire_service(p, on_last, NULL, &err) == -1)
			return;
	}
}

/* End the crew. Return false if a thread hangs. */
static bool
crew_ends(struct session *s)
{
	uint64_t until = clock_mono_ms() + HUNG_MS;

	if (s->crew != NULL && !s->stopping)
		crew_stop(s->crew, 0);
	while (s->crew != NULL && !crew_idle(s->crew)) {
		if (clock_mono_ms() >= until)
			return false;
		poll(NULL, 0, 5);
	}
	crew_free(&s->crew);
	return true;
}

/* A file system that does not answer may hold a thread for ever. Exit without
 * the thread, as no process must stay behind on a host. */
static void
leave_behind(const struct session *s)
{
	log_event(LOG_ERROR, EVENT_CLIENT, NULL,
	    "a thread hangs, in a file system "
	    "perhaps: the program ends without it");
	_exit(s->end == SESSION_DONE ? EXIT_DONE : EXIT_UNREACHABLE);
}

static void
release(struct session *s)
{
	bool tell = !s->deaf && s->welcome[CHANNEL_STATUS], ended;

	if (!tell)
		wire_close(&s->peer[CHANNEL_STATUS]);
	/* Cut transfers off now, not when the last thread has ended. */
	if (s->deaf && s->crew != NULL)
		crew_valid_until(s->crew, 1);
	ended = crew_ends(s);
	session_take_mail(s);
	session_flush(s, true);
	if (tell) {
		send_bye(s, ended);
		linger(s);
	}
	if (!ended)
		leave_behind(s);
	session_work_release(s);
	conf_release(&s->conf);
	for (unsigned i = 0; i < CHANNELS; i++)
		wire_close(&s->peer[i]);
	mailbox_free(&s->in);
}

enum session_end
session_run(struct client *c, struct err *err)
{
	struct session s = { .c = c, .err = ERR_INIT,
	    .silence_ms = START_MS };

	s.in = mailbox_new(0);
	s.acked_ms = clock_mono_ms();
	if (dial(&s, CHANNEL_INDEX, &s.err) == -1)
		broken(&s, &s.err);
	while (s.end == SESSION_GOES_ON && !is_over(&s))
		turn(&s);
	c->met = s.crew != NULL;
	c->whole = s.welcome[CHANNEL_STATUS];
	if (s.end == SESSION_GOES_ON)
		s.end = SESSION_DONE;
	release(&s);
	if (s.end == SESSION_DONE && s.told && s.more_follows) {
		s.end = SESSION_LOST;
		err_set(&s.err, ERR_UNREACHABLE, 0, "the master has more to "
		    "do");
	}
	*err = s.err;
	return s.end;
}
