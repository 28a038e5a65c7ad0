/*
 * The way back: what the target holds, and what GET, DEL and TEST write.
 */
#include "kit/outcome.h"

/* --- counting --- */

static void
counts_outcomes(void **state)
{
	struct kit *k = *state;
	struct outcomes *v = xcalloc(1, sizeof(*v));
	struct outcome_row *r;
	struct totals *t;

	put_all(k);
	begin_op(k, OP_GET);
	row(v, "srv/vol/a", OUTCOME_MOVED)->size = 10;
	row(v, "srv/vol/b", OUTCOME_MOVED)->size = 11;
	row(v, "srv/vol/c", OUTCOME_UNCHANGED)->size = 12;
	row(v, "srv/vol/d", OUTCOME_EXCLUDED);
	row(v, "srv/vol/e", OUTCOME_GONE);
	r = row(v, "srv/vol/f", OUTCOME_FAILED);
	r->attempts = 3;
	err_set(&r->err, ERR_DENIED, 13, "Permission denied");
	r = row(v, "of/another", OUTCOME_FAILED);
	err_set(&r->err, ERR_CORRUPT, 0, "digests differ");
	catalog_put_outcomes(k->c, v);
	t = kit_end(k, RUN_COMPLETE);
	assert_true(k->closing.closes);
	assert_int_equal(t->found, 6);
	assert_int_equal(t->moved, 2);
	assert_int_equal(t->unchanged, 1);
	assert_int_equal(t->excluded, 1);
	assert_int_equal(t->failed, 2);
	assert_int_equal(t->gone, 1);
	assert_int_equal(t->bytes, 21);
	assert_int_equal(t->found_bytes, 33);
	assert_int_equal(t->deleted, 0);
	assert_int_equal(k->closing.failure_count, 2);
	assert_string_equal(k->closing.failures[0].path, "srv/vol/f");
	check_answer(k, "SELECT operation, state, found, failed, pending "
	    "FROM runs WHERE run = 2", "GET|complete|6|2|0");
	check_answer(k, "SELECT path, what, kind, code, attempts, "
	    "version IS NULL FROM failures ORDER BY path",
	    "of/another|object|corrupt|0|1|1\n"
	    "srv/vol/f|object|denied|13|3|0");
	/* The files are stored as they were. */
	check_answer(k, "SELECT count(*) FROM objects WHERE state = 'stored' "
	    "AND run = 1", "9");
	/* The next run of the kind had no failure: nothing is failed now. */
	begin_op(k, OP_GET);
	kit_end(k, RUN_COMPLETE);
	check_answer(k, "SELECT count(*) FROM failures", "0");
	check_answer(k, "SELECT count(*) FROM failure_log", "2");
}

static void
cut_put_goes_on(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct dir_batch *b;
	struct dir_page *p;
	struct lease *l;

	kit_open(k);
	kit_begin_spec(k, &spec);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/a", kit_attrs(1, 1));
	kit_entry(p, PAGE_NEW, 0, "srv/vol/b", kit_attrs(2, 1));
	kit_entry(p, PAGE_NEW, 0, "srv/vol/c", kit_attrs(3, 1));
	kit_subdir(p, "srv/vol/sub");
	catalog_put_page(k->c, p);
	assert_int_equal(kit_settle(k, 1, OUTCOME_MOVED), 1);
	l = kit_lease(k, 1);
	lease_free(&l);
	kit_flush(k, 1);
	kit_close(k);		/* killed */
	kit_open(k);
	begin_op(k, OP_TEST);
	assert_false(k->info.continued);
	/* None of the backlog is its. */
	l = kit_lease(k, 10);
	assert_true(l->end);
	assert_int_equal(l->count, 0);
	lease_free(&l);
	b = kit_dirs(k, 10);
	assert_true(b->end);
	dir_batch_free(&b);
	verdict(k, "srv/vol/a", VERDICT_OK);
	kit_end(k, RUN_COMPLETE);
	assert_true(k->closing.closes);
	kit_begin_spec(k, &spec);
	assert_true(k->info.continued);
	assert_int_equal(k->info.crawl, 1);
	dir_batch_free(&(struct dir_batch *){ kit_dirs(k, 1) });
	l = kit_lease(k, 10);
	assert_int_equal(l->count, 2);
	assert_int_equal(kit_flags(&l->items[0]), ITEM_SETTLE);
	assert_int_equal(kit_flags(&l->items[1]), 0);
	lease_free(&l);
	kit_end(k, RUN_INTERRUPTED);
	assert_true(k->closing.closes);
}

/* --- DEL --- */

static void
deleted_is_not_stored(void **state)
{
	struct kit *k = *state;
	struct outcomes *v = xcalloc(1, sizeof(*v));
	struct outcome_row *r;
	struct known known;

	put_all(k);
	begin_op(k, OP_TEST);
	verdict(k, "srv/vol/b", VERDICT_OK);
	kit_end(k, RUN_COMPLETE);
	begin_op(k, OP_DEL);
	r = row(v, "srv/vol/b", OUTCOME_DELETED);
	r->size = 11;
	r->version_id = xstrdup("marker-1");
	row(v, "never/heard/of", OUTCOME_DELETED);
	give_outcomes(k, v);
	assert_false(holds(k, "srv/vol/b"));
	assert_true(holds(k, "srv/vol/a"));
	assert_int_equal(kit_find(k, "srv/vol/b", &known), 1);
	assert_false(known.stored);
	assert_int_equal(kit_end(k, RUN_COMPLETE)->deleted, 2);
	assert_true(k->closing.closes);
	assert_int_equal(k->closing.totals.moved, 2);
	check_answer(k, "SELECT state, run, version_id, marker_id, "
	    "stored_at IS NULL, stored_run, deleted_at IS NULL, verdict "
	    "FROM objects WHERE path = 'srv/vol/b'",
	    "deleted|3|NULL|marker-1|0|1|0|NULL");
	check_answer(k, "SELECT deleted FROM runs WHERE run = 3", "2");
}

static void
deleted_with_earlier_versions(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct outcomes *v = xcalloc(1, sizeof(*v));
	struct known known;
	struct dir_page *p;
	struct stored s;
	struct lease *l;

	put_all(k);
	kit_begin_spec(k, &spec);
	assert_int_equal(kit_find(k, "srv/vol/a", &known), 1);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_entry(p, PAGE_CHANGED, known.object, "srv/vol/a",
	    kit_attrs(99, 2));
	catalog_put_page(k->c, p);
	kit_settle(k, 1, OUTCOME_FAILED);
	kit_flush(k, 1);
	/* The target holds what it held. */
	assert_int_equal(find(k, "srv/vol/a", &s), 1);
	assert_int_equal(s.object, known.object);
	assert_int_equal(s.attrs.size, 10);
	assert_false(s.newest);
	stored_release(&s);
	kit_end(k, RUN_COMPLETE);
	begin_op(k, OP_DEL);
	row(v, "srv/vol/a", OUTCOME_DELETED);
	give_outcomes(k, v);
	assert_false(holds(k, "srv/vol/a"));
	kit_end(k, RUN_COMPLETE);
	check_answer(k, "SELECT state FROM versions", "deleted");
	/* What failed is failed still, and has nothing before it. */
	spec.retry_failed = true;
	kit_begin_spec(k, &spec);
	l = kit_lease(k, 10);
	assert_int_equal(l->count, 1);
	assert_false(l->items[0].has_prev);
	lease_free(&l);
	kit_end(k, RUN_INTERRUPTED);
}

static void
intended_and_killed(void **state)
{
	struct kit *k = *state;
	struct outcomes *v = xcalloc(1, sizeof(*v));

	put_all(k);
	begin_op(k, OP_DEL);
	row(v, "srv/vol/a", OUTCOME_MOVED);
	row(v, "srv/vol/b", OUTCOME_MOVED);
	row(v, "srv/vol/c", OUTCOME_MOVED);
	catalog_intend_delete(k->c, v, k->mail);
	v = (struct outcomes *)kit_mail(k, MAIL_DELETE_NOTED);
	assert_true(v->intended);
	/* They are there until more is known; but who asks must not rely on
	 * it. */
	assert_true(holds(k, "srv/vol/a"));
	check_answer(k, "SELECT path, reason FROM objects "
	    "WHERE state = 'deleted' AND deleted_at IS NULL AND run = 2 "
	    "ORDER BY path LIMIT 1", "srv/vol/a|it is being deleted, or was "
	    "when its run was killed");
	check_answer(k, "SELECT count(*) FROM objects "
	    "WHERE state = 'deleted'", "3");
	v->v[0].outcome = OUTCOME_DELETED;
	v->v[1].outcome = OUTCOME_FAILED;
	err_set(&v->v[1].err, ERR_DENIED, 403, "AccessDenied");
	outcome_row_release(&v->v[2]);	/* no answer came */
	v->count = 2;
	give_outcomes(k, v);
	kit_close(k);		/* killed */
	check_answer(k, "SELECT path, deleted_at IS NULL FROM objects "
	    "WHERE state = 'deleted' ORDER BY path",
	    "srv/vol/a|0\nsrv/vol/c|1");
	kit_open(k);
	begin_op(k, OP_GET);
	assert_false(holds(k, "srv/vol/a"));
	assert_true(holds(k, "srv/vol/b"));
	assert_false(holds(k, "srv/vol/c"));
	check_answer(k, "SELECT path, run FROM objects "
	    "WHERE state = 'deleted' ORDER BY path",
	    "srv/vol/a|2\nsrv/vol/c|2");
	kit_end(k, RUN_COMPLETE);
}

/* --- what is stored --- */

static void
stored_tells_all(void **state)
{
	struct kit *k = *state;
	struct dir_page *p;
	struct results *rs;
	struct result *r;
	struct stored s;
	struct lease *l;

	kit_open(k);
	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/a", kit_attrs(40, 7));
	catalog_put_page(k->c, p);
	l = kit_lease(k, 1);
	rs = kit_results(l);
	r = kit_result(rs, &l->items[0], OUTCOME_MOVED);
	r->part_size = 16;
	r->part_count = 3;
	r->part_md5s = xcalloc(3, 16);
	r->part_md5s[47] = 9;
	r->version_id = xstrdup("v1");
	assert_false(holds(k, "srv/vol/a"));
	catalog_put_results(k->c, rs);
	kit_flush(k, 1);
	assert_int_equal(find(k, "srv/vol/a", &s), 1);
	assert_int_equal(s.object, l->items[0].object);
	assert_string_equal(s.path, "srv/vol/a");
	assert_int_equal(s.attrs.size, 40);
	assert_int_equal(s.attrs.mtime_ns, 7);
	assert_int_equal(s.attrs.mode, 0644);
	assert_true(s.has_md5);
	assert_int_equal(s.md5[0], s.object & 0xff);
	assert_string_equal(s.etag, "etag-1");
	assert_int_equal(s.part_size, 16);
	assert_int_equal(s.part_count, 3);
	assert_int_equal(s.part_md5s[47], 9);
	assert_string_equal(s.version_id, "v1");
	assert_true(s.newest);
	assert_false(s.gone);
	assert_int_equal(s.verified_ns, 0);
	assert_int_equal(s.verdict, VERDICT_NONE);
	stored_release(&s);
	lease_free(&l);
	kit_end(k, RUN_COMPLETE);
}

/* The names of all pages of n, or of samples, with nothing between. */
static void
check_pages(struct kit *k, const char *prefix, size_t n, const char *names,
    struct sample_cursor *sample)
{
	struct stored *v AUTOFREE = xcalloc(n, sizeof(*v));
	struct err err = ERR_INIT;
	char seen[64] = "", after[64] = "";
	size_t count;

	do {
		int rc = sample != NULL ? catalog_sample_page(k->reader,
		    str_of(prefix), sample, v, n, &count, &err) :
		    catalog_stored_page(k->reader, str_of(prefix),
		    str_of(after), v, n, &count, &err);

		if (rc == -1)
			fail_msg("%s", err.msg);
		for (size_t i = 0; i < count; i++) {
			snprintf(after, sizeof(after), "%s", v[i].path);
			seen[strlen(seen)] = after[strlen(after) - 1];
			stored_release(&v[i]);
		}
	} while (count == n);
	assert_string_equal(seen, names);
}

static void
pages_of_stored(void **state)
{
	struct kit *k = *state;
	struct err err = ERR_INIT;
	uint64_t n, bytes;

	put_all(k);
	begin_op(k, OP_GET);
	check_pages(k, "", 1, "abcdefghi", NULL);
	check_pages(k, "srv/vol/", 3, "abcdefghi", NULL);
	check_pages(k, "srv/vol/", 4, "abcdefghi", NULL);
	check_pages(k, "srv/vol/", 100, "abcdefghi", NULL);
	check_pages(k, "srv/vol/c", 2, "c", NULL);
	check_pages(k, "srv/vo/", 2, "", NULL);
	assert_int_equal(catalog_count_stored(k->reader, str_of("srv/"), 0,
	    NULL, &n, &bytes, &err), 0);
	assert_int_equal(n, 9);
	assert_int_equal(bytes, 10 + 11 + 12 + 13 + 14 + 15 + 16 + 17 + 18);
	assert_int_equal(catalog_count_stored(k->reader, str_of(""), 4,
	    NULL, &n, &bytes, &err), 0);
	assert_int_equal(n, 4);
	kit_end(k, RUN_COMPLETE);
}

static void
longest_unverified_first(void **state)
{
	struct kit *k = *state;
	struct sample_cursor c = { .last = 0 };

	put_all(k);
	begin_op(k, OP_TEST);
	verdict(k, "srv/vol/f", VERDICT_OK);
	verdict(k, "srv/vol/b", VERDICT_OK);
	verdict(k, "srv/vol/d", VERDICT_OK);
	check_pages(k, "srv/vol/", 2, "aceghifbd", &c);
	/* What is verified meanwhile does not come again. */
	memset(&c, 0, sizeof(c));
	check_pages(k, "srv/vol/a", 1, "a", &c);
	memset(&c, 0, sizeof(c));
	verdict(k, "srv/vol/f", VERDICT_OK);
	check_pages(k, "srv/vol/", 3, "aceghibdf", &c);
	kit_end(k, RUN_COMPLETE);
}

/* Of a file that changed, only what the target holds now. */
static void
samples_of_changed(void **state)
{
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct sample_cursor c = { .last = 0 };
	struct known known;
	struct dir_page *p;
	struct stored s;

	put_all(k);
	begin_op(k, OP_TEST);
	verdict(k, "srv/vol/b", VERDICT_CORRUPT);
	kit_end(k, RUN_COMPLETE);
	kit_begin_spec(k, &spec);
	p = kit_page(kit_take(k, "srv/vol"), true);
	for (const char *name = "abc"; *name != '\0'; name++) {
		AUTOFREE char *path = xasprintf("srv/vol/%c", *name);

		assert_int_equal(kit_find(k, path, &known), 1);
		kit_entry(p, PAGE_CHANGED, known.object, path,
		    kit_attrs(50, 2));
	}
	catalog_put_page(k->c, p);
	kit_settle(k, 1, OUTCOME_MOVED);
	kit_settle(k, 1, OUTCOME_FAILED);
	kit_flush(k, 1000);
	check_pages(k, "", 2, "bcdefghia", &c);
	assert_int_equal(find(k, "srv/vol/b", &s), 1);
	assert_int_equal(s.attrs.size, 11);
	assert_int_equal(s.verdict, VERDICT_NONE);
	stored_release(&s);
	kit_end(k, RUN_INTERRUPTED);
}

/* --- keys without the server --- */

static const struct run_export two_exports[] = {
	{ "one", "vol", "one/vol", "one/vol", NULL },
	{ "two", "vol/x", "two/vol/x", "two/vol/x", NULL },
};

static void
keys_without_server(void **state)
{
	struct kit *k = *state;
	static const char *const also[] = { "http://first", "http://s3" };
	struct run_spec spec = kit_spec("bucket", "all");
	struct outcomes *v = xcalloc(1, sizeof(*v));
	struct catalog_reader *look = NULL;
	struct err err = ERR_INIT;
	struct dir_batch *b;
	struct stored s;

	spec.server_as_prefix = false;
	spec.exports = two_exports;
	spec.export_count = 2;
	kit_open(k);
	kit_begin_spec(k, &spec);
	b = kit_dirs(k, 2);
	for (size_t i = 0; i < b->count; i++) {
		struct dir_page *p = kit_page(b->v[i].dir, true);
		AUTOFREE char *path = xasprintf("%s/f%zu", b->v[i].path, i);

		kit_entry(p, PAGE_NEW, 0, path, kit_attrs(1, 1));
		catalog_put_page(k->c, p);
	}
	dir_batch_free(&b);
	kit_settle(k, 2, OUTCOME_MOVED);
	kit_end(k, RUN_COMPLETE);
	spec.op = OP_DEL;
	spec.no_backlog = true;
	kit_begin_spec(k, &spec);
	assert_int_equal(catalog_find_key(k->reader, STR("vol/x/f1"), &s,
	    &err), 1);
	assert_string_equal(s.path, "two/vol/x/f1");
	stored_release(&s);
	assert_int_equal(catalog_find_key(k->reader, STR("vol/f0"), &s,
	    &err), 1);
	stored_release(&s);
	assert_int_equal(catalog_find_key(k->reader, STR("one/vol/f0"), &s,
	    &err), 0);
	assert_int_equal(catalog_find_key(k->reader, STR("volf0"), &s,
	    &err), 0);
	row(v, "vol/x/f1", OUTCOME_DELETED)->is_key = true;
	give_outcomes(k, v);
	assert_false(holds(k, "two/vol/x/f1"));
	assert_true(holds(k, "one/vol/f0"));
	/* A look without a master sees the same. */
	assert_int_equal(catalog_look(&look, k->path, &spec, &err), 0);
	assert_int_equal(catalog_find_key(look, STR("vol/f0"), &s, &err), 1);
	stored_release(&s);
	assert_int_equal(catalog_find_key(look, STR("vol/x/f1"), &s, &err),
	    0);
	catalog_reader_close(&look);
	/* Also where the store has another endpoint before that one. */
	spec.endpoint = also[0];
	assert_int_equal(catalog_look(&look, k->path, &spec, &err), 0);
	assert_int_equal(catalog_find_key(look, STR("vol/f0"), &s, &err), 0);
	catalog_reader_close(&look);
	spec.also = also;
	spec.also_count = ARRAY_LEN(also);
	assert_int_equal(catalog_look(&look, k->path, &spec, &err), 0);
	assert_int_equal(catalog_find_key(look, STR("vol/f0"), &s, &err), 1);
	stored_release(&s);
	catalog_reader_close(&look);
	spec.bucket = "other";
	assert_int_equal(catalog_look(&look, k->path, &spec, &err), 0);
	assert_int_equal(catalog_find_key(look, STR("vol/f0"), &s, &err), 0);
	catalog_reader_close(&look);
	kit_end(k, RUN_COMPLETE);
	assert_int_equal(catalog_look(&look, "/nowhere/catalog.db", &spec,
	    &err), -1);
	assert_int_equal(err.kind, ERR_CONFIG);
}

static void
cuts_are_even(void **state)
{
	struct kit *k = *state;
	struct err err = ERR_INIT;
	struct dir_page *p;
	struct strlist keys = { .v = NULL };

	kit_open(k);
	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	for (int i = 0; i < 20000; i++) {
		AUTOFREE char *path = xasprintf("srv/vol/%05d", i);

		kit_entry(p, PAGE_NEW, 0, path, kit_attrs(1, 1));
	}
	catalog_put_page(k->c, p);
	kit_flush(k, 1);
	assert_int_equal(catalog_key_cuts(k->reader, STR("srv/vol/"), 10,
	    &keys, &err), 0);
	assert_int_equal(keys.n, 9);
	for (size_t i = 0; i < keys.n; i++) {
		long at = strtol(keys.v[i] + strlen("srv/vol/"), NULL, 10);

		assert_in_range(at, 2000 * (i + 1) - 100,
		    2000 * (i + 1) + 100);
	}
	strlist_clear(&keys);
	/* Ten below 00100: cut in two; nothing is there to be cut in nine. */
	assert_int_equal(catalog_key_cuts(k->reader, STR("srv/vol/0010"), 2,
	    &keys, &err), 0);
	assert_int_equal(keys.n, 1);
	assert_string_equal(keys.v[0], "srv/vol/00105");
	strlist_clear(&keys);
	assert_int_equal(catalog_key_cuts(k->reader, STR("srv/vol/0010"), 9,
	    &keys, &err), 0);
	assert_int_equal(keys.n, 0);
	kit_end(k, RUN_INTERRUPTED);
}

#define T(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(counts_outcomes),
		T(cut_put_goes_on),
		T(deleted_is_not_stored),
		T(deleted_with_earlier_versions),
		T(intended_and_killed),
		T(stored_tells_all),
		T(pages_of_stored),
		T(longest_unverified_first),
		T(samples_of_changed),
		T(keys_without_server),
		T(cuts_are_even),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
