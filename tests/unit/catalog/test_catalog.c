/*
 * A catalog from begin to end of runs: what is queued, what is counted, what
 * is left after a cut.
 */
#include "kit/catalog.h"

/* srv/vol with files a, b (and sub with c), all new, all moved. */
static void
fill(struct kit *k)
{
	int64_t dir;
	struct dir_page *p;

	kit_begin(k);
	dir = kit_take(k, "srv/vol");
	p = kit_page(dir, true);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/a", kit_attrs(10, 1));
	kit_entry(p, PAGE_NEW, 0, "srv/vol/b", kit_attrs(20, 1));
	kit_subdir(p, "srv/vol/sub");
	catalog_put_page(k->c, p);
	dir = kit_take(k, "srv/vol/sub");
	p = kit_page(dir, true);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/sub/c", kit_attrs(30, 1));
	catalog_put_page(k->c, p);
	assert_int_equal(kit_settle(k, 10, OUTCOME_MOVED), 3);
	assert_int_equal(kit_end(k, RUN_COMPLETE)->moved, 3);
	assert_true(k->closing.closes);
}

static void
first_run(void **state)
{
	struct kit *k = *state;
	struct dir_batch *b;
	struct lease *l;
	struct totals t;
	struct dir_page *p;

	kit_open(k);
	kit_begin(k);
	assert_false(k->info.continued);
	b = kit_dirs(k, 8);
	assert_int_equal(b->count, 1);
	assert_true(b->v[0].fresh);
	assert_int_equal(b->v[0].export, 0);
	p = kit_page(b->v[0].dir, true);
	dir_batch_free(&b);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/a", kit_attrs(10, 1))->fh.len = 3;
	kit_entry(p, PAGE_NEW, 0, "srv/vol/\xef\xbf\xbd" "FFz",
	    kit_attrs(20, 1));
	catalog_put_page(k->c, p);
	l = kit_lease(k, 10);
	assert_int_equal(l->count, 2);
	assert_int_equal(l->bytes, 30);
	assert_string_equal(l->items[0].raw, "a");
	assert_int_equal(l->items[0].fh.len, 3);
	assert_int_equal(l->items[0].attrs.uid, 7);
	assert_false(l->items[0].has_prev);
	assert_string_equal(l->items[1].raw, "\xffz");
	assert_true(catalog_crawl_done(k->c));
	lease_free(&l);
	catalog_totals(k->c, &t);
	assert_int_equal(t.found, 2);
	assert_int_equal(t.queued_bytes, 30);
	b = kit_dirs(k, 1);
	assert_true(b->end);
	dir_batch_free(&b);
	l = kit_lease(k, 1);
	assert_true(l->end);
	lease_free(&l);
	assert_int_equal(kit_end(k, RUN_INTERRUPTED)->pending, 2);
	assert_true(k->closing.closes);
}

static void
unchanged_run_counts(void **state)
{
	struct kit *k = *state;
	struct known known;
	struct dir_batch *b;
	struct dir_page *p;
	struct totals *t;

	kit_open(k);
	fill(k);
	kit_begin(k);
	assert_int_equal(kit_find(k, "srv/vol/a", &known), 1);
	assert_true(known.stored);
	assert_int_equal(known.attrs.size, 10);
	assert_int_equal(kit_find(k, "srv/vol/none", &known), 0);
	b = kit_dirs(k, 1);
	assert_false(b->v[0].fresh);
	p = kit_page(b->v[0].dir, true);
	dir_batch_free(&b);
	p->unchanged = 2;
	p->unchanged_bytes = 30;
	kit_subdir(p, "srv/vol/sub");
	catalog_put_page(k->c, p);
	p = kit_page(kit_take(k, "srv/vol/sub"), true);
	p->unchanged = 1;
	p->unchanged_bytes = 30;
	catalog_put_page(k->c, p);
	t = kit_end(k, RUN_COMPLETE);
	assert_int_equal(t->found, 3);
	assert_int_equal(t->unchanged, 3);
	assert_int_equal(t->found_bytes, 60);
	assert_int_equal(t->dirs, 2);
	assert_true(k->closing.closes);
}

static void
changed_has_previous(void **state)
{
	struct kit *k = *state;
	struct known known;
	struct dir_page *p;
	struct lease *l;

	kit_open(k);
	fill(k);
	kit_begin(k);
	assert_int_equal(kit_find(k, "srv/vol/b", &known), 1);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_entry(p, PAGE_CHANGED, known.object, "srv/vol/b",
	    kit_attrs(21, 2));
	p->unchanged = 1;
	catalog_put_page(k->c, p);
	l = kit_lease(k, 10);
	assert_int_equal(l->count, 1);
	assert_true(l->items[0].has_prev);
	assert_true(l->items[0].prev_has_md5);
	assert_int_equal(l->items[0].prev_md5[0], known.object & 0xff);
	assert_int_equal(l->items[0].prev_attrs.size, 20);
	assert_int_equal(l->items[0].attrs.size, 21);
	assert_true(l->items[0].object > known.object);
	lease_free(&l);
	/* The cut run's object is found again: the same version, and what
	 * the target holds of the one before. */
	kit_end(k, RUN_INTERRUPTED);
	kit_begin(k);
	assert_true(k->info.continued);
	l = kit_lease(k, 10);
	assert_int_equal(l->count, 1);
	assert_true(l->items[0].has_prev);
	assert_true((l->items[0].flags & ITEM_SETTLE) != 0);
	lease_free(&l);
}

/* srv/vol was read again and holds a, b as before; sub or not. */
static void
read_root(struct kit *k, bool with_sub)
{
	struct dir_page *p = kit_page(kit_take(k, "srv/vol"), true);

	p->unchanged = 2;
	if (with_sub)
		kit_subdir(p, "srv/vol/sub");
	catalog_put_page(k->c, p);
}

static void
subtree_goes_and_comes_back(void **state)
{
	struct kit *k = *state;
	struct dir_batch *b;
	struct dir_page *p;
	struct known known;

	kit_open(k);
	fill(k);
	kit_begin(k);
	read_root(k, false);
	assert_int_equal(kit_end(k, RUN_COMPLETE)->gone, 1);
	assert_int_equal(k->closing.totals.found, 2);
	assert_true(k->closing.closes);
	assert_int_equal(kit_find(k, "srv/vol/sub/c", &known), 1);
	assert_true(known.tombstone);
	assert_false(known.stored);

	kit_begin(k);
	read_root(k, true);
	b = kit_dirs(k, 1);
	assert_int_equal(b->count, 1);
	assert_false(b->v[0].fresh);
	p = kit_page(b->v[0].dir, true);
	kit_entry(p, PAGE_CHANGED, known.object, "srv/vol/sub/c",
	    kit_attrs(30, 1));
	catalog_put_page(k->c, p);
	dir_batch_free(&b);
	assert_int_equal(kit_settle(k, 5, OUTCOME_UNCHANGED), 1);
	assert_int_equal(kit_end(k, RUN_COMPLETE)->gone, 0);
	assert_true(k->closing.closes);
	assert_int_equal(kit_find(k, "srv/vol/sub/c", &known), 1);
	assert_true(known.stored);
}

/* A directory that can't be read, or is excluded now, takes nothing along. */
static void
unread_is_not_gone(void **state)
{
	struct kit *k = *state;
	struct dir_page *p;
	struct known known;

	kit_open(k);
	fill(k);
	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	err_set(&p->err, ERR_DENIED, 13, "no permission");
	catalog_put_page(k->c, p);
	kit_end(k, RUN_COMPLETE);
	assert_int_equal(k->closing.totals.found, 1);
	assert_int_equal(k->closing.totals.failed, 1);
	assert_int_equal(k->closing.totals.gone, 0);
	assert_true(k->closing.closes);
	assert_int_equal(k->closing.failure_count, 1);
	assert_string_equal(k->closing.failures[0].path, "srv/vol");
	assert_string_equal(k->closing.failures[0].kind, "denied");
	assert_string_equal(k->closing.failures[0].reason, "no permission");

	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	p->unchanged = 2;
	p->kept_dirs = xcalloc(1, sizeof(*p->kept_dirs));
	p->kept_dirs[p->kept_dir_count++] = xstrdup("srv/vol/sub");
	catalog_put_page(k->c, p);
	assert_int_equal(kit_end(k, RUN_COMPLETE)->gone, 0);
	assert_int_equal(kit_find(k, "srv/vol/sub/c", &known), 1);
	assert_true(known.stored);
}

static void
outcomes_count(void **state)
{
	struct kit *k = *state;
	struct page_entry *e;
	struct results *r;
	struct dir_page *p;
	struct lease *l;
	struct totals *t;

	kit_open(k);
	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/moved", kit_attrs(10, 1));
	kit_entry(p, PAGE_NEW, 0, "srv/vol/same", kit_attrs(10, 1));
	kit_entry(p, PAGE_NEW, 0, "srv/vol/failed", kit_attrs(10, 1));
	kit_entry(p, PAGE_NEW, 0, "srv/vol/vanished", kit_attrs(10, 1));
	e = kit_entry(p, PAGE_FAILED, 0, "srv/vol/long", kit_attrs(10, 1));
	err_set(&e->err, ERR_INVALID, 0, "key too long");
	e = kit_entry(p, PAGE_NEW, 0, "srv/vol/fifo", kit_attrs(0, 1));
	e->attrs.kind = ENTRY_FIFO;	/* never leased */
	catalog_put_page(k->c, p);
	l = kit_lease(k, 10);
	assert_int_equal(l->count, 4);
	r = kit_results(l);
	for (size_t i = 0; i < l->count; i++)
		kit_result(r, &l->items[i], (enum outcome)i);
	catalog_put_results(k->c, r);
	r = kit_results(l);	/* late: they count once */
	kit_result(r, &l->items[0], OUTCOME_FAILED);
	catalog_put_results(k->c, r);
	lease_free(&l);
	t = kit_end(k, RUN_COMPLETE);
	assert_true(k->closing.closes);
	assert_int_equal(t->found, 5);
	assert_int_equal(t->moved, 1);
	assert_int_equal(t->bytes, 10);
	assert_int_equal(t->unchanged, 1);
	assert_int_equal(t->failed, 2);
	assert_int_equal(t->excluded, 1);
	assert_int_equal(t->gone, 1);
	assert_int_equal(k->closing.failure_count, 2);
	assert_string_equal(k->closing.failures[0].path, "srv/vol/long");
}

static void
first_result_wins(void **state)
{
	struct kit *k = *state;
	struct results *r;
	struct dir_page *p;
	struct lease *l;

	kit_open(k);
	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/a", kit_attrs(10, 1));
	kit_entry(p, PAGE_NEW, 0, "srv/vol/b", kit_attrs(10, 1));
	catalog_put_page(k->c, p);
	l = kit_lease(k, 10);
	for (int i = 0; i < 2; i++) {
		r = kit_results(l);
		kit_result(r, &l->items[0], i == 0 ? OUTCOME_MOVED :
		    OUTCOME_FAILED);
		catalog_put_results(k->c, r);
	}
	r = kit_results(l);
	kit_result(r, &l->items[1], OUTCOME_MOVED);
	catalog_put_results(k->c, r);
	lease_free(&l);
	kit_end(k, RUN_COMPLETE);
	assert_true(k->closing.closes);
	assert_int_equal(k->closing.totals.moved, 2);
	assert_int_equal(k->closing.totals.failed, 0);
}

static void
count_unseen(void *arg, int64_t object)
{
	int64_t *sum = arg;

	*sum = *sum * 1000 + object;
}

/* What the crawl put itself is not gone, committed or not. */
static void
unseen_are_older_than_the_run(void **state)
{
	struct kit *k = *state;
	struct idset seen;
	struct known known;
	struct err err = ERR_INIT;
	struct dir_page *p;
	int64_t dir, sum = 0;

	kit_open(k);
	fill(k);
	kit_begin(k);
	dir = kit_take(k, "srv/vol");
	p = kit_page(dir, false);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/z", kit_attrs(10, 1));
	catalog_put_page(k->c, p);
	kit_flush(k, 1);
	assert_int_equal(kit_find(k, "srv/vol/z", &known), 1);
	idset_init(&seen);
	assert_int_equal(kit_find(k, "srv/vol/a", &known), 1);
	idset_add(&seen, known.object);
	assert_int_equal(catalog_unseen(k->reader, dir, &seen, count_unseen,
	    &sum, &err), 0);
	idset_release(&seen);
	assert_int_equal(kit_find(k, "srv/vol/b", &known), 1);
	assert_int_equal(sum, known.object);
}

/* What was not settled can't end as complete. */
static void
complete_needs_all(void **state)
{
	struct kit *k = *state;
	struct dir_page *p;

	kit_open(k);
	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/a", kit_attrs(10, 1));
	catalog_put_page(k->c, p);
	kit_end(k, RUN_COMPLETE);
	assert_false(k->closing.closes);
}

static void
leases_are_bounded(void **state)
{
	static const uint64_t size[] = { 500, 60, 30, 20, 5 };
	struct kit *k = *state;
	struct dir_page *p;
	struct lease *l;
	char path[40];

	kit_open(k);
	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	for (size_t i = 0; i < ARRAY_LEN(size); i++) {
		snprintf(path, sizeof(path), "srv/vol/f%zu", i);
		kit_entry(p, PAGE_NEW, 0, path, kit_attrs(size[i], 1));
	}
	catalog_put_page(k->c, p);
	for (size_t want = 1; want <= 2; want++) {
		catalog_want_lease(k->c, 10, 100, k->mail);
		l = (struct lease *)kit_mail(k, MAIL_LEASE);
		assert_int_equal(l->count, want);	/* 500; 60 + 30 */
		lease_free(&l);
	}
	l = kit_lease(k, 1);
	assert_int_equal(l->count, 1);
	assert_int_equal(l->bytes, 20);
	lease_free(&l);
}

/* The file changed between crawl and read. */
static void
read_newer_than_crawled(void **state)
{
	struct run_spec other = kit_spec("other", "all");
	struct kit *k = *state;
	struct dir_page *p;
	struct results *r;
	struct known known, before;
	struct lease *l;

	kit_open(k);
	fill(k);
	kit_begin_spec(k, &other);
	assert_int_equal(kit_find(k, "srv/vol/a", &before), 1);
	assert_false(before.stored);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_entry(p, PAGE_QUEUE, before.object, "srv/vol/a", before.attrs);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/new", kit_attrs(1, 1));
	catalog_put_page(k->c, p);
	l = kit_lease(k, 10);
	assert_int_equal(l->count, 2);
	r = kit_results(l);
	kit_result(r, &l->items[0], OUTCOME_MOVED)->attrs = kit_attrs(99, 9);
	kit_result(r, &l->items[1], OUTCOME_MOVED)->attrs = kit_attrs(77, 7);
	catalog_put_results(k->c, r);
	kit_end(k, RUN_INTERRUPTED);
	assert_int_equal(k->closing.totals.bytes, 99 + 77);
	assert_true(k->closing.closes);
	/* The first target holds what was crawled: another version. */
	assert_int_equal(kit_find(k, "srv/vol/a", &known), 1);
	assert_int_equal(known.attrs.size, 99);
	assert_true(known.object > before.object);
	assert_true(known.stored);
	/* Nobody held this one: it is corrected. */
	assert_int_equal(kit_find(k, "srv/vol/new", &known), 1);
	assert_int_equal(known.object, l->items[1].object);
	assert_int_equal(known.attrs.size, 77);
	lease_free(&l);
	kit_begin(k);
	assert_false(k->info.continued);	/* another target */
	assert_int_equal(kit_find(k, "srv/vol/a", &known), 1);
	assert_false(known.stored);
}

static void
checksum_has_itself_as_previous(void **state)
{
	struct kit *k = *state;
	struct known known;
	struct dir_page *p;
	struct lease *l;

	kit_open(k);
	fill(k);
	kit_begin(k);
	assert_int_equal(kit_find(k, "srv/vol/a", &known), 1);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_entry(p, PAGE_QUEUE, known.object, "srv/vol/a", known.attrs)
	    ->flags = ITEM_CHECKSUM;
	catalog_put_page(k->c, p);
	l = kit_lease(k, 1);
	assert_int_equal(kit_flags(&l->items[0]), ITEM_CHECKSUM);
	assert_true(l->items[0].has_prev);
	assert_int_equal(l->items[0].prev_attrs.size, 10);
	assert_int_equal(l->items[0].prev_md5[5], known.object & 0xff);
	lease_free(&l);
}

static struct upload_note *
note(enum upload_event event, int64_t object, const char *id)
{
	struct upload_note *n = xcalloc(1, sizeof(*n));

	n->event = event;
	n->object = object;
	n->upload_id = id == NULL ? NULL : xstrdup(id);
	n->server_sec = 1234;
	n->part_size = 8 * MIB;
	n->worker = 3;
	return n;
}

/* So many are open, of which nothing goes on with so many. The first of them
 * end. */
static void
check_open(struct kit *k, size_t open, size_t left, size_t end)
{
	struct open_upload *v = NULL;
	struct err err = ERR_INIT;
	size_t n = 0, left_now = 0;

	assert_int_equal(catalog_open_uploads(k->c, &v, &n, &err), 0);
	assert_int_equal(n, open);
	for (size_t i = 0; i < n; i++) {
		left_now += v[i].left;
		v[i].ended = i < end;
		assert_true(v[i].server_as_prefix);
		assert_null(v[i].upload_id);
	}
	assert_string_equal(v[n - 1].path, "srv/vol/b");
	assert_int_equal(v[n - 1].intent_sec, 1234);
	assert_int_equal(left_now, left);
	assert_int_equal(catalog_uploads_ended(k->c, v, n, &err), 0);
	for (size_t i = 0; i < n; i++)
		free(v[i].path);
	free(v);
}

static void
uploads_are_remembered(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct upload_note *n;
	struct dir_page *p;
	struct lease *l;

	kit_open(k);
	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/a", kit_attrs(1, 1));
	kit_entry(p, PAGE_NEW, 0, "srv/vol/b", kit_attrs(1, 1));
	catalog_put_page(k->c, p);
	l = kit_lease(k, 2);
	for (size_t i = 0; i < 2; i++) {
		catalog_put_upload(k->c, note(UPLOAD_INTENT,
		    l->items[i].object, NULL), k->mail);
		n = (struct upload_note *)kit_mail(k, MAIL_UPLOAD_NOTED);
		assert_int_equal(n->object, l->items[i].object);
		assert_int_equal(n->worker, 3);
		upload_note_free(&n);
	}
	catalog_put_upload(k->c, note(UPLOAD_CREATED, l->items[0].object,
	    "up-1"), NULL);
	lease_free(&l);
	kit_close(k);		/* the master dies */
	kit_open(k);
	kit_begin(k);
	l = kit_lease(k, 2);
	assert_string_equal(l->items[0].upload_id, "up-1");
	assert_int_equal(l->items[0].upload_part_size, 8 * MIB);
	assert_null(l->items[1].upload_id);
	assert_int_equal(l->items[1].upload_intent_sec, 1234);
	catalog_put_upload(k->c, note(UPLOAD_ENDED, l->items[0].object, NULL),
	    NULL);
	lease_free(&l);
	kit_end(k, RUN_INTERRUPTED);
	kit_begin(k);
	l = kit_lease(k, 2);
	assert_int_equal(l->items[0].upload_intent_sec, 0);
	assert_int_equal(l->items[1].upload_intent_sec, 1234);
	/* b vanished: nothing will go on with its upload. */
	check_open(k, 1, 0, 0);
	{
		struct results *r = kit_results(l);

		kit_result(r, &l->items[0], OUTCOME_MOVED);
		kit_result(r, &l->items[1], OUTCOME_GONE);
		catalog_put_results(k->c, r);
	}
	check_open(k, 1, 1, 0);
	/* a is there, and perhaps one that nobody has heard of. */
	catalog_put_upload(k->c, note(UPLOAD_INTENT, l->items[0].object,
	    NULL), NULL);
	check_open(k, 2, 2, 1);
	check_open(k, 1, 1, 0);
	lease_free(&l);
	kit_end(k, RUN_INTERRUPTED);
	/* The keys are without the server now: nobody goes on with it. */
	spec.server_as_prefix = false;
	kit_begin_spec(k, &spec);
	check_open(k, 1, 1, 0);
	kit_end(k, RUN_INTERRUPTED);
}

static void
retry_failed_only(void **state)
{
	struct run_spec spec = kit_spec("bucket", "all");
	struct kit *k = *state;
	struct dir_page *p;
	struct lease *l;

	kit_open(k);
	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/a", kit_attrs(1, 1));
	kit_subdir(p, "srv/vol/sub");
	catalog_put_page(k->c, p);
	assert_int_equal(kit_settle(k, 2, OUTCOME_FAILED), 1);
	p = kit_page(kit_take(k, "srv/vol/sub"), true);
	err_set(&p->err, ERR_UNREACHABLE, 0, "no answer");
	catalog_put_page(k->c, p);
	kit_end(k, RUN_COMPLETE);
	assert_int_equal(k->closing.totals.failed, 2);
	assert_true(k->closing.closes);

	spec.retry_failed = true;
	spec.no_crawl = true;
	kit_begin_spec(k, &spec);
	assert_false(k->info.continued);
	l = kit_lease(k, 10);
	assert_int_equal(l->count, 1);
	assert_string_equal(l->items[0].raw, "a");
	lease_free(&l);
	p = kit_page(kit_take(k, "srv/vol/sub"), true);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/sub/c", kit_attrs(1, 1));
	catalog_put_page(k->c, p);
	assert_int_equal(kit_settle(k, 2, OUTCOME_MOVED), 1);
	kit_end(k, RUN_INTERRUPTED);
	assert_int_equal(k->closing.totals.pending, 1);
	assert_int_equal(k->closing.totals.found, 2);
	assert_true(k->closing.closes);

	kit_begin_spec(k, &spec);	/* a is still failed, sub is not */
	assert_int_equal(kit_settle(k, 9, OUTCOME_MOVED), 1);
	assert_int_equal(kit_settle(k, 9, OUTCOME_MOVED), 0);
	kit_end(k, RUN_COMPLETE);
	assert_int_equal(k->closing.totals.moved, 1);
	assert_true(k->closing.closes);
	kit_begin_spec(k, &spec);
	assert_int_equal(kit_settle(k, 9, OUTCOME_MOVED), 0);
}

static void
from_a_list(void **state)
{
	struct run_spec spec = kit_spec("bucket", "list");
	struct kit *k = *state;
	struct dir_page *p;
	struct known known;
	struct totals t;

	spec.no_crawl = true;
	kit_open(k);
	kit_begin_spec(k, &spec);
	assert_false(catalog_crawl_done(k->c));
	p = kit_page(0, false);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/x/y/a", kit_attrs(1, 1));
	kit_entry(p, PAGE_NEW, 0, "srv/vol/x/b", kit_attrs(2, 1));
	kit_entry(p, PAGE_NEW, 0, "srv/vol/x/b", kit_attrs(2, 1));
	catalog_put_page(k->c, p);
	assert_int_equal(kit_settle(k, 9, OUTCOME_MOVED), 2);
	p = kit_page(0, true);
	p->unchanged = 3;
	catalog_put_page(k->c, p);
	kit_flush(k, 1);
	assert_true(catalog_crawl_done(k->c));
	catalog_totals(k->c, &t);
	assert_int_equal(t.found, 5);
	kit_end(k, RUN_COMPLETE);
	assert_true(k->closing.closes);
	assert_int_equal(k->closing.totals.found, 5);
	assert_int_equal(k->closing.totals.moved, 2);
	assert_int_equal(k->closing.totals.unchanged, 3);
	assert_int_equal(kit_find(k, "srv/vol/x/y/a", &known), 1);
	assert_true(known.stored);

	/* Again, cut: a list is not continued, it is given again. */
	kit_begin_spec(k, &spec);
	p = kit_page(0, false);
	p->unchanged = 2;
	catalog_put_page(k->c, p);
	kit_end(k, RUN_INTERRUPTED);
	assert_int_equal(k->closing.totals.found, 2);
	kit_begin_spec(k, &spec);
	assert_false(k->info.continued);
	p = kit_page(0, true);
	p->unchanged = 5;
	catalog_put_page(k->c, p);
	kit_end(k, RUN_COMPLETE);
	assert_int_equal(k->closing.totals.found, 5);
	assert_true(k->closing.closes);
}

static void
below_a_prefix(void **state)
{
	struct run_export export = kit_exports[0];
	struct run_spec spec = kit_spec("bucket", "prefix");
	struct kit *k = *state;
	struct known known;

	kit_open(k);
	fill(k);
	export.start = "srv/vol/sub";
	spec.exports = &export;
	kit_begin_spec(k, &spec);
	catalog_put_page(k->c, kit_page(kit_take(k, "srv/vol/sub"), true));
	kit_end(k, RUN_COMPLETE);
	assert_int_equal(k->closing.totals.gone, 0);
	assert_int_equal(kit_find(k, "srv/vol/a", &known), 1);
	assert_true(known.stored);
}

static void
forgets_who_waits(void **state)
{
	struct kit *k = *state;
	struct mailbox *gone;
	struct dir_page *p;
	int64_t dir;

	kit_open(k);
	kit_begin(k);
	dir = kit_take(k, "srv/vol");
	gone = mailbox_new(0);
	catalog_want_dirs(k->c, 4, gone);
	catalog_want_lease(k->c, 4, 100, gone);
	catalog_forget(k->c, gone);
	mailbox_free(&gone);
	p = kit_page(dir, true);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/a", kit_attrs(1, 1));
	kit_subdir(p, "srv/vol/sub");
	catalog_put_page(k->c, p);
	assert_true(kit_take(k, "srv/vol/sub") > 0);
	assert_int_equal(kit_settle(k, 1, OUTCOME_MOVED), 1);
}

static void
another_scope_starts_afresh(void **state)
{
	struct run_spec spec = kit_spec("bucket", "something else");
	struct kit *k = *state;
	struct dir_page *p;
	struct known known;
	struct lease *l;

	kit_open(k);
	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/a", kit_attrs(1, 1));
	catalog_put_page(k->c, p);
	l = kit_lease(k, 1);
	lease_free(&l);
	kit_end(k, RUN_INTERRUPTED);
	kit_begin_spec(k, &spec);
	assert_false(k->info.continued);
	assert_int_equal(kit_find(k, "srv/vol/a", &known), 1);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_entry(p, PAGE_QUEUE, known.object, "srv/vol/a", known.attrs);
	catalog_put_page(k->c, p);
	l = kit_lease(k, 1);
	assert_int_equal(kit_flags(&l->items[0]), ITEM_SETTLE);
	lease_free(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)
		T(first_run),
		T(unchanged_run_counts),
		T(changed_has_previous),
		T(subtree_goes_and_comes_back),
		T(unread_is_not_gone),
		T(outcomes_count),
		T(first_result_wins),
		T(unseen_are_older_than_the_run),
		T(complete_needs_all),
		T(leases_are_bounded),
		T(read_newer_than_crawled),
		T(checksum_has_itself_as_previous),
		T(uploads_are_remembered),
		T(retry_failed_only),
		T(from_a_list),
		T(below_a_prefix),
		T(forgets_who_waits),
		T(another_scope_starts_afresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
