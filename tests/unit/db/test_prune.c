/*
 * What goes and what stays when the past is pruned: each question for a moment
 * after the horizon has the same answer as before, and none for a moment before
 * it.
 */
#include "kit/catalog.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include "db/keep.h"
#include "db/prune.h"
#include "reader/past.h"
#include "reader/reader_internal.h"

#define DAY_NS	(INT64_C(86400) * 1000000000)
#define RUNS	6

static void
run_sql(const struct kit *k, const char *sql)
{
	char *why = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(k->path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s", why);
	sqlite3_close(db);
}

/* What the target held when the run had ended; false: no answer is left. */
static bool
as_of(const struct kit *k, int run, char all[4000])
{
	const struct run_spec spec = kit_spec("bucket", "all");
	struct catalog_reader *r = NULL;
	struct err err = ERR_INIT;
	struct past_row v[20];
	struct moment m;
	char text[8];
	size_t n = 0;

	snprintf(text, sizeof(text), "%d", run);
	all[0] = '\0';
	if (catalog_look(&r, k->path, &spec, &err) == -1)
		fail_msg("%s", err.msg);
	if (past_moment(reader_db(r), text, &m, &err) == -1) {
		assert_int_equal(err.kind, ERR_USAGE);
		assert_non_null(strstr(err.msg, "pruned"));
		catalog_reader_close(&r);
		return false;
	}
	if (past_page(r, &m, STR(""), STR(""), v, ARRAY_LEN(v), &n, &err) ==
	    -1)
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(all);

		snprintf(all + len, 4000 - len, " %s=%ju,%d", v[i].stored.path,
		    (uintmax_t)v[i].stored.attrs.size, v[i].stored.md5[0]);
		past_row_release(&v[i]);
	}
	catalog_reader_close(&r);
	return true;
}

static bool
fails(const char *path, int n)
{
	return strcmp(path, "srv/vol/d") == 0 ||
	    (n == 1 && strcmp(path, "srv/vol/d") > 0);
}

/* Run n, on day n: a changes each time, b and c stay, d fails always, e has
 * failed in the first run, and f only then. */
static void
one_run(struct kit *k, int n)
{
	struct known known;
	struct dir_page *p;
	struct results *r;
	struct lease *l;

	kit_open(k);
	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	if (n == 1) {
		kit_entry(p, PAGE_NEW, 0, "srv/vol/a", kit_attrs(1, 1));
		kit_entry(p, PAGE_NEW, 0, "srv/vol/b", kit_attrs(1, 1));
		kit_entry(p, PAGE_NEW, 0, "srv/vol/c", kit_attrs(1, 1));
		kit_entry(p, PAGE_NEW, 0, "srv/vol/d", kit_attrs(1, 1));
		kit_entry(p, PAGE_NEW, 0, "srv/vol/e", kit_attrs(1, 1));
		kit_entry(p, PAGE_NEW, 0, "srv/vol/f", kit_attrs(1, 1));
	} else {
		assert_int_equal(kit_find(k, "srv/vol/a", &known), 1);
		kit_entry(p, PAGE_CHANGED, known.object, "srv/vol/a",
		    kit_attrs((uint64_t)n, n));
		if (n == 2) {
			assert_int_equal(kit_find(k, "srv/vol/f", &known), 1);
			kit_entry(p, PAGE_QUEUE, known.object, "srv/vol/f",
			    kit_attrs(1, 1));
		}
		assert_int_equal(kit_find(k, "srv/vol/d", &known), 1);
		kit_entry(p, PAGE_QUEUE, known.object, "srv/vol/d",
		    kit_attrs(1, 1));
	}
	catalog_put_page(k->c, p);
	l = kit_lease(k, 10);
	r = kit_results(l);
	for (size_t i = 0; i < l->count; i++) {
		bool failed = fails(l->items[i].path, n);
		struct result *v = kit_result(r, &l->items[i], failed ?
		    OUTCOME_FAILED : OUTCOME_MOVED);

		/* The same failure, though its text tells another number. */
		if (failed)
			err_set(&v->err, ERR_RETRY, 503, "gave up after %d "
			    "attempts: HTTP 503", n);
	}
	catalog_put_results(k->c, r);
	lease_free(&l);
	kit_end(k, RUN_COMPLETE);
	kit_close(k);
}

static void
no_findings(void *arg UNUSED, const char *finding)
{
	fail_msg("%s", finding);
}

static off_t
size_of(const struct kit *k)
{
	struct stat st;

	assert_int_equal(stat(k->path, &st), 0);
	return st.st_size;
}

static void
pruned(struct kit *k, struct prune *p)
{
	struct err err = ERR_INIT;

	if (catalog_prune(k->path, p, &err) == -1 ||
	    catalog_verify(k->path, no_findings, NULL, &err) == -1)
		fail_msg("%s", err.msg);
}

static void
runs_by_day(struct kit *k)
{
	for (int n = 1; n <= RUNS; n++)
		one_run(k, n);
	run_sql(k, "UPDATE run SET started_ns = id * 86400000000000, ended_ns "
	    "= id * 86400000000000 + 1000000000");
}

static void
rows_of_failures(const struct kit *k, int expected)
{
	sqlite3_stmt *st = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(k->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM failure",
	    -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(st, 0), expected);
	sqlite3_finalize(st);
	sqlite3_close(db);
}

static void
what_goes_and_what_stays(void **state)
{
	static const char now[] = "SELECT path, state, size, md5, stored_at, "
	    "first_run, verdict FROM objects ORDER BY path";
	struct kit *k = *state;
	struct prune p = { .horizon_ns = 4 * DAY_NS + DAY_NS / 2,
	    .user = "me", .host = "here" };
	char before[RUNS + 1][4000], objects[4000], after[4000];

	runs_by_day(k);
	for (int n = 1; n <= RUNS; n++)
		assert_true(as_of(k, n, before[n]));
	/* What repeats is one row, and was a failure of each of the runs. */
	kit_check_answer(k, "SELECT path, count(*), min(run), max(run) FROM "
	    "failure_log GROUP BY path ORDER BY path",
	    " srv/vol/d 6 1 6 srv/vol/e 1 1 1 srv/vol/f 1 1 1");
	rows_of_failures(k, 3);
	kit_answer(k, now, objects);
	pruned(k, &p);
	assert_false(p.nothing);
	/* Of the versions of a those of runs 1 and 2; that of run 3 was there
	 * when run 4 began. */
	assert_int_equal(p.versions, 2);
	assert_true(p.events >= 2);
	assert_int_equal(p.failures, 1);
	for (int n = 1; n <= RUNS; n++) {
		assert_int_equal(as_of(k, n, after), n >= 3);
		if (n >= 3)
			assert_string_equal(after, before[n]);
	}
	kit_answer(k, now, after);
	assert_string_equal(after, objects);
	kit_check_answer(k, "SELECT path, run, since_run FROM failures "
	    "ORDER BY path", " srv/vol/d 6 1 srv/vol/e 1 1");
	kit_check_answer(k, "SELECT run, user, host, versions, failures FROM "
	    "prunes", " 4 me here 2 1");
	one_run(k, RUNS + 1);
	pruned(k, &p);
	assert_int_equal(p.versions + p.events + p.failures, 0);
}

static void
nothing_before(void **state)
{
	struct kit *k = *state;
	struct prune p = { .horizon_ns = DAY_NS / 2 };

	runs_by_day(k);
	pruned(k, &p);
	assert_true(p.nothing);
	kit_check_answer(k, "SELECT count(*) FROM prunes", " 0");
}

/* Of the verdicts of before the horizon each object's last one stays, whatever
 * was found later. */
static void
verdicts_go(void **state)
{
	struct kit *k = *state;
	struct prune p = { .horizon_ns = 4 * DAY_NS + DAY_NS / 2 };

	runs_by_day(k);
	run_sql(k, "DELETE FROM verification; CREATE TEMP TABLE r AS "
	    "SELECT column1 AS id, column2 AS run, column3 AS first, "
	    "column4 AS last FROM (VALUES (1, 1, 1, 3), (2, 1, 5, 5), "
	    "(3, 2, 1, 2), (4, 2, 100, 200), (5, 3, 2, 2), (6, 6, 1, 5));"
	    "UPDATE event SET id = id + 1000; UPDATE result SET event = event "
	    "+ 1000; UPDATE run SET first_event = first_event + 1000 "
	    "WHERE id > 1;"
	    "INSERT INTO event (id, object, target, run, kind, ms) SELECT "
	    "id + iif(run = 6, 10000, 0), first, 1, run, 20, 1 FROM r;"
	    "INSERT INTO span (event, first, last, method) SELECT "
	    "id + iif(run = 6, 10000, 0), first, last, 'head' FROM r;"
	    "UPDATE run SET first_event = 0 WHERE id < 4;"
	    "INSERT INTO verification (run, object, target, method, outcome, "
	    "time_ns) VALUES (1, 4, 1, 'head', 'missing', 1), "
	    "(2, 4, 1, 'head', 'missing', 1), (3, 3, 1, 'head', 'corrupt', 1), "
	    "(6, 4, 1, 'head', 'corrupt', 1), (1, 0, 1, 'head', 'x', 1);");
	pruned(k, &p);
	/* Of run 1 the range 5 stays, and 1 to 3 goes; of run 2 1 stays, but
	 * not what is of no version. */
	kit_check_answer(k, "SELECT e.run, s.first, s.last FROM span s JOIN "
	    "event e ON e.id = s.event ORDER BY 1, 2",
	    " 1 5 5 2 1 2 3 2 2 6 1 5");
	kit_check_answer(k, "SELECT run, object FROM verification "
	    "ORDER BY 1, 2", " 2 4 3 3 6 4");
	assert_int_equal(p.verdicts, 4);
	kit_check_answer(k, "SELECT group_concat(version) FROM (SELECT version "
	    "FROM verifications WHERE run = 2 AND outcome = 'ok' ORDER BY 1)",
	    " 1,2");
}

static void
space_is_given_back(void **state)
{
	struct kit *k = *state;
	struct prune p = { .horizon_ns = (RUNS + 1) * DAY_NS };
	off_t size;

	runs_by_day(k);
	run_sql(k, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 "
	    "FROM n WHERE i < 20000) INSERT INTO verification (run, object, "
	    "target, method, outcome, time_ns) SELECT 1, 2, 1, 'head', 'ok', "
	    "i FROM n");
	size = size_of(k);
	pruned(k, &p);
	assert_int_equal(p.verdicts, 19999);
	assert_true(size_of(k) < size / 2);
	one_run(k, RUNS + 1);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)
	const struct CMUnitTest tests[] = {
		T(what_goes_and_what_stays),
		T(nothing_before),
		T(verdicts_go),
		T(space_is_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
