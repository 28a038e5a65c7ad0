/*
 * From a key to a path below the destination: no key leaves it, and each
 * name that a file can have comes back.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dest/dest_internal.h"
#include "model/key.h"

#define A50 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee"
#define A255 A50 A50 A50 A50 A50 "12345"
/* STR for what is initialised before the program runs. */
#define TEXT(s) { (s), sizeof(s) - 1 }
#define TEMP ".datamover-0123456789abcdef.part"

static const struct {
	struct str key;
	struct str path;	/* empty: refused */
	const char *why;
} cases[] = {
	{ TEXT("a"), TEXT("a"), NULL },
	{ TEXT("a/b/c.txt"), TEXT("a/b/c.txt"), NULL },
	{ TEXT("a b/\n\"'$(x)`;|&"), TEXT("a b/\n\"'$(x)`;|&"), NULL },
	{ TEXT("..."), TEXT("..."), NULL },
	{ TEXT("..a/b../.c"), TEXT("..a/b../.c"), NULL },
	{ TEXT("a\\..\\b"), TEXT("a\\..\\b"), NULL },
	{ TEXT("C:\\x"), TEXT("C:\\x"), NULL },
	{ TEXT("%2e%2e/x"), TEXT("%2e%2e/x"), NULL },
	{ TEXT("-rf"), TEXT("-rf"), NULL },
	{ TEXT("~/x"), TEXT("~/x"), NULL },
	/* U+FFFD and hex digits is a byte, of a name that isn't UTF-8. A key
	 * that is its own path is accepted, though the path has another key. */
	{ TEXT("x\xef\xbf\xbd" "FFy"), TEXT("x\xffy"), NULL },
	{ TEXT("\xef\xbf\xbd" "EF\xef\xbf\xbd" "BF\xef\xbf\xbd" "BD"),
	    TEXT("\xef\xbf\xbd"), NULL },
	{ TEXT("\xef\xbf\xbd"), TEXT("\xef\xbf\xbd"), NULL },
	{ TEXT("u\xef\xbf\xbd" "C3\xef\xbf\xbd" "A9"), { "", 0 },
	    "another key" },
	{ TEXT("\xef\xbf\xbd" "u\xef\xbf\xbd" "FF"), { "", 0 },
	    "another key" },
	{ TEXT("u\xff"), TEXT("u\xff"), NULL },
	{ TEXT("\xef\xbf\xbd" "2E\xef\xbf\xbd" "2E/x"),
	    TEXT("\xef\xbf\xbd" "2E\xef\xbf\xbd" "2E/x"), NULL },
	{ TEXT("a\xef\xbf\xbd" "2Fb"), TEXT("a\xef\xbf\xbd" "2Fb"), NULL },
	{ TEXT("a\xef\xbf\xbd" "00"), TEXT("a\xef\xbf\xbd" "00"), NULL },
	{ TEXT(A255), TEXT(A255), NULL },
	{ TEXT("d/" A255 "/f"), TEXT("d/" A255 "/f"), NULL },
	{ TEXT(A255 "6"), { "", 0 }, "255" },
	{ TEXT(A255 "6/f"), { "", 0 }, "255" },
	/* 257 bytes of key, but 253 of name. */
	{ TEXT(A50 A50 A50 A50 A50 "\xef\xbf\xbd" "FF12"),
	    TEXT(A50 A50 A50 A50 A50 "\xff" "12"), NULL },
	{ TEXT(""), { "", 0 }, "empty" },
	{ TEXT("/"), { "", 0 }, "absolute" },
	{ TEXT("/etc/passwd"), { "", 0 }, "absolute" },
	{ TEXT("//x"), { "", 0 }, "absolute" },
	{ TEXT("a//b"), { "", 0 }, "empty component" },
	{ TEXT("a/"), { "", 0 }, "ends in a slash" },
	{ TEXT("a//"), { "", 0 }, "empty component" },
	{ TEXT("."), { "", 0 }, "\".\"" },
	{ TEXT(".."), { "", 0 }, "\"..\"" },
	{ TEXT("../x"), { "", 0 }, "\"..\"" },
	{ TEXT("a/../../x"), { "", 0 }, "\"..\"" },
	{ TEXT("a/.."), { "", 0 }, "\"..\"" },
	{ TEXT("./x"), { "", 0 }, "\".\"" },
	{ TEXT("a/./b"), { "", 0 }, "\".\"" },
	{ TEXT("a/."), { "", 0 }, "\".\"" },
	{ { "\0", 1 }, { "", 0 }, "NUL" },
	{ { "a\0/../b", 7 }, { "", 0 }, "NUL" },
	{ { "..\0", 3 }, { "", 0 }, "NUL" },
	{ TEXT(TEMP), { "", 0 }, "being fetched" },
	{ TEXT("a/" TEMP), { "", 0 }, "being fetched" },
	{ TEXT(TEMP "/a"), { "", 0 }, "being fetched" },
	{ TEXT(TEMP "x"), TEXT(TEMP "x"), NULL },
	{ TEXT("x" TEMP), TEXT("x" TEMP), NULL },
	{ TEXT(".datamover-0123456789abcdeF.part"),
	    TEXT(".datamover-0123456789abcdeF.part"), NULL },
	{ TEXT(".datamover-0123456789abcdef0.part"),
	    TEXT(".datamover-0123456789abcdef0.part"), NULL },
	{ TEXT(".datamover-0123456789abcde/.part"),
	    TEXT(".datamover-0123456789abcde/.part"), NULL },
};

static void
test_table(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out CLEANUP(buf_release);
		struct err err = ERR_INIT;
		int rc;

		buf_init(&out, PATH_MAX);
		rc = dest_path(&out, cases[i].key, &err);
		if (cases[i].why == NULL) {
			if (rc != 0)
				fail_msg("case %zu: %s", i, err.msg);
			assert_true(str_eq(buf_str(&out), cases[i].path));
			continue;
		}
		assert_int_equal(rc, -1);
		assert_int_equal(err.kind, ERR_INVALID);
		if (strstr(err.msg, cases[i].why) == NULL)
			fail_msg("case %zu: %s", i, err.msg);
	}
}

static void
test_too_long(void **state UNUSED)
{
	struct buf key CLEANUP(buf_release), out CLEANUP(buf_release);
	struct err err = ERR_INIT;

	buf_init(&key, 3 * PATH_MAX);
	buf_init(&out, 2 * PATH_MAX);
	while (key.len < PATH_MAX - 2)
		assert_int_equal(buf_addstr(&key, "a/"), 0);
	assert_int_equal(buf_addch(&key, 'b'), 0);
	assert_int_equal(key.len, PATH_MAX - 1);
	assert_int_equal(dest_path(&out, buf_str(&key), &err), 0);
	/* It appends; what is there isn't looked at. */
	assert_int_equal(dest_path(&out, STR("/"), &err), -1);
	buf_clear(&out);
	assert_int_equal(buf_addstr(&out, "/../"), 0);
	assert_int_equal(dest_path(&out, STR("x"), &err), 0);
	assert_string_equal(out.data, "/../x");
	buf_clear(&out);
	assert_int_equal(buf_addch(&key, 'b'), 0);
	assert_int_equal(dest_path(&out, buf_str(&key), &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	buf_clear(&out);
	while (key.len < 2 * PATH_MAX + 1)
		assert_int_equal(buf_addch(&key, 'b'), 0);
	assert_int_equal(dest_path(&out, buf_str(&key), &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_non_null(strstr(err.msg, "too long"));
}

static void
test_temp_name(void **state UNUSED)
{
	char a[DEST_TEMP_LEN + 1], b[DEST_TEMP_LEN + 1];
	struct err err = ERR_INIT;

	dest_temp_name(STR("a"), a);
	/* The first 8 bytes of SHA-256 of "a"; files of a run that was killed
	 * have such names, so it must stay. */
	assert_string_equal(a, ".datamover-ca978112ca1bbdca.part");
	dest_temp_name(STR("b"), b);
	assert_string_not_equal(a, b);
	assert_int_equal(dest_path_check(str_of(a), &err), -1);
	assert_int_equal(dest_path_check(str_of(b), &err), -1);
}

/* Walk as a kernel would: never above the root, never at it in the end. */
static bool
stays_below(struct str path)
{
	long depth = 0;
	size_t i = 0;

	if (path.len == 0 || path.p[0] == '/' ||
	    memchr(path.p, '\0', path.len) != NULL)
		return false;
	while (i < path.len) {
		size_t n = 0;

		while (i + n < path.len && path.p[i + n] != '/')
			n++;
		if (n > 255)
			return false;
		if (n == 2 && memcmp(path.p + i, "..", 2) == 0)
			depth--;
		else if (n > 0 && !(n == 1 && path.p[i] == '.'))
			depth++;
		if (depth < 0)
			return false;
		i += n + 1;
	}
	return depth > 0 && path.p[path.len - 1] != '/';
}

static uint32_t
below(uint64_t *seed, uint32_t n)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % n;
}

static void
test_no_key_leaves(void **state UNUSED)
{
	static const struct str pieces[] = {
		TEXT("."), TEXT(".."), TEXT("/"), TEXT("//"), TEXT("a"),
		TEXT("\xff"), TEXT("\xef\xbf\xbd"), TEXT("2E"), TEXT("2F"),
		TEXT("AE"), TEXT("FF"), { "\0", 1 }, TEXT("\n"), TEXT("\\"),
		TEXT(A50), TEXT("\xc0\xae"),
		TEXT("\xe2\x80\xa6"), TEXT("/../"), TEXT("b"), TEXT(" "),
	};
	uint64_t seed = 20240607;
	unsigned good = 0;

	for (int round = 0; round < 200000; round++) {
		struct buf key CLEANUP(buf_release), out CLEANUP(buf_release);
		struct err err = ERR_INIT;

		buf_init(&key, 64 * KIB);
		buf_init(&out, PATH_MAX);
		for (uint32_t n = below(&seed, 9); n > 0; n--) {
			struct str p = pieces[below(&seed,
			    ARRAY_LEN(pieces))];

			assert_int_equal(buf_add(&key, p.p, p.len), 0);
		}
		if (dest_path(&out, buf_str(&key), &err) == -1) {
			assert_int_equal(err.kind, ERR_INVALID);
			continue;
		}
		good++;
		assert_true(stays_below(buf_str(&out)));
	}
	/* Both ends of it were seen. */
	assert_in_range(good, 10000, 190000);
}

static void
random_path(uint64_t *seed, struct buf *path)
{
	uint32_t parts = 1 + below(seed, 4);

	for (uint32_t i = 0; i < parts; i++) {
		uint32_t len = 3 + below(seed, 20);

		if (i > 0)
			assert_int_equal(buf_addch(path, '/'), 0);
		while (len-- > 0) {
			char c = (char)(1 + below(seed, 255));

			assert_int_equal(buf_addch(path, c == '/' ? '.' : c),
			    0);
		}
	}
}

/* What PUT made of a file's name, GET makes into it again. */
static void
test_all_names_come_back(void **state UNUSED)
{
	uint64_t seed = 7;

	for (int round = 0; round < 50000; round++) {
		struct buf path CLEANUP(buf_release);
		struct buf key CLEANUP(buf_release), out CLEANUP(buf_release);
		struct err err = ERR_INIT;

		buf_init(&path, PATH_MAX);
		buf_init(&key, 64 * KIB);
		buf_init(&out, PATH_MAX);
		random_path(&seed, &path);
		assert_int_equal(key_from_path(&key, buf_str(&path)), 0);
		assert_int_equal(dest_path(&out, buf_str(&key), &err), 0);
		assert_true(str_eq(buf_str(&path), buf_str(&out)));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_temp_name),
		cmocka_unit_test(test_no_key_leaves),
		cmocka_unit_test(test_all_names_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
