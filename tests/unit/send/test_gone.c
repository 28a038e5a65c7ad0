/*
 * What a worker calls gone: only a file whose path, looked up again from the
 * root, names nothing.
 */
#include "fault/errno_shim.h"
#include "kit/sender.h"

static struct fixture *
setup_file(size_t size)
{
	struct fixture *x = sender_setup();

	shim_clear();
	x->c.workers = 1;
	write_file(x, 0, size, 7);
	return x;
}

/* Whatever opening or reading says once: the file is there, and moved. */
static void
test_passes(void **state UNUSED)
{
	static const struct { const char *call; int code, times; } cases[] = {
		{ "open", ESTALE, 1 }, { "open", ESTALE, 4 },
		{ "open", ENOENT, 1 }, { "open", ENOTDIR, 1 },
		{ "open", ENXIO, 1 }, { "open", EISDIR, 1 },
		{ "open", EIO, 2 }, { "open", ENOTCONN, 2 },
		{ "read", ESTALE, 1 }, { "read", ESTALE, 3 },
		{ "read", ENOENT, 1 }, { "read", EISDIR, 1 },
		{ "stat", ESTALE, 1 }, { "read", EIO, 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture *x = setup_file(3 * PART);
		struct lease *l = new_lease(x, 1);

		shim_add(cases[i].call, "f0", cases[i].code, cases[i].times);
		move(x, l);
		assert_int_equal(shim_hits, cases[i].times);
		shim_clear();
		assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
		assert_stored(x, 0);
		sender_teardown(x);
	}
}

/* It goes on: then it has failed. */
static void
test_fails(void **state UNUSED)
{
	static const struct { const char *call; int code; } cases[] = {
		{ "open", ESTALE }, { "read", ESTALE }, { "open", EACCES },
		{ "read", EIO }, { "read", ENOENT }, { "open", ENXIO },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture *x = setup_file(100);
		struct lease *l = new_lease(x, 1);

		x->c.retry_for_ms = 1;
		shim_add(cases[i].call, "f0", cases[i].code, -1);
		move(x, l);
		shim_clear();
		assert_int_equal(x->got[0].outcome, OUTCOME_FAILED);
		assert_true(x->got[0].err.msg[0] != '\0');
		assert_int_equal(x->f.locked.puts, 0);
		sender_teardown(x);
	}
}

/* Something else is there: it is not gone either. */
static void
test_other(void **state UNUSED)
{
	for (int kind = 0; kind < 3; kind++) {
		struct fixture *x = setup_file(100);
		struct lease *l = new_lease(x, 1);
		AUTOFREE char *path = path_of(x, 0);

		unlink(path);
		assert_int_equal(kind == 0 ? mkdir(path, 0755) :
		    kind == 1 ? symlink("f1", path) : mkfifo(path, 0644), 0);
		move(x, l);
		assert_int_equal(x->got[0].outcome, OUTCOME_FAILED);
		assert_int_equal(remove(path), 0);
		sender_teardown(x);
	}
}

static struct fixture *taken;
static bool replaced;

/* The share goes, with a file that it had. */
static void
take_away(void)
{
	AUTOFREE char *path = path_of(taken, 0), *away = NULL;

	away = xasprintf("%s.away", taken->dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rename(taken->dir, away), 0);
	if (replaced)
		assert_int_equal(mkdir(taken->dir, 0755), 0);
}

/* What a share lacks that isn't the one that it was may not be gone. */
static void
test_other_root(void **state UNUSED)
{
	shim_hook = take_away;
	for (int i = 0; i < 2; i++) {
		struct fixture *x = setup_file(100);
		struct lease *l = new_lease(x, 1);
		AUTOFREE char *away = xasprintf("%s.away", x->dir);

		taken = x;
		replaced = i == 1;
		x->c.retry_for_ms = 1;
		shim_add("open", "f0", 0, 1);
		move(x, l);
		assert_int_equal(x->got[0].outcome, OUTCOME_FAILED);
		if (replaced)
			rmdir(x->dir);
		assert_int_equal(rename(away, x->dir), 0);
		sender_teardown(x);
	}
}

/* In which file system the item's directory was seen, and what becomes of the
 * file, there or removed: wrong must neither be sent nor called gone. */
static void
test_place(void **state UNUSED)
{
	static const struct { bool numbers, any, wrong, inner; } cases[] = {
		{ false, false, false, false }, { true, false, false, false },
		{ true, false, false, true }, { true, false, true, true },
		{ false, false, true, true }, { true, true, true, true },
	};

	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		struct fixture *x = setup_file(3 * PART);
		struct lease *l = new_lease(x, 1);
		bool gone = i % 2 == 1;
		AUTOFREE char *path = path_of(x, 0);
		struct tree *t = NULL;
		struct err err = ERR_INIT;
		struct attrs root;

		assert_int_equal(tree_open(&t, &x->spec, &err), 0);
		tree_root(t, NULL, &root);
		tree_free(&t);
		if (cases[i / 2].numbers)
			x->spec.root_fsid = root.fsid;
		if (cases[i / 2].inner)
			l->items[0].attrs.fsid = root.fsid +
			    cases[i / 2].wrong;
		if (cases[i / 2].any)
			l->items[0].flags |= ITEM_ANY_FS;
		if (gone)
			unlink(path);
		move(x, l);
		if (cases[i / 2].wrong && !cases[i / 2].any) {
			assert_int_equal(x->got[0].outcome, OUTCOME_FAILED);
			assert_int_equal(x->f.locked.puts, 0);
		} else {
			assert_int_equal(x->got[0].outcome, gone ?
			    OUTCOME_GONE : OUTCOME_MOVED);
		}
		sender_teardown(x);
	}
}

/* Nor if it has been replaced before it was first opened here. */
static void
test_replaced_before(void **state UNUSED)
{
	struct fixture *x = setup_file(100);
	struct lease *l = new_lease(x, 1);
	AUTOFREE char *away = xasprintf("%s.away", x->dir);
	struct tree *t = NULL;
	struct err err = ERR_INIT;
	struct attrs root;

	assert_int_equal(tree_open(&t, &x->spec, &err), 0);
	tree_root(t, NULL, &root);
	tree_free(&t);
	x->spec.root_ino = root.ino;
	x->spec.root_fsid = root.fsid;
	assert_int_equal(rename(x->dir, away), 0);
	assert_int_equal(mkdir(x->dir, 0755), 0);
	move(x, l);
	assert_int_equal(x->got[0].outcome, OUTCOME_FAILED);
	assert_int_equal(x->got[0].err.kind, ERR_DENIED);
	assert_int_equal(rmdir(x->dir), 0);
	assert_int_equal(rename(away, x->dir), 0);
	sender_teardown(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passes),
		cmocka_unit_test(test_fails),
		cmocka_unit_test(test_other),
		cmocka_unit_test(test_other_root),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_replaced_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
