/*
 * A catalog of an earlier version is brought up to date, and what it took for
 * done without knowing is in doubt; a new one has the same schema. Views are
 * made anew when the version is another, and only then.
 */
#include "kit/catalog.h"

#include <glob.h>
#include <sqlite3.h>

#include "catalog/doubt.h"
#include "db/keep.h"

#define LAST_BEFORE	6	/* the newest rung of the version before */

/* a: deleted by a run that was killed, b: its PUT failed and it is gone, c:
 * deleted, and known to be, d: stored. */
static const char rows[] =
    "INSERT INTO target VALUES (1, 'http://s3', 'bucket', 1);"
    "INSERT INTO export (id, server, share, path) VALUES "
    "(1, 'srv', 'vol', 'srv/vol');"
    "INSERT INTO run (id, crawl, op, target, scope, started_ns, updated_ns,"
    " ended_ns, state, first_result) VALUES"
    " (1, 1, 'PUT', 1, 'all', 1, 1, 1, 'complete', 0),"
    " (2, 2, 'PUT', 1, 'all', 2, 2, 2, 'dead', 4);"
    "INSERT INTO dir (id, export, path, run, clean) VALUES"
    " (1, 1, 'srv/vol', 2, 1);"
    "INSERT INTO object (id, dir, path, kind, size, mtime_ns, ctime_ns, ino,"
    " mode, uid, gid, run, gone_run) VALUES"
    " (1, 1, 'srv/vol/a', 1, 1, 1, 1, 1, 420, 0, 0, 1, 2),"
    " (2, 1, 'srv/vol/b', 1, 1, 1, 1, 2, 420, 0, 0, 1, 2),"
    " (3, 1, 'srv/vol/c', 1, 1, 1, 1, 3, 420, 0, 0, 1, 2),"
    " (4, 1, 'srv/vol/d', 1, 1, 1, 1, 4, 420, 0, 0, 1, NULL);"
    "INSERT INTO result (id, object, target, run, outcome, held, size,"
    " time_ns, attempts, reason) VALUES"
    " (1, 1, 1, 2, 5, 0, 1, 1, 1,"
    "  'the run that deleted it ended before the answer came'),"
    " (2, 2, 1, 1, 2, 0, 1, 1, 1, 'no answer'),"
    " (3, 3, 1, 2, 5, 0, 1, 1, 1, NULL),"
    " (4, 4, 1, 1, 0, 1, 1, 1, 1, NULL);";

static void
run_sql(sqlite3 *db, const char *sql)
{
	char *why = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s", why);
}

static void
run_file(sqlite3 *db, const char *name)
{
	FILE *f = fopen(name, "r");
	char *text = NULL;
	size_t size = 0;

	assert_non_null(f);
	assert_true(getdelim(&text, &size, '\0', f) > 0);
	run_sql(db, text);
	free(text);
	fclose(f);
}

static void
old_catalog(const struct kit *k)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(k->path, &db), SQLITE_OK);
	for (int i = 1; i <= LAST_BEFORE; i++) {
		AUTOFREE char *pattern = xasprintf("schema/%03d_*.sql", i);
		glob_t found;

		assert_int_equal(glob(pattern, 0, NULL, &found), 0);
		assert_int_equal(found.gl_pathc, 1);
		run_file(db, found.gl_pathv[0]);
		globfree(&found);
	}
	run_sql(db, "PRAGMA application_id = 0x444d4341;"
	    "PRAGMA user_version = 6");
	run_sql(db, rows);
	sqlite3_close(db);
}

static void
what_was_taken_for_done(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "new");
	struct doubt v[4];
	struct err err = ERR_INIT;
	size_t n = 0;

	old_catalog(k);
	kit_open(k);
	kit_begin_spec(k, &spec);
	kit_check_answer(k, "SELECT path FROM failures", " srv/vol/a");
	kit_check_answer(k, "SELECT path FROM objects WHERE deleted_at IS NOT "
	    "NULL", " srv/vol/c");
	kit_check_answer(k, "SELECT path FROM objects WHERE state = 'stored'",
	    " srv/vol/d");
	if (catalog_doubts(k->c, DOUBT_ANY, 0, v, ARRAY_LEN(v), &n,
	    &err) == -1)
		fail_msg("%s", err.msg);
	assert_int_equal(n, 2);
	assert_string_equal(v[0].path, "srv/vol/a");
	assert_string_equal(v[1].path, "srv/vol/b");
	doubt_release(&v[0]);
	doubt_release(&v[1]);
	kit_end(k, RUN_INTERRUPTED);
}

/* What the targets hold begins the journal, and what was deleted; of several
 * versions that a target is said to hold, it holds the newest. */
static void
journal_begins(void **state)
{
	struct kit *k = *state;
	sqlite3 *db;

	old_catalog(k);
	assert_int_equal(sqlite3_open(k->path, &db), SQLITE_OK);
	run_sql(db, "INSERT INTO history (id, dir, path, kind, size, mtime_ns,"
	    " ctime_ns, ino, mode, uid, gid, run, until_run, fate) VALUES"
	    " (5, 1, 'srv/vol/d', 1, 1, 1, 1, 4, 420, 0, 0, 1, 1, 'changed'),"
	    " (6, 1, 'srv/vol/e', 1, 1, 1, 1, 4, 420, 0, 0, 1, 1, 'changed'),"
	    " (7, 1, 'srv/vol/e', 1, 1, 1, 1, 4, 420, 0, 0, 1, 1, 'changed');"
	    "INSERT INTO result (id, object, target, run, outcome, held, size,"
	    " time_ns, attempts, version_id) VALUES"
	    " (5, 5, 1, 1, 0, 1, 1, 1, 1, 'v5'),"
	    " (6, 6, 1, 1, 0, 1, 1, 1, 1, 'v6'),"
	    " (7, 7, 1, 1, 0, 1, 1, 60000000001, 1, 'v7');"
	    "UPDATE result SET version_id = 'm3' WHERE id = 3;"
	    "UPDATE result SET size = 5, etag = 'other', md5 = x'00ff' "
	    "WHERE id = 3;"
	    "UPDATE result SET etag = '00ff', md5 = x'00ff' WHERE id = 4;"
	    "UPDATE result SET etag = NULL, md5 = x'00ff' WHERE id = 5");
	sqlite3_close(db);
	kit_open(k);
	kit_close(k);
	kit_check_answer(k, "SELECT kind || run || path || coalesce("
	    "version_id, '-') FROM events ORDER BY event",
	    " deleted2srv/vol/cm3 known1srv/vol/d- known1srv/vol/ev7");
	kit_check_answer(k, "SELECT version || coalesce(version_id, '-') || "
	    "coalesce(stored_at, '-') FROM versions ORDER BY version",
	    " 5v5- 6v6- 7v71970-01-01T00:01:00Z");
	kit_check_answer(k, "SELECT version || coalesce(version_id, '-') || "
	    "coalesce(marker_id, '-') || coalesce(stored_run, '-') "
	    "FROM objects ORDER BY version", " 1--- 2--- 3-m3- 4--1");
	kit_check_answer(k, "SELECT version || coalesce(etag, '-') || "
	    "coalesce(md5, '-') FROM objects ORDER BY version",
	    " 1-- 2-- 3other00ff 400ff00ff");
	kit_check_answer(k, "SELECT version || coalesce(etag, '-') || "
	    "coalesce(md5, '-') FROM versions ORDER BY version",
	    " 5-00ff 6-- 7--");
	kit_check_answer(k, "SELECT object || ':' || coalesce(size, '-') || "
	    "coalesce(etag, '-') FROM result ORDER BY object",
	    " 1:-- 2:-- 3:5other 4:-- 5:- 6:-- 7:--");
	kit_check_answer(k, "SELECT count(*) || '' FROM run "
	    "WHERE first_event IS NOT NULL", " 0");
}

/* The caller frees it. */
static char *
schema_of(struct kit *k)
{
	sqlite3_stmt *st = NULL;
	sqlite3 *db;
	char *all;

	kit_open(k);
	kit_close(k);
	assert_int_equal(sqlite3_open(k->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT group_concat(t, "
	    "char(10)) FROM (SELECT type || ' ' || name || ' ' || "
	    "coalesce(sql, '') t FROM sqlite_schema ORDER BY type, name)", -1,
	    &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	all = xstrdup((const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
	sqlite3_close(db);
	assert_int_equal(unlink(k->path), 0);
	return all;
}

/* A new catalog is made in other steps than an old one climbs. */
static void
new_is_as_climbed(void **state)
{
	struct kit *k = *state;
	AUTOFREE char *new = schema_of(k), *climbed = NULL;

	old_catalog(k);
	climbed = schema_of(k);
	assert_true(strlen(new) > 10000);
	assert_string_equal(new, climbed);
}

/* --- from the last version whose rungs made views --- */

static void
catalog_7(const struct kit *k)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(k->path, &db), SQLITE_OK);
	run_file(db, "tests/unit/db/catalog_7.dump");
	run_sql(db, "PRAGMA application_id = 0x444d4341;"
	    "PRAGMA user_version = 7");
	run_sql(db, rows);
	run_sql(db, "INSERT INTO todo (id, object, export, flags) VALUES "
	    "(1, 4, 1, 0);"
	    "INSERT INTO lease (run, first, last, epoch) VALUES "
	    "(2, 1, 1, 1)");
	sqlite3_close(db);
}

static int64_t
number(const struct kit *k, const char *sql)
{
	sqlite3_stmt *st = NULL;
	sqlite3 *db;
	int64_t v;

	assert_int_equal(sqlite3_open(k->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL),
	    SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	v = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return v;
}

static void
open_and_close(struct kit *k)
{
	kit_open(k);
	kit_close(k);
}

static void
rows_stay(void **state)
{
	struct kit *k = *state;
	AUTOFREE char *new = schema_of(k), *climbed = NULL;

	catalog_7(k);
	open_and_close(k);
	assert_true(number(k, "PRAGMA user_version") > 7);
	assert_int_equal(number(k, "SELECT count(*) FROM object"), 4);
	assert_int_equal(number(k, "SELECT count(*) FROM result"), 4);
	assert_int_equal(number(k, "SELECT count(*) FROM run"), 2);
	assert_int_equal(number(k, "SELECT last FROM lease WHERE run = 2"), 1);
	kit_check_answer(k, "SELECT path FROM objects WHERE state = 'leased'",
	    " srv/vol/d");
	climbed = schema_of(k);
	assert_string_equal(new, climbed);
}

/* A view is what views.sql says, whatever the catalog had under its name. */
static void
views_anew(void **state)
{
	struct kit *k = *state;
	sqlite3 *db;

	catalog_7(k);
	assert_int_equal(sqlite3_open(k->path, &db), SQLITE_OK);
	run_sql(db, "DROP VIEW runs; CREATE VIEW runs AS SELECT 1 AS old;"
	    "DROP VIEW dirs");
	sqlite3_close(db);
	open_and_close(k);
	kit_check_answer(k, "SELECT operation FROM runs", " PUT PUT");
	kit_check_answer(k, "SELECT path FROM dirs", " srv/vol");
}

static void
not_anew(void **state)
{
	struct kit *k = *state;
	int64_t before;

	catalog_7(k);
	open_and_close(k);
	before = number(k, "PRAGMA schema_version");
	open_and_close(k);
	assert_int_equal(number(k, "PRAGMA schema_version"), before);
}

/* The catalog of before is kept once, and only if it is of an earlier
 * version. */
static void
former_is_kept(void **state)
{
	struct kit *k = *state;
	AUTOFREE char *name = xasprintf("%s.v6", k->path), *got = NULL;
	struct err err = ERR_INIT;
	sqlite3 *db;

	assert_int_equal(catalog_keep_former(k->path, &got, &err), 0);
	assert_null(got);
	old_catalog(k);
	assert_int_equal(catalog_keep_former(k->path, &got, &err), 0);
	assert_string_equal(got, name);
	open_and_close(k);
	assert_int_equal(number(k, "SELECT count(*) FROM event"), 2);
	assert_int_equal(sqlite3_open(name, &db), SQLITE_OK);
	run_sql(db, "INSERT INTO result (id, object, target, run, outcome, "
	    "held, size, time_ns, attempts) VALUES (9, 9, 1, 1, 0, 1, 1, 1, "
	    "1)");
	sqlite3_close(db);
	free(STEAL(got));
	assert_int_equal(catalog_keep_former(k->path, &got, &err), 0);
	assert_null(got);
	assert_int_equal(unlink(k->path), 0);
	old_catalog(k);
	assert_int_equal(catalog_keep_former(k->path, &got, &err), 0);
	assert_null(got);
	assert_int_equal(unlink(name), 0);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
	const struct CMUnitTest tests[] = {
		T(what_was_taken_for_done),
		T(journal_begins),
		T(new_is_as_climbed),
		T(rows_stay),
		T(views_anew),
		T(not_anew),
		T(former_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
