/*
 * What fails because its clients do, and what because it kills them.
 */
#include "kit/team.h"

/* What kills each client that gets it is given up in the end, when it was the
 * only thing that they had in hand; what was beside it is not. */
static void
test_poison(void **state)
{
	struct fixture *x = team_setup();
	struct results *r;
	struct fake *f;
	int deaths = 0;

	(void)state;
	team_start(x, OP_PUT);
	give(x, 1, 8, 10);
	f = client(x, 1);
	f->host = "one";
	for (uint64_t pid = 2; !has_mail(x); pid++) {
		want(f, 10);
		while (!has(f, WIRE_LEASE_PUT) && !has_mail(x))
			pump_fake(f, 20);
		if (has_mail(x))
			break;
		drop(f, WIRE_LEASE_PUT);
		killed(f);
		deaths++;
		f->host = pid % 2 == 0 ? "two" : "one";
		again(f, pid);
	}
	assert_in_range(deaths, 4, 8);
	r = mail_of(x, MAIL_RESULTS);
	assert_int_equal(r->v[0].object, 8);
	assert_int_equal(r->v[0].outcome, OUTCOME_FAILED);
	assert_int_equal(r->v[0].err.kind, ERR_INVALID);
	results_free(&r);
	client_free(f);
	team_finish(x);
}

/* Clients of one host that are killed again and again, one healthy client: all
 * that they had is done by that one. They get one task at a time. */
static void
test_killed_for_ever(void **state)
{
	struct fixture *x = team_setup();
	struct fake *f, *g;
	struct results *r;
	struct wire_msg m;
	size_t most = 0;

	(void)state;
	team_start(x, OP_PUT);
	g = client(x, 1000);
	f = client(x, 1);
	f->host = "pod";
	give(x, 1, 100, 10);
	want(g, 1);
	m = wait_for(g, WIRE_LEASE_PUT);
	result(g, m.u.lease_put.lease, m.u.lease_put.items[0].object);
	wire_msg_release(&m);
	r = mail_of(x, MAIL_RESULTS);
	results_free(&r);
	give(x, 20, 1, 10);
	for (uint64_t pid = 2; pid < 12; pid++) {
		want(f, 100);
		m = wait_for(f, WIRE_LEASE_PUT);
		if (pid > 4)
			most = MAX(most, m.u.lease_put.count);
		wire_msg_release(&m);
		killed(f);
		again(f, pid);
	}
	assert_int_equal(most, 1);
	fake_hang_up(f);
	for (size_t n = 0; n < 20; n += r->count, results_free(&r)) {
		want(g, 100);
		while (!has(g, WIRE_LEASE_PUT) && !has_mail(x))
			pump_fake(g, 20);
		while (has(g, WIRE_LEASE_PUT)) {
			m = wait_for(g, WIRE_LEASE_PUT);
			for (size_t i = 0; i < m.u.lease_put.count; i++)
				result(g, m.u.lease_put.lease,
				    m.u.lease_put.items[i].object);
			wire_msg_release(&m);
		}
		r = mail_of(x, MAIL_RESULTS);
		for (size_t i = 0; i < r->count; i++)
			assert_int_equal(r->v[i].outcome, OUTCOME_MOVED);
	}
	client_free(f);
	client_free(g);
	team_finish(x);
}

/* Good-byes count once, however many there are. */
static void
test_good_byes(void **state)
{
	struct fixture *x = team_setup();
	struct results *r;
	struct wire_msg m;
	struct fake *f;

	(void)state;
	team_start(x, OP_PUT);
	give(x, 1, 8, 10);
	f = client(x, 1);
	for (uint64_t pid = 2; pid < 9; pid++) {
		want(f, 1);
		drop(f, WIRE_LEASE_PUT);
		leave(f);
		again(f, pid);
	}
	want(f, 1);
	m = wait_for(f, WIRE_LEASE_PUT);
	result(f, m.u.lease_put.lease, m.u.lease_put.items[0].object);
	r = mail_of(x, MAIL_RESULTS);
	assert_int_equal(r->v[0].outcome, OUTCOME_MOVED);
	results_free(&r);
	wire_msg_release(&m);
	client_free(f);
	team_finish(x);
}

static struct delete_batch *
keys(void)
{
	struct delete_batch *b = xcalloc(1, sizeof(*b));

	b->count = 3;
	b->v = xcalloc(3, sizeof(*b->v));
	b->v[0].key = text("a");
	b->v[1].key = text("b");
	b->v[2].key = text("c");
	return b;
}

/* What one client can't delete, another one tries: that, and no more. */
static void
test_delete_by_another(void **state)
{
	struct fixture *x = team_setup();
	struct delete_row rows[3];
	struct delete_batch *b, done = { .v = rows, .count = 3 };
	struct wire_msg m, r = { .type = WIRE_DELETED, .u.deleted = {
	    .batch = &done } };
	AUTOFREE char *version = text("v9");
	struct fake *f, *g;

	(void)state;
	team_start(x, OP_DEL);
	f = client(x, 1);
	g = client(x, 2);
	crew_delete(x->crew, keys());
	want(f, 8);
	m = wait_for(f, WIRE_LEASE_DELETE);
	memset(rows, 0, sizeof(rows));
	rows[0].version_id = version;
	err_set(&rows[1].err, ERR_RETRY, 0, "no way to S3");
	err_set(&rows[2].err, ERR_INVALID, 0, "its own");
	r.u.deleted.lease = m.u.lease_delete.lease;
	r.u.deleted.id = m.u.lease_delete.id;
	send_msg(f, f->status, &r);
	wire_msg_release(&m);
	want(g, 8);
	m = wait_for(g, WIRE_LEASE_DELETE);
	assert_int_equal(m.u.lease_delete.batch->count, 1);
	assert_string_equal(m.u.lease_delete.batch->v[0].key, "b");
	memset(rows, 0, sizeof(rows));
	done.count = 1;
	r.u.deleted.lease = m.u.lease_delete.lease;
	r.u.deleted.id = m.u.lease_delete.id;
	send_msg(g, g->status, &r);
	b = mail_of(x, MAIL_DELETED);
	assert_int_equal(b->count, 3);
	assert_string_equal(b->v[0].version_id, "v9");
	assert_int_equal(b->v[1].err.kind, ERR_NONE);
	assert_int_equal(b->v[2].err.kind, ERR_INVALID);
	delete_batch_free(&b);
	wire_msg_release(&m);
	client_free(f);
	client_free(g);
	team_finish(x);
}

static void
fetched(struct fake *f, int64_t lease, int64_t id)
{
	struct fetch_item became = { .result.outcome = OUTCOME_MOVED };
	struct wire_fetch v = { .id = id, .item = &became };
	struct wire_msg m = { .type = WIRE_FETCHED, .u.fetched = {
	    .lease = lease, .v = &v, .count = 1 } };

	send_msg(f, f->status, &m);
}

/* Until f is to give something back, or the time is over; g gets nothing. Both
 * are heard: a client that is silent is lost, with what it holds. */
static void
await_both(struct fake *f, struct fake *g, uint64_t ms)
{
	uint64_t end = clock_mono_ms() + ms;

	while (!has(f, WIRE_RECALL) && clock_mono_ms() < end) {
		heartbeat(f, 0);
		heartbeat(g, 0);
		pump_fake(f, 20);
		pump_fake(g, 20);
		assert_false(has(g, WIRE_LEASE_FETCH));
	}
}

/* What a slow client has not begun goes to one that has nothing to do; its
 * results for that count nowhere. What it has begun stays with it. */
static void
test_recall(void **state)
{
	struct fixture *x = team_setup();
	struct wire_task_id back[3];
	struct wire_msg a, b, m = { .type = WIRE_RETURNED };
	struct fake *f, *g;
	struct fetch_item *it;

	(void)state;
	team_start(x, OP_GET);
	f = client(x, 1);
	for (int i = 0; i < 5; i++) {
		it = xcalloc(1, sizeof(*it));
		it->key = xasprintf("k%d", i);
		it->path = xasprintf("k%d", i);
		crew_fetch(x->crew, it);
	}
	want(f, 5);
	a = wait_for(f, WIRE_LEASE_FETCH);
	assert_int_equal(a.u.lease_fetch.count, 5);
	g = client(x, 2);
	want(g, 5);
	crew_no_more(x->crew);
	/* A lease is late from TAIL_MS on, by its pace, while it brings
	 * something; it is looked at every 3 s. */
	await_both(f, g, 4500);
	fetched(f, a.u.lease_fetch.lease, a.u.lease_fetch.v[0].id);
	it = mail_of(x, MAIL_FETCHED);
	fetch_item_free(&it);
	await_both(f, g, LIMIT_MS);
	b = wait_for(f, WIRE_RECALL);
	assert_int_equal(b.u.recall.items, 4);
	for (size_t i = 0; i < 3; i++)
		back[i].id = a.u.lease_fetch.v[2 + i].id;
	m.u.returned = (struct wire_returned){
	    .lease = a.u.lease_fetch.lease, .v = back, .count = 3 };
	send_msg(f, f->status, &m);
	for (size_t n = 0; n < 3; n += b.u.lease_fetch.count,
	    wire_msg_release(&b)) {
		b = wait_for(g, WIRE_LEASE_FETCH);
		assert_true(b.u.lease_fetch.lease != a.u.lease_fetch.lease);
		for (size_t i = 0; i < b.u.lease_fetch.count; i++) {
			int64_t id = b.u.lease_fetch.v[i].id;

			/* Too late. */
			fetched(f, a.u.lease_fetch.lease, id);
			fetched(g, b.u.lease_fetch.lease, id);
			it = mail_of(x, MAIL_FETCHED);
			fetch_item_free(&it);
		}
	}
	fetched(f, a.u.lease_fetch.lease, a.u.lease_fetch.v[1].id);
	it = mail_of(x, MAIL_FETCHED);
	assert_string_equal(it->key, "k1");
	fetch_item_free(&it);
	wire_msg_release(&a);
	client_free(f);
	client_free(g);
	assert_false(has_mail(x));
	team_finish(x);
}

/* Clients that come and go all night: the last hundred are shown, the others
 * in one line, with all that they have brought. */
static void
test_last_hundred(void **state)
{
	struct fixture *x = team_setup();
	struct client_line v[300];
	struct results *r;
	struct wire_msg m;
	struct fake *f;
	uint64_t moved;
	size_t n;

	(void)state;
	team_start(x, OP_PUT);
	f = client(x, 1);
	for (uint64_t pid = 2; pid < 115; pid++) {
		if (pid % 10 == 0) {
			give(x, 1, (int64_t)pid, 10);
			want(f, 1);
			m = wait_for(f, WIRE_LEASE_PUT);
			result(f, m.u.lease_put.lease,
			    m.u.lease_put.items[0].object);
			wire_msg_release(&m);
			r = mail_of(x, MAIL_RESULTS);
			results_free(&r);
		}
		leave(f);
		again(f, pid);
	}
	do {
		poll(NULL, 0, 10);
		n = crew_clients(x->crew, v, ARRAY_LEN(v));
	} while (n < 2 || v[n - 1].number != 0 || v[n - 2].number != 114);
	assert_in_range(n, 101, 102);
	assert_string_equal(v[n - 1].state, "gone");
	assert_non_null(strstr(v[n - 1].host, " others"));
	moved = 0;
	for (size_t i = 0; i < n; i++)
		moved += v[i].moved;
	assert_int_equal(moved, 11);
	client_free(f);
	team_finish(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_poison),
		cmocka_unit_test(test_killed_for_ever),
		cmocka_unit_test(test_good_byes),
		cmocka_unit_test(test_delete_by_another),
		cmocka_unit_test(test_recall),
		cmocka_unit_test(test_last_hundred),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
