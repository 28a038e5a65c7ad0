/* The diff of a directory: what becomes of one entry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crawl/judge.h"

static const struct attrs FILE_ATTRS = { .kind = ENTRY_FILE, .mode = 0644,
    .uid = 1, .gid = 2, .size = 10, .mtime_ns = 100, .ctime_ns = 200,
    .ino = 7 };

static struct crawl_config
config(void)
{
	return (struct crawl_config){ .max_size = UINT64_MAX };
}

static struct known
stored(void)
{
	return (struct known){ .object = 5, .attrs = FILE_ATTRS,
	    .stored = true };
}

static enum judgement
judged(const struct crawl_config *c, const struct attrs *a,
    const struct known *k)
{
	struct err err = ERR_INIT;

	return judge(c, a, k, STR("h/s/a"), NULL, &err);
}

static void
test_verdicts(void **state UNUSED)
{
	struct crawl_config c = config();
	struct attrs a = FILE_ATTRS;
	struct known k = stored();

	assert_int_equal(judged(&c, &a, NULL), JUDGED_NEW);
	assert_int_equal(judged(&c, &a, &k), JUDGED_UNCHANGED);
	k.stored = false;
	assert_int_equal(judged(&c, &a, &k), JUDGED_QUEUE);
	k.tombstone = true;
	assert_int_equal(judged(&c, &a, &k), JUDGED_CHANGED);
	k = stored();
	c.checksum = true;
	assert_int_equal(judged(&c, &a, &k), JUDGED_QUEUE);
}

/* Each field alone makes another version. */
static void
test_changed(void **state UNUSED)
{
	struct crawl_config c = config();
	struct known k = stored();
	struct attrs v[7];

	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		v[i] = FILE_ATTRS;
	v[0].size++;
	v[1].mtime_ns++;
	v[2].ctime_ns++;
	v[3].ino++;
	v[4].mode = 0600;
	v[5].uid++;
	v[6].gid++;
	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		assert_int_equal(judged(&c, &v[i], &k), JUDGED_CHANGED);
	c.ignore = ATTRS_INO;
	assert_int_equal(judged(&c, &v[3], &k), JUDGED_UNCHANGED);
	assert_int_equal(judged(&c, &v[2], &k), JUDGED_CHANGED);
	c.ignore |= ATTRS_CTIME;
	assert_int_equal(judged(&c, &v[2], &k), JUDGED_UNCHANGED);
	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		if (i != 2 && i != 3)
			assert_int_equal(judged(&c, &v[i], &k),
			    JUDGED_CHANGED);
	/* Without an mtime nothing but the ctime is left. */
	v[2].mtime_ns = MTIME_NONE;
	assert_int_equal(judged(&c, &v[2], &k), JUDGED_CHANGED);
	k.fresh = true;
	assert_int_equal(judged(&c, &FILE_ATTRS, &k), JUDGED_QUEUE);
}

/* What can't be told now changes nothing; what has become known does. */
static void
test_not_known(void **state UNUSED)
{
	struct crawl_config c = config();
	struct known k = stored();
	struct attrs v[3];

	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		v[i] = FILE_ATTRS;
	v[0].mtime_ns = MTIME_NONE;
	v[1].uid = OWNER_NONE;
	v[2].gid = OWNER_NONE;
	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		k.attrs = FILE_ATTRS;
		assert_int_equal(judged(&c, &v[i], &k), JUDGED_UNCHANGED);
		k.attrs = v[i];
		assert_int_equal(judged(&c, &v[i], &k), JUDGED_UNCHANGED);
		assert_int_equal(judged(&c, &FILE_ATTRS, &k),
		    JUDGED_CHANGED);
		v[i].ctime_ns++;
		assert_int_equal(judged(&c, &v[i], &k), JUDGED_CHANGED);
	}
}

static void
test_size(void **state UNUSED)
{
	struct crawl_config c = config();
	struct attrs a = FILE_ATTRS;
	struct known k = stored();

	a.size = INT64_MAX;
	assert_int_equal(judged(&c, &a, NULL), JUDGED_NEW);
	a.size++;
	assert_int_equal(judged(&c, &a, NULL), JUDGED_FAILED);
	assert_int_equal(judged(&c, &a, &k), JUDGED_FAILED);
}

static void
test_excluded(void **state UNUSED)
{
	struct crawl_config c = config();
	struct attrs a = FILE_ATTRS;
	struct known k = stored();
	struct err err = ERR_INIT;
	char *names[] = { (char *)(uintptr_t)".snapshot" };
	struct strlist skip = { names, 1 };
	struct str name = STR("x");
	char buf[120];

	assert_null(judge_excluded(&c, name, name, &a, buf));
	c.min_size = 11;
	assert_non_null(judge_excluded(&c, name, name, &a, buf));
	c.min_size = 0;
	c.max_size = 9;
	assert_non_null(judge_excluded(&c, name, name, &a, buf));
	c.max_size = UINT64_MAX;
	a.kind = ENTRY_FIFO;
	assert_string_equal(judge_excluded(&c, name, name, &a, buf), "fifo");
	a.kind = ENTRY_DIR;
	c.skip_dirs = &skip;
	assert_null(judge_excluded(&c, name, name, &a, buf));
	assert_non_null(judge_excluded(&c, STR(".snapshot"), STR(".snapshot"),
	    &a, buf));

	assert_int_equal(judge(&c, &a, NULL, name, "fifo", &err),
	    JUDGED_EXCLUDED);
	k.excluded = true;
	snprintf(k.why, sizeof(k.why), "fifo");
	assert_int_equal(judge(&c, &a, &k, name, "fifo", &err),
	    JUDGED_EXCLUDED_SAME);
	assert_int_equal(judge(&c, &a, &k, name, "socket", &err),
	    JUDGED_EXCLUDED);
	/* No longer excluded: what was known before is known still. */
	a = FILE_ATTRS;
	assert_int_equal(judged(&c, &a, &k), JUDGED_INCLUDED);
	c.checksum = true;
	assert_int_equal(judged(&c, &a, &k), JUDGED_QUEUE);
	c.checksum = false;
	k.stored = false;
	assert_int_equal(judged(&c, &a, &k), JUDGED_QUEUE);
	a.ctime_ns++;
	assert_int_equal(judged(&c, &a, &k), JUDGED_CHANGED);
}

static void
leaves(const struct crawl_config *c, const char *path, uint64_t size,
    bool out)
{
	struct attrs a = FILE_ATTRS;

	a.size = size;
	if (judge_leaves_out(c, str_of(path), &a) != out)
		fail_msg("%s of %ju bytes is %sleft out", path,
		    (uintmax_t)size, out ? "not " : "");
}

/* Of a file that is gone, with all that was above it. */
static void
test_leaves_out(void **state UNUSED)
{
	struct crawl_config c = config();
	char *names[] = { (char *)(uintptr_t)".snapshot" };
	struct strlist skip = { names, 1 };
	struct filter *f = filter_new();

	leaves(&c, "archive/f", 10, false);
	assert_int_equal(filter_add(f, true, "keep.tmp", NULL), 0);
	assert_int_equal(filter_add(f, false, "archive/", NULL), 0);
	assert_int_equal(filter_add(f, false, "*.tmp", NULL), 0);
	c.filter = f;
	c.skip_dirs = &skip;
	c.min_size = 5;
	c.max_size = 50;
	leaves(&c, "archive/f", 10, true);
	leaves(&c, "archive/deep/er/f", 10, true);
	leaves(&c, "d/archive/f", 10, true);
	leaves(&c, "archive", 10, false);	/* a file */
	leaves(&c, "a.tmp", 10, true);
	leaves(&c, "d/a.tmp", 10, true);
	leaves(&c, "d/keep.tmp", 10, false);
	leaves(&c, "archive/keep.tmp", 10, true);
	leaves(&c, "d/f", 10, false);
	leaves(&c, "d/f", 4, true);
	leaves(&c, "d/f", 51, true);
	leaves(&c, "d/.snapshot/f", 10, true);
	leaves(&c, ".snapshot", 10, false);
	filter_free(&f);
}

static void
test_long_key(void **state UNUSED)
{
	struct crawl_config c = config();
	struct err err = ERR_INIT;
	char key[1025];

	memset(key, 'k', sizeof(key));
	assert_int_equal(judge(&c, &FILE_ATTRS, NULL,
	    (struct str){ key, 1024 }, NULL, &err), JUDGED_NEW);
	assert_int_equal(judge(&c, &FILE_ATTRS, NULL,
	    (struct str){ key, 1025 }, NULL, &err), JUDGED_FAILED);
	assert_int_equal(err.kind, ERR_INVALID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_not_known),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_excluded),
		cmocka_unit_test(test_leaves_out),
		cmocka_unit_test(test_long_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
