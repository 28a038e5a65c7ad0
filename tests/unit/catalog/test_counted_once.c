/*
 * Nothing is counted twice: listings that begin again, failed objects below
 * failed directories, directories that vanish.
 */
#include "kit/catalog.h"

static bool
is_ours(struct kit *k, const char *path)
{
	struct known known;

	assert_int_equal(kit_find(k, path, &known), 1);
	return known.ours;
}

/* A listing that begins again passes over what this run has counted. */
static void
ours(void **state)
{
	struct kit *k = *state;
	struct dir_page *p;
	struct lease *l;
	struct results *r;
	int64_t dir;

	kit_open(k);
	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/a", kit_attrs(1, 1));
	kit_entry(p, PAGE_NEW, 0, "srv/vol/b", kit_attrs(1, 1));
	catalog_put_page(k->c, p);
	l = kit_lease(k, 2);
	r = kit_results(l);
	kit_result(r, &l->items[0], OUTCOME_MOVED);
	kit_result(r, &l->items[1], OUTCOME_FAILED);
	catalog_put_results(k->c, r);
	lease_free(&l);
	kit_flush(k, 99);
	assert_true(is_ours(k, "srv/vol/a"));
	assert_true(is_ours(k, "srv/vol/b"));
	kit_end(k, RUN_COMPLETE);

	kit_begin(k);
	dir = kit_take(k, "srv/vol");
	assert_false(is_ours(k, "srv/vol/a"));
	assert_false(is_ours(k, "srv/vol/b"));
	p = kit_page(dir, false);
	kit_entry(p, PAGE_QUEUE, 2, "srv/vol/b", kit_attrs(1, 1));
	kit_entry(p, PAGE_EXCLUDED, 0, "srv/vol/c", kit_attrs(1, 1));
	catalog_put_page(k->c, p);
	assert_int_equal(kit_settle(k, 1, OUTCOME_MOVED), 1);
	kit_flush(k, 99);
	assert_false(is_ours(k, "srv/vol/a"));
	assert_true(is_ours(k, "srv/vol/b"));	/* its result */
	assert_true(is_ours(k, "srv/vol/c"));	/* its row */
	/* What went is nobody's: it may come back. */
	p = kit_page(dir, true);
	kit_gone(p, 2);
	catalog_put_page(k->c, p);
	kit_flush(k, 99);
	assert_false(is_ours(k, "srv/vol/b"));
	kit_end(k, RUN_COMPLETE);
	assert_true(k->closing.closes);
}

/* A page of a listing is compared with the catalog of one moment. */
static void
held(void **state)
{
	struct kit *k = *state;
	struct dir_page *p;
	struct known known;

	kit_open(k);
	kit_begin(k);
	assert_int_equal(kit_find(k, "srv/vol/a", &known), 0);
	catalog_reader_hold(k->reader);
	assert_int_equal(kit_find(k, "srv/vol/a", &known), 0);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/a", kit_attrs(1, 1));
	catalog_put_page(k->c, p);
	assert_int_equal(kit_settle(k, 1, OUTCOME_MOVED), 1);
	kit_end(k, RUN_COMPLETE);
	catalog_reader_hold(k->reader);
	assert_int_equal(kit_find(k, "srv/vol/a", &known), 0);
	catalog_reader_let_go(k->reader);
	catalog_reader_let_go(k->reader);
	assert_int_equal(kit_find(k, "srv/vol/a", &known), 1);
}

/* P holds an entry that the crawl could not take, P/C an object that failed:
 * P is read again, and with it C. */
static void
retry_below_failed(void **state)
{
	struct run_spec spec = kit_spec("bucket", "all");
	struct kit *k = *state;
	struct dir_page *p;
	struct page_entry *e;
	struct lease *l;

	kit_open(k);
	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	e = kit_entry(p, PAGE_FAILED, 0, "srv/vol/long", kit_attrs(1, 1));
	err_set(&e->err, ERR_INVALID, 0, "too long");
	kit_subdir(p, "srv/vol/C");
	catalog_put_page(k->c, p);
	p = kit_page(kit_take(k, "srv/vol/C"), true);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/C/a", kit_attrs(1, 1));
	kit_entry(p, PAGE_NEW, 0, "srv/vol/C/b", kit_attrs(1, 1));
	catalog_put_page(k->c, p);
	assert_int_equal(kit_settle(k, 9, OUTCOME_FAILED), 2);
	kit_end(k, RUN_COMPLETE);

	spec.retry_failed = true;
	spec.no_crawl = true;
	kit_begin_spec(k, &spec);
	p = kit_page(kit_take(k, "srv/vol"), true);
	e = kit_entry(p, PAGE_FAILED, 1, "srv/vol/long", kit_attrs(1, 1));
	err_set(&e->err, ERR_INVALID, 0, "too long");
	kit_subdir(p, "srv/vol/C");
	catalog_put_page(k->c, p);
	p = kit_page(kit_take(k, "srv/vol/C"), true);
	kit_entry(p, PAGE_QUEUE, 2, "srv/vol/C/a", kit_attrs(1, 1));
	/* Its first row in the backlog must not lose its object. */
	kit_entry(p, PAGE_CHANGED, 3, "srv/vol/C/b", kit_attrs(2, 2));
	catalog_put_page(k->c, p);
	l = kit_lease(k, 9);
	assert_int_equal(l->count, 2);
	lease_free(&l);
	kit_end(k, RUN_INTERRUPTED);
	assert_int_equal(k->closing.totals.found, 3);
	assert_int_equal(k->closing.totals.failed, 1);
	assert_int_equal(k->closing.totals.pending, 2);
	assert_true(k->closing.closes);
}

/* A known tree srv/vol/d with an object; the next run begins and finds d. */
static int64_t
known_directory(struct kit *k)
{
	struct dir_page *p;

	kit_open(k);
	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_subdir(p, "srv/vol/d");
	catalog_put_page(k->c, p);
	p = kit_page(kit_take(k, "srv/vol/d"), true);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/d/a", kit_attrs(1, 1));
	catalog_put_page(k->c, p);
	assert_int_equal(kit_settle(k, 9, OUTCOME_MOVED), 1);
	kit_end(k, RUN_COMPLETE);
	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_subdir(p, "srv/vol/d");
	catalog_put_page(k->c, p);
	return kit_take(k, "srv/vol/d");
}

/* It counts for nothing, and what it held is gone. */
static void
vanished_unread(void **state)
{
	struct kit *k = *state;
	struct dir_page *p = kit_page(known_directory(k), true);
	struct known known;

	p->vanished = true;
	catalog_put_page(k->c, p);
	assert_int_equal(kit_settle(k, 9, OUTCOME_MOVED), 0);
	kit_end(k, RUN_COMPLETE);
	assert_int_equal(k->closing.totals.found, 0);
	assert_int_equal(k->closing.totals.failed, 0);
	assert_int_equal(k->closing.totals.gone, 1);
	assert_int_equal(k->closing.failure_count, 0);
	assert_true(k->closing.closes);
	assert_int_equal(kit_find(k, "srv/vol/d/a", &known), 1);
	assert_true(known.tombstone);
}

/* Some of it was counted: that stays, and the next crawl sees the rest. */
static void
vanished_half_read(void **state)
{
	struct kit *k = *state;
	int64_t dir = known_directory(k);
	struct dir_page *p = kit_page(dir, false);

	kit_entry(p, PAGE_NEW, 0, "srv/vol/d/b", kit_attrs(1, 1));
	catalog_put_page(k->c, p);
	p = kit_page(dir, true);
	p->vanished = true;
	catalog_put_page(k->c, p);
	assert_int_equal(kit_settle(k, 9, OUTCOME_MOVED), 1);
	kit_end(k, RUN_COMPLETE);
	assert_int_equal(k->closing.totals.found, 1);
	assert_int_equal(k->closing.totals.moved, 1);
	assert_int_equal(k->closing.totals.failed, 0);
	assert_true(k->closing.closes);

	kit_begin(k);
	catalog_put_page(k->c, kit_page(kit_take(k, "srv/vol"), true));
	assert_int_equal(kit_settle(k, 9, OUTCOME_MOVED), 0);
	kit_end(k, RUN_COMPLETE);
	assert_int_equal(k->closing.totals.gone, 2);
}

/* One file and one link, of a directory that stays and of one that goes. */
static void
file_and_link(struct kit *k, const char *dir)
{
	struct dir_page *p = kit_page(kit_take(k, dir), true);
	char path[64];

	snprintf(path, sizeof(path), "%s/file", dir);
	kit_entry(p, PAGE_NEW, 0, path, kit_attrs(1, 1));
	snprintf(path, sizeof(path), "%s/link", dir);
	kit_entry(p, PAGE_EXCLUDED, 0, path, kit_attrs(1, 1));
	if (strcmp(dir, "srv/vol") == 0)
		kit_subdir(p, "srv/vol/d");
	catalog_put_page(k->c, p);
}

/* What was never an object does not count as gone, whether its entry went or
 * the directory that held it. */
static void
excluded_is_not_gone(void **state)
{
	struct kit *k = *state;
	struct known known;
	struct dir_page *p;

	kit_open(k);
	kit_begin(k);
	file_and_link(k, "srv/vol");
	file_and_link(k, "srv/vol/d");
	assert_int_equal(kit_settle(k, 9, OUTCOME_MOVED), 2);
	kit_end(k, RUN_COMPLETE);
	assert_int_equal(k->closing.totals.excluded, 2);

	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_gone(p, 1);
	kit_gone(p, 2);
	catalog_put_page(k->c, p);
	kit_end(k, RUN_COMPLETE);
	assert_int_equal(k->closing.totals.gone, 2);
	assert_true(k->closing.closes);
	assert_int_equal(kit_find(k, "srv/vol/link", &known), 1);
	assert_true(known.tombstone);
	assert_int_equal(kit_find(k, "srv/vol/d/link", &known), 1);
	assert_true(known.tombstone);
}

/* A store that is known by one of its endpoints is known by all. */
static void
endpoints_of_a_store(void **state)
{
	static const char *const also[] = { "http://new", "http://s3" };
	struct run_spec spec = kit_spec("bucket", "all");
	struct kit *k = *state;
	int64_t target;

	kit_open(k);
	kit_begin(k);
	target = k->info.target;
	kit_end(k, RUN_COMPLETE);

	spec.endpoint = also[0];
	spec.also = also;
	spec.also_count = ARRAY_LEN(also);
	kit_begin_spec(k, &spec);
	assert_int_equal(k->info.target, target);
	kit_end(k, RUN_COMPLETE);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)
	const struct CMUnitTest tests[] = {
		T(ours),
		T(held),
		T(retry_below_failed),
		T(vanished_unread),
		T(vanished_half_read),
		T(excluded_is_not_gone),
		T(endpoints_of_a_store),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
