#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/backoff.h"
#include "base/idmap.h"
#include "lease/dispatch.h"

#define N 4096

static const struct dispatch_limits LIMITS = {
	.max_count = 1000, .max_bytes = 1 << 30, .target_ms = 10000,
};

static struct task tasks[N];
static struct task *got[N];
static int64_t lease;

/* Tasks first ... first + n - 1 of some bytes, that may be done twice. */
static void
add(struct dispatcher *d, int64_t first, size_t n, uint64_t bytes)
{
	for (size_t i = (size_t)first; i < (size_t)first + n; i++) {
		tasks[i] = (struct task){
			.id = (int64_t)i, .bytes = bytes, .twice = true,
		};
		dispatch_add(d, &tasks[i]);
	}
}

static size_t
take(struct dispatcher *d, unsigned holder, size_t room, uint64_t now_ms)
{
	return dispatch_lease(d, holder, true, room, now_ms, &lease, got, N);
}

static void
end(struct dispatcher *d)
{
	while (dispatch_take(d) != NULL)
		;
	dispatch_free(&d);
	assert_null(d);
}

static void
check_holding(const struct dispatcher *d, unsigned holder, size_t leases,
    size_t count)
{
	size_t l, c;

	dispatch_holding(d, holder, &l, &c);
	assert_int_equal(l, leases);
	assert_int_equal(c, count);
}

static void
test_order(void **state UNUSED)
{
	struct dispatcher *d = dispatch_new(&LIMITS);
	int64_t first;

	assert_int_equal(take(d, 1, 10, 1000), 0);
	add(d, 1, 10, 100);
	assert_int_equal(dispatch_queued(d), 10);
	assert_int_equal(take(d, 1, 0, 1000), 0);
	assert_int_equal(dispatch_lease(d, 1, true, 9, 1000, &lease, got, 4),
	    4);
	first = lease;
	assert_true(first > 0);
	for (int64_t i = 0; i < 4; i++)
		assert_int_equal(got[i]->id, 1 + i);
	assert_int_equal(got[0]->leased, 1);
	assert_int_equal(take(d, 1, 3, 1000), 3);
	assert_true(lease > first);
	assert_int_equal(dispatch_queued(d), 3);
	assert_int_equal(dispatch_open(d), 10);
	check_holding(d, 1, 2, 7);
	check_holding(d, 99, 0, 0);

	/* What comes back stands first, in its old order. */
	assert_ptr_equal(dispatch_result(d, first, 2, 1000), &tasks[2]);
	dispatch_lost(d, 1, NULL, NULL);
	assert_int_equal(take(d, 2, 100, 1000), 9);
	for (size_t i = 0; i < 9; i++)
		assert_int_equal(got[i]->id, i == 0 ? 1 : i + 2);
	assert_int_equal(got[0]->leased, 2);
	assert_int_equal(got[8]->leased, 1);
	end(d);
}

static void
test_size(void **state UNUSED)
{
	struct dispatcher *d = dispatch_new(&LIMITS);
	int64_t first;

	/* The pace is not known yet. */
	add(d, 0, 2000, 50);
	assert_int_equal(take(d, 0, 1000, 1000), 64);
	first = lease;
	/* 20 tasks of 50 bytes in a second: ten seconds of that. */
	for (int64_t i = 0; i < 20; i++)
		assert_non_null(dispatch_result(d, lease, i, 2000));
	assert_int_equal(take(d, 0, 1000, 2000), 200);
	/* Bytes: 10,000 of them, whatever is left of this size first. */
	add(d, 2000, 10, 4000);
	for (int64_t i = 20; i < 64; i++)
		assert_non_null(dispatch_result(d, first, i, 2000));
	while (dispatch_queued(d) > 10)
		assert_true(take(d, 0, 200, 2000) > 0);
	assert_int_equal(take(d, 0, 1000, 2000), 2);
	end(d);
}

static void
test_limits(void **state UNUSED)
{
	struct dispatcher *d = dispatch_new(&LIMITS);

	add(d, 0, 2500, 1);
	assert_int_equal(take(d, 0, 1000, 1000), 64);
	for (int64_t i = 0; i < 64; i++)
		assert_non_null(dispatch_result(d, lease, i, 1000));
	/* The time in which it had nothing to do does not count. */
	assert_int_equal(take(d, 0, 1000, 5000), 64);
	for (int64_t i = 64; i < 128; i++)
		assert_non_null(dispatch_result(d, lease, i, 6000));
	/* 128 in a second; but not above the limit. */
	assert_int_equal(take(d, 0, 2000, 7000), 1000);

	/* One that is larger than all limits goes alone. */
	while (dispatch_queued(d) > 0)
		assert_true(take(d, 0, 2000, 6000) > 0);
	add(d, 3000, 2, UINT64_MAX);
	assert_int_equal(take(d, 1, 10, 6000), 1);
	assert_int_equal(take(d, 1, 10, 6000), 1);
	end(d);
}

/* Little is left: each gets its share, and what it may have again. */
static void
test_share(void **state UNUSED)
{
	struct dispatcher *d = dispatch_new(&LIMITS);

	for (unsigned h = 0; h < 4; h++)
		dispatch_heard(d, h, 1000);
	add(d, 0, 10, 1);
	assert_int_equal(take(d, 0, 100, 1000), 3);
	assert_int_equal(take(d, 0, 100, 1000), 0);
	assert_int_equal(take(d, 1, 100, 1000), 3);
	assert_int_equal(take(d, 2, 100, 1000), 3);
	assert_int_equal(take(d, 3, 100, 1000), 1);
	end(d);

	/* No share is kept for those who have gone. */
	d = dispatch_new(&LIMITS);
	for (unsigned h = 0; h < 4; h++)
		dispatch_heard(d, h, 1000);
	add(d, 0, 12, 1);
	dispatch_lost(d, 1, NULL, NULL);
	assert_int_equal(take(d, 0, 100, 20000), 4);
	dispatch_lost(d, 2, NULL, NULL);
	dispatch_lost(d, 3, NULL, NULL);
	assert_int_equal(take(d, 0, 100, 31000), 8);
	end(d);
}

static void
test_fence(void **state UNUSED)
{
	struct dispatcher *d = dispatch_new(&LIMITS);
	int64_t old;

	add(d, 1, 3, 1);
	assert_null(dispatch_result(d, 1, 1, 1000));	/* not yet leased */
	assert_int_equal(take(d, 1, 3, 1000), 3);
	old = lease;
	assert_null(dispatch_result(d, old + 1, 1, 1000));
	assert_null(dispatch_result(d, old, 9, 1000));
	assert_null(dispatch_result(d, 0, 1, 1000));
	assert_ptr_equal(dispatch_find(d, old, 1), &tasks[1]);
	assert_ptr_equal(dispatch_result(d, old, 1, 1000), &tasks[1]);
	assert_null(dispatch_find(d, old, 1));
	assert_null(dispatch_result(d, old, 1, 1000));	/* twice */

	/* Late, and somebody else has it. */
	dispatch_lost(d, 1, NULL, NULL);
	assert_int_equal(take(d, 2, 1, 1000), 1);
	assert_int_equal(got[0]->id, 2);
	assert_null(dispatch_find(d, old, 2));
	assert_null(dispatch_result(d, old, 2, 1000));
	/* Late, and nobody has it. */
	assert_ptr_equal(dispatch_find(d, old, 3), &tasks[3]);
	assert_null(dispatch_result(d, lease, 3, 1000));
	assert_ptr_equal(dispatch_result(d, old, 3, 1000), &tasks[3]);
	/* The same for the other one, when it is queued again. */
	dispatch_lost(d, 2, NULL, NULL);
	assert_ptr_equal(dispatch_result(d, old, 2, 1000), &tasks[2]);
	assert_int_equal(dispatch_open(d), 0);

	/* A new task of an old name has nothing to do with old leases. */
	add(d, 3, 1, 1);
	assert_null(dispatch_result(d, old, 3, 1000));
	assert_null(dispatch_result(d, lease, 3, 1000));
	end(d);
}

static void
test_tail(void **state UNUSED)
{
	struct dispatcher *d = dispatch_new(&LIMITS);
	int64_t a, b;

	for (unsigned h = 1; h <= 3; h++)
		dispatch_heard(d, h, 1000);
	add(d, 0, 6, 1);
	tasks[1].twice = false;
	assert_int_equal(take(d, 1, 2, 1000), 2);	/* 0 1 */
	a = lease;
	assert_int_equal(take(d, 2, 2, 1000), 2);	/* 2 3 */
	b = lease;
	assert_int_equal(take(d, 1, 2, 1000), 0);	/* its share */
	dispatch_lost(d, 3, NULL, NULL);
	assert_int_equal(take(d, 1, 2, 1000), 1);	/* 4 */
	assert_int_equal(take(d, 2, 2, 1000), 1);	/* 5 */
	/* More may come: nothing is done twice. */
	assert_int_equal(take(d, 3, 9, 1000), 0);
	dispatch_no_more(d, true);
	/* Not at once, and not those who have something to do. */
	assert_int_equal(take(d, 3, 9, 10999), 0);
	assert_int_equal(take(d, 2, 9, 11000), 0);
	assert_int_equal(take(d, 3, 9, 11000), 2);
	assert_int_equal(got[0]->id, 0);
	assert_int_equal(got[1]->id, 3);
	assert_int_equal(got[0]->leased, 2);
	check_holding(d, 3, 1, 2);
	/* The first result wins, and the lease of the other has one less. */
	assert_non_null(dispatch_result(d, a, 0, 11000));
	check_holding(d, 3, 1, 1);
	assert_null(dispatch_result(d, lease, 0, 11000));
	assert_non_null(dispatch_result(d, lease, 3, 11000));
	check_holding(d, 3, 0, 0);
	check_holding(d, 2, 2, 2);
	assert_null(dispatch_result(d, b, 3, 11000));
	end(d);
}

/* Holder 1 does a task of so many bytes in a second; then it has others. */
static struct dispatcher *
known_pace(uint64_t bytes)
{
	struct dispatcher *d = dispatch_new(&LIMITS);

	dispatch_no_more(d, true);
	add(d, 0, 1, bytes);
	assert_int_equal(take(d, 1, 1, 1000), 1);
	assert_non_null(dispatch_result(d, lease, 0, 2000));
	return d;
}

/* Only what is late is done twice. */
static void
test_late(void **state UNUSED)
{
	struct dispatcher *d = dispatch_new(&LIMITS);

	/* 9 in 4 s: the last two take a second; until none come. */
	dispatch_no_more(d, true);
	add(d, 0, 11, 1);
	assert_int_equal(take(d, 1, 11, 1000), 11);
	for (int64_t i = 0; i < 9; i++)
		assert_non_null(dispatch_result(d, lease, i, 5000));
	assert_int_equal(take(d, 2, 9, 5000), 0);
	assert_int_equal(take(d, 2, 9, 7999), 0);
	assert_int_equal(take(d, 2, 9, 15000), 1);
	end(d);

	/* Results come, but it will take longer than that. */
	d = dispatch_new(&LIMITS);
	dispatch_no_more(d, true);
	add(d, 0, 10, 1);
	assert_int_equal(take(d, 1, 10, 1000), 10);
	for (int64_t i = 0; i < 4; i++)
		assert_non_null(dispatch_result(d, lease, i, 3900));
	assert_int_equal(take(d, 2, 9, 3999), 0);
	assert_int_equal(take(d, 2, 9, 4000), 3);
	end(d);

	/* One large task, at a known pace: it is waited for. */
	d = known_pace(1000);
	add(d, 1, 1, 5000);	/* 5 s */
	assert_int_equal(take(d, 1, 1, 2000), 1);
	assert_int_equal(take(d, 2, 9, 11999), 0);
	assert_int_equal(take(d, 2, 9, 12000), 1);
	end(d);

	/* Several small ones, which are done at once. */
	d = known_pace(1000);
	add(d, 1, 4, 1000);
	assert_int_equal(take(d, 1, 4, 2000), 4);
	assert_int_equal(take(d, 2, 9, 9999), 0);
	assert_int_equal(take(d, 2, 9, 10000), 2);
	end(d);

	/* The same, where only their number counts. */
	d = known_pace(0);
	add(d, 1, 4, 0);
	assert_int_equal(take(d, 1, 4, 2000), 4);
	assert_int_equal(take(d, 2, 9, 9999), 0);
	assert_int_equal(take(d, 2, 9, 10000), 2);
	end(d);

	/* What is done is not waited for. */
	d = known_pace(1000);
	add(d, 1, 1, 3000);
	add(d, 2, 1, 1000);
	assert_int_equal(take(d, 1, 2, 2000), 2);
	assert_non_null(dispatch_result(d, lease, 1, 5000));
	assert_int_equal(take(d, 2, 9, 8000), 1);
	end(d);

	/* By the pace of small tasks this one takes days: it is waited for as
	 * long as a lease should take. */
	d = known_pace(1000);
	add(d, 1, 1, 1 << 29);
	assert_int_equal(take(d, 1, 1, 2000), 1);
	assert_int_equal(take(d, 2, 9, 11999), 0);
	assert_int_equal(take(d, 2, 9, 12000), 1);
	end(d);

	/* Half of it came from elsewhere. */
	d = known_pace(1000);
	add(d, 1, 2, 1000);
	assert_int_equal(take(d, 1, 2, 2000), 2);
	assert_int_equal(take(d, 2, 1, 6000), 1);
	assert_non_null(dispatch_result(d, lease, got[0]->id, 6000));
	assert_int_equal(take(d, 2, 1, 6000), 1);
	end(d);
}

/* One of two holders goes: the task stays with the other. */
static void
test_tail_lost(void **state UNUSED)
{
	for (unsigned loser = 1; loser <= 2; loser++) {
		struct dispatcher *d = dispatch_new(&LIMITS);
		int64_t v[3] = { 0 };

		dispatch_no_more(d, true);
		add(d, 7, 1, 1);
		for (unsigned h = 1; h <= 2; h++) {
			assert_int_equal(take(d, h, 1, h * 12000), 1);
			v[h] = lease;
		}
		assert_int_equal(take(d, 3, 1, 40000), 0);
		dispatch_lost(d, loser, NULL, NULL);
		assert_int_equal(dispatch_queued(d), 0);
		assert_null(dispatch_result(d, v[loser], 7, 40000));
		/* There is room for another one. */
		assert_int_equal(take(d, 3, 1, 40000), 1);
		dispatch_lost(d, 3 - loser, NULL, NULL);
		assert_int_equal(dispatch_queued(d), 0);
		dispatch_lost(d, 3, NULL, NULL);
		assert_int_equal(dispatch_queued(d), 1);
		assert_non_null(dispatch_result(d, v[loser], 7, 1000));
		end(d);
	}
}

static void
test_take(void **state UNUSED)
{
	struct dispatcher *d = dispatch_new(&LIMITS);
	bool seen[N] = { false };
	struct task *t;

	dispatch_no_more(d, true);
	add(d, 0, 300, 1);
	assert_int_equal(take(d, 1, 200, 1000), 64);
	assert_int_equal(take(d, 2, 200, 1000), 64);
	dispatch_lost(d, 1, NULL, NULL);
	for (size_t n = 0; n < 300; n++) {
		t = dispatch_take(d);
		assert_non_null(t);
		assert_false(seen[t->id]);
		seen[t->id] = true;
	}
	assert_null(dispatch_take(d));
	assert_int_equal(dispatch_queued(d), 0);
	check_holding(d, 2, 0, 0);
	end(d);
}

/* Against an array, with ids that lie together and far apart. */
static void
test_idmap(void **state UNUSED)
{
	struct idmap m = { 0 };
	static void *v[N];
	size_t count = 0;
	struct rng rng;

	rng_seed(&rng, 1);
	for (size_t step = 0; step < 200000; step++) {
		size_t i = rng_next(&rng) % N;
		int64_t id = (int64_t)(i % 2 == 0 ? i : i << 40);

		assert_ptr_equal(idmap_get(&m, id), v[i]);
		if (v[i] == NULL && rng_next(&rng) % 8 < (step / 20000) % 8) {
			v[i] = &v[i];
			idmap_put(&m, id, v[i]);
			count++;
		} else if (v[i] != NULL) {
			idmap_remove(&m, id);
			v[i] = NULL;
			count--;
		}
		assert_int_equal(m.count, count);
	}
	for (void **p; count > 0; count--) {
		size_t i;

		p = idmap_any(&m);
		assert_non_null(p);
		i = (size_t)(p - v);
		assert_ptr_equal(v[i], p);
		v[i] = NULL;
		idmap_remove(&m, (int64_t)(i % 2 == 0 ? i : i << 40));
	}
	assert_null(idmap_any(&m));
	idmap_release(&m);
}

/* Of two that have it, one lets go: the other keeps it, alone. */
static void
test_let_go(void **state UNUSED)
{
	struct dispatcher *d = dispatch_new(&LIMITS);
	int64_t first, second;

	add(d, 0, 4, 1);
	assert_int_equal(take(d, 1, 10, 1000), 4);
	first = lease;
	assert_false(dispatch_let_go(d, first, 3));
	dispatch_no_more(d, true);
	assert_int_equal(take(d, 2, 10, 60000), 2);
	second = lease;
	assert_false(dispatch_let_go(d, second + 1, 3));
	assert_true(dispatch_let_go(d, first, 3));
	assert_true(dispatch_let_go(d, second, 2));
	check_holding(d, 1, 1, 3);
	check_holding(d, 2, 1, 1);
	assert_null(dispatch_find(d, first, 3));
	assert_ptr_equal(dispatch_result(d, second, 3, 60000), &tasks[3]);
	/* With its last holder it comes back. */
	dispatch_lost(d, 1, NULL, NULL);
	assert_int_equal(take(d, 2, 10, 60000), 3);
	assert_int_equal(got[2]->id, 2);
	assert_false(got[2]->twice);
	end(d);
}

static void
mark_careful(void *arg, struct task *t)
{
	unsigned *calls = arg;

	++*calls;
	t->careful = t->id == 2;
}

/* What a holder may have died of comes last, alone, and only to one that has
 * proved itself and has nothing else in hand. */
static void
test_careful(void **state)
{
	struct dispatch_limits limits = { .max_count = 10, .max_bytes = GIB,
	    .target_ms = 10000 };
	struct dispatcher *d = dispatch_new(&limits);
	struct task few[4], *v[10];
	unsigned calls = 0;
	int64_t id;

	(void)state;
	memset(few, 0, sizeof(few));
	for (int i = 0; i < 3; i++) {
		few[i].id = i + 1;
		dispatch_add(d, &few[i]);
	}
	assert_int_equal(dispatch_lease(d, 1, false, 9, 0, &id, v, 10), 3);
	dispatch_lost(d, 1, mark_careful, &calls);
	assert_int_equal(calls, 3);
	assert_int_equal(dispatch_queued(d), 3);
	assert_int_equal(dispatch_lease(d, 2, true, 9, 0, &id, v, 10), 2);
	assert_int_equal(v[0]->id, 1);
	assert_int_equal(v[1]->id, 3);
	/* It has something in hand. */
	assert_int_equal(dispatch_lease(d, 2, true, 9, 0, &id, v, 10), 0);
	assert_int_equal(dispatch_lease(d, 1, false, 9, 0, &id, v, 10), 0);
	assert_int_equal(dispatch_lease(d, 1, true, 9, 0, &id, v, 10), 1);
	assert_int_equal(v[0]->id, 2);
	/* Nothing else goes to it until it has answered. */
	few[3].id = 4;
	dispatch_add(d, &few[3]);
	assert_int_equal(dispatch_lease(d, 1, true, 9, 0, &id, v, 10), 0);
	assert_ptr_equal(dispatch_result(d, id, 2, 0), &few[1]);
	assert_int_equal(dispatch_lease(d, 1, true, 9, 0, &id, v, 10), 1);
	while (dispatch_take(d) != NULL)
		continue;
	dispatch_free(&d);
}

int
main(void)
{
	const struct CMUnitTest list[] = {
		cmocka_unit_test(test_careful),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_fence),
		cmocka_unit_test(test_tail),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_tail_lost),
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_idmap),
		cmocka_unit_test(test_let_go),
	};

	return cmocka_run_group_tests(list, NULL, NULL);
}
