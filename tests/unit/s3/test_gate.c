/*
 * When a request may begin: the rate over any time, changed while it goes on,
 * and the end that is moved on.
 */
#include "kit/s3_script.h"
#include "kit/sock.h"

#define SEC	UINT64_C(1000000000)
#define MS	UINT64_C(1000000)

/* Requests that pass within a time, if asked each millisecond. */
static unsigned
passed(struct s3_gate *g, uint64_t *now_ns, uint64_t ms)
{
	unsigned n = 0;

	for (; ms > 0; ms--, *now_ns += MS)
		while (s3_gate_pass(g, *now_ns) && n < 1000000)
			n++;
	return n;
}

static void
test_rate(void **state UNUSED)
{
	struct s3_gate g = { .tps = 0 };
	uint64_t now = 1000 * SEC;

	assert_int_equal(passed(&g, &now, 1), 1000000);
	assert_int_equal(s3_gate_next_ms(&g, now / MS), 0);
	s3_gate_limit(&g, 10 * 1000);
	assert_in_range(passed(&g, &now, 2000), 20, 21);
	/* Every second of them, and more than waits are fine. */
	assert_in_range(passed(&g, &now, 1000), 10, 10);
	s3_gate_limit(&g, 5000 * 1000);
	assert_in_range(passed(&g, &now, 1000), 4990, 5110);
	/* One in two seconds. */
	s3_gate_limit(&g, 500);
	assert_in_range(passed(&g, &now, 10000), 5, 6);
	/* The wait at the old rate is not waited for, but one at the new. */
	while (!s3_gate_pass(&g, now))
		now += MS;
	for (int i = 0; i < 4; i++) {
		s3_gate_limit(&g, i % 2 == 0 ? 10 * 1000 : 500);
		assert_false(s3_gate_pass(&g, now + 90 * MS));
	}
	s3_gate_limit(&g, 10 * 1000);
	now += 100 * MS;
	assert_true(s3_gate_pass(&g, now));
	assert_false(s3_gate_pass(&g, now));
	assert_in_range(s3_gate_next_ms(&g, now / MS), now / MS + 80,
	    now / MS + 100);
	s3_gate_limit(&g, 0);
	assert_true(s3_gate_pass(&g, now));
}

/* What was not used long ago is not saved up. */
static void
test_idle(void **state UNUSED)
{
	struct s3_gate g = { .tps = 10 * 1000 };
	uint64_t now = 1000 * SEC;

	assert_int_equal(passed(&g, &now, 1), 1);
	now += 60 * SEC;
	assert_in_range(passed(&g, &now, 1000), 10, 11);
}

static void
test_valid(void **state UNUSED)
{
	struct s3_gate g = { .tps = 0 };

	s3_gate_valid_until(&g, 5000);
	assert_true(s3_gate_pass(&g, 4999 * MS));
	assert_false(s3_gate_pass(&g, 5000 * MS));
	assert_true(s3_gate_next_ms(&g, 5000) == UINT64_MAX);
	s3_gate_valid_until(&g, 6000);
	assert_true(s3_gate_pass(&g, 5000 * MS));
	s3_gate_valid_until(&g, 0);
	assert_true(s3_gate_pass(&g, 7000 * MS));
}

/* The client begins nothing that the gate keeps back, and all else. */
static void
test_client(void **state UNUSED)
{
	struct s3_gate gate = { .valid_until_ms = 1 };
	const char *const script[] = { OK_PUT, ERROR_503, OK_PUT, NULL };
	struct fixture f = { .c.gate = &gate };

	script_start(&f, script);
	s3_put(f.s, STR("k"), &hello_body, NULL, on_done, &f.g);
	for (int i = 0; i < 20; i++)
		s3_wait(f.s, NULL, 0, 1);
	assert_int_equal(s3_pending(f.s), 1);
	assert_string_equal(asked(&f.v), "");
	s3_gate_valid_until(&gate, 0);
	good(&f, 1);
	/* Each try is a request: at this rate the second comes never. */
	f.g.calls = 0;
	s3_put(f.s, STR("k"), &hello_body, NULL, on_done, &f.g);
	s3_gate_limit(&gate, 1);
	for (unsigned n = 0; n < 2;) {
		struct s3_stats stats;

		s3_wait(f.s, NULL, 0, 10);
		s3_stats(f.s, &stats);
		assert_true(stats.requests <= 2);
		n = stats.retries == 1 ? n + 1 : 0;
	}
	for (int i = 0; i < 20; i++)
		s3_wait(f.s, NULL, 0, 10);
	assert_int_equal(s3_pending(f.s), 1);
	s3_gate_limit(&gate, 0);
	good(&f, 2);
	script_finish(&f);
}

static unsigned
requests(struct fixture *f)
{
	unsigned n;

	pthread_mutex_lock(&f->v.lock);
	n = f->v.count;
	pthread_mutex_unlock(&f->v.lock);
	return n;
}

/* A deletion is with the server, which doesn't answer, when the gate's time
 * ends: its connection is reset, and it is sent anew when the gate opens. */
static void
test_taken_back(void **state UNUSED)
{
	struct s3_gate gate = { .valid_until_ms = 0 };
	const char *const script[] = { SILENT, SILENT, OK_PUT, NULL };
	struct fixture f = { .c.gate = &gate, .c.unacked_ms = 1234 };
	unsigned port;

	script_start(&f, script);
	port = (unsigned)atoi(strrchr(f.v.url, ':') + 1);
	s3_delete(f.s, STR("k"), on_done, &f.g);
	while (requests(&f) == 0)
		s3_wait(f.s, NULL, 0, 10);
	assert_int_equal(sockets_to(port, 1234), 1);
	/* Nobody calls: the turn that is asleep ends by itself. */
	s3_gate_valid_until(&gate, clock_mono_ms() + 50);
	while (sockets_to(port, 1234) > 0)
		s3_wait(f.s, NULL, 0, 60000);
	assert_int_equal(s3_pending(f.s), 1);
	assert_int_equal(f.g.calls, 0);
	s3_gate_valid_until(&gate, 0);
	while (requests(&f) == 1)
		s3_wait(f.s, NULL, 0, 10);
	s3_gate_valid_until(&gate, 1);
	while (sockets_to(port, 1234) > 0)
		s3_wait(f.s, NULL, 0, 10);
	s3_gate_valid_until(&gate, 0);
	good(&f, 3);
	script_finish(&f);
}

static void
test_reading_stays(void **state UNUSED)
{
	struct s3_gate gate = { .valid_until_ms = 0 };
	const char *const script[] = { SILENT, NULL };
	struct fixture f = { .c.gate = &gate };
	unsigned port;

	script_start(&f, script);
	port = (unsigned)atoi(strrchr(f.v.url, ':') + 1);
	s3_head(f.s, STR("k"), on_done, &f.g);
	while (requests(&f) == 0)
		s3_wait(f.s, NULL, 0, 10);
	s3_gate_valid_until(&gate, 1);
	for (int i = 0; i < 5; i++)
		s3_wait(f.s, NULL, 0, 10);
	/* Without unacked_ms, it is as long as a stall may last. */
	assert_int_equal(sockets_to(port, 60000), 1);
	s3_cut(f.s);
	assert_int_equal(sockets_to(port, 60000), 0);
	script_finish(&f);
	assert_int_equal(f.g.calls, 1);
	assert_int_equal(f.g.err.kind, ERR_STOPPED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_client),
		cmocka_unit_test(test_taken_back),
		cmocka_unit_test(test_reading_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
