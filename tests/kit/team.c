#include "kit/team.h"

/* --- the team --- */

char *
text(const char *s)
{
	return s == NULL ? NULL : xstrdup(s);
}

void
team_start(struct fixture *x, enum op op)
{
	struct setup s;
	struct err err = ERR_INIT;

	memset(&s, 0, sizeof(s));
	s.op = op;
	s.conf = &x->conf;
	s.only_read = op == OP_TEST;
	s.bwlimit = 1000;
	x->started_ms = clock_boot_ms();
	s.s3_clock_ms = S3_CLOCK_MS - (int64_t)x->started_ms;
	if (crew_team(&x->crew, &s, x->up, &err) == -1)
		fail_msg("%s", err.msg);
	assert_int_equal(s.bwlimit, 0);
}

struct fixture *
team_setup(void)
{
	struct fixture *x = xcalloc(1, sizeof(*x));
	struct err err = ERR_INIT;

	conf_init(&x->conf);
	x->conf.s3_storage.keyring = keyring_new();
	keyring_set(x->conf.s3_storage.keyring, &(struct keys){
	    .access_key = (char *)(uintptr_t)"AK",
	    .secret_key = (char *)(uintptr_t)"SK" }, 0);
	x->conf.s3_storage.retry_for = 0;
	strncat(x->key_file, "/tmp/test-team-XXXXXX", sizeof(x->key_file) - 1);
	close(mkstemp(x->key_file));
	unlink(x->key_file);
	x->conf.master.key_file = text(x->key_file);
	x->conf.master.host_or_ip_address = text("127.0.0.1");
	x->conf.message.port_index = 0;
	x->conf.message.port_status = 0;
	/* The work of a client that is lost goes to others after so long. */
	x->conf.socket_options.recv_timeout = LOST_S;
	x->conf.socket_options.max_connection_time_threshold = 300;
	assert_int_equal(key_file_make(x->key_file, x->key, &err), 0);
	x->up = mailbox_new(0);
	return x;
}

static void
mail_free(struct mail *mail)
{
	void *msg = mail;

	if (mail->type == MAIL_RESULTS) {
		struct results *r = msg;

		results_free(&r);
	} else if (mail->type == MAIL_UPLOAD) {
		struct upload_note *n = msg;

		upload_note_free(&n);
	} else if (mail->type == MAIL_FETCHED) {
		struct fetch_item *it = msg;

		fetch_item_free(&it);
	} else if (mail->type == MAIL_DELETED) {
		struct delete_batch *b = msg;

		delete_batch_free(&b);
	} else {
		free(msg);
	}
}

void
team_finish(struct fixture *x)
{
	struct mail *next;

	crew_free(&x->crew);
	for (struct mail *m = x->mail; m != NULL; m = next) {
		next = m->next;
		mail_free(m);
	}
	for (struct mail *m = mailbox_take(x->up); m != NULL; m = next) {
		next = m->next;
		mail_free(m);
	}
	mailbox_free(&x->up);
	unlink(x->key_file);
	conf_release(&x->conf);
	free(x);
}

void *
mail_of(struct fixture *x, int type)
{
	uint64_t end = clock_mono_ms() + LIMIT_MS;
	struct mail *m;

	while (x->mail == NULL && clock_mono_ms() < end)
		x->mail = mailbox_wait(x->up, 100);
	m = x->mail;
	assert_non_null(m);
	x->mail = m->next;
	assert_int_equal(m->type, type);
	return m;
}

bool
has_mail(struct fixture *x)
{
	if (x->mail == NULL)
		x->mail = mailbox_take(x->up);
	return x->mail != NULL;
}

void
give(struct fixture *x, size_t count, int64_t first, uint64_t size)
{
	struct lease *l = xcalloc(1, sizeof(*l));

	l->id = ++x->leases * 100;
	l->count = count;
	l->items = xcalloc(count, sizeof(*l->items));
	for (size_t i = 0; i < count; i++) {
		l->items[i].object = first + (int64_t)i;
		l->items[i].path = xasprintf("h/s/f%zu", i);
		l->items[i].raw = xasprintf("f%zu", i);
		l->items[i].attrs.kind = ENTRY_FILE;
		l->items[i].attrs.size = size;
	}
	crew_lease(x->crew, l);
}

/* --- a client --- */

static bool
got(void *arg, struct wire_msg *msg)
{
	struct fake *f = arg;

	if (msg->type == WIRE_BEAT) {
		f->heard_ms = msg->u.beat.heard_ms;
		return true;
	}
	assert_true(f->count < GOT_MAX);
	f->got[f->count++] = *msg;
	/* Taken whole. */
	memset(msg, 0, sizeof(*msg));
	msg->type = WIRE_BEAT;
	return true;
}

void
fake_hang_up(struct fake *f)
{
	wire_close(&f->index);
	wire_close(&f->status);
}

void
pump_fake(struct fake *f, int ms)
{
	struct wire_peer *peers[2] = { f->index, f->status };
	struct pollfd fds[2];
	struct err err = ERR_INIT;
	nfds_t n = 0;

	for (size_t i = 0; i < 2; i++)
		if (peers[i] != NULL)
			fds[n++] = (struct pollfd){ .fd = wire_fd(peers[i]),
			    .events = wire_events(peers[i]) };
	if (n == 0 || poll(fds, n, ms) == -1)
		return;
	for (size_t i = 0; i < 2; i++)
		if (peers[i] != NULL &&
		    wire_service(peers[i], got, f, &err) == -1) {
			f->closed = true;
			fake_hang_up(f);
			return;
		}
}

struct wire_msg
wait_for(struct fake *f, enum wire_type type)
{
	uint64_t end = clock_mono_ms() + LIMIT_MS;

	for (;;) {
		for (size_t i = 0; i < f->count; i++) {
			struct wire_msg m = f->got[i];

			if (m.type != type)
				continue;
			memmove(f->got + i, f->got + i + 1,
			    (--f->count - i) * sizeof(m));
			return m;
		}
		if (f->closed || clock_mono_ms() >= end)
			fail_msg("no %s came (closed %d, got %zu)",
			    wire_type_name(type), f->closed, f->count);
		pump_fake(f, 100);
	}
}

void
drop(struct fake *f, enum wire_type type)
{
	struct wire_msg m = wait_for(f, type);

	wire_msg_release(&m);
}

bool
has(const struct fake *f, enum wire_type type)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->got[i].type == type)
			return true;
	return false;
}

void
send_msg(struct fake *f, struct wire_peer *p, struct wire_msg *m)
{
	wire_send(p, m);
	/* A connection that the master closed is freed. */
	for (int i = 0; !f->closed && wire_queued(p) > 0 && i < 1000; i++)
		pump_fake(f, 10);
}

struct wire_peer *
dial_team(struct fixture *x, unsigned channel)
{
	struct team *t = (struct team *)(void *)x->crew;
	struct wire_peer *p = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(wire_dial(&p, "127.0.0.1", wire_port(channel == 0 ?
	    t->listen_index : t->listen_status), x->key, &err), 0);
	return p;
}

void
send_hello(struct fake *f, struct wire_peer *p, unsigned channel,
    uint32_t protocol, const char *version)
{
	struct wire_msg m = { .type = WIRE_HELLO };
	char *host = text(f->host == NULL ? "fakehost" : f->host);
	char *v = text(version);

	m.u.hello = (struct wire_hello){ .protocol = protocol, .version = v,
	    .host = host, .pid = f->pid, .client = f->number,
	    .channel = (uint8_t)channel };
	send_msg(f, p, &m);
	free(host);
	free(v);
}

void
want(struct fake *f, uint32_t items)
{
	struct wire_msg m = { .type = WIRE_WANT, .u.want = { .items = items,
	    .bytes = 100 * GIB } };

	send_msg(f, f->index, &m);
}

struct wire_msg
call(struct fake *f)
{
	struct wire_msg m;

	f->index = dial_team(f->x, 0);
	send_hello(f, f->index, 0, WIRE_PROTOCOL, DATAMOVER_VERSION);
	m = wait_for(f, WIRE_WELCOME);
	f->number = m.u.welcome.client;
	assert_false(has(f, WIRE_SETUP));
	f->status = dial_team(f->x, 1);
	send_hello(f, f->status, 1, WIRE_PROTOCOL, DATAMOVER_VERSION);
	m = wait_for(f, WIRE_WELCOME);
	assert_int_equal(m.u.welcome.client, f->number);
	return wait_for(f, WIRE_SETUP);
}

void
join_ready(struct fake *f)
{
	struct wire_msg ready = { .type = WIRE_READY, .u.ready = {
	    .workers = 2, .slots = 16 } };
	struct wire_msg m = call(f);

	assert_string_equal(m.u.setup.keys.secret_key, "SK");
	f->s3_clock_ms = m.u.setup.s3_clock_ms;
	wire_msg_release(&m);
	send_msg(f, f->index, &ready);
}

struct fake *
client(struct fixture *x, uint64_t pid)
{
	struct fake *f = xcalloc(1, sizeof(*f));

	f->x = x;
	f->pid = pid;
	join_ready(f);
	return f;
}

void
leave(struct fake *f)
{
	struct wire_msg m = { .type = WIRE_BYE, .u.bye.idle = true };

	err_set(&m.u.bye.err, ERR_UNREACHABLE, 0, "must go");
	send_msg(f, f->status, &m);
	fake_hang_up(f);
}

void
client_free(struct fake *f)
{
	fake_hang_up(f);
	for (size_t i = 0; i < f->count; i++)
		wire_msg_release(&f->got[i]);
	free(f);
}

void
result(struct fake *f, int64_t lease, int64_t id)
{
	struct result r = { .object = id, .outcome = OUTCOME_MOVED,
	    .bytes_sent = 5 };
	struct wire_msg m = { .type = WIRE_RESULTS, .u.results = {
	    .lease = lease, .v = &r, .count = 1 } };

	send_msg(f, f->status, &m);
}

void
newer_result(struct fake *f, int64_t lease, int64_t id)
{
	struct result r = { .object = id, .outcome = OUTCOME_CHANGED,
	    .attrs = { .kind = ENTRY_FILE, .size = 11 } };
	struct wire_msg m = { .type = WIRE_RESULTS, .u.results = {
	    .lease = lease, .v = &r, .count = 1 } };

	send_msg(f, f->status, &m);
}

void
failure(struct fake *f, int64_t lease, int64_t id, enum err_kind kind)
{
	struct result r = { .object = id, .outcome = OUTCOME_FAILED };
	struct wire_msg m = { .type = WIRE_RESULTS, .u.results = {
	    .lease = lease, .v = &r, .count = 1 } };

	err_set(&r.err, kind, 0, "why");
	send_msg(f, f->status, &m);
}

void
note(struct fake *f, enum upload_event event, int64_t lease, int64_t id,
    const char *upload)
{
	AUTOFREE char *u = text(upload);
	struct upload_note n = { .event = event, .lease = lease, .object = id,
	    .upload_id = u, .server_sec = 55, .part_size = 4096,
	    .worker = 3 };
	struct wire_msg m = { .type = WIRE_NOTE, .u.note = { .lease = lease,
	    .note = &n } };

	send_msg(f, f->status, &m);
}

void
heartbeat(struct fake *f, uint64_t bytes_read)
{
	struct wire_msg m = { .type = WIRE_HEARTBEAT, .u.heartbeat = {
	    .bytes_read = bytes_read } };

	send_msg(f, f->status, &m);
}

void
wait_clients(struct fixture *x, unsigned number, const char *state)
{
	uint64_t end = clock_mono_ms() + LIMIT_MS;
	struct client_line v[16];

	for (;;) {
		size_t n = crew_clients(x->crew, v, ARRAY_LEN(v));

		if (n >= number && strcmp(v[number - 1].state, state) == 0)
			return;
		if (clock_mono_ms() >= end)
			fail_msg("client %u never was %s", number, state);
		poll(NULL, 0, 5);
	}
}

void
wait_items(struct fixture *x, unsigned number, size_t items)
{
	uint64_t end = clock_mono_ms() + LIMIT_MS;
	struct client_line v[16];

	while (crew_clients(x->crew, v, ARRAY_LEN(v)) < number ||
	    v[number - 1].items != items) {
		if (clock_mono_ms() >= end)
			fail_msg("client %u never had %zu items", number,
			    items);
		poll(NULL, 0, 5);
	}
}

void
killed(struct fake *f)
{
	struct team *t = (struct team *)(void *)f->x->crew;
	struct launch_mail *l = xcalloc(1, sizeof(*l));

	fake_hang_up(f);
	wait_clients(f->x, f->number, "lost");
	l->mail.type = MAIL_LAUNCH;
	l->client = f->number;
	l->event = LAUNCH_ENDED;
	l->status = 137;
	mailbox_put(t->in, &l->mail);
}

void
again(struct fake *f, uint64_t pid)
{
	f->closed = false;
	f->pid = pid;
	f->number = 0;
	join_ready(f);
}
