/*
 * journal.c: invariant 6. The events of the catalog are only added to; what
 * they say of the end of a run, asked at that moment, is what the bucket holds,
 * and asked after any later run it is the same.
 */
#include "model.h"

struct said {
	long	 run;
	uint64_t hash;
};

static struct {
	long	 last;		/* event of before */
	uint64_t hash;		/* of all events up to that */
	struct said said[2 * STEPS_MAX + 32];
	size_t	 count;
} g;

void
journal_forget(void)
{
	g.last = 0;
	g.count = 0;
}

/* What the targets held after a run: the newest event of each version. */
static char *
as_of(long run)
{
	return xasprintf("SELECT t.bucket, iif(t.server_as_prefix = 0, "
	    "substr(v.path, instr(v.path, '/') + 1), v.path) AS key, "
	    "e.object, iif(%ld = (SELECT max(id) FROM run), "
	    "coalesce(r.etag, lower(hex(r.md5))), ''), '', "
	    "v.size FROM (SELECT max(id) AS id FROM event WHERE kind < 20 "
	    "AND run <= %ld GROUP BY object, target) n "
	    "JOIN event e ON e.id = n.id AND e.kind < 10 "
	    "JOIN (SELECT id, path, size FROM object UNION ALL "
	    "SELECT id, path, size FROM history) v ON v.id = e.object "
	    "JOIN target t ON t.id = e.target "
	    "LEFT JOIN result r ON r.object = e.object AND "
	    "r.target = e.target ORDER BY e.id", run, run);
}

static uint64_t
hash_as_of(long run)
{
	AUTOFREE char *state = as_of(run);
	AUTOFREE char *sql = xasprintf("SELECT bucket, key, object FROM (%s)",
	    state);

	return catalog_hash_of(sql);
}

/* --- the journal of before --- */

static uint64_t
hash_up_to(long last)
{
	AUTOFREE char *sql = xasprintf("SELECT * FROM event WHERE id <= %ld "
	    "ORDER BY id", last);

	return catalog_hash_of(sql);
}

static void
judge_past(void)
{
	if (g.last > 0 && hash_up_to(g.last) != g.hash)
		breach(6, "an event of before was changed or removed");
	for (size_t i = 0; i < g.count && !breached(); i++)
		if (hash_as_of(g.said[i].run) != g.said[i].hash)
			breach(6, "the state after run %ld is another one now",
			    g.said[i].run);
	g.last = catalog_number("SELECT coalesce(max(id), 0) FROM event");
	g.hash = hash_up_to(g.last);
}

/* --- the bucket --- */

static void
judge_present(void *arg UNUSED, const struct row *row)
{
	struct held h;

	if (is_touched(row->bucket, row->key))
		return;
	if (!store_find(row->bucket, row->key, &h))
		breach(6, "by the journal the bucket has %s", row->key);
	else if (row->etag[0] != '\0' && strcmp(row->etag, h.etag) != 0)
		breach(6, "by the journal the bucket has other bytes of %s",
		    row->key);
}

struct search {
	const char *key;
	bool	 found;
};

static void
look(void *arg, const struct row *row)
{
	struct search *s = arg;

	s->found |= strcmp(row->key, s->key) == 0 &&
	    strcmp(row->bucket, conf_bucket(w.conf)) == 0;
}

static void
judge_object(void *arg, const struct held *h)
{
	struct search s = { .key = h->key };

	if (h->foreign || breached() ||
	    is_touched(conf_bucket(w.conf), h->key))
		return;
	catalog_rows(arg, look, &s);
	if (!s.found)
		breach(6, "the bucket has %s, and the journal says nothing "
		    "of it", h->key);
}

long
journal_doubts(void)
{
	return catalog_number("SELECT (SELECT count(*) FROM settle) + "
	    "(SELECT count(*) FROM deletion) + "
	    "(SELECT count(*) FROM lease WHERE closed = 0)");
}

/* The rows of now say the same as the journal. */
static const char apart[] = "SELECT count(*) FROM result r "
    "WHERE (r.held > 0) <> coalesce((SELECT e.kind < 10 FROM event e "
    "WHERE e.object = r.object AND e.target = r.target AND e.kind < 20 "
    "ORDER BY e.id DESC LIMIT 1), 0)";

void
judge_journal(const struct run *r)
{
	long run = catalog_number("SELECT max(id) FROM run");
	AUTOFREE char *state = as_of(run);

	if (r->dry || run <= 0)
		return;
	judge_past();
	if (breached() || journal_doubts() != 0)
		return;
	if (catalog_number(apart) != 0)
		breach(6, "%ld results and the journal say different things",
		    catalog_number(apart));
	catalog_rows(state, judge_present, NULL);
	if (!w.restored)
		store_each(conf_bucket(w.conf), judge_object, state);
	if (!breached() && g.count < ARRAY_LEN(g.said))
		g.said[g.count++] = (struct said){ run, hash_as_of(run) };
}
