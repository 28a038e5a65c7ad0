/*
 * Sizes whose sum is more than a number holds: sparse files make them at no
 * cost. Totals stay at the largest number, and no run is hurt.
 */
#include "kit/catalog.h"

#define HUGE_SIZE	((uint64_t)13 << 59)	/* 6.5 EiB */
#define FILES		3

static void
put(struct kit *k, const char *scope, enum outcome outcome, uint64_t queued)
{
	struct run_spec spec = kit_spec("bucket", scope);
	struct dir_page *p;
	struct totals *t;

	kit_begin_spec(k, &spec);
	p = kit_page(kit_take(k, "srv/vol"), true);
	for (int i = 0; i < FILES; i++) {
		AUTOFREE char *path = xasprintf("srv/vol/f%d", i);
		struct known known;
		bool is_known = kit_find(k, path, &known) == 1;

		if (is_known && known.stored) {
			p->unchanged++;
			p->unchanged_bytes = add_capped(p->unchanged_bytes,
			    HUGE_SIZE);
		} else {
			kit_entry(p, is_known ? PAGE_QUEUE : PAGE_NEW,
			    known.object, path, kit_attrs(HUGE_SIZE, 1));
		}
	}
	catalog_put_page(k->c, p);
	assert_int_equal(kit_settle(k, 10, outcome), queued);
	t = kit_end(k, RUN_COMPLETE);
	assert_true(k->closing.closes);
	assert_int_equal(t->found, FILES);
	assert_int_equal(t->found_bytes, INT64_MAX);
}

static void
sums_are_capped(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "failed");

	kit_open(k);
	put(k, "1", OUTCOME_FAILED, FILES);
	put(k, "2", OUTCOME_FAILED, FILES);
	/* They are counted by a list. */
	spec.retry_failed = spec.no_crawl = true;
	kit_begin_spec(k, &spec);
	assert_int_equal(kit_settle(k, 10, OUTCOME_MOVED), FILES);
	assert_int_equal(kit_end(k, RUN_COMPLETE)->bytes, INT64_MAX);
	assert_true(k->closing.closes);
	put(k, "3", OUTCOME_MOVED, 0);
}

/* Pages of a list add to the same row. */
static void
list_is_capped(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "list");
	struct totals *t;

	spec.no_crawl = true;
	kit_open(k);
	kit_begin_spec(k, &spec);
	for (int i = 0; i < FILES; i++) {
		AUTOFREE char *path = xasprintf("srv/vol/f%d", i);
		struct dir_page *p = kit_page(0, i == FILES - 1);

		kit_entry(p, PAGE_NEW, 0, path, kit_attrs(HUGE_SIZE, 1));
		catalog_put_page(k->c, p);
	}
	assert_int_equal(kit_settle(k, 10, OUTCOME_MOVED), FILES);
	t = kit_end(k, RUN_COMPLETE);
	assert_true(k->closing.closes);
	assert_int_equal(t->found_bytes, INT64_MAX);
	assert_int_equal(t->bytes, INT64_MAX);
}

/* Sums of many are exact, also above the numbers that a double has. */
static void
sums_are_exact(void **state)
{
	struct kit *k = *state;
	const uint64_t size = ((uint64_t)1 << 60) + 1;
	struct dir_page *p;
	struct totals *t;

	kit_open(k);
	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	for (int i = 0; i < FILES; i++) {
		AUTOFREE char *path = xasprintf("srv/vol/f%d", i);

		kit_entry(p, PAGE_NEW, 0, path, kit_attrs(size, 1));
	}
	catalog_put_page(k->c, p);
	assert_int_equal(kit_settle(k, 10, OUTCOME_MOVED), FILES);
	t = kit_end(k, RUN_COMPLETE);
	assert_int_equal(t->found_bytes, FILES * size);
	assert_int_equal(t->bytes, FILES * size);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
	const struct CMUnitTest tests[] = {
		T(sums_are_capped),
		T(list_is_capped),
		T(sums_are_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
