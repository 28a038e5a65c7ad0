#include "kit/sender.h"

/* The file as another tool would have put it, in two parts at most. */
static void
put_in_parts(struct fixture *x, unsigned i, size_t size, unsigned seed,
    size_t part)
{
	AUTOFREE char *key = xasprintf("s/f%u", i);
	struct fake_object *o;
	struct lease *l;
	uint8_t digests[2 * MD5_LEN];
	unsigned count = size > part ? 2 : 1;
	struct md5 md5;

	write_file(x, i, size, seed);
	l = new_lease(x, i + 1);
	move(x, l);
	o = fake_find_locked(&x->f, key);
	assert_non_null(o);
	for (unsigned k = 0; k < count; k++) {
		size_t at = k * part;

		md5_init(&md5);
		if (o->data.len > 0)
			md5_update(&md5, o->data.data + at,
			    MIN(o->data.len - at, part));
		md5_final(&md5, digests + k * MD5_LEN);
	}
	etag_multipart(digests, count, o->etag);
	buf_clear(&o->meta);
	forget(x);
	x->f.locked.puts = x->f.locked.parts = 0;
	x->f.locked.creates = x->f.locked.heads = 0;
	memset(x->notes, 0, sizeof(x->notes));
	x->c.adopt = true;
}

static void
put_in_one_part(struct fixture *x, unsigned i, size_t size, unsigned seed)
{
	put_in_parts(x, i, size, seed, SIZE_MAX);
}

static void
assert_adopted(struct fixture *x)
{
	assert_stored(x, 0);
	assert_int_equal(x->got[0].outcome, OUTCOME_UNCHANGED);
	assert_int_equal(x->f.locked.puts, 0);
	assert_int_equal(x->f.locked.parts, 0);
	assert_string_equal(x->got[0].etag,
	    fake_find_locked(&x->f, "s/f0")->etag);
}

static void
test_empty(void **state UNUSED)
{
	struct fixture *x = sender_setup();

	put_in_one_part(x, 0, 0, 7);
	move(x, new_lease(x, 1));
	assert_adopted(x);
	sender_teardown(x);
}

/* What begins again asks again: the bytes are hashed as the object was put,
 * not as we would put it. */
static void
test_begun_again(void **state UNUSED)
{
	struct fixture *x = sender_setup();
	struct lease *l;

	put_in_one_part(x, 0, 100, 7);
	l = new_lease(x, 1);
	/* Touched since it was seen. */
	l->items[0].attrs.mtime_ns--;
	move(x, l);
	assert_adopted(x);
	assert_int_equal(x->f.locked.heads, 2);
	sender_teardown(x);
}

static void
test_changed(void **state UNUSED)
{
	struct fixture *x = sender_setup();
	struct lease *l;

	put_in_one_part(x, 0, 100, 7);
	l = new_lease(x, 1);
	write_file(x, 0, 100, 8);
	move(x, l);
	assert_stored(x, 0);
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	assert_int_equal(x->f.locked.puts, 1);
	sender_teardown(x);
}

/* An upload of a run that was stopped is of no use any more, and costs as
 * long as it is open. */
static void
test_upload_left(void **state UNUSED)
{
	struct fixture *x = sender_setup();
	struct lease *l;

	put_in_one_part(x, 0, 3 * PART, 7);
	x->f.locked.upload.key = xstrdup("s/f0");
	l = new_lease(x, 1);
	l->items[0].upload_id = xstrdup("u1");
	l->items[0].upload_part_size = PART;
	l->items[0].upload_intent_sec = 1;
	move(x, l);
	assert_adopted(x);
	assert_int_equal(x->f.locked.aborts, 1);
	assert_null(x->f.locked.upload.key);
	assert_int_equal(x->notes[UPLOAD_ENDED], 1);
	sender_teardown(x);
}

/* The server doesn't say how large the parts are: 16 MiB is tried first, then
 * 15. */
static void
test_second_guess(void **state UNUSED)
{
	struct fixture *x = sender_setup();

	x->c.part_size = 8 * MIB;
	put_in_parts(x, 0, 20 * MIB, 7, 15 * MIB);
	move(x, new_lease(x, 1));
	assert_adopted(x);
	assert_int_equal(x->got[0].part_size, 15 * MIB);
	sender_teardown(x);
}

/* No guess is right: other bytes. */
static void
test_no_guess(void **state UNUSED)
{
	struct fixture *x = sender_setup();

	x->c.part_size = 8 * MIB;
	put_in_parts(x, 0, 20 * MIB, 7, 15 * MIB);
	write_file(x, 0, 20 * MIB, 8);
	move(x, new_lease(x, 1));
	assert_stored(x, 0);
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	sender_teardown(x);
}

static void
replace(void *arg, unsigned count)
{
	struct fixture *x = arg;
	struct fake_object *o = fake_find_locked(&x->f, "s/f0");

	if (count != 2)
		return;
	o->data.data[0] ^= 1;
	o->etag[0] = o->etag[0] == '0' ? '1' : '0';
}

/* Another object is there when it is asked for its parts. */
static void
test_replaced(void **state UNUSED)
{
	struct fixture *x = sender_setup();

	x->c.part_size = 8 * MIB;
	put_in_parts(x, 0, 20 * MIB, 7, 16 * MIB);
	x->f.locked.on_head = replace;
	x->f.locked.arg = x;
	move(x, new_lease(x, 1));
	assert_stored(x, 0);
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	sender_teardown(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_begun_again),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_upload_left),
		cmocka_unit_test(test_second_guess),
		cmocka_unit_test(test_no_guess),
		cmocka_unit_test(test_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
