/*
 * A file that was read so shortly after a change that its times may hide
 * another is read again by the next run.
 */
#include "base/clock.h"
#include "kit/catalog.h"

#define F "srv/vol/f"
#define SEC ((int64_t)1000000000)
#define SKEW (5 * SEC)

/* What a run sees and what it finds. */
struct night {
	int64_t	 ctime;
	int64_t	 mtime;		/* 0: as ctime */
	int64_t	 newest;	/* of the times that the crawl meets */
	int64_t	 delta;
	enum page_action action;
	enum outcome outcome;
	bool	 ignore_ctime;
};

/* True if the next run would read f again. */
static bool
night(struct kit *k, const struct night *n)
{
	struct run_spec spec = kit_spec("bucket", "all");
	struct known known = { .object = 0 };
	struct attrs a = kit_attrs(10, n->mtime == 0 ? n->ctime : n->mtime);
	struct dir_page *p;

	a.ctime_ns = n->ctime;
	spec.clock_skew_ns = SKEW;
	spec.ignore = n->ignore_ctime ? ATTRS_CTIME : 0;
	kit_begin_spec(k, &spec);
	p = kit_page(kit_take(k, "srv/vol"), true);
	p->times = (struct dir_times){ n->newest, n->delta };
	kit_find(k, F, &known);
	kit_entry(p, n->action, known.object, F, a)->flags = ITEM_CHECKSUM;
	catalog_put_page(k->c, p);
	assert_int_equal(kit_settle(k, 9, n->outcome), 1);
	kit_flush(k, 1000);
	kit_end(k, RUN_COMPLETE);
	/* As the next run's crawl sees it. */
	catalog_reader_close(&k->reader);
	assert_int_equal(catalog_reader_open(k->c, &k->reader, NULL), 0);
	assert_int_equal(kit_find(k, F, &known), 1);
	assert_int_equal(known.stored, n->outcome <= OUTCOME_UNCHANGED);
	return known.fresh;
}

static bool
once(void **state, const struct night *n)
{
	struct kit *k = *state;

	if (k->c == NULL)
		kit_open(k);
	return night(k, n);
}

/* A whole second so long ago, or one more: an even one may be a multiple of
 * two. */
static int64_t
odd_second(int64_t ago)
{
	return ((clock_wall_ns() / SEC - ago - 1) | 1) * SEC;
}

/* Times of whole seconds: the file is the newest that there is. */
static void
whole_seconds(void **state)
{
	int64_t now = odd_second(0);
	struct night n = { .ctime = now, .newest = now };

	assert_true(once(state, &n));
	/* Read again in the same second, it may still change in it. */
	n.action = PAGE_QUEUE;
	n.outcome = OUTCOME_UNCHANGED;
	assert_true(once(state, &n));
	/* Other bytes: as if it were read for the first time. */
	n.outcome = OUTCOME_MOVED;
	assert_true(once(state, &n));
	/* A failure says nothing of it. */
	n.outcome = OUTCOME_FAILED;
	assert_true(once(state, &n));
	/* The server's clock has gone on. */
	n.outcome = OUTCOME_UNCHANGED;
	n.newest = now + SEC;
	assert_false(once(state, &n));
}

/* Ten seconds ago: only the newest could still be in its granule, if the
 * server's clock stands still or is behind; after one more reading our clock
 * decides. */
static void
quiet(void **state)
{
	int64_t then = odd_second(10);
	struct night n = { .ctime = then, .newest = then };

	assert_true(once(state, &n));
	n.action = PAGE_QUEUE;
	n.outcome = OUTCOME_UNCHANGED;
	assert_false(once(state, &n));
	n.action = PAGE_CHANGED;
	n.outcome = OUTCOME_MOVED;
	n.newest = then + SEC;
	assert_false(once(state, &n));
	/* Nothing was changed for days. */
	n.ctime = n.newest = then - 2 * 86400 * SEC;
	assert_false(once(state, &n));
}

/* The server's clock is near ours; all that is known is that it differs by no
 * more than the skew. */
static void
skew(void **state)
{
	int64_t now = clock_wall_ns();
	struct night n = { .ctime = now - 3 * SEC };

	assert_true(once(state, &n));
	n.action = PAGE_CHANGED;
	n.ctime = now - 30 * SEC;
	assert_false(once(state, &n));
	/* Something newer was met: the granule was over. */
	n.ctime = now - 3 * SEC;
	n.newest = now - 2 * SEC;
	assert_false(once(state, &n));
	n.ctime--;
	n.newest = n.ctime + GRANULE_MIN - 1;
	assert_true(once(state, &n));
	n.ctime--;
	n.newest = n.ctime + GRANULE_MIN;
	assert_false(once(state, &n));
}

/* Once: no clock shows such a time. */
static void
future(void **state)
{
	int64_t then = clock_wall_ns() + 3600 * SEC;
	struct night n = { .ctime = then, .newest = then - 7200 * SEC,
	};

	assert_true(once(state, &n));
	n.action = PAGE_QUEUE;
	n.outcome = OUTCOME_UNCHANGED;
	assert_false(once(state, &n));
}

/* The server says a step that the times don't contradict, or do. */
static void
time_delta(void **state)
{
	int64_t then = (clock_wall_ns() / SEC - 100) * SEC;
	struct night n = { .ctime = then, .newest = then + 5 * SEC,
	    .delta = 10 * SEC };

	assert_true(once(state, &n));
	n.action = PAGE_CHANGED;
	n.ctime++;
	n.newest++;
	assert_false(once(state, &n));
}

static void
by_mtime(void **state)
{
	int64_t now = clock_wall_ns();
	struct night n = { .ctime = now, .mtime = now - 3600 * SEC,
	    .newest = now, .ignore_ctime = true };

	assert_false(once(state, &n));
	n.action = PAGE_CHANGED;
	n.mtime = now;
	n.ctime++;
	assert_true(once(state, &n));
}

static void
granules(void **state UNUSED)
{
	static const struct {
		int64_t	 time, granule;
	} rows[] = {
		{ 4 * SEC, 2 * SEC }, { 0, 2 * SEC }, { 3 * SEC, SEC },
		{ SEC / 10, SEC / 10 }, { -3 * SEC, SEC }, { 7, GRANULE_MIN },
		{ SEC / 100, GRANULE_MIN }, { SEC / 1000, GRANULE_MIN },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(attrs_granule(rows[i].time),
		    rows[i].granule);
	}
}

#define T(name) \
	cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(whole_seconds),
		T(quiet),
		T(skew),
		T(future),
		T(time_delta),
		T(by_mtime),
		cmocka_unit_test(granules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
