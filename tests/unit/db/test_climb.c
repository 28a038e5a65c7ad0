/*
 * A large catalog of an earlier version is brought up to date in steps: killed
 * at any write, the next program goes on, and nothing is lost or done twice.
 */
#include "kit/catalog.h"

#include <glob.h>
#include <sqlite3.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "db/keep.h"

#define LAST_BEFORE	9	/* the newest rung of the version before */
#define ROWS		25000	/* more than two steps */

/* The writes of this process; before the one with the number kill_at it
 * dies. */
static long writes, kill_at;

ssize_t pwrite64(int, const void *, size_t, off_t);

ssize_t
pwrite64(int fd, const void *data, size_t n, off_t at)
{
	if (++writes == kill_at)
		_exit(9);
	return syscall(SYS_pwrite64, fd, data, n, at);
}

static void
run_sql(sqlite3 *db, const char *sql)
{
	char *why = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s", why);
}

static void
run_rung(sqlite3 *db, int number)
{
	AUTOFREE char *pattern = xasprintf("schema/%03d_*.sql", number);
	AUTOFREE char *text = NULL;
	size_t size = 0;
	glob_t found;
	FILE *f;

	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	f = fopen(found.gl_pathv[0], "r");
	assert_non_null(f);
	assert_true(getdelim(&text, &size, '\0', f) > 0);
	run_sql(db, text);
	fclose(f);
	globfree(&found);
}

/* Results came in the order of their ids, from the last object to the first:
 * of five, one is deleted, and one was never there. */
static void
catalog_of_before(const struct kit *k)
{
	AUTOFREE char *numbers = xasprintf("CREATE TEMP TABLE n AS "
	    "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c "
	    "WHERE i < %d) SELECT i FROM c", ROWS);
	sqlite3 *db;

	assert_int_equal(sqlite3_open(k->path, &db), SQLITE_OK);
	run_sql(db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF");
	for (int i = 1; i <= LAST_BEFORE; i++)
		run_rung(db, i);
	run_sql(db, numbers);
	run_sql(db, "BEGIN;"
	    "INSERT INTO target VALUES (1, 'http://s3', 'bucket', 1);"
	    "INSERT INTO run (id, crawl, op, target, scope, started_ns, "
	    " updated_ns, ended_ns, state, first_result) VALUES "
	    " (1, 1, 'PUT', 1, 'all', 1000000000, 1, 1, 'complete', 0);"
	    "INSERT INTO dir (id, export, path, run, clean) VALUES "
	    " (1, 1, 'srv/vol', 1, 1);"
	    "INSERT INTO object (id, dir, path, kind, size, mtime_ns, "
	    " ctime_ns, ino, mode, uid, gid, run) SELECT i, 1, "
	    " 'srv/vol/' || i, 1, i, 1, 1, i, 420, 0, 0, 1 FROM n;"
	    "INSERT INTO result (id, object, target, run, outcome, held, size,"
	    " time_ns, md5, etag, attempts, version_id) SELECT i, 25001 - i, "
	    " 1, 1, CASE i % 5 WHEN 0 THEN 5 WHEN 1 THEN 2 ELSE 0 END, "
	    " i % 5 > 1, 25001 - i, 1000000000 + i * 1000000, x'00', '00', 1,"
	    " 'v' || i FROM n;"
	    "COMMIT;"
	    "PRAGMA application_id = 0x444d4341; PRAGMA user_version = 9;"
	    "PRAGMA journal_mode = WAL");
	sqlite3_close(db);
}

static int64_t
number(const struct kit *k, const char *sql)
{
	sqlite3_stmt *st = NULL;
	sqlite3 *db;
	int64_t v;

	assert_int_equal(sqlite3_open(k->path, &db), SQLITE_OK);
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL),
	    SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	v = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return v;
}

static void
check_whole(const struct kit *k)
{
	assert_int_equal(number(k, "SELECT count(*) FROM result"), ROWS);
	assert_int_equal(number(k, "SELECT count(*) FROM event"),
	    ROWS / 5 * 4);
	assert_int_equal(number(k, "SELECT count(*) FROM event WHERE "
	    "kind = 10 AND version = 'v' || (25001 - object)"), ROWS / 5);
	/* In the order of the results, with their times. */
	assert_int_equal(number(k, "SELECT count(*) FROM event e JOIN event f "
	    "ON f.id = e.id + 1 WHERE f.object >= e.object OR "
	    "f.ms <= e.ms"), 0);
	assert_int_equal(number(k, "SELECT count(*) FROM result r "
	    "JOIN event e ON e.id = r.event AND e.object = r.object AND "
	    "e.kind = 1 WHERE r.held AND r.ms IS NULL AND r.size IS NULL "
	    "AND r.etag IS NULL AND r.version_id = 'v' || (25001 - r.object)"),
	    ROWS / 5 * 3);
	assert_int_equal(number(k, "SELECT count(*) FROM result WHERE "
	    "held = 0 AND event IS NULL AND (outcome = 2) = "
	    "(version_id IS NOT NULL)"), ROWS / 5 * 2);
	assert_int_equal(number(k, "SELECT count(*) FROM pragma_quick_check "
	    "WHERE quick_check <> 'ok'"), 0);
}

/* Bring it up to date in a process of its own; the number of its writes, or 0:
 * it was killed. */
static long
climb(const struct kit *k, long at)
{
	int out[2], status;
	long n = 0;
	pid_t pid;

	assert_int_equal(pipe(out), 0);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		struct err err = ERR_INIT;
		struct catalog *c;

		writes = 0;
		kill_at = at;
		if (catalog_open(&c, k->path, k->events, &err) == -1)
			_exit(8);
		n = writes;
		catalog_close(&c);
		_exit(write(out[1], &n, sizeof(n)) == sizeof(n) ? 0 : 7);
	}
	close(out[1]);
	if (read(out[0], &n, sizeof(n)) != sizeof(n))
		n = 0;
	close(out[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), n == 0 ? 9 : 0);
	return n;
}

static void
remove_catalog(const struct kit *k)
{
	static const char *const suffix[] = { "", "-wal", "-shm" };

	for (size_t i = 0; i < ARRAY_LEN(suffix); i++) {
		AUTOFREE char *name = xasprintf("%s%s", k->path, suffix[i]);

		unlink(name);
	}
}

static void
killed_anywhere(void **state)
{
	struct kit *k = *state;
	long all;

	catalog_of_before(k);
	all = climb(k, 0);
	assert_true(all > 100);
	check_whole(k);
	for (int i = 1; i < 12; i++) {
		remove_catalog(k);
		catalog_of_before(k);
		(void)climb(k, all * i / 12);
		assert_true(climb(k, 0) > 0);
		check_whole(k);
	}
}

/* What was cut goes on: it does not begin again, nor is a copy of what is half
 * done kept as the catalog of before. */
static void
goes_on(void **state)
{
	struct kit *k = *state;
	AUTOFREE char *kept = NULL;
	struct err err = ERR_INIT;
	int64_t left;
	long all;

	catalog_of_before(k);
	all = climb(k, 0);
	remove_catalog(k);
	catalog_of_before(k);
	assert_int_equal(climb(k, all / 2), 0);
	left = number(k, "SELECT count(*) FROM result");
	assert_true(left > 0 && left < ROWS);
	assert_int_equal(number(k, "SELECT count(*) FROM result_new"),
	    ROWS - left);
	assert_int_equal(catalog_keep_former(k->path, &kept, &err), 0);
	assert_null(kept);
	assert_true(climb(k, 0) < all);
	check_whole(k);
}

#define T(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(killed_anywhere),
		T(goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
