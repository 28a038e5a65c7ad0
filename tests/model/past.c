/*
 * past.c: invariant 7, its first half. What the buckets held at the end of each
 * run is noted then; what --as-of says of that moment after any later run must
 * be the same.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/strlist.h"
#include "crypto/crypto.h"
#include "model.h"

#define TRUTHS_MAX	(2 * STEPS_MAX + 32)

struct then {			/* an object of that moment */
	char	*name;		/* bucket/key */
	uint64_t hash;
	uint64_t size;
	uint64_t version;	/* 0: none, or null */
	bool	 doubtful;	/* the catalog may know nothing of it, or other
				   things; it may not be there at all */
};

struct truth {
	long	 run;		/* the last one of then */
	long	 start_s;	/* of its process, by the clock that it saw */
	long	 end_s;
	long	 event;		/* the last one of the journal */
	bool	 known;		/* the catalog had no doubts */
	bool	 begun;		/* it, or a run before */
	bool	 pruned;
	struct then *v;
	size_t	 count;
};

static struct {
	struct truth v[TRUTHS_MAX];
	size_t	 count;
	long	 start_s;	/* of the run at hand */
	long	 event;		/* the last one when it began */
	bool	 clock_back;
	long	 pruned_s;	/* 0: never */
	const struct truth *asked;	/* NULL: it can't be told which */
	bool	 may_refuse;
} p;

static void
forget_truths(void)
{
	for (size_t i = 0; i < p.count; i++) {
		for (size_t k = 0; k < p.v[i].count; k++)
			free(p.v[i].v[k].name);
		free(p.v[i].v);
	}
	p.count = 0;
}

void
past_forget(void)
{
	forget_truths();
	undone_forget();
	memset(&p, 0, sizeof(p));
}

void
past_clock_back(void)
{
	p.clock_back = true;
}

static long
now_s(void)
{
	return (long)time(NULL) + w.clock_s;
}

/* --- what is there now --- */

static void
add(struct truth *t, struct then o)
{
	t->v = xreallocarray(t->v, t->count + 1, sizeof(o));
	t->v[t->count++] = o;
}

static void
add_doubtful(void *arg, const char *name)
{
	add(arg, (struct then){ .name = xstrdup(name), .doubtful = true });
}

struct noting {
	struct truth *t;
	const char *bucket;
};

static void
add_held(void *arg, const struct held *h)
{
	const struct noting *n = arg;
	char *name = xasprintf("%s/%s", n->bucket, h->key);

	add(n->t, (struct then){ name, h->hash, h->size, h->version,
	    h->foreign || is_touched_name(name) });
}

/* The version that the catalog has noted is what the bucket has. */
static void
judge_version(void *arg UNUSED, const struct row *row)
{
	struct held h;
	uint64_t version = strcmp(row->etag, "null") == 0 ? 0 :
	    strtoull(row->etag + 1, NULL, 10);

	/* By another name of the server the key is another file's too. */
	if (!w.moved && !is_touched(row->bucket, row->key) &&
	    store_find(row->bucket, row->key, &h) && !h.foreign &&
	    h.version != version)
		breach(7, "%s is version %lu, and %s in the catalog", row->key,
		    (unsigned long)h.version, row->etag);
}

void
past_begin(void)
{
	p.start_s = now_s();
	p.event = catalog_exists() ? catalog_number("SELECT "
	    "coalesce(max(id), 0) FROM event") : 0;
}

void
past_remember(const struct run *r)
{
	struct truth *t = &p.v[p.count];
	struct noting n = { .t = t };
	long run;

	if (breached() || r->dry || !catalog_exists() ||
	    p.count == TRUTHS_MAX)
		return;
	run = catalog_number("SELECT coalesce(max(id), 0) FROM run");
	if (run == 0 || (p.count > 0 && p.v[p.count - 1].run == run))
		return;
	*t = (struct truth){ .run = run, .start_s = p.start_s,
	    .end_s = now_s(), .known = journal_doubts() == 0,
	    .begun = catalog_number("SELECT count(*) FROM run WHERE "
	    "begun = 1") > 0,
	    .event = catalog_number("SELECT coalesce(max(id), 0) FROM event") };
	for (int conf = 0; conf <= 3; conf += 3) {
		n.bucket = conf_bucket(conf);
		store_each(n.bucket, add_held, &n);
	}
	touched_each(add_doubtful, t);
	p.count++;
	undone_remember(run, t->known);
	if (t->known)
		catalog_rows("SELECT bucket, key, state, "
		    "coalesce(version_id, 'null'), reason, size FROM objects "
		    "WHERE state = 'stored'", judge_version, NULL);
}

/* What had ended before the last run began is dropped. */
void
past_pruned(void)
{
	long last = catalog_number("SELECT max(id) FROM run WHERE begun = 1");
	long event = catalog_number("SELECT coalesce(max(event), 0) "
	    "FROM pruned");

	if (catalog_number("SELECT count(*) FROM pruned") == 0)
		return;
	p.pruned_s = now_s();
	for (size_t i = 0; i < p.count; i++)
		p.v[i].pruned |= p.v[i].run < last && p.v[i].event < event;
	undone_pruned(last);
}

/* --- asking --- */

static bool
in_scope(const struct run *r, const struct then *o)
{
	size_t len = strlen(conf_bucket(w.conf));

	return strncmp(o->name, conf_bucket(w.conf), len) == 0 &&
	    o->name[len] == '/' && in_prefix(r, o->name + len + 1);
}

static const char *
key_in(const struct then *o)
{
	return o->name + strlen(conf_bucket(w.conf)) + 1;
}

/* What there was at that second, if all that began by then had ended. */
static const struct truth *
truth_at(long s)
{
	const struct truth *t = NULL;

	for (size_t i = 0; i < p.count; i++)
		if (p.v[i].start_s <= s)
			t = &p.v[i];
	return t == NULL || t->end_s > s || p.clock_back ? NULL : t;
}

bool
past_target_known(void)
{
	AUTOFREE char *sql = xasprintf("SELECT count(*) FROM target WHERE "
	    "bucket = '%s' AND server_as_prefix = %d", conf_bucket(w.conf),
	    is_same_target(w.conf, 0) || is_same_target(w.conf, 3));

	return catalog_number(sql) > 0;
}

/* So many runs ago that made something true; or the first. */
static const struct truth *
truth_of(int ago)
{
	size_t i = p.count - 1;

	for (; i > 0; i--)
		if (p.v[i].event != p.v[i - 1].event && ago-- == 0)
			break;
	return &p.v[i];
}

/* how: LIST, GET, sql; which: so many ago; by: run, time, day; dir, dry */
void
play_as_of(const int *v)
{
	static const enum op ops[] = { OP_LIST, OP_GET, OP_ASK };
	CLEANUP(run_release) struct run r;
	const struct truth *t;
	struct tm tm;
	time_t s;

	if (p.count == 0)
		return;
	t = truth_of(v[1]);
	run_init(&r);
	r.op = ops[v[0]];
	r.prefix = v[3];
	r.dry = v[4] != 0 && r.op == OP_GET;
	s = v[2] == 2 ? t->end_s - t->end_s % 86400 + 86399 : t->end_s;
	gmtime_r(&s, &tm);
	if (v[2] == 0)
		snprintf(r.as_of, sizeof(r.as_of), "%ld", t->run);
	else
		strftime(r.as_of, sizeof(r.as_of), v[2] == 1 ?
		    "%Y-%m-%dT%H:%M:%SZ" : "%Y-%m-%d", &tm);
	p.asked = v[2] == 0 ? t : truth_at(s);
	/* A time within the horizon needs no answer, nor does one before all
	 * runs. */
	p.may_refuse = p.asked == NULL || !p.asked->begun ||
	    !past_target_known() || (p.pruned_s != 0 &&
	    (p.clock_back || (v[2] != 0 && s <= p.pruned_s)));
	clear_dir("out");
	run_go(&r);
}

/* --- answers: keys --- */

static void
take_keys(const struct run *r, struct strlist *keys)
{
	const char *at = r->out.data, *end = at + r->out.len;
	char sep = r->op == OP_LIST ? '\0' : '\n';

	/* The first line of a table names its columns. */
	if (r->op == OP_ASK && at != NULL)
		at = strchr(at, '\n') + 1;
	while (at < end) {
		const char *stop = memchr(at, sep, (size_t)(end - at));
		size_t len = (size_t)((stop == NULL ? end : stop) - at);
		AUTOFREE char *text = xstrndup(at, len);

		if (r->op == OP_ASK && (len % 2 != 0 ||
		    !hex_decode(text, text, len / 2)))
			breach(7, "sql --as-of says %s", text);
		else if (r->op == OP_ASK)
			text[len / 2] = '\0';
		strlist_add(keys, text);
		at += len + 1;
	}
}

static size_t
times_in(const struct strlist *keys, const char *key)
{
	size_t n = 0;

	for (size_t i = 0; i < keys->n; i++)
		n += strcmp(keys->v[i], key) == 0;
	return n;
}

static void
judge_keys(const struct run *r)
{
	CLEANUP(strlist_clear) struct strlist keys = { .v = NULL };
	const struct truth *t = p.asked;

	take_keys(r, &keys);
	for (size_t i = 0; i < t->count; i++)
		if (in_scope(r, &t->v[i]) && !t->v[i].doubtful &&
		    times_in(&keys, key_in(&t->v[i])) != 1)
			breach(7, "%s was there after run %ld, and is %zu "
			    "times in the answer", t->v[i].name, t->run,
			    times_in(&keys, key_in(&t->v[i])));
	for (size_t k = 0; k < keys.n && !breached(); k++) {
		bool known = false;

		for (size_t i = 0; i < t->count && !known; i++)
			known = in_scope(r, &t->v[i]) &&
			    strcmp(key_in(&t->v[i]), keys.v[k]) == 0;
		if (!known)
			breach(7, "%s wasn't there after run %ld", keys.v[k],
			    t->run);
	}
}

/* --- answers: bytes --- */

enum fate { GIVEN, REFUSED, EITHER };

/* A version comes by its id; otherwise what has the same bytes now. */
static enum fate
fate_of(const struct then *o, bool doubts)
{
	struct held h;

	if (o->doubtful)
		return EITHER;
	if (o->version != 0)
		return GIVEN;
	if (!store_find(conf_bucket(w.conf), key_in(o), &h) ||
	    h.hash != o->hash)
		return is_touched_name(o->name) || doubts ? EITHER : REFUSED;
	return h.foreign || is_touched_name(o->name) || doubts ? EITHER : GIVEN;
}

/* A file can't be where another one needs a directory. */
static bool
is_in_the_way(const struct truth *t, const struct then *o)
{
	for (size_t i = 0; i < t->count; i++) {
		size_t a = strlen(o->name), b = strlen(t->v[i].name);
		const char *longer = a < b ? t->v[i].name : o->name;

		if (a != b && longer[MIN(a, b)] == '/' &&
		    strncmp(o->name, t->v[i].name, MIN(a, b)) == 0)
			return true;
	}
	return false;
}

/* Which bytes came of it; false: none. */
static bool
came(const struct then *o, uint64_t *ret_hash)
{
	AUTOFREE char *rel = rel_of(key_in(o));
	AUTOFREE char *prefix = key_prefix(w.conf);
	AUTOFREE char *path = xasprintf("%s/out/%s%s", w.dir, prefix, rel);
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	AUTOFREE char *data = xmalloc(HUGE_SIZE / 16);
	ssize_t n = fd == -1 ? -1 : read(fd, data, HUGE_SIZE / 16);

	if (n >= 0)
		*ret_hash = bytes_hash(data, (size_t)n);
	return n >= 0;
}

static void
judge_bytes(const struct run *r)
{
	const struct truth *t = p.asked;
	bool doubts = journal_doubts() != 0, sure = true;
	long given = 0, refused = 0;

	for (size_t i = 0; i < t->count && !breached(); i++) {
		const struct then *o = &t->v[i];
		enum fate fate;
		uint64_t hash;
		bool is;

		if (!in_scope(r, o))
			continue;
		fate = is_in_the_way(t, o) ? EITHER : fate_of(o, doubts);
		is = !r->dry && came(o, &hash);
		given += fate == GIVEN;
		refused += fate == REFUSED;
		sure = sure && fate != EITHER;
		if (is && !o->doubtful && hash != o->hash)
			breach(7, "%s has come back with other bytes than "
			    "those after run %ld", o->name, t->run);
		else if (!r->bent && !r->dry && fate != EITHER &&
		    is != (fate == GIVEN))
			breach(7, "%s of after run %ld has%s come back",
			    o->name, t->run, is ? "" : "n't");
	}
	if (!sure || r->bent || breached())
		return;
	if (r->totals.moved != given || r->totals.failed != refused ||
	    r->status != (refused > 0))
		breach(7, "%ld came back and %ld failed, exit status %d; not "
		    "%ld and %ld", r->totals.moved, r->totals.failed, r->status,
		    given, refused);
}

void
past_judge(const struct run *r)
{
	const struct truth *t = p.asked;

	if (r->bent && r->status != 0) {
		/* What came in time is right all the same. */
		if (t != NULL && t->known && r->op == OP_GET)
			judge_bytes(r);
		return;
	}
	if (t != NULL && t->pruned) {
		if (r->status != 2 && !p.clock_back)
			breach(7, "run %ld has been pruned, and exit status "
			    "%d", t->run, r->status);
		return;
	}
	if (r->status == 2 && !p.may_refuse)
		breach(7, "no answer for %s: %.*s", r->as_of,
		    (int)MIN(r->err.len, (size_t)200),
		    r->err.len == 0 ? "" : r->err.data);
	if (t == NULL || !t->known || r->status == 2)
		return;
	if (r->op == OP_GET)
		judge_bytes(r);
	else if (r->status != 0)
		breach(7, "exit status %d", r->status);
	else
		judge_keys(r);
}
