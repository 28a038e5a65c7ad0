/*
 * Large files that the clients of a team upload together.
 */
#include "kit/team.h"

#define SIZE	(64 * MIB)	/* eight parts, each a step */

struct step {
	struct fake *f;
	int64_t	 lease;
	int64_t	 id;
	uint32_t flags;
	enum split_step step;
	unsigned first;
	unsigned count;
};

/* The next item that this client is given. One at a time is asked for. */
static struct step
next(struct fake *f, struct item *ret)
{
	struct wire_msg m;
	struct step s = { .f = f };

	want(f, 1);
	m = wait_for(f, WIRE_LEASE_PUT);
	assert_int_equal(m.u.lease_put.count, 1);
	s.lease = m.u.lease_put.lease;
	s.id = m.u.lease_put.items[0].object;
	s.flags = m.u.lease_put.items[0].flags;
	s.step = m.u.lease_put.items[0].step;
	s.first = m.u.lease_put.items[0].part_first;
	s.count = m.u.lease_put.items[0].part_count;
	if (ret != NULL) {
		*ret = m.u.lease_put.items[0];
		memset(&m.u.lease_put.items[0], 0, sizeof(*ret));
	}
	wire_msg_release(&m);
	return s;
}

static void
say(const struct step *s, struct result *r)
{
	struct wire_msg m = { .type = WIRE_RESULTS, .u.results = {
	    .lease = s->lease, .v = r, .count = 1 } };

	r->object = s->id;
	r->attempts = 1;
	send_msg(s->f, s->f->status, &m);
}

static void
say_opened(const struct step *s)
{
	AUTOFREE char *id = text("UP");
	struct result r = { .upload_id = id, .part_size = 8 * MIB };

	note(s->f, UPLOAD_CREATED, s->lease, s->id, "UP");
	say(s, &r);
}

static void
say_sent(const struct step *s)
{
	uint8_t md5s[16 * 16];
	struct result r = { .part_count = s->count, .part_md5s = md5s,
	    .bytes_sent = 8 * MIB };

	for (unsigned i = 0; i < s->count; i++)
		memset(md5s + i * 16, (int)(s->first + i + 1), 16);
	say(s, &r);
}

static void
expect_note(struct fixture *x, enum upload_event event)
{
	struct upload_note *n = mail_of(x, MAIL_UPLOAD);

	assert_int_equal(n->event, event);
	assert_int_equal(n->object, 9);
	upload_note_free(&n);
}

struct two {
	struct fixture *x;
	struct fake *f;
	struct fake *g;
};

static struct two
two_clients(void)
{
	struct two w = { .x = team_setup() };

	team_start(w.x, OP_PUT);
	w.f = client(w.x, 1);
	w.g = client(w.x, 2);
	wait_clients(w.x, 2, "working");
	give(w.x, 1, 9, SIZE);
	return w;
}

static void
end(struct two *w)
{
	client_free(w->f);
	client_free(w->g);
	assert_false(has_mail(w->x));
	team_finish(w->x);
}

static void
test_together(void **state)
{
	struct two w = two_clients();
	struct result done = { .etag = "e-8", .bytes_sent = 1 };
	struct results *r;
	struct item it;
	struct step s;

	(void)state;
	s = next(w.f, NULL);
	assert_int_equal(s.step, SPLIT_BEGIN);
	say_opened(&s);
	expect_note(w.x, UPLOAD_CREATED);
	for (unsigned i = 0; i < 8; i++) {
		s = next(i % 2 == 0 ? w.f : w.g, &it);
		assert_int_equal(s.step, SPLIT_RANGE);
		assert_int_equal(s.first, i);
		assert_int_equal(s.count, 1);
		assert_string_equal(it.upload_id, "UP");
		item_release(&it);
		say_sent(&s);
	}
	s = next(w.g, &it);
	assert_int_equal(s.step, SPLIT_END);
	assert_int_equal(it.part_count, 8);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(it.part_md5s[i * 16 + 3], i + 1);
	item_release(&it);
	say(&s, &done);
	note(w.g, UPLOAD_ENDED, s.lease, s.id, "UP");
	r = mail_of(w.x, MAIL_RESULTS);
	assert_int_equal(r->lease, 100);
	assert_int_equal(r->count, 1);
	assert_int_equal(r->v[0].object, 9);
	assert_int_equal(r->v[0].outcome, OUTCOME_MOVED);
	assert_int_equal(r->v[0].part_size, 8 * MIB);
	assert_int_equal(r->v[0].part_count, 8);
	assert_int_equal(r->v[0].part_md5s[7 * 16], 8);
	assert_int_equal(r->v[0].bytes_sent, 64 * MIB + 1);
	assert_false(r->v[0].has_md5);
	results_free(&r);
	expect_note(w.x, UPLOAD_ENDED);
	end(&w);
}

/* One client alone opens it too: others may come and help. */
static void
test_first(void **state)
{
	struct fixture *x = team_setup();
	struct step s;
	struct fake *f, *g;

	(void)state;
	team_start(x, OP_PUT);
	f = client(x, 1);
	give(x, 1, 9, SIZE);
	s = next(f, NULL);
	assert_int_equal(s.step, SPLIT_BEGIN);
	say_opened(&s);
	expect_note(x, UPLOAD_CREATED);
	s = next(f, NULL);
	assert_int_equal(s.step, SPLIT_RANGE);
	assert_int_equal(s.first, 0);
	g = client(x, 2);
	s = next(g, NULL);
	assert_int_equal(s.step, SPLIT_RANGE);
	assert_int_equal(s.first, 1);
	client_free(f);
	client_free(g);
	team_finish(x);
}

/* One who opens it knows that it is there: that is all. */
static void
test_already_there(void **state)
{
	struct two w = two_clients();
	struct result done = { .outcome = OUTCOME_UNCHANGED };
	struct results *r;
	struct step s = next(w.f, NULL);

	(void)state;
	say(&s, &done);
	r = mail_of(w.x, MAIL_RESULTS);
	assert_int_equal(r->v[0].outcome, OUTCOME_UNCHANGED);
	results_free(&r);
	end(&w);
}

/* The file changed: what is on its way is waited for, what is queued is not
 * sent, and one client uploads the file as it is now. */
static void
test_changed(void **state)
{
	struct two w = two_clients();
	struct results *r;
	struct step s, a, b;
	struct item it;

	(void)state;
	s = next(w.f, NULL);
	say_opened(&s);
	expect_note(w.x, UPLOAD_CREATED);
	a = next(w.f, NULL);
	b = next(w.g, NULL);
	assert_int_equal(b.step, SPLIT_RANGE);
	wait_items(w.x, 1, 1);
	failure(w.f, a.lease, a.id, ERR_GONE);
	wait_items(w.x, 1, 0);
	want(w.f, 8);
	/* Only its end lets the file go on. */
	say_sent(&b);
	s = next(w.f, &it);
	assert_int_equal(s.step, SPLIT_WHOLE);
	assert_int_equal(s.flags, 0);
	assert_string_equal(it.upload_id, "UP");
	assert_null(it.part_md5s);
	item_release(&it);
	result(w.f, s.lease, s.id);
	r = mail_of(w.x, MAIL_RESULTS);
	assert_int_equal(r->v[0].object, 9);
	results_free(&r);
	end(&w);
}

/* Reasons that would be the next one's too: the upload is open still, and who
 * fails with all of the file aborts it. */
static void
test_failed(void **state)
{
	struct two w = two_clients();
	struct results *r;
	struct step s, a;
	struct item it;

	(void)state;
	s = next(w.f, NULL);
	say_opened(&s);
	expect_note(w.x, UPLOAD_CREATED);
	a = next(w.f, NULL);
	wait_items(w.x, 1, 1);
	failure(w.f, a.lease, a.id, ERR_INVALID);
	wait_items(w.x, 1, 0);
	want(w.f, 8);
	s = next(w.f, &it);
	assert_int_equal(s.step, SPLIT_WHOLE);
	assert_int_equal(s.flags, 0);
	assert_string_equal(it.upload_id, "UP");
	item_release(&it);
	assert_false(has_mail(w.x));
	failure(w.f, s.lease, s.id, ERR_INVALID);
	r = mail_of(w.x, MAIL_RESULTS);
	assert_int_equal(r->v[0].outcome, OUTCOME_FAILED);
	assert_int_equal(r->v[0].err.kind, ERR_INVALID);
	results_free(&r);
	end(&w);
}

/* The last step of a client that is lost is looked at before it is done
 * again; parts are sent again as they are. */
static void
test_lost(void **state)
{
	struct two w = two_clients();
	struct results *r;
	struct step s, a;

	(void)state;
	s = next(w.f, NULL);
	say_opened(&s);
	expect_note(w.x, UPLOAD_CREATED);
	a = next(w.f, NULL);
	leave(w.f);
	wait_clients(w.x, 1, "lost");
	for (unsigned i = 0; i < 8; i++) {
		s = next(w.g, NULL);
		assert_int_equal(s.step, SPLIT_RANGE);
		assert_true(i > 0 || s.first == a.first);
		say_sent(&s);
	}
	s = next(w.g, NULL);
	assert_int_equal(s.step, SPLIT_END);
	w.f->closed = false;
	join_ready(w.f);
	leave(w.g);
	s = next(w.f, NULL);
	assert_int_equal(s.step, SPLIT_END);
	assert_int_equal(s.flags, ITEM_SETTLE);
	result(w.f, s.lease, s.id);
	r = mail_of(w.x, MAIL_RESULTS);
	assert_int_equal(r->v[0].part_count, 8);
	results_free(&r);
	end(&w);
}

/* Who was lost between the intent and the answer may have begun an upload, of
 * which the one who comes next finds nothing yet: that the file is there is
 * not the end of it. */
static void
test_unheard(void **state)
{
	struct two w = two_clients();
	struct result done = { .outcome = OUTCOME_MOVED };
	struct results *r;
	struct step s = next(w.f, NULL);

	(void)state;
	note(w.f, UPLOAD_INTENT, s.lease, s.id, NULL);
	expect_note(w.x, UPLOAD_INTENT);
	leave(w.f);
	wait_clients(w.x, 1, "lost");
	s = next(w.g, NULL);
	note(w.g, UPLOAD_INTENT, s.lease, s.id, NULL);
	expect_note(w.x, UPLOAD_INTENT);
	note(w.g, UPLOAD_CREATED, s.lease, s.id, "UP");
	expect_note(w.x, UPLOAD_CREATED);
	say(&s, &done);
	note(w.g, UPLOAD_ENDED, s.lease, s.id, "UP");
	r = mail_of(w.x, MAIL_RESULTS);
	assert_int_equal(r->v[0].outcome, OUTCOME_MOVED);
	results_free(&r);
	expect_note(w.x, UPLOAD_INTENT);
	end(&w);
}

/* The run ends in the middle: all is freed. */
static void
test_cut(void **state)
{
	struct two w = two_clients();
	struct step s = next(w.f, NULL);

	(void)state;
	say_opened(&s);
	expect_note(w.x, UPLOAD_CREATED);
	s = next(w.f, NULL);
	say_sent(&s);
	end(&w);
	w = two_clients();
	s = next(w.f, NULL);
	say_opened(&s);
	expect_note(w.x, UPLOAD_CREATED);
	for (unsigned i = 0; i < 8; i++) {
		s = next(w.f, NULL);
		say_sent(&s);
	}
	s = next(w.f, NULL);
	assert_int_equal(s.step, SPLIT_END);
	end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_together),
		cmocka_unit_test(test_first),
		cmocka_unit_test(test_already_there),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_unheard),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
