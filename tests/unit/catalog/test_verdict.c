/*
 * Verdicts of TEST: their rows, and what ends them.
 */
#include "kit/outcome.h"

static void
verdicts_are_rows(void **state)
{
	struct kit *k = *state;
	struct outcomes *v = xcalloc(1, sizeof(*v));
	struct outcome_row *r;
	struct stored s;

	put_all(k);
	begin_op(k, OP_TEST);
	verdict(k, "srv/vol/a", VERDICT_OK);
	r = row(v, "srv/vol/b", OUTCOME_FAILED);
	r->verdict = VERDICT_BITROT;
	r->method = METHOD_SAMPLE;
	err_set(&r->err, ERR_CORRUPT, 0, "md5 differs");
	r = row(v, "foreign/key", OUTCOME_FAILED);
	r->verdict = VERDICT_UNREADABLE;
	r->method = METHOD_HEAD;
	give_outcomes(k, v);
	assert_int_equal(find(k, "srv/vol/b", &s), 1);
	assert_int_equal(s.verdict, VERDICT_BITROT);
	assert_true(s.verified_ns > 0);
	stored_release(&s);
	kit_end(k, RUN_COMPLETE);
	assert_true(k->closing.closes);
	check_answer(k, "SELECT run, path, method, outcome, reason, "
	    "version IS NULL FROM verifications ORDER BY path",
	    "2|foreign/key|head|unreadable|NULL|1\n"
	    "2|srv/vol/a|full|ok|NULL|0\n"
	    "2|srv/vol/b|sample|bitrot|md5 differs|0");
	check_answer(k, "SELECT path, verdict FROM objects "
	    "WHERE verified_at IS NOT NULL ORDER BY path",
	    "srv/vol/a|ok\nsrv/vol/b|bitrot");
	check_answer(k, "SELECT reason FROM failures WHERE path = "
	    "'foreign/key'", "unreadable");
}

static void
lost_is_put_again(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct outcomes *v = xcalloc(1, sizeof(*v));
	struct outcome_row *r;
	struct known known;
	struct dir_page *p;

	put_all(k);
	begin_op(k, OP_TEST);
	r = row(v, "srv/vol/a", OUTCOME_FAILED);
	r->verdict = VERDICT_MISSING;
	r->lost = true;
	give_outcomes(k, v);
	assert_false(holds(k, "srv/vol/a"));
	kit_end(k, RUN_COMPLETE);
	check_answer(k, "SELECT state, reason, verdict FROM objects WHERE "
	    "path = 'srv/vol/a'", "failed|missing|missing");
	/* A TEST of something else leaves it failed. */
	begin_op(k, OP_TEST);
	kit_end(k, RUN_COMPLETE);
	check_answer(k, "SELECT path FROM failures", "srv/vol/a");
	kit_begin_spec(k, &spec);
	assert_int_equal(kit_find(k, "srv/vol/a", &known), 1);
	assert_false(known.stored);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_entry(p, PAGE_QUEUE, known.object, "srv/vol/a", kit_attrs(10, 1));
	p->unchanged = NAMES - 1;
	catalog_put_page(k->c, p);
	assert_int_equal(kit_settle(k, 10, OUTCOME_MOVED), 1);
	kit_end(k, RUN_COMPLETE);
	assert_true(k->closing.closes);
	/* The verdict was on bytes that are replaced. */
	check_answer(k, "SELECT state, verdict FROM objects WHERE "
	    "path = 'srv/vol/a'", "stored|NULL");
	check_answer(k, "SELECT count(*) FROM failures", "0");
}

/* a to d are verified; then a is sent again, its bytes alone have changed, and
 * how that ends is not known: of b the answer was lost. */
static void
sent_and_not_known(struct kit *k, bool killed)
{
	struct run_spec spec = kit_spec("bucket", "all");
	struct dir_page *p;
	struct results *r;
	struct result *b;
	struct lease *l;

	put_all(k);
	begin_op(k, OP_TEST);
	for (char name[] = "srv/vol/a"; name[8] <= 'd'; name[8]++)
		verdict(k, name, VERDICT_OK);
	kit_end(k, RUN_COMPLETE);
	kit_begin_spec(k, &spec);
	p = kit_page(kit_take(k, "srv/vol"), true);
	for (int i = 0; i < 3; i++) {
		AUTOFREE char *path = xasprintf("srv/vol/%c", 'a' + i);

		kit_entry(p, PAGE_QUEUE, i + 1, path,
		    kit_attrs(10 + (uint64_t)i, 1));
	}
	p->unchanged = NAMES - 3;
	catalog_put_page(k->c, p);
	l = kit_lease(k, 3);
	assert_int_equal(l->count, 3);
	r = kit_results(l);
	b = kit_result(r, &l->items[1], OUTCOME_FAILED);
	b->attempts = 2;
	err_set(&b->err, ERR_RETRY, 0, "no answer");
	kit_result(r, &l->items[2], OUTCOME_UNCHANGED);
	if (!killed)
		kit_result(r, &l->items[0], OUTCOME_UNCHANGED);
	catalog_put_results(k->c, r);
	lease_free(&l);
	kit_flush(k, 1000);
	if (!killed)
		kit_end(k, RUN_COMPLETE);
	kit_close(k);
	kit_open(k);
}

static const char verified[] = "SELECT substr(path, 9) FROM objects "
	"WHERE verdict = 'ok' ORDER BY path";

/* What it said was of the bytes before. */
static void
doubt_ends_a_verdict(void **state)
{
	struct kit *k = *state;

	sent_and_not_known(k, false);
	check_answer(k, verified, "a\nc\nd");
}

/* Of a killed run, whatever runs next; and a TEST that has read the object
 * since has the last word. */
static void
killed_run_ends_a_verdict(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");

	sent_and_not_known(k, true);
	begin_op(k, OP_TEST);
	check_answer(k, verified, "c\nd");
	verdict(k, "srv/vol/a", VERDICT_OK);
	kit_end(k, RUN_COMPLETE);
	begin_op(k, OP_TEST);
	kit_end(k, RUN_COMPLETE);
	kit_begin_spec(k, &spec);
	check_answer(k, verified, "a\nc\nd");
	kit_end(k, RUN_INTERRUPTED);
}

/* Two servers without their names in the keys: what is sent for one of them
 * may replace the object that was put for the other. */
static void
other_name_ends_a_verdict(void **state)
{
	static const struct run_export exports[] = {
		{ "srv", "vol", "srv/vol", "srv/vol", NULL },
		{ "two", "vol", "two/vol", "two/vol", NULL },
	};
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct dir_page *p;

	kit_open(k);
	spec.server_as_prefix = false;
	spec.exports = exports;
	put(k, &spec, RUN_COMPLETE);
	spec.op = OP_TEST;
	spec.no_backlog = true;
	kit_begin_spec(k, &spec);
	verdict(k, "srv/vol/a", VERDICT_OK);
	verdict(k, "srv/vol/b", VERDICT_OK);
	kit_end(k, RUN_COMPLETE);
	spec.op = OP_PUT;
	spec.no_backlog = false;
	spec.export_count = 2;
	kit_begin_spec(k, &spec);
	p = kit_page(kit_take(k, "srv/vol"), true);
	p->unchanged = NAMES;
	catalog_put_page(k->c, p);
	p = kit_page(kit_take(k, "two/vol"), true);
	kit_entry(p, PAGE_NEW, 0, "two/vol/a", kit_attrs(10, 1));
	catalog_put_page(k->c, p);
	lease_free(&(struct lease *){ kit_lease(k, 1) });
	kit_flush(k, 1000);
	kit_close(k);		/* killed */
	check_answer(k, verified, "b");
	kit_open(k);
}

#define T(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(verdicts_are_rows),
		T(lost_is_put_again),
		T(doubt_ends_a_verdict),
		T(killed_run_ends_a_verdict),
		T(other_name_ends_a_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
