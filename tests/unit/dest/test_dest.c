/*
 * Writing files below a destination: content, mode, mtime and owner, and
 * all that may stand in the way. Each test runs once with openat2 and once
 * as if the system had none.
 */
#include <pthread.h>

#include "kit/dest.h"

#define NOBODY 65534

static int
without_openat2(void **state)
{
	if (dest_kit_empty(state) == -1)
		return -1;
	((struct dest_posix *)(void *)dest)->below.no_openat2 = true;
	return 0;
}

static void
test_write(void **state UNUSED)
{
	struct stat st;

	dest_kit_put("a", "hello");
	dest_kit_expect("to/a", "hello", 5);
	dest_kit_put("d/e/\xff\n f", "deep");
	dest_kit_expect("to/d/e/\xff\n f", "deep", 4);
	dest_kit_put("d/empty", "");
	dest_kit_expect("to/d/empty", "", 0);
	dest_kit_put("a", "other");
	dest_kit_expect("to/a", "other", 5);
	dest_kit_put("a", "");
	dest_kit_expect("to/a", "", 0);
	assert_false(dest_kit_is_there(dest_kit_temp("to", "a")));
	assert_int_equal(stat("to/d/e", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
}

static void
test_ranges(void **state UNUSED)
{
	uint8_t want[1001];
	struct dest_file *f = dest_kit_begin("r/big", 1001, 100, "etag");
	struct err err = ERR_INIT;
	uint8_t got[201];

	assert_int_equal(f->count, 11);
	for (uint32_t i = 11; i-- > 0; ) {
		assert_false(dest_have(f, i));
		dest_kit_range(f, i, 1);
		assert_true(dest_have(f, i));
	}
	/* Nobody else may read it yet. */
	assert_true(dest_kit_is_there(dest_kit_temp("to/r", "big")));
	assert_false(dest_kit_is_there("to/r/big"));
	dest_kit_fill(want, 0, sizeof(want), 1);
	assert_int_equal(dest_read(f, 800, got, 201, &err), 0);
	assert_memory_equal(got, want + 800, 201);
	assert_int_equal(dest_read(f, 801, got, 201, &err), -1);
	dest_kit_commit(&f);
	dest_kit_expect("to/r/big", want, sizeof(want));
	assert_false(dest_kit_is_there(dest_kit_temp("to/r", "big")));
}

static void
test_range_counts(void **state UNUSED)
{
	static const struct { uint64_t size, range; uint32_t count; } c[] = {
		{ 0, 0, 0 }, { 0, 8, 0 }, { 1, 0, 1 }, { 1, 8, 1 },
		{ 8, 8, 1 }, { 9, 8, 2 }, { 16, 8, 2 }, { 17, 8, 3 },
		{ 3, 1, 3 },
	};

	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		struct dest_file *f = dest_kit_begin("n", c[i].size, c[i].range,
		    "e");

		assert_int_equal(f->count, c[i].count);
		dest_abort(&f, false);
	}
	assert_int_equal(dest_kit_refuses("n", (uint64_t)1 << 62, 1, "many"),
	    ERR_INVALID);
	assert_int_equal(dest_kit_refuses("n", UINT64_MAX, 0, "many"),
	    ERR_INVALID);
	assert_false(dest_kit_is_there(dest_kit_temp("to", "n")));
}

static void
test_misuse(void **state UNUSED)
{
	static const struct dest_meta none;
	struct dest_file *f = dest_kit_begin("m", 10, 5, "e");
	struct err err = ERR_INIT;
	struct attrs at;

	/* The record behind the data can't be written over. */
	assert_int_equal(dest_write(f, 8, "abc", 3, &err), -1);
	assert_int_equal(err.kind, ERR_PEER);
	assert_int_equal(dest_write(f, 11, "", 0, &err), -1);
	assert_int_equal(dest_write(f, UINT64_MAX, "abc", 3, &err), -1);
	dest_kit_range(f, 0, 0);
	assert_int_equal(dest_commit(f, &none, false, false, &err), -1);
	assert_int_equal(err.kind, ERR_BUG);
	assert_false(dest_kit_is_there("to/m"));
	dest_kit_range(f, 1, 0);
	assert_int_equal(dest_commit(f, &none, false, false, &err), 0);
	assert_int_equal(dest_write(f, 0, "abc", 3, &err), -1);
	assert_int_equal(err.kind, ERR_BUG);
	assert_int_equal(dest_commit(f, &none, false, true, &err), 0);
	dest_abort(&f, false);
	dest_abort(&f, false);
	assert_true(dest_kit_is_there("to/m"));
	assert_int_equal(dest_existing(dest, STR("m"), &f, &at, &err), 0);
	assert_int_equal(dest_write(f, 0, "abc", 3, &err), -1);
	assert_int_equal(dest_commit(f, &none, false, false, &err), -1);
	assert_int_equal(err.kind, ERR_BUG);
	dest_abort(&f, false);
	assert_true(dest_kit_is_there("to/m"));
}

static void
test_abort(void **state UNUSED)
{
	struct dest_file *f;

	dest_kit_put("x", "before");
	f = dest_kit_begin("x", 3, 0, "e");
	assert_true(dest_kit_is_there(dest_kit_temp("to", "x")));
	dest_abort(&f, true);
	assert_false(dest_kit_is_there(dest_kit_temp("to", "x")));
	f = dest_kit_begin("x", 3, 1, "e");
	dest_abort(&f, false);
	assert_false(dest_kit_is_there(dest_kit_temp("to", "x")));
	dest_kit_expect("to/x", "before", 6);
}

static void
commit_meta(const char *rel, const struct dest_meta *m, bool as_root,
    bool sync)
{
	struct dest_file *f = dest_kit_begin(rel, 6, 3, "e");
	struct err err = ERR_INIT;

	dest_kit_range(f, 0, 0);
	dest_kit_range(f, 1, 0);
	if (dest_commit(f, m, as_root, sync, &err) == -1)
		fail_msg("commit: %s", err.msg);
	dest_abort(&f, false);
}

static void
test_meta(void **state UNUSED)
{
	static const int64_t times[] = { 1595002920123456789, 0, 1, -1,
	    -1500000000, -1000000000, 4102444800000000000 };
	struct dest_meta m = { .mode = 06640, .has_mode = true,
	    .has_mtime = true, .uid = 77, .gid = 78, .has_owner = true };
	struct err err = ERR_INIT;
	struct attrs at;
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		m.mtime_ns = times[i];
		commit_meta("m", &m, false, i % 2 == 0);
		assert_int_equal(dest_look(dest, STR("m"), &at, &err), 0);
		assert_int_equal(at.kind, ENTRY_FILE);
		assert_int_equal(at.size, 6);
		assert_int_equal(at.mtime_ns, times[i]);
		/* No owner, no set-id bits. */
		assert_int_equal(at.mode, 0640);
		assert_int_equal(at.uid, geteuid());
	}
	/* As a new file has it. */
	commit_meta("n", &(struct dest_meta){ .mode = 0, .mtime_ns = 5 },
	    false, true);
	assert_int_equal(stat("to/n", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_true(st.st_mtim.tv_sec > 1600000000);
}

static void
test_umask(void **state UNUSED)
{
	mode_t old = umask(027);
	struct dest *other;
	struct err err = ERR_INIT;
	struct stat st;

	assert_int_equal(dest_open(&other, "to", &err), 0);
	assert_int_equal(umask(027), 027);
	dest_free(&dest);
	dest = other;
	dest_kit_put("um/f", "x");
	umask(old);
	assert_int_equal(stat("to/um", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_int_equal(stat("to/um/f", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
}

static void
test_owner(void **state UNUSED)
{
	struct dest_meta m = { .mode = 06755, .has_mode = true, .uid = 1234,
	    .gid = 4321, .has_owner = true };
	struct stat st;

	if (geteuid() != 0) {
		print_message("owners: not root\n");
		skip();
	}
	commit_meta("o", &m, true, false);
	assert_int_equal(stat("to/o", &st), 0);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 4321);
	assert_int_equal(st.st_mode & 07777, 06755);
	/* Root without an owner to give: not a set-uid file of root. */
	m.has_owner = false;
	commit_meta("o", &m, true, false);
	assert_int_equal(stat("to/o", &st), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(st.st_mode & 07777, 0755);
}

static void
test_existing(void **state UNUSED)
{
	struct dest_meta m = { .mode = 0600, .has_mode = true,
	    .has_mtime = true, .mtime_ns = 1000000001 };
	struct dest_file *f;
	struct err err = ERR_INIT;
	struct attrs at, after;
	char got[8];

	dest_kit_put("e", "content");
	assert_int_equal(dest_existing(dest, STR("e"), &f, &at, &err), 0);
	assert_int_equal(at.size, 7);
	assert_int_equal(dest_read(f, 3, got, 4, &err), 0);
	assert_memory_equal(got, "tent", 4);
	assert_int_equal(dest_restore(f, &m, false, &err), 0);
	assert_int_equal(dest_look(dest, STR("e"), &at, &err), 0);
	assert_int_equal(at.mode, 0600);
	assert_int_equal(at.mtime_ns, 1000000001);
	/* What is right already isn't touched: the ctime stays. */
	assert_int_equal(dest_restore(f, &m, false, &err), 0);
	assert_int_equal(dest_look(dest, STR("e"), &after, &err), 0);
	assert_true(attrs_same(&at, &after, false));
	assert_int_equal(truncate("to/e", 4), 0);
	assert_int_equal(dest_read(f, 3, got, 4, &err), -1);
	assert_int_equal(err.kind, ERR_GONE);
	m.has_mode = false;
	assert_int_equal(chmod("to/e", 04711), 0);
	assert_int_equal(dest_restore(f, &m, false, &err), 0);
	assert_int_equal(dest_look(dest, STR("e"), &at, &err), 0);
	assert_int_equal(at.mode, 04711);
	m.has_mtime = false;
	m.mtime_ns = 0;
	assert_int_equal(dest_restore(f, &m, false, &err), 0);
	assert_int_equal(dest_look(dest, STR("e"), &at, &err), 0);
	assert_int_equal(at.mtime_ns, 1000000001);
	dest_abort(&f, false);
	assert_int_equal(dest_existing(dest, STR("none"), &f, &at, &err), -1);
	assert_int_equal(err.kind, ERR_GONE);
	assert_int_equal(dest_existing(dest, STR("e/f"), &f, &at, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(mkfifo("to/fifo", 0600), 0);
	assert_int_equal(dest_existing(dest, STR("fifo"), &f, &at, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(mkdir("to/dir", 0700), 0);
	assert_int_equal(dest_existing(dest, STR("dir"), &f, &at, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(symlink("e", "to/link"), 0);
	assert_int_equal(dest_existing(dest, STR("link"), &f, &at, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

static void
test_look(void **state UNUSED)
{
	struct err err = ERR_INIT;
	struct attrs at;

	dest_kit_put("d/f", "x");
	assert_int_equal(symlink("f", "to/d/l"), 0);
	assert_int_equal(symlink("d", "to/dl"), 0);
	assert_int_equal(dest_look(dest, STR("d"), &at, &err), 0);
	assert_int_equal(at.kind, ENTRY_DIR);
	assert_int_equal(dest_look(dest, STR("d/l"), &at, &err), 0);
	assert_int_equal(at.kind, ENTRY_LINK);
	assert_int_equal(dest_look(dest, STR("d/g"), &at, &err), -1);
	assert_int_equal(err.kind, ERR_GONE);
	assert_int_equal(dest_look(dest, STR("no/such/dir"), &at, &err), -1);
	assert_int_equal(err.kind, ERR_GONE);
	/* It makes nothing. */
	assert_false(dest_kit_is_there("to/no"));
	assert_int_equal(dest_look(dest, STR("d/f/g"), &at, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_string_equal(err.msg,
	    "d/f is a file where a directory must be");
	assert_int_equal(dest_look(dest, STR("dl/f"), &at, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(dest_look(dest, STR("../away"), &at, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

static void
test_in_the_way(void **state UNUSED)
{
	static const struct dest_meta none;
	struct dest_file *f;
	struct err err = ERR_INIT;

	dest_kit_put("a/file", "x");
	assert_int_equal(dest_kit_refuses("a/file/b/c", 1, 0,
	    "a/file is a file where a directory must be"), ERR_INVALID);
	assert_int_equal(dest_kit_refuses("a/file/b", 1, 0,
	    "a/file is a file where a directory must be"), ERR_INVALID);
	assert_int_equal(dest_kit_refuses("a", 1, 0, "directory is where"),
	    ERR_INVALID);
	/* One that comes later. */
	f = dest_kit_begin("late", 0, 0, "e");
	assert_int_equal(mkdir("to/late", 0755), 0);
	assert_int_equal(dest_commit(f, &none, false, false, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	dest_abort(&f, false);
	assert_false(dest_kit_is_there(dest_kit_temp("to", "late")));
	assert_int_equal(dest_kit_refuses("../away/f", 1, 0, "\"..\""),
	    ERR_INVALID);
	assert_int_equal(dest_kit_refuses("/tmp/f", 1, 0, "absolute"),
	    ERR_INVALID);
	assert_int_equal(dest_kit_refuses("", 1, 0, "empty"), ERR_INVALID);
	/* Its temporary name belongs to a directory. */
	assert_int_equal(mkdir(dest_kit_temp("to", "t"), 0755), 0);
	assert_int_equal(dest_kit_refuses("t", 1, 0, ""), ERR_INVALID);
	assert_int_equal(dest_kit_refuses("t", 2, 1, ""), ERR_INVALID);
}

static void
test_symlinks(void **state UNUSED)
{
	dest_kit_write("away/victim", "precious");
	assert_int_equal(symlink("../away", "to/out"), 0);
	assert_int_equal(symlink("/tmp", "to/abs"), 0);
	assert_int_equal(mkdir("to/real", 0755), 0);
	assert_int_equal(symlink("real", "to/in"), 0);
	assert_int_equal(symlink("nowhere", "to/dangling"), 0);
	assert_int_equal(dest_kit_refuses("out/f", 1, 0,
	    "out is a symlink: nothing is written through it"), ERR_INVALID);
	assert_int_equal(dest_kit_refuses("out/new/f", 1, 0, "symlink"),
	    ERR_INVALID);
	assert_int_equal(dest_kit_refuses("abs/f", 1, 0, "symlink"),
	    ERR_INVALID);
	assert_int_equal(dest_kit_refuses("in/f", 1, 0, "symlink"),
	    ERR_INVALID);
	assert_int_equal(dest_kit_refuses("dangling/f", 1, 0, "symlink"),
	    ERR_INVALID);
	assert_false(dest_kit_is_there("away/f"));
	assert_false(dest_kit_is_there("away/new"));
	assert_false(dest_kit_is_there("to/nowhere"));
	/* At the file's own name the link is replaced. */
	assert_int_equal(symlink("../away/victim", "to/f"), 0);
	dest_kit_put("f", "mine");
	dest_kit_expect("to/f", "mine", 4);
	dest_kit_expect("away/victim", "precious", 8);
}

/* What somebody put at the temporary name isn't written to. */
static void
test_traps(void **state UNUSED)
{
	for (uint64_t range = 0; range <= 3; range += 3) {
		const char *temp = dest_kit_temp("to", "t");
		struct dest_file *f;

		dest_kit_write("away/victim", "precious");
		assert_int_equal(symlink("../away/victim", temp), 0);
		f = dest_kit_begin("t", 6, range, "e");
		dest_abort(&f, false);
		dest_kit_expect("away/victim", "precious", 8);
		assert_int_equal(link("away/victim", temp), 0);
		f = dest_kit_begin("t", 6, range, "e");
		dest_abort(&f, false);
		dest_kit_expect("away/victim", "precious", 8);
		assert_int_equal(mkfifo(temp, 0600), 0);
		f = dest_kit_begin("t", 6, range, "e");
		for (uint32_t i = 0; i < f->count; i++)
			dest_kit_range(f, i, 0);
		dest_kit_commit(&f);
		assert_int_equal(unlink("to/t"), 0);
	}
}

static void
test_taken_away(void **state UNUSED)
{
	static const struct dest_meta none;
	struct dest_file *f = dest_kit_begin("t", 0, 0, "e");
	struct err err = ERR_INIT;

	assert_int_equal(unlink(dest_kit_temp("to", "t")), 0);
	dest_kit_write(dest_kit_temp("to", "t"), "of another");
	assert_int_equal(dest_commit(f, &none, false, false, &err), -1);
	assert_int_equal(err.kind, ERR_RETRY);
	dest_abort(&f, false);
	/* Neither renamed nor removed. */
	dest_kit_expect(dest_kit_temp("to", "t"), "of another", 10);
	assert_false(dest_kit_is_there("to/t"));
}

static void
as_nobody(void *arg UNUSED)
{
	struct dest_want want = { .size = 1 };
	struct dest_file *f;
	struct attrs at;
	struct err err = ERR_INIT;

	if (geteuid() == 0 && setuid(NOBODY) == -1)
		_exit(1);
	if (dest_begin(dest, STR("closed/new/f"), &want, &f, &err) != -1 ||
	    err.kind != ERR_DENIED)
		_exit(2);
	if (dest_begin(dest, STR("closed/f"), &want, &f, &err) != -1 ||
	    err.kind != ERR_DENIED)
		_exit(3);
	if (dest_existing(dest, STR("closed/secret"), &f, &at, &err) != -1 ||
	    err.kind != ERR_DENIED)
		_exit(4);
	if (dest_look(dest, STR("shut/f"), &at, &err) != -1 ||
	    err.kind != ERR_DENIED)
		_exit(5);
}

static void
test_denied(void **state UNUSED)
{
	assert_int_equal(mkdir("to/closed", 0755), 0);
	dest_kit_write("to/closed/secret", "x");
	assert_int_equal(chmod("to/closed/secret", 0), 0);
	assert_int_equal(chmod("to/closed", 0555), 0);
	assert_int_equal(mkdir("to/shut", 0), 0);
	assert_int_equal(dest_kit_child(as_nobody, NULL), 0);
	assert_int_equal(chmod("to/shut", 0755), 0);
	assert_int_equal(chmod("to/closed", 0755), 0);
}

static void
test_open(void **state UNUSED)
{
	struct err err = ERR_INIT;
	struct dest *d;

	dest_kit_write("away/file", "x");
	assert_int_equal(dest_open(&d, "away/none", &err), -1);
	assert_int_equal(err.kind, ERR_USAGE);
	assert_null(d);
	assert_int_equal(dest_open(&d, "away/file", &err), -1);
	assert_int_equal(err.kind, ERR_USAGE);
	dest_free(&d);
	/* The user's own choice may be a symlink. */
	assert_int_equal(symlink("../to", "away/link"), 0);
	assert_int_equal(dest_open(&d, "away/link", &err), 0);
	dest_free(&d);
	assert_null(d);
}

#define THREADS 8
#define FILES 40

static void *
many_files(void *arg)
{
	static const struct dest_meta none;
	int me = *(int *)arg;

	for (int i = 0; i < FILES; i++) {
		struct dest_want want = { .size = 8 };
		struct dest_file *f;
		struct err err;
		char rel[64], text[32];

		snprintf(rel, sizeof(rel), "p%d/q/r%d/%d", i, i % 3, me);
		snprintf(text, sizeof(text), "%03d %04d", me, i);
		if (dest_begin(dest, str_of(rel), &want, &f, &err) == -1)
			return xstrdup(err.msg);
		if (dest_write(f, 0, text, 8, &err) == -1 ||
		    dest_range_done(f, 0, &err) == -1 ||
		    dest_commit(f, &none, false, false, &err) == -1) {
			dest_abort(&f, false);
			return xstrdup(err.msg);
		}
		dest_abort(&f, false);
	}
	return NULL;
}

static void
test_threads(void **state UNUSED)
{
	pthread_t threads[THREADS];
	int ids[THREADS];

	for (int t = 0; t < THREADS; t++) {
		ids[t] = t;
		assert_int_equal(pthread_create(&threads[t], NULL, many_files,
		    &ids[t]), 0);
	}
	for (int t = 0; t < THREADS; t++) {
		void *fault;

		assert_int_equal(pthread_join(threads[t], &fault), 0);
		if (fault != NULL)
			fail_msg("%s", (char *)fault);
	}
	for (int t = 0; t < THREADS; t++)
		for (int i = 0; i < FILES; i++) {
			char path[64], text[32];

			snprintf(path, sizeof(path), "to/p%d/q/r%d/%d", i,
			    i % 3, t);
			snprintf(text, sizeof(text), "%03d %04d", t, i);
			dest_kit_expect(path, text, 8);
		}
}

#define BOTH(fn) \
	{ #fn, fn, dest_kit_empty, NULL, NULL }, \
	{ #fn " without openat2", fn, without_openat2, NULL, NULL }

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_write),
		BOTH(test_ranges),
		BOTH(test_range_counts),
		BOTH(test_misuse),
		BOTH(test_abort),
		BOTH(test_meta),
		BOTH(test_umask),
		BOTH(test_owner),
		BOTH(test_existing),
		BOTH(test_look),
		BOTH(test_in_the_way),
		BOTH(test_symlinks),
		BOTH(test_traps),
		BOTH(test_taken_away),
		BOTH(test_denied),
		BOTH(test_open),
		BOTH(test_threads),
	};

	umask(022);
	return cmocka_run_group_tests(tests, dest_kit_setup, dest_kit_teardown);
}
