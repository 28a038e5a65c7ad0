/*
 * NFS trees against a server that misbehaves (fake_nfs.h): what a good one
 * does is tests/fault/live_tree.c's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kit/fake_nfs.h"

#include "tree/tree.h"

#define FILES	35

/* Each test has its own. */
static struct fake fake;
static struct tree *tree;
static uint64_t root_fsid;	/* that the tree must have; 0: any */

static int
setup(void **state UNUSED)
{
	memset(&fake, 0, sizeof(fake));
	fake.files = FILES;
	fake.rtmax = 65536;
	fake.fsid = 7;
	fake_nfs_start(&fake);
	return 0;
}

static int
teardown(void **state UNUSED)
{
	tree_free(&tree);
	fake_nfs_stop(&fake);
	return 0;
}

static int
try_open(struct err *err)
{
	struct tree_spec spec = { .type = TREE_NFS, .server = "127.0.0.1",
	    .share = "/export", .timeout_ms = 300, .root_fsid = root_fsid,
	    .access = { .nfs_version = 3, .nfsport = (unsigned)fake.port,
	    .mountport = (unsigned)fake.port } };

	return tree_open(&tree, &spec, err);
}

static void
open_tree(void)
{
	struct err err = ERR_INIT;

	if (try_open(&err) == -1)
		fail_msg("%s", err.msg);
}

struct seen {
	size_t	 n, bad;
	unsigned each[FILES];
	unsigned ends;
	struct err err;
	struct tree_read r;
	struct attrs attrs;
	struct handle fh;
	struct err entry_err;
};

static void
on_page(void *arg, const struct tree_entry *e, size_t n)
{
	struct seen *s = arg;

	for (size_t i = 0; i < n; i++) {
		char name[16] = "";
		int k;

		memcpy(name, e[i].name.p, MIN(e[i].name.len, 15));
		if (sscanf(name, "f%d", &k) != 1 || k < 0 || k >= FILES) {
			s->bad++;
			continue;
		}
		s->each[k]++;
		s->n++;
		if (e[i].err.kind != ERR_NONE)
			s->entry_err = e[i].err;
		else if (e[i].attrs.kind != ENTRY_FILE || e[i].fh.len == 0 ||
		    e[i].attrs.ino != (uint64_t)k + 2)
			s->bad++;
	}
}

static void
on_end(void *arg, const struct err *err)
{
	struct seen *s = arg;

	s->ends++;
	if (err != NULL)
		s->err = *err;
}

static void
on_entry(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct seen *s = arg;

	on_end(s, err);
	if (err == NULL) {
		s->attrs = e->attrs;
		s->fh.len = e->fh.len;
		memcpy(s->fh.data, e->fh.data, e->fh.len);
	}
}

static void
on_read(void *arg, const struct tree_read *r, const struct err *err)
{
	struct seen *s = arg;

	on_end(s, err);
	if (err == NULL)
		s->r = *r;
}

static void
finish(struct seen *s)
{
	assert_int_equal(s->ends, 0);
	while (s->ends == 0) {
		struct pollfd fds[2];
		int n = tree_fds(tree, fds, 2);

		poll(fds, (nfds_t)n, tree_timeout_ms(tree));
		tree_service(tree, fds, n);
	}
	assert_int_equal(s->ends, 1);
}

static struct seen
list(void)
{
	struct seen s = { .n = 0 };

	tree_list(tree, NULL, STR(""), on_page, on_end, &s);
	finish(&s);
	if (s.err.kind == ERR_NONE) {
		assert_int_equal(tree_listed(tree)->kind, ENTRY_DIR);
		assert_int_equal(tree_listed(tree)->ino, 1);
		assert_true(tree_listed(tree)->fsid == fake.fsid);
	}
	return s;
}

static struct seen
look(struct str path)
{
	struct seen s = { .n = 0 };

	tree_lookup(tree, path, on_entry, &s);
	finish(&s);
	return s;
}

static struct seen
read_some(struct tree_file *f, uint64_t off, uint32_t len)
{
	static char buf[4096];
	struct seen s = { .n = 0 };

	memset(buf, 0x55, sizeof(buf));
	tree_file_read(f, off, len, buf, on_read, &s);
	finish(&s);
	for (size_t i = len; i < sizeof(buf); i++)
		assert_int_equal(buf[i], 0x55);
	return s;
}

static void
expect_whole(const struct seen *s)
{
	if (s->err.kind != ERR_NONE)
		fail_msg("%s", s->err.msg);
	assert_int_equal(s->n, FILES);
	assert_int_equal(s->bad, 0);
	assert_int_equal(s->entry_err.kind, ERR_NONE);
	for (int i = 0; i < FILES; i++)
		assert_int_equal(s->each[i], 1);
}

static void
test_plain(void **state UNUSED)
{
	struct seen s;

	open_tree();
	assert_int_equal(tree_time_delta(tree), 1);
	assert_string_equal(tree_protocol(tree), "nfs3");
	assert_int_equal(tree_read_max(tree), 65536);
	s = list();
	expect_whole(&s);
	assert_int_equal(fake.lists, 4);
	assert_int_equal(fake.lookups, 0);
}

/* Which file system it is must be known before anything of it is told. */
static void
test_no_dir_attrs(void **state UNUSED)
{
	struct seen s;

	open_tree();
	fake.no_dir_attrs = true;
	fake.getattrs = 0;
	s = list();
	expect_whole(&s);
	/* One finds the root, the other asks it. */
	assert_int_equal(fake.getattrs, 2);
	assert_int_equal(fake.lists, 5);
	fake.getattr_status = 13;
	s = list();
	assert_int_equal(s.err.kind, ERR_DENIED);
	assert_int_equal(s.n, 0);
}

struct below {
	unsigned ends;
	size_t	 dirs, files;
	struct attrs dir;	/* the directory among the entries */
	struct handle fh;
	struct attrs listed;
	struct err err;
};

static void
on_below_page(void *arg, const struct tree_entry *e, size_t n)
{
	struct below *b = arg;

	b->listed = *tree_listed(tree);
	for (size_t i = 0; i < n; i++) {
		b->files += e[i].attrs.kind == ENTRY_FILE;
		if (e[i].attrs.kind != ENTRY_DIR)
			continue;
		b->dirs++;
		b->dir = e[i].attrs;
		b->fh.len = e[i].fh.len;
		assert_true(str_eq(e[i].name, str_of(fake.nested)));
	}
}

static void
on_below_end(void *arg, const struct err *err)
{
	struct below *b = arg;

	b->ends++;
	if (err != NULL)
		b->err = *err;
}

static struct below
list_at(const char *path)
{
	struct below b = { .ends = 0 };

	tree_list(tree, NULL, str_of(path), on_below_page, on_below_end, &b);
	while (b.ends == 0) {
		struct pollfd fds[2];
		int n = tree_fds(tree, fds, 2);

		poll(fds, (nfds_t)n, tree_timeout_ms(tree));
		tree_service(tree, fds, n);
	}
	return b;
}

/* An export below the export is its own root, whether what it covers comes
 * with the listing (f3 does) or not. */
static void
nested_export(const char *name, size_t files)
{
	AUTOFREE char *inside = xasprintf("%s/f5", name);
	struct below b;

	fake.nested = name;
	open_tree();
	b = list_at("");
	assert_int_equal(b.err.kind, ERR_NONE);
	assert_int_equal(b.dirs, 1);
	assert_int_equal(b.files, files);
	assert_int_equal(b.dir.ino, FAKE_NESTED);
	assert_int_equal(b.dir.fsid, fake.fsid + 1);
	assert_true(b.fh.len > 0);
	assert_int_equal(look(str_of(name)).attrs.fsid, fake.fsid + 1);
	b = list_at(name);
	assert_int_equal(b.err.kind, ERR_NONE);
	assert_int_equal(b.files, FILES);
	assert_int_equal(b.dirs, 0);
	assert_int_equal(b.listed.ino, FAKE_NESTED);
	assert_int_equal(look(str_of(inside)).attrs.ino, 7);
}

static void
test_nested_export(void **state UNUSED)
{
	nested_export("f3", FILES - 1);
}

static void
test_nested_export_hidden(void **state UNUSED)
{
	nested_export("hidden", FILES);
}

/* It stands where it is, and can't be read. */
static void
test_nested_export_refused(void **state UNUSED)
{
	struct below b;

	fake.nested = "f3";
	fake.nested_status = 13;
	open_tree();
	b = list_at("");
	assert_int_equal(b.err.kind, ERR_NONE);
	assert_int_equal(b.dirs, 1);
	assert_int_equal(b.files, FILES - 1);
	assert_true(b.dir.fsid != fake.fsid);
	b = list_at("f3");
	assert_int_equal(b.err.kind, ERR_DENIED);
	assert_non_null(strstr(b.err.msg, "/export/f3"));
	assert_int_equal(look(STR("f3/f5")).err.kind, ERR_DENIED);
	/* Not there, says the server: that is no answer about the path. */
	tree_free(&tree);
	fake.nested_status = 2;
	open_tree();
	b = list_at("f3");
	assert_int_equal(b.err.kind, ERR_UNREACHABLE);
}

static void
test_no_attrs(void **state UNUSED)
{
	struct seen s;

	fake.no_attrs = true;
	open_tree();
	s = list();
	expect_whole(&s);
	assert_int_equal(fake.lookups, FILES);
	fake.lookup_no_attrs = true;
	s = list();
	expect_whole(&s);
	assert_int_equal(look(STR("f7")).attrs.ino, 9);
}

static void
test_fill_errors(void **state UNUSED)
{
	struct seen s;

	fake.no_attrs = true;
	fake.lookup_status = 2;
	open_tree();
	s = list();
	assert_int_equal(s.err.kind, ERR_NONE);
	assert_int_equal(s.n, FILES);
	assert_int_equal(s.entry_err.kind, ERR_GONE);
	fake.lookup_status = 13;
	s = list();
	assert_int_equal(s.entry_err.kind, ERR_DENIED);
	/* Not the entry's fault: the listing is to be begun again. */
	fake.lookup_status = 10008;
	s = list();
	assert_int_equal(s.err.kind, ERR_RETRY);
}

/* A stale handle of an entry says nothing of it: its name is looked up. */
static void
test_fill_stale(void **state UNUSED)
{
	struct seen s;

	open_tree();
	fake.no_attrs = fake.lookup_no_attrs = true;
	fake.getattr_stale = 3;
	s = list();
	expect_whole(&s);
	assert_int_equal(fake.getattr_stale, 0);
	/* Time and again: a fault that passes, and no entry is gone. */
	fake.getattr_stale = 1000;
	s = list();
	assert_int_equal(s.err.kind, ERR_RETRY);
}

static void
test_no_readdirplus(void **state UNUSED)
{
	struct seen s;

	fake.no_plus = true;
	open_tree();
	s = list();
	expect_whole(&s);
	fake.no_plus = false;
	fake.no_plus_proc = true;
	s = list();
	expect_whole(&s);
}

static void
test_cookies(void **state UNUSED)
{
	struct seen s;

	open_tree();
	fake.bad_cookie_times = 3;
	s = list();
	assert_int_equal(s.err.kind, ERR_NONE);
	for (int i = 0; i < FILES; i++)
		assert_true(s.each[i] >= 1);
	fake.bad_cookie_times = 1000;
	s = list();
	assert_int_equal(s.err.kind, ERR_RETRY);
	fake.bad_cookie_times = 0;
	fake.stuck = true;
	assert_int_equal(list().err.kind, ERR_PEER);
	fake.stuck = false;
	fake.circle = true;
	assert_int_equal(list().err.kind, ERR_PEER);
	fake.circle = false;
	fake.empty_pages = true;
	assert_int_equal(list().err.kind, ERR_PEER);
}

static void
test_bad_names(void **state UNUSED)
{
	static const char *const names[] = { "a/b", "", "../../etc" };
	char name[256];

	open_tree();
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		fake.bad_name = names[i];
		fake.bad_name_len = strlen(names[i]);
		assert_int_equal(list().err.kind, ERR_PEER);
	}
	memset(name, 'x', sizeof(name));
	fake.bad_name = name;
	fake.bad_name_len = 256;
	assert_int_equal(list().err.kind, ERR_PEER);
	fake.bad_name_len = 255;
	assert_int_equal(list().err.kind, ERR_NONE);
}

static void
test_huge_handle(void **state UNUSED)
{
	open_tree();
	fake.huge_handle = true;
	assert_int_equal(list().err.kind, ERR_PEER);
	assert_int_equal(look(STR("f1")).err.kind, ERR_PEER);
}

static void
test_mount_errors(void **state UNUSED)
{
	struct err err = ERR_INIT;

	fake.mnt_status = 13;
	assert_int_equal(try_open(&err), -1);
	assert_int_equal(err.kind, ERR_DENIED);
	fake.mnt_status = 2;
	assert_int_equal(try_open(&err), -1);
	assert_int_equal(err.kind, ERR_UNREACHABLE);
	fake.mnt_status = 0;
	fake.kerberos = true;
	assert_int_equal(try_open(&err), -1);
	assert_int_equal(err.kind, ERR_DENIED);
	fake.kerberos = false;
	fake.prog_unavail = true;
	assert_int_equal(try_open(&err), -1);
	assert_int_equal(err.kind, ERR_UNREACHABLE);
	fake.prog_unavail = false;
	fake.getattr_status = 10008;
	assert_int_equal(try_open(&err), -1);
	assert_int_equal(err.kind, ERR_UNREACHABLE);
	fake.getattr_status = 0;
	fake.root_stale = true;
	assert_int_equal(try_open(&err), -1);
	assert_int_equal(err.kind, ERR_UNREACHABLE);
	assert_null(tree);
}

static void
test_read(void **state UNUSED)
{
	struct tree_file *f;
	struct seen s;

	open_tree();
	f = tree_file_open(tree, NULL, STR("f2"));
	fake.max_reply = 7;
	s = read_some(f, 0, 1000);
	assert_int_equal(s.err.kind, ERR_NONE);
	assert_int_equal(s.r.len, 100);
	assert_true(s.r.eof);
	assert_int_equal(s.r.attrs.ino, 4);
	s = read_some(f, 10, 20);
	assert_int_equal(s.r.len, 20);
	assert_false(s.r.eof);
	fake.no_progress = true;
	assert_int_equal(read_some(f, 0, 10).err.kind, ERR_PEER);
	fake.no_progress = false;
	fake.too_many = true;
	assert_int_equal(read_some(f, 0, 10).err.kind, ERR_PEER);
	fake.too_many = false;
	fake.jukebox_times = 1;
	assert_int_equal(read_some(f, 0, 10).err.kind, ERR_RETRY);
	assert_int_equal(read_some(f, 0, 10).err.kind, ERR_NONE);
	tree_file_close(&f);
}

static void
test_stale(void **state UNUSED)
{
	struct tree_file *f, *nameless;
	struct seen s;

	open_tree();
	s = look(STR("f2"));
	f = tree_file_open(tree, &s.fh, STR("f2"));
	nameless = tree_file_open(tree, &s.fh, STR(""));
	assert_int_equal(read_some(f, 0, 10).err.kind, ERR_NONE);
	fake.generation = 1;
	fake.lookups = fake.getattrs = 0;
	assert_int_equal(read_some(nameless, 0, 10).err.kind, ERR_RETRY);
	assert_int_equal(fake.lookups + fake.getattrs, 0);
	assert_int_equal(read_some(f, 0, 10).err.kind, ERR_NONE);
	assert_int_equal(fake.lookups, 1);
	/* The new handle is remembered. */
	assert_int_equal(read_some(f, 0, 10).err.kind, ERR_NONE);
	assert_int_equal(fake.lookups, 1);
	/* Never "gone" when it is the export that is. */
	fake.generation = 2;
	fake.root_stale = true;
	assert_int_equal(read_some(f, 0, 10).err.kind, ERR_RETRY);
	assert_int_equal(look(STR("f1")).err.kind, ERR_RETRY);
	assert_int_equal(look(STR("")).err.kind, ERR_RETRY);
	assert_int_equal(list().err.kind, ERR_RETRY);
	tree_file_close(&f);
	tree_file_close(&nameless);
}

static void
fail_over(void)
{
	fake.generation++;
	fake.root_generation++;
}

/* All handles are others, the root's too: the export is mounted again, and
 * what was asked goes on, whoever is first to find that. */
static void
test_root_stale(void **state UNUSED)
{
	struct tree_file *f;
	struct handle root;
	struct attrs attrs;
	struct seen s, many[3] = { { .n = 0 } };
	static char buf[3][100];

	open_tree();
	s = look(STR("f2"));
	f = tree_file_open(tree, &s.fh, STR("f2"));
	fail_over();
	assert_int_equal(read_some(f, 0, 10).err.kind, ERR_NONE);
	fail_over();
	assert_int_equal(look(STR("f1")).err.kind, ERR_NONE);
	fail_over();
	assert_int_equal(look(STR("")).err.kind, ERR_NONE);
	fail_over();
	s = list();
	expect_whole(&s);
	tree_root(tree, &root, &attrs);
	assert_int_equal(attrs.kind, ENTRY_DIR);
	fail_over();
	for (size_t i = 0; i < 3; i++)
		tree_file_read(f, 0, 100, buf[i], on_read, &many[i]);
	for (size_t i = 0; i < 3; i++) {
		if (many[i].ends == 0)
			finish(&many[i]);
		assert_int_equal(many[i].err.kind, ERR_NONE);
	}
	tree_file_close(&f);
}

/* What is found under the path then must be the directory that the run began
 * with, where that is known. */
static void
test_root_replaced(void **state UNUSED)
{
	struct seen s;

	root_fsid = fake.fsid;
	open_tree();
	root_fsid = 0;
	fail_over();
	fake.fsid++;
	s = look(STR("f1"));
	assert_int_equal(s.err.kind, ERR_RETRY);
	assert_non_null(strstr(s.err.msg, "another directory"));
	fake.fsid--;
	assert_int_equal(look(STR("f1")).err.kind, ERR_NONE);
}

/* Services come up one after the other: later it goes well. A tree may be
 * closed in the middle of it. */
static void
test_root_stale_longer(void **state UNUSED)
{
	struct seen s;

	open_tree();
	fail_over();
	fake.mnt_status = 2;
	s = look(STR("f1"));
	assert_int_equal(s.err.kind, ERR_RETRY);
	assert_non_null(strstr(s.err.msg, "no such export"));
	fake.mnt_status = 0;
	assert_int_equal(look(STR("f1")).err.kind, ERR_NONE);
	fail_over();
	memset(&s, 0, sizeof(s));
	tree_lookup(tree, STR("f1"), on_entry, &s);
	for (int n = 0; n < 2;) {
		struct pollfd fds[2];

		n = tree_fds(tree, fds, 2);
		poll(fds, (nfds_t)n, tree_timeout_ms(tree));
		if (n < 2)
			tree_service(tree, fds, n);
	}
	tree_free(&tree);
	assert_int_equal(s.ends, 1);
	assert_int_equal(s.err.kind, ERR_STOPPED);
}

static void
test_no_answer(void **state UNUSED)
{
	struct tree_file *f;
	static char buf[2][100];
	struct seen s[2] = { { .n = 0 } };
	int conns;

	open_tree();
	f = tree_file_open(tree, NULL, STR("f2"));
	assert_int_equal(read_some(f, 0, 10).err.kind, ERR_NONE);
	conns = fake.conns;
	fake.drop_times = 2;
	tree_file_read(f, 0, 100, buf[0], on_read, &s[0]);
	tree_file_read(f, 0, 100, buf[1], on_read, &s[1]);
	finish(&s[0]);
	assert_int_equal(s[0].err.kind, ERR_RETRY);
	/* All that was under way ends with it. */
	assert_int_equal(s[1].ends, 1);
	assert_int_equal(s[1].err.kind, ERR_RETRY);
	assert_int_equal(read_some(f, 0, 10).err.kind, ERR_NONE);
	assert_int_equal(fake.conns, conns + 1);
	tree_file_close(&f);
}

static void
test_broken_connection(void **state UNUSED)
{
	struct tree_file *f;
	struct seen s;

	open_tree();
	f = tree_file_open(tree, NULL, STR("f2"));
	for (int i = 0; i < 3; i++) {
		fake.close_times = 1;
		assert_int_equal(read_some(f, 0, 10).err.kind, ERR_RETRY);
		assert_int_equal(read_some(f, 0, 10).err.kind, ERR_NONE);
	}
	s = list();
	expect_whole(&s);
	tree_file_close(&f);
}

static void
test_gone_server(void **state UNUSED)
{
	struct err err = ERR_INIT;
	struct seen s;
	int port;

	open_tree();
	port = fake.port;
	fake_nfs_stop(&fake);
	s = look(STR("f1"));
	assert_int_equal(s.err.kind, ERR_RETRY);
	s = look(STR("f1"));
	assert_int_equal(s.err.kind, ERR_RETRY);
	tree_free(&tree);
	assert_int_equal(try_open(&err), -1);
	assert_int_equal(err.kind, ERR_UNREACHABLE);
	assert_non_null(strstr(err.msg, "127.0.0.1:/export"));
	assert_int_equal(port, fake.port);
	fake_nfs_start(&fake);
}

/* Callbacks may begin calls, also when theirs failed. */
struct chain {
	unsigned left;
	unsigned ends;
};

static void
on_chain(void *arg, const struct tree_entry *e UNUSED,
    const struct err *err UNUSED)
{
	struct chain *c = arg;

	c->ends++;
	if (c->left > 0) {
		c->left--;
		tree_lookup(tree, STR("missing"), on_chain, c);
	}
}

static void
test_calls_from_callbacks(void **state UNUSED)
{
	struct chain c = { .left = 50 };

	open_tree();
	tree_lookup(tree, STR("f1"), on_chain, &c);
	tree_lookup(tree, STR("../x"), on_chain, &c);
	assert_int_equal(c.ends, 0);
	while (c.ends < 40) {
		struct pollfd fds[2];
		int n = tree_fds(tree, fds, 2);

		poll(fds, (nfds_t)n, tree_timeout_ms(tree));
		tree_service(tree, fds, n);
	}
	/* Closing ends those under way, and those that they begin. */
	tree_free(&tree);
	assert_int_equal(c.ends, 52);
}

#define NFS_TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		NFS_TEST(test_plain),
		NFS_TEST(test_no_dir_attrs),
		NFS_TEST(test_nested_export),
		NFS_TEST(test_nested_export_hidden),
		NFS_TEST(test_nested_export_refused),
		NFS_TEST(test_no_attrs),
		NFS_TEST(test_fill_errors),
		NFS_TEST(test_fill_stale),
		NFS_TEST(test_no_readdirplus),
		NFS_TEST(test_cookies),
		NFS_TEST(test_bad_names),
		NFS_TEST(test_huge_handle),
		NFS_TEST(test_mount_errors),
		NFS_TEST(test_read),
		NFS_TEST(test_stale),
		NFS_TEST(test_root_stale),
		NFS_TEST(test_root_stale_longer),
		NFS_TEST(test_root_replaced),
		NFS_TEST(test_no_answer),
		NFS_TEST(test_broken_connection),
		NFS_TEST(test_gone_server),
		NFS_TEST(test_calls_from_callbacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
