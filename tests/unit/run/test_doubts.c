/*
 * What a killed run, or a lost answer, left unknown: it is asked for, and
 * only then is a deletion done or an object known.
 */
#include "kit/run.h"

#include "catalog/mirror.h"
#include "catalog/outcome.h"
#include "reader/stored.h"
#include "run/doubts.h"
#include "run/mirror.h"
#include "kit/catalog.h"

#define SIZE	10

struct fixture {
	char	 dir[64];	/* the export: an empty directory */
	struct tree_spec spec;
	struct attrs seen;
	struct fake_s3 f;
	struct conf conf;
	struct job job;
	struct kit *k;
	char	*roots[1];
	struct run_plan plan;
	unsigned crawls;
};

static const char *const names[] = { "srv/vol/a", "srv/vol/b", "srv/vol/c" };

/* As PUT leaves an object; ours: with what PUT writes beside the bytes. */
static void
store(struct fixture *x, const char *key, int64_t object, bool ours)
{
	struct fake_object *o = fake_store_locked(&x->f, key);

	buf_clear(&o->meta);
	if (ours)
		buf_addstr(&o->meta, "x-amz-meta-file-mtime: 1ns\r\n"
		    "x-amz-meta-file-permissions: 0644\r\n"
		    "x-amz-meta-file-owner: 7\r\n"
		    "x-amz-meta-file-group: 8\r\n"
		    "x-amz-meta-mtime: 0.000000001\r\n");
	else
		buf_addstr(&o->meta, "x-amz-meta-x: y\r\n");
	for (unsigned i = 0; i < SIZE; i++)
		buf_addch(&o->data, ours ? 'x' : 'y');
	snprintf(o->etag, sizeof(o->etag), "etag-%lld", (long long)object);
}

static struct fixture *
setup(void)
{
	struct fixture *x = xcalloc(1, sizeof(*x));
	struct tree *t = NULL;
	struct err err = ERR_INIT;
	void *state;

	kit_setup(&state);
	x->k = state;
	snprintf(x->dir, sizeof(x->dir), "/tmp/test-doubts-XXXXXX");
	assert_non_null(mkdtemp(x->dir));
	x->spec = (struct tree_spec){ .type = TREE_POSIX, .server = "srv",
	    .share = x->dir };
	assert_int_equal(tree_open(&t, &x->spec, &err), 0);
	tree_root(t, NULL, &x->seen);
	tree_free(&t);
	fake_start(&x->f);
	conf_of_fake(&x->conf, &x->f);
	x->job = (struct job){ .op = OP_PUT, .mirror = true, .quiet = true,
	    .max_delete = 100, .max_size = UINT64_MAX };
	x->roots[0] = xstrdup("srv/vol");
	x->plan = (struct run_plan){ .count = 1, .roots = x->roots,
	    .specs = &x->spec, .seen = &x->seen };
	kit_open(x->k);
	return x;
}

static void
teardown(struct fixture *x)
{
	void *state = x->k;

	kit_teardown(&state);
	assert_int_equal(rmdir(x->dir), 0);
	fake_stop(&x->f);
	conf_release(&x->conf);
	free(x->roots[0]);
	free(x);
}

static void
kill_run(struct fixture *x)
{
	kit_close(x->k);
	kit_open(x->k);
}

/* A crawl of the root that finds the names that are not NULL: new ones, or
 * unchanged; what is known and not found is gone. */
static void
crawl(struct fixture *x, const char *const *v, size_t n)
{
	AUTOFREE char *scope = xasprintf("%u", x->crawls++);
	struct run_spec spec = kit_spec("bucket", scope);
	struct dir_page *p;
	struct known known;

	/* Another scope: no crawl is continued, the root is read again. */
	kit_begin_spec(x->k, &spec);
	catalog_note_export(x->k->c, 0, x->seen.fsid, false);
	p = kit_page(kit_take(x->k, "srv/vol"), true);
	for (size_t i = 0; i < n; i++) {
		bool there = v[i] != NULL;

		if (kit_find(x->k, names[i], &known) == 0 ||
		    (there && known.tombstone)) {
			if (there)
				kit_entry(p, PAGE_NEW, 0, v[i],
				    kit_attrs(SIZE, 1));
		} else if (!there) {
			kit_gone(p, known.object);
		} else if (known.stored) {
			p->unchanged++;
		} else {
			kit_entry(p, PAGE_QUEUE, known.object, v[i],
			    kit_attrs(SIZE, 1));
		}
	}
	catalog_put_page(x->k->c, p);
}

/* All three were put; the bucket has them. */
static struct fixture *
put_all(void)
{
	struct fixture *x = setup();

	crawl(x, names, ARRAY_LEN(names));
	assert_int_equal(kit_settle(x->k, 10, OUTCOME_MOVED), 3);
	kit_end(x->k, RUN_COMPLETE);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		store(x, names[i], (int64_t)i + 1, true);
	return x;
}

static const char *const only_a[] = { "srv/vol/a", NULL, NULL };

/* b and c are noted as about to be deleted, and then the run is killed. */
static void
intend_and_kill(struct fixture *x)
{
	struct outcomes *v = xcalloc(1, sizeof(*v));

	crawl(x, only_a, ARRAY_LEN(only_a));
	v->v = xcalloc(2, sizeof(*v->v));
	v->count = 2;
	for (size_t i = 0; i < 2; i++)
		v->v[i].path = xstrdup(names[i + 1]);
	catalog_intend_delete(x->k->c, v, x->k->mail);
	v = (struct outcomes *)kit_mail(x->k, MAIL_DELETE_NOTED);
	outcomes_free(&v);
	kill_run(x);
}

/* PUT --delete, of which the deletions are of interest. */
static void
mirror_of(struct fixture *x, const char *const *v, uint64_t deleted,
    uint64_t failed)
{
	struct mirror_end end;
	struct totals *t;
	struct run r;

	crawl(x, v, ARRAY_LEN(names));
	run_of_kit(&r, &x->conf, &x->job, x->k->c);
	r.plan = x->plan;
	mirror_run(&r, &end);
	assert_false(r.failed);
	run_end_kit(&r);
	t = kit_end(x->k, RUN_COMPLETE);
	assert_true(x->k->closing.closes);
	assert_int_equal(t->deleted, deleted);
	assert_int_equal(t->failed, failed);
}

static void
ask(struct fixture *x)
{
	struct err err = ERR_INIT;
	struct run r;

	run_of_kit(&r, &x->conf, &x->job, x->k->c);
	if (doubts_settle(&r, &err) == -1)
		fail_msg("%s", err.msg);
	run_end_kit(&r);
}

static void
mirror(struct fixture *x, uint64_t deleted, uint64_t failed)
{
	mirror_of(x, only_a, deleted, failed);
}

static bool
take_count(void *arg, size_t columns UNUSED, const char *const *n UNUSED,
    const struct value *row)
{
	if (row != NULL)
		*(int64_t *)arg = row[0].integer;
	return true;
}

static int64_t
count(struct fixture *x, const char *sql)
{
	struct catalog_view *view;
	struct err err = ERR_INIT;
	int64_t n = -1;

	if (catalog_view_open(&view, x->k->path, &err) == -1 ||
	    catalog_query(view, sql, take_count, &n, &err) == -1)
		fail_msg("%s", err.msg);
	catalog_view_close(&view);
	return n;
}

static int64_t
failures(struct fixture *x)
{
	return count(x, "SELECT count(*) FROM failures");
}

static void
expect_deleted(struct fixture *x, size_t left)
{
	assert_int_equal(x->f.locked.count, left);
	assert_non_null(fake_find_locked(&x->f, "srv/vol/a"));
	assert_int_equal(failures(x), 0);
	assert_int_equal(count(x, "SELECT count(*) FROM objects "
	    "WHERE state = 'deleted' AND deleted_at IS NOT NULL"), 2);
}

/* The requests never arrived: the next run makes up for them, and the one
 * after that has nothing to ask. */
static void
test_not_deleted(void **state UNUSED)
{
	struct fixture *x = put_all();
	unsigned heads;

	intend_and_kill(x);
	kit_begin(x->k);
	assert_int_equal(failures(x), 2);
	kit_end(x->k, RUN_INTERRUPTED);
	mirror(x, 2, 0);
	expect_deleted(x, 1);
	/* The doubt asks for each key, and so does the deletion. */
	heads = x->f.locked.heads;
	assert_int_equal(heads, 4);
	mirror(x, 0, 0);
	assert_int_equal(x->f.locked.heads, heads);
	assert_int_equal(x->f.locked.deletes, 1);
	teardown(x);
}

/* They arrived: nothing is deleted twice. */
static void
test_deleted(void **state UNUSED)
{
	static const char *const gone[] = { "srv/vol/b", "srv/vol/c" };
	struct fixture *x = put_all();

	intend_and_kill(x);
	for (size_t i = 0; i < ARRAY_LEN(gone); i++)
		fake_remove_locked(&x->f, gone[i]);
	mirror(x, 0, 0);
	expect_deleted(x, 1);
	assert_int_equal(x->f.locked.deletes, 0);
	teardown(x);
}

/* A plain PUT concludes nothing, however often it runs. */
static void
test_plain_put(void **state UNUSED)
{
	struct fixture *x = put_all();

	intend_and_kill(x);
	for (unsigned i = 0; i < 3; i++) {
		crawl(x, only_a, ARRAY_LEN(only_a));
		assert_true(kit_end(x->k, RUN_COMPLETE)->failed == 0);
		assert_int_equal(failures(x), 2);
		assert_int_equal(count(x, "SELECT count(*) FROM objects "
		    "WHERE deleted_at IS NOT NULL"), 0);
		kill_run(x);
	}
	mirror(x, 2, 0);
	expect_deleted(x, 1);
	teardown(x);
}

/* What TEST and GET see of the objects is no word on their deletion. */
static void
test_other_operations(void **state UNUSED)
{
	struct fixture *x = put_all();
	struct run_spec spec = kit_spec("bucket", "");
	struct outcomes *v = xcalloc(1, sizeof(*v));

	intend_and_kill(x);
	spec.op = OP_TEST;
	spec.no_backlog = true;
	kit_begin_spec(x->k, &spec);
	v->v = xcalloc(2, sizeof(*v->v));
	v->count = 2;
	for (size_t i = 0; i < 2; i++)
		v->v[i].path = xstrdup(names[i + 1]);
	v->v[0].outcome = OUTCOME_MOVED;
	v->v[1].outcome = OUTCOME_FAILED;
	v->v[1].verdict = VERDICT_MISSING;
	v->v[1].lost = true;
	catalog_put_outcomes(x->k->c, v);
	kit_end(x->k, RUN_COMPLETE);
	assert_int_equal(failures(x), 2);
	mirror(x, 2, 0);
	expect_deleted(x, 1);
	teardown(x);
}

/* S3 gives no answer: the run fails, and the next one goes on. */
static void
test_no_answer(void **state UNUSED)
{
	struct fixture *x = put_all();

	intend_and_kill(x);
	x->f.locked.denies_heads = true;
	mirror(x, 0, 2);
	assert_int_equal(failures(x), 2);
	assert_int_equal(x->f.locked.deletes, 0);
	x->f.locked.denies_heads = false;
	mirror(x, 2, 0);
	expect_deleted(x, 1);
	teardown(x);
}

/* The file is there again: it is put, and nothing is to be deleted. */
static void
test_file_is_back(void **state UNUSED)
{
	static const char *const back[] = { "srv/vol/a", "srv/vol/b", NULL };
	struct fixture *x = put_all();

	intend_and_kill(x);
	crawl(x, back, ARRAY_LEN(back));
	assert_int_equal(kit_settle(x->k, 10, OUTCOME_MOVED), 1);
	kit_end(x->k, RUN_COMPLETE);
	assert_int_equal(failures(x), 1);
	crawl(x, back, ARRAY_LEN(back));
	ask(x);
	kit_end(x->k, RUN_COMPLETE);
	assert_int_equal(failures(x), 0);
	assert_int_equal(x->f.locked.heads, 1);
	assert_int_equal(count(x, "SELECT count(*) FROM objects "
	    "WHERE path = 'srv/vol/b' AND state = 'stored'"), 1);
	teardown(x);
}

/* The answer of a deletion was lost while the run went on. */
static void
test_answer_lost(void **state UNUSED)
{
	struct fixture *x = put_all();
	struct outcomes *v = xcalloc(1, sizeof(*v));

	crawl(x, only_a, ARRAY_LEN(only_a));
	v->v = xcalloc(2, sizeof(*v->v));
	v->count = 2;
	for (size_t i = 0; i < 2; i++)
		v->v[i].path = xstrdup(names[i + 1]);
	catalog_intend_delete(x->k->c, v, x->k->mail);
	v = (struct outcomes *)kit_mail(x->k, MAIL_DELETE_NOTED);
	for (size_t i = 0; i < 2; i++) {
		v->v[i].outcome = OUTCOME_FAILED;
		v->v[i].lost = true;
		err_set(&v->v[i].err, ERR_RETRY, 0, "no answer");
	}
	catalog_put_outcomes(x->k->c, v);
	assert_int_equal(kit_end(x->k, RUN_COMPLETE)->failed, 2);
	assert_int_equal(failures(x), 2);
	assert_int_equal(count(x, "SELECT count(*) FROM failures "
	    "WHERE reason = 'no answer'"), 2);
	fake_remove_locked(&x->f, "srv/vol/b");
	mirror(x, 1, 0);
	expect_deleted(x, 1);
	teardown(x);
}

/* A lease was out when the run was killed, its objects are in the bucket, and
 * the files went: they are found and deleted; what is not ours stays. */
static void
test_sent_and_gone(void **state UNUSED)
{
	static const char *const none[] = { NULL, NULL, NULL };
	struct fixture *x = setup();
	struct lease *l;

	crawl(x, names, ARRAY_LEN(names));
	l = kit_lease(x->k, 10);
	assert_int_equal(l->count, 3);
	lease_free(&l);
	kill_run(x);
	store(x, "srv/vol/a", 99, true);
	/* It had grown when it was sent. */
	buf_addch(&fake_find_locked(&x->f, "srv/vol/a")->data, 'x');
	store(x, "srv/vol/b", 99, false);
	crawl(x, none, ARRAY_LEN(none));
	kit_end(x->k, RUN_COMPLETE);
	crawl(x, none, ARRAY_LEN(none));
	ask(x);
	kit_end(x->k, RUN_COMPLETE);
	assert_int_equal(x->f.locked.heads, 3);
	mirror_of(x, none, 1, 0);
	/* The deletion asks whether its object is still ours. */
	assert_int_equal(x->f.locked.heads, 4);
	assert_null(fake_find_locked(&x->f, "srv/vol/a"));
	assert_non_null(fake_find_locked(&x->f, "srv/vol/b"));
	teardown(x);
}

/* The same of transfers that failed, or whose file went meanwhile. */
static void
test_failed_and_gone(void **state UNUSED)
{
	static const char *const none[] = { NULL, NULL, NULL };
	struct fixture *x = setup();
	struct results *r;
	struct result *v;
	struct lease *l;

	crawl(x, names, ARRAY_LEN(names));
	l = kit_lease(x->k, 10);
	r = kit_results(l);
	v = kit_result(r, &l->items[0], OUTCOME_FAILED);
	err_set(&v->err, ERR_RETRY, 0, "no answer");
	v = kit_result(r, &l->items[1], OUTCOME_GONE);
	err_set(&v->err, ERR_GONE, 0, "it is gone");
	kit_result(r, &l->items[2], OUTCOME_FAILED);	/* refused */
	catalog_put_results(x->k->c, r);
	lease_free(&l);
	kit_end(x->k, RUN_COMPLETE);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		store(x, names[i], 99, true);
	crawl(x, none, ARRAY_LEN(none));
	ask(x);
	kit_end(x->k, RUN_COMPLETE);
	assert_int_equal(x->f.locked.heads, 2);
	mirror_of(x, none, 2, 0);
	assert_int_equal(x->f.locked.count, 1);
	teardown(x);
}

/* The next crawl finds all three as they are, and b is to be read once more. */
static void
crawl_b_again(struct fixture *x)
{
	AUTOFREE char *scope = xasprintf("%u", x->crawls++);
	struct run_spec spec = kit_spec("bucket", scope);
	struct dir_page *p;
	struct known known;

	kit_begin_spec(x->k, &spec);
	catalog_note_export(x->k->c, 0, x->seen.fsid, false);
	assert_int_equal(kit_find(x->k, "srv/vol/b", &known), 1);
	p = kit_page(kit_take(x->k, "srv/vol"), true);
	p->unchanged = 2;
	kit_entry(p, PAGE_QUEUE, known.object, "srv/vol/b",
	    kit_attrs(SIZE, 1));
	catalog_put_page(x->k->c, p);
}

static int64_t
in_state(struct fixture *x, const char *state)
{
	AUTOFREE char *sql = xasprintf("SELECT count(*) FROM objects "
	    "WHERE state = '%s'", state);

	return count(x, sql);
}

/* A stored version is under way once more: what the target has of it is known
 * with the answer, whether the run is killed before or not. */
static void
test_leased_again(void **state UNUSED)
{
	struct fixture *x = put_all();
	struct lease *l;

	crawl_b_again(x);
	l = kit_lease(x->k, 10);
	assert_int_equal(l->count, 1);
	lease_free(&l);
	assert_int_equal(in_state(x, "stored"), 2);
	assert_int_equal(in_state(x, "leased"), 1);
	kill_run(x);
	assert_int_equal(in_state(x, "stored"), 2);
	assert_int_equal(in_state(x, "leased"), 1);
	crawl_b_again(x);
	assert_int_equal(kit_settle(x->k, 10, OUTCOME_UNCHANGED), 1);
	kit_flush(x->k, 999);
	assert_int_equal(in_state(x, "stored"), 3);
	teardown(x);
}

/* A transfer finds that b, which is stored, is gone, and so is its object, or
 * it is another tool's: it was counted as gone, once. */
static void
go_under_way(bool foreign)
{
	struct fixture *x = put_all();
	struct results *r;
	struct lease *l;
	struct totals *t;

	crawl_b_again(x);
	l = kit_lease(x->k, 10);
	r = kit_results(l);
	err_set(&kit_result(r, &l->items[0], OUTCOME_GONE)->err, ERR_GONE, 0,
	    "it is gone");
	catalog_put_results(x->k->c, r);
	lease_free(&l);
	fake_remove_locked(&x->f, "srv/vol/b");
	if (foreign)
		store(x, "srv/vol/b", 99, false);
	ask(x);
	assert_int_equal(x->f.locked.heads, 1);
	t = kit_end(x->k, RUN_COMPLETE);
	assert_true(x->k->closing.closes);
	assert_int_equal(t->found, 2);
	assert_int_equal(t->unchanged, 2);
	assert_int_equal(t->failed, 0);
	assert_int_equal(t->gone, 1);
	assert_int_equal(in_state(x, "gone"), 1);
	teardown(x);
}

static void
test_gone_under_way(void **state UNUSED)
{
	go_under_way(false);
	go_under_way(true);
}

/* DEL was killed as it deleted b, whose file is there. */
static struct fixture *
half_deleted(void)
{
	struct fixture *x = put_all();
	struct run_spec spec = kit_spec("bucket", "");
	struct outcomes *v = xcalloc(1, sizeof(*v));

	spec.op = OP_DEL;
	spec.no_backlog = true;
	kit_begin_spec(x->k, &spec);
	v->v = xcalloc(1, sizeof(*v->v));
	v->count = 1;
	v->v[0].path = xstrdup("srv/vol/b");
	catalog_intend_delete(x->k->c, v, x->k->mail);
	v = (struct outcomes *)kit_mail(x->k, MAIL_DELETE_NOTED);
	outcomes_free(&v);
	kill_run(x);
	fake_remove_locked(&x->f, "srv/vol/b");
	return x;
}

/* The PUT that follows can't read it: that failure is counted. */
static void
test_deleted_and_failed(void **state UNUSED)
{
	struct fixture *x = half_deleted();
	struct totals *t;

	crawl_b_again(x);
	assert_int_equal(kit_settle(x->k, 10, OUTCOME_FAILED), 1);
	ask(x);
	assert_int_equal(x->f.locked.heads, 1);
	t = kit_end(x->k, RUN_COMPLETE);
	assert_true(x->k->closing.closes);
	assert_int_equal(t->failed, 1);
	assert_int_equal(in_state(x, "failed"), 1);
	teardown(x);
}

/* The file has changed, and the new version is put: that is the answer. */
static void
test_deleted_and_put(void **state UNUSED)
{
	struct fixture *x = half_deleted();
	struct run_spec spec = kit_spec("bucket", "b is new");
	struct dir_page *p;
	struct totals *t;

	kit_begin_spec(x->k, &spec);
	p = kit_page(kit_take(x->k, "srv/vol"), true);
	p->unchanged = 2;
	kit_entry(p, PAGE_CHANGED, 2, "srv/vol/b", kit_attrs(SIZE, 2));
	catalog_put_page(x->k->c, p);
	assert_int_equal(kit_settle(x->k, 10, OUTCOME_MOVED), 1);
	ask(x);
	assert_int_equal(x->f.locked.heads, 0);
	t = kit_end(x->k, RUN_COMPLETE);
	assert_true(x->k->closing.closes);
	assert_int_equal(t->moved, 1);
	assert_int_equal(in_state(x, "stored"), 3);
	teardown(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_deleted),
		cmocka_unit_test(test_deleted),
		cmocka_unit_test(test_plain_put),
		cmocka_unit_test(test_other_operations),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_file_is_back),
		cmocka_unit_test(test_answer_lost),
		cmocka_unit_test(test_sent_and_gone),
		cmocka_unit_test(test_failed_and_gone),
		cmocka_unit_test(test_leased_again),
		cmocka_unit_test(test_gone_under_way),
		cmocka_unit_test(test_deleted_and_failed),
		cmocka_unit_test(test_deleted_and_put),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
