/*
 * Large objects that the clients of a team fetch together.
 */
#include <errno.h>

#include "kit/team.h"

#define UNIT	(16 * MIB)
#define PART	(8 * MIB)
#define SIZE	(5 * UNIT - 1)	/* ten parts */

struct step {
	struct fake *f;
	int64_t	 lease;
	int64_t	 id;
	struct fetch_item *item;
};

/* The next item that this client is given. One at a time is asked for. */
static struct step
next(struct fake *f, enum split_step kind)
{
	struct wire_msg m;
	struct step s = { .f = f };

	want(f, 1);
	m = wait_for(f, WIRE_LEASE_FETCH);
	assert_int_equal(m.u.lease_fetch.count, 1);
	s.lease = m.u.lease_fetch.lease;
	s.id = m.u.lease_fetch.v[0].id;
	s.item = STEAL(m.u.lease_fetch.v[0].item);
	wire_msg_release(&m);
	assert_int_equal(s.item->step, kind);
	return s;
}

/* Its result; the step is over. */
static void
say(struct step *s, struct fetch_item *result)
{
	struct wire_fetch w = { .id = s->id, .item = result };
	struct wire_msg m = { .type = WIRE_FETCHED, .u.fetched = {
	    .lease = s->lease, .v = &w, .count = 1 } };

	send_msg(s->f, s->f->status, &m);
	fetch_item_free(&s->item);
}

static void
say_begun(struct step *s, uint64_t part)
{
	struct fetch_item r = { .size = SIZE, .unit = UNIT,
	    .part_size = part, .etag = "new-10" };

	say(s, &r);
}

static void
say_brought(struct step *s)
{
	uint8_t md5s[2 * 16];
	struct fetch_item r = { .result.bytes = fetch_item_bytes(s->item),
	    .part_count = 2, .part_md5s = md5s };

	memset(md5s, (int)(2 * s->item->range + 1), 16);
	memset(md5s + 16, (int)(2 * s->item->range + 2), 16);
	say(s, &r);
}

static void
say_why(struct step *s, enum err_kind kind, int code)
{
	struct fetch_item r = { .result.outcome = OUTCOME_FAILED };

	err_set(&r.result.err, kind, code, "why");
	say(s, &r);
}

static void
say_failed(struct step *s, enum err_kind kind)
{
	say_why(s, kind, 0);
}

struct two {
	struct fixture *x;
	struct fake *f;
	struct fake *g;
};

static void
give_one(struct fixture *x, uint64_t size)
{
	struct fetch_item *it = xcalloc(1, sizeof(*it));

	it->key = text("h/k");
	it->path = text("h/k");
	it->size = size;
	snprintf(it->etag, sizeof(it->etag), "old-9");
	it->user = x;
	crew_fetch(x->crew, it);
}

static struct two
two_clients(bool shared)
{
	struct two w = { .x = team_setup() };

	w.x->conf.client.dest_shared = shared;
	team_start(w.x, OP_GET);
	w.f = client(w.x, 1);
	w.g = client(w.x, 2);
	wait_clients(w.x, 2, "working");
	return w;
}

static struct fetch_item *
outcome(struct two *w, enum outcome want_outcome)
{
	struct fetch_item *it = mail_of(w->x, MAIL_FETCHED);

	assert_ptr_equal(it->user, w->x);
	assert_int_equal(it->result.outcome, want_outcome);
	assert_int_equal(it->step, SPLIT_WHOLE);
	assert_null(it->part_md5s);
	return it;
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
test_together(void **state UNUSED)
{
	struct two w = two_clients(true);
	struct fetch_item done = { .size = SIZE, .etag = "new-10",
	    .result = { .bytes = 3, .proof = PROOF_ETAG } }, *it;
	char token[FETCH_TOKEN_LEN + 1];
	struct step s;

	give_one(w.x, SIZE - 5);
	s = next(w.f, SPLIT_BEGIN);
	assert_int_equal(s.item->unit, 0);
	memcpy(token, s.item->token, sizeof(token));
	say_begun(&s, PART);
	for (uint32_t i = 0; i < 5; i++) {
		s = next(i % 2 == 0 ? w.f : w.g, SPLIT_RANGE);
		assert_int_equal(s.item->range, i);
		assert_int_equal(s.item->size, SIZE);
		assert_string_equal(s.item->etag, "new-10");
		assert_string_equal(s.item->token, token);
		say_brought(&s);
	}
	s = next(w.g, SPLIT_END);
	assert_string_equal(s.item->token, token);
	assert_int_equal(s.item->part_size, PART);
	assert_int_equal(s.item->part_count, 10);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(s.item->part_md5s[i * 16 + 5], i + 1);
	assert_false(has_mail(w.x));
	say(&s, &done);
	it = outcome(&w, OUTCOME_MOVED);
	assert_int_equal(it->size, SIZE);
	assert_string_equal(it->etag, "new-10");
	assert_int_equal(it->result.bytes, SIZE + 3);
	assert_int_equal(it->result.proof, PROOF_ETAG);
	fetch_item_free(&it);
	end(&w);
}

/* Nobody said that they see one directory, or it is not worth it. */
static void
test_alone(void **state UNUSED)
{
	struct fetch_item done = { .result.outcome = OUTCOME_UNCHANGED }, *it;

	for (int i = 0; i < 2; i++) {
		struct two w = two_clients(i == 1);
		struct step s;

		give_one(w.x, i == 0 ? SIZE : 64 * MIB - 1);
		s = next(w.f, SPLIT_WHOLE);
		say(&s, &done);
		it = outcome(&w, OUTCOME_UNCHANGED);
		fetch_item_free(&it);
		end(&w);
	}
}

/* Who was to begin it finds it there, or did it all: that is the end. */
static void
test_done_at_once(void **state UNUSED)
{
	static const enum outcome ends[] = { OUTCOME_UNCHANGED, OUTCOME_GONE,
	    OUTCOME_MOVED };
	struct two w = two_clients(true);

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct fetch_item done = { .result.outcome = ends[i] }, *it;
		struct step s;

		give_one(w.x, SIZE);
		s = next(w.f, SPLIT_BEGIN);
		say(&s, &done);
		it = outcome(&w, ends[i]);
		fetch_item_free(&it);
	}
	end(&w);
}

/* A range has another object's bytes, or the whole is not what it must be:
 * one client does all of it. */
static void
test_whole_again(void **state UNUSED)
{
	struct two w = two_clients(true);
	struct fetch_item done = { .size = SIZE }, *it;
	struct step s, other;

	give_one(w.x, SIZE);
	s = next(w.f, SPLIT_BEGIN);
	say_begun(&s, PART);
	other = next(w.g, SPLIT_RANGE);
	s = next(w.f, SPLIT_RANGE);
	say_failed(&s, ERR_GONE);
	/* Not before the last one has let go of the file. */
	want(w.f, 1);
	wait_items(w.x, 1, 0);
	assert_false(has(w.f, WIRE_LEASE_FETCH));
	say_brought(&other);
	s = next(w.f, SPLIT_WHOLE);
	assert_int_equal(s.item->unit, 0);
	say(&s, &done);
	it = outcome(&w, OUTCOME_MOVED);
	fetch_item_free(&it);

	give_one(w.x, SIZE);
	s = next(w.f, SPLIT_BEGIN);
	say_begun(&s, PART);
	for (uint32_t i = 0; i < 5; i++) {
		s = next(w.f, SPLIT_RANGE);
		say_brought(&s);
	}
	s = next(w.f, SPLIT_END);
	say_failed(&s, ERR_CORRUPT);
	s = next(w.g, SPLIT_WHOLE);
	assert_null(s.item->part_md5s);
	say_failed(&s, ERR_CORRUPT);
	it = outcome(&w, OUTCOME_FAILED);
	assert_int_equal(it->result.err.kind, ERR_CORRUPT);
	fetch_item_free(&it);
	end(&w);
}

/* Somebody has no such file: it is not asked to write to the next one. */
static void
test_not_shared(void **state UNUSED)
{
	struct two w = two_clients(true);
	struct fetch_item done = { .size = SIZE }, *it;

	for (int i = 0; i < 3; i++) {
		struct step s;

		give_one(w.x, SIZE);
		if (i < 2) {
			s = next(w.f, SPLIT_BEGIN);
			say_begun(&s, PART);
			s = next(w.g, SPLIT_RANGE);
			/* The first is an object that is gone. */
			say_why(&s, ERR_GONE, i == 0 ? 404 : ENOENT);
		}
		s = next(w.f, SPLIT_WHOLE);
		say(&s, &done);
		it = outcome(&w, OUTCOME_MOVED);
		fetch_item_free(&it);
	}
	end(&w);
}

/* No room: one client is left to find that out, and to clear away what takes
 * up the rest of it. */
static void
test_no_room(void **state UNUSED)
{
	struct two w = two_clients(true);
	struct fetch_item *it;
	struct step s;

	give_one(w.x, SIZE);
	s = next(w.f, SPLIT_BEGIN);
	say_begun(&s, PART);
	leave(w.g);
	wait_clients(w.x, 2, "lost");
	s = next(w.f, SPLIT_RANGE);
	say_failed(&s, ERR_RESOURCE);
	s = next(w.f, SPLIT_WHOLE);
	say_failed(&s, ERR_RESOURCE);
	it = outcome(&w, OUTCOME_FAILED);
	fetch_item_free(&it);
	end(&w);
}

/* Who is lost with a range had it in hand: another brings it. */
static void
test_lost(void **state UNUSED)
{
	struct two w = two_clients(true);
	struct fetch_item done = { .size = SIZE }, *it;
	bool brought[5] = { false };
	struct step s, lost;

	give_one(w.x, SIZE);
	s = next(w.f, SPLIT_BEGIN);
	say_begun(&s, PART);
	lost = next(w.g, SPLIT_RANGE);
	leave(w.g);
	wait_clients(w.x, 2, "lost");
	for (uint32_t i = 0; i < 5; i++) {
		s = next(w.f, SPLIT_RANGE);
		assert_false(brought[s.item->range]);
		brought[s.item->range] = true;
		say_brought(&s);
	}
	fetch_item_free(&lost.item);
	s = next(w.f, SPLIT_END);
	say(&s, &done);
	it = outcome(&w, OUTCOME_MOVED);
	fetch_item_free(&it);
	end(&w);
}

/* Who is lost while it begins the file may come late, and make another of the
 * same name: nothing is written to that one. */
static void
test_lost_at_once(void **state UNUSED)
{
	struct two w = two_clients(true);
	struct step s, lost;

	give_one(w.x, SIZE);
	lost = next(w.g, SPLIT_BEGIN);
	leave(w.g);
	wait_clients(w.x, 2, "lost");
	s = next(w.f, SPLIT_BEGIN);
	assert_string_not_equal(s.item->token, lost.item->token);
	fetch_item_free(&lost.item);
	fetch_item_free(&s.item);
	end(&w);
}

/* A client that answers what can't be fails nothing but the steps. */
static void
test_nonsense(void **state UNUSED)
{
	struct two w = two_clients(true);
	struct fetch_item done = { .size = SIZE }, *it;
	struct step s;

	give_one(w.x, SIZE);
	s = next(w.f, SPLIT_BEGIN);
	say_begun(&s, UNIT - 1);
	s = next(w.f, SPLIT_WHOLE);
	say(&s, &done);
	it = outcome(&w, OUTCOME_MOVED);
	fetch_item_free(&it);

	give_one(w.x, SIZE);
	s = next(w.f, SPLIT_BEGIN);
	say_begun(&s, PART);
	s = next(w.f, SPLIT_RANGE);
	say(&s, &done);		/* without MD5s */
	s = next(w.f, SPLIT_WHOLE);
	say(&s, &done);
	it = outcome(&w, OUTCOME_MOVED);
	fetch_item_free(&it);
	end(&w);
}

/* Ended in the middle: all is freed, whatever step it is in. */
static void
test_ended(void **state UNUSED)
{
	for (int steps = 0; steps < 3; steps++) {
		struct two w = two_clients(true);
		struct step s;

		give_one(w.x, SIZE);
		s = next(w.f, SPLIT_BEGIN);
		if (steps > 0)
			say_begun(&s, PART);
		for (int i = 0; steps == 2 && i < 5; i++) {
			s = next(w.f, SPLIT_RANGE);
			say_brought(&s);
		}
		if (steps == 2)
			s = next(w.f, SPLIT_END);
		fetch_item_free(&s.item);
		end(&w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_together),
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_done_at_once),
		cmocka_unit_test(test_whole_again),
		cmocka_unit_test(test_not_shared),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_lost_at_once),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
