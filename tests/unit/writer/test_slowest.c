#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "writer/slowest.h"

/* 100 transfers in a mixed order: the slowest stay, sorted. */
static void
slowest_stay(void **state)
{
	struct slowest s = { .count = 0 };

	(void)state;
	for (int64_t i = 0; i < 100; i++)
		slowest_add(&s, i, (uint64_t)(i * 37 % 100), 1);
	assert_int_equal(s.count, SLOWEST_MAX);
	for (size_t i = 0; i < s.count; i++)
		assert_int_equal(s.v[i].took_ms, 99 - i);
}

static void
no_change_is_no_change(void **state)
{
	struct slowest s = { .count = 0 };

	(void)state;
	for (int64_t i = 0; i < SLOWEST_MAX; i++)
		slowest_add(&s, i, 5, 1);
	assert_true(s.changed);
	s.changed = false;
	slowest_add(&s, 100, 5, 1);
	assert_false(s.changed);
	assert_int_equal(s.v[0].object, 0);
	slowest_add(&s, 101, 6, 1);
	assert_true(s.changed);
	assert_int_equal(s.v[0].object, 101);
}

/* A result that comes once more has no second row. */
static void
object_counts_once(void **state)
{
	struct slowest s = { .count = 0 };

	(void)state;
	slowest_add(&s, 7, 10, 1);
	slowest_add(&s, 7, 20, 2);
	assert_int_equal(s.count, 1);
	assert_int_equal(s.v[0].took_ms, 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slowest_stay),
		cmocka_unit_test(no_change_is_no_change),
		cmocka_unit_test(object_counts_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
