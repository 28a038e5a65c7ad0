/* Which cluster a key belongs to: figures of the original's own hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rest/place.h"

static void
test_hash(void **state)
{
	static const struct {
		const char *text;
		uint64_t hash;
	} v[] = {
		{ "", 0x553e93901e462a6e },
		{ "0a", 0x2ee116da4a24371b },
		{ "0example0", 0xbd1a96a3cdf92610 },
		{ "1example0", 0x107b624419e80d80 },
		{ "010.0.0.1/dir1/file1", 0xd40f9061206bdf23 },
		{ "110.0.0.1/dir1/file1", 0xf0d8698d4d241135 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		assert_int_equal(s3_place_hash(str_of(v[i].text)),
		    v[i].hash);
}

static void
test_place(void **state)
{
	static const struct {
		const char *key;
		struct {
			size_t	 cluster;
			uint32_t weight;
		} of[3];	/* of two, three, four clusters */
	} v[] = {
		{ "example0", { { 0, 0xcdf92610 }, { 0, 0xcdf92610 },
		    { 3, 0xee05cce3 } } },
		{ "example1", { { 0, 0xcfb75b8e }, { 0, 0xcfb75b8e },
		    { 0, 0xcfb75b8e } } },
		{ "example2", { { 0, 0xe48502cb }, { 2, 0xea9f8a5b },
		    { 2, 0xea9f8a5b } } },
		{ "example3", { { 1, 0xbb9dd1fa }, { 1, 0xbb9dd1fa },
		    { 3, 0xce29109d } } },
		{ "testfile1", { { 0, 0xb0102e4e }, { 0, 0xb0102e4e },
		    { 3, 0xb1e708d1 } } },
		{ "10.0.0.1/dir1/a.txt", { { 0, 0xaeb71d1d },
		    { 0, 0xaeb71d1d }, { 3, 0xd8639cdc } } },
		{ "10.0.0.1/dir1/b.txt", { { 0, 0xa32509d3 },
		    { 2, 0xbf135678 }, { 2, 0xbf135678 } } },
		{ "dir1/sub/c.bin", { { 0, 0x571a9058 }, { 2, 0x9417a1ce },
		    { 2, 0x9417a1ce } } },
		{ "a", { { 1, 0xfb91e2f9 }, { 1, 0xfb91e2f9 },
		    { 1, 0xfb91e2f9 } } },
		{ "10.1.51.2/bird/bird1/f0001.jpg", { { 0, 0x83072963 },
		    { 2, 0xef855ac3 }, { 2, 0xef855ac3 } } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct str key = str_of(v[i].key);

		assert_int_equal(s3_place(key, 1), 0);
		for (size_t n = 2; n <= 4; n++) {
			size_t c = v[i].of[n - 2].cluster;

			assert_int_equal(s3_place(key, n), c);
			assert_int_equal(s3_place_nth(key, n, 0), c);
			assert_int_equal(s3_place_weight(key, c),
			    v[i].of[n - 2].weight);
		}
	}
}

/* Each cluster once; and without the winner, the next one wins. */
static void
test_order(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 200; k++) {
		AUTOFREE char *text = xasprintf("server/share/d%u/f", k);
		struct str key = str_of(text);
		bool seen[5] = { false };

		for (size_t i = 0; i < 5; i++) {
			size_t c = s3_place_nth(key, 5, i);

			assert_true(c < 5);
			assert_false(seen[c]);
			seen[c] = true;
			if (i > 0)
				assert_true(s3_place_weight(key, c) <=
				    s3_place_weight(key,
				    s3_place_nth(key, 5, i - 1)));
		}
		if (s3_place(key, 5) == 4)
			assert_int_equal(s3_place_nth(key, 5, 1),
			    s3_place(key, 4));
		else
			assert_int_equal(s3_place(key, 5), s3_place(key, 4));
	}
}

/* A key of any length has a place. */
static void
test_long(void **state)
{
	static char text[5000];

	(void)state;
	memset(text, 'k', sizeof(text));
	for (size_t len = 1000; len < sizeof(text); len += 57)
		assert_true(s3_place((struct str){ text, len }, 7) < 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
