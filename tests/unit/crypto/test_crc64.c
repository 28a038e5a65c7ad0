/*
 * CRC-64/NVME by every engine that this processor can run, against a division
 * bit by bit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/backoff.h"
#include "crypto/crc64_internal.h"

#define LONGEST 700
#define OFFSETS 33

static uint8_t pool[LONGEST + OFFSETS];

static uint64_t
by_bits(uint64_t crc, const uint8_t *p, size_t len)
{
	crc = ~crc;
	for (size_t i = 0; i < 8 * len; i++) {
		uint64_t bit = (uint64_t)(p[i / 8] >> i % 8 & 1) ^ (crc & 1);

		crc = crc >> 1 ^ (bit != 0 ? 0x9a6c9329ac4bc9b5 : 0);
	}
	return ~crc;
}

static int
setup(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, 20261201);
	for (size_t i = 0; i < sizeof(pool); i++)
		pool[i] = (uint8_t)(rng_next(&rng) >> 32);
	return 0;
}

/* The check value of the catalogue of parametrised CRCs, and two of the NVMe
 * specification (5.2.1.3.4.1, figure "64b CRC test cases"). */
static void
test_known(void **state)
{
	uint8_t block[4096];

	(void)state;
	assert_int_equal(crc64nvme(0, "123456789", 9), 0xae8b14860a799888);
	assert_int_equal(crc64nvme(0, "", 0), 0);
	memset(block, 0, sizeof(block));
	assert_int_equal(crc64nvme(0, block, sizeof(block)),
	    0x6482d367eb22b64e);
	memset(block, 0xff, sizeof(block));
	assert_int_equal(crc64nvme(0, block, sizeof(block)),
	    0xc0ddba7302eca3ac);
}

static void
test_lengths_and_offsets(void **state)
{
	const struct crc64_engine *e;

	(void)state;
	for (size_t i = 0; (e = crc64_engine(i)) != NULL; i++)
		for (size_t offset = 0; offset < OFFSETS; offset += 3)
			for (size_t len = 0; len <= LONGEST; len++)
				if (crc64_using(e, offset, pool + offset,
				    len) != by_bits(offset, pool + offset, len))
					fail_msg("%s: %zu bytes from %zu",
					    e->name, len, offset);
}

/* A text in two pieces, one after the other and apart. */
static void
test_splits(void **state)
{
	uint64_t whole = by_bits(0, pool, LONGEST);
	const struct crc64_engine *e;

	(void)state;
	for (size_t i = 0; (e = crc64_engine(i)) != NULL; i++)
		for (size_t at = 0; at <= LONGEST; at++) {
			uint64_t a = crc64_using(e, 0, pool, at);
			uint64_t b = crc64_using(e, 0, pool + at,
			    LONGEST - at);

			assert_int_equal(crc64_using(e, a, pool + at,
			    LONGEST - at), whole);
			assert_int_equal(crc64nvme_append(a, b, LONGEST - at),
			    whole);
		}
}

/* Zeros without their bytes: 2^63 of them, by the square of half as many. */
static void
test_append_far(void **state)
{
	uint64_t crc = crc64nvme(0, pool, LONGEST), half, twice;

	(void)state;
	half = crc64nvme_append(crc, 0, UINT64_C(1) << 62);
	twice = crc64nvme_append(half, 0, UINT64_C(1) << 62);
	assert_int_equal(crc64nvme_append(crc, 0, UINT64_C(1) << 63), twice);
	assert_int_equal(crc64nvme_append(crc, 0, 0), crc);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_lengths_and_offsets),
		cmocka_unit_test(test_splits),
		cmocka_unit_test(test_append_far),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
