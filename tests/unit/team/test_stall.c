/*
 * Clients that are heard, and bring nothing of what they have in hand.
 */
#include "kit/team.h"

#define SILENCE_S	3

static struct fixture *
short_setup(void)
{
	struct fixture *x = team_setup();

	x->conf.socket_options.recv_timeout = SILENCE_S;
	return x;
}

static struct client_line
line_of(struct fixture *x, const struct fake *f)
{
	struct client_line v[16];

	/* They are shown some time after they came. */
	while (crew_clients(x->crew, v, ARRAY_LEN(v)) < f->number)
		poll(NULL, 0, 20);
	return v[f->number - 1];
}

static bool
is_lost(struct fixture *x, const struct fake *f)
{
	return strcmp(line_of(x, f).state, "lost") == 0;
}

/* One lease of one task. */
static struct wire_msg
lease_one(struct fixture *x, struct fake *f, int64_t object)
{
	give(x, 1, object, 100 * MIB);
	want(f, 1);
	return wait_for(f, WIRE_LEASE_PUT);
}

/* One reads, slowly; one brings nothing; one has worked and stands by. */
static void
test_never_worked(void **state)
{
	struct fixture *x = short_setup();
	struct wire_msg a, b, c, d;
	struct fake *slow, *sick, *idle;
	struct results *r;
	uint64_t bytes = 0;

	(void)state;
	team_start(x, OP_PUT);
	slow = client(x, 1);
	sick = client(x, 2);
	idle = client(x, 3);
	a = lease_one(x, slow, 1);
	b = lease_one(x, sick, 2);
	c = lease_one(x, idle, 3);
	result(idle, c.u.lease_put.lease, c.u.lease_put.items[0].object);
	r = mail_of(x, MAIL_RESULTS);
	results_free(&r);
	want(idle, 10);
	while (!is_lost(x, sick)) {
		heartbeat(slow, ++bytes);
		heartbeat(idle, 1);
		if (!sick->closed)
			heartbeat(sick, 0);
		pump_fake(sick, 20);
	}
	assert_non_null(strstr(line_of(x, sick).reason, "not a byte"));
	assert_int_equal(line_of(x, slow).items, 1);
	/* Once it can't write any more. */
	for (; !has(idle, WIRE_LEASE_PUT); pump_fake(idle, 20)) {
		heartbeat(slow, ++bytes);
		heartbeat(idle, 1);
	}
	d = wait_for(idle, WIRE_LEASE_PUT);
	assert_int_equal(d.u.lease_put.items[0].object,
	    b.u.lease_put.items[0].object);
	wire_msg_release(&a);
	wire_msg_release(&b);
	wire_msg_release(&c);
	wire_msg_release(&d);
	client_free(slow);
	client_free(sick);
	client_free(idle);
	team_finish(x);
}

/* Nobody who has worked stands by, or it has worked itself: it has time to
 * give up by itself. Who has nothing to do may bring nothing. */
static void
hangs(uint64_t bytes, uint64_t idle_bytes)
{
	struct fixture *x = short_setup();
	struct fake *f, *idle;
	struct wire_msg a;
	uint64_t since;

	team_start(x, OP_PUT);
	idle = client(x, 1);
	f = client(x, 2);
	a = lease_one(x, f, 1);
	since = clock_mono_ms();
	want(idle, 1);
	for (; !is_lost(x, f); pump_fake(f, 20)) {
		if (!f->closed)
			heartbeat(f, bytes);
		heartbeat(idle, idle_bytes);
	}
	/* There is no retry_for here. */
	assert_true(clock_mono_ms() - since >= 2000 * SILENCE_S - 500);
	assert_non_null(strstr(line_of(x, f).reason, "not a byte"));
	assert_false(is_lost(x, idle));
	wire_msg_release(&a);
	client_free(f);
	client_free(idle);
	team_finish(x);
}

static void
test_nobody_knows_better(void **state)
{
	(void)state;
	hangs(0, 0);
}

static void
test_worked_before(void **state)
{
	(void)state;
	hangs(7, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_never_worked),
		cmocka_unit_test(test_nobody_knows_better),
		cmocka_unit_test(test_worked_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
