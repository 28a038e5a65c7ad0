/*
 * Random histories: a tree that changes, runs that are cut and go on, two
 * targets; objects that are deleted at a target between runs, or lost; and the
 * deletion of what is gone. What the catalog counts must close, finished work
 * must not be done again, and after a quiet run everything must be stored.
 */
#include "kit/catalog.h"

#include "base/backoff.h"
#include "base/idset.h"
#include "catalog/mirror.h"
#include "catalog/outcome.h"
#include "reader/stored.h"

#define DIRS 12
#define FILES 90
#define TARGETS 2

struct file {
	char	 path[80];
	int	 dir;
	bool	 exists;
	bool	 excluded;
	bool	 unreadable;
	uint64_t version;	/* its size, mtime and ctime */
	uint64_t stored[TARGETS];
	int64_t	 moved[TARGETS];	/* its last version that was */
};

struct world {
	struct kit *k;
	struct rng rng;
	struct {
		char	 path[60];
		bool	 exists;
	} dir[DIRS];
	struct file file[FILES];
	int	 target;
	bool	 quiet;		/* nothing fails, nothing is cut */
	bool	 dir_failed;
	size_t	 work_left;	/* steps until the run is cut */
	uint64_t leased;	/* items, in this run */
	bool	 stray;		/* an item went without a result */
	bool	 mirror;	/* PUT --delete */
};

static uint64_t
below(struct world *w, uint64_t n)
{
	return rng_next(&w->rng) % n;
}

static bool
chance(struct world *w, uint64_t percent)
{
	return !w->quiet && below(w, 100) < percent;
}

static bool
dir_exists(const struct world *w, int d)
{
	for (; d > 0; d = (d - 1) / 3)
		if (!w->dir[d].exists)
			return false;
	return true;
}

static bool
file_exists(const struct world *w, const struct file *f)
{
	return f->exists && dir_exists(w, f->dir);
}

static void
set_path(char *out, size_t size, const char *dir, char kind, int i)
{
	AUTOFREE char *path = xasprintf("%s/%c%d", dir, kind, i);

	assert_true(strlen(path) < size);
	memcpy(out, path, strlen(path) + 1);
}

static void
make_world(struct world *w, struct kit *k, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	w->k = k;
	rng_seed(&w->rng, seed);
	snprintf(w->dir[0].path, sizeof(w->dir[0].path), "srv/vol");
	w->dir[0].exists = true;
	for (int i = 1; i < DIRS; i++) {
		int up = (i - 1) / 3;

		set_path(w->dir[i].path, sizeof(w->dir[i].path),
		    w->dir[up].path, 'd', i);
		w->dir[i].exists = true;
	}
	for (int i = 0; i < FILES; i++) {
		struct file *f = &w->file[i];

		f->dir = (int)below(w, DIRS);
		set_path(f->path, sizeof(f->path), w->dir[f->dir].path, 'f',
		    i);
		f->exists = below(w, 4) != 0;
		f->version = 1;
	}
}

static void
mutate(struct world *w)
{
	for (size_t n = below(w, 30); n > 0; n--) {
		struct file *f = &w->file[below(w, FILES)];
		size_t d = 1 + below(w, DIRS - 1);

		switch (below(w, 8)) {
		case 0:
		case 1:
			f->exists = !f->exists;
			break;
		case 2:
			f->excluded = !f->excluded;
			break;
		case 3:
			f->unreadable = !f->unreadable;
			break;
		case 4:
			if (below(w, 4) == 0)
				w->dir[d].exists = !w->dir[d].exists;
			break;
		default:
			f->version++;
			break;
		}
	}
}

static struct attrs
attrs_of(const struct file *f)
{
	return kit_attrs(f->version, (int64_t)f->version);
}

/* --- the crawl --- */

struct reading {
	struct world *w;
	struct dir_page *page;
	struct idset seen;
	bool	 fresh;
};

static void
read_file(struct reading *r, struct file *f)
{
	struct attrs a = attrs_of(f);
	struct page_entry *e;
	struct known k;
	int known = r->fresh ? 0 : kit_find(r->w->k, f->path, &k);
	bool live = known == 1 && !k.tombstone;
	int64_t object = known == 1 ? k.object : 0;

	if (known == 1 && !idset_add(&r->seen, k.object))
		return;
	if (f->excluded) {
		if (live && k.excluded) {
			r->page->excluded++;
			return;
		}
		e = kit_entry(r->page, PAGE_EXCLUDED, object, f->path, a);
		e->why = xstrdup("pattern");
	} else if (f->unreadable && !r->w->quiet) {
		e = kit_entry(r->page, PAGE_FAILED, object, f->path, a);
		err_set(&e->err, ERR_DENIED, 13, "no attributes");
	} else if (known == 0) {
		kit_entry(r->page, PAGE_NEW, 0, f->path, a);
	} else if (!live || k.excluded || !attrs_same(&k.attrs, &a, false)) {
		kit_entry(r->page, PAGE_CHANGED, object, f->path, a);
	} else if (!k.stored) {
		kit_entry(r->page, PAGE_QUEUE, object, f->path, a);
	} else {
		r->page->unchanged++;
		r->page->unchanged_bytes += a.size;
	}
}

static void
gone(void *arg, int64_t object)
{
	struct reading *r = arg;

	kit_gone(r->page, object);
}

static void
flush(struct reading *r, bool last)
{
	int64_t dir = r->page->dir;

	r->page->last = last;
	catalog_put_page(r->w->k->c, r->page);
	r->page = last ? NULL : kit_page(dir, false);
}

/* False: cut in the middle. */
static bool
read_dir(struct world *w, const struct dir_job *j)
{
	struct reading r = { .w = w, .page = kit_page(j->dir, false),
	    .fresh = j->fresh };
	struct err err = ERR_INIT;
	bool whole = true;
	int d = 0;

	idset_init(&r.seen);
	while (strcmp(w->dir[d].path, j->path) != 0)
		d++;
	for (int i = 0; i < FILES && whole; i++) {
		struct file *f = &w->file[i];

		if (f->dir != d || !file_exists(w, f))
			continue;
		read_file(&r, f);
		if (chance(w, 10))
			read_file(&r, f);	/* listed twice */
		if (chance(w, 20))
			flush(&r, false);
		if (chance(w, 2))
			whole = false;
	}
	for (int i = 1; i < DIRS && whole; i++)
		if ((i - 1) / 3 == d && dir_exists(w, i))
			kit_subdir(r.page, w->dir[i].path);
	if (!whole) {
		flush(&r, false);
		dir_page_free(&r.page);
	} else {
		if (chance(w, 3) && d > 0) {
			err_set(&r.page->err, ERR_DENIED, 5, "I/O error");
			w->dir_failed = true;
		} else if (!j->fresh) {
			assert_int_equal(catalog_unseen(w->k->reader, j->dir,
			    &r.seen, gone, &r, &err), 0);
		}
		flush(&r, true);
	}
	idset_release(&r.seen);
	return whole;
}

/* --- the transfer --- */

static void
move_one(struct world *w, struct results *rs, const struct item *it)
{
	enum outcome outcome = OUTCOME_MOVED;
	struct file *f = w->file;
	struct result *r;

	while (strcmp(f->path, it->path) != 0)
		f++;
	if (chance(w, 5)) {
		w->stray = true;	/* its client died */
		return;
	}
	if (!file_exists(w, f))
		outcome = OUTCOME_GONE;
	else if (chance(w, 8))
		outcome = OUTCOME_FAILED;
	/* Finished work is not done again. */
	if (f->moved[w->target] == it->object)
		fail_msg("%s is moved twice: object %lld, run %lld, flags %u",
		    it->path, (long long)it->object,
		    (long long)w->k->info.run, it->flags);
	if (f->stored[w->target] != 0 && outcome == OUTCOME_MOVED) {
		assert_true(it->has_prev);
		assert_true(it->prev_has_md5);
	}
	if (f->stored[w->target] == 0)
		assert_false(it->has_prev);
	r = kit_result(rs, it, outcome);
	if (outcome == OUTCOME_MOVED) {
		r->attrs = attrs_of(f);
		f->stored[w->target] = f->version;
		f->moved[w->target] = it->object;
	}
}

/* False: no work is left. */
static bool
transfer(struct world *w)
{
	struct lease *l = kit_lease(w->k, 1 + below(w, 20));
	struct results *rs;
	bool any = l->count > 0;

	w->leased += l->count;
	assert_true(any || l->end);
	if (any) {
		rs = kit_results(l);
		for (size_t i = l->count; i > 0; i--)
			move_one(w, rs, &l->items[i - 1]);
		catalog_put_results(w->k->c, rs);
	}
	lease_free(&l);
	return any;
}

/* Something is queued that no lease has. */
static bool
backlog(struct world *w)
{
	struct totals t;

	kit_flush(w->k, 1);
	catalog_totals(w->k->c, &t);
	return t.queued > w->leased;
}

/* --- deletions --- */

static struct file *
file_of(struct world *w, const char *path)
{
	struct file *f = w->file;

	while (strcmp(f->path, path) != 0)
		f++;
	return f;
}

static void
forget_file(struct world *w, struct file *f)
{
	f->stored[w->target] = 0;
	f->moved[w->target] = 0;
}

static struct outcome_row *
add_row(struct outcomes *v, const char *path, enum outcome outcome)
{
	struct outcome_row *r;

	v->v = xreallocarray(v->v, v->count + 1, sizeof(*v->v));
	r = &v->v[v->count++];
	memset(r, 0, sizeof(*r));
	r->path = xstrdup(path);
	r->outcome = outcome;
	return r;
}

static struct outcomes *
intend(struct world *w, struct outcomes *v)
{
	catalog_intend_delete(w->k->c, v, w->k->mail);
	v = (struct outcomes *)kit_mail(w->k, MAIL_DELETE_NOTED);
	assert_true(v->intended);
	return v;
}

/* DEL, or a TEST that finds things lost; killed perhaps. */
static void
lose(struct world *w, const char *bucket)
{
	struct run_spec spec = kit_spec(bucket, "some");
	struct outcomes *v = xcalloc(1, sizeof(*v));
	bool test = below(w, 3) == 0, killed = below(w, 3) == 0;
	size_t n = 0;

	spec.op = test ? OP_TEST : OP_DEL;
	spec.no_backlog = true;
	kit_begin_spec(w->k, &spec);
	assert_false(w->k->info.continued);
	for (int i = 0; i < FILES; i++) {
		struct file *f = &w->file[i];
		struct outcome_row *r;

		if (f->stored[w->target] == 0 || below(w, 4) != 0)
			continue;
		r = add_row(v, f->path, test ? OUTCOME_FAILED :
		    OUTCOME_DELETED);
		r->verdict = test ? VERDICT_MISSING : VERDICT_NONE;
		r->lost = test;
		n++;
		forget_file(w, f);
	}
	if (!test)
		v = intend(w, v);
	if (killed && !test) {
		outcomes_free(&v);
	} else {
		catalog_put_outcomes(w->k->c, v);
		kit_flush(w->k, 1);
	}
	if (killed) {
		kit_close(w->k);
		kit_open(w->k);
		return;
	}
	kit_end(w->k, RUN_COMPLETE);
	assert_true(w->k->closing.closes);
	assert_int_equal(w->k->closing.totals.found, n);
	assert_int_equal(w->k->closing.totals.deleted, test ? 0 : n);
	assert_int_equal(w->k->closing.totals.failed, test ? n : 0);
}

static size_t
gone_and_stored(const struct world *w, size_t *ret_stored)
{
	size_t n = 0;

	*ret_stored = 0;
	for (int i = 0; i < FILES; i++) {
		const struct file *f = &w->file[i];

		*ret_stored += f->stored[w->target] != 0;
		n += f->stored[w->target] != 0 && !file_exists(w, f);
	}
	return n;
}

/* The plan is exactly what is gone and still stored; it is carried out. */
static void
mirror(struct world *w)
{
	struct catalog_reader *reader = w->k->reader;
	struct mirror_plan plan;
	struct mirror_row page[7];
	struct err err = ERR_INIT;
	char after[80] = "";
	size_t n, stored, expected = gone_and_stored(w, &stored);
	uint64_t count;

	assert_int_equal(catalog_mirror_plan(w->k->c, reader, NULL, &plan,
	    &err), 0);
	assert_int_equal(plan.exports[0], MIRROR_OPEN);
	assert_int_equal(plan.count, expected);
	assert_int_equal(plan.guarded + plan.unproved, 0);
	assert_int_equal(catalog_mirror_stored(reader, &plan, 0, NULL,
	    &count, &err), 0);
	assert_int_equal(count, stored);
	do {
		struct outcomes *v = xcalloc(1, sizeof(*v));

		assert_int_equal(catalog_mirror_page(reader, &plan,
		    str_of(after), page, ARRAY_LEN(page), &n, &err), 0);
		for (size_t i = 0; i < n; i++) {
			struct file *f = file_of(w, page[i].stored.path);

			assert_false(file_exists(w, f));
			assert_true(f->stored[w->target] != 0);
			forget_file(w, f);
			add_row(v, page[i].stored.path,
			    OUTCOME_DELETED)->object = page[i].stored.object;
			snprintf(after, sizeof(after), "%s",
			    page[i].stored.path);
			mirror_row_release(&page[i]);
			expected--;
		}
		catalog_put_outcomes(w->k->c, intend(w, v));
	} while (n == ARRAY_LEN(page));
	assert_int_equal(expected, 0);
	mirror_plan_release(&plan);
}

/* The pages of what is stored are what the world knows, each once. */
static void
check_stored(struct world *w)
{
	struct stored page[9];
	struct err err = ERR_INIT;
	char after[80] = "";
	size_t n, seen = 0, stored;

	(void)gone_and_stored(w, &stored);
	do {
		assert_int_equal(catalog_stored_page(w->k->reader, str_of(""),
		    str_of(after), page, ARRAY_LEN(page), &n, &err), 0);
		for (size_t i = 0; i < n; i++) {
			struct file *f = file_of(w, page[i].path);

			assert_true(strcmp(after, page[i].path) < 0);
			assert_int_equal(page[i].attrs.size,
			    f->stored[w->target]);
			snprintf(after, sizeof(after), "%s", page[i].path);
			stored_release(&page[i]);
			seen++;
		}
	} while (n == ARRAY_LEN(page));
	assert_int_equal(seen, stored);
}

/* --- runs --- */

static size_t
existing(const struct world *w)
{
	size_t n = 0;

	for (int i = 0; i < FILES; i++)
		n += file_exists(w, &w->file[i]);
	return n;
}

/* True: the run came to its end. */
static bool
work(struct world *w)
{
	bool whole = true;

	w->work_left = w->quiet || below(w, 3) == 0 ? SIZE_MAX :
	    1 + below(w, 25);
	for (;;) {
		struct dir_batch *b = kit_dirs(w->k, 1 + below(w, 3));
		bool end = b->end;

		/* They end in another order than they began. */
		for (size_t i = b->count; i > 0 && whole; i--)
			whole = read_dir(w, &b->v[i - 1]);
		dir_batch_free(&b);
		while (chance(w, 60) && backlog(w))
			transfer(w);
		if (!whole || w->work_left-- == 0)
			return false;
		if (end)
			break;
	}
	while (transfer(w))
		if (w->work_left-- == 0)
			return false;
	return !w->stray;
}

static void
check_totals(struct world *w, const struct totals *live, bool whole)
{
	const struct totals *t = &w->k->closing.totals;

	if (!w->k->closing.closes)
		fail_msg("found %llu moved %llu unchanged %llu failed %llu "
		    "excluded %llu pending %llu; whole %d continued %d",
		    (unsigned long long)t->found,
		    (unsigned long long)t->moved,
		    (unsigned long long)t->unchanged,
		    (unsigned long long)t->failed,
		    (unsigned long long)t->excluded,
		    (unsigned long long)t->pending, whole,
		    w->k->info.continued);
	assert_int_equal(live->found, t->found);
	assert_int_equal(live->moved, t->moved);
	assert_int_equal(live->unchanged, t->unchanged);
	assert_int_equal(live->failed, t->failed);
	assert_int_equal(live->excluded, t->excluded);
	assert_int_equal(live->bytes, t->bytes);
	assert_int_equal(live->found_bytes, t->found_bytes);
	assert_int_equal(live->dirs, t->dirs);
	if (whole)
		assert_int_equal(t->pending, 0);
}

static const char *const bucket[TARGETS] = { "one", "two" };

static bool
one_run(struct world *w)
{
	struct run_spec spec = kit_spec(bucket[w->target], "all");
	struct totals live;
	bool whole;

	w->stray = false;
	w->leased = 0;
	w->dir_failed = false;
	kit_begin_spec(w->k, &spec);
	catalog_note_export(w->k->c, 0, 42, false);
	whole = work(w);
	if (whole && w->mirror)
		mirror(w);
	kit_flush(w->k, 1);
	catalog_totals(w->k->c, &live);
	if (!whole && below(w, 2) == 0) {
		/* Killed: everything posted is in, but the run never ended. */
		kit_close(w->k);
		kit_open(w->k);
		return false;
	}
	kit_end(w->k, whole ? RUN_COMPLETE : RUN_INTERRUPTED);
	check_totals(w, &live, whole);
	return whole;
}

static void
quiet_run(struct world *w)
{
	const struct totals *t;
	size_t excluded = 0;

	w->quiet = true;
	do {
		/* The first may go on where a cut one stopped. */
		assert_true(one_run(w));
	} while (w->k->info.continued);
	t = &w->k->closing.totals;
	assert_int_equal(t->found, existing(w));
	assert_int_equal(t->failed, 0);
	for (int i = 0; i < FILES; i++) {
		struct file *f = &w->file[i];
		struct known k;
		int known = kit_find(w->k, f->path, &k);

		if (!file_exists(w, f)) {
			assert_true(known == 0 || k.tombstone);
			continue;
		}
		assert_int_equal(known, 1);
		assert_false(k.tombstone);
		assert_int_equal(k.excluded, f->excluded);
		excluded += f->excluded;
		if (f->excluded)
			continue;
		assert_true(k.stored);
		assert_int_equal(k.attrs.size, f->version);
		assert_int_equal(f->stored[w->target], f->version);
	}
	assert_int_equal(t->excluded, excluded);
	check_stored(w);
	/* And once more: nothing is to be done. */
	w->mirror = below(w, 2) == 0;
	assert_true(one_run(w));
	assert_int_equal(t->moved, 0);
	assert_int_equal(t->gone, 0);
	assert_int_equal(t->unchanged + t->excluded, existing(w));
	check_stored(w);
	w->mirror = false;
	w->quiet = false;
}

static void
history(struct kit *k, uint64_t seed)
{
	struct world w;

	make_world(&w, k, seed);
	kit_open(k);
	for (int round = 0; round < 6; round++) {
		w.target = (int)below(&w, TARGETS);
		mutate(&w);
		for (size_t n = below(&w, 4); n > 0; n--) {
			one_run(&w);
			if (below(&w, 3) == 0)
				mutate(&w);
			if (below(&w, 3) == 0)
				lose(&w, bucket[w.target]);
		}
		quiet_run(&w);
	}
	kit_close(k);
}

static void
histories(void **state)
{
	const char *only = getenv("SEED"), *many = getenv("SEEDS");
	uint64_t count = many == NULL ? 20 : strtoull(many, NULL, 10);

	(void)state;
	for (uint64_t seed = 1; seed <= count; seed++) {
		void *s;

		if (only != NULL && strtoull(only, NULL, 10) != seed)
			continue;
		print_message("seed %llu\n", (unsigned long long)seed);
		kit_setup(&s);
		history(s, seed);
		kit_teardown(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(histories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
