/*
 * PUT --delete: what is in the plan and proven gone is deleted and nothing
 * else; what guards and --max-delete hold back is not, and the run hears of
 * it.
 */
#include "kit/run.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "catalog/mirror.h"
#include "model/filter.h"
#include "run/mirror.h"
#include "kit/catalog.h"

struct fixture {
	char	 dir[64];	/* the export */
	struct tree_spec spec;
	struct attrs seen;
	struct fake_s3 f;
	struct conf conf;
	struct job job;
	struct kit *k;
	char	*roots[1];
	struct run r;
	struct mirror_end end;
};

static const char *const names[] = { "srv/vol/a", "srv/vol/b",
	"srv/vol/kept" };

static void
touch(const struct fixture *x, const char *name)
{
	AUTOFREE char *path = xasprintf("%s/%s", x->dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_int_not_equal(fd, -1);
	close(fd);
}

/* A file system of this host is the source. */
static void
make_export(struct fixture *x)
{
	struct tree *t = NULL;
	struct err err = ERR_INIT;

	snprintf(x->dir, sizeof(x->dir), "/tmp/test-mirror-XXXXXX");
	assert_non_null(mkdtemp(x->dir));
	touch(x, "a");
	x->spec = (struct tree_spec){ .type = TREE_POSIX, .server = "srv",
	    .share = x->dir };
	assert_int_equal(tree_open(&t, &x->spec, &err), 0);
	tree_root(t, NULL, &x->seen);
	tree_free(&t);
}

/* What the second crawl leaves out. */
static unsigned excluded;

/* Three files were put. Now the crawl finds a, and no other; empty is what it
 * says of the root. */
static struct fixture *
setup(bool empty)
{
	struct fixture *x = xcalloc(1, sizeof(*x));
	struct known known;
	struct dir_page *p;
	void *state;

	make_export(x);
	kit_setup(&state);
	x->k = state;
	kit_open(x->k);
	kit_begin(x->k);
	catalog_note_export(x->k->c, 0, x->seen.fsid, false);
	p = kit_page(kit_take(x->k, "srv/vol"), true);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		kit_entry(p, PAGE_NEW, 0, names[i], kit_attrs(10, 1));
	catalog_put_page(x->k->c, p);
	assert_int_equal(kit_settle(x->k, 10, OUTCOME_MOVED), 3);
	kit_end(x->k, RUN_COMPLETE);
	kit_begin(x->k);
	catalog_note_export(x->k->c, 0, x->seen.fsid, empty);
	p = kit_page(kit_take(x->k, "srv/vol"), true);
	p->unchanged = 1;
	p->excluded = excluded;
	for (size_t i = 1; i < ARRAY_LEN(names); i++) {
		assert_int_equal(kit_find(x->k, names[i], &known), 1);
		kit_gone(p, known.object);
	}
	catalog_put_page(x->k->c, p);
	fake_start(&x->f);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct fake_object *o = fake_store_locked(&x->f, names[i]);

		buf_add(&o->data, "0123456789", 10);
		snprintf(o->etag, sizeof(o->etag), "etag-%zu", i + 1);
	}
	conf_of_fake(&x->conf, &x->f);
	x->job = (struct job){ .op = OP_PUT, .mirror = true, .quiet = true,
	    .max_delete = 100, .max_size = UINT64_MAX };
	x->roots[0] = xstrdup("srv/vol");
	run_of_kit(&x->r, &x->conf, &x->job, x->k->c);
	x->r.plan = (struct run_plan){ .count = 1, .roots = x->roots,
	    .specs = &x->spec, .seen = &x->seen };
	return x;
}

static void
teardown(struct fixture *x)
{
	AUTOFREE char *line = xasprintf("chmod -R u+rwx %s; rm -r %s", x->dir,
	    x->dir);
	void *state = x->k;

	run_end_kit(&x->r);
	kit_teardown(&state);
	assert_int_equal(system(line), 0);
	fake_stop(&x->f);
	conf_release(&x->conf);
	free(x->roots[0]);
	free(x);
}

/* What stays in the bucket, how many were deleted, how many failed. */
static void
expect(struct fixture *x, size_t stay, uint64_t deleted, uint64_t failed)
{
	struct totals *t;

	assert_false(x->r.failed);
	t = kit_end(x->k, RUN_COMPLETE);
	assert_true(x->k->closing.closes);
	assert_int_equal(x->f.locked.count, stay);
	assert_non_null(fake_find_locked(&x->f, names[0]));
	assert_int_equal(t->deleted, deleted);
	assert_int_equal(t->failed, failed);
}

static void
test_deletes(void **state UNUSED)
{
	struct fixture *x = setup(false);

	mirror_run(&x->r, &x->end);
	assert_int_equal(x->end.planned, 2);
	assert_false(x->end.guarded);
	/* One of them S3 will not let go. */
	expect(x, 2, 1, 1);
	assert_null(fake_find_locked(&x->f, names[1]));
	teardown(x);
}

/* Somebody else has put another object: it stays, and is theirs. */
static void
test_foreign(void **state UNUSED)
{
	struct fixture *x = setup(false);

	fake_find_locked(&x->f, names[1])->etag[0] = 'x';
	mirror_run(&x->r, &x->end);
	expect(x, 3, 0, 1);
	assert_non_null(fake_find_locked(&x->f, names[1]));
	teardown(x);
	/* What a tool like rclone has put of the same file is none of ours. */
	x = setup(false);
	fake_find_locked(&x->f, names[1])->etag[0] = 'x';
	buf_addstr(&fake_find_locked(&x->f, names[1])->meta,
	    "x-amz-meta-mtime: 0.000000001\r\n");
	mirror_run(&x->r, &x->end);
	expect(x, 3, 0, 1);
	assert_non_null(fake_find_locked(&x->f, names[1]));
	teardown(x);
	/* An ETag that does not come from the bytes proves nothing. */
	x = setup(false);
	buf_addch(&fake_find_locked(&x->f, names[1])->data, 'x');
	mirror_run(&x->r, &x->end);
	expect(x, 3, 0, 1);
	assert_non_null(fake_find_locked(&x->f, names[1]));
	teardown(x);
	/* Nobody may look: it is kept, and has failed. */
	x = setup(false);
	x->f.locked.denies_heads = true;
	mirror_run(&x->r, &x->end);
	expect(x, 3, 0, 2);
	teardown(x);
}

/* b is there again: nothing is lost, and nothing has failed. */
static void
test_present(void **state UNUSED)
{
	struct fixture *x = setup(false);
	struct known known;

	touch(x, "b");
	mirror_run(&x->r, &x->end);
	assert_false(x->end.guarded);
	assert_non_null(fake_find_locked(&x->f, names[1]));
	/* The next crawl takes it for new. */
	assert_int_equal(kit_find(x->k, names[1], &known), 1);
	assert_true(known.tombstone);
	/* That of the other file S3 will not let go. */
	expect(x, 3, 0, 1);
	teardown(x);
}

/* The source is another directory by now, or none: nobody knows, and one row
 * says so for all. */
static void
unknown(bool replaced)
{
	struct fixture *x = setup(false);
	AUTOFREE char *aside = xasprintf("%s.aside", x->dir);

	x->conf.s3_storage.retry_for = 0;
	assert_int_equal(rename(x->dir, aside), 0);
	if (replaced)
		assert_int_equal(mkdir(x->dir, 0700), 0);
	mirror_run(&x->r, &x->end);
	if (replaced)
		assert_int_equal(rmdir(x->dir), 0);
	assert_int_equal(rename(aside, x->dir), 0);
	assert_int_equal(x->f.locked.deletes, 0);
	expect(x, 3, 0, 1);
	assert_non_null(strstr(x->k->closing.failures[0].reason, "kept"));
	teardown(x);
}

static void
test_unknown(void **state UNUSED)
{
	unknown(true);
	unknown(false);
}

/* The file system in which the files were is not there. */
static void
test_other_file_system(void **state UNUSED)
{
	struct fixture *x = setup(false);

	/* What the catalog noted isn't what is there. */
	x->seen.kind = ENTRY_UNKNOWN;
	x->spec.share = "/proc/self";
	mirror_run(&x->r, &x->end);
	assert_int_equal(x->f.locked.deletes, 0);
	expect(x, 3, 0, 2);
	teardown(x);
}

/* A file that this run would leave out is not this run's to delete. */
static void
test_left_out(void **state UNUSED)
{
	struct fixture *x = setup(false);

	x->job.filter = filter_new();
	assert_int_equal(filter_add(x->job.filter, false, "b", NULL), 0);
	mirror_run(&x->r, &x->end);
	filter_free(&x->job.filter);
	assert_int_equal(x->end.planned, 1);
	expect(x, 3, 0, 1);
	teardown(x);
	x = setup(false);
	x->job.min_size = 11;
	mirror_run(&x->r, &x->end);
	assert_int_equal(x->end.planned, 0);
	expect(x, 3, 0, 0);
	teardown(x);
}

static void
test_guard(void **state UNUSED)
{
	struct fixture *x = setup(true);

	mirror_run(&x->r, &x->end);
	assert_int_equal(x->end.planned, 0);
	assert_true(x->end.guarded);
	expect(x, 3, 0, 0);
	assert_int_equal(x->f.locked.deletes, 0);
	teardown(x);
}

static void
limited(uint64_t most, bool percent, bool stops)
{
	struct fixture *x = setup(false);

	x->job.max_delete = most;
	x->job.max_delete_percent = percent;
	mirror_run(&x->r, &x->end);
	assert_int_equal(x->end.planned, 2);
	assert_int_equal(x->end.guarded, stops);
	assert_int_equal(x->f.locked.deletes, stops ? 0 : 1);
	expect(x, stops ? 3 : 2, stops ? 0 : 1, stops ? 0 : 1);
	teardown(x);
}

/* Two of three. */
static void
test_max_delete(void **state UNUSED)
{
	/* Where something is left out, the crawl does not know all that is
	 * stored: it is counted. */
	for (excluded = 0; excluded < 2; excluded++) {
		limited(66, true, true);
		limited(67, true, false);
		limited(0, true, true);
		limited(100, true, false);
	}
	excluded = 0;
	limited(1, false, true);
	limited(2, false, false);
	limited(0, false, true);
}

/* What is there again does not count. */
static void
test_max_delete_proven(void **state UNUSED)
{
	struct fixture *x = setup(false);

	touch(x, "b");
	x->job.max_delete = 1;
	mirror_run(&x->r, &x->end);
	assert_false(x->end.guarded);
	assert_int_equal(x->end.planned, 1);
	expect(x, 3, 0, 1);
	teardown(x);
}

/* The file b goes between the count and the deletion. */
static void
remove_b(void *arg, unsigned count UNUSED)
{
	const struct fixture *x = arg;
	AUTOFREE char *path = xasprintf("%s/b", x->dir);

	unlink(path);
}

/* One deletion was counted and allowed: no second one is made. */
static void
test_max_delete_beyond(void **state UNUSED)
{
	struct fixture *x = setup(false);

	touch(x, "b");
	x->job.max_delete = 1;
	x->f.locked.on_head = remove_b;
	x->f.locked.arg = x;
	mirror_run(&x->r, &x->end);
	assert_true(x->end.guarded);
	assert_int_equal(x->end.planned, 1);
	expect(x, 2, 1, 0);
	teardown(x);
}

/* What it would delete, one key a line. */
static void
dryrun(bool present, const char *expected)
{
	struct fixture *x = setup(false);
	char text[200] = "";
	FILE *out = tmpfile();
	int was;

	if (present)
		touch(x, "b");
	fflush(stdout);
	was = dup(STDOUT_FILENO);
	assert_int_not_equal(dup2(fileno(out), STDOUT_FILENO), -1);
	x->job.dryrun = true;
	mirror_run(&x->r, &x->end);
	fflush(stdout);
	assert_int_not_equal(dup2(was, STDOUT_FILENO), -1);
	close(was);
	assert_true(pread(fileno(out), text, sizeof(text) - 1, 0) > 0);
	fclose(out);
	assert_string_equal(text, expected);
	assert_int_equal(x->end.planned, present ? 1 : 2);
	assert_int_equal(x->f.locked.deletes, 0);
	expect(x, 3, 0, 0);
	teardown(x);
}

static void
test_dryrun(void **state UNUSED)
{
	dryrun(false, "srv/vol/b\nsrv/vol/kept\n");
	dryrun(true, "srv/vol/kept\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deletes),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_present),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_other_file_system),
		cmocka_unit_test(test_left_out),
		cmocka_unit_test(test_guard),
		cmocka_unit_test(test_max_delete),
		cmocka_unit_test(test_max_delete_proven),
		cmocka_unit_test(test_max_delete_beyond),
		cmocka_unit_test(test_dryrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
