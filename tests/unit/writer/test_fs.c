/*
 * File systems at and below an export, as the catalog remembers them.
 */
#include "kit/catalog.h"

#include "reader/rows.h"
#include "catalog/export.h"
#include "catalog/outcome.h"

#define ROOT "srv/vol"

/* Take the directory, which must be the next; its job but for the path. */
static struct dir_job
take(struct kit *k, const char *path)
{
	struct dir_batch *b = kit_dirs(k, 1);
	struct dir_job j;

	assert_int_equal(b->count, 1);
	assert_string_equal(b->v[0].path, path);
	j = b->v[0];
	j.path = NULL;
	dir_batch_free(&b);
	return j;
}

/* Its whole listing: with a file, or else as before; subdirectories end in
 * NULL. fsid 0: none was told. */
static void
give(struct kit *k, const struct dir_job *j, uint64_t fsid, const char *file,
    const char *const *subdirs)
{
	struct dir_page *p = kit_page(j->dir, true);

	p->fs_seen = fsid != 0;
	p->fsid = fsid;
	if (file != NULL)
		kit_entry(p, PAGE_NEW, 0, file, kit_attrs(10, 1));
	else
		p->unchanged = 1;
	for (; subdirs != NULL && *subdirs != NULL; subdirs++)
		kit_subdir(p, *subdirs);
	catalog_put_page(k->c, p);
}

#define SUBDIRS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* ROOT/f of file system 1, plain/f too, mid/mnt/f of file system 2. */
static void
first_run(struct kit *k, uint64_t root, uint64_t mnt)
{
	struct dir_job j;

	kit_open(k);
	kit_begin(k);
	j = take(k, ROOT);
	assert_false(j.fs_known);
	give(k, &j, root, ROOT "/f", SUBDIRS(ROOT "/plain", ROOT "/mid"));
	j = take(k, ROOT "/plain");
	give(k, &j, root, ROOT "/plain/f", NULL);
	j = take(k, ROOT "/mid");
	give(k, &j, root, ROOT "/mid/f", SUBDIRS(ROOT "/mid/mnt"));
	/* Never read: what may be known below lies in the one around it. */
	j = take(k, ROOT "/mid/mnt");
	assert_int_equal(j.fs_known, root != 0);
	assert_false(j.fs_own);
	give(k, &j, mnt, ROOT "/mid/mnt/f", NULL);
	assert_int_equal(kit_settle(k, 10, OUTCOME_MOVED), 4);
	kit_end(k, RUN_COMPLETE);
}

static void
check(const struct dir_job *j, uint64_t fsid, bool begins)
{
	assert_true(j->fs_known);
	assert_int_equal(j->fsid, fsid);
	assert_int_equal(j->fs_begins, begins);
}

static uint64_t
fs_of(struct kit *k, int64_t dir)
{
	uint64_t fsid = 0;

	return rows_fs_of_dir(reader_db(k->reader), dir, &fsid) ? fsid : 0;
}

static void
noted_where_it_begins(void **state)
{
	struct kit *k = *state;
	struct dir_job j;

	first_run(k, 1, 2);
	kit_begin(k);
	j = take(k, ROOT);
	check(&j, 1, true);
	assert_int_equal(fs_of(k, j.dir), 1);
	give(k, &j, 1, NULL, SUBDIRS(ROOT "/plain", ROOT "/mid"));
	j = take(k, ROOT "/plain");
	check(&j, 1, false);
	assert_int_equal(fs_of(k, j.dir), 1);
	give(k, &j, 1, NULL, NULL);
	j = take(k, ROOT "/mid");
	check(&j, 1, false);
	give(k, &j, 1, NULL, SUBDIRS(ROOT "/mid/mnt"));
	j = take(k, ROOT "/mid/mnt");
	check(&j, 2, true);
	assert_int_equal(fs_of(k, j.dir), 2);
	give(k, &j, 2, NULL, NULL);
	assert_int_equal(kit_end(k, RUN_COMPLETE)->failed, 0);
}

/* The root lists the directories that are given, and they are as before. */
static struct totals
next_run(struct kit *k, bool accept, const char *const *subdirs)
{
	struct run_spec spec = kit_spec("bucket", "all");
	struct dir_job j;

	spec.accept_filesystem = accept;
	kit_begin_spec(k, &spec);
	j = take(k, ROOT);
	give(k, &j, 1, NULL, subdirs);
	for (; subdirs != NULL && *subdirs != NULL; subdirs++) {
		j = take(k, *subdirs);
		give(k, &j, 1, NULL, NULL);
	}
	kit_end(k, RUN_COMPLETE);
	assert_true(k->closing.closes);
	return k->closing.totals;
}

static bool
is_gone(struct kit *k, const char *path)
{
	struct known known;

	assert_int_equal(kit_find(k, path, &known), 1);
	return known.tombstone;
}

/* Its mount point is gone as well. */
static void
missing_is_not_gone(void **state)
{
	struct kit *k = *state;
	struct totals t;

	first_run(k, 1, 2);
	for (int i = 0; i < 2; i++) {
		t = next_run(k, false, SUBDIRS(ROOT "/plain", ROOT "/mid"));
		assert_int_equal(t.failed, 1);
		assert_int_equal(t.gone, 0);
		assert_int_equal(k->closing.failure_count, 1);
		assert_string_equal(k->closing.failures[0].path,
		    ROOT "/mid/mnt");
		assert_false(is_gone(k, ROOT "/mid/mnt/f"));
	}
	t = next_run(k, true, SUBDIRS(ROOT "/plain", ROOT "/mid"));
	assert_int_equal(t.failed, 0);
	assert_int_equal(t.gone, 1);
	assert_true(is_gone(k, ROOT "/mid/mnt/f"));
	assert_false(is_gone(k, ROOT "/mid/f"));
	t = next_run(k, false, SUBDIRS(ROOT "/plain", ROOT "/mid"));
	assert_int_equal(t.failed, 0);
}

/* With all that was around it, once each run; what has no file system below
 * goes. */
static void
missing_further_up(void **state)
{
	struct kit *k = *state;
	struct totals t;

	first_run(k, 1, 2);
	for (int i = 0; i < 2; i++) {
		t = next_run(k, false, NULL);
		assert_int_equal(t.failed, 1);
		assert_int_equal(t.gone, i == 0 ? 1 : 0);
		assert_true(is_gone(k, ROOT "/plain/f"));
		assert_false(is_gone(k, ROOT "/mid/f"));
		assert_false(is_gone(k, ROOT "/mid/mnt/f"));
	}
	t = next_run(k, true, NULL);
	assert_int_equal(t.failed, 0);
	assert_int_equal(t.gone, 2);
}

/* A run in which a link is at mid: followed, it leads nowhere. */
static struct totals
link_run(struct kit *k, bool follow)
{
	struct run_spec spec = kit_spec("bucket", "all");
	struct attrs link = { .kind = ENTRY_LINK, .mode = 0777, .ino = 12 };
	struct dir_page *p;
	struct known known;

	kit_begin_spec(k, &spec);
	p = kit_page(take(k, ROOT).dir, true);
	if (!follow) {
		p->kept_dirs = xcalloc(1, sizeof(*p->kept_dirs));
		p->kept_dirs[p->kept_dir_count++] = xstrdup(ROOT "/mid");
	}
	p->fs_seen = true;
	p->fsid = 1;
	p->unchanged = 1;
	kit_entry(p, PAGE_EXCLUDED, kit_find(k, ROOT "/mid", &known) == 1 ?
	    known.object : 0, ROOT "/mid", link)->why = xstrdup(follow ?
	    "dangling symlink" : "symlink");
	catalog_put_page(k->c, p);
	kit_end(k, RUN_COMPLETE);
	assert_true(k->closing.closes);
	return k->closing.totals;
}

/* A link that isn't followed doesn't say whether what it led to is mounted: it
 * hasn't failed, and isn't gone. */
static void
behind_a_link(void **state)
{
	struct kit *k = *state;
	struct dir_page *p;
	struct known link;
	struct totals t;

	first_run(k, 1, 2);
	for (int i = 0; i < 4; i++) {
		t = link_run(k, i % 2 == 1);
		assert_int_equal(t.failed, i % 2);
		assert_int_equal(t.excluded, 1);
		assert_int_equal(t.gone, i == 0 ? 1 : 0);
		assert_false(is_gone(k, ROOT "/mid/mnt/f"));
	}
	/* Without the link it is missed. */
	kit_begin(k);
	p = kit_page(take(k, ROOT).dir, true);
	assert_int_equal(kit_find(k, ROOT "/mid", &link), 1);
	kit_gone(p, link.object);
	catalog_put_page(k->c, p);
	assert_int_equal(kit_end(k, RUN_COMPLETE)->failed, 1);
}

/* A list has that file, in that file system. */
static uint64_t
list_run(struct kit *k, const char *file, uint64_t fsid, bool accept)
{
	struct run_spec spec = kit_spec("bucket", "list");
	struct dir_page *p = kit_page(0, true);

	spec.no_crawl = true;
	spec.accept_filesystem = accept;
	kit_entry(p, PAGE_NEW, 0, file, kit_attrs(10, 1))->listed_fsid = fsid;
	kit_begin_spec(k, &spec);
	catalog_see_export(k->c, 0, EXPORT_THERE, 1);
	catalog_put_page(k->c, p);
	kit_settle(k, 1, OUTCOME_MOVED);
	kit_end(k, RUN_COMPLETE);
	assert_true(k->closing.closes);
	return k->closing.totals.failed;
}

/* Where a list has a file, the directory may have been read before the file
 * system was mounted there, or not at all. */
static void
listed_below(void **state)
{
	struct kit *k = *state;
	struct totals t;

	kit_open(k);
	kit_begin(k);
	give(k, &(struct dir_job){ .dir = take(k, ROOT).dir }, 1, ROOT "/f",
	    SUBDIRS(ROOT "/mnt"));
	give(k, &(struct dir_job){ .dir = take(k, ROOT "/mnt").dir }, 1, NULL,
	    NULL);
	kit_settle(k, 10, OUTCOME_MOVED);
	kit_end(k, RUN_COMPLETE);
	assert_int_equal(list_run(k, ROOT "/mnt/f", 2, false), 0);
	assert_int_equal(list_run(k, ROOT "/mnt/new/f", 2, false), 0);
	t = next_run(k, false, NULL);
	assert_int_equal(t.failed, 1);
	assert_int_equal(t.gone, 0);
	assert_false(is_gone(k, ROOT "/mnt/f"));
	assert_false(is_gone(k, ROOT "/mnt/new/f"));
	/* Another one over files is refused. */
	assert_int_equal(list_run(k, ROOT "/mnt/g", 3, false), 1);
	assert_int_equal(list_run(k, ROOT "/g", 3, false), 1);
	assert_int_equal(list_run(k, ROOT "/g", 0, false), 0);
	assert_int_equal(list_run(k, ROOT "/mnt/g", 3, true), 0);
}

/* Before any directory was read the root is as the run saw it. */
static void
listed_first(void **state)
{
	struct kit *k = *state;
	struct dir_job j;

	kit_open(k);
	assert_int_equal(list_run(k, ROOT "/a/f", 1, false), 0);
	assert_int_equal(list_run(k, ROOT "/mnt/f", 2, false), 0);
	kit_begin(k);
	j = take(k, ROOT);
	assert_false(j.fs_known);
	give(k, &j, 1, NULL, SUBDIRS(ROOT "/a", ROOT "/mnt"));
	j = take(k, ROOT "/a");
	check(&j, 1, false);
	assert_false(j.fs_own);
	give(k, &j, 1, NULL, NULL);
	j = take(k, ROOT "/mnt");
	check(&j, 2, true);
	assert_true(j.fs_own);
	kit_end(k, RUN_INTERRUPTED);
}

/* Files that are gone and whose objects are deleted are lost to nobody; those
 * that are held still are known. */
static void
known_below(void **state)
{
	struct kit *k = *state;
	struct err err = ERR_INIT;
	struct outcomes *v;

	first_run(k, 1, 2);
	assert_int_equal(catalog_knows_below(k->reader, ROOT "/mid/mnt", false,
	    &err), 1);
	assert_int_equal(catalog_knows_below(k->reader, ROOT "/mid/mn", false,
	    &err), 0);
	assert_int_equal(catalog_knows_below(k->reader, ROOT "/mid/mnt", true,
	    &err), 1);
	assert_int_equal(catalog_knows_below(k->reader, ROOT "/mid", true,
	    &err), 1);
	next_run(k, true, SUBDIRS(ROOT "/plain"));
	assert_true(is_gone(k, ROOT "/mid/mnt/f"));
	assert_int_equal(catalog_knows_below(k->reader, ROOT "/mid", false,
	    &err), 1);
	kit_begin(k);
	v = xcalloc(1, sizeof(*v));
	v->count = 2;
	v->v = xcalloc(2, sizeof(*v->v));
	v->v[0].path = xstrdup(ROOT "/mid/mnt/f");
	v->v[0].outcome = OUTCOME_DELETED;
	v->v[1].path = xstrdup(ROOT "/mid/f");
	v->v[1].outcome = OUTCOME_DELETED;
	catalog_put_outcomes(k->c, v);
	kit_flush(k, 1000);
	assert_int_equal(catalog_knows_below(k->reader, ROOT "/mid", false,
	    &err), 0);
	assert_int_equal(catalog_knows_below(k->reader, ROOT, false,
	    &err), 1);
	kit_end(k, RUN_INTERRUPTED);
}

/* One in which there was nothing may go with its mount. */
static void
missing_and_empty(void **state)
{
	struct kit *k = *state;
	struct dir_job j;
	struct totals t;

	kit_open(k);
	kit_begin(k);
	j = take(k, ROOT);
	give(k, &j, 1, ROOT "/f", SUBDIRS(ROOT "/mnt"));
	j = take(k, ROOT "/mnt");
	give(k, &j, 2, NULL, NULL);
	assert_int_equal(kit_settle(k, 10, OUTCOME_MOVED), 1);
	kit_end(k, RUN_COMPLETE);
	t = next_run(k, false, NULL);
	assert_int_equal(t.failed, 0);
	assert_int_equal(t.gone, 0);
}

/* What was gone is unknown when it comes back. */
static void
comes_back(void **state)
{
	struct kit *k = *state;
	struct dir_job j;

	first_run(k, 1, 2);
	next_run(k, true, NULL);
	kit_begin(k);
	j = take(k, ROOT);
	give(k, &j, 1, NULL, SUBDIRS(ROOT "/mid"));
	j = take(k, ROOT "/mid");
	assert_false(j.fs_known);
	kit_end(k, RUN_INTERRUPTED);
}

/* Another one in its place: the old one is remembered, also where it was
 * that of the directory above. */
static void
other_is_remembered(void **state)
{
	struct kit *k = *state;
	struct dir_page *p;
	struct dir_job j;

	first_run(k, 1, 2);
	for (int i = 0; i < 3; i++) {
		kit_begin(k);
		j = take(k, ROOT);
		give(k, &j, 1, NULL, SUBDIRS(ROOT "/plain", ROOT "/mid"));
		j = take(k, ROOT "/plain");
		check(&j, 1, false);
		p = kit_page(j.dir, true);
		p->fs_seen = p->fs_other = true;
		p->fsid = j.fsid;
		err_set(&p->err, ERR_UNREACHABLE, 0, "another");
		catalog_put_page(k->c, p);
		j = take(k, ROOT "/mid");
		give(k, &j, 1, NULL, SUBDIRS(ROOT "/mid/mnt"));
		j = take(k, ROOT "/mid/mnt");
		check(&j, 2, true);
		p = kit_page(j.dir, true);
		p->fs_seen = p->fs_other = true;
		p->fsid = j.fsid;
		err_set(&p->err, ERR_UNREACHABLE, 0, "another");
		catalog_put_page(k->c, p);
		assert_int_equal(kit_end(k, RUN_COMPLETE)->failed, 2);
		assert_true(k->closing.closes);
		assert_false(is_gone(k, ROOT "/plain/f"));
		assert_false(is_gone(k, ROOT "/mid/mnt/f"));
	}
	/* Once it was read, it is the new one. */
	kit_begin(k);
	j = take(k, ROOT);
	give(k, &j, 1, NULL, SUBDIRS(ROOT "/plain"));
	j = take(k, ROOT "/plain");
	give(k, &j, 3, NULL, NULL);
	kit_end(k, RUN_INTERRUPTED);
	kit_begin(k);
	assert_int_equal(fs_of(k, j.dir), 3);
	kit_end(k, RUN_INTERRUPTED);
}

/* A catalog of before, and a root that is another file system now: what is
 * below is taken as it is found. */
static void
unknown_until_read(void **state)
{
	struct kit *k = *state;
	struct dir_job j;

	first_run(k, 0, 0);
	for (uint64_t root = 1; root < 3; root++) {
		kit_begin(k);
		j = take(k, ROOT);
		assert_int_equal(j.fs_known, root > 1);
		give(k, &j, root, NULL, SUBDIRS(ROOT "/plain", ROOT "/mid"));
		j = take(k, ROOT "/plain");
		assert_false(j.fs_known);
		give(k, &j, root, NULL, NULL);
		j = take(k, ROOT "/mid");
		assert_false(j.fs_known);
		give(k, &j, root, NULL, SUBDIRS(ROOT "/mid/mnt"));
		j = take(k, ROOT "/mid/mnt");
		assert_int_equal(j.fs_known, root > 1);
		give(k, &j, 9, NULL, NULL);
		kit_end(k, RUN_COMPLETE);
	}
	kit_begin(k);
	j = take(k, ROOT);
	check(&j, 2, true);
	give(k, &j, 2, NULL, SUBDIRS(ROOT "/plain"));
	j = take(k, ROOT "/plain");
	check(&j, 2, false);
	kit_end(k, RUN_INTERRUPTED);
}

/* An item tells the file system of its directory: 0 for that of the root. */
static void
items_tell_it(void **state)
{
	static const struct { uint64_t fsid; uint32_t flags; } wanted[][4] = {
		{ { 0, 0 }, { 0, 0 }, { 0, 0 }, { 2, 0 } },
		{ { 0, ITEM_ANY_FS }, { 0, ITEM_ANY_FS }, { 0, ITEM_ANY_FS },
		    { 0, ITEM_ANY_FS } },
	};
	struct kit *k = *state;
	struct run_spec spec = kit_spec("bucket", "all");
	struct results *r;
	struct lease *l;

	first_run(k, 1, 2);
	for (int i = 0; i < 2; i++) {
		static const char *const dirs[] = { ROOT, ROOT "/plain",
		    ROOT "/mid", ROOT "/mid/mnt" };

		spec.accept_filesystem = i == 1;
		kit_begin_spec(k, &spec);
		catalog_see_export(k->c, 0, EXPORT_THERE, 1);
		for (size_t d = 0; d < ARRAY_LEN(dirs); d++) {
			AUTOFREE char *file = xasprintf("%s/g%d", dirs[d], i);
			struct dir_job j = take(k, dirs[d]);

			give(k, &j, d == 3 ? 2 : 1, file,
			    d == 0 ? SUBDIRS(ROOT "/plain", ROOT "/mid") :
			    d == 2 ? SUBDIRS(ROOT "/mid/mnt") : NULL);
		}
		l = kit_lease(k, 10);
		assert_int_equal(l->count, 4);
		for (size_t n = 0; n < 4; n++) {
			assert_int_equal(l->items[n].flags,
			    wanted[i][n].flags);
			if (i == 0)
				assert_int_equal(l->items[n].attrs.fsid,
				    wanted[i][n].fsid);
		}
		r = kit_results(l);
		for (size_t n = 0; n < l->count; n++)
			kit_result(r, &l->items[n], OUTCOME_MOVED);
		catalog_put_results(k->c, r);
		lease_free(&l);
		kit_end(k, RUN_COMPLETE);
	}
}

#define CATALOG_TEST(f) cmocka_unit_test_setup_teardown(f, kit_setup, \
    kit_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CATALOG_TEST(noted_where_it_begins),
		CATALOG_TEST(missing_is_not_gone),
		CATALOG_TEST(missing_further_up),
		CATALOG_TEST(behind_a_link),
		CATALOG_TEST(listed_below),
		CATALOG_TEST(listed_first),
		CATALOG_TEST(known_below),
		CATALOG_TEST(missing_and_empty),
		CATALOG_TEST(comes_back),
		CATALOG_TEST(other_is_remembered),
		CATALOG_TEST(unknown_until_read),
		CATALOG_TEST(items_tell_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
