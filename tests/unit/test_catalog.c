/*
 * A catalog from begin to end of runs: what is queued, what is counted, what
 * is left after a cut.
 */
#include "unit/test_catalog_kit.h"

#define CLOSES(t) assert_int_equal((t)->found, \
	(t)->moved + (t)->unchanged + (t)->failed + (t)->excluded + \
	(t)->pending)

/* srv/vol with files a, b (and sub with c), all new, all moved. */
static void
fill(struct kit *k)
{
	int64_t dir;
	struct dir_page *p;

	kit_begin(k);
	dir = kit_take(k, "srv/vol");
	p = kit_page(dir, true);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/a", kit_attrs(10, 1));
	kit_entry(p, PAGE_NEW, 0, "srv/vol/b", kit_attrs(20, 1));
	kit_subdir(p, "srv/vol/sub");
	catalog_put_page(k->c, p);
	dir = kit_take(k, "srv/vol/sub");
	p = kit_page(dir, true);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/sub/c", kit_attrs(30, 1));
	catalog_put_page(k->c, p);
	assert_int_equal(kit_settle(k, 10, OUTCOME_MOVED), 3);
	assert_int_equal(kit_end(k, RUN_COMPLETE)->moved, 3);
	assert_true(k->closing.closes);
}

static void
first_run(void **state)
{
	struct kit *k = *state;
	struct dir_batch *b;
	struct lease *l;
	struct totals t;
	struct dir_page *p;

	kit_open(k);
	kit_begin(k);
	assert_false(k->info.continued);
	b = kit_dirs(k, 8);
	assert_int_equal(b->count, 1);
	assert_true(b->v[0].fresh);
	assert_int_equal(b->v[0].export, 0);
	p = kit_page(b->v[0].dir, true);
	dir_batch_free(&b);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/a", kit_attrs(10, 1))->fh.len = 3;
	kit_entry(p, PAGE_NEW, 0, "srv/vol/\xef\xbf\xbd" "FFz",
	    kit_attrs(20, 1));
	catalog_put_page(k->c, p);
	l = kit_lease(k, 10);
	assert_int_equal(l->count, 2);
	assert_int_equal(l->bytes, 30);
	assert_string_equal(l->items[0].raw, "a");
	assert_int_equal(l->items[0].fh.len, 3);
	assert_int_equal(l->items[0].attrs.uid, 7);
	assert_false(l->items[0].has_prev);
	assert_string_equal(l->items[1].raw, "\xffz");
	assert_true(catalog_crawl_done(k->c));
	lease_free(&l);
	catalog_totals(k->c, &t);
	assert_int_equal(t.found, 2);
	assert_int_equal(t.queued_bytes, 30);
	b = kit_dirs(k, 1);
	assert_true(b->end);
	dir_batch_free(&b);
	l = kit_lease(k, 1);
	assert_true(l->end);
	lease_free(&l);
	assert_int_equal(kit_end(k, RUN_INTERRUPTED)->pending, 2);
	assert_true(k->closing.closes);
}

static void
unchanged_run_counts(void **state)
{
	struct kit *k = *state;
	struct known known;
	struct dir_batch *b;
	struct dir_page *p;
	struct totals *t;

	kit_open(k);
	fill(k);
	kit_begin(k);
	assert_int_equal(kit_find(k, "srv/vol/a", &known), 1);
	assert_true(known.stored);
	assert_int_equal(known.attrs.size, 10);
	assert_int_equal(kit_find(k, "srv/vol/none", &known), 0);
	b = kit_dirs(k, 1);
	assert_false(b->v[0].fresh);
	p = kit_page(b->v[0].dir, true);
	dir_batch_free(&b);
	p->unchanged = 2;
	p->unchanged_bytes = 30;
	kit_subdir(p, "srv/vol/sub");
	catalog_put_page(k->c, p);
	p = kit_page(kit_take(k, "srv/vol/sub"), true);
	p->unchanged = 1;
	p->unchanged_bytes = 30;
	catalog_put_page(k->c, p);
	t = kit_end(k, RUN_COMPLETE);
	assert_int_equal(t->found, 3);
	assert_int_equal(t->unchanged, 3);
	assert_int_equal(t->found_bytes, 60);
	assert_int_equal(t->dirs, 2);
	assert_true(k->closing.closes);
}

static void
changed_has_previous(void **state)
{
	struct kit *k = *state;
	struct known known;
	struct dir_page *p;
	struct lease *l;

	kit_open(k);
	fill(k);
	kit_begin(k);
	assert_int_equal(kit_find(k, "srv/vol/b", &known), 1);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_entry(p, PAGE_CHANGED, known.object, "srv/vol/b",
	    kit_attrs(21, 2));
	p->unchanged = 1;
	catalog_put_page(k->c, p);
	l = kit_lease(k, 10);
	assert_int_equal(l->count, 1);
	assert_true(l->items[0].has_prev);
	assert_true(l->items[0].prev_has_md5);
	assert_int_equal(l->items[0].prev_md5[0], known.object & 0xff);
	assert_int_equal(l->items[0].prev_attrs.size, 20);
	assert_int_equal(l->items[0].attrs.size, 21);
	assert_true(l->items[0].object > known.object);
	lease_free(&l);
	/* The cut run's object is found again: the same version, and what
	 * the target holds of the one before. */
	kit_end(k, RUN_INTERRUPTED);
	kit_begin(k);
	assert_true(k->info.continued);
	l = kit_lease(k, 10);
	assert_int_equal(l->count, 1);
	assert_true(l->items[0].has_prev);
	assert_true((l->items[0].flags & ITEM_SETTLE) != 0);
	lease_free(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)
		T(first_run),
		T(unchanged_run_counts),
		T(changed_has_previous),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
