/*
 * Find keys to cut a long range at. A page spans some directories of a level,
 * so a group of as many further directories makes about a page. A listing of
 * this level with a delimiter, behind the page, names the next thousand
 * directories. If the level has no more directories, probe the level above.
 */
#include "lister/lister_internal.h"
#include "s3/cluster.h"

#define RANGES_MAX	4096	/* beyond these, no more are made */
#define GROUP_PAGES	4	/* a range should have */
#define AGAIN		4	/* times as many pages before another try */

static s3_done_fn on_level;

/* Return the deepest directory common to both keys, not above the prefix. */
static struct str
common_level(struct str a, struct str b, size_t at_least)
{
	size_t n = 0, level = at_least;

	for (; n < MIN(a.len, b.len) && a.p[n] == b.p[n]; n++)
		if (a.p[n] == '/' && n + 1 > level)
			level = n + 1;
	return (struct str){ a.p, level };
}

static struct str
level_above(struct str level, size_t at_least)
{
	size_t n = level.len == 0 ? 0 : level.len - 1;

	while (n > at_least && level.p[n - 1] != '/')
		n--;
	return (struct str){ level.p, MAX(n, at_least) };
}

/* How many directories of the level the keys are in. */
static size_t
count_below(const struct s3_listed *keys, size_t count, size_t level)
{
	struct str before = STR("");
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		struct str k = keys[i].key;
		const char *end = k.len <= level ? NULL :
		    memchr(k.p + level, '/', k.len - level);

		if (end == NULL)
			continue;
		k.len = (size_t)(end + 1 - k.p);
		if (!str_eq(k, before))
			n++;
		before = k;
	}
	return n;
}

static void
ask_level(struct s3_lister *l)
{
	l->probe.asking = true;
	l->asking++;
	l->stats.probes++;
	s3_list_in(l->s3, l->cluster, l->probe.level, l->probe.after, STR(""),
	    '/', on_level, l);
}

void
s3_lister_probe(struct s3_range *r, const struct s3_listed *keys,
    size_t count)
{
	struct s3_lister *l = r->lister;
	struct str level;
	size_t below;

	if (r->pages < r->probe_at || count == 0 || l->probe.asking ||
	    l->unsorted || l->parallel == 1 || l->range_count > RANGES_MAX ||
	    (!l->ordered && l->range_count >= l->parallel))
		return;
	r->probe_at = r->pages * AGAIN;
	level = common_level(keys[0].key, keys[count - 1].key, l->prefix.len);
	below = count_below(keys, count, level.len);
	if (below == 0)
		level = level_above(level, l->prefix.len);
	s3_own(&l->probe.level, level);
	s3_own(&l->probe.after, keys[count - 1].key);
	/* The page lies in a single directory, so the directory has a page or
	 * more. */
	l->probe.group = below == 0 ? GROUP_PAGES / 2 : below * GROUP_PAGES;
	l->probe.below = MAX(below, (size_t)1);
	ask_level(l);
}

/* End r at the key, and make the rest behind the key a range of its own. */
static struct s3_range *
cut(struct s3_range *r, struct str key)
{
	struct s3_lister *l = r->lister;
	struct s3_range *rest = s3_range_new(l, key);

	rest->bounded = r->bounded;
	rest->last = r->last;
	rest->next = r->next;
	/* The rest of the range may be as long as before. */
	rest->probe_at = 1;
	if (r->pages == 0)
		r->probe_at = S3_PROBE_AT;
	r->bounded = true;
	r->last = (struct str){ NULL, 0 };
	s3_own(&r->last, key);
	r->next = rest;
	if (l->tail == r)
		l->tail = rest;
	return rest;
}

/* Cut the long range at each group's end; the prefixes are in order. */
static size_t
cut_all(struct s3_lister *l, const struct str *prefixes, size_t count)
{
	struct s3_range *r = l->first;
	size_t cuts = 0, group = 0;

	while (r != NULL && r->bounded &&
	    s3_key_compare(r->last, l->probe.after) <= 0)
		r = r->next;
	if (r != NULL && r->ended)
		return 0;
	for (size_t i = 0; i < count && r != NULL; i++) {
		struct str key = prefixes[i];

		if (r->bounded && s3_key_compare(key, r->last) >= 0)
			break;
		if (s3_key_compare(key, l->probe.after) <= 0 ||
		    ++group % l->probe.group != 0)
			continue;
		if (s3_key_compare(r->seen, key) >= 0)
			continue;
		r = cut(r, key);
		cuts++;
	}
	return cuts;
}

/* Does the server go by prefix, start-after and the order of bytes? */
static bool
is_behind(const struct s3_lister *l, const struct s3_reply *reply)
{
	struct str before = STR("");

	for (size_t i = 0; i < reply->prefix_count; i++) {
		struct str p = reply->prefixes[i];

		if (!str_starts(p, l->probe.level) ||
		    s3_key_compare(p, before) <= 0 ||
		    (s3_key_compare(p, l->probe.after) <= 0 &&
		    !str_starts(l->probe.after, p)))
			return false;
		before = p;
	}
	return true;
}

static void
on_level(void *arg, const struct s3_reply *reply, const struct err *err)
{
	struct s3_lister *l = arg;
	size_t above;

	l->probe.asking = false;
	if (!s3_lister_answered(l))
		return;
	if (err != NULL || !is_behind(l, reply)) {
		/* The pages go on without. */
		l->unsorted = l->unsorted || (err == NULL && !l->cut);
		s3_lister_ask(l);
		return;
	}
	above = level_above(l->probe.level, l->prefix.len).len;
	if (cut_all(l, reply->prefixes, reply->prefix_count) == 0 &&
	    above < l->probe.level.len && !reply->truncated) {
		s3_own(&l->probe.level, (struct str){ l->probe.level.p,
		    above });
		/* On average, as much is before us as is behind. */
		l->probe.group = MAX(l->probe.group / MAX(l->probe.below,
		    2 * reply->prefix_count), (size_t)1);
		l->probe.below = 1;
		ask_level(l);
	}
	s3_lister_ask(l);
}
