/*
 * A server that does not answer is named after 5 s, once, and named again when
 * it answers. The clock is an argument.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/silence.h"

/* What was said on standard error since the last call. */
static char said[4096];
static int saved, to;

static int
setup(void **state UNUSED)
{
	char name[] = "/tmp/test_silence.XXXXXX";

	saved = dup(STDERR_FILENO);
	to = mkstemp(name);
	assert_int_not_equal(to, -1);
	unlink(name);
	dup2(to, STDERR_FILENO);
	return 0;
}

static int
teardown(void **state UNUSED)
{
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(to);
	return 0;
}

static const char *
heard_since(void)
{
	ssize_t n = pread(to, said, sizeof(said) - 1, 0);

	said[MAX(n, (ssize_t)0)] = '\0';
	assert_int_equal(ftruncate(to, 0), 0);
	lseek(to, 0, SEEK_SET);
	return said;
}

static void
silent(struct silence *s, uint64_t now_ms)
{
	silence_look(s, now_ms);
	assert_string_equal(heard_since(), "");
}

static void
told(struct silence *s, uint64_t now_ms, const char *words)
{
	silence_look(s, now_ms);
	assert_non_null(strstr(heard_since(), words));
	silent(s, now_ms + 60000);	/* once */
}

static void
one_request(void **state UNUSED)
{
	struct silence *s = silence_of("one");

	assert_ptr_equal(silence_of("one"), s);
	assert_ptr_not_equal(silence_of("other"), s);
	silent(s, 100000);		/* nobody waits */
	silence_begin(s, 100000);
	silent(s, 104999);
	told(s, 105000, "warn waiting for one, which has not answered for "
	    "5 s\n");
	silence_end(s, true, 127000);
	assert_string_equal(heard_since(),
	    "datamover: warn answers one answers again, after 27 s\n");
	silence_begin(s, 130000);	/* what was answered is over */
	silent(s, 134999);
	silence_end(s, true, 134999);
	silent(s, 200000);
	silence_begin(s, 200000);	/* a pause is no silence */
	silent(s, 204999);
	silence_end(s, true, 204999);
	assert_string_equal(heard_since(), "");
}

/* Who is slow is not silent, and what one request hears counts for all. */
static void
slow_requests(void **state UNUSED)
{
	struct silence *s = silence_of("slow");

	silence_begin(s, 100000);
	silence_begin(s, 101000);
	silence_heard(s, 104000);	/* bytes */
	silent(s, 108999);
	silence_end(s, true, 108999);
	silent(s, 113998);
	told(s, 113999, "slow");
	silence_heard(s, 120000);
	assert_non_null(strstr(heard_since(), "after 11 s"));
	silence_end(s, true, 120001);
}

/* Requests that fail at once and are sent again are one silence; a failure of
 * long ago is none. */
static void
refused_requests(void **state UNUSED)
{
	struct silence *s = silence_of("down");
	uint64_t now = 100000;

	for (; now < 105000; now += 500) {
		silence_begin(s, now);
		silent(s, now);
		silence_end(s, false, now + 1);
		silent(s, now + 1);
	}
	told(s, now, "down");
	silence_begin(s, 300000);
	silence_end(s, true, 300001);
	assert_non_null(strstr(heard_since(), "answers again"));
	silence_begin(s, 300001);
	silence_end(s, false, 300002);
	silence_begin(s, 400000);
	silent(s, 404999);
	told(s, 405000, "down");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(one_request),
		T(slow_requests),
		T(refused_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
