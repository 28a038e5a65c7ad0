#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "verify/part_plan.h"

static void
check_plan(uint64_t size, uint64_t part_size)
{
	struct part_plan p;
	uint64_t sum = 0;

	assert_int_equal(part_plan(size, part_size, &p, NULL), 0);
	assert_true(p.count >= 1 && p.count <= PART_COUNT_MAX);
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
	    80000 * MIB + 1, OBJECT_SIZE_MAX };
	struct part_plan p;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		check_plan(sizes[i], 8 * MIB);
		check_plan(sizes[i], 5 * MIB);
		check_plan(sizes[i], 64 * MIB);
	}
	assert_int_equal(part_plan(OBJECT_SIZE_MAX + 1, 8 * MIB, &p, &err),
	    -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
