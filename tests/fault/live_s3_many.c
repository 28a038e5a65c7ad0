/*
 * Run DeleteObjects and the lister against a real server and say "N passed, N
 * failed". From the environment: S3_ENDPOINT, S3_BUCKET (there already),
 * S3_KEY, S3_SECRET; with S3_VERSIONED (another bucket, with versions) also
 * what is told of delete markers.
 */
#include "lister/lister.h"
#include "live_s3.h"
#include "rest/xml.h"

#define COUNT 2300

struct many {
	unsigned calls;
	size_t	 gone;
	size_t	 markers;
	size_t	 versions;
	struct err err;		/* the last key's that has one */
};

static void
on_deleted(void *arg, const struct s3_deleted *d, size_t count)
{
	struct many *m = arg;

	m->calls++;
	for (size_t i = 0; i < count; i++) {
		m->gone += d[i].err == NULL;
		m->markers += d[i].delete_marker;
		m->versions += d[i].version_id.len > 0;
		if (d[i].err != NULL)
			m->err = *d[i].err;
	}
}

static void
turn(struct s3 *s)
{
	while (s3_pending(s) > 0)
		s3_wait(s, NULL, 0, 1000);
}

static bool
put_all(struct s3 *s, const struct str *keys, size_t count)
{
	struct s3_body body = { .data = "x", .len = 1 };
	struct got *g = xcalloc(count, sizeof(*g));
	size_t bad = 0;

	for (size_t i = 0; i < count; i++) {
		got_init(&g[i]);
		s3_put(s, keys[i], &body, NULL, on_done, &g[i]);
	}
	turn(s);
	for (size_t i = 0; i < count; i++) {
		bad += g[i].calls != 1 || g[i].err.kind != ERR_NONE;
		got_release(&g[i]);
	}
	free(g);
	return bad == 0;
}

static bool
is_empty(struct s3 *s, struct str prefix)
{
	GOT(l);

	s3_list(s, prefix, STR(""), STR(""), 0, on_done, &l);
	return run(s, &l) && l.count == 0;
}

static void
test_delete_odd(struct s3 *s)
{
	const struct str keys[] = {
		STR("many/a b"), STR("many/\303\274\360\237\230\200"),
		STR("many/new\nline"), STR("many/re\rturn"),
		STR("many/both\r\n"), STR("many/tab\t"), STR("many/ "),
		STR("many/per%25cent+plus"), STR("many/q\"uo'tes<>&amp;]]>"),
		STR("many/\177"), STR("many/end "), STR("many/end\n"),
		STR("many//slashes//"), STR("many/back\\slash"),
		STR(" many"), STR("\nmany"), STR(" "),
		STR("many/\357\267\260"), STR("many/\302\205"),
	};

	check(put_all(s, keys, ARRAY_LEN(keys)), "put odd keys", "");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct many m = { .calls = 0 };
		char shown[64];
		GOT(h);

		str_escape(keys[i], shown, sizeof(shown));
		s3_delete_many(s, &keys[i], 1, on_deleted, &m);
		turn(s);
		s3_head(s, keys[i], on_done, &h);
		check(s3_key_fits_xml(keys[i]) && m.gone == 1 &&
		    !run(s, &h) && h.err.kind == ERR_GONE, shown,
		    m.err.msg);
	}
}

static void
test_delete_many(struct s3 *s)
{
	static char text[COUNT][1024];
	struct str keys[COUNT];
	struct many m = { .calls = 0 };

	for (size_t i = 0; i < COUNT; i++) {
		int len = snprintf(text[i], sizeof(text[i]), "many/%05zu&", i);

		/* Some as long as keys can be. */
		memset(text[i] + len, 'k', sizeof(text[i]) - (size_t)len);
		keys[i] = (struct str){ text[i],
		    i % 4 == 0 ? sizeof(text[i]) : (size_t)len };
	}
	check(put_all(s, keys, COUNT), "put many", "");
	s3_delete_many(s, keys, COUNT, on_deleted, &m);
	turn(s);
	check(m.calls == 1 && m.gone == COUNT && m.versions == 0,
	    "delete many", m.err.msg);
	check(is_empty(s, STR("many/")), "they are gone", "");
	memset(&m, 0, sizeof(m));
	for (size_t i = 0; i < 1000; i++)
		keys[i].len = sizeof(text[i]);
	s3_delete_many(s, keys, 1000, on_deleted, &m);
	turn(s);
	check(m.gone == 1000, "delete 1,000 long keys that aren't there",
	    m.err.msg);
}

static void
test_delete_fails(struct s3_config c)
{
	const struct str keys[] = { STR("a"), STR("b\001"), STR("c") };
	struct many m = { .calls = 0 };
	struct s3 *s;

	c.store.secret_key = "wrong";
	s = make(&c);
	s3_delete_many(s, keys, ARRAY_LEN(keys), on_deleted, &m);
	turn(s);
	check(m.calls == 1 && m.gone == 0 && m.err.kind == ERR_REFUSED,
	    "delete many with a wrong secret", m.err.msg);
	s3_free(&s);
}

static void
test_versioned(struct s3_config c)
{
	const struct str keys[] = { STR("v/1"), STR("v/2") };
	struct many m = { .calls = 0 };
	struct s3 *s;
	GOT(g);

	c.store.bucket = env("S3_VERSIONED");
	if (c.store.bucket == NULL)
		return;
	s = make(&c);
	check(put_all(s, keys, ARRAY_LEN(keys)), "put with versions", "");
	s3_delete_many(s, keys, ARRAY_LEN(keys), on_deleted, &m);
	turn(s);
	check(m.gone == 2 && m.markers == 2 && m.versions == 2,
	    "delete many leaves markers", m.err.msg);
	check(put_all(s, keys, 1), "put again", "");
	s3_delete(s, keys[0], on_done, &g);
	check(run(s, &g) && g.delete_marker, "delete leaves a marker",
	    g.err.msg);
	s3_free(&s);
}

/* Another object under the same key, and parts. */
static void
test_get_match(struct s3 *s)
{
	char old[72];
	GOT(g);
	GOT(h);
	GOT(w);
	GOT(b);
	GOT(p);

	check(put(s, STR("match"), "old one", 7, NULL, &g), "put", "");
	memcpy(old, g.etag, sizeof(old));
	s3_get_match(s, STR("match"), STR(""), old, 4, 3, on_data, on_done, &h);
	check(run(s, &h) && h.body.len == 3 && h.object_size == 7 &&
	    memcmp(h.body.data, "one", 3) == 0, "get if it is that one",
	    h.err.msg);
	g.calls = 0;
	check(put(s, STR("match"), "new one", 7, NULL, &g), "put another",
	    "");
	s3_get_match(s, STR("match"), STR(""), old, 4, 3, on_data, on_done, &w);
	check(!run(s, &w) && w.err.kind == ERR_GONE && w.body.len == 0,
	    "no range of another object", w.err.msg);
	s3_get_match(s, STR("match"), STR(""), old, 0, 0, on_data, on_done, &b);
	check(!run(s, &b) && b.err.kind == ERR_GONE && b.body.len == 0,
	    "nor another object", b.err.msg);
	s3_head_of(s, STR("match"), STR(""), 1, on_done, &p);
	check(run(s, &p) && p.size == 7 && p.object_size == 7 &&
	    p.parts_count <= 1, "head of the one part", p.err.msg);
	check(delete(s, STR("match")), "delete it", "");
}

/* A tree is listed in ranges, each key once. */
struct seen {
	struct buf last;
	size_t	 count;
	bool	 disorder;
	bool	 done;
	struct err err;
};

static void
on_keys(void *arg, const struct s3_listed *keys, size_t count)
{
	struct seen *n = arg;

	for (size_t i = 0; i < count; i++) {
		struct str k = keys[i].key;
		int c = memcmp(n->last.data, k.p, MIN(n->last.len, k.len));

		if (c > 0 || (c == 0 && n->last.len >= k.len))
			n->disorder = true;
		buf_clear(&n->last);
		buf_add(&n->last, k.p, k.len);
	}
	n->count += count;
}

static void
on_all(void *arg, const struct err *err)
{
	struct seen *n = arg;

	n->done = true;
	if (err != NULL)
		n->err = *err;
}

static void
list_all(struct s3 *s, const struct s3_lister_plan *plan, const char *what,
    size_t count, size_t ranges)
{
	struct s3_lister_stats stats;
	struct s3_lister *l;
	struct seen n = { .count = 0 };

	buf_init(&n.last, 2048);
	buf_addch(&n.last, '\0');
	s3_lister_new(&l, s, plan, on_keys, on_all, &n);
	while (!n.done)
		s3_wait(s, NULL, 0, 1000);
	s3_lister_stats(l, &stats);
	s3_lister_free(&l);
	turn(s);
	if (plan->ordered && n.disorder)
		err_set(&n.err, ERR_PEER, 0, "out of order");
	if (n.err.kind == ERR_NONE && (n.count != count ||
	    stats.ranges < ranges))
		err_set(&n.err, ERR_PEER, 0, "%zu keys, %ju ranges", n.count,
		    (uintmax_t)stats.ranges);
	check(n.err.kind == ERR_NONE, what, n.err.msg);
	buf_release(&n.last);
}

static void
test_lister(struct s3 *s)
{
	static const char *const odd[] = { "", " ", "\303\274", "\n", "%2f",
	    "+&" };
	enum { TREE = 6000, CUT_EACH = 10 };
	char (*text)[48] = xcalloc(TREE, sizeof(*text));
	struct str *keys = xcalloc(TREE, sizeof(*keys));
	struct s3_lister_plan plan = { .prefix = STR("tree/") };
	struct many m = { .calls = 0 };

	for (unsigned i = 0; i < TREE; i++) {
		snprintf(text[i], sizeof(text[i]), "tree/_a/d%03u%s/_%u%s",
		    i / 100, odd[i / 100 % ARRAY_LEN(odd)], i,
		    odd[i % ARRAY_LEN(odd)]);
		keys[i] = str_of(text[i]);
	}
	check(put_all(s, keys, TREE), "put a tree", "");
	list_all(s, &plan, "list it, unordered", TREE, 2);
	plan.ordered = true;
	list_all(s, &plan, "list it, ordered", TREE, 2);
	plan.max_parallel = 1;
	list_all(s, &plan, "list it in one range", TREE, 1);
	plan.max_parallel = 4;
	for (unsigned i = TREE / 3; i < 2 * TREE / 3; i += CUT_EACH)
		strlist_add(&plan.cuts, text[i]);
	list_all(s, &plan, "list it between many keys", TREE,
	    TREE / 3 / CUT_EACH + 1);
	strlist_clear(&plan.cuts);
	plan.prefix = STR("tree/_a/d00");
	list_all(s, &plan, "list a part of it", 1000, 1);
	plan.prefix = STR("tree/none");
	list_all(s, &plan, "list nothing", 0, 1);
	s3_delete_many(s, keys, TREE, on_deleted, &m);
	turn(s);
	check(m.gone == TREE && is_empty(s, STR("tree/")), "delete it",
	    m.err.msg);
	free(text);
	free(keys);
}

int
main(void)
{
	char *endpoint = env("S3_ENDPOINT");
	struct s3_config c = settings(&endpoint);
	struct s3 *s;

	if (endpoint == NULL || c.store.bucket == NULL ||
	    c.store.access_key == NULL || c.store.secret_key == NULL) {
		fputs("live_s3_many: set S3_ENDPOINT, S3_BUCKET, S3_KEY, "
		    "S3_SECRET\n", stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	s = make(&c);
	test_delete_odd(s);
	test_delete_many(s);
	test_get_match(s);
	test_lister(s);
	s3_free(&s);
	c.store.sign_payload = true;
	s = make(&c);
	test_delete_odd(s);
	s3_free(&s);
	c.store.sign_payload = false;
	test_delete_fails(c);
	test_versioned(c);
	printf("%u passed, %u failed\n", passed, failed);
	return failed == 0 && passed > 0 ? 0 : 1;
}
