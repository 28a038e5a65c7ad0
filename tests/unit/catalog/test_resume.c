/*
 * A crawl that was cut goes on: what it read too long ago is read again, after
 * all that it has not read yet.
 */
#include <sqlite3.h>

#include "kit/catalog.h"

#define HOUR_NS	((int64_t)3600 * 1000000000)
#define STEPS	10	/* the root and nine directories below it */

static void
sql(struct kit *k, const char *text)
{
	sqlite3 *db;
	char *why = NULL;

	assert_int_equal(sqlite3_open(k->path, &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", text, why);
	sqlite3_close(db);
}

/* All that the catalog remembers of times lies so much further back. */
static void
hours_later(struct kit *k, int hours)
{
	AUTOFREE char *text = xasprintf("UPDATE dir SET read_ns = read_ns - "
	    "%lld; UPDATE run SET started_ns = started_ns - %lld, "
	    "updated_ns = updated_ns - %lld, ended_ns = ended_ns - %lld",
	    (long long)hours * HOUR_NS, (long long)hours * HOUR_NS,
	    (long long)hours * HOUR_NS, (long long)hours * HOUR_NS);

	sql(k, text);
}

/* The directory's page as a crawl would make it: one file in each directory
 * below the root, but in that named without. */
static struct dir_page *
page(struct kit *k, const struct dir_job *j, const char *without)
{
	struct dir_page *p = kit_page(j->dir, true);
	AUTOFREE char *file = xasprintf("%s/f", j->path);
	struct known known;

	if (strcmp(j->path, "srv/vol") == 0) {
		for (int i = 1; i < STEPS; i++) {
			AUTOFREE char *sub = xasprintf("srv/vol/d%d", i);

			kit_subdir(p, sub);
		}
	} else if (kit_find(k, file, &known) == 0) {
		if (strcmp(j->path, without) != 0)
			kit_entry(p, PAGE_NEW, 0, file, kit_attrs(10, 1));
	} else if (strcmp(j->path, without) == 0) {
		kit_gone(p, known.object);
	} else if (known.stored) {
		p->unchanged++;
	} else {
		kit_entry(p, PAGE_QUEUE, known.object, file, kit_attrs(10, 1));
	}
	return p;
}

/* Read up to max directories; true if none was left. Their last letters are
 * added to order. */
static bool
steps(struct kit *k, int max, const char *without, char *order)
{
	for (int i = 0; i < max && !catalog_crawl_done(k->c); i++) {
		struct dir_batch *b = kit_dirs(k, 1);

		assert_int_equal(b->count, 1);
		order[strlen(order)] = b->v[0].path[strlen(b->v[0].path) - 1];
		/* A handle of another run may lead elsewhere. */
		assert_true(b->v[0].fh.len == 0 || !k->info.continued);
		catalog_put_page(k->c, page(k, &b->v[0], without));
		dir_batch_free(&b);
		kit_flush(k, 1000);
	}
	return catalog_crawl_done(k->c);
}

static bool
night(struct kit *k, int max, const char *without, const char *wanted)
{
	char order[4 * STEPS] = "";
	bool done;

	kit_begin(k);
	done = steps(k, max, without, order);
	kit_settle(k, 100, OUTCOME_MOVED);
	kit_flush(k, 1000);
	assert_string_equal(order, wanted);
	kit_end(k, done ? RUN_COMPLETE : RUN_INTERRUPTED);
	assert_true(k->closing.closes || !done);
	return done;
}

/* Ten steps, four a night. */
static void
longer_than_its_nights(void **state)
{
	struct kit *k = *state;
	struct known known;

	kit_open(k);
	assert_false(night(k, 4, "", "l123"));
	hours_later(k, 20);
	assert_false(night(k, 4, "", "4567"));
	assert_int_equal(k->info.dirs_kept, 4);
	hours_later(k, 20);
	/* The first night's are older than a day; a file has gone since. */
	assert_true(night(k, 100, "srv/vol/d2", "89l123"));
	assert_int_equal(k->info.dirs_kept, 4);
	assert_int_equal(k->info.crawl, 1);
	assert_int_equal(k->closing.totals.found, 8);
	assert_int_equal(k->closing.totals.gone, 1);
	assert_int_equal(kit_find(k, "srv/vol/d2/f", &known), 1);
	assert_true(known.tombstone);
	kit_begin(k);
	assert_false(k->info.continued);
}

/* It comes to its end also where four is all that any night allows. */
static void
cut_every_night(void **state)
{
	struct kit *k = *state;

	kit_open(k);
	assert_false(night(k, 4, "", "l123"));
	hours_later(k, 20);
	assert_false(night(k, 4, "", "4567"));
	hours_later(k, 20);
	assert_false(night(k, 4, "", "89l1"));
	hours_later(k, 20);
	assert_true(night(k, 4, "", "23"));
}

/* Nobody has gone on with it for longer than a reading counts. */
static void
long_pause(void **state)
{
	struct kit *k = *state;

	kit_open(k);
	assert_false(night(k, 4, "", "l123"));
	hours_later(k, 20);
	assert_false(night(k, 5, "", "45678"));
	hours_later(k, 20);
	assert_false(night(k, 3, "", "9l1"));
	hours_later(k, 100);
	assert_true(night(k, 100, "", "23456789l1"));
	assert_int_equal(k->closing.totals.found, 9);
	assert_int_equal(k->info.dirs_kept, 0);
}

static void
within(void **state)
{
	struct kit *k = *state;

	kit_open(k);
	assert_false(night(k, 4, "", "l123"));
	hours_later(k, 23);
	assert_true(night(k, 100, "", "456789"));
	assert_int_equal(k->info.dirs_kept, 4);
	assert_true(k->info.since_ns > 0);
}

/* The clock was set back by a year after the reading. */
static void
from_the_future(void **state)
{
	struct kit *k = *state;

	kit_open(k);
	assert_false(night(k, 4, "", "l123"));
	sql(k, "UPDATE dir SET read_ns = read_ns + 30000000000000000 "
	    "WHERE path <> 'srv/vol'");
	assert_true(night(k, 100, "", "456789123"));
	assert_int_equal(k->info.dirs_kept, 1);
}

/* A catalog of before has no times: all is old. */
static void
no_times(void **state)
{
	struct kit *k = *state;

	kit_open(k);
	assert_false(night(k, 4, "", "l123"));
	sql(k, "UPDATE dir SET read_ns = NULL");
	assert_true(night(k, 100, "", "456789l123"));
}

static void
fresh(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	char order[2 * STEPS] = "";

	kit_open(k);
	assert_false(night(k, 4, "", "l123"));
	spec.fresh = true;
	kit_begin_spec(k, &spec);
	assert_false(k->info.continued);
	assert_true(steps(k, 100, "", order));
	assert_string_equal(order, "l123456789");
}

/* What the cut run said of an entry that it could not take is its word: the
 * directory is read again. */
static void
failed_entry(void **state)
{
	struct kit *k = *state;
	struct dir_page *p;

	kit_open(k);
	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/f", kit_attrs(10, 1));
	err_set(&kit_entry(p, PAGE_FAILED, 0, "srv/vol/x",
	    kit_attrs(10, 1))->err, ERR_DENIED, 0, "denied");
	catalog_put_page(k->c, p);
	kit_flush(k, 1000);
	kit_end(k, RUN_INTERRUPTED);
	kit_begin(k);
	assert_true(k->info.continued);
	assert_int_equal(k->info.dirs_kept, 0);
	kit_take(k, "srv/vol");
}

/* A backlog of another run is found by its paths. */
static void
handles(void **state)
{
	struct kit *k = *state;
	struct dir_page *p;
	struct lease *l;

	kit_open(k);
	for (int i = 0; i < 2; i++) {
		kit_begin(k);
		if (i == 0) {
			p = kit_page(kit_take(k, "srv/vol"), true);
			kit_entry(p, PAGE_NEW, 0, "srv/vol/f",
			    kit_attrs(10, 1))->fh = (struct handle){ .len = 3 };
			catalog_put_page(k->c, p);
		}
		l = kit_lease(k, 10);
		assert_int_equal(l->count, 1);
		assert_int_equal(l->items[0].fh.len, i == 0 ? 3 : 0);
		lease_free(&l);
		kit_end(k, RUN_INTERRUPTED);
	}
}

/* How long the clients of a run that died may still change something is told
 * until a run has waited for it; of a run that ended, nothing is told. */
static void
late_clients(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct err err = ERR_INIT;
	static const struct {
		uint64_t own, told;
		bool ends, waits;
	} runs[] = {
		{ 5000, 0, false, false },
		{ 3000, 5000, false, false },	/* it dies as it waits */
		{ 0, 5000, false, true },
		{ 7000, 0, true, false },
		{ 0, 0, true, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
		kit_open(k);
		spec.late_ms = runs[i].own;
		spec.no_backlog = i % 2 == 1;
		kit_begin_spec(k, &spec);
		assert_int_equal(k->info.late_ms, runs[i].told);
		if (runs[i].waits)
			assert_int_equal(catalog_late_over(k->c, &err), 0);
		if (runs[i].ends)
			kit_end(k, RUN_INTERRUPTED);
		kit_close(k);
	}
}

/* A run of the root, which is this directory; it is cut after max steps. */
static bool
night_of_root(struct kit *k, uint64_t ino, bool ignore_inode, int max,
    const char *wanted)
{
	const struct attrs root = { .kind = ENTRY_DIR, .ino = ino, .fsid = 5 };
	struct run_export export = kit_exports[0];
	struct run_spec spec = kit_spec("bucket", "all");
	char order[4 * STEPS] = "";
	bool done;

	export.root = &root;
	spec.exports = &export;
	spec.ignore = ignore_inode ? ATTRS_INO : 0;
	kit_begin_spec(k, &spec);
	catalog_note_root(k->c, 0, &root, ignore_inode, NULL);
	done = steps(k, max, "", order);
	kit_settle(k, 100, OUTCOME_MOVED);
	catalog_note_root(k->c, 0, &root, ignore_inode, NULL);
	assert_string_equal(order, wanted);
	kit_end(k, done ? RUN_COMPLETE : RUN_INTERRUPTED);
	assert_true(k->closing.closes || !done);
	assert_int_equal(k->closing.totals.failed, 0);
	return done;
}

/* What was read of the root of before is read again, and nothing has failed
 * by that. */
static void
other_root(void **state)
{
	struct kit *k = *state;

	kit_open(k);
	assert_false(night_of_root(k, 1, false, 4, "l123"));
	assert_false(night_of_root(k, 1, false, 2, "45"));
	assert_int_equal(k->info.dirs_kept, 4);
	assert_true(night_of_root(k, 2, false, 100, "6789l12345"));
	assert_int_equal(k->info.dirs_kept, 0);
	assert_int_equal(k->info.crawl, 1);
	assert_int_equal(k->closing.totals.found, 9);
}

/* An inode number that says nothing is no reason. */
static void
other_inode_ignored(void **state)
{
	struct kit *k = *state;

	kit_open(k);
	assert_false(night_of_root(k, 1, true, 4, "l123"));
	assert_true(night_of_root(k, 2, true, 100, "456789"));
}

#define T(name) \
	cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(longer_than_its_nights),
		T(cut_every_night),
		T(long_pause),
		T(within),
		T(from_the_future),
		T(no_times),
		T(fresh),
		T(failed_entry),
		T(handles),
		T(late_clients),
		T(other_root),
		T(other_inode_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
