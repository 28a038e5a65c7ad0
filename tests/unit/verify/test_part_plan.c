#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "verify/part_plan.h"

static void
check_plan(uint64_t size, uint64_t part_size, unsigned max_parts)
{
	struct store store = { .max_parts = max_parts };
	struct part_plan p;
	uint64_t sum = 0;

	assert_int_equal(part_plan(size, part_size, &store, &p, NULL), 0);
	assert_true(p.count >= 1);
	assert_true(p.count <= (max_parts == 0 ? PART_COUNT_MAX : max_parts));
	for (unsigned i = 0; i < p.count; i++) {
		uint64_t off, len;

		part_range(size, &p, i, &off, &len);
		assert_int_equal(off, sum);
		assert_true(i + 1 == p.count || len >= part_size);
		assert_true(size == 0 || len > 0);
		sum += len;
	}
	assert_int_equal(sum, size);
	assert_int_equal(p.part_size == 0, size <= part_size);
}

static void
test_plan(void **state UNUSED)
{
	static const uint64_t sizes[] = { 0, 1, 8 * MIB - 1, 8 * MIB,
	    8 * MIB + 1, 16 * MIB, 80000 * MIB - 1, 80000 * MIB,
	    80000 * MIB + 1, 5000 * GIB, OBJECT_SIZE_MAX };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		check_plan(sizes[i], 8 * MIB, 0);
		check_plan(sizes[i], 5 * MIB, 0);
		check_plan(sizes[i], 64 * MIB, 0);
		if (sizes[i] <= 5000 * GIB)
			check_plan(sizes[i], 8 * MIB, 1000);
		if (sizes[i] <= 5 * GIB)
			check_plan(sizes[i], 8 * MIB, 1);
	}
}

static void
refused(uint64_t size, struct store store, const char *most)
{
	struct part_plan p;
	struct err err = ERR_INIT;

	assert_int_equal(part_plan(size, 8 * MIB, &store, &p, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_non_null(strstr(err.msg, most));
	assert_int_equal(part_plan(size - 1, 8 * MIB, &store, &p, &err), 0);
}

static void
test_limits(void **state UNUSED)
{
	refused(OBJECT_SIZE_MAX + 1, (struct store){ 0 }, "48.8 TiB");
	refused(5 * 1024 * GIB + 1, (struct store){ .max_object_size =
	    5 * 1024 * GIB }, "5.0 TiB");
	refused(15 * GIB + 1, (struct store){ .max_parts = 3 }, "15.0 GiB");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
