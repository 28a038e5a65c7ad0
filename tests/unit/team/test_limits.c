/*
 * The limits of a run, as its clients are told of them.
 */
#include "kit/team.h"

static void
expect_limit(struct fake *f, uint64_t bytes)
{
	struct wire_msg m = wait_for(f, WIRE_LIMITS);

	assert_int_equal(m.u.limits.bwlimit, bytes);
}

static void
test_limits(void **state)
{
	struct fixture *x = team_setup();
	struct fake *f, *g;
	struct wire_msg m;

	(void)state;
	team_start(x, OP_PUT);
	f = client(x, 1);
	expect_limit(f, 1000);
	g = client(x, 2);
	expect_limit(f, 500);
	expect_limit(g, 500);
	leave(g);
	expect_limit(f, 1000);
	crew_limits(x->crew, 0, 300);
	expect_limit(f, 0);
	/* What one is told first is its share already. */
	g->closed = false;
	m = call(g);
	assert_int_equal(m.u.setup.bwlimit, 0);
	assert_int_equal(m.u.setup.tpslimit, 150);
	wire_msg_release(&m);
	client_free(f);
	client_free(g);
	team_finish(x);
}

/* Who has work gets what those who have none leave. */
static void
test_limits_of_idle(void **state)
{
	struct fixture *x = team_setup();
	struct fake *f, *g;
	struct results *r;
	struct wire_msg a;

	(void)state;
	team_start(x, OP_PUT);
	f = client(x, 1);
	expect_limit(f, 1000);
	g = client(x, 2);
	expect_limit(f, 500);
	expect_limit(g, 500);
	give(x, 1, 1, 10);
	want(f, 1);
	a = wait_for(f, WIRE_LEASE_PUT);
	expect_limit(f, 950);
	expect_limit(g, 50);
	result(f, a.u.lease_put.lease, a.u.lease_put.items[0].object);
	r = mail_of(x, MAIL_RESULTS);
	results_free(&r);
	expect_limit(f, 500);
	expect_limit(g, 500);
	wire_msg_release(&a);
	client_free(f);
	client_free(g);
	team_finish(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_limits_of_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
