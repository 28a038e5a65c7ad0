/* The client against a master that does as it is told. */
#include "kit/client.h"

static void
test_put(void **state UNUSED)
{
	struct kit *k = working(OP_PUT);

	for (unsigned i = 0; i < 5; i++)
		write_file(k->x, i, i * 1000, 7);
	write_file(k->x, 5, 2 * CLIENT_PART + 5, 7);
	assert_int_equal(k->hello_client[0], CLIENT);
	assert_int_equal(k->hello_client[1], CLIENT);
	assert_true(k->want.items >= 8);
	/* One lease may come in pieces. */
	send_lease(k, 11, 0, 3);
	send_lease(k, 11, 3, 3);
	/* The last note follows the result. */
	UNTIL(k, k->results == 6 && k->notes == 3);
	for (unsigned i = 0; i < 6; i++) {
		assert_stored(k->x, i);
		assert_int_equal(k->outcome[i], OUTCOME_MOVED);
	}
	assert_int_equal(k->result_lease, 11);
	k->heartbeats = 0;
	UNTIL(k, k->heartbeats > 0);
	assert_int_equal(k->heartbeat.in_hand, 0);
	assert_true(k->heartbeat.bytes_sent >= 2 * CLIENT_PART);
	send_stop(k, 5000);
	expect_end(k, 0, NULL);
	assert_int_equal(k->byes, 1);
	assert_int_equal(k->bye.kind, ERR_NONE);
	kit_free(k);
}

/* It asks for work before it has done what it has. */
static void
test_want(void **state UNUSED)
{
	struct kit *k = working(OP_PUT);
	unsigned capacity = k->want.items;

	for (unsigned i = 0; i < 20; i++)
		write_file(k->x, i, 100, 7);
	hold_puts(k, true);
	k->wants = 0;
	send_lease(k, 1, 0, 10);
	UNTIL(k, k->wants > 0);
	assert_int_equal(k->want.items, capacity - 10);
	assert_true(k->want.bytes > 0);
	send_lease(k, 2, 10, 10);
	UNTIL(k, k->want.items == capacity - 20);
	k->heartbeats = 0;
	UNTIL(k, k->heartbeats > 0 && k->heartbeat.in_hand == 20);
	hold_puts(k, false);
	UNTIL(k, k->results == 20);
	send_stop(k, 0);
	expect_end(k, 0, NULL);
	kit_free(k);
}

static void
test_delete(void **state UNUSED)
{
	struct kit *k = working(OP_DEL);
	char key[] = "a\001b";
	struct delete_row row = { .key = key };
	struct delete_batch batch = { .v = &row, .count = 1 };
	struct wire_msg m = { .type = WIRE_LEASE_DELETE };

	m.u.lease_delete = (struct wire_lease_delete){ .lease = 5, .id = 6,
	    .batch = &batch };
	wire_send(k->peer[0], &m);
	UNTIL(k, k->deleted == 1);
	assert_int_equal(k->result_lease, 5);
	assert_int_equal(k->last_deleted.err.kind, ERR_NONE);
	send_stop(k, 0);
	expect_end(k, 0, NULL);
	kit_free(k);
}

static void
send_fetch(struct kit *k, const char *path)
{
	char key[] = "s/x", name[80];
	struct fetch_item it = { .key = key, .path = name, .size = 3 };
	struct wire_fetch f = { .id = 9, .item = &it };
	struct wire_msg m = { .type = WIRE_LEASE_FETCH };

	snprintf(name, sizeof(name), "%s", path);
	m.u.lease_fetch = (struct wire_lease_fetch){ .lease = 8, .v = &f,
	    .count = 1 };
	wire_send(k->peer[0], &m);
}

static void
test_fetch(void **state UNUSED)
{
	struct kit *k = working(OP_GET);

	/* There is no such object. */
	send_fetch(k, "a/b");
	UNTIL(k, k->fetched == 1);
	assert_int_equal(k->result_lease, 8);
	assert_int_equal(k->last_fetched.id, 9);
	send_stop(k, 0);
	expect_end(k, 0, NULL);
	kit_free(k);
}

/* A master can't make it write elsewhere. */
static void
test_path_outside(void **state UNUSED)
{
	struct kit *k = working(OP_GET);

	send_fetch(k, "../../etc/passwd");
	expect_end(k, 1, "leads elsewhere");
	kit_free(k);
}

static void
test_unknown_export(void **state UNUSED)
{
	struct kit *k = working(OP_PUT);
	struct wire_msg m = { .type = WIRE_LEASE_PUT };
	struct lease *l;

	write_file(k->x, 0, 10, 7);
	l = new_lease(k->x, 1);
	l->items[0].export = 1;
	m.u.lease_put = (struct wire_lease_put){ .lease = 1,
	    .items = l->items, .count = 1 };
	wire_send(k->peer[0], &m);
	lease_free(&l);
	expect_end(k, 1, "in no export");
	kit_free(k);
}

static void
test_no_destination(void **state UNUSED)
{
	struct kit *k = kit_new();

	k->op = OP_GET;
	k->dest = xstrdup("/nonexistent/dest");
	spawn(k, NULL, NULL);
	send_invitation(k);
	UNTIL(k, k->byes == 1 || k->lost > 0);
	expect_end(k, 2, "/nonexistent/dest");
	assert_int_equal(k->byes, 1);
	assert_int_equal(k->bye.kind, ERR_USAGE);
	kit_free(k);
}

/* A newer master has a setting that this client could not keep to. */
static void
test_unknown_setting(void **state UNUSED)
{
	struct kit *k = kit_new();

	k->settings = "readahead = 7\n";
	spawn(k, NULL, NULL);
	send_invitation(k);
	UNTIL(k, k->byes == 1 || k->lost > 0);
	expect_end(k, 2, "unknown key readahead in [fs_config]");
	assert_int_equal(k->byes, 1);
	assert_int_equal(k->bye.kind, ERR_CONFIG);
	kit_free(k);
}

/* What is on its way ends, what has not begun does not begin. */
static void
test_stop_while_busy(void **state UNUSED)
{
	struct kit *k = working(OP_PUT);

	for (unsigned i = 0; i < 60; i++)
		write_file(k->x, i, 100, 7);
	hold_puts(k, true);
	send_lease(k, 1, 0, 60);
	UNTIL(k, puts_wait(k));
	send_stop(k, 10000);
	k->heartbeats = 0;
	UNTIL(k, k->heartbeats > 0);
	hold_puts(k, false);
	expect_end(k, 0, NULL);
	assert_in_range(k->results, 1, 59);
	kit_free(k);
}

static void
test_stop_at_once(void **state UNUSED)
{
	struct kit *k = working(OP_PUT);

	write_file(k->x, 0, 100, 7);
	hold_puts(k, true);
	send_lease(k, 1, 0, 1);
	UNTIL(k, puts_wait(k));
	send_stop(k, 0);
	expect_end(k, 0, NULL);
	assert_int_equal(k->results, 0);
	hold_puts(k, false);
	kit_free(k);
}

/* A master that said STOP may go when it likes. */
static void
test_stop_then_closed(void **state UNUSED)
{
	struct kit *k = working(OP_PUT);

	write_file(k->x, 0, 100, 7);
	hold_puts(k, true);
	send_lease(k, 1, 0, 1);
	UNTIL(k, puts_wait(k));
	send_stop(k, 10000);
	for (unsigned i = 0; i < 2; i++) {
		k->heartbeats = 0;
		UNTIL(k, k->heartbeats > 0);
	}
	wire_close(&k->peer[0]);
	wire_close(&k->peer[1]);
	expect_end(k, 0, NULL);
	hold_puts(k, false);
	kit_free(k);
}

static void
test_input_ends(void **state UNUSED)
{
	struct kit *k = working(OP_PUT);

	close(k->input);
	k->input = -1;
	expect_end(k, 0, NULL);
	assert_int_equal(k->byes, 1);
	kit_free(k);
}

/* The master has died before it said what there is to do: connection and
 * standard input end at once, and nobody is left to come back to. */
static void
test_all_ends(void **state UNUSED)
{
	struct kit *k = kit_new();
	int status;

	k->mute = true;
	spawn(k, NULL, NULL);
	send_invitation(k);
	UNTIL(k, k->hellos == 1);
	kill(k->pid, SIGSTOP);
	assert_int_equal(waitpid(k->pid, &status, WUNTRACED), k->pid);
	assert_true(WIFSTOPPED(status));
	wire_close(&k->peer[0]);
	close(k->input);
	k->input = -1;
	kill(k->pid, SIGCONT);
	expect_end(k, 3, "ended the connection");
	assert_int_equal(k->hellos, 1);
	kit_free(k);
}

static void
test_connection_closed(void **state UNUSED)
{
	struct kit *k = working(OP_PUT);

	write_file(k->x, 0, 100, 7);
	hold_puts(k, true);
	send_lease(k, 1, 0, 1);
	UNTIL(k, puts_wait(k));
	wire_close(&k->peer[1]);
	expect_end(k, 3, NULL);
	hold_puts(k, false);
	kit_free(k);
}

static void
test_silence(void **state UNUSED)
{
	struct kit *k = kit_new();

	k->silence_ms = 1500;
	k->beats = false;
	spawn(k, NULL, NULL);
	send_invitation(k);
	expect_end(k, 3, "has not answered");
	assert_int_equal(k->ready, 1);
	kit_free(k);
}

/* Who was frozen does not believe what waited for him. */
static void
test_frozen(void **state UNUSED)
{
	struct kit *k = kit_new();
	uint64_t until;

	k->silence_ms = 2000;
	spawn(k, NULL, NULL);
	send_invitation(k);
	UNTIL(k, k->ready == 1 && k->heartbeats > 0);
	write_file(k->x, 0, 100, 7);
	kill(k->pid, SIGSTOP);
	send_lease(k, 1, 0, 1);
	for (until = clock_mono_ms() + 2500; clock_mono_ms() < until;)
		pump_master(k);
	kill(k->pid, SIGCONT);
	expect_end(k, 3, "has not answered");
	assert_int_equal(k->results, 0);
	assert_int_equal(k->x->f.locked.puts, 0);
	kit_free(k);
}

static void
test_signal(void **state UNUSED)
{
	struct kit *k = working(OP_PUT);

	kill(k->pid, SIGTERM);
	expect_end(k, 143, NULL);
	assert_int_equal(k->byes, 1);
	assert_int_equal(k->bye.kind, ERR_STOPPED);
	kit_free(k);
}

static void
test_refused(void **state UNUSED)
{
	struct kit *k = kit_new();

	k->refuse = "another version";
	spawn(k, NULL, NULL);
	send_invitation(k);
	expect_end(k, 3, "another version");
	kit_free(k);
}

static void
test_wrong_key(void **state UNUSED)
{
	struct kit *k = kit_new();
	uint8_t right[TLS_KEY_LEN];

	memcpy(right, k->key, sizeof(right));
	k->key[0] ^= 1;
	spawn(k, NULL, NULL);
	send_invitation(k);
	memcpy(k->key, right, sizeof(right));
	expect_end(k, 3, NULL);
	assert_int_equal(k->hellos, 0);
	kit_free(k);
}

static void
test_no_invitation(void **state UNUSED)
{
	struct kit *k = kit_new();

	spawn(k, NULL, NULL);
	close(k->input);
	k->input = -1;
	expect_end(k, 3, "invitation");
	kit_free(k);
	k = kit_new();
	spawn(k, NULL, NULL);
	assert_int_equal(write(k->input, "hello\n\n", 7), 7);
	expect_end(k, 2, NULL);
	kit_free(k);
}

/* The master has its key from a file. */
static void
use_key_file(struct kit *k, const char *file)
{
	struct err err = ERR_INIT;

	if (key_file_make(file, k->key, &err) == -1)
		fail_msg("%s", err.msg);
	for (unsigned i = 0; i < 2; i++) {
		unsigned port = wire_port(k->listener[i]);

		wire_listen_free(&k->listener[i]);
		if (wire_listen(&k->listener[i], "127.0.0.1", port, k->key,
		    &err) == -1)
			fail_msg("%s", err.msg);
	}
}

/* One that joined comes back when it has lost the master. */
static void
test_join(void **state UNUSED)
{
	struct kit *k = kit_new();
	AUTOFREE char *file = xasprintf("%s/key", k->x->dir);
	AUTOFREE char *join = xasprintf("127.0.0.1:%u:%u",
	    wire_port(k->listener[0]), wire_port(k->listener[1]));

	use_key_file(k, file);
	spawn(k, join, file);
	UNTIL(k, k->ready == 1 && k->heartbeats > 0);
	assert_int_equal(k->hello_client[0], 0);
	assert_int_equal(k->hello_client[1], CLIENT);
	wire_close(&k->peer[0]);
	wire_close(&k->peer[1]);
	UNTIL(k, k->ready == 2);
	assert_int_equal(k->hello_client[0], CLIENT);
	UNTIL(k, k->hellos == 4);
	/* One of another container may have the same number. */
	assert_int_equal((uint32_t)k->hello_pid[0], k->pid);
	assert_int_not_equal(k->hello_pid[0] >> 32, 0);
	assert_int_equal(k->hello_pid[1], k->hello_pid[0]);
	send_stop(k, 0);
	expect_end(k, 0, "trying for");
	unlink(file);
	kit_free(k);
}

/* A port that nobody listens at, or where nobody answers. */
static int
dead_port(bool listens, unsigned *ret_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	if (listens)
		assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*ret_port = ntohs(a.sin_port);
	return fd;
}

/* One of the two ports is all that it reaches: it says which isn't, once,
 * however often it tries. */
static void
half_reached(bool listens, const char *reason)
{
	struct kit *k = kit_new();
	AUTOFREE char *file = xasprintf("%s/key", k->x->dir), *join = NULL;
	AUTOFREE char *said = NULL;
	char text[4096], *first;
	unsigned port;
	int fd = dead_port(listens, &port);

	use_key_file(k, file);
	join = xasprintf("127.0.0.1:%u:%u", wire_port(k->listener[0]), port);
	said = xasprintf("127.0.0.1:%u%s", port, reason);
	spawn(k, join, file);
	for (unsigned n = 1; n <= 3; n++) {
		UNTIL(k, k->hellos == n);
		if (listens)
			wire_close(&k->peer[0]);
	}
	kill(k->pid, SIGTERM);
	assert_int_equal(end_of(k, text, sizeof(text)), 143);
	first = strstr(text, said);
	if (first == NULL || strstr(first, "trying for") == NULL ||
	    strstr(strstr(first, "trying for") + 1, "trying for") != NULL)
		fail_msg("%s", text);
	close(fd);
	unlink(file);
	kit_free(k);
}

static void
test_half_reached(void **state UNUSED)
{
	half_reached(false, ": Connection refused");
	half_reached(true, " (port_status) does not answer");
}

static void
test_parse_join(void **state UNUSED)
{
	static const struct {
		const char *join, *host;	/* host NULL: refused */
		unsigned index, status;
	} rows[] = {
		{ "m", "m", 6000, 6001 },
		{ "m:1", "m", 1, 6001 },
		{ "m:1:65535", "m", 1, 65535 },
		{ "::1", "::1", 6000, 6001 },
		{ "[::1]:5:6", "::1", 5, 6 },
		{ "[::1]", "::1", 6000, 6001 },
		{ "", NULL, 0, 0 },
		{ ":1", NULL, 0, 0 },
		{ "m:", NULL, 0, 0 },
		{ "m:0", NULL, 0, 0 },
		{ "m:65536", NULL, 0, 0 },
		{ "m:-1", NULL, 0, 0 },
		{ "m:1:1", NULL, 0, 0 },
		{ "m:1:2:3", NULL, 0, 0 },
		{ "m:1x", NULL, 0, 0 },
		{ "[::1", NULL, 0, 0 },
		{ "[::1]5", NULL, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned index = 6000, status = 6001;
		AUTOFREE char *host = NULL;
		struct err err = ERR_INIT;
		int rc = client_parse_join(rows[i].join, &host, &index,
		    &status, &err);

		if ((rc == 0) != (rows[i].host != NULL))
			fail_msg("%s: %d", rows[i].join, rc);
		if (rc == -1) {
			assert_int_equal(err.kind, ERR_USAGE);
			continue;
		}
		assert_string_equal(host, rows[i].host);
		assert_int_equal(index, rows[i].index);
		assert_int_equal(status, rows[i].status);
	}
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put),
		cmocka_unit_test(test_want),
		cmocka_unit_test(test_delete),
		cmocka_unit_test(test_fetch),
		cmocka_unit_test(test_path_outside),
		cmocka_unit_test(test_unknown_export),
		cmocka_unit_test(test_no_destination),
		cmocka_unit_test(test_unknown_setting),
		cmocka_unit_test(test_stop_while_busy),
		cmocka_unit_test(test_stop_at_once),
		cmocka_unit_test(test_stop_then_closed),
		cmocka_unit_test(test_input_ends),
		cmocka_unit_test(test_all_ends),
		cmocka_unit_test(test_connection_closed),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_frozen),
		cmocka_unit_test(test_signal),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_wrong_key),
		cmocka_unit_test(test_no_invitation),
		cmocka_unit_test(test_join),
		cmocka_unit_test(test_half_reached),
		cmocka_unit_test(test_parse_join),
	};

	if (argc > 1 && strcmp(argv[1], "client") == 0)
		return be_client(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
