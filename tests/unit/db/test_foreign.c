/*
 * What another program has made of a catalog's tables and views is told, and
 * triggers are refused.
 */
#include "kit/catalog.h"

#include <sqlite3.h>

#include "db/keep.h"

static void
run_sql(const char *path, const char *sql)
{
	char *why = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s", why);
	sqlite3_close(db);
}

static void
add(void *arg, const char *finding)
{
	char *all = arg;

	strcat(strcat(all, finding), "\n");
}

static void
check_found(const struct kit *k, const char *expected)
{
	struct err err = ERR_INIT;
	char all[2000] = "";
	int rc = catalog_verify(k->path, add, all, &err);

	assert_string_equal(all, expected);
	assert_int_equal(rc, expected[0] == '\0' ? 0 : -1);
	if (rc == -1)
		assert_non_null(strstr(err.msg, "another program"));
}

static int
make(void **state)
{
	struct kit *k;

	kit_setup(state);
	k = *state;
	kit_open(k);
	kit_begin(k);
	kit_end(k, RUN_COMPLETE);
	kit_close(k);
	return 0;
}

static void
what_is_not_ours_is_told(void **state)
{
	const struct kit *k = *state;

	check_found(k, "");
	run_sql(k->path, "ANALYZE");
	check_found(k, "");
	run_sql(k->path, "DROP VIEW runs; "
	    "CREATE VIEW runs AS SELECT 1 AS run; "
	    "DROP VIEW dirs; CREATE INDEX mine ON object (size); "
	    "ALTER TABLE target ADD COLUMN more TEXT; "
	    "CREATE TABLE other (a)");
	check_found(k, "index mine is not of this program\n"
	    "table other is not of this program\n"
	    "table target is not as this program makes it\n"
	    "view dirs is missing\n"
	    "view runs is not as this program makes it\n");
}

static void
triggers_are_refused(void **state)
{
	const struct kit *k = *state;
	AUTOFREE char *copy = xasprintf("%s.copy", k->path);
	struct catalog *c = NULL;
	struct err err = ERR_INIT;
	char *former = NULL;

	run_sql(k->path, "CREATE TRIGGER mine AFTER INSERT ON run "
	    "BEGIN DELETE FROM run; END");
	check_found(k, "trigger mine is not of this program\n");
	assert_int_equal(catalog_open(&c, k->path, k->mail, &err), -1);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.msg, "triggers"));
	assert_int_equal(catalog_backup(k->path, copy, false, &err), 0);
	run_sql(k->path, "DROP TRIGGER mine");
	assert_int_equal(catalog_restore(k->path, copy, NULL, &former,
	    &err), -1);
	assert_non_null(strstr(err.msg, "triggers"));
	assert_null(former);
	run_sql(copy, "DROP TRIGGER mine");
	assert_int_equal(catalog_restore(k->path, copy, NULL, &former,
	    &err), 0);
	unlink(former);
	unlink(copy);
	free(former);
	/* A restored catalog has a table more. */
	check_found(k, "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, kit_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_not_ours_is_told),
		TEST(triggers_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
