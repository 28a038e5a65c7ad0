/* The lister's ranges and pages. */
#include "lister/lister_internal.h"
#include "s3/cluster.h"

#define PARALLEL	8
#define AHEAD_PAGES	4	/* that wait, for each request at once */

static s3_done_fn on_page;

int
s3_key_compare(struct str a, struct str b)
{
	size_t len = MIN(a.len, b.len);
	int c = len == 0 ? 0 : memcmp(a.p, b.p, len);

	return c != 0 ? c : a.len < b.len ? -1 : a.len > b.len;
}

static int
by_key(const void *a, const void *b)
{
	const struct str *x = a, *y = b;

	return s3_key_compare(*x, *y);
}

static void
disown(struct str *s)
{
	/* It is a copy of ours. */
	free((void *)(uintptr_t)s->p);
	*s = (struct str){ NULL, 0 };
}

void
s3_own(struct str *s, struct str value)
{
	char *p = xmalloc(value.len + 1);

	if (value.len > 0)
		memcpy(p, value.p, value.len);
	p[value.len] = '\0';
	disown(s);
	*s = (struct str){ p, value.len };
}

struct s3_range *
s3_range_new(struct s3_lister *l, struct str after)
{
	struct s3_range *r = xcalloc(1, sizeof(*r));

	r->lister = l;
	r->probe_at = S3_PROBE_AT;
	s3_own(&r->seen, after);
	l->range_count++;
	l->stats.ranges++;
	l->cut = l->stats.ranges > 1;
	return r;
}

static void
range_free(struct s3_range *r)
{
	while (r->first != NULL) {
		struct s3_page *p = r->first;

		r->first = p->next;
		free(p);
	}
	disown(&r->seen);
	disown(&r->last);
	disown(&r->token);
	disown(&r->mark);
	free(r);
}

static void
release(struct s3_lister *l)
{
	while (l->first != NULL) {
		struct s3_range *r = l->first;

		l->first = r->next;
		range_free(r);
	}
	for (size_t i = 0; i < l->cut_count; i++)
		disown(&l->cuts[i]);
	free(l->cuts);
	disown(&l->prefix);
	disown(&l->probe.level);
	disown(&l->probe.after);
	s3_merge_free(l->merge);
	free(l);
}

void
s3_lister_release_if_dead(struct s3_lister *l)
{
	if (l->dead && l->asking == 0 && !l->busy)
		release(l);
}

static void
lister_end(struct s3_lister *l, const struct err *err)
{
	l->over = true;
	l->busy = true;
	l->done(l->arg, err);
	l->busy = false;
	s3_lister_release_if_dead(l);
}

bool
s3_lister_answered(struct s3_lister *l)
{
	l->asking--;
	if (!l->dead)
		return !l->over;
	s3_lister_release_if_dead(l);
	return false;
}

static void
add_range(struct s3_lister *l, struct s3_range *r)
{
	if (l->tail == NULL)
		l->first = r;
	else
		l->tail->next = r;
	l->tail = r;
}

/* Make up to count ranges from the caller's cuts. */
static void
make_ranges(struct s3_lister *l, size_t count)
{
	while (!l->made_all && l->range_count < count) {
		size_t i = l->cut_next++;
		struct s3_range *r = s3_range_new(l, i == 0 ? STR("") :
		    l->cuts[i - 1]);

		if (i < l->cut_count) {
			r->bounded = true;
			s3_own(&r->last, l->cuts[i]);
		} else {
			l->made_all = true;
			/* The last range takes every remaining key, however
			 * many. */
			r->probe_at = 1;
		}
		add_range(l, r);
	}
}

static void
ask(struct s3_range *r)
{
	struct s3_lister *l = r->lister;

	r->asking = true;
	l->asking++;
	l->stats.pages++;
	s3_list_in(l->s3, l->cluster, l->prefix, r->token.len > 0 ? STR("") :
	    r->seen, r->token, 0, on_page, r);
}

void
s3_lister_ask(struct s3_lister *l)
{
	size_t ahead = l->ordered ? 2 * (size_t)l->parallel : l->parallel;
	size_t most = AHEAD_PAGES * (size_t)l->parallel, n = 0;

	if (l->paused || l->over || l->dead)
		return;
	make_ranges(l, ahead);
	for (struct s3_range *r = l->first; r != NULL && n < ahead &&
	    l->asking < l->parallel; r = r->next, n++)
		/* The first range waits for nothing but its own pages. */
		if (!r->ended && !r->asking && (r == l->first ||
		    l->kept + l->asking < most))
			ask(r);
}

/* Take out the ranges with every page given to the caller. */
static void
drop_ended(struct s3_lister *l)
{
	struct s3_range *before = NULL, **link = &l->first;

	while (*link != NULL) {
		struct s3_range *r = *link;

		if (r->ended && r->first == NULL) {
			*link = r->next;
			if (l->tail == r)
				l->tail = before;
			l->range_count--;
			range_free(r);
		} else if (l->ordered) {
			break;
		} else {
			before = r;
			link = &r->next;
		}
	}
}

static void
give(struct s3_lister *l, const struct s3_listed *keys, size_t count)
{
	if (count == 0)
		return;
	l->stats.keys += count;
	l->page(l->arg, keys, count);
}

/* Return the range with the next page to give, or NULL. */
static struct s3_range *
range_to_give(struct s3_lister *l)
{
	struct s3_range *r;

	drop_ended(l);
	if (l->ordered)
		return l->first != NULL && l->first->first != NULL ?
		    l->first : NULL;
	for (r = l->first; r != NULL && r->first == NULL; r = r->next)
		;
	return r;
}

static void
give_kept(struct s3_lister *l)
{
	struct s3_range *r;

	while (!l->paused && !l->dead && (r = range_to_give(l)) != NULL) {
		struct s3_page *p = r->first;

		r->first = p->next;
		if (r->first == NULL)
			r->tail = NULL;
		l->kept--;
		give(l, p->keys, p->count);
		free(p);
	}
}

/* Pages were given: what comes next? */
static void
go_on(struct s3_lister *l)
{
	if (l->dead) {
		s3_lister_release_if_dead(l);
		return;
	}
	drop_ended(l);
	s3_lister_ask(l);
	if (l->first == NULL && l->made_all && !l->paused)
		lister_end(l, NULL);
}

struct s3_page *
s3_page_new(const struct s3_listed *keys, size_t count)
{
	struct s3_page *p;
	size_t size = 0;
	char *bytes;

	for (size_t i = 0; i < count; i++)
		size += keys[i].key.len;
	p = xmalloc(sizeof(*p) + count * sizeof(p->keys[0]) + size);
	p->next = NULL;
	p->count = count;
	bytes = (char *)&p->keys[count];
	for (size_t i = 0; i < count; i++) {
		p->keys[i] = keys[i];
		memcpy(bytes, keys[i].key.p, keys[i].key.len);
		p->keys[i].key.p = bytes;
		bytes += keys[i].key.len;
	}
	return p;
}

static void
keep(struct s3_range *r, const struct s3_listed *keys, size_t count)
{
	struct s3_lister *l = r->lister;
	struct s3_page *p = s3_page_new(keys, count);

	if (r->tail == NULL)
		r->first = p;
	else
		r->tail->next = p;
	r->tail = p;
	l->kept++;
	l->stats.kept_max = MAX(l->stats.kept_max, l->kept);
}

static bool
in_order(const struct s3_range *r, const struct s3_listed *keys,
    size_t count)
{
	struct str before = r->seen;

	for (size_t i = 0; i < count; i++) {
		if (s3_key_compare(before, keys[i].key) >= 0)
			return false;
		before = keys[i].key;
	}
	return true;
}

/* A store ignoring the prefix lists keys outside the prefix, and DEL would
 * delete such keys. Use nothing of such a listing. */
static int
check_prefix(const struct s3_lister *l, const struct s3_reply *reply,
    struct err *err)
{
	char key[128], prefix[64];

	for (size_t i = 0; i < reply->listed_count; i++)
		if (!str_starts(reply->listed[i].key, l->prefix))
			return err_set(err, ERR_PEER, reply->status,
			    "list: S3 was asked for keys with the prefix %s "
			    "and sent the key %s; nothing of this listing is "
			    "used", str_escape(l->prefix, prefix,
			    sizeof(prefix)), str_escape(reply->listed[i].key,
			    key, sizeof(key)));
	return 0;
}

/* Return true if a server without the order of bytes goes round in a circle;
 * its tokens may differ each time. The range remembers the first key of a page,
 * each time for twice as many pages: thus the lister finds a circle of any
 * length before listing the circle three times. */
static bool
goes_round(struct s3_range *r, const struct s3_reply *reply)
{
	struct str key;

	if (reply->listed_count == 0)
		return false;
	key = reply->listed[0].key;
	if (r->mark.len > 0 && str_eq(key, r->mark))
		return true;
	if (r->mark.len == 0 || r->pages >= 2 * r->marked) {
		r->marked = r->pages;
		s3_own(&r->mark, key);
	}
	return false;
}

/* Make the page part of its range. ret_count: number of keys inside the
 * range. */
static int
take(struct s3_range *r, const struct s3_reply *reply, size_t *ret_count,
    struct err *err)
{
	struct s3_lister *l = r->lister;
	size_t count = reply->listed_count;

	if (check_prefix(l, reply, err) == -1)
		return -1;
	r->pages++;
	if (goes_round(r, reply))
		return err_set(err, ERR_PEER, reply->status,
		    "list: the server sends the same pages again");
	if (!l->unsorted && !in_order(r, reply->listed, count)) {
		if (l->cut)
			return err_set(err, ERR_PEER, reply->status,
			    "list: keys that are out of order");
		l->unsorted = true;
	}
	if (reply->truncated && str_eq(reply->next, r->token))
		return err_set(err, ERR_PEER, reply->status,
		    "list: the next page is the same page");
	r->ended = !reply->truncated;
	while (r->bounded && count > 0 &&
	    s3_key_compare(reply->listed[count - 1].key, r->last) > 0) {
		count--;
		r->ended = true;
	}
	if (count > 0)
		s3_own(&r->seen, reply->listed[count - 1].key);
	if (r->bounded && s3_key_compare(r->seen, r->last) >= 0)
		r->ended = true;
	s3_own(&r->token, reply->next);
	*ret_count = count;
	return 0;
}

static void
on_page(void *arg, const struct s3_reply *reply, const struct err *err)
{
	struct s3_range *r = arg;
	struct s3_lister *l = r->lister;
	struct err wrong = ERR_INIT;
	size_t count = 0;

	r->asking = false;
	if (!s3_lister_answered(l))
		return;
	if (err == NULL && take(r, reply, &count, &wrong) == -1)
		err = &wrong;
	if (err != NULL) {
		lister_end(l, err);
		return;
	}
	if (!r->ended)
		s3_lister_probe(r, reply->listed, count);
	l->busy = true;
	if (l->paused || r->first != NULL || (l->ordered && l->first != r)) {
		if (count > 0)
			keep(r, reply->listed, count);
	} else {
		/* Ask for the next page while the caller uses this page. */
		s3_lister_ask(l);
		give(l, reply->listed, count);
	}
	give_kept(l);
	l->busy = false;
	go_on(l);
}

/* Keep the caller's cuts behind the prefix, each once. */
static void
set_cuts(struct s3_lister *l, const struct s3_lister_plan *plan)
{
	struct str *v = xcalloc(plan->cuts.n + 1, sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; i < plan->cuts.n; i++) {
		v[n] = str_of(plan->cuts.v[i]);
		n += v[n].len > plan->prefix.len &&
		    str_starts(v[n], plan->prefix);
	}
	qsort(v, n, sizeof(*v), by_key);
	l->cuts = xcalloc(n + 1, sizeof(*l->cuts));
	for (size_t i = 0; i < n; i++)
		if (i == 0 || !str_eq(v[i], v[i - 1]))
			s3_own(&l->cuts[l->cut_count++], v[i]);
	free(v);
}

static struct s3_lister *
new(struct s3 *s, const struct s3_lister_plan *plan, s3_lister_page_fn *page,
    s3_lister_done_fn *done, void *arg)
{
	struct s3_lister *l = xcalloc(1, sizeof(*l));

	l->s3 = s;
	l->parallel = plan->max_parallel == 0 ? PARALLEL : plan->max_parallel;
	l->ordered = plan->ordered;
	l->page = page;
	l->done = done;
	l->arg = arg;
	return l;
}

void
s3_lister_new_in(struct s3_lister **ret, struct s3 *s, size_t cluster,
    const struct s3_lister_plan *plan, s3_lister_page_fn *page,
    s3_lister_done_fn *done, void *arg)
{
	struct s3_lister *l = new(s, plan, page, done, arg);

	l->cluster = cluster;
	s3_own(&l->prefix, plan->prefix);
	if (l->parallel > 1)
		set_cuts(l, plan);
	s3_lister_ask(l);
	*ret = l;
}

void
s3_lister_new(struct s3_lister **ret, struct s3 *s,
    const struct s3_lister_plan *plan, s3_lister_page_fn *page,
    s3_lister_done_fn *done, void *arg)
{
	if (s3_cluster_count(s) == 1) {
		s3_lister_new_in(ret, s, 0, plan, page, done, arg);
		return;
	}
	*ret = new(s, plan, page, done, arg);
	s3_merge_new(*ret, plan);
}

void
s3_lister_free(struct s3_lister **lp)
{
	struct s3_lister *l = STEAL(*lp);

	if (l == NULL)
		return;
	l->dead = true;
	s3_lister_release_if_dead(l);
}

void
s3_lister_pause(struct s3_lister *l)
{
	l->paused = true;
}

void
s3_lister_resume(struct s3_lister *l)
{
	l->paused = false;
	/* A callback called this function: the callback's caller goes on. */
	if (l->busy || l->over)
		return;
	if (l->merge != NULL) {
		s3_merge_resume(l->merge);
		return;
	}
	l->busy = true;
	give_kept(l);
	l->busy = false;
	go_on(l);
}

void
s3_lister_stats(const struct s3_lister *l, struct s3_lister_stats *ret)
{
	*ret = l->stats;
	if (l->merge != NULL)
		s3_merge_stats(l->merge, ret);
}
