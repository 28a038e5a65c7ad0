/* Keys of the store that end: what clients get from the master. */
#include "kit/team.h"

static void
set(struct fixture *x, const char *access)
{
	const struct keys k = { .access_key = (char *)(uintptr_t)access,
	    .secret_key = (char *)(uintptr_t)"S2",
	    .session_token = (char *)(uintptr_t)"T2", .expires_sec = 99 };

	keyring_set(x->conf.s3_storage.keyring, &k, 0);
}

static void
say_expired(struct fake *f, uint64_t number)
{
	struct wire_msg m = { .type = WIRE_EXPIRED,
	    .u.expired.number = number };

	send_msg(f, f->status, &m);
}

static void
expect_keys(struct fake *f, const char *access, uint64_t number)
{
	struct wire_msg m = wait_for(f, WIRE_KEYS);

	assert_int_equal(m.u.keys.number, number);
	assert_int_equal(m.u.keys.err.kind, ERR_NONE);
	assert_string_equal(m.u.keys.keys.access_key, access);
	assert_string_equal(m.u.keys.keys.secret_key, "S2");
	assert_string_equal(m.u.keys.keys.session_token, "T2");
	assert_int_equal(m.u.keys.keys.expires_sec, 99);
	wire_msg_release(&m);
}

static void
clients_get_other_keys(void **state)
{
	struct fixture *x = team_setup();
	struct keyring *ring = x->conf.s3_storage.keyring;
	struct fake *f, *g;

	(void)state;
	keyring_has_renewer(ring);
	team_start(x, OP_PUT);
	f = client(x, 1);
	g = client(x, 2);
	/* Whoever finds out, all clients get the keys. */
	say_expired(f, 1);
	while (!keyring_awaits(ring))
		poll(NULL, 0, 5);
	set(x, "A2");
	expect_keys(f, "A2", 2);
	expect_keys(g, "A2", 2);
	/* A client that is late asks for nothing. */
	say_expired(g, 1);
	/* Ahead of their end. */
	set(x, "A3");
	expect_keys(f, "A3", 3);
	expect_keys(g, "A3", 3);
	assert_false(keyring_awaits(ring));
	client_free(f);
	client_free(g);
	team_finish(x);
}

static void
clients_hear_that_none_will_come(void **state)
{
	struct fixture *x = team_setup();
	struct keyring *ring = x->conf.s3_storage.keyring;
	struct err why = { .kind = ERR_RETRY, .msg = "the source is gone" };
	struct fake *f, *g;
	struct wire_msg m;

	(void)state;
	keyring_has_renewer(ring);
	team_start(x, OP_PUT);
	f = client(x, 1);
	g = client(x, 2);
	say_expired(f, 1);
	while (!keyring_awaits(ring))
		poll(NULL, 0, 5);
	keyring_give_up(ring, 1, &why);
	for (int i = 0; i < 2; i++) {
		m = wait_for(i == 0 ? f : g, WIRE_KEYS);
		assert_int_equal(m.u.keys.number, 1);
		assert_int_equal(m.u.keys.err.kind, ERR_RETRY);
		assert_string_equal(m.u.keys.err.msg, "the source is gone");
		assert_null(m.u.keys.keys.access_key);
		wire_msg_release(&m);
	}
	client_free(f);
	client_free(g);
	team_finish(x);
}

static void
keys_without_a_renewer(void **state)
{
	struct fixture *x = team_setup();
	struct wire_msg m;
	struct fake *f;

	(void)state;
	team_start(x, OP_PUT);
	f = client(x, 1);
	say_expired(f, 1);
	m = wait_for(f, WIRE_KEYS);
	assert_int_equal(m.u.keys.err.kind, ERR_DENIED);
	wire_msg_release(&m);
	client_free(f);
	team_finish(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_get_other_keys),
		cmocka_unit_test(clients_hear_that_none_will_come),
		cmocka_unit_test(keys_without_a_renewer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
