/*
 * What a crawl says is gone: a real catalog, and a tree whose system calls
 * fail as they are told to (errno_shim.h), or an NFS server that misbehaves
 * (fake_nfs.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fault/errno_shim.h"
#include "kit/fake_nfs.h"
#include "kit/catalog.h"

#include <fcntl.h>
#include <ftw.h>

#include "crawl/crawl.h"

struct world {
	struct kit *k;
	char	 base[64];
	char	 dir[80];	/* the share, in it */
	struct tree_spec spec;
	struct crawl_config c;
	struct mailbox *up;
	struct totals t;	/* of the last night */
};

static struct fake fake;

static void
path_in(const struct world *w, const char *name, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s/%s", w->dir, name);
}

static void
make_file(const struct world *w, const char *name)
{
	char path[PATH_MAX];
	int fd;

	path_in(w, name, path);
	fd = open(path, O_CREAT | O_WRONLY, 0644);
	assert_int_not_equal(fd, -1);
	close(fd);
}

static void
make_dir(const struct world *w, const char *name)
{
	char path[PATH_MAX];

	path_in(w, name, path);
	assert_int_equal(mkdir(path, 0755), 0);
}

static void
move(const struct world *w, const char *from, const char *to)
{
	char a[PATH_MAX], b[PATH_MAX];

	path_in(w, from, a);
	path_in(w, to, b);
	assert_int_equal(rename(a, b), 0);
}

static void
drop(const struct world *w, const char *name)
{
	char path[PATH_MAX];

	path_in(w, name, path);
	assert_int_equal(remove(path), 0);
}

static struct world *
setup(void)
{
	static const struct err none = ERR_INIT;
	static const char *const root[] = { "srv/vol" };
	struct world *w = xcalloc(1, sizeof(*w));
	void *state;

	shim_clear();
	kit_setup(&state);
	w->k = state;
	kit_open(w->k);
	snprintf(w->base, sizeof(w->base), "/tmp/test-crawl-XXXXXX");
	assert_non_null(mkdtemp(w->base));
	snprintf(w->dir, sizeof(w->dir), "%s/share", w->base);
	assert_int_equal(mkdir(w->dir, 0755), 0);
	w->up = mailbox_new(0);
	w->spec = (struct tree_spec){ .type = TREE_POSIX, .share = w->dir };
	w->c = (struct crawl_config){ .catalog = w->k->c, .exports = &w->spec,
	    .roots = root, .starts = root, .export_count = 1,
	    .export_errs = &none, .server_as_prefix = true,
	    .max_size = UINT64_MAX, .retry_for_ms = 1, .up = w->up };
	make_dir(w, "p");
	make_dir(w, "p/sub");
	make_file(w, "p/f0");
	make_file(w, "p/f1");
	make_file(w, "p/sub/s0");
	make_file(w, "p/sub/s1");
	return w;
}

static int
remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED,
    struct FTW *ftw UNUSED)
{
	return remove(path);
}

static void
teardown(struct world *w)
{
	void *state = w->k;

	shim_clear();
	mailbox_free(&w->up);
	nftw(w->base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	kit_teardown(&state);
	free(w);
}

/* One crawl to its end. */
static void
crawl(struct world *w)
{
	struct crawl *c = NULL;
	struct err err = ERR_INIT;
	struct mail *m;

	if (crawl_start(&c, &w->c, 1, &err) == -1)
		fail_msg("%s", err.msg);
	m = mailbox_wait(w->up, 60000);
	assert_non_null(m);
	assert_int_equal(m->type, MAIL_CRAWLED);
	free(m);
	crawl_free(&c);
}

/* A run in which all transfers succeed. */
static const struct totals *
night(struct world *w)
{
	struct lease *l;

	kit_begin(w->k);
	crawl(w);
	for (;;) {
		struct results *r;

		l = kit_lease(w->k, 100);
		if (l->end)
			break;
		r = kit_results(l);
		for (size_t i = 0; i < l->count; i++)
			/* What is fresh is read once more: the same bytes. */
			kit_result(r, &l->items[i],
			    (l->items[i].flags & ITEM_CHECKSUM) != 0 ?
			    OUTCOME_UNCHANGED : OUTCOME_MOVED);
		catalog_put_results(w->k->c, r);
		lease_free(&l);
	}
	lease_free(&l);
	w->t = *kit_end(w->k, RUN_COMPLETE);
	assert_true(w->k->closing.closes);
	return &w->t;
}

/* Nothing became gone, and it was said that something is not known. */
static void
expect_kept(struct world *w)
{
	assert_int_equal(w->t.gone, 0);
	assert_true(w->t.failed > 0);
}

/* All is there again, as if nothing had been. */
static void
expect_same(struct world *w, unsigned found)
{
	shim_clear();
	night(w);
	assert_int_equal(w->t.found, found);
	assert_int_equal(w->t.failed, 0);
	assert_int_equal(w->t.gone, 0);
	assert_int_equal(w->t.unchanged, found);
}

/* --- entries of unknown kind --- */

/* What the lookup of an entry fails with doesn't matter, but ENOENT. */
static void
test_unknown(void **state UNUSED)
{
	static const int codes[] = { EACCES, ESTALE, EIO, ENOTCONN, EPERM,
	    ENOMEM, ETIMEDOUT, EOVERFLOW, ELOOP, ENXIO, ENODEV, EREMOTEIO };

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		struct world *w = setup();

		assert_int_equal(night(w)->moved, 4);
		shim_add("stat", "/p/sub", codes[i], -1);
		night(w);
		expect_kept(w);
		assert_int_equal(w->t.failed, 1);
		assert_int_equal(w->t.unchanged, 2);
		expect_same(w, 4);
		teardown(w);
	}
}

/* A file, and all of a directory. */
static void
test_unknown_files(void **state UNUSED)
{
	struct world *w = setup();

	night(w);
	shim_add("stat", "/p/f1", EACCES, -1);
	shim_add("stat", "/p/f0", EACCES, -1);
	shim_add("stat", "/p/sub", EACCES, -1);
	night(w);
	expect_kept(w);
	assert_int_equal(w->t.failed, 3);
	expect_same(w, 4);
	teardown(w);
}

/* It can be looked at, and isn't told what it is. */
static void
test_unknown_type(void **state UNUSED)
{
	struct world *w = setup();

	night(w);
	shim_add("mode", "/p/sub", EIO, -1);
	night(w);
	expect_kept(w);
	assert_int_equal(w->k->closing.failure_count, 1);
	assert_non_null(strstr(w->k->closing.failures[0].reason,
	    "does not say what it is"));
	expect_same(w, 4);
	teardown(w);
}

/* A fault that passes is looked at again in the same night. */
static void
test_unknown_passes(void **state UNUSED)
{
	struct world *w = setup();

	night(w);
	shim_add("stat", "/p/sub", ESTALE, 3);
	night(w);
	assert_int_equal(shim_hits, 3);
	assert_int_equal(w->t.failed, 0);
	assert_int_equal(w->t.gone, 0);
	assert_int_equal(w->t.unchanged, 4);
	teardown(w);
}

/* A filter hides what is unknown only if it names it whatever it is. */
static void
test_unknown_filtered(void **state UNUSED)
{
	static const struct { const char *pattern; unsigned failed; } cases[] =
	    { { "sub/", 1 }, { "other", 1 }, { "sub", 0 }, { "/p/*", 0 },
	    { "sub/***", 1 } };
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world *w = setup();
		struct filter *f = filter_new();

		assert_int_equal(filter_add(f, false, cases[i].pattern, &err),
		    0);
		night(w);
		w->c.filter = f;
		shim_add("stat", "/p/sub", EACCES, -1);
		night(w);
		assert_int_equal(w->t.gone, 0);
		assert_int_equal(w->t.failed, cases[i].failed);
		w->c.filter = NULL;
		shim_clear();
		night(w);
		assert_int_equal(w->t.gone, 0);
		assert_int_equal(w->t.failed, 0);
		assert_int_equal(w->t.found, 4);
		filter_free(&f);
		teardown(w);
	}
}

/* What is really gone is told all the same. */
static void
test_gone(void **state UNUSED)
{
	struct world *w = setup();

	night(w);
	drop(w, "p/f0");
	drop(w, "p/sub/s0");
	assert_int_equal(night(w)->gone, 2);
	drop(w, "p/sub/s1");
	drop(w, "p/sub");
	assert_int_equal(night(w)->gone, 1);
	assert_int_equal(w->t.failed, 0);
	/* Between readdir and stat. */
	shim_add("stat", "/p/f1", ENOENT, -1);
	assert_int_equal(night(w)->gone, 1);
	assert_int_equal(w->t.failed, 0);
	teardown(w);
}

/* --- links --- */

static void
test_follow(void **state UNUSED)
{
	static const int codes[] = { EACCES, EIO, ESTALE };

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		struct world *w = setup();
		char path[PATH_MAX];

		w->c.follow_links = w->spec.follow_links = true;
		path_in(w, "link", path);
		assert_int_equal(symlink("p/sub", path), 0);
		assert_int_equal(night(w)->moved, 6);
		shim_add("open", "link", codes[i], -1);
		night(w);
		expect_kept(w);
		assert_int_equal(w->t.failed, 1);
		assert_int_equal(w->t.unchanged, 4);
		expect_same(w, 6);
		drop(w, "link");
		assert_int_equal(symlink("p/none", path), 0);
		assert_int_equal(night(w)->gone, 2);
		assert_int_equal(w->t.failed, 0);
		teardown(w);
	}
}

/* --- listings --- */

/* One that ends early says nothing of its directory: it is read again. */
static void
test_list_ends(void **state UNUSED)
{
	static const int codes[] = { ENOENT, ENOTDIR, ESTALE, EIO };

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		struct world *w = setup();

		w->c.retry_for_ms = 60000;
		night(w);
		shim_add("readdir", "/p", codes[i], 1);
		night(w);
		assert_int_equal(shim_hits, 1);
		assert_int_equal(w->t.gone, 0);
		assert_int_equal(w->t.failed, 0);
		assert_int_equal(w->t.unchanged, 4);
		w->c.retry_for_ms = 1;
		shim_add("readdir", "/p", codes[i], -1);
		night(w);
		expect_kept(w);
		expect_same(w, 4);
		teardown(w);
	}
}

static void
test_open_fails(void **state UNUSED)
{
	static const int codes[] = { EACCES, ESTALE, EIO, ENXIO };

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		struct world *w = setup();

		night(w);
		shim_add("open", "p/sub", codes[i], -1);
		night(w);
		expect_kept(w);
		expect_same(w, 4);
		/* Even so, once. */
		w->c.retry_for_ms = 60000;
		shim_add("open", "p/sub", ENOENT, 1);
		night(w);
		assert_int_equal(shim_hits, 1);
		expect_same(w, 4);
		teardown(w);
	}
}

/* The first crawl too: a list that was cut is no success. */
static void
test_cut_list_of_new(void **state UNUSED)
{
	struct world *w = setup();

	shim_add("readdir", "/p", ENOENT, -1);
	night(w);
	expect_kept(w);
	shim_clear();
	assert_int_equal(night(w)->found, 4);
	assert_int_equal(w->t.failed, 0);
	teardown(w);
}

static struct world *swapped;

static void
swap(void)
{
	move(swapped, "p", "../old");
	move(swapped, "../new", "p");
}

/* Another directory takes the place of the one that is read: what the first
 * one lacked may be in it. */
static void
test_replaced(void **state UNUSED)
{
	struct world *w = setup();

	night(w);
	make_dir(w, "../new");
	make_file(w, "../new/f0");
	make_file(w, "../new/f1");
	make_dir(w, "../new/sub");
	make_file(w, "../new/sub/s0");
	make_file(w, "../new/sub/s1");
	drop(w, "p/f1");
	swapped = w;
	shim_hook = swap;
	w->c.retry_for_ms = 60000;
	shim_add("readdir", "/p", 0, 1);
	night(w);
	assert_int_equal(shim_hits, 1);
	assert_int_equal(w->t.gone, 0);
	assert_int_equal(w->t.found, 4);
	assert_int_equal(w->t.failed, 0);
	teardown(w);
}

/* It is removed and made anew: the list ends early, as if that were all. */
static void
make_anew(void)
{
	drop(swapped, "p/f0");
	drop(swapped, "p/f1");
	drop(swapped, "p/sub/s0");
	drop(swapped, "p/sub/s1");
	drop(swapped, "p/sub");
	drop(swapped, "p");
	make_dir(swapped, "p");
	make_file(swapped, "p/g");
}

static void
test_made_anew(void **state UNUSED)
{
	struct world *w = setup();

	swapped = w;
	shim_hook = make_anew;
	w->c.retry_for_ms = 60000;
	shim_add("readdir", "/p", 0, 1);
	night(w);
	assert_int_equal(shim_hits, 1);
	assert_int_equal(w->t.found, 1);
	assert_int_equal(w->t.failed, 0);
	teardown(w);
}

/* --- the root --- */

/* The share goes to "old", and "new" takes its place, if there is one. */
static void
swap_share(void)
{
	char old[PATH_MAX], new[PATH_MAX];

	snprintf(old, sizeof(old), "%s/old", swapped->base);
	snprintf(new, sizeof(new), "%s/new", swapped->base);
	assert_int_equal(rename(swapped->dir, old), 0);
	if (access(new, F_OK) == 0)
		assert_int_equal(rename(new, swapped->dir), 0);
}

/* Another share takes the place of the one that is read. */
static void
test_share_replaced(void **state UNUSED)
{
	static const char *const when[] = { "/share", "/p", "/p/sub" };

	for (size_t i = 0; i < ARRAY_LEN(when); i++) {
		struct world *w = setup();

		night(w);
		/* Gone before, in the share that was, and below it. */
		drop(w, "p/f1");
		drop(w, "p/sub/s0");
		drop(w, "p/sub/s1");
		drop(w, "p/sub");
		make_dir(w, "p/sub");
		make_dir(w, "../new");
		make_dir(w, "../new/p");
		make_file(w, "../new/p/f0");
		swapped = w;
		shim_hook = swap_share;
		shim_add("readdir", when[i], 0, 1);
		night(w);
		assert_int_equal(shim_hits, 1);
		expect_kept(w);
		/* The next night it is the share. */
		shim_clear();
		night(w);
		assert_int_equal(w->t.failed, 0);
		assert_int_equal(w->t.found, 1);
		assert_int_equal(w->t.gone, 3);
		teardown(w);
	}
}

static void
test_share_taken(void **state UNUSED)
{
	struct world *w = setup();
	char path[PATH_MAX];

	night(w);
	drop(w, "p/f1");
	swapped = w;
	shim_hook = swap_share;
	shim_add("readdir", "/p", 0, 1);
	night(w);
	expect_kept(w);
	snprintf(path, sizeof(path), "%s/old", w->base);
	assert_int_equal(rename(path, w->dir), 0);
	shim_clear();
	assert_int_equal(night(w)->gone, 1);
	teardown(w);
}

/* A crawl that is cut goes on in another share. */
static void
test_share_replaced_between(void **state UNUSED)
{
	struct world *w = setup();

	night(w);
	drop(w, "p/f1");
	kit_begin(w->k);
	crawl(w);
	kit_end(w->k, RUN_INTERRUPTED);
	make_dir(w, "../new");
	make_dir(w, "../new/p");
	make_file(w, "../new/p/f0");
	swapped = w;
	swap_share();
	night(w);
	assert_true(w->k->info.continued);
	expect_kept(w);
	teardown(w);
}

/* --- over NFS --- */

static void
use_nfs(struct world *w)
{
	memset(&fake, 0, sizeof(fake));
	fake.files = 35;
	fake.rtmax = 65536;
	fake_nfs_start(&fake);
	w->spec = (struct tree_spec){ .type = TREE_NFS, .server = "127.0.0.1",
	    .share = "/export", .timeout_ms = 2000,
	    .access = { .nfs_version = 3, .nfsport = (unsigned)fake.port,
	    .mountport = (unsigned)fake.port } };
}

static void
test_nfs_list_ends(void **state UNUSED)
{
	static const int codes[] = { 2, 20, 70, 5 };

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		struct world *w = setup();

		use_nfs(w);
		w->c.retry_for_ms = 60000;
		assert_int_equal(night(w)->moved, 35);
		fake.list_status = codes[i];
		fake.list_times = 2;
		night(w);
		assert_int_equal(fake.list_times, 0);
		assert_int_equal(w->t.gone, 0);
		assert_int_equal(w->t.failed, 0);
		assert_int_equal(w->t.unchanged, 35);
		w->c.retry_for_ms = 1;
		fake.list_times = 1000;
		night(w);
		expect_kept(w);
		fake.list_times = 0;
		expect_same(w, 35);
		fake.files = 34;
		assert_int_equal(night(w)->gone, 1);
		fake_nfs_stop(&fake);
		teardown(w);
	}
}

static void
test_nfs_unknown(void **state UNUSED)
{
	static const int codes[] = { 1, 13, 22, 63 };

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		struct world *w = setup();

		use_nfs(w);
		night(w);
		fake.no_attrs = true;
		fake.lookup_status = codes[i];
		night(w);
		expect_kept(w);
		assert_int_equal(w->t.failed, 1);
		assert_int_equal(w->t.unchanged, 34);
		fake.lookup_status = 2;
		assert_int_equal(night(w)->gone, 1);
		fake_nfs_stop(&fake);
		teardown(w);
	}
}

/* A file system below the export: another one in its place, or none at all,
 * says nothing of what was there. */
static void
test_nfs_below(void **state UNUSED)
{
	struct world *w = setup();

	use_nfs(w);
	fake.fsid = 7;
	fake.nested = "below";
	w->c.cross_mounts = true;
	assert_int_equal(night(w)->moved, 70);
	expect_same(w, 70);
	for (int i = 0; i < 2; i++) {
		fake.nested_fsid = 9;
		night(w);
		assert_int_equal(w->t.failed, 1);
		assert_int_equal(w->t.gone, 0);
		assert_int_equal(w->t.unchanged, 35);
		fake.nested_fsid = 0;
		fake.nested = NULL;
		night(w);
		assert_int_equal(w->t.failed, 1);
		assert_int_equal(w->t.gone, 0);
		assert_int_equal(w->t.unchanged, 35);
		fake.nested = "below";
		expect_same(w, 70);
	}
	/* Its handles are others, as after a failover: it is the same. */
	fake.generation++;
	expect_same(w, 70);
	w->c.cross_mounts = false;
	night(w);
	assert_int_equal(w->t.excluded, 1);
	assert_int_equal(w->t.gone, 0);
	w->c.cross_mounts = true;
	/* Taken for right. */
	fake.nested_fsid = 9;
	w->c.accept_filesystem = true;
	expect_same(w, 70);
	w->c.accept_filesystem = false;
	expect_same(w, 70);
	fake_nfs_stop(&fake);
	teardown(w);
}

/* Something is mounted where nothing was known, for the first time: it is read
 * and noted, and is what is known from then on. */
static void
test_nfs_first_mount(void **state UNUSED)
{
	struct world *w = setup();

	use_nfs(w);
	fake.fsid = 7;
	fake.nested = "below";
	fake.nested_fsid = 7;
	fake.nested_empty = true;
	w->c.cross_mounts = true;
	assert_int_equal(night(w)->moved, 35);
	expect_same(w, 35);
	fake.nested_fsid = 9;
	fake.nested_empty = false;
	night(w);
	assert_int_equal(w->t.failed, 0);
	assert_int_equal(w->t.moved, 35);
	expect_same(w, 70);
	fake.nested_fsid = 7;
	fake.nested_empty = true;
	night(w);
	assert_int_equal(w->t.failed, 1);
	assert_int_equal(w->t.gone, 0);
	fake_nfs_stop(&fake);
	teardown(w);
}

/* The export itself is another file system: it is read as ever, with what is
 * below. */
static void
test_nfs_other_export(void **state UNUSED)
{
	struct world *w = setup();

	use_nfs(w);
	fake.nested = "below";
	w->c.cross_mounts = true;
	fake.fsid = 7;
	fake.nested_fsid = 3;
	night(w);
	fake.fsid = 8;
	night(w);
	assert_int_equal(w->t.failed, 0);
	assert_int_equal(w->t.unchanged, 70);
	fake_nfs_stop(&fake);
	teardown(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_unknown_files),
		cmocka_unit_test(test_unknown_type),
		cmocka_unit_test(test_unknown_passes),
		cmocka_unit_test(test_unknown_filtered),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_follow),
		cmocka_unit_test(test_list_ends),
		cmocka_unit_test(test_open_fails),
		cmocka_unit_test(test_cut_list_of_new),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_made_anew),
		cmocka_unit_test(test_share_replaced),
		cmocka_unit_test(test_share_taken),
		cmocka_unit_test(test_share_replaced_between),
		cmocka_unit_test(test_nfs_list_ends),
		cmocka_unit_test(test_nfs_unknown),
		cmocka_unit_test(test_nfs_below),
		cmocka_unit_test(test_nfs_first_mount),
		cmocka_unit_test(test_nfs_other_export),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
