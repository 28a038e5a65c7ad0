/*
 * File names to keys and back: nothing is lost, no two names meet.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/backoff.h"
#include "model/key.h"

#define ROUNDS 200000
#define NAME_MAX_BYTES 24

static struct rng rng;

static size_t
below(size_t n)
{
	return (size_t)(rng_next(&rng) >> 16) % n;
}

static int
setup(void **state)
{
	(void)state;
	rng_seed(&rng, 20261122);
	return 0;
}

static void
expect(struct str path, struct str key)
{
	struct buf b;

	buf_init(&b, 4096);
	assert_int_equal(key_from_path(&b, path), 0);
	assert_int_equal(b.len, key.len);
	assert_memory_equal(b.data, key.p, key.len);
	buf_clear(&b);
	assert_int_equal(key_to_path(&b, key), 0);
	assert_int_equal(b.len, path.len);
	assert_memory_equal(b.data, path.p, path.len);
	buf_release(&b);
}

#define FFFD "\xef\xbf\xbd"

static void
test_plain(void **state)
{
	static const char *const names[] = {
		"a", "dir/sub dir/file.txt", "new\nline", "tab\tquote\"'",
		"a%2Fb", "plus+and&", "\\x41", "..", "\x01\x1f\x7f",
		("gr\xc3\xbc\xc3\x9f" "e"), "\xe6\x97\xa5\xe6\x9c\xac",
		"\xf0\x9f\x98\x80", "\xef\xbf\xbe", "\xef\xbf\xbc",
		"\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		expect(str_of(names[i]), str_of(names[i]));
	}
}

static void
test_escapes(void **state)
{
	static const char *const pairs[][2] = {
		{ "\xff", FFFD "FF" },
		{ "a\x80z", "a" FFFD "80z" },
		{ "\xff" "41", FFFD "FF41" },
		/* cut sequences, overlong forms, surrogates, too high */
		{ "\xc3", FFFD "C3" },
		{ "\xe6\x97", FFFD "E6" FFFD "97" },
		{ "\xe6\x97/x", FFFD "E6" FFFD "97/x" },
		{ "\xc0\xaf", FFFD "C0" FFFD "AF" },
		{ "\xe0\x80\xaf", FFFD "E0" FFFD "80" FFFD "AF" },
		{ "\xed\xa0\x80", FFFD "ED" FFFD "A0" FFFD "80" },
		{ "\xf4\x90\x80\x80", FFFD "F4" FFFD "90" FFFD "80" FFFD
		    "80" },
		/* what looks like an escape in the name */
		{ FFFD, FFFD "EF" FFFD "BF" FFFD "BD" },
		{ FFFD "41", FFFD "EF" FFFD "BF" FFFD "BD41" },
		{ FFFD "FF", FFFD "EF" FFFD "BF" FFFD "BDFF" },
		{ "caf\xe9/\xc3\xa9", "caf" FFFD "E9/\xc3\xa9" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		expect(str_of(pairs[i][0]), str_of(pairs[i][1]));
	}
}

/* Keys that others made: a U+FFFD without an escape is itself. */
static void
test_foreign_keys(void **state)
{
	static const char *const keys[] = {
		FFFD, FFFD "x", FFFD "F", FFFD "Fx", FFFD "ff", FFFD FFFD,
	};
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		buf_clear(&b);
		assert_int_equal(key_to_path(&b, str_of(keys[i])), 0);
		assert_string_equal(b.data, keys[i]);
	}
	buf_release(&b);
}

/* Bytes chosen so that valid, cut and escape-like sequences are frequent. */
static struct str
random_name(char out[NAME_MAX_BYTES])
{
	static const char *const bits[] = {
		FFFD, "\xef", "\xbf", "\xbd", "F", "E", "4", "1", "/", "a",
		"\xc3", "\xa9", "\xf0\x9f\x98\x80", "\xf0\x9f", "\xed",
		"\xa0", "\xc0", "BD",
	};
	size_t len = 0, want = 1 + below(NAME_MAX_BYTES - 5);

	while (len < want) {
		const char *bit = bits[below(ARRAY_LEN(bits))];

		if (below(4) == 0) {
			out[len++] = (char)(1 + below(255));
			continue;
		}
		memcpy(out + len, bit, strlen(bit));
		len += strlen(bit);
	}
	return (struct str){ out, len };
}

static bool
is_utf8(struct str s)
{
	while (s.len > 0) {
		size_t n = utf8_len(s.p, s.len);

		if (n == 0)
			return false;
		s.p += n;
		s.len -= n;
	}
	return true;
}

static void
test_round_trip(void **state)
{
	struct buf key, back;

	(void)state;
	buf_init(&key, 4096);
	buf_init(&back, 4096);
	for (int i = 0; i < ROUNDS; i++) {
		char bytes[NAME_MAX_BYTES];
		struct str name = random_name(bytes);

		buf_clear(&key);
		buf_clear(&back);
		assert_int_equal(key_from_path(&key, name), 0);
		assert_true(is_utf8(buf_str(&key)));
		assert_int_equal(key_to_path(&back, buf_str(&key)), 0);
		assert_true(str_eq(buf_str(&back), name));
	}
	buf_release(&key);
	buf_release(&back);
}

/* Names of all lengths from few bytes, each with each: no two in one key. */
#define SMALL 7
#define SMALL_LEN 4

static int
by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
test_no_two_in_one(void **state)
{
	static const char *const bits[SMALL] = {
		"\xef", "\xbf", "\xbd", "E", "F", "B", "\xff",
	};
	size_t count = 0, total = SMALL * SMALL * SMALL * SMALL;
	char **keys = xcalloc(total, sizeof(*keys));

	(void)state;
	for (size_t n = 0; n < total; n++) {
		char name[SMALL_LEN + 1] = "";
		size_t rest = n;
		struct buf b;

		for (size_t i = 0; i < SMALL_LEN; i++, rest /= SMALL)
			name[i] = bits[rest % SMALL][0];
		buf_init(&b, 4096);
		assert_int_equal(key_from_path(&b, str_of(name)), 0);
		keys[count++] = b.data;
	}
	qsort(keys, count, sizeof(*keys), by_bytes);
	for (size_t i = 1; i < count; i++)
		assert_string_not_equal(keys[i - 1], keys[i]);
	for (size_t i = 0; i < count; i++)
		free(keys[i]);
	free(keys);
}

static void
test_either(void **state)
{
	static const char *const pairs[][2] = {
		{ "h/gr\xc3\xbc/", "h/gr\xc3\xbc/" },
		{ "h/" FFFD "FF/", "h/" FFFD "FF/" },	/* a key */
		{ "h/\xff/", "h/" FFFD "FF/" },		/* a path */
		{ "h/\xff" FFFD, "h/" FFFD "FF" FFFD "EF" FFFD "BF" FFFD "BD" },
		{ "", "" },
	};
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		buf_clear(&b);
		assert_int_equal(key_from_either(&b, str_of(pairs[i][0])), 0);
		assert_true(str_eq(buf_str(&b), str_of(pairs[i][1])));
	}
	buf_release(&b);
}

static void
test_ceiling(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	assert_int_equal(key_from_path(&b, STR("\xff")), -1);
	buf_clear(&b);
	assert_int_equal(key_from_path(&b, STR("abcde")), -1);
	buf_clear(&b);
	assert_int_equal(key_to_path(&b, STR("abcde")), -1);
	buf_clear(&b);
	assert_int_equal(key_from_path(&b, STR("abcd")), 0);
	buf_clear(&b);
	assert_int_equal(key_from_path(&b, STR("")), 0);
	assert_int_equal(b.len, 0);
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_foreign_keys),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_no_two_in_one),
		cmocka_unit_test(test_either),
		cmocka_unit_test(test_ceiling),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
