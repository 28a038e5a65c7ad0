#include "kit/client.h"

/* --- the client --- */

int
be_client(int argc, char **argv)
{
	struct log_config lc = { .stderr_level = LOG_INFO };
	struct client_options o = { .retry_delay_s = 1, .give_up_s = 60 };
	struct err err = ERR_INIT;
	int status;

	if (argc > 3) {
		o.join = argv[2];
		o.key_file = argv[3];
	}
	if (log_open(&lc, &err) == -1)
		return 99;
	status = run_client(&o);
	log_close();
	return status;
}

void
spawn(struct kit *k, const char *join, const char *key_file)
{
	int in[2], errs[2];

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(errs), 0);
	k->pid = fork();
	assert_int_not_equal(k->pid, -1);
	if (k->pid == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(errs[1], STDERR_FILENO);
		close(in[0]);
		close(in[1]);
		close(errs[0]);
		close(errs[1]);
		execl("/proc/self/exe", "test_client", "client", join,
		    key_file, (char *)NULL);
		_exit(98);
	}
	close(in[0]);
	close(errs[1]);
	k->input = in[1];
	k->errors = errs[0];
}

/* --- the master --- */

struct kit *
kit_new(void)
{
	struct kit *k = xcalloc(1, sizeof(*k));
	struct err err = ERR_INIT;

	signal(SIGPIPE, SIG_IGN);
	k->x = sender_setup();
	k->op = OP_PUT;
	k->silence_ms = 30000;
	k->beats = true;
	random_bytes(k->key, sizeof(k->key));
	for (unsigned i = 0; i < 2; i++)
		if (wire_listen(&k->listener[i], "127.0.0.1", 0, k->key, &err)
		    == -1)
			fail_msg("%s", err.msg);
	return k;
}

void
send_invitation(struct kit *k)
{
	struct invite v = { .address = xstrdup("127.0.0.1"),
	    .port_index = wire_port(k->listener[0]),
	    .port_status = wire_port(k->listener[1]), .client = CLIENT };
	struct buf b;

	memcpy(v.key, k->key, sizeof(v.key));
	buf_init(&b, 64 * KIB);
	invite_write(&b, &v);
	assert_int_equal(write(k->input, b.data, b.len), b.len);
	buf_release(&b);
	invite_release(&v);
}

static void
send_setup(struct kit *k)
{
	struct wire_msg m = { .type = WIRE_SETUP };
	struct setup_export export = { .type = TREE_POSIX,
	    .share = k->x->dir };
	AUTOFREE char *settings = xasprintf("[s3_storage]\nendpoint = %s\n"
	    "bucket = bkt\nmax_inflight = 4\nretry_for = 60\n"
	    "part_size = %zu\n[fs_config]\n"
	    "server_as_prefix = no\n%s", k->x->f.url, CLIENT_PART,
	    k->settings == NULL ? "" : k->settings);

	m.u.setup = (struct setup){ .op = k->op, .exports = &export,
	    .export_count = 1, .settings = settings, .workers = 2,
	    .keys = { .access_key = (char *)"a",
	    .secret_key = (char *)"s" }, .keys_number = 1,
	    .memory_bytes = 64 * MIB, .dest_path = k->dest,
	    .s3_clock_ms = S3_CLOCK_S * INT64_C(1000) };
	k->setup_ms = clock_boot_ms();
	wire_send(k->peer[0], &m);
}

static void
on_hello(void *arg, struct wire_peer *p, struct wire_hello *h)
{
	struct kit *k = arg;
	struct wire_msg m = { .type = WIRE_WELCOME };

	assert_int_equal(h->protocol, WIRE_PROTOCOL);
	assert_string_equal(h->version, DATAMOVER_VERSION);
	wire_accept(p);
	k->hellos++;
	k->hello_client[h->channel] = h->client;
	k->hello_pid[h->channel] = h->pid;
	wire_close(&k->peer[h->channel]);
	k->peer[h->channel] = p;
	if (k->mute)
		return;
	if (k->refuse != NULL) {
		char reason[80];

		snprintf(reason, sizeof(reason), "%s", k->refuse);
		m.type = WIRE_REFUSED;
		m.u.refused.reason = reason;
		wire_send(p, &m);
		return;
	}
	m.u.welcome = (struct wire_welcome){ .client = CLIENT,
	    .silence_ms = k->silence_ms };
	wire_send(p, &m);
	if (h->channel == 1)
		send_setup(k);
}

static void
take_note_of(struct kit *k, struct upload_note *n)
{
	struct wire_msg m = { .type = WIRE_NOTED };

	k->notes++;
	if (n->event != UPLOAD_INTENT)
		return;
	assert_in_range(n->server_sec, S3_CLOCK_S - S3_CLOCK_GRAIN_S,
	    S3_CLOCK_S + (clock_boot_ms() - k->setup_ms) / 1000);
	m.u.noted = (struct wire_noted){ .object = n->object,
	    .worker = n->worker };
	wire_send(k->peer[0], &m);
}

static void
take_result(struct kit *k, const struct wire_results *r)
{
	for (size_t i = 0; i < r->count; i++) {
		k->results++;
		k->outcome[r->v[i].object - 1] = r->v[i].outcome;
	}
	k->result_lease = r->lease;
}

static bool
on_message(void *arg, struct wire_msg *m)
{
	struct kit *k = arg;

	switch (m->type) {
	case WIRE_READY:
		k->ready++;
		break;
	case WIRE_WANT:
		k->wants++;
		k->want = m->u.want;
		break;
	case WIRE_RESULTS:
		take_result(k, &m->u.results);
		break;
	case WIRE_FETCHED:
		k->fetched += (unsigned)m->u.fetched.count;
		k->last_fetched = m->u.fetched.v[0];
		k->result_lease = m->u.fetched.lease;
		break;
	case WIRE_DELETED:
		k->deleted++;
		k->result_lease = m->u.deleted.lease;
		k->last_deleted = m->u.deleted.batch->v[0];
		break;
	case WIRE_NOTE:
		take_note_of(k, m->u.note.note);
		break;
	case WIRE_HEARTBEAT:
		k->heartbeats++;
		k->heartbeat = m->u.heartbeat;
		break;
	case WIRE_BYE:
		k->byes++;
		k->bye = m->u.bye.err;
		return false;
	default:
		fail_msg("the client sent %s", wire_type_name(m->type));
	}
	return true;
}

static void
beat(struct kit *k)
{
	struct wire_msg m = { .type = WIRE_BEAT,
	    .u.beat.heard_ms = k->heartbeat.sent_ms };

	if (k->beats && k->ready > 0 && k->peer[0] != NULL)
		wire_send(k->peer[0], &m);
}

void
pump_master(struct kit *k)
{
	struct pollfd fds[40];
	struct err err = ERR_INIT;
	size_t n = 0;

	for (unsigned i = 0; i < 2; i++) {
		n += wire_listen_fds(k->listener[i], fds + n, 16);
		if (k->peer[i] != NULL)
			fds[n++] = (struct pollfd){ .fd = wire_fd(k->peer[i]),
			    .events = wire_events(k->peer[i]) };
	}
	poll(fds, n, 20);
	beat(k);
	for (unsigned i = 0; i < 2; i++) {
		wire_listen_service(k->listener[i], clock_mono_ms(), on_hello,
		    k);
		if (k->peer[i] != NULL && wire_service(k->peer[i], on_message,
		    k, &err) == -1) {
			wire_close(&k->peer[i]);
			k->lost++;
		}
	}
}

int
end_of(struct kit *k, char *text, size_t size)
{
	uint64_t until = clock_mono_ms() + LIMIT_MS;
	int status = -1;
	size_t len = 0;
	ssize_t n;

	while (waitpid(k->pid, &status, WNOHANG) == 0) {
		pump_master(k);
		if (clock_mono_ms() > until) {
			kill(k->pid, SIGKILL);
			fail_msg("the client does not end");
		}
	}
	k->pid = 0;
	while (len + 1 < size &&
	    (n = read(k->errors, text + len, size - len - 1)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

void
expect_end(struct kit *k, int want, const char *said)
{
	char text[4096];
	int got = end_of(k, text, sizeof(text));

	if (got != want || (said != NULL && strstr(text, said) == NULL))
		fail_msg("status %d, expected %d and \"%s\": %s", got, want,
		    said == NULL ? "" : said, text);
	if (strstr(text, "secret") != NULL)
		fail_msg("it told a secret: %s", text);
}

void
kit_free(struct kit *k)
{
	for (unsigned i = 0; i < 2; i++) {
		wire_close(&k->peer[i]);
		wire_listen_free(&k->listener[i]);
	}
	if (k->input != -1)
		close(k->input);
	close(k->errors);
	free(k->dest);
	sender_teardown(k->x);
	free(k);
}

struct kit *
working(enum op op)
{
	struct kit *k = kit_new();

	k->op = op;
	if (op == OP_GET)
		k->dest = xstrdup(k->x->dir);
	spawn(k, NULL, NULL);
	send_invitation(k);
	UNTIL(k, k->ready == 1 && k->wants > 0 && k->heartbeats > 0);
	return k;
}

void
send_lease(struct kit *k, int64_t id, unsigned first, unsigned count)
{
	struct lease *l = new_lease(k->x, first + count);
	struct wire_msg m = { .type = WIRE_LEASE_PUT };

	m.u.lease_put = (struct wire_lease_put){ .lease = id,
	    .items = l->items + first, .count = count };
	wire_send(k->peer[0], &m);
	lease_free(&l);
}

void
send_stop(struct kit *k, uint64_t limit_ms)
{
	struct wire_msg m = { .type = WIRE_STOP };

	m.u.stop.limit_ms = limit_ms;
	wire_send(k->peer[0], &m);
}

void
hold_puts(struct kit *k, bool held)
{
	pthread_mutex_lock(&k->x->f.lock);
	k->x->f.locked.held = held;
	pthread_cond_broadcast(&k->x->f.changed);
	pthread_mutex_unlock(&k->x->f.lock);
}

bool
puts_wait(struct kit *k)
{
	bool yes;

	pthread_mutex_lock(&k->x->f.lock);
	yes = k->x->f.locked.in_flight > 0;
	pthread_mutex_unlock(&k->x->f.lock);
	return yes;
}
