/*
 * The journal: each change of what a target holds is an event, checks are none,
 * and what was true after a run can be asked for later.
 */
#include "kit/outcome.h"

#include <sys/wait.h>

#include "catalog/catalog_internal.h"

/* The rows say the same as the newest events, but for what is in doubt. */
static void
check_agreement(struct kit *k)
{
	check_answer(k, "SELECT r.object, r.held FROM result r "
	    "WHERE (r.held > 0) <> coalesce((SELECT e.kind < 10 FROM event e "
	    "WHERE e.object = r.object AND e.target = r.target AND "
	    "e.kind < 20 ORDER BY e.id DESC LIMIT 1), 0) AND "
	    "NOT EXISTS (SELECT 1 FROM settle s WHERE s.object = r.object "
	    "AND s.target = r.target)", "");
}

/* One file of the share, srv/vol/a, as the crawl finds it: with this time. */
static struct lease *
found(struct kit *k, enum page_action action, const char *path, int64_t time)
{
	struct run_spec spec = kit_spec("bucket", "all");
	struct known known;
	struct dir_page *p;
	int rc;

	kit_begin_spec(k, &spec);
	rc = kit_find(k, path, &known);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_entry(p, action, rc == 1 ? known.object : 0, path,
	    kit_attrs(10, time));
	p->unchanged = NAMES - 1;
	catalog_put_page(k->c, p);
	return kit_lease(k, 1);
}

static void
ends(struct kit *k, struct lease *l, enum outcome outcome,
    enum event_kind event, const char *version_id)
{
	struct results *r = kit_results(l);
	struct result *v = kit_result(r, &l->items[0], outcome);

	assert_int_equal(l->count, 1);
	v->event = event;
	v->version_id = version_id == NULL ? NULL : xstrdup(version_id);
	v->took_ms = 7;
	catalog_put_results(k->c, r);
	lease_free(&l);
	kit_end(k, RUN_COMPLETE);
	assert_true(k->closing.closes);
	check_agreement(k);
}

static void
deleted(struct kit *k, const char *path, const char *marker)
{
	struct outcomes *v = xcalloc(1, sizeof(*v));

	begin_op(k, OP_DEL);
	row(v, path, OUTCOME_DELETED)->version_id = xstrdup(marker);
	give_outcomes(k, v);
	kit_end(k, RUN_COMPLETE);
	check_agreement(k);
}

static void
judged(struct kit *k, const char *path, enum verdict what)
{
	struct outcomes *v = xcalloc(1, sizeof(*v));
	struct outcome_row *r;

	begin_op(k, OP_TEST);
	r = row(v, path, OUTCOME_FAILED);
	r->verdict = what;
	r->lost = true;
	give_outcomes(k, v);
	kit_end(k, RUN_COMPLETE);
	check_agreement(k);
}

static const char of_a[] = "SELECT run, kind, version_id, version FROM events "
	"WHERE path = 'srv/vol/a' ORDER BY event";

/* Stored in 1, checked in 2, changed in 3, deleted in 4, stored again in 5. */
static void
all_of_a(struct kit *k)
{
	put_all(k);
	ends(k, found(k, PAGE_QUEUE, "srv/vol/a", 1), OUTCOME_UNCHANGED,
	    EVENT_NONE, NULL);
	ends(k, found(k, PAGE_CHANGED, "srv/vol/a", 2), OUTCOME_MOVED,
	    EVENT_STORED, "v2");
	deleted(k, "srv/vol/a", "m4");
	ends(k, found(k, PAGE_QUEUE, "srv/vol/a", 2), OUTCOME_MOVED,
	    EVENT_STORED, "v5");
}

static void
what_became_true(void **state)
{
	struct kit *k = *state;

	all_of_a(k);
	check_answer(k, of_a, "1|stored|NULL|1\n3|stored|v2|10\n"
	    "3|replaced|NULL|1\n4|deleted|m4|10\n5|stored|v5|10");
	check_answer(k, "SELECT count(*) FROM events WHERE run = 1", "9");
	check_answer(k, "SELECT count(*) FROM events WHERE run = 2", "0");
	check_answer(k, "SELECT path, present, time IS NULL, target "
	    "FROM events WHERE run = 4", "srv/vol/a|0|0|http://s3/bucket");
}

/* The manual's question. */
static void
as_of(struct kit *k, int64_t run, const char *expected)
{
	AUTOFREE char *sql = xasprintf("SELECT path, version FROM events e "
	    "WHERE present AND path < 'srv/vol/c' AND event = (SELECT "
	    "max(event) FROM events WHERE version = e.version AND "
	    "target = e.target AND present IS NOT NULL AND run <= %lld) "
	    "ORDER BY 1", (long long)run);

	check_answer(k, sql, expected);
}

static void
any_run(void **state)
{
	struct kit *k = *state;

	all_of_a(k);
	as_of(k, 0, "");
	as_of(k, 1, "srv/vol/a|1\nsrv/vol/b|2");
	as_of(k, 2, "srv/vol/a|1\nsrv/vol/b|2");
	as_of(k, 3, "srv/vol/a|10\nsrv/vol/b|2");
	as_of(k, 4, "srv/vol/b|2");
	as_of(k, 5, "srv/vol/a|10\nsrv/vol/b|2");
}

/* A check changes neither who stored an object, nor when. */
static void
a_check_is_none(void **state)
{
	struct kit *k = *state;

	put_all(k);
	check_answer(k, "SELECT stored_run, checked_at IS NULL FROM objects "
	    "WHERE path = 'srv/vol/a'", "1|1");
	check_answer(k, "SELECT count(*) FROM objects WHERE "
	    "stored_at IS NULL", "0");
	ends(k, found(k, PAGE_QUEUE, "srv/vol/a", 1), OUTCOME_UNCHANGED,
	    EVENT_NONE, NULL);
	check_answer(k, "SELECT stored_run, checked_at IS NULL, run "
	    "FROM objects WHERE path = 'srv/vol/a'", "1|0|2");
}

/* Ids of data stay, whatever marker hides them. */
static void
version_ids_stay(void **state)
{
	struct kit *k = *state;

	put_all(k);
	ends(k, found(k, PAGE_CHANGED, "srv/vol/a", 2), OUTCOME_MOVED,
	    EVENT_STORED, "v2");
	ends(k, found(k, PAGE_QUEUE, "srv/vol/a", 2), OUTCOME_UNCHANGED,
	    EVENT_NONE, NULL);
	check_answer(k, "SELECT version_id FROM objects WHERE path = "
	    "'srv/vol/a'", "v2");
	ends(k, found(k, PAGE_CHANGED, "srv/vol/a", 3), OUTCOME_UNCHANGED,
	    EVENT_REFRESHED, "v4");
	deleted(k, "srv/vol/a", "m5");
	check_answer(k, "SELECT state, version_id, marker_id, stored_run "
	    "FROM objects WHERE path = 'srv/vol/a'", "deleted|v4|m5|4");
	check_answer(k, "SELECT version_id, marker_id, stored_run, "
	    "deleted_at, stored_at IS NULL FROM versions "
	    "WHERE path = 'srv/vol/a' ORDER BY version",
	    "NULL|NULL|1|NULL|0\nv2|NULL|2|NULL|0");
}

static void
what_was_found(void **state)
{
	struct kit *k = *state;

	put_all(k);
	judged(k, "srv/vol/a", VERDICT_MISSING);
	judged(k, "srv/vol/b", VERDICT_CORRUPT);
	ends(k, found(k, PAGE_QUEUE, "srv/vol/a", 1), OUTCOME_UNCHANGED,
	    EVENT_ADOPTED, NULL);
	ends(k, found(k, PAGE_CHANGED, "srv/vol/c", 2), OUTCOME_UNCHANGED,
	    EVENT_NONE, NULL);
	check_answer(k, "SELECT run, path, kind, present FROM events "
	    "WHERE run > 1 ORDER BY event", "2|srv/vol/a|lost|0\n"
	    "3|srv/vol/b|differed|0\n4|srv/vol/a|adopted|1\n"
	    "5|srv/vol/c|adopted|1\n5|srv/vol/c|replaced|0");
}

/* Whether the deletion took place isn't known: then nothing became true. */
static void
doubts_are_none(void **state)
{
	struct kit *k = *state;
	struct outcomes *v = xcalloc(1, sizeof(*v));
	struct outcome_row *r;

	put_all(k);
	begin_op(k, OP_DEL);
	row(v, "srv/vol/a", OUTCOME_FAILED);
	catalog_intend_delete(k->c, v, k->mail);
	v = (struct outcomes *)kit_mail(k, MAIL_DELETE_NOTED);
	r = &v->v[0];
	err_set(&r->err, ERR_RETRY, 0, "no answer");
	r->lost = true;
	give_outcomes(k, v);
	kit_end(k, RUN_COMPLETE);
	check_answer(k, "SELECT count(*) FROM events WHERE run = 2", "0");
	deleted(k, "srv/vol/a", "m3");
	check_answer(k, "SELECT kind FROM events WHERE run > 1", "deleted");
}

/* A range of objects is one event, and what a TEST finds otherwise ends it. */
static void
ranges_are_verified(void **state)
{
	struct kit *k = *state;
	struct outcomes *v = xcalloc(1, sizeof(*v));
	struct outcome_row *r;

	put_all(k);
	begin_op(k, OP_TEST);
	verdict(k, "srv/vol/c", VERDICT_OK);
	verdict(k, "srv/vol/a", VERDICT_OK);
	verdict(k, "srv/vol/b", VERDICT_CHANGED);
	r = row(v, "srv/vol/d", OUTCOME_FAILED);
	r->verdict = VERDICT_MISSING;
	r->lost = true;
	give_outcomes(k, v);
	verdict(k, "srv/vol/e", VERDICT_OK);
	verdict(k, "srv/vol/f", VERDICT_OK);
	verdict(k, "srv/vol/g", VERDICT_BITROT);
	kit_end(k, RUN_COMPLETE);
	check_answer(k, "SELECT kind, path, version, last_version, present "
	    "FROM events WHERE run = 2 ORDER BY event",
	    "lost|srv/vol/d|4|NULL|0\n"
	    "verified|srv/vol/a|1|1|NULL\n"
	    "verified|srv/vol/c|3|3|NULL\n"
	    "verified|srv/vol/e|5|6|NULL");
	check_agreement(k);
	check_answer(k, "SELECT path, outcome, method FROM verifications "
	    "ORDER BY path", "srv/vol/a|ok|full\nsrv/vol/b|changed|full\n"
	    "srv/vol/c|ok|full\nsrv/vol/d|missing|full\nsrv/vol/e|ok|full\n"
	    "srv/vol/f|ok|full\nsrv/vol/g|bitrot|full");
	begin_op(k, OP_TEST);
	kit_end(k, RUN_COMPLETE);
	check_answer(k, "SELECT count(*) FROM events WHERE run = 3", "0");
}

/* A TEST that finds what was put adds an event, and no row for each object; the
 * verdicts of a killed one become events when the next run begins. */
static void
killed_while_verifying(void **state)
{
	struct kit *k = *state;
	int status;
	pid_t pid;

	put_all(k);
	kit_close(k);
	pid = fork();
	if (pid == 0) {
		kit_open(k);
		begin_op(k, OP_TEST);
		verdict(k, "srv/vol/a", VERDICT_OK);
		verdict(k, "srv/vol/b", VERDICT_OK);
		verdict(k, "srv/vol/c", VERDICT_OK);
		verdict(k, "srv/vol/e", VERDICT_OK);
		kit_flush(k, 1);
		/* As if some time had passed: these are events. */
		k->c->writer.ranges_ms = 0;
		kit_flush(k, 2);
		k->c->writer.ranges_ms = UINT64_MAX / 2;
		verdict(k, "srv/vol/f", VERDICT_OK);
		verdict(k, "srv/vol/g", VERDICT_BITROT);
		kit_flush(k, 1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	kit_open(k);
	begin_op(k, OP_TEST);
	verdict(k, "srv/vol/a", VERDICT_OK);
	kit_end(k, RUN_COMPLETE);
	check_answer(k, "SELECT run, count(*) FROM verifications WHERE "
	    "outcome = 'ok' GROUP BY 1", "2|5\n3|1");
	check_answer(k, "SELECT version, last_version FROM events WHERE "
	    "kind = 'verified' AND run = 2 ORDER BY 1 DESC LIMIT 1", "6|6");
	check_answer(k, "SELECT run, path, outcome FROM verifications WHERE "
	    "outcome <> 'ok'", "2|srv/vol/g|bitrot");
}

/* A run's transfers are told as they were, whatever later runs do. */
static void
transfers_stay(void **state)
{
	static const char *const expected[] = {
		"srv/vol/a|moved|10|0|NULL|NULL\n"
		"srv/vol/b|moved|11|0|NULL|NULL",
		"srv/vol/a|unchanged|10|NULL|1|NULL",
		"srv/vol/a|moved|10|NULL|NULL|NULL",
		"srv/vol/a|deleted|10|NULL|NULL|NULL",
		"srv/vol/a|moved|10|7|1|NULL",
		"srv/vol/b|failed|11|NULL|1|no access",
	};
	struct kit *k = *state;

	all_of_a(k);
	ends(k, found(k, PAGE_QUEUE, "srv/vol/b", 1), OUTCOME_FAILED,
	    EVENT_NONE, NULL);
	for (int i = 0; i < (int)ARRAY_LEN(expected); i++) {
		AUTOFREE char *sql = xasprintf("SELECT path, outcome, size, "
		    "CAST(seconds * 1000 AS INTEGER), attempts, reason "
		    "FROM transfers WHERE run = %d AND path < 'srv/vol/c' "
		    "ORDER BY 1, 2", i + 1);

		check_answer(k, sql, expected[i]);
	}
	check_answer(k, "SELECT count(*) FROM transfers WHERE run = 1 AND "
	    "outcome = 'moved'", "9");
}

#define T(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_became_true),
		T(any_run),
		T(a_check_is_none),
		T(version_ids_stay),
		T(what_was_found),
		T(doubts_are_none),
		T(transfers_stay),
		T(ranges_are_verified),
		T(killed_while_verifying),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
