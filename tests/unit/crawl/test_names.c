/* The lines of --files-from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crawl/names.h"

static const char *const roots[] = { "h/exp/a", "h/exp/ab" };

/* The export's number and the path below it, or the message. */
static void
check(const struct crawl_config *c, struct str line, const char *wanted)
{
	struct err err = ERR_INIT;
	CLEANUP(buf_release) struct buf path;
	unsigned export;
	struct str rel;
	char got[400];

	buf_init(&path, 64);
	if (names_find(c, line, &path, &export, &rel, &err) == -1) {
		assert_int_equal(err.kind, ERR_INVALID);
		snprintf(got, sizeof(got), "%s", err.msg);
	} else {
		snprintf(got, sizeof(got), "%u %.*s", export, (int)rel.len,
		    rel.p);
	}
	assert_string_equal(got, wanted);
}

static void
test_one_export(void **state UNUSED)
{
	struct crawl_config c = { .roots = roots, .export_count = 1,
	    .server_as_prefix = true };

	check(&c, STR("d/a"), "0 d/a");
	check(&c, STR("./d/a"), "0 d/a");
	check(&c, STR("d//b"), "0 d/b");
	check(&c, STR("/d/a/"), "0 d/a");
	check(&c, STR("././d/./a/."), "0 d/a");
	check(&c, STR("h/exp/a/d/a"), "0 d/a");
	check(&c, STR("h/exp//a/./d"), "0 d");
	check(&c, STR("h/exp/ab/d"), "0 h/exp/ab/d");
	check(&c, STR("...d/..a/b.."), "0 ...d/..a/b..");
	c.server_as_prefix = false;
	check(&c, STR("exp/a/d"), "0 d");
}

static void
test_no_name(void **state UNUSED)
{
	struct crawl_config c = { .roots = roots, .export_count = 1,
	    .server_as_prefix = true };

	check(&c, STR("."), "it names no file of a share");
	check(&c, STR("///"), "it names no file of a share");
	check(&c, STR("h/exp/a"), "it names no file of a share");
	check(&c, STR("h/exp/a/"), "it names no file of a share");
	check(&c, STR("../x"), "a path with .. in it");
	check(&c, STR("d/.."), "a path with .. in it");
	check(&c, STR("d\0e"), "it has a NUL byte");
	check(&c, STR("0123456789/0123456789/0123456789/0123456789/"
	    "0123456789/0123456789"), "it is too long");
}

static void
test_two_exports(void **state UNUSED)
{
	struct crawl_config c = { .roots = roots, .export_count = 2,
	    .server_as_prefix = true };

	check(&c, STR("h/exp/a/d"), "0 d");
	check(&c, STR("h/exp/ab/d"), "1 d");
	check(&c, STR("h/exp/abc/d"), "it lies under no configured share");
	check(&c, STR("d"), "it lies under no configured share");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_export),
		cmocka_unit_test(test_no_name),
		cmocka_unit_test(test_two_exports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
