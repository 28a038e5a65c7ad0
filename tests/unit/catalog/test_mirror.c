/*
 * PUT --delete: what the plan has, and what its guards keep out. That the
 * plan is exactly what is gone is tested in test_history.c.
 */
#include "kit/mirror.h"

#include "catalog/outcome.h"

static void
gone_is_planned(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct mirror_plan plan;
	struct err err = ERR_INIT;
	uint64_t n;

	put_first(k, &spec, true);
	second_run(k, FSID, false);
	check_plan(k, " srv/vol/b srv/vol/sub/c srv/vol/sub/deep/d",
	    MIRROR_OPEN, 0, 0);
	plan = plan_of(k);
	assert_int_equal(plan.count, 3);
	assert_int_equal(plan.bytes, 25);
	assert_int_equal(catalog_mirror_stored(k->reader, &plan, 0, NULL,
	    &n, &err), 0);
	assert_int_equal(n, 4);
	assert_int_equal(catalog_mirror_stored(k->reader, &plan, 2, NULL,
	    &n, &err), 0);
	assert_int_equal(n, 2);
	mirror_plan_release(&plan);
	assert_int_equal(kit_end(k, RUN_COMPLETE)->gone, 3);
	assert_true(k->closing.closes);
}

/* Each file is asked for in the file system of its own directory. */
static void
file_system_of_the_directory(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct mirror_row v[3];
	struct mirror_plan plan;
	struct err err = ERR_INIT;
	struct dir_page *p;
	size_t n;

	put_first(k, &spec, true);
	for (int i = 0; i < 2; i++) {
		kit_begin(k);
		catalog_note_export(k->c, 0, FSID, false);
		p = kit_page(kit_take(k, "srv/vol"), true);
		p->fs_seen = true;
		p->fsid = FSID;
		p->unchanged = 1;
		if (i == 1)
			gone(k, p, "srv/vol/b");
		kit_subdir(p, "srv/vol/sub");
		catalog_put_page(k->c, p);
		p = kit_page(kit_take(k, "srv/vol/sub"), true);
		p->fs_seen = true;
		p->fsid = FSID + 7;
		if (i == 1)
			gone(k, p, "srv/vol/sub/c");
		kit_subdir(p, "srv/vol/sub/deep");
		catalog_put_page(k->c, p);
		p = kit_page(kit_take(k, "srv/vol/sub/deep"), true);
		p->fs_seen = true;
		p->fsid = FSID + 7;
		if (i == 1)
			gone(k, p, "srv/vol/sub/deep/d");
		catalog_put_page(k->c, p);
		if (i == 0)
			kit_end(k, RUN_COMPLETE);
	}
	kit_flush(k, 1000);
	plan = plan_of(k);
	assert_int_equal(catalog_mirror_page(k->reader, &plan, STR(""), v, 3,
	    &n, &err), 0);
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(v[i].fsid, i == 0 ? FSID : FSID + 7);
		mirror_row_release(&v[i]);
	}
	mirror_plan_release(&plan);
	kit_end(k, RUN_COMPLETE);
}

static bool
keeps_c(void *arg, struct str path, const struct attrs *held,
    const struct attrs *last)
{
	assert_int_equal(*(int *)arg, 7);
	assert_int_equal(held->kind, ENTRY_FILE);
	assert_int_equal(last->size, held->size);
	return str_eq(path, STR("srv/vol/sub/c"));
}

static void
left_out_stays(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct mirror_plan plan;
	struct err err = ERR_INIT;
	char *paths;
	int arg = 7;
	const struct mirror_rules rules = { .keep = keeps_c,
	    .keep_arg = &arg };

	put_first(k, &spec, true);
	second_run(k, FSID, false);
	assert_int_equal(catalog_mirror_plan(k->c, k->reader, &rules, &plan,
	    &err), 0);
	paths = names(k, &plan, 1);
	assert_string_equal(paths, " srv/vol/b srv/vol/sub/deep/d");
	assert_int_equal(plan.count, 2);
	assert_int_equal(plan.left_out, 1);
	assert_int_equal(plan.guarded + plan.unproved, 0);
	free(paths);
	mirror_plan_release(&plan);
	kit_end(k, RUN_COMPLETE);
}

static void
deletions_are_outside_the_sum(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct outcomes *v = xcalloc(1, sizeof(*v));
	struct totals *t;

	put_first(k, &spec, true);
	second_run(k, FSID, false);
	check_plan(k, " srv/vol/b srv/vol/sub/c srv/vol/sub/deep/d",
	    MIRROR_OPEN, 0, 0);
	v->count = 2;
	v->v = xcalloc(2, sizeof(*v->v));
	v->v[0].path = xstrdup("srv/vol/b");
	v->v[0].outcome = OUTCOME_DELETED;
	v->v[1].path = xstrdup("srv/vol/sub/c");
	v->v[1].outcome = OUTCOME_FAILED;
	err_set(&v->v[1].err, ERR_DENIED, 403, "AccessDenied");
	catalog_put_outcomes(k->c, v);
	kit_flush(k, 1000);
	check_plan(k, " srv/vol/sub/c srv/vol/sub/deep/d", MIRROR_OPEN, 0, 0);
	t = kit_end(k, RUN_COMPLETE);
	assert_true(k->closing.closes);
	assert_int_equal(t->found, 2);
	assert_int_equal(t->unchanged, 1);
	assert_int_equal(t->failed, 1);
	assert_int_equal(t->deleted, 1);
	assert_int_equal(t->gone, 3);
	assert_int_equal(k->closing.failure_count, 1);
	/* What could not be deleted is in the next plan. */
	kit_begin(k);
	catalog_note_export(k->c, 0, FSID, false);
	catalog_put_page(k->c, kit_page(kit_take(k, "srv/vol"), true));
	check_plan(k, " srv/vol/sub/c srv/vol/sub/deep/d", MIRROR_OPEN, 0, 0);
	kit_end(k, RUN_COMPLETE);
}

/* --- guards --- */

static void
guarded_by(struct kit *k, bool note, uint64_t fsid, bool empty,
    enum mirror_guard guard)
{
	struct run_spec spec = kit_spec("bucket", "all");

	put_first(k, &spec, note);
	second_run(k, fsid, empty);
	check_plan(k, "", guard, 3, 0);
	assert_true(strlen(mirror_guard_text(guard)) > 0);
	kit_end(k, RUN_COMPLETE);
}

static void
empty_root(void **state)
{
	guarded_by(*state, true, FSID, true, MIRROR_EMPTY);
}

static void
unknown_file_system(void **state)
{
	guarded_by(*state, false, FSID, false, MIRROR_NEW_FS);
}

/* A run of its own that reads the root, in which there is a file (first) or b
 * is gone; the crawl is at hand still. */
static void
read_root(struct kit *k, uint64_t fsid, bool first)
{
	struct run_spec spec = kit_spec("bucket", "all");
	struct dir_page *p;

	spec.fresh = true;
	kit_begin_spec(k, &spec);
	catalog_see_export(k->c, 0, EXPORT_THERE, fsid);
	catalog_note_export(k->c, 0, fsid, false);
	p = kit_page(kit_take(k, "srv/vol"), true);
	p->fs_seen = true;
	p->fsid = fsid;
	if (first) {
		kit_entry(p, PAGE_NEW, 0, "srv/vol/a", kit_attrs(5, 1));
		kit_entry(p, PAGE_NEW, 0, "srv/vol/b", kit_attrs(5, 1));
	} else {
		p->unchanged = 1;
		gone(k, p, "srv/vol/b");
	}
	catalog_put_page(k->c, p);
	if (first)
		assert_int_equal(kit_settle(k, 10, OUTCOME_MOVED), 2);
	kit_flush(k, 1000);
}

/* What a run that was cut has read was of a file system, too. */
static void
noted_by_a_cut_run(void **state)
{
	struct kit *k = *state;

	kit_open(k);
	read_root(k, FSID, true);
	kit_end(k, RUN_INTERRUPTED);
	read_root(k, FSID, false);
	check_plan(k, " srv/vol/b", MIRROR_OPEN, 0, 0);
	kit_end(k, RUN_COMPLETE);
}

static void
another_than_a_cut_run_has_noted(void **state)
{
	struct kit *k = *state;

	kit_open(k);
	read_root(k, FSID, true);
	kit_end(k, RUN_INTERRUPTED);
	for (int i = 0; i < 3; i++) {
		read_root(k, FSID + 1, false);
		check_plan(k, "", MIRROR_OTHER_FS, 0, 0);
		assert_int_equal(kit_end(k, i == 1 ? RUN_COMPLETE :
		    RUN_INTERRUPTED)->gone, 0);
	}
	read_root(k, FSID, false);
	check_plan(k, " srv/vol/b", MIRROR_OPEN, 0, 0);
	kit_end(k, RUN_COMPLETE);
}

/* Nothing was read before but a list: the run itself is no witness. */
static void
noted_by_this_run_alone(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");

	put_first(k, &spec, false);
	read_root(k, FSID, false);
	check_plan(k, "", MIRROR_NEW_FS, 3, 0);
	kit_end(k, RUN_INTERRUPTED);
	kit_begin(k);
	assert_true(k->info.continued);
	check_plan(k, " srv/vol/b srv/vol/sub/c srv/vol/sub/deep/d",
	    MIRROR_OPEN, 0, 0);
	kit_end(k, RUN_COMPLETE);
}

static void
root_not_seen(void **state)
{
	guarded_by(*state, true, 0, false, MIRROR_UNSEEN);
}

static void
changes_within_a_crawl(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");

	put_first(k, &spec, true);
	second_run(k, FSID + 1, false);
	kit_end(k, RUN_INTERRUPTED);
	/* The continuation is on the right file system, the pages before
	 * were not. */
	kit_begin(k);
	assert_true(k->info.continued);
	catalog_note_export(k->c, 0, FSID, false);
	kit_flush(k, 1000);
	check_plan(k, "", MIRROR_OTHER_FS, 0, 0);
	kit_end(k, RUN_COMPLETE);
}

static void
noted_before_the_cut(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");

	put_first(k, &spec, true);
	second_run(k, FSID, false);
	kit_end(k, RUN_INTERRUPTED);
	kit_begin(k);
	assert_true(k->info.continued);
	check_plan(k, " srv/vol/b srv/vol/sub/c srv/vol/sub/deep/d",
	    MIRROR_OPEN, 0, 0);
	kit_end(k, RUN_COMPLETE);
}

/* --- directories --- */

static void
directory_not_clean(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct dir_page *p;

	/* sub/c goes in a run of its own; then sub can't be read. */
	put_first(k, &spec, true);
	kit_begin(k);
	catalog_note_export(k->c, 0, FSID, false);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_subdir(p, "srv/vol/sub");
	catalog_put_page(k->c, p);
	p = kit_page(kit_take(k, "srv/vol/sub"), true);
	gone(k, p, "srv/vol/sub/c");
	catalog_put_page(k->c, p);
	kit_end(k, RUN_COMPLETE);	/* sub/deep is gone, too */
	kit_begin(k);
	catalog_note_export(k->c, 0, FSID, false);
	p = kit_page(kit_take(k, "srv/vol"), true);
	gone(k, p, "srv/vol/b");
	kit_subdir(p, "srv/vol/sub");
	catalog_put_page(k->c, p);
	p = kit_page(kit_take(k, "srv/vol/sub"), true);
	err_set(&p->err, ERR_DENIED, 13, "Permission denied");
	catalog_put_page(k->c, p);
	kit_flush(k, 1000);
	check_plan(k, " srv/vol/b", MIRROR_OPEN, 0, 2);
	kit_end(k, RUN_COMPLETE);
}

static void
only_what_was_crawled(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct run_export below = kit_exports[0];
	struct dir_page *p;

	put_first(k, &spec, true);
	second_run(k, FSID, false);	/* nothing is deleted */
	kit_end(k, RUN_COMPLETE);
	/* --prefix: b is gone and not below; sub came back without c. */
	below.start = "srv/vol/sub";
	spec.exports = &below;
	spec.scope = "prefix";
	kit_begin_spec(k, &spec);
	catalog_note_export(k->c, 0, FSID, false);
	p = kit_page(kit_take(k, "srv/vol/sub"), true);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/sub/new", kit_attrs(1, 1));
	catalog_put_page(k->c, p);
	kit_settle(k, 1, OUTCOME_MOVED);
	kit_flush(k, 1000);
	check_plan(k, " srv/vol/sub/c srv/vol/sub/deep/d", MIRROR_OPEN, 0, 0);
	kit_end(k, RUN_COMPLETE);
}

static void
excluded_directory_stays(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct dir_page *p;

	put_first(k, &spec, true);
	/* c goes while sub is still crawled; the plan isn't carried out. */
	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_subdir(p, "srv/vol/sub");
	catalog_put_page(k->c, p);
	p = kit_page(kit_take(k, "srv/vol/sub"), true);
	gone(k, p, "srv/vol/sub/c");
	catalog_put_page(k->c, p);
	kit_end(k, RUN_COMPLETE);
	kit_begin(k);
	catalog_note_export(k->c, 0, FSID, false);
	p = kit_page(kit_take(k, "srv/vol"), true);
	p->kept_dirs = xcalloc(1, sizeof(*p->kept_dirs));
	p->kept_dirs[p->kept_dir_count++] = xstrdup("srv/vol/sub");
	catalog_put_page(k->c, p);
	kit_flush(k, 1000);
	check_plan(k, "", MIRROR_OPEN, 0, 2);
	kit_end(k, RUN_COMPLETE);
}

/* The files below srv/vol/sub that nobody has looked for, in pages of n. */
static void
check_unread(struct kit *k, const struct mirror_plan *plan, size_t n,
    const char *expected)
{
	CLEANUP(unread_cursor_release) struct unread_cursor c = { .dir = NULL };
	struct mirror_row v[4];
	struct err err = ERR_INIT;
	char all[200] = "";
	size_t count = n;

	while (count == n) {
		assert_int_equal(catalog_mirror_unread(k->reader, plan, &c, v,
		    n, &count, &err), 0);
		for (size_t i = 0; i < count; i++) {
			assert_int_equal(v[i].fsid, FSID);
			assert_true(v[i].stored.object > 0);
			strncat(all, strrchr(v[i].stored.path, '/'),
			    sizeof(all) - strlen(all) - 1);
			mirror_row_release(&v[i]);
		}
	}
	assert_string_equal(all, expected);
}

/* With --delete-excluded they are looked for, and go if they are gone; what
 * nobody knows of has failed. Nothing is looked for under a guard. */
static void
left_out_is_looked_at(void **state)
{
	const struct mirror_rules rules = { .unread = true };
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct mirror_plan plan;
	struct known known;
	struct outcomes *unknown = xcalloc(1, sizeof(*unknown));
	struct err err = ERR_INIT;
	struct dir_page *p;

	put_first(k, &spec, true);
	for (uint64_t other = 0; other < 2; other++) {
		kit_begin(k);
		catalog_note_export(k->c, 0, FSID + other, false);
		p = kit_page(kit_take(k, "srv/vol"), true);
		p->unchanged = 2;
		p->kept_dirs = xcalloc(1, sizeof(*p->kept_dirs));
		p->kept_dirs[p->kept_dir_count++] = xstrdup("srv/vol/sub");
		catalog_put_page(k->c, p);
		kit_flush(k, 1000);
		assert_int_equal(catalog_mirror_plan(k->c, k->reader, &rules,
		    &plan, &err), 0);
		for (size_t n = 1; n < 4; n++)
			check_unread(k, &plan, n, other != 0 ? "" :
			    "/c/d");
		mirror_plan_release(&plan);
		if (other == 0) {
			assert_int_equal(kit_find(k, "srv/vol/sub/deep/d",
			    &known), 1);
			unknown->v = xcalloc(1, sizeof(*unknown->v));
			unknown->v[unknown->count++].path = xstrdup("c");
			err_set(&unknown->v[0].err, ERR_DENIED, 13, "no");
			assert_int_equal(catalog_mirror_bury(k->c,
			    &known.object, 1, unknown, &err), 0);
			assert_int_equal(catalog_mirror_plan(k->c, k->reader,
			    &rules, &plan, &err), 0);
			assert_int_equal(plan.count, 1);
			check_unread(k, &plan, 2, "/c");
			mirror_plan_release(&plan);
		}
		kit_end(k, RUN_COMPLETE);
		assert_true(k->closing.closes);
		assert_int_equal(k->closing.totals.gone, other == 0);
		assert_int_equal(k->closing.totals.failed, other == 0);
	}
	outcomes_free(&unknown);
}

static void
vanished_just_now(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct known known;
	struct dir_page *p;

	put_first(k, &spec, true);
	kit_begin(k);
	catalog_note_export(k->c, 0, FSID, false);
	p = kit_page(kit_take(k, "srv/vol"), true);
	assert_int_equal(kit_find(k, "srv/vol/a", &known), 1);
	kit_entry(p, PAGE_CHANGED, known.object, "srv/vol/a",
	    kit_attrs(11, 2));
	kit_subdir(p, "srv/vol/sub");
	catalog_put_page(k->c, p);
	p = kit_page(kit_take(k, "srv/vol/sub"), true);
	kit_subdir(p, "srv/vol/sub/deep");
	p->unchanged = 1;
	catalog_put_page(k->c, p);
	p = kit_page(kit_take(k, "srv/vol/sub/deep"), true);
	p->unchanged = 1;
	catalog_put_page(k->c, p);
	kit_settle(k, 1, OUTCOME_GONE);
	kit_flush(k, 1000);
	check_plan(k, "", MIRROR_OPEN, 0, 0);
	kit_end(k, RUN_COMPLETE);
	/* The target holds the version before it: next time it goes. */
	kit_begin(k);
	catalog_note_export(k->c, 0, FSID, false);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_subdir(p, "srv/vol/sub");
	catalog_put_page(k->c, p);
	p = kit_page(kit_take(k, "srv/vol/sub"), true);
	kit_subdir(p, "srv/vol/sub/deep");
	catalog_put_page(k->c, p);
	catalog_put_page(k->c, kit_page(kit_take(k, "srv/vol/sub/deep"),
	    true));
	kit_flush(k, 1000);
	check_plan(k, " srv/vol/a", MIRROR_OPEN, 0, 0);
	kit_end(k, RUN_COMPLETE);
}

/* --- when there is no plan --- */

static void
refused(struct kit *k)
{
	struct mirror_plan plan;
	struct err err = ERR_INIT;

	assert_int_equal(catalog_mirror_plan(k->c, k->reader, NULL, &plan,
	    &err), -1);
	assert_int_equal(err.kind, ERR_USAGE);
}

static void
no_plan(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");

	put_first(k, &spec, true);
	kit_begin(k);
	refused(k);			/* the root is still to be read */
	kit_end(k, RUN_FAILED);
	spec.retry_failed = true;
	kit_begin_spec(k, &spec);
	refused(k);
	kit_end(k, RUN_COMPLETE);
	spec.retry_failed = false;
	spec.no_backlog = true;
	spec.op = OP_DEL;
	kit_begin_spec(k, &spec);
	refused(k);
	kit_end(k, RUN_COMPLETE);
}

#define T(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(gone_is_planned),
		T(file_system_of_the_directory),
		T(left_out_stays),
		T(deletions_are_outside_the_sum),
		T(empty_root),
		T(unknown_file_system),
		T(noted_by_a_cut_run),
		T(another_than_a_cut_run_has_noted),
		T(noted_by_this_run_alone),
		T(root_not_seen),
		T(changes_within_a_crawl),
		T(noted_before_the_cut),
		T(directory_not_clean),
		T(only_what_was_crawled),
		T(excluded_directory_stays),
		T(left_out_is_looked_at),
		T(vanished_just_now),
		T(no_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
