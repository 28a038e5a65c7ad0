/*
 * Keys of two servers: what one name of a share has put, and another one takes
 * over.
 */
#include "kit/mirror.h"

#include "catalog/outcome.h"

static const struct run_export twins[] = {
	{ "one", "vol", "one/vol", "one/vol", NULL },
	{ "two", "vol", "two/vol", "two/vol", NULL },
	{ "three", "vol", "three/vol", "three/vol", NULL },
};

/* All moved, with the same bytes. */
static void
settle_as_one(struct kit *k)
{
	struct lease *l = kit_lease(k, 9);
	struct results *r = kit_results(l);

	for (size_t i = 0; i < l->count; i++)
		snprintf(kit_result(r, &l->items[i], OUTCOME_MOVED)->etag, 72,
		    "etag");
	catalog_put_results(k->c, r);
	lease_free(&l);
}

static void
key_of_another_export(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct dir_batch *b;

	spec.server_as_prefix = false;
	spec.exports = twins;
	spec.export_count = 2;
	kit_open(k);
	for (int run = 0; run < 2; run++) {
		kit_begin_spec(k, &spec);
		catalog_note_export(k->c, 0, FSID, false);
		catalog_note_export(k->c, 1, FSID, false);
		b = kit_dirs(k, 2);
		for (size_t i = 0; i < b->count; i++) {
			struct dir_page *p = kit_page(b->v[i].dir, true);
			AUTOFREE char *same = xasprintf("%s/same",
			    b->v[i].path);
			AUTOFREE char *only = xasprintf("%s/only%zu",
			    b->v[i].path, i);

			if (run == 0) {
				kit_entry(p, PAGE_NEW, 0, same,
				    kit_attrs(1, 1));
				kit_entry(p, PAGE_NEW, 0, only,
				    kit_attrs(1, 1));
			} else if (i == 0) {
				gone(k, p, same);
				gone(k, p, only);
			}
			catalog_put_page(k->c, p);
		}
		dir_batch_free(&b);
		if (run == 0) {
			settle_as_one(k);
			kit_end(k, RUN_COMPLETE);
		}
	}
	kit_flush(k, 1000);
	check_plan(k, " one/vol/only0", MIRROR_OPEN, 0, 1);
	kit_end(k, RUN_COMPLETE);
}

/* A file that nobody removes. */
static void
stays(struct dir_page *p, const char *root)
{
	AUTOFREE char *path = xasprintf("%s/stays", root);

	kit_entry(p, PAGE_NEW, 0, path, kit_attrs(1, 1));
}

/* A run of one of the two servers alone, without the server in the keys: the
 * root has the file, or the one that it had is gone. The first run, with mtime
 * 1, sees a second file. */
static void
run_of_one(struct kit *k, size_t server, bool there, int64_t mtime)
{
	const uint64_t fsids[] = { FSID, FSID, FSID + 1 };
	struct run_spec spec = kit_spec("bucket", "all");
	AUTOFREE char *path = xasprintf("%s/f", twins[server].path);
	struct dir_page *p;

	spec.server_as_prefix = false;
	spec.exports = &twins[server];
	spec.scope = twins[server].path;
	kit_begin_spec(k, &spec);
	catalog_note_export(k->c, 0, fsids[server], false);
	p = kit_page(kit_take(k, twins[server].path), true);
	if (there)
		kit_entry(p, mtime == 1 ? PAGE_NEW : PAGE_CHANGED, 0, path,
		    kit_attrs(1, mtime));
	else
		gone(k, p, path);
	if (there && mtime == 1)
		stays(p, twins[server].path);
	catalog_put_page(k->c, p);
	if (!there)
		return;
	assert_int_equal(kit_settle(k, 9, OUTCOME_MOVED), mtime == 1 ? 2 : 1);
	kit_end(k, RUN_COMPLETE);
}

static void
check_key(struct kit *k, const char *const *shares, size_t n, uint64_t count,
    uint64_t unproved)
{
	const struct mirror_rules rules = { .shares = shares,
	    .share_count = n };
	struct mirror_plan plan;
	struct err err = ERR_INIT;

	kit_flush(k, 1000);
	if (catalog_mirror_begin(k->c, &rules, &err) == -1 ||
	    catalog_mirror_plan(k->c, k->reader, &rules, &plan, &err) == -1)
		fail_msg("%s", err.msg);
	assert_int_equal(plan.count, count);
	assert_int_equal(plan.unproved, unproved);
	mirror_plan_release(&plan);
}

/* The server got another name: what is known of the old one, whose files no
 * crawl ever finds gone, keeps no key that the new one has put since. */
static void
key_of_an_old_name(void **state)
{
	static const char *const shares[] = { "two/vol", "one/vol",
		"one/vo" };
	struct outcomes *v = xcalloc(1, sizeof(*v));
	struct kit *k = *state;
	struct known known;

	kit_open(k);
	run_of_one(k, 0, true, 1);
	run_of_one(k, 1, true, 1);
	run_of_one(k, 1, false, 1);
	check_key(k, shares, 1, 1, 0);
	check_key(k, shares, 2, 0, 1);	/* it is in the settings */
	kit_end(k, RUN_COMPLETE);
	/* The old name is used again, and puts the file: both names lead to
	 * one file system, and the file is gone from there. */
	run_of_one(k, 0, true, 2);
	run_of_one(k, 1, false, 1);
	check_key(k, shares, 1, 1, 0);
	kit_end(k, RUN_COMPLETE);
	/* What was deleted is held by none of the names. */
	run_of_one(k, 1, true, 3);
	run_of_one(k, 1, false, 3);
	check_key(k, shares + 2, 1, 1, 0);
	v->v = xcalloc(1, sizeof(*v->v));
	v->count = 1;
	v->v[0].path = xstrdup("two/vol/f");
	v->v[0].outcome = OUTCOME_DELETED;
	catalog_put_outcomes(k->c, v);
	kit_flush(k, 1000);
	assert_int_equal(kit_find(k, "one/vol/f", &known), 1);
	assert_false(known.stored);
	kit_end(k, RUN_COMPLETE);
}

/* A run by the old name put a file that no run by the new name has seen: its
 * object is deleted, unless the old name leads to another file system. */
static void
key_of_the_old_name_alone(void **state)
{
	static const char *const shares[] = { "two/vol" };
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct dir_page *p;

	spec.server_as_prefix = false;
	spec.exports = &twins[1];
	kit_open(k);
	for (size_t old = 0; old < 2; old++) {
		run_of_one(k, old == 0 ? 2 : 0, true, 1);
		for (int i = 0; i < 2; i++) {
			kit_begin_spec(k, &spec);
			catalog_note_export(k->c, 0, FSID, false);
			p = kit_page(kit_take(k, "two/vol"), true);
			if (old == 0 && i == 0)
				stays(p, "two/vol");
			catalog_put_page(k->c, p);
			kit_flush(k, 1000);
			if (i == 1)
				check_key(k, shares, 1, old, 0);
			kit_end(k, RUN_COMPLETE);
		}
	}
}

/* Two servers number a file system alike, and export other files of it: what
 * one has put is none of the other's. */
static void
key_of_another_server(void **state)
{
	static const char *const shares[] = { "two/vol" };
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct dir_page *p;

	kit_open(k);
	run_of_one(k, 0, true, 1);
	spec.server_as_prefix = false;
	spec.exports = &twins[1];
	/* The second run knows the file system. */
	for (int i = 0; i < 2; i++) {
		kit_begin_spec(k, &spec);
		catalog_note_export(k->c, 0, FSID, false);
		p = kit_page(kit_take(k, "two/vol"), true);
		if (i == 0)
			kit_entry(p, PAGE_NEW, 0, "two/vol/other",
			    kit_attrs(1, 1));
		catalog_put_page(k->c, p);
		check_key(k, shares, 1, 0, 0);
		kit_end(k, RUN_COMPLETE);
	}
}

/* What a run has put, others hold no longer, unless it is the same; and the
 * next run by the other name asks S3. */
static void
key_is_taken(void **state)
{
	struct kit *k = *state;
	struct known known;

	kit_open(k);
	run_of_one(k, 0, true, 1);
	assert_int_equal(kit_find(k, "one/vol/f", &known), 1);
	assert_true(known.stored);
	run_of_one(k, 1, true, 1);
	assert_int_equal(kit_find(k, "two/vol/f", &known), 1);
	assert_true(known.stored);
	assert_int_equal(kit_find(k, "one/vol/f", &known), 1);
	assert_false(known.stored);
}

#define T(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(key_of_another_export),
		T(key_of_an_old_name),
		T(key_of_the_old_name_alone),
		T(key_of_another_server),
		T(key_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
