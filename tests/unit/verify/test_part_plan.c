#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "verify/etag.h"
#include "verify/part_plan.h"
#include "work/rate.h"

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

static void
test_proof(void **state UNUSED)
{
	struct err err = ERR_INIT;

	assert_int_equal(proof_etag("aa", "aa", NULL, &err), 0);
	assert_int_equal(proof_etag("aa", "AA", "AES256", &err), 0);
	assert_int_equal(proof_etag("aa", "ab", NULL, &err), -1);
	assert_int_equal(err.kind, ERR_CORRUPT);
	assert_int_equal(proof_etag("aa", "", NULL, &err), -1);
	assert_int_equal(proof_etag("aa", "ab", "aws:kms:key", &err), 0);
}

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
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_proof),
		cmocka_unit_test(test_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
