/*
 * When the work of a client that was lost goes to others, and when a run ends
 * that has lost one.
 */
#include "kit/team.h"

/* A client that is lost, who knows how, may still have something in its
 * kernel: its work goes to others when that can't be any more, and no
 * sooner. */
static void
test_lapse(void **state)
{
	struct fixture *x = team_setup();
	struct fake *f, *g;
	uint64_t heard_ms;
	struct wire_msg a;

	(void)state;
	x->conf.socket_options.recv_timeout = 2;
	team_start(x, OP_PUT);
	f = client(x, 1);
	g = client(x, 2);
	give(x, 1, 1, 10);
	want(f, 1);
	a = wait_for(f, WIRE_LEASE_PUT);
	wire_msg_release(&a);
	want(g, 1);
	heard_ms = clock_mono_ms();
	heartbeat(f, 0);
	fake_hang_up(f);
	wait_clients(x, 1, "lost");
	for (; !has(g, WIRE_LEASE_PUT); pump_fake(g, 20))
		heartbeat(g, 0);
	assert_true(clock_mono_ms() - heard_ms >= 2000);
	client_free(f);
	client_free(g);
	team_finish(x);
}

/* Nor does the run end before. */
static void
test_lapse_at_the_end(void **state)
{
	struct fixture *x = team_setup();
	uint64_t heard_ms;
	struct wire_msg a;
	struct fake *f;

	(void)state;
	x->conf.socket_options.recv_timeout = 2;
	team_start(x, OP_PUT);
	f = client(x, 1);
	give(x, 1, 1, 10);
	want(f, 1);
	a = wait_for(f, WIRE_LEASE_PUT);
	wire_msg_release(&a);
	heard_ms = clock_mono_ms();
	heartbeat(f, 0);
	fake_hang_up(f);
	wait_clients(x, 1, "lost");
	crew_stop(x->crew, 0);
	while (!crew_idle(x->crew))
		poll(NULL, 0, 5);
	assert_true(clock_mono_ms() - heard_ms >= 2000);
	client_free(f);
	team_finish(x);
}

/* The same one dials again: all has ended that it did before. So has what
 * it did if it has answered everything, and nobody else had a part in it. */
static void
test_no_lapse(void **state)
{
	struct fixture *x = team_setup();
	struct wire_msg a, b;
	struct results *r;
	struct fake *f, *g;

	(void)state;
	team_start(x, OP_PUT);
	f = client(x, 1);
	give(x, 2, 1, 10);
	want(f, 2);
	a = wait_for(f, WIRE_LEASE_PUT);
	fake_hang_up(f);
	wait_clients(x, 1, "lost");
	f->closed = false;
	join_ready(f);
	g = client(x, 2);
	want(g, 10);
	b = wait_for(g, WIRE_LEASE_PUT);
	for (size_t i = 0; i < b.u.lease_put.count; i++)
		result(g, b.u.lease_put.lease, b.u.lease_put.items[i].object);
	for (size_t n = 0; n < b.u.lease_put.count; n += r->count,
	    results_free(&r))
		r = mail_of(x, MAIL_RESULTS);
	fake_hang_up(g);
	wait_clients(x, 2, "lost");
	leave(f);
	crew_stop(x->crew, 0);
	while (!crew_idle(x->crew))
		poll(NULL, 0, 5);
	wire_msg_release(&a);
	wire_msg_release(&b);
	client_free(f);
	client_free(g);
	team_finish(x);
}

/* The master says what it has heard, by the client's own clock, at once. */
static void
test_beat(void **state)
{
	struct wire_msg m = { .type = WIRE_HEARTBEAT,
	    .u.heartbeat.sent_ms = 4711 };
	struct fixture *x = team_setup();
	struct fake *f;

	(void)state;
	team_start(x, OP_PUT);
	f = client(x, 1);
	send_msg(f, f->status, &m);
	while (f->heard_ms != 4711)
		pump_fake(f, 100);
	client_free(f);
	team_finish(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lapse),
		cmocka_unit_test(test_lapse_at_the_end),
		cmocka_unit_test(test_no_lapse),
		cmocka_unit_test(test_beat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
