/*
 * An export that goes out of reach for good: what is left of it stays for the
 * next run, the other export's part of the run goes on to its end.
 */
#include "kit/catalog.h"

#define FILES	40

static const struct run_export exports[] = {
	{ "far", "v", "far/v", "far/v", NULL },
	{ "near", "v", "near/v", "near/v", NULL },
};

static struct run_spec
spec_of_two(void)
{
	struct run_spec spec = kit_spec("bucket", "all");

	spec.exports = exports;
	spec.export_count = 2;
	return spec;
}

static void
begin(struct kit *k)
{
	struct run_spec spec = spec_of_two();

	kit_begin_spec(k, &spec);
}

static void
put_files(struct kit *k, int64_t dir, unsigned export, const char *path,
    bool last)
{
	struct dir_page *p = kit_page(dir, last);

	p->export = export;
	for (int i = 0; i < FILES; i++) {
		AUTOFREE char *name = xasprintf("%s/f%d", path, i);

		kit_entry(p, PAGE_NEW, 0, name, kit_attrs(1, 1));
	}
	if (last) {
		AUTOFREE char *d1 = xasprintf("%s/d1", path);
		AUTOFREE char *d2 = xasprintf("%s/d2", path);

		kit_subdir(p, d1);
		kit_subdir(p, d2);
	}
	catalog_put_page(k->c, p);
}

/* Lease all that is handed out, few at a time, and move it; how many. None
 * may be of the far export. */
static size_t
move_near(struct kit *k)
{
	size_t n = 0;

	for (;;) {
		struct lease *l = kit_lease(k, 7);
		struct results *r = kit_results(l);
		bool end = l->end;

		n += l->count;
		for (size_t i = 0; i < l->count; i++) {
			assert_int_equal(l->items[i].export, 1);
			kit_result(r, &l->items[i], OUTCOME_MOVED);
		}
		if (l->count > 0)
			catalog_put_results(k->c, r);
		else
			results_free(&r);
		lease_free(&l);
		if (end)
			return n;
	}
}

/* The directories that are still handed out: all of the near export. */
static void
read_near(struct kit *k)
{
	bool end = false;

	while (!end) {
		struct dir_batch *b = kit_dirs(k, 3);

		end = b->end;
		for (size_t i = 0; i < b->count; i++) {
			assert_int_equal(b->v[i].export, 1);
			catalog_put_page(k->c, kit_page(b->v[i].dir, true));
		}
		dir_batch_free(&b);
	}
}

static void
finish(struct kit *k, uint64_t moved, uint64_t pending)
{
	struct totals *t;

	t = kit_end(k, RUN_INTERRUPTED);
	assert_true(k->closing.closes);
	assert_int_equal(t->lost, 1);
	assert_int_equal(t->failed, 1);
	assert_int_equal(t->moved, moved);
	assert_int_equal(t->pending, pending);
	assert_int_equal(k->closing.failure_count, 1);
	assert_string_equal(k->closing.failures[0].path, "far/v");
}

/* The next run reads what is left and moves it. */
static void
next_run(struct kit *k, size_t dirs, size_t items)
{
	struct totals *t;
	size_t n = 0;
	bool end = false;

	begin(k);
	assert_true(k->info.continued);
	while (!end) {
		struct dir_batch *b = kit_dirs(k, 3);

		end = b->end;
		n += b->count;
		for (size_t i = 0; i < b->count; i++)
			catalog_put_page(k->c, kit_page(b->v[i].dir, true));
		dir_batch_free(&b);
	}
	assert_int_equal(n, dirs);
	while (items > 0) {
		n = kit_settle(k, 7, OUTCOME_MOVED);
		assert_in_range(n, 1, items);
		items -= n;
	}
	t = kit_end(k, RUN_COMPLETE);
	assert_true(k->closing.closes);
	assert_int_equal(t->failed, 0);
	assert_int_equal(t->lost, 0);
	assert_int_equal(t->pending, 0);
}

/* A worker finds it, with some of its lease done. */
static void
by_an_item(void **state)
{
	struct kit *k = *state;
	struct lease *l;
	struct results *r;

	kit_open(k);
	begin(k);
	put_files(k, kit_take(k, "far/v"), 0, "far/v", true);
	put_files(k, kit_take(k, "near/v"), 1, "near/v", true);
	l = kit_lease(k, 10);
	assert_int_equal(l->count, 10);
	r = kit_results(l);
	for (size_t i = 0; i < 10; i++)
		kit_result(r, &l->items[i], i < 4 ? OUTCOME_MOVED :
		    OUTCOME_LEFT);
	catalog_put_results(k->c, r);
	lease_free(&l);
	read_near(k);
	assert_int_equal(move_near(k), FILES);
	finish(k, FILES + 4, FILES - 4);
	next_run(k, 2, FILES - 4);
}

/* A crawl thread finds it, in the middle of a directory. Its own last page,
 * and another one's of the same export, come later. */
static void
by_a_directory(void **state)
{
	struct err err = ERR_INIT;
	struct kit *k = *state;
	int64_t far;

	kit_open(k);
	begin(k);
	far = kit_take(k, "far/v");
	put_files(k, far, 0, "far/v", false);
	put_files(k, kit_take(k, "near/v"), 1, "near/v", true);
	err_set(&err, ERR_RETRY, 0, "no connection");
	catalog_put_lost(k->c, 0, &err);
	catalog_put_lost(k->c, 0, &err);
	read_near(k);
	assert_int_equal(move_near(k), FILES);
	assert_true(catalog_crawl_done(k->c));
	finish(k, FILES, FILES);
	next_run(k, 1, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(by_an_item, kit_setup,
		    kit_teardown),
		cmocka_unit_test_setup_teardown(by_a_directory, kit_setup,
		    kit_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
