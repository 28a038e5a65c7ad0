/*
 * What the bucket holds: taken from the catalog only where the catalog knows
 * it; else S3's word, with the bytes and with what is kept beside them.
 */
#include "kit/sender.h"

/* The bucket has other bytes than those that are known: what an answer that
 * was lost may leave. */
static void
spoil(struct fixture *x)
{
	memset(x->f.locked.objects[0].etag, '0', 32);
	x->f.locked.objects[0].data.data[0]++;
}

static void
stored(struct fixture *x)
{
	write_file(x, 0, 100, 7);
	move(x, new_lease(x, 1));
	x->f.locked.heads = 0;
}

/* --checksum, and nothing came between: no request. */
static void
known(void **state UNUSED)
{
	struct fixture *x = sender_setup();
	struct lease *l;

	stored(x);
	l = held_lease(x, 1);
	l->items[0].flags = ITEM_CHECKSUM;
	move(x, l);
	assert_int_equal(x->got[0].outcome, OUTCOME_UNCHANGED);
	assert_int_equal(x->f.locked.heads + x->f.locked.puts, 1);
	sender_teardown(x);
}

/* S3 was asked for another reason, and has said that it holds something else:
 * that counts more than what the catalog knows. */
static void
asked(void **state UNUSED)
{
	for (int adopt = 0; adopt < 2; adopt++) {
		struct fixture *x = sender_setup();
		struct lease *l;

		stored(x);
		spoil(x);
		l = held_lease(x, 1);
		l->items[0].flags = ITEM_CHECKSUM;
		if (adopt == 0)
			l->items[0].flags |= ITEM_SETTLE;
		x->c.adopt = adopt == 1;
		move(x, l);
		assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
		assert_stored(x, 0);
		sender_teardown(x);
	}
}

static bool
has_meta(struct fixture *x, const char *line)
{
	return strstr(fake_find_locked(&x->f, "s/f0")->meta.data, line) !=
	    NULL;
}

/* The metadata was changed there, and the answer lost: the file is again what
 * was stored, the object is not. */
static void
metadata(void **state UNUSED)
{
	struct fixture *x = sender_setup();
	AUTOFREE char *path = path_of(x, 0);
	struct result first;
	struct lease *l;

	stored(x);
	first = x->got[0];
	assert_true(has_meta(x, "file-permissions: 0644"));
	assert_int_equal(chmod(path, 0600), 0);
	move(x, held_lease(x, 1));
	assert_int_equal(x->f.locked.copies, 1);
	assert_true(has_meta(x, "file-permissions: 0600"));
	assert_int_equal(chmod(path, 0644), 0);
	l = held_lease(x, 1);
	l->items[0].prev_attrs = first.attrs;
	move(x, l);
	assert_int_equal(x->got[0].outcome, OUTCOME_UNCHANGED);
	assert_true(has_meta(x, "file-permissions: 0644"));
	/* And no copy where there is nothing to change. */
	move(x, held_lease(x, 1));
	assert_int_equal(x->f.locked.copies, 2);
	sender_teardown(x);
}

/* Another tool's object: it says nothing, and is left as it is. */
static void
without_metadata(void **state UNUSED)
{
	struct fixture *x = sender_setup();

	stored(x);
	buf_clear(&x->f.locked.objects[0].meta);
	buf_addch(&x->f.locked.objects[0].meta, '\0');
	move(x, held_lease(x, 1));
	assert_int_equal(x->got[0].outcome, OUTCOME_UNCHANGED);
	assert_int_equal(x->f.locked.copies, 0);
	sender_teardown(x);
}

/* The bytes of a cut run arrived, and the file has another mode since. */
static void
settled_mode(void **state UNUSED)
{
	struct fixture *x = sender_setup();
	AUTOFREE char *path = path_of(x, 0);
	struct lease *l;

	stored(x);
	forget(x);
	assert_int_equal(chmod(path, 0600), 0);
	l = new_lease(x, 1);
	l->items[0].flags = ITEM_SETTLE;
	move(x, l);
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	assert_true(has_meta(x, "file-permissions: 0600"));
	sender_teardown(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known),
		cmocka_unit_test(asked),
		cmocka_unit_test(metadata),
		cmocka_unit_test(without_metadata),
		cmocka_unit_test(settled_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
