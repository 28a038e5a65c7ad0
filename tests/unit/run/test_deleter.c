/*
 * The deleter: the catalog never believes in an object that may be gone, and
 * knows what became of each.
 */
#include "kit/run.h"

#include "reader/stored.h"
#include "run/deleter.h"
#include "kit/catalog.h"

struct fixture {
	struct fake_s3 f;
	struct conf conf;
	struct job job;
	struct kit *k;
	struct run r;
};

static const char *const names[] = { "srv/vol/a", "srv/vol/b",
	"srv/vol/kept" };

/* Three objects that the catalog and the bucket have, and a run of DEL. */
static struct fixture *
setup(void)
{
	struct fixture *x = xcalloc(1, sizeof(*x));
	struct run_spec spec = kit_spec("bucket", "");
	struct err err = ERR_INIT;
	struct dir_page *p;
	void *state;

	kit_setup(&state);
	x->k = state;
	kit_open(x->k);
	kit_begin(x->k);
	p = kit_page(kit_take(x->k, "srv/vol"), true);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		kit_entry(p, PAGE_NEW, 0, names[i], kit_attrs(10, 1));
	catalog_put_page(x->k->c, p);
	assert_int_equal(kit_settle(x->k, 10, OUTCOME_MOVED), 3);
	kit_end(x->k, RUN_COMPLETE);
	spec.op = OP_DEL;
	spec.no_backlog = true;
	kit_begin_spec(x->k, &spec);
	fake_start(&x->f);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		fake_store_locked(&x->f, names[i]);
	conf_of_fake(&x->conf, &x->f);
	x->job = (struct job){ .op = OP_DEL, .standalone = true };
	run_of_kit(&x->r, &x->conf, &x->job, x->k->c);
	if (deleter_start(&x->r, &x->job, &err) == -1)
		fail_msg("%s", err.msg);
	return x;
}

static bool
all_given(void *arg UNUSED)
{
	return true;
}

/* Nothing more is deleted. */
static void
end_crew(struct fixture *x)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_STOPPED, 0, "the test is over");
	run_fail(&x->r, &err);
	run_loop(&x->r, all_given, NULL);
}

static void
teardown(struct fixture *x)
{
	void *state = x->k;

	end_crew(x);
	run_end_kit(&x->r);
	kit_teardown(&state);
	fake_stop(&x->f);
	conf_release(&x->conf);
	free(x);
}

/* Rows of these names. */
static struct outcomes *
rows_of(const char *const *v, size_t n, bool is_key)
{
	struct outcomes *rows = xcalloc(1, sizeof(*rows));

	rows->v = xcalloc(n + 1, sizeof(*rows->v));
	rows->count = n;
	for (size_t i = 0; i < n; i++) {
		rows->v[i].path = xstrdup(v[i]);
		rows->v[i].is_key = is_key;
		rows->v[i].size = 10;
	}
	return rows;
}

static void
wait_all(struct fixture *x)
{
	while (x->r.out > 0) {
		run_turn(&x->r, 20000);
		assert_false(x->r.failed);
	}
}

/* The names that the catalog believes in, each with a blank behind. */
static void
expect_stored(struct fixture *x, const char *expected)
{
	struct stored v[8];
	struct err err = ERR_INIT;
	char all[200] = "";
	size_t n;

	if (catalog_stored_page(x->k->reader, STR("srv/"), STR(""), v,
	    ARRAY_LEN(v), &n, &err) == -1)
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < n; i++) {
		strncat(all, v[i].path, sizeof(all) - strlen(all) - 2);
		strncat(all, " ", 2);
		stored_release(&v[i]);
	}
	assert_string_equal(all, expected);
}

static void
test_outcomes(void **state UNUSED)
{
	struct fixture *x = setup();
	struct totals *t;

	deleter_give(&x->r, rows_of(names, ARRAY_LEN(names), false));
	wait_all(x);
	assert_int_equal(x->f.locked.count, 1);
	assert_int_equal(x->f.locked.deletes, 1);
	t = kit_end(x->k, RUN_COMPLETE);
	assert_true(x->k->closing.closes);
	assert_int_equal(t->moved, 2);
	assert_int_equal(t->deleted, 2);
	assert_int_equal(t->failed, 1);
	assert_int_equal(x->k->closing.failure_count, 1);
	assert_string_equal(x->k->closing.failures[0].path, names[2]);
	expect_stored(x, "srv/vol/kept ");
	teardown(x);
}

/* Keys that are no catalog paths, and paths whose keys have no server. */
static void
test_keys(void **state UNUSED)
{
	static const char *const others[] = { "vol/a", "vol/x" };
	struct fixture *x = setup();

	fake_store_locked(&x->f, others[0]);
	fake_store_locked(&x->f, others[1]);
	deleter_give(&x->r, rows_of(others + 1, 1, true));
	wait_all(x);
	assert_null(fake_find_locked(&x->f, others[1]));
	end_crew(x);
	x->r.failed = false;
	x->conf.fs_config.server_as_prefix = false;
	assert_int_equal(deleter_start(&x->r, &x->job, NULL), 0);
	deleter_give(&x->r, rows_of(names, 1, false));
	wait_all(x);
	assert_null(fake_find_locked(&x->f, others[0]));
	assert_non_null(fake_find_locked(&x->f, names[0]));
	teardown(x);
}

/* Ended before the answer: it may be gone. */
static void
test_no_answer(void **state UNUSED)
{
	struct fixture *x = setup();

	x->f.locked.held = true;
	deleter_give(&x->r, rows_of(names, 2, false));
	for (unsigned n = 0; n == 0;) {
		run_turn(&x->r, 10);
		pthread_mutex_lock(&x->f.lock);
		n = x->f.locked.deletes;
		pthread_mutex_unlock(&x->f.lock);
	}
	assert_int_equal(x->r.out, 1);
	end_crew(x);
	kit_end(x->k, RUN_INTERRUPTED);
	/* It was noted before it was asked for: the next run knows. */
	kit_begin(x->k);
	expect_stored(x, "srv/vol/kept ");
	pthread_mutex_lock(&x->f.lock);
	x->f.locked.held = false;
	pthread_cond_broadcast(&x->f.changed);
	pthread_mutex_unlock(&x->f.lock);
	teardown(x);
}

/* An error of one's own means that it is there still. */
static void
test_denied(void **state UNUSED)
{
	struct fixture *x = setup();
	struct totals *t;

	x->f.locked.denies = true;
	deleter_give(&x->r, rows_of(names, 2, false));
	wait_all(x);
	t = kit_end(x->k, RUN_COMPLETE);
	assert_int_equal(t->failed, 2);
	expect_stored(x, "srv/vol/a srv/vol/b srv/vol/kept ");
	teardown(x);
}

static void
test_room(void **state UNUSED)
{
	struct fixture *x = setup();
	unsigned given = 0;

	x->f.locked.held = true;
	for (; deleter_room(&x->r); given++) {
		assert_true(given < 1000);
		deleter_give(&x->r, rows_of(names, 1, false));
	}
	assert_true(given >= 8);
	pthread_mutex_lock(&x->f.lock);
	x->f.locked.held = false;
	pthread_cond_broadcast(&x->f.changed);
	pthread_mutex_unlock(&x->f.lock);
	wait_all(x);
	assert_true(deleter_room(&x->r));
	teardown(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
