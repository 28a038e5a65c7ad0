#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/backoff.h"
#include "model/filter.h"

/* The rows follow the examples and sentences of rsync(1), INCLUDE/EXCLUDE
 * PATTERN RULES. A path that ends in '/' stands for a directory. */
static const struct {
	const char *pattern;
	const char *path;
	bool	 matches;
} rows[] = {
	/* without a slash: the last component, anywhere */
	{ "*.o", "a.o", true },
	{ "*.o", "dir/deep/a.o", true },
	{ "*.o", "a.o/", true },
	{ "*.o", "a.o.c", false },
	{ "*.o", "a.o/b", false },
	{ "foo", "foo", true },
	{ "foo", "a/foo", true },
	{ "foo", "a/foo/", true },
	{ "foo", "foobar", false },
	{ "foo", "afoo", false },
	{ "foo", "foo/bar", false },
	{ "foo?", "foo1", true },
	{ "foo?", "foo", false },
	{ "foo?", "foo12", false },
	/* a trailing slash: directories only */
	{ "foo/", "foo/", true },
	{ "foo/", "a/foo/", true },
	{ "foo/", "foo", false },
	{ "*/", "any/", true },
	{ "*/", "any", false },
	/* a leading slash: at the root of the transfer */
	{ "/foo", "foo", true },
	{ "/foo", "foo/", true },
	{ "/foo", "a/foo", false },
	{ "/foo/", "foo/", true },
	{ "/foo/", "foo", false },
	{ "/*/", "a/", true },
	{ "/*/", "a/b/", false },
	{ "/foo/bar", "foo/bar", true },
	{ "/foo/bar", "x/foo/bar", false },
	/* a slash inside: the path, at its end */
	{ "foo/bar", "foo/bar", true },
	{ "foo/bar", "a/b/foo/bar", true },
	{ "foo/bar", "afoo/bar", false },
	{ "foo/bar", "foo/bar/baz", false },
	{ "foo/*/bar", "x/foo/two/bar", true },
	{ "foo/*/bar", "foo/a/b/bar", false },
	{ "/foo/*/bar", "foo/down/bar", true },
	{ "/foo/*/bar", "foo/a/b/bar", false },
	/* two stars cross slashes */
	{ "/foo/**/bar", "foo/a/b/bar", true },
	{ "/foo/**/bar", "foo/a/bar", true },
	{ "/foo/**/bar", "foo/bar", false },
	{ "**/bar", "bar", true },
	{ "**/bar", "a/b/bar", true },
	{ "**/bar", "a/b/foobar", false },
	{ "**bar", "a/b/foobar", true },
	{ "foo**", "foo", true },
	{ "foo**", "x/foo/y/z", true },
	{ "foo**", "x/afoo", false },
	{ "a**c", "a/b/c", true },
	{ "a**c", "x/a/b/c", true },
	{ "/a**c", "x/a/b/c", false },
	{ "/a**", "a/b/c", true },
	{ "a**b*c*d", "a/x/b/b1c2d", true },
	{ "a**b*c*d", "a/x/b/b1c/2d", false },
	{ "**a*b**c*d", "x/a1b/y/c/c2d", true },
	/* a slash and three stars: the directory and all in it */
	{ "dir/***", "dir/", true },
	{ "dir/***", "dir", false },
	{ "dir/***", "dir/a", true },
	{ "dir/***", "dir/a/b", true },
	{ "dir/***", "x/dir/", true },
	{ "dir/***", "x/dir/a", true },
	{ "dir/***", "dirt/a", false },
	{ "/dir/***", "x/dir/a", false },
	{ "dir/**", "dir/", false },
	{ "dir/**", "dir/a/b", true },
	/* sets */
	{ "[a-c]x", "bx", true },
	{ "[a-c]x", "dx", false },
	{ "[!a-c]x", "dx", true },
	{ "[^a-c]x", "bx", false },
	{ "[]x]", "]", true },
	{ "[]-]", "-", true },
	{ "[a-]", "-", true },
	{ "[[:digit:]]*", "1a", true },
	{ "[[:digit:]]*", "a1", false },
	{ "[![:space:]]", " ", false },
	{ "[\\]]", "]", true },
	{ "a[/]b", "a/b", false },
	{ "a[!x]b", "a/b", false },
	{ "a?b", "a/b", false },
	{ "[\x80-\xff]", "\xe9", true },
	/* a backslash escapes where there is a wildcard, else it is itself */
	{ "\\*x*", "*xy", true },
	{ "\\*x*", "axy", false },
	{ "foo\\bar", "foo\\bar", true },
	{ "foo\\[bar\\]", "foo[bar]", true },
	{ "*\\\\", "a\\", true },
	/* bytes are bytes */
	{ "*\n*", "a\nb", true },
	{ "*", ".hidden", true },
};

static void
patterns_match_as_the_manual_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct filter *f = filter_new();
		struct str path = str_of(rows[i].path);
		struct err err = ERR_INIT;
		bool is_dir = str_ends(path, STR("/"));
		const char *by;

		if (is_dir)
			path.len--;
		if (filter_add(f, false, rows[i].pattern, &err) == -1)
			fail_msg("%s: %s", rows[i].pattern, err.msg);
		by = filter_excludes(f, path, is_dir);
		if ((by != NULL) != rows[i].matches)
			fail_msg("\"%s\" and \"%s\": %s", rows[i].pattern,
			    rows[i].path, by == NULL ? "no match" : "match");
		if (by != NULL)
			assert_string_equal(by, rows[i].pattern);
		filter_free(&f);
		assert_null(f);
	}
}

static void
first_match_decides(void **state)
{
	struct filter *f = filter_new();

	(void)state;
	assert_int_equal(filter_add(f, true, "*/", NULL), 0);
	assert_int_equal(filter_add(f, true, "keep.tmp", NULL), 0);
	assert_int_equal(filter_add(f, false, "*.tmp", NULL), 0);
	assert_int_equal(filter_add(f, true, "*.c", NULL), 0);
	assert_int_equal(filter_add(f, false, "*", NULL), 0);
	assert_null(filter_excludes(f, STR("a/dir.tmp"), true));
	assert_null(filter_excludes(f, STR("a/keep.tmp"), false));
	assert_string_equal(filter_excludes(f, STR("a/b.tmp"), false),
	    "*.tmp");
	assert_null(filter_excludes(f, STR("a/b.c"), false));
	assert_string_equal(filter_excludes(f, STR("a/b.h"), false), "*");
	filter_free(&f);
}

/* Of any rules, the one that decides is the first that would match alone. */
static void
first_match_decides_for_all_pairs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t j = 0; j < ARRAY_LEN(rows); j++) {
			struct filter *f = filter_new();
			struct str path = str_of(rows[i].path);
			bool is_dir = str_ends(path, STR("/"));
			bool second_first;

			if (is_dir)
				path.len--;
			assert_int_equal(filter_add(f, true, rows[j].pattern,
			    NULL), 0);
			assert_int_equal(filter_add(f, false, rows[i].pattern,
			    NULL), 0);
			second_first = filter_excludes(f, path, is_dir) !=
			    NULL;
			filter_free(&f);
			f = filter_new();
			assert_int_equal(filter_add(f, false, rows[j].pattern,
			    NULL), 0);
			assert_true(second_first == (rows[i].matches &&
			    filter_excludes(f, path, is_dir) == NULL));
			filter_free(&f);
		}
	}
}

/* The plain meaning of the wildcards, in exponential time. */
static bool
matches_plainly(const char *p, const char *s)
{
	if (*p == '\0')
		return *s == '\0';
	if (*p == '*') {
		bool cross = p[1] == '*';
		const char *rest = p + strspn(p, "*");

		for (;; s++) {
			if (matches_plainly(rest, s))
				return true;
			if (*s == '\0' || (*s == '/' && !cross))
				return false;
		}
	}
	if (*s == '\0' || (*p == '?' ? *s == '/' : *s != *p))
		return false;
	return matches_plainly(p + 1, s + 1);
}

static void
random_word(struct rng *r, const char *letters, size_t most, char *out)
{
	size_t n = 1 + rng_next(r) % most;

	for (size_t i = 0; i < n; i++)
		out[i] = letters[rng_next(r) % strlen(letters)];
	out[n] = '\0';
}

static void
matching_agrees_with_its_plain_meaning(void **state)
{
	struct rng r;
	size_t matched = 0;

	(void)state;
	rng_seed(&r, 20260101);
	for (size_t i = 0; i < 300000; i++) {
		char pattern[32], path[32];
		struct filter *f;
		bool want;

		/* Anchored, so that no rule but the wildcards has a say. */
		pattern[0] = '/';
		random_word(&r, "ab*?/", 9, pattern + 1);
		random_word(&r, "aab/", 10, path);
		if (pattern[strlen(pattern) - 1] == '/' ||
		    strstr(pattern, "***") != NULL)
			continue;
		f = filter_new();
		assert_int_equal(filter_add(f, false, pattern, NULL), 0);
		want = matches_plainly(pattern + 1, path);
		matched += want;
		if ((filter_excludes(f, str_of(path), false) != NULL) != want)
			fail_msg("\"%s\" and \"%s\"", pattern, path);
		filter_free(&f);
	}
	assert_true(matched > 1000);
}

static void
no_rule_excludes_nothing(void **state)
{
	struct filter *f = filter_new();

	(void)state;
	assert_null(filter_excludes(NULL, STR("a"), false));
	assert_null(filter_excludes(f, STR("a"), false));
	filter_free(&f);
	filter_free(&f);
}

static void
bad_patterns_are_refused(void **state)
{
	static const char *const bad[] = { "", "/", "//", "[a", "a[", "[[:x:]]",
		"[\\", "*[!]", "[a-" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct filter *f = filter_new();
		struct err err = ERR_INIT;

		if (filter_add(f, false, bad[i], &err) != -1)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_int_equal(err.kind, ERR_USAGE);
		filter_free(&f);
	}
}

static void
long_paths_and_hard_patterns_end(void **state)
{
	struct filter *f = filter_new();
	char path[4000];

	(void)state;
	memset(path, 'a', sizeof(path));
	for (size_t i = 100; i < sizeof(path); i += 100)
		path[i] = '/';
	assert_int_equal(filter_add(f, false, "**a*a*a**a*a*a**a*a*a*b",
	    NULL), 0);
	assert_null(filter_excludes(f, (struct str){ path, sizeof(path) },
	    false));
	path[sizeof(path) - 1] = 'b';
	assert_non_null(filter_excludes(f,
	    (struct str){ path, sizeof(path) }, false));
	filter_free(&f);
}

static void
description_names_the_rules(void **state)
{
	struct filter *f = filter_new();
	char *line = filter_describe(NULL);

	(void)state;
	assert_string_equal(line, "");
	free(line);
	assert_int_equal(filter_add(f, true, "a,b", NULL), 0);
	assert_int_equal(filter_add(f, false, "*\n", NULL), 0);
	line = filter_describe(f);
	assert_string_equal(line, "+ a\\x2cb, - *\\x0a");
	free(line);
	filter_free(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_match_as_the_manual_says),
		cmocka_unit_test(first_match_decides),
		cmocka_unit_test(first_match_decides_for_all_pairs),
		cmocka_unit_test(matching_agrees_with_its_plain_meaning),
		cmocka_unit_test(no_rule_excludes_nothing),
		cmocka_unit_test(bad_patterns_are_refused),
		cmocka_unit_test(long_paths_and_hard_patterns_end),
		cmocka_unit_test(description_names_the_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
