/*
 * The row of an attempt to run: who, and how it ended; an attempt that has not
 * begun its run changes nothing for later runs.
 */
#include "kit/outcome.h"

static const struct run_who who = { .user = "ada", .sudo_user = "bob",
    .host = "backup1", .version = "9.9", .settings = { 0xab, 0xcd } };

static int
away(void *arg UNUSED, const struct run_closing *c UNUSED,
    char reason[RUN_REASON_MAX])
{
	snprintf(reason, RUN_REASON_MAX, "no answer for 30 s");
	return 3;
}

static int64_t
attempt(struct kit *k, const struct run_spec *spec)
{
	struct err err = ERR_INIT;
	int64_t run = 0;

	if (catalog_begin_attempt(k->c, spec, &run, &err) == -1)
		fail_msg("%s", err.msg);
	return run;
}

/* An attempt that ends before it has begun its run. */
static int64_t
failed_attempt(struct kit *k, const struct run_spec *spec)
{
	int64_t run = attempt(k, spec);
	struct err err = ERR_INIT;

	if (catalog_end_run(k->c, RUN_FAILED, away, NULL, &k->closing,
	    &err) == -1)
		fail_msg("%s", err.msg);
	return run;
}

static void
row_of_attempt(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");

	kit_open(k);
	spec.who = &who;
	assert_int_equal(failed_attempt(k, &spec), 1);
	check_answer(k, "SELECT run, operation, state, begun, exit_status, "
	    "reason, user, sudo_user, host, version, length(settings), "
	    "substr(settings, 1, 6), target, crawl, ended IS NULL FROM runs",
	    "1|PUT|failed|0|3|no answer for 30 s|ada|bob|backup1|9.9|64|"
	    "abcd00|NULL|NULL|0");
	/* It becomes the row of the run, and the target is known by then. */
	assert_int_equal(attempt(k, &spec), 2);
	check_answer(k, "SELECT state, begun, exit_status FROM runs "
	    "WHERE run = 2", "running|0|NULL");
	kit_begin_spec(k, &spec);
	assert_int_equal(k->info.run, 2);
	check_answer(k, "SELECT state, begun, target, crawl, user FROM runs "
	    "WHERE run = 2", "running|1|http://s3/bucket|2|ada");
	kit_end(k, RUN_INTERRUPTED);
	check_answer(k, "SELECT count(*) FROM runs", "2");
}

/* A cut run goes on, however many attempts came to nothing since. */
static void
cut_run_goes_on(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");

	kit_open(k);
	kit_begin_spec(k, &spec);
	kit_end(k, RUN_INTERRUPTED);
	failed_attempt(k, &spec);
	attempt(k, &spec);
	kit_close(k);		/* killed */
	kit_open(k);
	assert_int_equal(attempt(k, &spec), 4);
	check_answer(k, "SELECT run, state, begun FROM runs ORDER BY run",
	    "1|interrupted|1\n2|failed|0\n3|dead|0\n4|running|0");
	kit_begin_spec(k, &spec);
	assert_true(k->info.continued);
	assert_int_equal(k->info.crawl, 1);
	kit_end(k, RUN_INTERRUPTED);
}

/* What failed is failed until a run has tried again. */
static void
failures_stay(void **state)
{
	struct kit *k = *state;
	struct outcomes *v = xcalloc(1, sizeof(*v));
	struct run_spec spec = kit_spec("bucket", "");
	struct outcome_row *r;

	put_all(k);
	begin_op(k, OP_GET);
	r = row(v, "of/another", OUTCOME_FAILED);
	err_set(&r->err, ERR_CORRUPT, 0, "digests differ");
	catalog_put_outcomes(k->c, v);
	kit_end(k, RUN_COMPLETE);
	spec.op = OP_GET;
	failed_attempt(k, &spec);
	check_answer(k, "SELECT path FROM failures", "of/another");
	begin_op(k, OP_GET);
	kit_end(k, RUN_COMPLETE);
	check_answer(k, "SELECT count(*) FROM failures", "0");
}

static int
guard(void *arg, const struct run_closing *c, char reason[RUN_REASON_MAX])
{
	assert_ptr_equal(arg, c);
	assert_true(c->closes);
	snprintf(reason, RUN_REASON_MAX, "--max-delete");
	return 5;
}

/* The judge sees the closing, and its words are in the row. */
static void
judged(void **state)
{
	struct kit *k = *state;
	struct err err = ERR_INIT;

	kit_open(k);
	kit_begin(k);
	if (catalog_end_run(k->c, RUN_COMPLETE, guard, &k->closing,
	    &k->closing, &err) == -1)
		fail_msg("%s", err.msg);
	check_answer(k, "SELECT state, exit_status, reason FROM runs",
	    "complete|5|--max-delete");
	kit_begin(k);
	kit_end(k, RUN_COMPLETE);
	check_answer(k, "SELECT exit_status, reason FROM runs WHERE run = 2",
	    "NULL|NULL");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)
	const struct CMUnitTest tests[] = {
		T(row_of_attempt),
		T(cut_run_goes_on),
		T(failures_stay),
		T(judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
