/* The lister against a server that lists: whatever the keys, the pages and
 * the cut keys are, each key comes once. */
#include "base/backoff.h"
#include "lister/lister.h"
#include "kit/s3_bucket.h"

#define KEYS	3000

static char keys[KEYS][64];

struct run {
	struct bucket b;
	struct s3_lister_plan plan;
	struct s3 *s;
	struct s3_lister *l;
	char	*url;
	struct rng rng;
	bool	 pauses;
	bool	 free_in_page;
	bool	 paused;
	char	(*seen)[64];
	size_t	 seen_count;
	unsigned done;
	struct err err;
	struct s3_lister_stats stats;
};

static void
on_page(void *arg, const struct s3_listed *listed, size_t count)
{
	struct run *r = arg;

	assert_false(r->paused);
	assert_int_equal(r->done, 0);
	assert_true(count > 0);
	for (size_t i = 0; i < count; i++) {
		assert_true(r->seen_count < KEYS);
		assert_true(listed[i].key.len < 64);
		assert_int_equal(listed[i].size, 1);
		memcpy(r->seen[r->seen_count], listed[i].key.p,
		    listed[i].key.len);
		r->seen[r->seen_count++][listed[i].key.len] = '\0';
	}
	if (r->free_in_page)
		s3_lister_free(&r->l);
	if (!r->pauses || rng_next(&r->rng) % 3 != 0)
		return;
	r->paused = true;
	s3_lister_pause(r->l);
}

static void
on_done(void *arg, const struct err *err)
{
	struct run *r = arg;

	r->done++;
	if (err != NULL)
		r->err = *err;
}

static void
start(struct run *r)
{
	struct s3_config c = { .store = { .bucket = "bkt", .access_key = "a",
	    .secret_key = "s", .max_inflight = 16 }, .seed = 1 };
	struct err err = ERR_INIT;

	bucket_start(&r->b);
	r->url = r->b.url;
	c.store.endpoints = (struct strlist){ &r->url, 1 };
	if (s3_new(&r->s, &c, &err) == -1)
		fail_msg("%s", err.msg);
	r->seen = xcalloc(KEYS, sizeof(*r->seen));
	s3_lister_new(&r->l, r->s, &r->plan, on_page, on_done, r);
	assert_int_equal(r->seen_count, 0);
}

static void
turn(struct run *r)
{
	while (r->done == 0) {
		/* Now and then only when all that was asked for is there. */
		if (r->paused && (s3_pending(r->s) == 0 ||
		    rng_next(&r->rng) % 4 == 0)) {
			r->paused = false;
			s3_lister_resume(r->l);
		}
		/* That may have been all. */
		if (r->done == 0)
			s3_wait(r->s, NULL, 0, r->paused ? 0 : 1000);
	}
}

static void
stop(struct run *r)
{
	if (r->l != NULL)
		s3_lister_stats(r->l, &r->stats);
	s3_lister_free(&r->l);
	s3_free(&r->s);
	bucket_stop(&r->b);
	free(r->seen);
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* A tree of so many levels, some of its directories with most of the keys. */
static void
make_keys(struct rng *rng, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t levels = rng_next(rng) % 5, len = 0;

		for (size_t k = 0; k < levels; k++)
			len += (size_t)snprintf(keys[i] + len,
			    sizeof(keys[i]) - len, "%c%u/",
			    rng_next(rng) % 4 == 0 ? '!' : 'd',
			    (unsigned)(rng_next(rng) % (k == 1 ? 40 : 3)));
		snprintf(keys[i] + len, sizeof(keys[i]) - len, "f%zu%s", i,
		    i % 7 == 0 ? " &\303\274" : i % 11 == 0 ? "/" : "");
	}
	qsort(keys, count, sizeof(keys[0]), by_text);
}

/* Each key that has the prefix, once, and in order if that was asked for. */
static void
is_whole(struct run *r)
{
	size_t n = 0;

	if (r->err.kind != ERR_NONE)
		fail_msg("%s", r->err.msg);
	assert_int_equal(r->done, 1);
	if (!r->plan.ordered)
		qsort(r->seen, r->seen_count, sizeof(*r->seen), by_text);
	for (size_t i = 0; i < r->b.count; i++) {
		if (!str_starts(str_of(r->b.keys[i]), r->plan.prefix))
			continue;
		assert_true(n < r->seen_count);
		assert_string_equal(r->seen[n++], r->b.keys[i]);
	}
	assert_int_equal(n, r->seen_count);
}

static void
test_any(void **state)
{
	static const char *const prefixes[] = { "", "d", "d1", "d1/",
	    "d1/d2", "d1/d2/", "f", "none", "!0/" };
	struct rng rng;

	(void)state;
	rng_seed(&rng, 17);
	for (unsigned i = 0; i < 150; i++) {
		struct run r = { .b.keys = keys, .rng = rng };
		char *cuts[40];
		size_t n = rng_next(&rng) % ARRAY_LEN(cuts);

		r.b.count = i % 10 == 0 ? i / 10 : rng_next(&rng) % KEYS;
		r.b.page = 1 + rng_next(&rng) % (i % 2 == 0 ? 100 : 1000);
		if (r.b.count / r.b.page > 300)
			r.b.page = r.b.count / 300;
		make_keys(&rng, r.b.count);
		for (size_t k = 0; k < n && r.b.count > 0; k++)
			cuts[k] = k % 8 == 7 ? (char []){ "d1/d2" } :
			    keys[rng_next(&rng) % r.b.count];
		r.plan.cuts.v = cuts;
		r.plan.cuts.n = r.b.count == 0 || i % 3 == 0 ? 0 : n;
		r.plan.prefix = str_of(prefixes[rng_next(&rng) %
		    (i % 2 == 0 ? 1 : ARRAY_LEN(prefixes))]);
		r.plan.max_parallel = (unsigned)(rng_next(&rng) % 10);
		r.plan.ordered = rng_next(&rng) % 2 == 0;
		r.pauses = rng_next(&rng) % 2 == 0;
		start(&r);
		turn(&r);
		is_whole(&r);
		stop(&r);
		assert_int_equal(r.stats.keys, r.seen_count);
		assert_true(r.stats.kept_max <= 4 * (size_t)(
		    r.plan.max_parallel == 0 ? 8 : r.plan.max_parallel));
	}
}

static void
make_tree(void)
{
	for (unsigned i = 0; i < KEYS; i++)
		snprintf(keys[i], sizeof(keys[i]), "a/b/d%03u/e%u/f%u",
		    i / 10, i / 5 % 2, i % 5);
}

/* A directory tree and no cut keys: it finds where to cut. */
static void
test_finds_ranges(void **state)
{
	(void)state;
	make_tree();
	for (unsigned way = 0; way < 2; way++) {
		struct run r = { .b.keys = keys, .b.count = KEYS,
		    .b.page = 50, .plan.ordered = way == 0 };

		start(&r);
		turn(&r);
		is_whole(&r);
		stop(&r);
		assert_true(r.stats.ranges > (way == 0 ? 12 : 8));
		assert_true(r.stats.probes >= 1);
		/* At little cost. */
		assert_true(r.stats.pages < 2 * KEYS / 50);
		assert_true(r.stats.probes < 20);
	}
}

/* Nothing to find: nothing is asked in vain, or hardly. */
static void
test_flat(void **state)
{
	struct run r = { .b.keys = keys, .b.count = KEYS, .b.page = 10,
	    .plan.ordered = true };

	(void)state;
	for (unsigned i = 0; i < KEYS; i++)
		snprintf(keys[i], sizeof(keys[i]), "a/b/f%05u", i);
	start(&r);
	turn(&r);
	is_whole(&r);
	stop(&r);
	assert_int_equal(r.stats.pages, KEYS / 10);
	assert_true(r.stats.probes < 20);
	assert_int_equal(r.stats.kept_max, 0);
}

/* What one page holds is one request. */
static void
test_small(void **state)
{
	struct run r = { .b.keys = keys, .b.count = 5, .b.page = 10 };

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		snprintf(keys[i], sizeof(keys[i]), "%u/x", i);
	start(&r);
	turn(&r);
	is_whole(&r);
	stop(&r);
	assert_int_equal(r.b.requests, 1);
}

/* Where the end of a page is that of its range, no more is asked for. */
static void
test_even_cuts(void **state)
{
	char *cuts[KEYS / 10];
	struct run r = { .b.keys = keys, .b.count = KEYS, .b.page = 10,
	    .plan.cuts.v = cuts, .plan.cuts.n = KEYS / 10,
	    .plan.ordered = true };

	(void)state;
	make_tree();
	for (unsigned i = 0; i < KEYS / 10; i++)
		cuts[i] = keys[KEYS - 1 - 10 * i];
	start(&r);
	turn(&r);
	is_whole(&r);
	stop(&r);
	/* Is there something behind the last one? */
	assert_int_equal(r.stats.pages, KEYS / 10 + 1);
	assert_int_equal(r.stats.probes, 0);
}

/* A long range at its turn, and behind it more than is kept. */
static void
test_bounded(void **state)
{
	char *cuts[15];
	struct run r = { .b.keys = keys, .b.count = KEYS, .b.page = 10,
	    .plan.cuts.v = cuts, .plan.cuts.n = ARRAY_LEN(cuts),
	    .plan.ordered = true };

	(void)state;
	for (unsigned i = 0; i < KEYS; i++)
		snprintf(keys[i], sizeof(keys[i]), "a/b/f%05u", i);
	for (unsigned i = 0; i < ARRAY_LEN(cuts); i++)
		cuts[i] = keys[1500 + 100 * i];
	start(&r);
	turn(&r);
	is_whole(&r);
	stop(&r);
	assert_true(r.stats.kept_max <= 32);
	assert_true(r.stats.kept_max > 16);
}

static void
test_error(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, 5);
	make_keys(&rng, KEYS);
	for (unsigned at = 1; at < 30; at += 4) {
		struct run r = { .b.keys = keys, .b.count = KEYS,
		    .b.page = 40, .b.fail_at = at, .plan.ordered = at % 3 };

		start(&r);
		turn(&r);
		while (s3_pending(r.s) > 0)
			s3_wait(r.s, NULL, 0, 1000);
		assert_int_equal(r.done, 1);
		/* A look for directories may fail without harm. */
		if (r.err.kind == ERR_NONE)
			is_whole(&r);
		else
			assert_int_equal(r.err.kind, ERR_DENIED);
		if (at == 1)
			assert_int_equal(r.err.kind, ERR_DENIED);
		stop(&r);
	}
}

/* Servers that know less: the keys come all the same, or an error. */
static void
test_poor_servers(void **state)
{
	char *cut = (char []){ "a/b/d1" };
	struct run a = { .b.keys = keys, .b.count = KEYS, .b.page = 100,
	    .b.ignores_start_after = true, .plan.ordered = true };
	struct run b = { .b.keys = keys, .b.count = KEYS, .b.page = 100,
	    .b.ignores_start_after = true, .plan.cuts.v = &cut,
	    .plan.cuts.n = 1 };
	struct run c = { .b.keys = keys, .b.count = KEYS, .b.page = 100,
	    .b.same_token = true, .plan.max_parallel = 1 };
	struct run d = { .b.keys = keys, .b.count = KEYS, .b.page = 100,
	    .b.out_of_order = true, .plan.cuts.v = &cut,
	    .plan.cuts.n = 1 };

	(void)state;
	make_tree();
	start(&a);
	turn(&a);
	is_whole(&a);
	assert_int_equal(a.done, 1);
	stop(&a);
	assert_int_equal(a.stats.ranges, 1);
	start(&b);
	turn(&b);
	assert_int_equal(b.err.kind, ERR_PEER);
	stop(&b);
	start(&c);
	turn(&c);
	assert_int_equal(c.err.kind, ERR_PEER);
	stop(&c);
	start(&d);
	turn(&d);
	assert_int_equal(d.err.kind, ERR_PEER);
	stop(&d);
}

/* What a store that ignores the prefix lists is nobody's business: not one
 * of its keys is given, whether the first or the last of a page is wrong. */
static void
test_ignored_prefix(void **state)
{
	static const char *const prefixes[] = { "a/b/d000/", "a/b/d1",
	    "a/b/d299/e1/f4", "z", "a/b/d" };

	(void)state;
	make_tree();
	snprintf(keys[0], sizeof(keys[0]), "a/a");
	for (unsigned i = 0; i < ARRAY_LEN(prefixes); i++)
		for (unsigned way = 0; way < 2; way++) {
			struct run r = { .b.keys = keys, .b.count = KEYS,
			    .b.page = 100, .b.ignores_prefix = true,
			    .plan.prefix = str_of(prefixes[i]),
			    .plan.ordered = way == 0 };

			start(&r);
			turn(&r);
			assert_int_equal(r.err.kind, ERR_PEER);
			assert_non_null(strstr(r.err.msg, "a/a"));
			assert_int_equal(r.seen_count, 0);
			stop(&r);
		}
}

/* The first page again and again, with another token each time. */
static void
test_ignored_token(void **state)
{
	struct run r = { .b.keys = keys, .b.count = KEYS, .b.page = 100,
	    .b.ignores_token = true, .b.ignores_start_after = true };

	(void)state;
	make_tree();
	start(&r);
	turn(&r);
	assert_int_equal(r.err.kind, ERR_PEER);
	stop(&r);
	assert_true(r.b.requests < 10);
}

/* A server with an order of its own is listed as it wishes. */
static void
test_other_order(void **state)
{
	struct run r = { .b.keys = keys, .b.count = KEYS, .b.page = 100 };

	(void)state;
	for (unsigned i = 0; i < KEYS; i++)
		snprintf(keys[i], sizeof(keys[i]), "d%u/f%u", i % 100, i);
	start(&r);
	turn(&r);
	assert_int_equal(r.err.kind, ERR_NONE);
	assert_int_equal(r.seen_count, KEYS);
	stop(&r);
	assert_int_equal(r.stats.ranges, 1);
}

static void
test_freed(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, 6);
	make_keys(&rng, KEYS);
	for (unsigned i = 0; i < 3; i++) {
		struct run r = { .b.keys = keys, .b.count = KEYS,
		    .b.page = 10, .free_in_page = i == 0 };

		start(&r);
		if (i == 1)
			s3_lister_free(&r.l);
		while (i < 2 && s3_pending(r.s) > 0)
			s3_wait(r.s, NULL, 0, 1000);
		assert_int_equal(r.done, 0);
		assert_true(r.seen_count <= 10);
		/* The client goes first: that is an end as well. */
		if (i == 2) {
			s3_free(&r.s);
			assert_int_equal(r.err.kind, ERR_STOPPED);
		}
		stop(&r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any),
		cmocka_unit_test(test_finds_ranges),
		cmocka_unit_test(test_flat),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_even_cuts),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_poor_servers),
		cmocka_unit_test(test_ignored_prefix),
		cmocka_unit_test(test_ignored_token),
		cmocka_unit_test(test_other_order),
		cmocka_unit_test(test_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
