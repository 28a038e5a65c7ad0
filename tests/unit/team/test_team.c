/*
 * What a team promises, whatever its clients do.
 */
#include "kit/team.h"

static void
test_lease_and_results(void **state)
{
	struct fixture *x = team_setup();
	struct wire_msg m;
	struct results *r;
	struct fake *f;

	(void)state;
	team_start(x, OP_PUT);
	f = client(x, 1);
	give(x, 2, 40, 10);
	want(f, 10);
	crew_no_more(x->crew);
	m = wait_for(f, WIRE_LEASE_PUT);
	assert_int_equal(m.u.lease_put.count, 2);
	assert_string_equal(m.u.lease_put.items[0].raw, "f0");
	assert_int_equal(m.u.lease_put.items[0].flags, 0);
	result(f, m.u.lease_put.lease, m.u.lease_put.items[1].object);
	r = mail_of(x, MAIL_RESULTS);
	assert_int_equal(r->lease, 100);
	assert_int_equal(r->count, 1);
	assert_int_equal(r->v[0].object, 41);
	assert_int_equal(r->v[0].bytes_sent, 5);
	results_free(&r);
	/* Once more, and one that was never asked for: they count nowhere. */
	result(f, m.u.lease_put.lease, m.u.lease_put.items[1].object);
	result(f, m.u.lease_put.lease, 4711);
	result(f, m.u.lease_put.lease + 1, m.u.lease_put.items[0].object);
	result(f, m.u.lease_put.lease, m.u.lease_put.items[0].object);
	r = mail_of(x, MAIL_RESULTS);
	assert_int_equal(r->count, 1);
	assert_int_equal(r->v[0].object, 40);
	results_free(&r);
	wire_msg_release(&m);
	client_free(f);
	team_finish(x);
}

/* The clocks of a master and a client have nothing in common. */
static void
test_clock_of_s3(void **state)
{
	struct fixture *x = team_setup();
	struct fake *f;

	(void)state;
	team_start(x, OP_PUT);
	f = client(x, 1);
	assert_in_range(f->s3_clock_ms, S3_CLOCK_MS, S3_CLOCK_MS +
	    (int64_t)(clock_boot_ms() - x->started_ms));
	client_free(f);
	team_finish(x);
}

static void
test_loss(void **state)
{
	struct fixture *x = team_setup();
	struct wire_msg a, b;
	struct results *r;
	struct fake *f, *g;

	(void)state;
	team_start(x, OP_PUT);
	f = client(x, 1);
	give(x, 3, 1, 10);
	want(f, 3);
	a = wait_for(f, WIRE_LEASE_PUT);
	assert_int_equal(a.u.lease_put.count, 3);
	result(f, a.u.lease_put.lease, a.u.lease_put.items[0].object);
	r = mail_of(x, MAIL_RESULTS);
	results_free(&r);
	leave(f);
	wait_clients(x, 1, "lost");
	g = client(x, 2);
	assert_int_not_equal(g->number, f->number);
	want(g, 10);
	b = wait_for(g, WIRE_LEASE_PUT);
	assert_int_equal(b.u.lease_put.count, 2);
	assert_true(b.u.lease_put.lease != a.u.lease_put.lease);
	assert_true(b.u.lease_put.items[0].flags & ITEM_SETTLE);
	/* The lost one comes back with a result that it had: the item is
	 * somebody else's now. */
	f->closed = false;
	join_ready(f);
	assert_int_equal(f->number, 1);
	result(f, a.u.lease_put.lease, a.u.lease_put.items[1].object);
	result(g, b.u.lease_put.lease, b.u.lease_put.items[0].object);
	result(g, b.u.lease_put.lease, b.u.lease_put.items[1].object);
	for (size_t n = 0; n < 2; n += r->count, results_free(&r)) {
		r = mail_of(x, MAIL_RESULTS);
		assert_true(r->v[0].object == 2 || r->v[0].object == 3);
		if (n + r->count == 2) {
			results_free(&r);
			break;
		}
	}
	wire_msg_release(&a);
	wire_msg_release(&b);
	client_free(f);
	client_free(g);
	assert_false(has_mail(x));
	team_finish(x);
}

/* A result that comes late, when nobody else has the item: it counts. */
static void
test_late_result(void **state)
{
	struct fixture *x = team_setup();
	struct results *r;
	struct wire_msg a;
	struct fake *f;

	(void)state;
	team_start(x, OP_PUT);
	f = client(x, 1);
	give(x, 1, 9, 10);
	want(f, 3);
	a = wait_for(f, WIRE_LEASE_PUT);
	leave(f);
	wait_clients(x, 1, "lost");
	f->closed = false;
	join_ready(f);
	result(f, a.u.lease_put.lease, a.u.lease_put.items[0].object);
	r = mail_of(x, MAIL_RESULTS);
	assert_int_equal(r->v[0].object, 9);
	results_free(&r);
	wire_msg_release(&a);
	client_free(f);
	team_finish(x);
}

static void
test_duplicate(void **state)
{
	struct fixture *x = team_setup();
	struct wire_msg a, b;
	struct results *r;
	struct fake *f, *g;
	int64_t changed;

	(void)state;
	/* A lease counts as late after 10 s. */
	x->conf.socket_options.recv_timeout = 30;
	team_start(x, OP_PUT);
	f = client(x, 1);
	give(x, 1, 5, 10);
	give(x, 1, 6, 100 * MIB);	/* in parts: one holder only */
	give(x, 1, 7, 10);
	want(f, 10);
	a = wait_for(f, WIRE_LEASE_PUT);
	assert_int_equal(a.u.lease_put.count, 3);
	want(f, 0);
	g = client(x, 2);
	want(g, 10);
	crew_no_more(x->crew);
	b = wait_for(g, WIRE_LEASE_PUT);
	assert_int_equal(b.u.lease_put.count, 2);
	changed = a.u.lease_put.items[2].object;
	assert_int_equal(b.u.lease_put.items[0].object, changed);
	assert_int_equal(b.u.lease_put.items[1].object,
	    a.u.lease_put.items[0].object);
	/* What the other has sent or sees decides. */
	newer_result(g, b.u.lease_put.lease, changed);
	result(g, b.u.lease_put.lease, b.u.lease_put.items[1].object);
	r = mail_of(x, MAIL_RESULTS);
	assert_int_equal(r->v[0].object, 5);
	results_free(&r);
	result(f, a.u.lease_put.lease, a.u.lease_put.items[0].object);
	result(f, a.u.lease_put.lease, a.u.lease_put.items[1].object);
	r = mail_of(x, MAIL_RESULTS);
	assert_int_equal(r->count, 1);
	assert_int_equal(r->v[0].object, 6);
	results_free(&r);
	assert_false(has_mail(x));
	result(f, a.u.lease_put.lease, changed);
	r = mail_of(x, MAIL_RESULTS);
	assert_int_equal(r->v[0].object, 7);
	assert_int_equal(r->v[0].outcome, OUTCOME_MOVED);
	results_free(&r);
	wire_msg_release(&a);
	wire_msg_release(&b);
	client_free(f);
	client_free(g);
	team_finish(x);
}

static void
test_notes(void **state)
{
	struct fixture *x = team_setup();
	struct wire_msg a, b, m;
	struct upload_note *n;
	struct results *r;
	struct fake *f, *g;
	int64_t id;

	(void)state;
	team_start(x, OP_PUT);
	f = client(x, 1);
	give(x, 1, 77, 100 * MIB);
	want(f, 1);
	a = wait_for(f, WIRE_LEASE_PUT);
	id = a.u.lease_put.items[0].object;
	/* Under a lease that never was: dropped. */
	note(f, UPLOAD_INTENT, a.u.lease_put.lease + 5, id, NULL);
	note(f, UPLOAD_INTENT, a.u.lease_put.lease, id, NULL);
	n = mail_of(x, MAIL_UPLOAD);
	assert_int_equal(n->event, UPLOAD_INTENT);
	assert_int_equal(n->object, 77);
	assert_int_equal(n->server_sec, 55);
	crew_noted(x->crew, n->worker, n->object);
	upload_note_free(&n);
	m = wait_for(f, WIRE_NOTED);
	assert_int_equal(m.u.noted.object, id);
	assert_int_equal(m.u.noted.worker, 3);
	note(f, UPLOAD_CREATED, a.u.lease_put.lease, id, "UP1");
	n = mail_of(x, MAIL_UPLOAD);
	assert_string_equal(n->upload_id, "UP1");
	upload_note_free(&n);
	leave(f);
	/* Whoever gets it goes on with that upload. */
	g = client(x, 2);
	want(g, 1);
	b = wait_for(g, WIRE_LEASE_PUT);
	assert_string_equal(b.u.lease_put.items[0].upload_id, "UP1");
	assert_int_equal(b.u.lease_put.items[0].upload_part_size, 4096);
	assert_int_equal(b.u.lease_put.items[0].upload_intent_sec, 55);
	f->closed = false;
	join_ready(f);
	note(f, UPLOAD_ENDED, a.u.lease_put.lease, id, "UP1");
	/* Its end is said after its result. */
	result(g, b.u.lease_put.lease, id);
	note(g, UPLOAD_ENDED, b.u.lease_put.lease, id, "UP1");
	note(g, UPLOAD_ENDED, b.u.lease_put.lease, id, "UP1");
	r = mail_of(x, MAIL_RESULTS);
	results_free(&r);
	n = mail_of(x, MAIL_UPLOAD);
	assert_int_equal(n->event, UPLOAD_ENDED);
	assert_int_equal(n->object, 77);
	upload_note_free(&n);
	wire_msg_release(&a);
	wire_msg_release(&b);
	client_free(f);
	client_free(g);
	assert_false(has_mail(x));
	team_finish(x);
}

static void
refused(struct fixture *x, uint32_t protocol, const char *version,
    const char *word)
{
	struct fake *f = xcalloc(1, sizeof(*f));
	struct wire_msg m;

	f->x = x;
	f->pid = 99;
	f->index = dial_team(x, 0);
	send_hello(f, f->index, 0, protocol, version);
	m = wait_for(f, WIRE_REFUSED);
	assert_non_null(strstr(m.u.refused.reason, word));
	assert_non_null(strstr(m.u.refused.reason, DATAMOVER_VERSION));
	wire_msg_release(&m);
	for (int i = 0; !f->closed && i < 200; i++)
		pump_fake(f, 100);
	assert_true(f->closed);
	client_free(f);
}

static void
test_versions(void **state)
{
	struct fixture *x = team_setup();
	struct client_line c;

	(void)state;
	team_start(x, OP_PUT);
	refused(x, WIRE_PROTOCOL + 1, DATAMOVER_VERSION, "protocol 10");
	refused(x, WIRE_PROTOCOL, "9.9-else", "9.9-else");
	assert_int_equal(crew_clients(x->crew, &c, 1), 0);
	team_finish(x);
}

static void
bye(struct fake *f)
{
	struct wire_msg m = { .type = WIRE_BYE };

	send_msg(f, f->status, &m);
	leave(f);
}

static void
test_stop(void **state)
{
	struct fixture *x = team_setup();
	struct results *r;
	struct wire_msg a, m;
	struct fake *f, *g;

	(void)state;
	team_start(x, OP_PUT);
	f = client(x, 1);
	g = client(x, 2);
	give(x, 2, 1, 10);
	want(f, 1);
	a = wait_for(f, WIRE_LEASE_PUT);
	assert_false(crew_idle(x->crew));
	crew_stop(x->crew, 5000);
	m = wait_for(f, WIRE_STOP);
	assert_int_equal(m.u.stop.limit_ms, 5000);
	drop(g, WIRE_STOP);
	/* Nothing new; what is on the way still counts. */
	want(g, 1);
	result(f, a.u.lease_put.lease, a.u.lease_put.items[0].object);
	r = mail_of(x, MAIL_RESULTS);
	results_free(&r);
	assert_false(has(g, WIRE_LEASE_PUT));
	assert_false(crew_idle(x->crew));
	bye(f);
	bye(g);
	for (int i = 0; !crew_idle(x->crew) && i < 2000; i++)
		poll(NULL, 0, 10);
	assert_true(crew_idle(x->crew));
	wire_msg_release(&a);
	client_free(f);
	client_free(g);
	assert_false(has_mail(x));
	team_finish(x);
}

/* A client that does not hear is left behind. */
static void
test_stop_deaf(void **state)
{
	struct fixture *x = team_setup();
	struct fake *f;

	(void)state;
	team_start(x, OP_PUT);
	f = client(x, 1);
	crew_stop(x->crew, 0);
	for (int i = 0; !crew_idle(x->crew) && i < 2000; i++)
		poll(NULL, 0, 10);
	assert_true(crew_idle(x->crew));
	client_free(f);
	team_finish(x);
}

static void
test_nobody(void **state)
{
	struct fixture *x = team_setup();
	struct crew_failure *c;
	struct fake *f;

	(void)state;
	x->conf.socket_options.max_connection_time_threshold = 1;
	team_start(x, OP_PUT);
	f = client(x, 1);
	leave(f);
	c = mail_of(x, MAIL_CREW_FAILED);
	assert_int_equal(c->err.kind, ERR_UNREACHABLE);
	assert_non_null(strstr(c->err.msg, "fakehost"));
	free(c);
	client_free(f);
	team_finish(x);
}

static void
wrong_command(struct fake *f)
{
	struct wire_msg m = { .type = WIRE_BYE };

	err_set(&m.u.bye.err, ERR_USAGE, 0, "no such directory");
	send_msg(f, f->status, &m);
	leave(f);
}

/* All clients say that the command is wrong. */
static void
test_wrong_command(void **state)
{
	struct fixture *x = team_setup();
	struct crew_failure *c;
	struct fake *f, *g;

	(void)state;
	x->conf.socket_options.max_connection_time_threshold = 1;
	team_start(x, OP_GET);
	f = client(x, 1);
	g = client(x, 2);
	wrong_command(f);
	wrong_command(g);
	c = mail_of(x, MAIL_CREW_FAILED);
	assert_int_equal(c->err.kind, ERR_USAGE);
	assert_non_null(strstr(c->err.msg, "fakehost: no such directory"));
	free(c);
	client_free(f);
	client_free(g);
	team_finish(x);
}

/* One that reaches only one of the ports, again and again. */
static void
test_half_there(void **state)
{
	struct fixture *x = team_setup();
	struct fake *f = xcalloc(1, sizeof(*f));
	struct crew_failure *c;
	struct wire_msg m;

	(void)state;
	x->conf.socket_options.max_connection_time_threshold = 1;
	team_start(x, OP_PUT);
	f->x = x;
	while (!has_mail(x)) {
		f->closed = false;
		f->index = dial_team(x, 0);
		send_hello(f, f->index, 0, WIRE_PROTOCOL, DATAMOVER_VERSION);
		m = wait_for(f, WIRE_WELCOME);
		wire_msg_release(&m);
		fake_hang_up(f);
		wait_clients(x, 1, "lost");
		while (f->count > 0)
			wire_msg_release(&f->got[--f->count]);
	}
	c = mail_of(x, MAIL_CREW_FAILED);
	assert_int_equal(c->err.kind, ERR_UNREACHABLE);
	free(c);
	client_free(f);
	team_finish(x);
}

static void
test_silence(void **state)
{
	struct fixture *x = team_setup();
	struct wire_msg a, b;
	struct fake *f, *g;

	(void)state;
	x->conf.socket_options.recv_timeout = 1;
	team_start(x, OP_PUT);
	f = client(x, 1);
	give(x, 1, 1, 10);
	want(f, 1);
	a = wait_for(f, WIRE_LEASE_PUT);
	wait_clients(x, 1, "lost");
	g = client(x, 2);
	want(g, 1);
	b = wait_for(g, WIRE_LEASE_PUT);
	assert_int_equal(b.u.lease_put.items[0].object,
	    a.u.lease_put.items[0].object);
	wire_msg_release(&a);
	wire_msg_release(&b);
	client_free(f);
	client_free(g);
	team_finish(x);
}

static void
test_fetch(void **state)
{
	struct fixture *x = team_setup();
	struct fetch_item *it = xcalloc(1, sizeof(*it)), done;
	struct wire_fetch w = { .item = &done };
	struct wire_msg m, r = { .type = WIRE_FETCHED, .u.fetched = {
	    .v = &w, .count = 1 } };
	struct fake *f;
	int mine;

	(void)state;
	team_start(x, OP_GET);
	f = client(x, 1);
	it->key = text("k/1");
	it->path = text("k/1");
	it->size = 5;
	it->user = &mine;
	crew_fetch(x->crew, it);
	want(f, 1);
	m = wait_for(f, WIRE_LEASE_FETCH);
	assert_int_equal(m.u.lease_fetch.count, 1);
	assert_string_equal(m.u.lease_fetch.v[0].item->key, "k/1");
	memset(&done, 0, sizeof(done));
	done.result.outcome = OUTCOME_UNCHANGED;
	done.size = 6;
	done.result.bytes = 17;
	done.result.proof = PROOF_ETAG;
	w.id = m.u.lease_fetch.v[0].id;
	r.u.fetched.lease = m.u.lease_fetch.lease;
	send_msg(f, f->status, &r);
	it = mail_of(x, MAIL_FETCHED);
	assert_ptr_equal(it->user, &mine);
	assert_string_equal(it->path, "k/1");
	assert_int_equal(it->result.outcome, OUTCOME_UNCHANGED);
	assert_int_equal(it->size, 6);
	assert_int_equal(it->result.bytes, 17);
	assert_int_equal(it->result.proof, PROOF_ETAG);
	fetch_item_free(&it);
	wire_msg_release(&m);
	client_free(f);
	team_finish(x);
}

static void
fetched(struct fake *f, const struct wire_msg *lease, enum err_kind kind)
{
	struct fetch_item done;
	struct wire_fetch w = { .id = lease->u.lease_fetch.v[0].id,
	    .item = &done };
	struct wire_msg m = { .type = WIRE_FETCHED, .u.fetched = {
	    .lease = lease->u.lease_fetch.lease, .v = &w, .count = 1 } };

	memset(&done, 0, sizeof(done));
	done.result.outcome = OUTCOME_MOVED;
	done.result.file_hashed = kind == ERR_NONE;
	if (kind != ERR_NONE)
		err_set(&done.result.file_err, kind, 0, "why");
	send_msg(f, f->status, &m);
}

/* The object is good, but a client can't read its file: another one may. */
static void
test_file_of_another(void **state)
{
	struct fixture *x = team_setup();
	struct fetch_item *it = xcalloc(1, sizeof(*it));
	struct wire_msg m;
	struct fake *f, *g;

	(void)state;
	team_start(x, OP_TEST);
	f = client(x, 1);
	g = client(x, 2);
	it->key = text("k/1");
	it->raw = text("1");
	crew_fetch(x->crew, it);
	want(f, 1);
	m = wait_for(f, WIRE_LEASE_FETCH);
	fetched(f, &m, ERR_DENIED);
	wire_msg_release(&m);
	want(g, 1);
	m = wait_for(g, WIRE_LEASE_FETCH);
	assert_false(has_mail(x));
	fetched(g, &m, ERR_NONE);
	wire_msg_release(&m);
	it = mail_of(x, MAIL_FETCHED);
	assert_int_equal(it->result.file_err.kind, ERR_NONE);
	fetch_item_free(&it);
	client_free(f);
	client_free(g);
	team_finish(x);
}

static struct delete_batch *
two_keys(void)
{
	struct delete_batch *b = xcalloc(1, sizeof(*b));

	b->count = 2;
	b->v = xcalloc(2, sizeof(*b->v));
	b->v[0].key = text("a");
	b->v[1].key = text("b");
	return b;
}

static void
test_delete(void **state)
{
	struct fixture *x = team_setup();
	struct delete_row rows[2];
	struct delete_batch *b, done = { .v = rows, .count = 2 };
	struct wire_msg m, r = { .type = WIRE_DELETED, .u.deleted = {
	    .batch = &done } };
	AUTOFREE char *version = text("v9");
	struct fake *f;
	int mine;

	(void)state;
	team_start(x, OP_DEL);
	f = client(x, 1);
	b = two_keys();
	b->user = &mine;
	crew_delete(x->crew, b);
	want(f, 8);
	m = wait_for(f, WIRE_LEASE_DELETE);
	assert_int_equal(m.u.lease_delete.batch->count, 2);
	assert_string_equal(m.u.lease_delete.batch->v[1].key, "b");
	memset(rows, 0, sizeof(rows));
	/* A client that is told to end has not done it. */
	err_set(&rows[1].err, ERR_STOPPED, 0, "stopped");
	r.u.deleted.lease = m.u.lease_delete.lease;
	r.u.deleted.id = m.u.lease_delete.id;
	send_msg(f, f->status, &r);
	leave(f);
	join_ready(f);
	assert_false(has_mail(x));
	wire_msg_release(&m);
	want(f, 8);
	m = wait_for(f, WIRE_LEASE_DELETE);
	rows[0].version_id = version;
	err_set(&rows[1].err, ERR_INVALID, 403, "no");
	r.u.deleted.lease = m.u.lease_delete.lease;
	r.u.deleted.id = m.u.lease_delete.id;
	send_msg(f, f->status, &r);
	b = mail_of(x, MAIL_DELETED);
	assert_ptr_equal(b->user, &mine);
	assert_string_equal(b->v[0].key, "a");
	assert_string_equal(b->v[0].version_id, "v9");
	assert_int_equal(b->v[1].err.kind, ERR_INVALID);
	delete_batch_free(&b);
	wire_msg_release(&m);
	/* Answers that don't fit the question end the connection. */
	crew_delete(x->crew, two_keys());
	want(f, 8);
	m = wait_for(f, WIRE_LEASE_DELETE);
	done.count = 1;
	r.u.deleted.lease = m.u.lease_delete.lease;
	r.u.deleted.id = m.u.lease_delete.id;
	send_msg(f, f->status, &r);
	wire_msg_release(&m);
	wait_clients(x, 1, "lost");
	client_free(f);
	assert_false(has_mail(x));
	team_finish(x);
}

/* More than a frame holds comes in several, under one lease. */
static void
test_frames(void **state)
{
	struct fixture *x = team_setup();
	struct lease *l = xcalloc(1, sizeof(*l));
	struct fake *f;
	size_t n = 0;
	int64_t lease = 0;

	(void)state;
	team_start(x, OP_PUT);
	f = client(x, 1);
	l->id = 1;
	l->count = 60;
	l->items = xcalloc(l->count, sizeof(*l->items));
	for (size_t i = 0; i < l->count; i++) {
		char *name = xmalloc(64 * KIB);

		memset(name, 'x', 64 * KIB);
		name[64 * KIB - 1] = '\0';
		l->items[i].object = (int64_t)i + 1;
		l->items[i].path = text(name);
		l->items[i].raw = name;
	}
	crew_lease(x->crew, l);
	want(f, 100);
	while (n < 60) {
		struct wire_msg m = wait_for(f, WIRE_LEASE_PUT);

		assert_true(n == 0 || m.u.lease_put.lease == lease);
		lease = m.u.lease_put.lease;
		assert_in_range(m.u.lease_put.count, 1, 16);
		n += m.u.lease_put.count;
		wire_msg_release(&m);
	}
	assert_int_equal(n, 60);
	client_free(f);
	team_finish(x);
}

/* What fails for a reason that may be the client's own is tried by another
 * one; what is the object's own is not. */
static void
test_second_try(void **state)
{
	struct fixture *x = team_setup();
	struct wire_msg a, b;
	struct results *r;
	struct fake *f, *g;

	(void)state;
	team_start(x, OP_PUT);
	f = client(x, 1);
	give(x, 2, 1, 10);
	want(f, 2);
	a = wait_for(f, WIRE_LEASE_PUT);
	assert_int_equal(a.u.lease_put.count, 2);
	g = client(x, 2);
	failure(f, a.u.lease_put.lease, a.u.lease_put.items[0].object,
	    ERR_INVALID);
	r = mail_of(x, MAIL_RESULTS);
	assert_int_equal(r->v[0].object, 1);
	results_free(&r);
	failure(f, a.u.lease_put.lease, a.u.lease_put.items[1].object,
	    ERR_UNREACHABLE);
	/* It may be its turn again, and again: that proves nothing. */
	for (int i = 0; i < 3; i++) {
		want(f, 1);
		b = wait_for(f, WIRE_LEASE_PUT);
		failure(f, b.u.lease_put.lease,
		    b.u.lease_put.items[0].object, ERR_UNREACHABLE);
		wire_msg_release(&b);
	}
	want(g, 1);
	b = wait_for(g, WIRE_LEASE_PUT);
	assert_int_equal(b.u.lease_put.items[0].object,
	    a.u.lease_put.items[1].object);
	result(g, b.u.lease_put.lease, b.u.lease_put.items[0].object);
	r = mail_of(x, MAIL_RESULTS);
	assert_int_equal(r->v[0].object, 2);
	assert_int_equal(r->v[0].outcome, OUTCOME_MOVED);
	results_free(&r);
	wire_msg_release(&a);
	wire_msg_release(&b);
	client_free(f);
	client_free(g);
	team_finish(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lease_and_results),
		cmocka_unit_test(test_clock_of_s3),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_late_result),
		cmocka_unit_test(test_duplicate),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_stop_deaf),
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_wrong_command),
		cmocka_unit_test(test_half_there),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_fetch),
		cmocka_unit_test(test_file_of_another),
		cmocka_unit_test(test_delete),
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_second_try),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
