/*
 * A question that computes for long is ended, if the catalog's -wal grows
 * meanwhile, and not else.
 */
#include "kit/catalog.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

/* With each look at it, so much time passes. */
static int64_t step_s, ahead_s;

int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	long rc = syscall(SYS_clock_gettime, clock, ts);

	ahead_s += step_s;
	ts->tv_sec += ahead_s;
	return (int)rc;
}

static bool
count_rows(void *arg, size_t columns UNUSED, const char *const *n UNUSED,
    const struct value *row)
{
	*(int *)arg += row != NULL;
	return true;
}

/* Ask something that takes some million steps; how many rows came. */
static int
ask(const struct kit *k, struct err *err)
{
	struct catalog_view *view;
	int rows = 0;

	if (catalog_view_open(&view, k->path, err) == -1)
		fail_msg("%s", err->msg);
	step_s = 10;
	if (catalog_query(view, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL "
	    "SELECT i + 1 FROM n WHERE i < 1000000) "
	    "SELECT count(*) FROM run CROSS JOIN n", count_rows, &rows,
	    err) == -1)
		assert_int_equal(rows, 0);
	step_s = 0;
	catalog_view_close(&view);
	return rows;
}

static void
set_wal(const struct kit *k, off_t size)
{
	AUTOFREE char *wal = xasprintf("%s-wal", k->path);

	assert_int_equal(truncate(wal, size), 0);
}

static void
one_run(struct kit *k)
{
	kit_open(k);
	kit_begin(k);
	kit_end(k, RUN_COMPLETE);
	kit_close(k);
}

static void
the_wal_grows(void **state)
{
	struct kit *k = *state;
	struct err err = ERR_INIT;

	one_run(k);
	set_wal(k, (off_t)1 << 30);
	assert_int_equal(ask(k, &err), 0);
	assert_int_equal(err.kind, ERR_RESOURCE);
	assert_non_null(strstr(err.msg, "catalog backup"));
}

static void
nothing_grows(void **state)
{
	struct kit *k = *state;
	struct err err = ERR_INIT;

	one_run(k);
	assert_int_equal(ask(k, &err), 1);
	assert_int_equal(err.kind, ERR_NONE);
}

/* Many short questions hold nothing. */
static void
many_questions(void **state)
{
	struct kit *k = *state;
	struct catalog_view *view;
	struct err err = ERR_INIT;
	int rows = 0;

	one_run(k);
	set_wal(k, (off_t)1 << 30);
	assert_int_equal(catalog_view_open(&view, k->path, &err), 0);
	for (int i = 0; i < 20; i++) {
		ahead_s += 300;
		if (catalog_query(view, "WITH RECURSIVE n (i) AS (SELECT 1 "
		    "UNION ALL SELECT i + 1 FROM n WHERE i < 50000) "
		    "SELECT count(*) FROM run CROSS JOIN n", count_rows,
		    &rows, &err) == -1)
			fail_msg("%s", err.msg);
	}
	assert_int_equal(rows, 20);
	catalog_view_close(&view);
}

#define T(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_wal_grows),
		T(nothing_grows),
		T(many_questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
