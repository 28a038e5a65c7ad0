/*
 * An export that is another file system than it is known by, or is not there:
 * nothing of it is gone.
 */
#include "kit/mirror.h"

/* A run of the root, which has nothing new. */
static void
run_on(struct kit *k, uint64_t fsid)
{
	kit_begin(k);
	catalog_note_export(k->c, 0, fsid, false);
	catalog_put_page(k->c, kit_page(kit_take(k, "srv/vol"), true));
}


static void
run_whole(struct kit *k, uint64_t fsid, enum export_sight sight)
{
	kit_begin(k);
	catalog_see_export(k->c, 0, sight, fsid);
	catalog_note_export(k->c, 0, fsid, false);
	catalog_put_page(k->c, kit_page(kit_take(k, "srv/vol"), true));
}

static uint64_t
noted(struct kit *k)
{
	struct err err = ERR_INIT;
	uint64_t fsid = 0;

	assert_int_not_equal(catalog_export_noted(k->reader, "srv/vol", &fsid,
	    &err), -1);
	return fsid;
}

/* Nothing of it is gone, however often it comes, also without --delete. */
static void
other_file_system(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");

	put_first(k, &spec, true);
	for (int i = 0; i < 3; i++) {
		second_run(k, FSID + 1, false);
		if (i > 0)
			check_plan(k, "", MIRROR_OTHER_FS, 0, 0);
		assert_int_equal(kit_end(k, RUN_COMPLETE)->gone, 0);
		assert_int_equal(noted(k), FSID);
	}
	/* The known one is known still. */
	second_run(k, FSID, false);
	check_plan(k, " srv/vol/b srv/vol/sub/c srv/vol/sub/deep/d",
	    MIRROR_OPEN, 0, 0);
	kit_end(k, RUN_COMPLETE);
	/* What was gone before stays, too. */
	run_on(k, FSID + 1);
	check_plan(k, "", MIRROR_OTHER_FS, 3, 0);
	kit_end(k, RUN_COMPLETE);
}

static void
accepted_file_system(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");

	put_first(k, &spec, true);
	run_whole(k, FSID + 1, EXPORT_ACCEPTED);
	check_plan(k, " srv/vol/sub/c srv/vol/sub/deep/d", MIRROR_OPEN, 0, 0);
	kit_end(k, RUN_COMPLETE);
	assert_int_equal(noted(k), FSID + 1);
	run_whole(k, FSID + 1, EXPORT_THERE);
	check_plan(k, " srv/vol/sub/c srv/vol/sub/deep/d", MIRROR_OPEN, 0, 0);
	kit_end(k, RUN_COMPLETE);
}

/* A second run of 20 files, of which so many are found again on another file
 * system; the first of them have another size by then. */
static void
copied(struct kit *k, size_t again, size_t changed, bool whole, bool known)
{
	struct run_spec spec = kit_spec("bucket", "all");
	struct run_export below = kit_exports[0];
	struct dir_page *p;
	char path[40];

	kit_open(k);
	kit_begin(k);
	catalog_note_export(k->c, 0, FSID, false);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_subdir(p, "srv/vol/d");
	catalog_put_page(k->c, p);
	p = kit_page(kit_take(k, "srv/vol/d"), true);
	for (size_t i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "srv/vol/d/f%02zu", i);
		kit_entry(p, PAGE_NEW, 0, path, kit_attrs(10, 1));
	}
	catalog_put_page(k->c, p);
	assert_int_equal(kit_settle(k, 30, OUTCOME_MOVED), 20);
	kit_end(k, RUN_COMPLETE);
	if (!whole)
		below.start = "srv/vol/d";
	spec.exports = &below;
	kit_begin_spec(k, &spec);
	catalog_see_export(k->c, 0, EXPORT_THERE, FSID + 1);
	catalog_note_export(k->c, 0, FSID + 1, false);
	if (whole) {
		p = kit_page(kit_take(k, "srv/vol"), true);
		kit_subdir(p, "srv/vol/d");
		catalog_put_page(k->c, p);
	}
	p = kit_page(kit_take(k, "srv/vol/d"), true);
	for (size_t i = 0; i < again; i++) {
		struct attrs a = kit_attrs(i < changed ? 11 : 10, 1);
		struct known had;

		/* As copies have them. */
		a.ino = 100 + i;
		a.ctime_ns = 7;
		snprintf(path, sizeof(path), "srv/vol/d/f%02zu", i);
		assert_int_equal(kit_find(k, path, &had), 1);
		kit_entry(p, PAGE_CHANGED, had.object, path, a);
	}
	for (size_t i = again; i < 20; i++) {
		snprintf(path, sizeof(path), "srv/vol/d/f%02zu", i);
		gone(k, p, path);
	}
	catalog_put_page(k->c, p);
	assert_int_equal(kit_settle(k, 30, OUTCOME_UNCHANGED), again);
	assert_int_equal(kit_end(k, RUN_COMPLETE)->gone, 0);
	assert_true(k->closing.closes);
	assert_int_equal(noted(k), known ? FSID + 1 : FSID);
	kit_close(k);
	unlink(k->path);
}

/* What a run without the end took in from the other one is not known of the
 * known one. */
static void
taken_in_is_not_known(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct known had;
	struct dir_page *p;

	put_first(k, &spec, true);
	for (int i = 0; i < 3; i++) {
		kit_begin(k);
		catalog_see_export(k->c, 0, EXPORT_THERE, FSID + 1);
		catalog_note_export(k->c, 0, FSID + 1, false);
		p = kit_page(kit_take(k, "srv/vol"), true);
		if (i == 0) {
			assert_int_equal(kit_find(k, "srv/vol/a", &had), 1);
			kit_entry(p, PAGE_CHANGED, had.object, "srv/vol/a",
			    kit_attrs(10, 2));
		} else {
			p->unchanged = 1;
		}
		gone(k, p, "srv/vol/b");
		kit_subdir(p, "srv/vol/sub");
		catalog_put_page(k->c, p);
		p = kit_page(kit_take(k, "srv/vol/sub"), true);
		p->unchanged = 1;
		catalog_put_page(k->c, p);
		if (i == 0)
			kit_settle(k, 1, OUTCOME_MOVED);
		kit_flush(k, 1000);
		if (i == 2)
			check_plan(k, "", MIRROR_OTHER_FS, 0, 0);
		assert_int_equal(kit_end(k, RUN_COMPLETE)->gone, 0);
		assert_int_equal(noted(k), FSID);
	}
}

/* Files below a directory that could not be read, or was left out, were not
 * found again: most of what is known lies there. */
static void
unread_is_not_found(void **state)
{
	for (int left_out = 0; left_out < 2; left_out++) {
		struct kit *k = *state;
		struct dir_page *p;
		char path[40];

		kit_open(k);
		kit_begin(k);
		catalog_note_export(k->c, 0, FSID, false);
		p = kit_page(kit_take(k, "srv/vol"), true);
		kit_subdir(p, "srv/vol/d");
		kit_entry(p, PAGE_NEW, 0, "srv/vol/a", kit_attrs(10, 1));
		catalog_put_page(k->c, p);
		p = kit_page(kit_take(k, "srv/vol/d"), true);
		for (size_t i = 0; i < 20; i++) {
			snprintf(path, sizeof(path), "srv/vol/d/f%02zu", i);
			kit_entry(p, PAGE_NEW, 0, path, kit_attrs(10, 1));
		}
		catalog_put_page(k->c, p);
		assert_int_equal(kit_settle(k, 30, OUTCOME_MOVED), 21);
		kit_end(k, RUN_COMPLETE);
		kit_begin(k);
		catalog_see_export(k->c, 0, EXPORT_THERE, FSID + 1);
		catalog_note_export(k->c, 0, FSID + 1, false);
		p = kit_page(kit_take(k, "srv/vol"), true);
		p->unchanged = 1;
		if (left_out != 0) {
			p->kept_dirs = xcalloc(1, sizeof(*p->kept_dirs));
			p->kept_dirs[p->kept_dir_count++] =
			    xstrdup("srv/vol/d");
			catalog_put_page(k->c, p);
		} else {
			kit_subdir(p, "srv/vol/d");
			catalog_put_page(k->c, p);
			p = kit_page(kit_take(k, "srv/vol/d"), true);
			err_set(&p->err, ERR_DENIED, 13, "denied");
			catalog_put_page(k->c, p);
		}
		kit_end(k, RUN_COMPLETE);
		assert_int_equal(noted(k), FSID);
		kit_close(k);
		unlink(k->path);
	}
}

static void
nine_tenths(void **state)
{
	copied(*state, 18, 0, true, true);
	copied(*state, 17, 0, true, false);
	copied(*state, 20, 2, true, true);
	copied(*state, 20, 3, true, false);
	copied(*state, 20, 0, false, false);
}

static bool
is_gone(struct kit *k, const char *path)
{
	struct known known;

	assert_int_equal(kit_find(k, path, &known), 1);
	return known.tombstone;
}

/* What a backlog brings of an export that is not there: "gone" is believed
 * of none that is away. */
static void
away(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct totals *t;

	kit_open(k);
	for (int i = 0; i < 3; i++) {
		struct dir_page *p;

		spec.retry_failed = i > 0;
		kit_begin_spec(k, &spec);
		if (i == 0) {
			p = kit_page(kit_take(k, "srv/vol"), true);
			kit_entry(p, PAGE_NEW, 0, "srv/vol/a",
			    kit_attrs(10, 1));
			catalog_put_page(k->c, p);
		}
		if (i == 1)
			catalog_see_export(k->c, 0, EXPORT_AWAY, 0);
		assert_int_equal(kit_settle(k, 10, i == 0 ? OUTCOME_FAILED :
		    OUTCOME_GONE), 1);
		t = kit_end(k, RUN_COMPLETE);
		assert_true(k->closing.closes);
		assert_int_equal(t->failed, i < 2 ? 1 : 0);
		assert_int_equal(t->gone, i < 2 ? 0 : 1);
		assert_int_equal(is_gone(k, "srv/vol/a"), i == 2);
	}
}

/* What is asked before an empty export is believed. */
static void
holds_files(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct err err = ERR_INIT;

	put_first(k, &spec, true);
	assert_int_equal(catalog_export_holds(k->reader, "srv/vol", false,
	    &err), 1);
	assert_int_equal(catalog_export_holds(k->reader, "srv/vo", true,
	    &err), 0);
	/* No export yet, but files are known there. */
	assert_int_equal(catalog_export_holds(k->reader, "srv/vol/sub", true,
	    &err), 1);
	kit_begin(k);
	catalog_note_export(k->c, 0, FSID, false);
	{
		struct dir_page *p = kit_page(kit_take(k, "srv/vol"), true);

		gone(k, p, "srv/vol/a");
		gone(k, p, "srv/vol/b");
		catalog_put_page(k->c, p);
	}
	kit_end(k, RUN_COMPLETE);
	assert_int_equal(catalog_export_holds(k->reader, "srv/vol", false,
	    &err), 0);
	assert_int_equal(catalog_export_holds(k->reader, "srv/vol", true,
	    &err), 1);
}

#define EXPORT_TEST(f) cmocka_unit_test_setup_teardown(f, kit_setup, \
    kit_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		EXPORT_TEST(other_file_system),
		EXPORT_TEST(accepted_file_system),
		EXPORT_TEST(taken_in_is_not_known),
		EXPORT_TEST(unread_is_not_found),
		EXPORT_TEST(nine_tenths),
		EXPORT_TEST(away),
		EXPORT_TEST(holds_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
