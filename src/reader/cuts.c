/*
 * Keys to cut a prefix into about equal ranges, from a sample of the catalog:
 * rows at random ids or, if few of these rows lie under the prefix, a walk over
 * the prefix's part of the index that keeps every 2^k-th row.
 */
#include "base/backoff.h"
#include "reader/reader_internal.h"
#include "reader/stored.h"
#include "model/key.h"

#define SMALL_CATALOG	100000	/* rows: a walk is as good */
#define PROBES_EACH	64	/* for one range */
#define ENOUGH_EACH	16
#define SAMPLES_MAX	8192

static void
probe(struct catalog_reader *r, struct str prefix, size_t probes, int64_t low,
    int64_t high, struct strlist *s)
{
	const uint64_t span = (uint64_t)(high - low) / probes;
	struct rng rng;
	struct str path;

	rng_seed(&rng, 1);
	for (size_t i = 0; i < probes; i++) {
		uint64_t at = span * i + rng_next(&rng) % (span + 1);

		if (!DB_ROW(&r->db, CUT_PROBE, INT(low + (int64_t)at)))
			continue;
		path = db_bytes(&r->db, STMT_CUT_PROBE, 0);
		if (db_int(&r->db, STMT_CUT_PROBE, 1) != 0 &&
		    str_starts(path, prefix))
			s->v[s->n++] = xstrndup(path.p, path.len);
		db_done(&r->db, STMT_CUT_PROBE);
	}
}

/* Keeps every second. */
static void
thin(struct strlist *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (i % 2 == 0)
			s->v[kept++] = s->v[i];
		else
			free(s->v[i]);
	}
	s->n = kept;
}

static void
walk(struct catalog_reader *r, struct str prefix, struct strlist *s)
{
	CLEANUP(range_release) struct range range;
	uint64_t seen = 0, stride = 1;
	bool more;

	range_init(&range, prefix, (struct str){ "", 0 });
	more = DB_ROW(&r->db, CUT_SCAN, range.bind_from, range.bind_end);
	while (more) {
		if (seen++ % stride == 0) {
			if (s->n == SAMPLES_MAX) {
				thin(s);
				stride *= 2;
			}
			/* After thinning this one may be between. */
			if ((seen - 1) % stride == 0)
				s->v[s->n++] = db_strdup(&r->db,
				    STMT_CUT_SCAN, 0);
		}
		more = db_next(&r->db, STMT_CUT_SCAN);
	}
}

static int
by_key(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Turn the sample's paths into keys, and take a key at each n-th part. */
static void
cut(struct strlist *s, bool server_as_prefix, size_t n, struct strlist *keys)
{
	for (size_t i = 0; i < s->n && !server_as_prefix; i++) {
		char *key = xstrdup(key_without_server(s->v[i]));

		free(s->v[i]);
		s->v[i] = key;
	}
	if (s->n < 2 * n)
		return;
	qsort(s->v, s->n, sizeof(*s->v), by_key);
	for (size_t i = 1; i < n; i++) {
		const char *key = s->v[i * s->n / n];

		if (keys->n == 0 || strcmp(keys->v[keys->n - 1], key) != 0)
			strlist_add(keys, key);
	}
}

int
catalog_key_cuts(struct catalog_reader *r, struct str prefix, size_t n,
    struct strlist *ret, struct err *err)
{
	CLEANUP(strlist_clear) struct strlist s = { .v = NULL };
	const size_t probes = MIN(PROBES_EACH * n, (size_t)SAMPLES_MAX);
	int64_t low = 0, high = 0;
	bool server_as_prefix;

	(void)reader_target(r, &server_as_prefix);
	if (n < 2)
		return 0;
	if (DB_ROW0(&r->db, OBJECT_BOUNDS)) {
		low = db_int(&r->db, STMT_OBJECT_BOUNDS, 0);
		high = db_int(&r->db, STMT_OBJECT_BOUNDS, 1);
		db_done(&r->db, STMT_OBJECT_BOUNDS);
	}
	s.v = xreallocarray(NULL, SAMPLES_MAX, sizeof(*s.v));
	if (high - low > SMALL_CATALOG)
		probe(r, prefix, probes, low, high, &s);
	if (s.n < MIN(ENOUGH_EACH * n, probes / 2)) {
		for (size_t i = 0; i < s.n; i++)
			free(s.v[i]);
		s.n = 0;
		walk(r, prefix, &s);
	}
	if (reader_fault(r, err) == -1)
		return -1;
	cut(&s, server_as_prefix, n, ret);
	return 0;
}
