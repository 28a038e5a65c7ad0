/*
 * A listing of several clusters: a lister for each cluster, and the pages
 * merged by key. A key found in several clusters comes once, with the object
 * GET would find. At most two pages of each cluster wait for the remaining
 * clusters, beside the pages kept by the cluster's lister.
 */
#include "lister/lister_internal.h"
#include "s3/cluster.h"
#include "rest/place.h"

#define PAGE_KEYS	1000
#define WAITING_MAX	2	/* pages of a cluster */

struct s3_source {
	struct s3_merge *merge;
	struct s3_lister *lister;
	struct s3_page *first;		/* that wait */
	struct s3_page *tail;
	size_t	 at;			/* next key of the first */
	size_t	 pages;
	bool	 paused;
	bool	 ended;
};

struct s3_merge {
	struct s3_lister *whole;	/* the caller's */
	struct s3_source *sources;	/* by cluster */
	size_t	 count;
	struct s3_page *spent;		/* given, to be freed */
	struct s3_listed out[PAGE_KEYS];
	size_t	 kept;
	bool	 failed;
	struct err err;
};

/* --- keys --- */

static bool
has_key(const struct s3_source *s)
{
	return s->first != NULL;
}

static const struct s3_listed *
key_of(const struct s3_source *s)
{
	return &s->first->keys[s->at];
}

/* The page's bytes are needed until the keys are given. */
static void
step(struct s3_source *s)
{
	struct s3_page *p = s->first;

	if (++s->at < p->count)
		return;
	s->first = p->next;
	if (s->first == NULL)
		s->tail = NULL;
	s->at = 0;
	s->pages--;
	s->merge->kept--;
	p->next = s->merge->spent;
	s->merge->spent = p;
}

static void
free_pages(struct s3_page **list)
{
	while (*list != NULL) {
		struct s3_page *p = *list;

		*list = p->next;
		free(p);
	}
}

/* The first key of all, or NULL: a cluster's next page is needed to tell, or
 * nothing is left. */
static const struct s3_listed *
least(const struct s3_merge *m)
{
	const struct s3_listed *min = NULL;

	for (size_t i = 0; i < m->count; i++) {
		const struct s3_source *s = &m->sources[i];

		if (!has_key(s) && !s->ended)
			return NULL;
		if (has_key(s) && (min == NULL ||
		    s3_key_compare(key_of(s)->key, min->key) < 0))
			min = key_of(s);
	}
	return min;
}

/* Take the key from every cluster holding the key. */
static struct s3_listed
take_key(struct s3_merge *m, struct str key)
{
	size_t home = s3_place(key, m->count), places = 0, best = home;
	struct s3_listed found = { .size = 0 };

	for (size_t i = 0; i < m->count; i++) {
		struct s3_source *s = &m->sources[i];

		if (!has_key(s) || !str_eq(key_of(s)->key, key))
			continue;
		/* GET asks the clusters in the order of weights. */
		if (places++ == 0 || i == home || (best != home &&
		    s3_place_weight(key, i) > s3_place_weight(key, best))) {
			found = *key_of(s);
			best = i;
		}
		step(s);
	}
	if (best != home || places > 1)
		s3_cluster_listed_astray(m->whole->s3);
	return found;
}

static size_t
fill(struct s3_merge *m)
{
	const struct s3_listed *k;
	size_t n = 0;

	while (n < PAGE_KEYS && (k = least(m)) != NULL)
		m->out[n++] = take_key(m, k->key);
	return n;
}

/* --- pages --- */

static bool
all_given(const struct s3_merge *m)
{
	for (size_t i = 0; i < m->count; i++)
		if (has_key(&m->sources[i]) || !m->sources[i].ended)
			return false;
	return true;
}

static void
resume_sources(struct s3_merge *m)
{
	for (size_t i = 0; i < m->count; i++) {
		struct s3_source *s = &m->sources[i];

		if (!s->paused || s->pages >= WAITING_MAX)
			continue;
		s->paused = false;
		s3_lister_resume(s->lister);
	}
}

/* Give the pages at hand. New pages may come during a callback, and the caller
 * may free the lister. */
static void
go_on(struct s3_merge *m)
{
	struct s3_lister *l = m->whole;
	bool more = true;

	if (l->busy)
		return;
	l->busy = true;
	while (more && !l->dead && !l->over && !l->paused) {
		size_t n = m->failed ? 0 : fill(m);

		more = n > 0;
		if (n > 0) {
			l->stats.keys += n;
			l->page(l->arg, m->out, n);
		} else if (m->failed || all_given(m)) {
			l->over = true;
			l->done(l->arg, m->failed ? &m->err : NULL);
		}
		free_pages(&m->spent);
		if (!l->dead && !l->over)
			resume_sources(m);
	}
	l->busy = false;
	s3_lister_release_if_dead(l);
}

static void
on_page(void *arg, const struct s3_listed *keys, size_t count)
{
	struct s3_source *s = arg;
	struct s3_merge *m = s->merge;
	struct s3_page *p;

	if (m->whole->over)
		return;
	p = s3_page_new(keys, count);
	if (s->tail == NULL)
		s->first = p;
	else
		s->tail->next = p;
	s->tail = p;
	m->kept++;
	m->whole->stats.kept_max = MAX(m->whole->stats.kept_max, m->kept);
	if (++s->pages >= WAITING_MAX) {
		s->paused = true;
		s3_lister_pause(s->lister);
	}
	go_on(m);
}

static void
on_done(void *arg, const struct err *err)
{
	struct s3_source *s = arg;
	struct s3_merge *m = s->merge;

	s->ended = true;
	if (err != NULL && !m->failed) {
		m->failed = true;
		m->err = *err;
		err_wrap(&m->err, "cluster %zu",
		    (size_t)(s - m->sources));
	}
	go_on(m);
}

/* --- for the lister --- */

void
s3_merge_new(struct s3_lister *l, const struct s3_lister_plan *plan)
{
	struct s3_merge *m = xcalloc(1, sizeof(*m));
	struct s3_lister_plan part = *plan;

	m->whole = l;
	m->count = s3_cluster_count(l->s3);
	m->sources = xcalloc(m->count, sizeof(*m->sources));
	l->merge = m;
	part.ordered = true;
	part.max_parallel = l->parallel == 1 ? 1 :
	    MAX(l->parallel / (unsigned)m->count, 2u);
	for (size_t i = 0; i < m->count; i++) {
		struct s3_source *s = &m->sources[i];

		s->merge = m;
		s3_lister_new_in(&s->lister, l->s3, i, &part, on_page, on_done,
		    s);
	}
}

void
s3_merge_free(struct s3_merge *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->count; i++) {
		s3_lister_free(&m->sources[i].lister);
		free_pages(&m->sources[i].first);
	}
	free_pages(&m->spent);
	free(m->sources);
	free(m);
}

void
s3_merge_resume(struct s3_merge *m)
{
	go_on(m);
}

void
s3_merge_stats(const struct s3_merge *m, struct s3_lister_stats *sum)
{
	for (size_t i = 0; i < m->count; i++) {
		struct s3_lister_stats one;

		s3_lister_stats(m->sources[i].lister, &one);
		sum->pages += one.pages;
		sum->probes += one.probes;
		sum->ranges += one.ranges;
		sum->kept_max += one.kept_max;
	}
}
