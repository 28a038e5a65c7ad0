#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "work/rate.h"

static void
test_rate(void **state UNUSED)
{
	struct rate none = { .bytes_per_s = 0 };
	struct rate r = { .bytes_per_s = 1000000 };
	uint64_t now = 1000000000000, start = now, sent = 0;

	assert_int_equal(rate_take(&none, 1 << 30, 5), 1 << 30);
	/* Whoever asks often gets the rate, within one piece in a second. */
	for (; now < start + 3000000000U; now += 1000000)
		sent += rate_take(&r, 1 << 20, now);
	assert_in_range(sent, 2980000, 3060000);
	/* Time that nobody used is not saved up. */
	now += 60000000000U;
	sent = 0;
	for (start = now; now < start + 1000000000U; now += 1000000)
		sent += rate_take(&r, 1 << 20, now);
	assert_in_range(sent, 980000, 1060000);
	/* A slow line still moves, by whole pieces. */
	r.bytes_per_s = 100;
	sent = 0;
	for (start = now; now < start + 60000000000U; now += 10000000)
		sent += rate_take(&r, 1 << 20, now);
	assert_in_range(sent, 5000, 7200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
