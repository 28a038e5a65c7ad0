/*
 * What strangers do to a listener, and what they get.
 */
#include <sys/resource.h>

#include "kit/wire.h"

static void
expect_dropped(struct world *w, const char *bytes, size_t len)
{
	int fd = raw_connect(w);

	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
	UNTIL(w, NULL, 0, raw_ended(fd));
	close(fd);
	assert_int_equal(w->count, 0);
}

static void
test_garbage(void **state)
{
	static const char http[] = "GET / HTTP/1.1\r\nHost: here\r\n\r\n";
	struct world *w = *state;
	char bytes[5000];
	struct side c;

	expect_dropped(w, http, sizeof(http) - 1);
	memset(bytes, 0, sizeof(bytes));
	expect_dropped(w, bytes, sizeof(bytes));
	memset(bytes, 0xff, sizeof(bytes));
	expect_dropped(w, bytes, sizeof(bytes));
	/* A record that says it is a large ClientHello, and isn't. */
	memcpy(bytes, "\x16\x03\x01\x10\x00\x01\x00\x0f\xfc\x03\x03", 11);
	expect_dropped(w, bytes, sizeof(bytes));
	join(w, &c);
	drop_side(&c);
}

/* Nothing comes, or a byte now and then: dropped when the time is over. */
static void
test_slow(void **state)
{
	struct world *w = *state;
	static const char record[] = "\x16\x03\x01\x01\x00";
	int silent = raw_connect(w), drip = raw_connect(w);
	struct side c;

	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(send(drip, &record[i], 1, MSG_NOSIGNAL), 1);
		turn(w, NULL, 0);
	}
	assert_false(raw_ended(silent));
	assert_false(raw_ended(drip));
	w->skip_ms = WIRE_HELLO_MS;
	UNTIL(w, NULL, 0, raw_ended(silent) && raw_ended(drip));
	close(silent);
	close(drip);
	/* One who knows the key and then says nothing, too. */
	w->skip_ms = 0;
	dial(w, &c, key);
	for (unsigned i = 0; i < 20; i++)
		turn(w, &c, 1);
	assert_false(c.ended);
	assert_int_equal(w->count, 0);
	w->skip_ms = WIRE_HELLO_MS;
	UNTIL(w, &c, 1, c.ended);
	assert_int_equal(c.err.kind, ERR_UNREACHABLE);
	drop_side(&c);
}

static void
test_many_silent(void **state)
{
	struct world *w = *state;
	struct pollfd fds[300];
	struct side c = { .peer = NULL };
	struct wire_msg m = hello();
	size_t ended = 0;
	int fd[200];

	for (size_t i = 0; i < 100; i++)
		fd[i] = raw_connect(w);
	/* In the middle of them, one who has the key. */
	dial(w, &c, key);
	for (size_t i = 100; i < 200; i++) {
		fd[i] = raw_connect(w);
		turn(w, &c, 1);
	}
	wire_send(c.peer, &m);
	UNTIL(w, &c, 1, w->count == 1 || c.ended);
	assert_int_equal(w->count, 1);
	/* The oldest went, one of them perhaps for him; the others are
	 * there: no more than may be. */
	UNTIL(w, &c, 1, raw_ended(fd[200 - WIRE_STRANGERS_MAX - 1]));
	for (size_t i = 0; i < 200; i++)
		ended += raw_ended(fd[i]);
	assert_in_range(ended, 200 - WIRE_STRANGERS_MAX,
	    200 - WIRE_STRANGERS_MAX + 1);
	assert_true(raw_ended(fd[0]) && !raw_ended(fd[199]));
	assert_int_equal(wire_listen_fds(w->l, fds, 300), 1 + 200 - ended);
	for (size_t i = 0; i < 200; i++)
		close(fd[i]);
	drop_side(&c);
}

/* 10,000 connections, as fast as they are taken: the one with the key gets
 * through meanwhile. */
static void
test_flood(void **state)
{
	struct world *w = *state;
	struct side c = { .peer = NULL };
	struct wire_msg m = hello();
	int fd[256];

	w->answer = true;
	for (size_t i = 0; i < 10000; i++) {
		if (i >= ARRAY_LEN(fd))
			close(fd[i % ARRAY_LEN(fd)]);
		fd[i % ARRAY_LEN(fd)] = raw_connect(w);
		if (i % 2 == 0)
			(void)send(fd[i % ARRAY_LEN(fd)], "\x16\x03\x01", 3,
			    MSG_NOSIGNAL);
		if (i == 4000) {
			dial(w, &c, key);
			wire_send(c.peer, &m);
		}
		if (i % 16 == 0)
			turn(w, &c, 1);
	}
	assert_int_equal(w->count, 1);
	assert_int_equal(c.got[WIRE_WELCOME], 1);
	assert_false(c.ended);
	for (size_t i = 0; i < ARRAY_LEN(fd); i++)
		close(fd[i]);
	drop_side(&c);
}

/* No descriptor left: poll isn't woken again and again, and those who wait
 * come later. */
static void
test_no_descriptors(void **state)
{
	struct world *w = *state;
	struct rlimit old, now;
	struct pollfd fds[WIRE_STRANGERS_MAX + 1];
	int one = raw_connect(w);
	struct side c;
	int spare;

	turn(w, NULL, 0);
	close(one);
	UNTIL(w, NULL, 0, wire_listen_fds(w->l, fds, 65) == 1);
	dial(w, &c, key);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	spare = dup(0);
	now = old;
	now.rlim_cur = (rlim_t)spare;
	close(spare);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
	UNTIL(w, NULL, 0, wire_listen_fds(w->l, fds, 65) == 0);
	turn(w, &c, 1);
	assert_int_equal(wire_listen_fds(w->l, fds, 65), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	w->skip_ms += 2000;
	UNTIL(w, &c, 1, wire_listen_fds(w->l, fds, 65) == 2);
	{
		struct wire_msg m = hello();

		wire_send(c.peer, &m);
	}
	UNTIL(w, &c, 1, w->count == 1);
	drop_side(&c);
}

/* Another message first; a frame that is too large for a stranger. */
static void
test_not_hello(void **state)
{
	struct world *w = *state;
	struct wire_msg m = { .type = WIRE_BEAT };
	char *text = xcalloc(1, WIRE_HELLO_MAX + 1);
	struct side c;

	dial(w, &c, key);
	wire_send(c.peer, &m);
	UNTIL(w, &c, 1, c.ended);
	assert_int_equal(c.err.kind, ERR_UNREACHABLE);
	assert_int_equal(w->count, 0);
	drop_side(&c);

	memset(text, 'x', WIRE_HELLO_MAX);
	m = hello();
	m.u.hello.host = text;
	dial(w, &c, key);
	wire_send(c.peer, &m);
	UNTIL(w, &c, 1, c.ended);
	assert_int_equal(w->count, 0);
	drop_side(&c);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_garbage),
		TEST(test_slow),
		TEST(test_many_silent),
		TEST(test_flood),
		TEST(test_no_descriptors),
		TEST(test_not_hello),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
