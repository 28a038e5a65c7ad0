/* What proves an object to the sender, on stores whose ETags are digests, are
 * none, or look so, and that compare Content-MD5 or don't. */
#include "kit/sender.h"

static struct fixture *
unknown_store(void)
{
	struct fixture *x = sender_setup();

	x->c.known = 0;
	x->c.workers = 1;
	return x;
}

static void
one(struct fixture *x)
{
	write_file(x, 0, 100, 7);
	move(x, new_lease(x, 1));
}

static void
test_digest(void **state UNUSED)
{
	struct fixture *x = unknown_store();

	one(x);
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	assert_int_equal(x->got[0].proved, PROVED_ETAG);
	assert_int_equal(x->f.locked.heads, 0);
	assert_int_equal(x->f.locked.puts, 1);
	sender_teardown(x);
}

/* The ETags look like digests: HEAD, and one body with a wrong Content-MD5,
 * for all files. */
static void
test_opaque(void **state UNUSED)
{
	struct fixture *x = unknown_store();

	x->f.locked.opaque_etags = true;
	for (unsigned i = 0; i < 3; i++)
		write_file(x, i, 100 + i, 7);
	sender_begin(x);
	sender_give(x->sender, new_lease(x, 1));
	sender_finish(x, 1);
	forget(x);
	sender_give(x->sender, new_lease(x, 3));
	sender_finish(x, 3);
	end_sender(x);
	for (unsigned i = 0; i < 3; i++) {
		assert_stored(x, i);
		assert_int_equal(x->got[i].outcome, OUTCOME_MOVED);
		assert_int_equal(x->got[i].proved, PROVED_MD5);
	}
	assert_int_equal(x->f.locked.heads, 1);
	assert_int_equal(x->f.locked.puts, 1 + 1 + 3);
	assert_int_equal(x->f.locked.count, 3);
	sender_teardown(x);
}

/* What the catalog knows of the store need not be asked. */
static void
test_known(void **state UNUSED)
{
	struct fixture *x = unknown_store();

	x->c.known = KNOWN_OPAQUE(ETAG_WHOLE) | KNOWN_MD5;
	x->f.locked.opaque_etags = true;
	one(x);
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	assert_int_equal(x->got[0].proved, PROVED_MD5);
	assert_int_equal(x->f.locked.heads, 0);
	assert_int_equal(x->f.locked.puts, 1);
	sender_teardown(x);
}

/* Nothing proves what such a store holds; the probe does not stay. */
static void
test_ignores_md5(void **state UNUSED)
{
	struct fixture *x = unknown_store();

	x->f.locked.opaque_etags = x->f.locked.ignores_md5 = true;
	one(x);
	assert_int_equal(x->got[0].outcome, OUTCOME_FAILED);
	assert_int_equal(x->got[0].err.kind, ERR_INVALID);
	assert_non_null(strstr(x->got[0].err.msg, "nothing proves"));
	assert_int_equal(x->f.locked.deletes, 1);
	assert_int_equal(x->f.locked.count, 1);
	sender_teardown(x);
}

/* An ETag that was spoiled on the wire: HEAD has the right one. */
static void
test_spoiled(void **state UNUSED)
{
	struct fixture *x = unknown_store();

	x->f.locked.spoiled_etags = 1;
	one(x);
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	assert_int_equal(x->got[0].proved, PROVED_ETAG);
	assert_string_equal(x->got[0].etag,
	    fake_find_locked(&x->f, "s/f0")->etag);
	assert_int_equal(x->f.locked.heads, 1);
	assert_int_equal(x->f.locked.puts, 1);
	sender_teardown(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_opaque),
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_ignores_md5),
		cmocka_unit_test(test_spoiled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
