/*
 * The asker of files that are gone: in a directory of this host, and over
 * NFS from a server that misbehaves.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "absence/asker.h"
#include "kit/fake_nfs.h"

#include <cmocka.h>

struct fixture {
	char	 dir[64];
	const char *roots[1];
	struct tree_spec spec;
	struct attrs seen;
	struct asker_config c;
	struct asker *asker;
};

static void
shell(const struct fixture *x, const char *fmt)
{
	AUTOFREE char *line = xasprintf("cd %s && %s", x->dir, fmt);

	assert_int_equal(system(line), 0);
}

static void
look_at_root(struct fixture *x)
{
	struct tree *t = NULL;
	struct err err = ERR_INIT;

	if (tree_open(&t, &x->spec, &err) == -1)
		fail_msg("%s", err.msg);
	tree_root(t, NULL, &x->seen);
	tree_free(&t);
}

static void
begin(struct fixture *x)
{
	x->roots[0] = "srv/vol";
	x->c = (struct asker_config){ .exports = &x->spec,
	    .roots = x->roots, .seen = &x->seen, .export_count = 1,
	    .looks_for_case = true, .retry_for_ms = 1 };
	x->asker = asker_new(&x->c);
}

static void
setup(struct fixture *x)
{
	memset(x, 0, sizeof(*x));
	snprintf(x->dir, sizeof(x->dir), "/tmp/test-asker-XXXXXX");
	assert_non_null(mkdtemp(x->dir));
	shell(x, "mkdir -p there/deep && touch f there/f there/deep/f");
	x->spec = (struct tree_spec){ .type = TREE_POSIX, .server = "srv",
	    .share = x->dir };
	look_at_root(x);
	begin(x);
}

static void
teardown(struct fixture *x)
{
	AUTOFREE char *line = xasprintf("chmod -R u+rwx %s; rm -r %s", x->dir,
	    x->dir);

	asker_free(&x->asker);
	assert_int_equal(system(line), 0);
}

static struct absence_question
question(const struct fixture *x, const char *path)
{
	return (struct absence_question){ .path = path, .noted = true,
	    .fsid = x->seen.fsid };
}

static void
ask(struct fixture *x, struct absence_question *q, size_t n)
{
	struct err err = ERR_INIT;

	if (absence_ask(x->asker, q, n, &err) == -1)
		fail_msg("%s", err.msg);
}

static enum absence
ask_one(struct fixture *x, const char *path)
{
	struct absence_question q = question(x, path);

	ask(x, &q, 1);
	return q.verdict;
}

static void
test_paths(void **state UNUSED)
{
	static const struct { const char *path; enum absence verdict; } v[] = {
		{ "srv/vol/there/deep/f", ABSENCE_PRESENT },
		{ "srv/vol/there/deep/gone", ABSENCE_GONE },
		{ "srv/vol/a/b/c/d", ABSENCE_GONE },
		{ "srv/vol/f", ABSENCE_PRESENT },
		{ "srv/vol/a/b/e", ABSENCE_GONE },
		{ "srv/vol/a-b/e", ABSENCE_GONE },
		{ "srv/vol/gone", ABSENCE_GONE },
		{ "srv/vol/f/below", ABSENCE_GONE },
		{ "srv/vol/f/far/below", ABSENCE_GONE },
		{ "srv/vol/there/deep", ABSENCE_GONE },
		{ "srv/vol/link", ABSENCE_PRESENT },
		{ "srv/vol/link/f", ABSENCE_PRESENT },
		{ "srv/vol/link/far/f", ABSENCE_PRESENT },
		{ "srv/vol/there/\xef\xbf\xbd" "FF", ABSENCE_PRESENT },
		{ "srv/vol/there/\xef\xbf\xbd" "FE", ABSENCE_GONE },
		{ "srv/volume/f", ABSENCE_UNKNOWN },
		{ "srv/vol", ABSENCE_UNKNOWN },
	};
	struct absence_question q[ARRAY_LEN(v)];
	struct fixture x;

	setup(&x);
	shell(&x, "ln -s there link && touch \"$(printf 'there/\\377')\"");
	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		q[i] = question(&x, v[i].path);
	ask(&x, q, ARRAY_LEN(v));
	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		if (q[i].verdict != v[i].verdict)
			fail_msg("%s: %d, %s", v[i].path, q[i].verdict,
			    q[i].why.msg);
		assert_false(q[i].everywhere);
	}
	/* An answer is kept by nobody. */
	shell(&x, "mkdir a && touch gone && rm f there/deep/f");
	assert_int_equal(ask_one(&x, "srv/vol/gone"), ABSENCE_PRESENT);
	assert_int_equal(ask_one(&x, "srv/vol/f"), ABSENCE_GONE);
	assert_int_equal(ask_one(&x, "srv/vol/there/deep/f"), ABSENCE_GONE);
	teardown(&x);
}

/* --links follow: what a link leads to counts. What was below one whose target
 * is gone is gone; one that leads elsewhere, or in a circle, keeps it. */
static void
test_links(void **state UNUSED)
{
	struct absence_question q;
	struct fixture x;

	setup(&x);
	shell(&x, "ln -s there link && ln -s nowhere broken && ln -s f to");
	asker_free(&x.asker);
	x.spec.follow_links = true;
	x.asker = asker_new(&x.c);
	assert_int_equal(ask_one(&x, "srv/vol/link/f"), ABSENCE_PRESENT);
	assert_int_equal(ask_one(&x, "srv/vol/link/gone"), ABSENCE_GONE);
	assert_int_equal(ask_one(&x, "srv/vol/link/deep/f"),
	    ABSENCE_PRESENT);
	assert_int_equal(ask_one(&x, "srv/vol/link/away/f"), ABSENCE_GONE);
	assert_int_equal(ask_one(&x, "srv/vol/to"), ABSENCE_PRESENT);
	assert_int_equal(ask_one(&x, "srv/vol/broken"), ABSENCE_PRESENT);
	assert_int_equal(ask_one(&x, "srv/vol/broken/f"), ABSENCE_GONE);
	assert_int_equal(ask_one(&x, "srv/vol/gone"), ABSENCE_GONE);
	shell(&x, "ln -s round round && ln -s ../out out && ln -s f/x below");
	assert_int_equal(ask_one(&x, "srv/vol/round/f"), ABSENCE_PRESENT);
	assert_int_equal(ask_one(&x, "srv/vol/out/f"), ABSENCE_PRESENT);
	assert_int_equal(ask_one(&x, "srv/vol/below/f"), ABSENCE_PRESENT);
	/* The target lay in another file system than the link does. */
	q = question(&x, "srv/vol/broken/f");
	q.fsid++;
	ask(&x, &q, 1);
	assert_int_equal(q.verdict, ABSENCE_UNKNOWN);
	teardown(&x);
}

static void
test_file_systems(void **state UNUSED)
{
	struct absence_question q;
	struct fixture x;

	setup(&x);
	q = question(&x, "srv/vol/there/gone");
	q.fsid++;
	ask(&x, &q, 1);
	assert_int_equal(q.verdict, ABSENCE_UNKNOWN);
	assert_false(q.everywhere);
	q.noted = false;
	ask(&x, &q, 1);
	assert_int_equal(q.verdict, ABSENCE_UNKNOWN);
	/* Another root than when the run began. */
	x.seen.ino++;
	q = question(&x, "srv/vol/gone");
	ask(&x, &q, 1);
	assert_int_equal(q.verdict, ABSENCE_UNKNOWN);
	assert_true(q.everywhere);
	teardown(&x);
}

static void
test_replaced_root(void **state UNUSED)
{
	struct fixture x;
	struct absence_question q;

	setup(&x);
	assert_int_equal(ask_one(&x, "srv/vol/gone"), ABSENCE_GONE);
	shell(&x, "cd / && mv $OLDPWD $OLDPWD.aside && mkdir $OLDPWD");
	q = question(&x, "srv/vol/there/f");
	ask(&x, &q, 1);
	assert_int_equal(q.verdict, ABSENCE_UNKNOWN);
	assert_true(q.everywhere);
	shell(&x, "rmdir $PWD && mv $PWD.aside $PWD");
	assert_int_equal(ask_one(&x, "srv/vol/there/f"), ABSENCE_PRESENT);
	teardown(&x);
}

static void
test_denied(void **state UNUSED)
{
	struct absence_question q[2];
	struct fixture x;

	if (geteuid() == 0) {
		print_message("denied: root is denied nothing\n");
		skip();
	}
	setup(&x);
	shell(&x, "chmod 0644 there");
	q[0] = question(&x, "srv/vol/there/deep/f");
	q[1] = question(&x, "srv/vol/gone");
	ask(&x, q, 2);
	assert_int_equal(q[0].verdict, ABSENCE_UNKNOWN);
	assert_int_equal(q[0].why.kind, ERR_DENIED);
	assert_false(q[0].everywhere);
	assert_int_equal(q[1].verdict, ABSENCE_GONE);
	teardown(&x);
}

static bool
stop(void *arg UNUSED)
{
	return false;
}

static void
test_stopped(void **state UNUSED)
{
	struct fixture x;
	struct absence_question q;
	struct err err = ERR_INIT;

	setup(&x);
	q = question(&x, "srv/vol/gone");
	x.c.turn = stop;
	asker_free(&x.asker);
	x.asker = asker_new(&x.c);
	assert_int_equal(absence_ask(x.asker, &q, 1, &err), -1);
	assert_int_equal(err.kind, ERR_STOPPED);
	teardown(&x);
}

/* --- over NFS --- */

static void
setup_nfs(struct fixture *x, struct fake *f)
{
	memset(x, 0, sizeof(*x));
	fake_nfs_start(f);
	x->spec = (struct tree_spec){ .type = TREE_NFS,
	    .server = "127.0.0.1", .share = "/vol", .timeout_ms = 2000,
	    .access = { .nfs_version = 3, .nfsport = (unsigned)f->port,
	    .mountport = (unsigned)f->port } };
	look_at_root(x);
	begin(x);
}

static void
teardown_nfs(struct fixture *x, struct fake *f)
{
	asker_free(&x->asker);
	fake_nfs_stop(f);
}

/* A directory that is gone is asked for once, whatever was in it. */
static void
test_one_question(void **state UNUSED)
{
	struct fake f = { .files = 5 };
	struct absence_question q[300];
	char paths[300][40];
	struct fixture x;
	int before;

	setup_nfs(&x, &f);
	before = atomic_load(&f.lookups);
	for (size_t i = 0; i < ARRAY_LEN(q); i++) {
		snprintf(paths[i], sizeof(paths[i]), "srv/vol/big/d%zu/f%zu",
		    i / 10, i);
		q[i] = question(&x, paths[i]);
	}
	ask(&x, q, ARRAY_LEN(q));
	for (size_t i = 0; i < ARRAY_LEN(q); i++)
		assert_int_equal(q[i].verdict, ABSENCE_GONE);
	assert_int_equal(atomic_load(&f.lookups) - before, 1);
	teardown_nfs(&x, &f);
}

/* Whatever is not "no such entry" is no proof. */
static void
test_status(void **state UNUSED)
{
	static const struct { int status; enum absence verdict; } v[] = {
		{ 2, ABSENCE_GONE }, { 0, ABSENCE_PRESENT },
		{ 1, ABSENCE_UNKNOWN }, { 5, ABSENCE_UNKNOWN },
		{ 13, ABSENCE_UNKNOWN }, { 20, ABSENCE_UNKNOWN },
		{ 63, ABSENCE_UNKNOWN }, { 70, ABSENCE_UNKNOWN },
		{ 10001, ABSENCE_UNKNOWN }, { 10006, ABSENCE_UNKNOWN },
		{ 10008, ABSENCE_UNKNOWN }, { 4711, ABSENCE_UNKNOWN },
	};
	struct fake f = { .files = 5 };
	struct fixture x;

	setup_nfs(&x, &f);
	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		atomic_store(&f.lookup_status, v[i].status);
		if (ask_one(&x, "srv/vol/f3") != v[i].verdict)
			fail_msg("status %d", v[i].status);
	}
	atomic_store(&f.lookup_status, 0);
	f.lookup_no_attrs = true;
	f.getattr_status = 5;
	assert_int_equal(ask_one(&x, "srv/vol/f3"), ABSENCE_UNKNOWN);
	teardown_nfs(&x, &f);
}

/* A source that looks names up without regard to case answers to a name that
 * was changed in case alone: the listing has the same inode by the new name. */
static void
test_other_case(void **state UNUSED)
{
	static const char *const together[] = { "srv/vol/F0", "srv/vol/f0",
	    "srv/vol/F11", "srv/vol/f11", "srv/vol/sub/F1",
	    "srv/vol/sub/f1" };
	struct fake f = { .files = 25, .fold = true, .first_name = "name" };
	struct absence_question q[ARRAY_LEN(together)];
	struct fixture x;

	setup_nfs(&x, &f);
	assert_int_equal(ask_one(&x, "srv/vol/F0"), ABSENCE_GONE);
	assert_int_equal(ask_one(&x, "srv/vol/SUB/f0"), ABSENCE_GONE);
	assert_int_equal(ask_one(&x, "srv/vol/sub/F0"), ABSENCE_GONE);
	assert_int_equal(ask_one(&x, "srv/vol/f0"), ABSENCE_PRESENT);
	assert_int_equal(ask_one(&x, "srv/vol/sub/f0"), ABSENCE_PRESENT);
	/* All together: names that differ in case alone stand side by side. */
	for (size_t i = 0; i < ARRAY_LEN(together); i++)
		q[i] = question(&x, together[i]);
	ask(&x, q, ARRAY_LEN(q));
	for (size_t i = 0; i < ARRAY_LEN(q); i++)
		assert_int_equal(q[i].verdict, i % 2 == 0 ? ABSENCE_GONE :
		    ABSENCE_PRESENT);
	/* No change of case: perhaps a name that the listing missed. */
	assert_int_equal(ask_one(&x, "srv/vol/name"), ABSENCE_PRESENT);
	/* A listing that is not read to its end proves nothing. */
	f.list_status = 5;
	atomic_store(&f.list_times, 1000);
	assert_int_equal(ask_one(&x, "srv/vol/F0"), ABSENCE_PRESENT);
	atomic_store(&f.list_times, 0);
	for (int i = 0; i < 2; i++) {
		x.c.looks_for_case = i == 0;
		x.c.ignore_inode = i == 0;
		asker_free(&x.asker);
		x.asker = asker_new(&x.c);
		assert_int_equal(ask_one(&x, "srv/vol/F0"), ABSENCE_PRESENT);
	}
	teardown_nfs(&x, &f);
}

static void
test_root_stale(void **state UNUSED)
{
	struct fake f = { .files = 5 };
	struct absence_question q;
	struct fixture x;

	setup_nfs(&x, &f);
	assert_int_equal(ask_one(&x, "srv/vol/gone"), ABSENCE_GONE);
	atomic_store(&f.root_stale, true);
	q = question(&x, "srv/vol/gone");
	ask(&x, &q, 1);
	assert_int_equal(q.verdict, ABSENCE_UNKNOWN);
	assert_true(q.everywhere);
	teardown_nfs(&x, &f);
}

/* A server that is gone is waited for once. */
static void
test_server_gone(void **state UNUSED)
{
	struct fake f = { .files = 5 };
	struct absence_question q;
	struct fixture x;

	setup_nfs(&x, &f);
	assert_int_equal(ask_one(&x, "srv/vol/gone"), ABSENCE_GONE);
	fake_nfs_stop(&f);
	for (int i = 0; i < 2; i++) {
		q = question(&x, "srv/vol/gone");
		ask(&x, &q, 1);
		assert_int_equal(q.verdict, ABSENCE_UNKNOWN);
		assert_true(q.everywhere);
	}
	asker_free(&x.asker);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_file_systems),
		cmocka_unit_test(test_replaced_root),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_one_question),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_other_case),
		cmocka_unit_test(test_root_stale),
		cmocka_unit_test(test_server_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
