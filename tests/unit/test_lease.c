#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/backoff.h"
#include "lease/book.h"

static const struct lease_limits LIMITS = {
	.max_count = 1000, .max_bytes = 1 << 30, .target_ms = 10000,
	.silence_ms = 30000,
};

struct backs {
	int64_t	 lease[64];
	uint32_t epoch[64];
	size_t	 n;
};

static void
back(void *arg, int64_t lease, uint32_t epoch)
{
	struct backs *b = arg;

	b->lease[b->n] = lease;
	b->epoch[b->n++] = epoch;
}

static void
test_size(void **state UNUSED)
{
	struct lease_book *b = lease_book_new(&LIMITS);
	size_t count;
	uint64_t bytes;

	lease_book_size(b, 0, &count, &bytes);
	assert_int_equal(count, 64);
	assert_int_equal(bytes, LIMITS.max_bytes);

	/* 20 items and 1000 bytes a second: ten seconds of that. */
	lease_book_grant(b, 1, 0, 0, 64, 1000);
	assert_true(lease_book_results(b, 1, 0, 20, 1000, 2000));
	lease_book_size(b, 0, &count, &bytes);
	assert_int_equal(count, 200);
	assert_int_equal(bytes, 10000);

	/* Never above the limits. */
	assert_true(lease_book_results(b, 1, 0, 44, 1, 2000));
	lease_book_grant(b, 2, 0, 0, 1000000, 2000);
	assert_true(lease_book_results(b, 2, 0, 1000000, 1000000000000, 3000));
	lease_book_size(b, 0, &count, &bytes);
	assert_int_equal(count, 1000);
	assert_int_equal(bytes, LIMITS.max_bytes);
	lease_book_free(&b);
	assert_null(b);
}

static void
test_fence(void **state UNUSED)
{
	struct lease_book *b = lease_book_new(&LIMITS);
	struct backs got = { .n = 0 };

	lease_book_grant(b, 7, 3, 1, 10, 1000);
	assert_false(lease_book_results(b, 7, 2, 1, 0, 1000));
	assert_false(lease_book_results(b, 8, 3, 1, 0, 1000));
	assert_false(lease_book_results(b, 7, 3, 11, 0, 1000));
	assert_true(lease_book_results(b, 7, 3, 4, 0, 2000));
	assert_int_equal(lease_book_items(b), 6);

	/* Renewed by the results at 2000, and by being heard. */
	lease_book_expire(b, 31999, back, &got);
	assert_int_equal(got.n, 0);
	lease_book_heard(b, 1, 31999);
	lease_book_expire(b, 61998, back, &got);
	assert_int_equal(got.n, 0);
	lease_book_expire(b, 61999, back, &got);
	assert_int_equal(got.n, 1);
	assert_int_equal(got.lease[0], 7);
	assert_int_equal(got.epoch[0], 4);
	assert_int_equal(lease_book_items(b), 0);

	/* The late result of the old epoch counts nowhere. */
	lease_book_grant(b, 7, 4, 2, 6, 62000);
	assert_false(lease_book_results(b, 7, 3, 6, 0, 62000));
	assert_true(lease_book_results(b, 7, 4, 6, 0, 62000));
	assert_int_equal(lease_book_count(b), 0);
	lease_book_free(&b);
}

static void
test_lost(void **state UNUSED)
{
	struct lease_book *b = lease_book_new(&LIMITS);
	struct backs got = { .n = 0 };

	for (int64_t i = 0; i < 10; i++)
		lease_book_grant(b, i, 0, (unsigned)(i % 2), 1, 1000);
	lease_book_lost(b, 1, back, &got);
	assert_int_equal(got.n, 5);
	for (size_t i = 0; i < got.n; i++)
		assert_int_equal(got.lease[i] % 2, 1);
	assert_int_equal(lease_book_count(b), 5);
	lease_book_free(&b);
}

/* Random histories: items are neither lost nor counted twice. */
static void
history(uint64_t seed)
{
	struct lease_book *b = lease_book_new(&LIMITS);
	struct rng rng;
	size_t granted = 0, done = 0, back_items = 0;
	struct { size_t left; uint32_t epoch; bool out; } l[64] = { 0 };
	uint64_t now = 1000;

	rng_seed(&rng, seed);
	for (int step = 0; step < 2000; step++) {
		size_t i = rng_next(&rng) % 64;
		struct backs got = { .n = 0 };

		now += rng_next(&rng) % 3000;
		switch (rng_next(&rng) % 4) {
		case 0:
			if (l[i].out)
				break;
			l[i].left = 1 + rng_next(&rng) % 100;
			l[i].out = true;
			granted += l[i].left;
			lease_book_grant(b, (int64_t)i, l[i].epoch,
			    (unsigned)(i % 5), l[i].left, now);
			break;
		case 1: {
			uint32_t epoch = l[i].epoch -
			    (uint32_t)(rng_next(&rng) % 2);
			size_t n = l[i].left > 0 ? 1 + rng_next(&rng) %
			    l[i].left : 1;
			bool ok = lease_book_results(b, (int64_t)i, epoch, n,
			    n, now);

			assert_int_equal(ok, l[i].out &&
			    epoch == l[i].epoch && n <= l[i].left);
			if (!ok)
				break;
			done += n;
			l[i].left -= n;
			l[i].out = l[i].left > 0;
			break;
		}
		case 2:
			lease_book_heard(b, (unsigned)(i % 5), now);
			break;
		default:
			if (i % 8 == 0)
				lease_book_lost(b, (unsigned)(i % 5), back,
				    &got);
			else
				lease_book_expire(b, now, back, &got);
			for (size_t k = 0; k < got.n; k++) {
				size_t id = (size_t)got.lease[k];

				assert_true(l[id].out);
				back_items += l[id].left;
				l[id].out = false;
				l[id].epoch = got.epoch[k];
			}
		}
		assert_int_equal(granted, done + back_items +
		    lease_book_items(b));
	}
	lease_book_free(&b);
}

static void
test_histories(void **state UNUSED)
{
	for (uint64_t seed = 1; seed <= 200; seed++)
		history(seed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_fence),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_histories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
