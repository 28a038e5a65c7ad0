/* A listing of several clusters: each key once, in order, whatever the pages
 * are and wherever the keys are. */
#include "base/backoff.h"
#include "lister/lister.h"
#include "rest/map.h"
#include "rest/place.h"
#include "kit/s3_bucket.h"

#define KEYS	3000
#define CLUSTERS 3

static char keys[KEYS][64];
static char cluster_keys[CLUSTERS][KEYS][64];

struct run {
	struct bucket b[CLUSTERS];
	struct s3_map *map;
	struct s3_lister_plan plan;
	struct s3 *s;
	struct s3_lister *l;
	struct rng rng;
	size_t	 count;		/* of keys */
	bool	 pauses;
	bool	 paused;
	bool	 free_in_page;
	bool	 free_in_done;
	unsigned twice;		/* keys in two clusters */
	unsigned strays;	/* and in the wrong one */
	char	(*seen)[64];
	uint64_t sizes;
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
	if (r->free_in_done)
		s3_lister_free(&r->l);
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
put_key(struct run *r, size_t cluster, const char *key)
{
	struct bucket *b = &r->b[cluster];

	memcpy(cluster_keys[cluster][b->count++], key, 64);
}

/* Most keys where they belong, some elsewhere, some in two clusters. */
static void
spread(struct run *r, unsigned astray_in)
{
	for (size_t i = 0; i < r->count; i++) {
		size_t home = s3_place(str_of(keys[i]), CLUSTERS);
		size_t other = (home + 1 + i % 2) % CLUSTERS;
		unsigned luck = astray_in == 0 ? 9 :
		    (unsigned)(rng_next(&r->rng) % astray_in);

		r->strays += luck == 0;
		r->twice += luck == 1;
		if (luck != 0)
			put_key(r, home, keys[i]);
		if (luck <= 1)
			put_key(r, other, keys[i]);
	}
}

static void
start(struct run *r)
{
	struct s3_config c = { .store = { .access_key = "a", .secret_key = "s",
	    .max_inflight = 16 }, .seed = 1 };
	struct err err = ERR_INIT;
	struct buf json;

	buf_init(&json, 4096);
	buf_addstr(&json, "{\"clusters\":[");
	for (size_t i = 0; i < CLUSTERS; i++) {
		r->b[i].keys = cluster_keys[i];
		bucket_start(&r->b[i]);
		buf_addf(&json, "%s{\"id\":%zu,\"endpoints\":[{\"ipv4\":"
		    "\"127.0.0.1\",\"port\":%s}]}", i == 0 ? "" : ",", i,
		    strrchr(r->b[i].url, ':') + 1);
	}
	buf_addstr(&json, "]}");
	if (s3_map_parse(&r->map, buf_str(&json), "http", &err) == -1)
		fail_msg("%s", err.msg);
	buf_release(&json);
	c.map = r->map;
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
		if (r->paused && (s3_pending(r->s) == 0 ||
		    rng_next(&r->rng) % 4 == 0)) {
			r->paused = false;
			s3_lister_resume(r->l);
		}
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
	for (size_t i = 0; i < CLUSTERS; i++)
		bucket_stop(&r->b[i]);
	s3_map_free(&r->map);
	free(r->seen);
}

static void
make_keys(struct rng *rng, size_t count)
{
	for (size_t i = 0; i < count; i++)
		snprintf(keys[i], sizeof(keys[i]), "d%u/%c/f%05zu%s",
		    (unsigned)(rng_next(rng) % 30),
		    rng_next(rng) % 4 == 0 ? '!' : 'e', i,
		    i % 7 == 0 ? "\303\274" : "");
	qsort(keys, count, sizeof(keys[0]), by_text);
}

static void
is_whole(struct run *r)
{
	size_t n = 0;

	if (r->err.kind != ERR_NONE)
		fail_msg("%s", r->err.msg);
	assert_int_equal(r->done, 1);
	for (size_t i = 0; i < r->count; i++) {
		if (!str_starts(str_of(keys[i]), r->plan.prefix))
			continue;
		assert_true(n < r->seen_count);
		assert_string_equal(r->seen[n++], keys[i]);
	}
	assert_int_equal(n, r->seen_count);
}

static void
test_any(void **state)
{
	static const char *const prefixes[] = { "", "d1", "d1/", "none" };
	struct rng rng;

	(void)state;
	rng_seed(&rng, 11);
	for (unsigned i = 0; i < 80; i++) {
		struct run r = { .rng = rng };
		char *cuts[20];
		size_t n = rng_next(&rng) % ARRAY_LEN(cuts);

		r.count = i % 10 == 0 ? i / 10 : rng_next(&rng) % KEYS;
		for (size_t k = 0; k < CLUSTERS; k++) {
			r.b[k].page = 1 + rng_next(&rng) % 300;
			if (r.count / r.b[k].page > 100)
				r.b[k].page = r.count / 100;
		}
		make_keys(&rng, r.count);
		spread(&r, i % 4 == 0 ? 0 : 3);
		for (size_t k = 0; k < n && r.count > 0; k++)
			cuts[k] = keys[rng_next(&rng) % r.count];
		r.plan.cuts.v = cuts;
		r.plan.cuts.n = r.count == 0 || i % 3 == 0 ? 0 : n;
		r.plan.prefix = str_of(prefixes[i % 2 == 0 ? 0 :
		    rng_next(&rng) % ARRAY_LEN(prefixes)]);
		r.plan.max_parallel = (unsigned)(rng_next(&rng) % 10);
		r.plan.ordered = rng_next(&rng) % 2 == 0;
		r.pauses = rng_next(&rng) % 2 == 0;
		start(&r);
		turn(&r);
		is_whole(&r);
		if (r.plan.prefix.len == 0)
			assert_int_equal(atomic_load(&r.map->listed_astray),
			    r.strays + r.twice);
		stop(&r);
		assert_int_equal(r.stats.keys, r.seen_count);
	}
}

/* Where all keys of one cluster come before those of another, pages wait,
 * but few of them. */
static void
test_bounded(void **state)
{
	struct run r = { .count = KEYS, .plan.ordered = true };

	(void)state;
	for (unsigned i = 0; i < KEYS; i++) {
		snprintf(keys[i], sizeof(keys[i]), "a/b/f%05u", i);
		put_key(&r, i / (KEYS / CLUSTERS), keys[i]);
	}
	for (size_t k = 0; k < CLUSTERS; k++)
		r.b[k].page = 10;
	start(&r);
	turn(&r);
	is_whole(&r);
	stop(&r);
	assert_true(r.stats.kept_max <= 2 * CLUSTERS + 4 * 8);
}

/* One cluster that refuses: no end without an error. */
static void
test_error(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, 5);
	make_keys(&rng, KEYS);
	for (unsigned at = 1; at < 4; at++) {
		struct run r = { .count = KEYS, .b[1].fail_at = at,
		    .free_in_done = at == 2 };

		for (size_t k = 0; k < CLUSTERS; k++)
			r.b[k].page = 100;
		spread(&r, 0);
		start(&r);
		turn(&r);
		while (s3_pending(r.s) > 0)
			s3_wait(r.s, NULL, 0, 1000);
		assert_int_equal(r.done, 1);
		/* A look for directories may fail without harm. */
		if (at > 1 && r.err.kind == ERR_NONE) {
			is_whole(&r);
		} else {
			assert_int_equal(r.err.kind, ERR_DENIED);
			assert_non_null(strstr(r.err.msg, "cluster 1"));
		}
		stop(&r);
	}
}

static void
test_freed(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, 6);
	make_keys(&rng, KEYS);
	for (unsigned i = 0; i < 3; i++) {
		struct run r = { .count = KEYS, .free_in_page = i == 0 };

		for (size_t k = 0; k < CLUSTERS; k++)
			r.b[k].page = 10;
		spread(&r, 0);
		start(&r);
		if (i == 1)
			s3_lister_free(&r.l);
		while (i < 2 && s3_pending(r.s) > 0)
			s3_wait(r.s, NULL, 0, 1000);
		assert_int_equal(r.done, 0);
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
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
