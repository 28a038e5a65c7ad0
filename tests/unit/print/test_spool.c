/* Output that is not taken: who writes it does not wait, and all arrives. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "print/spool.h"

#define LINES	100000

static void
print_lines(FILE *out)
{
	for (unsigned i = 0; i < LINES; i++)
		fprintf(out, "line %u\n", i);
}

static void *
read_lines(void *arg)
{
	FILE *in = fdopen(*(int *)arg, "r");
	unsigned n = 0, i;

	while (fscanf(in, "line %u\n", &i) == 1 && i == n)
		n++;
	fclose(in);
	return (void *)(uintptr_t)n;
}

static void
finish(struct spool *s, int fds[2], pthread_t *reader, bool started)
{
	void *n;

	if (!started)
		assert_int_equal(pthread_create(reader, NULL, read_lines,
		    &fds[0]), 0);
	assert_int_equal(spool_end(&s), 0);
	assert_null(s);
	close(fds[1]);
	pthread_join(*reader, &n);
	assert_int_equal((uintptr_t)n, LINES);
}

/* Nobody reads before all is written: that would never end without a file. */
static void
test_nobody_reads(void **state UNUSED)
{
	struct spool *s;
	pthread_t reader;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	s = spool_new(fds[1], 20);
	print_lines(spool_stream(s));
	assert_int_equal(fflush(spool_stream(s)), 0);
	finish(s, fds, &reader, false);
}

static void
test_somebody_reads(void **state UNUSED)
{
	struct spool *s;
	pthread_t reader;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pthread_create(&reader, NULL, read_lines, &fds[0]),
	    0);
	s = spool_new(fds[1], 20000);
	print_lines(spool_stream(s));
	finish(s, fds, &reader, true);
}

/* No file can be made: it waits for the reader. */
static void
test_no_room(void **state UNUSED)
{
	struct spool *s;
	pthread_t reader;
	int fds[2];

	assert_int_equal(setenv("TMPDIR", "/nonexistent", 1), 0);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pthread_create(&reader, NULL, read_lines, &fds[0]),
	    0);
	s = spool_new(fds[1], 0);
	print_lines(spool_stream(s));
	finish(s, fds, &reader, true);
	unsetenv("TMPDIR");
}

/* The reader has gone. */
static void
test_closed(void **state UNUSED)
{
	struct spool *s;
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	s = spool_new(fds[1], 1000);
	print_lines(spool_stream(s));
	assert_int_equal(spool_end(&s), -1);
	close(fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_reads),
		cmocka_unit_test(test_somebody_reads),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
