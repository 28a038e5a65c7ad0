/*
 * "The target holds these bytes" is said of a version only while nothing was
 * sent for its path that S3 has not answered.
 */
#include "kit/catalog.h"

#define F "srv/vol/f"

/* The item of the only lease; the lease is put to ret. */
static const struct item *
only_item(struct kit *k, struct lease **ret)
{
	*ret = kit_lease(k, 10);
	assert_int_equal((*ret)->count, 1);
	return &(*ret)->items[0];
}

static void
answer(struct kit *k, struct lease *l, enum outcome outcome)
{
	struct results *r = kit_results(l);

	kit_result(r, &l->items[0], outcome);
	catalog_put_results(k->c, r);
	lease_free(&l);
	kit_flush(k, 1000);
}

/* One night: the crawl gives f, as it would with --checksum; the lease. */
static struct lease *
night(struct kit *k, const char *scope, enum page_action action,
    struct attrs attrs, uint32_t flags)
{
	struct run_spec spec = kit_spec("bucket", scope);
	struct known known = { .object = 0 };
	struct dir_page *p;
	struct lease *l;

	kit_begin_spec(k, &spec);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_find(k, F, &known);
	kit_entry(p, action, known.object, F, attrs)->flags = flags;
	catalog_put_page(k->c, p);
	only_item(k, &l);
	return l;
}

static void
whole_night(struct kit *k, enum page_action action, struct attrs attrs,
    uint32_t flags, uint32_t wanted, enum outcome outcome)
{
	struct lease *l = night(k, "all", action, attrs, flags);

	assert_int_equal(kit_flags(&l->items[0]), wanted);
	answer(k, l, outcome);
	kit_end(k, RUN_COMPLETE);
}

/* f is stored, another version of it was sent without an answer, and then f
 * is again what it was: S3 must be asked. */
static void
older_version(void **state)
{
	struct kit *k = *state;

	kit_open(k);
	whole_night(k, PAGE_NEW, kit_attrs(10, 1), 0, 0, OUTCOME_MOVED);
	/* Nothing came between. */
	whole_night(k, PAGE_QUEUE, kit_attrs(10, 1), ITEM_CHECKSUM,
	    ITEM_CHECKSUM, OUTCOME_UNCHANGED);
	whole_night(k, PAGE_CHANGED, kit_attrs(10, 2), 0, 0, OUTCOME_FAILED);
	whole_night(k, PAGE_CHANGED, kit_attrs(10, 3), 0, 0, OUTCOME_FAILED);
	whole_night(k, PAGE_QUEUE, kit_attrs(10, 3), ITEM_CHECKSUM, 0,
	    OUTCOME_UNCHANGED);
	whole_night(k, PAGE_QUEUE, kit_attrs(10, 3), ITEM_CHECKSUM,
	    ITEM_CHECKSUM, OUTCOME_UNCHANGED);
}

/* --checksum found other bytes in the version that was stored, and S3 did
 * not answer when they were sent. */
static void
same_version(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "retry");
	struct known known;
	struct lease *l;

	kit_open(k);
	whole_night(k, PAGE_NEW, kit_attrs(10, 1), 0, 0, OUTCOME_MOVED);
	whole_night(k, PAGE_QUEUE, kit_attrs(10, 1), ITEM_CHECKSUM,
	    ITEM_CHECKSUM, OUTCOME_FAILED);
	whole_night(k, PAGE_QUEUE, kit_attrs(10, 1), ITEM_CHECKSUM, 0,
	    OUTCOME_FAILED);
	spec.retry_failed = spec.no_crawl = true;
	kit_begin_spec(k, &spec);
	assert_true(only_item(k, &l)->has_prev);
	assert_int_equal(kit_flags(&l->items[0]), 0);
	answer(k, l, OUTCOME_UNCHANGED);
	kit_end(k, RUN_COMPLETE);
	assert_int_equal(kit_find(k, F, &known), 1);
	assert_true(known.stored);
}

/* The run is cut while --checksum compares, or sends, what was stored. */
static void
cut(void **state)
{
	struct kit *k = *state;
	struct known known;
	struct lease *l;

	kit_open(k);
	whole_night(k, PAGE_NEW, kit_attrs(10, 1), 0, 0, OUTCOME_MOVED);
	l = night(k, "checksum", PAGE_QUEUE, kit_attrs(10, 1), ITEM_CHECKSUM);
	lease_free(&l);
	kit_close(k);
	kit_open(k);
	/* Without --checksum: it is not passed over. */
	kit_begin(k);
	assert_int_equal(kit_find(k, F, &known), 1);
	assert_false(known.stored);
	kit_end(k, RUN_INTERRUPTED);
	l = night(k, "other", PAGE_QUEUE, kit_attrs(10, 1), ITEM_CHECKSUM);
	assert_int_equal(kit_flags(&l->items[0]), ITEM_SETTLE);
	answer(k, l, OUTCOME_UNCHANGED);
	kit_end(k, RUN_COMPLETE);
	whole_night(k, PAGE_QUEUE, kit_attrs(10, 1), ITEM_CHECKSUM,
	    ITEM_CHECKSUM, OUTCOME_UNCHANGED);
}

static void
excluded_night(struct kit *k, const char *scope, const char *why,
    struct attrs attrs)
{
	struct run_spec spec = kit_spec("bucket", scope);
	struct known known;
	struct dir_page *p;

	kit_begin_spec(k, &spec);
	p = kit_page(kit_take(k, "srv/vol"), true);
	assert_int_equal(kit_find(k, F, &known), 1);
	kit_entry(p, PAGE_EXCLUDED, known.object, F, attrs)->why =
	    xstrdup(why);
	catalog_put_page(k->c, p);
	assert_int_equal(kit_settle(k, 9, OUTCOME_MOVED), 0);
	assert_int_equal(kit_end(k, RUN_COMPLETE)->excluded, 1);
}

/* One run excludes what another moves, in turn: what is known stays known, and
 * stays what it was of. */
static void
two_filters(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct known known;
	struct dir_page *p;
	int64_t object;

	kit_open(k);
	whole_night(k, PAGE_NEW, kit_attrs(10, 1), 0, 0, OUTCOME_MOVED);
	excluded_night(k, "some", "excluded by pattern f", kit_attrs(10, 1));
	assert_int_equal(kit_find(k, F, &known), 1);
	assert_true(known.excluded && known.stored);
	object = known.object;
	kit_begin_spec(k, &spec);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_entry(p, PAGE_INCLUDED, object, F, kit_attrs(10, 1));
	catalog_put_page(k->c, p);
	assert_int_equal(kit_settle(k, 9, OUTCOME_MOVED), 0);
	assert_int_equal(kit_end(k, RUN_COMPLETE)->unchanged, 1);
	assert_true(k->closing.closes);
	assert_int_equal(kit_find(k, F, &known), 1);
	assert_true(!known.excluded && known.stored);
	assert_int_equal(known.object, object);
	/* It changes while it is excluded. */
	excluded_night(k, "some", "excluded by pattern f", kit_attrs(10, 2));
	assert_int_equal(kit_find(k, F, &known), 1);
	assert_false(known.stored);
	whole_night(k, PAGE_QUEUE, kit_attrs(10, 2), 0, 0, OUTCOME_UNCHANGED);
}

/* A run of another scope that comes to its end has not asked for it. */
static void
other_scope(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "list");
	struct dir_page *p;
	struct lease *l;

	kit_open(k);
	l = night(k, "all", PAGE_NEW, kit_attrs(10, 1), 0);
	lease_free(&l);
	kit_close(k);
	kit_open(k);
	spec.no_crawl = true;
	kit_begin_spec(k, &spec);
	p = kit_page(0, true);
	catalog_put_page(k->c, p);
	assert_int_equal(kit_settle(k, 9, OUTCOME_MOVED), 0);
	kit_end(k, RUN_COMPLETE);
	whole_night(k, PAGE_QUEUE, kit_attrs(10, 1), 0, ITEM_SETTLE,
	    OUTCOME_FAILED);
	whole_night(k, PAGE_QUEUE, kit_attrs(10, 1), 0, ITEM_SETTLE,
	    OUTCOME_MOVED);
	whole_night(k, PAGE_QUEUE, kit_attrs(10, 1), ITEM_CHECKSUM,
	    ITEM_CHECKSUM, OUTCOME_UNCHANGED);
}

#define T(name) \
	cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(older_version),
		T(same_version),
		T(cut),
		T(two_filters),
		T(other_scope),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
