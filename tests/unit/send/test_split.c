/*
 * A large file in steps: opened, sent by ranges of parts, closed; and what
 * may come in between.
 */
#include "kit/sender.h"

#define SIZE	(5 * PART + 777)
#define COUNT	6u

static struct fixture *
prepared(void)
{
	struct fixture *x = sender_setup();

	write_file(x, 0, SIZE, 1);
	return x;
}

/* A lease of steps of file 0; results come by position. */
static struct lease *
steps(struct fixture *x, enum split_step step, unsigned count)
{
	struct lease *l = xcalloc(1, sizeof(*l));

	l->id = 1;
	l->count = count;
	l->items = xcalloc(count, sizeof(*l->items));
	for (unsigned i = 0; i < count; i++) {
		struct item *it = &l->items[i];

		it->object = i + 1;
		it->step = step;
		it->path = xstrdup("h/s/f0");
		it->raw = xstrdup("f0");
		it->attrs = attrs_of(x, 0);
	}
	return l;
}

static struct lease *
settling(struct fixture *x)
{
	struct lease *l = steps(x, SPLIT_BEGIN, 1);

	l->items[0].flags = ITEM_SETTLE;
	return l;
}

static struct lease *
of_upload(struct fixture *x, enum split_step step, unsigned count)
{
	struct lease *l = steps(x, step, count);

	for (unsigned i = 0; i < count; i++) {
		l->items[i].upload_id = xstrdup("u");
		l->items[i].upload_part_size = PART;
	}
	return l;
}

static struct lease *
parts(struct fixture *x, unsigned first, unsigned count)
{
	struct lease *l = of_upload(x, SPLIT_RANGE, 1);

	l->items[0].part_first = first;
	l->items[0].part_count = count;
	return l;
}

static void
open_upload(struct fixture *x)
{
	move(x, steps(x, SPLIT_BEGIN, 1));
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	assert_string_equal(x->got[0].upload_id, "u");
	assert_int_equal(x->got[0].part_size, PART);
	assert_int_equal(x->got[0].part_count, COUNT);
	assert_int_equal(x->f.locked.creates, 1);
	assert_int_equal(x->f.locked.parts, 0);
	assert_int_equal(x->notes[UPLOAD_INTENT], 1);
	assert_int_equal(x->notes[UPLOAD_CREATED], 1);
	assert_int_equal(x->notes[UPLOAD_ENDED], 0);
	forget(x);
}

/* Moves the lease, takes its MD5s. */
static void
send_parts(struct fixture *x, unsigned first, unsigned count, uint8_t *md5s)
{
	move(x, parts(x, first, count));
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	assert_int_equal(x->got[0].part_count, count);
	assert_false(x->got[0].has_md5);
	memcpy(md5s + first * MD5_LEN, x->got[0].part_md5s, count * MD5_LEN);
	forget(x);
}

static struct lease *
closing(struct fixture *x, const uint8_t *md5s)
{
	struct lease *l = of_upload(x, SPLIT_END, 1);

	l->items[0].part_count = COUNT;
	l->items[0].part_md5s = xmemdup(md5s, COUNT * MD5_LEN);
	return l;
}

static void
expect_failed(struct fixture *x, enum err_kind kind)
{
	assert_int_equal(x->got[0].outcome, OUTCOME_FAILED);
	if (x->got[0].err.kind != kind)
		fail_msg("%s: %s", err_kind_name(x->got[0].err.kind),
		    x->got[0].err.msg);
	forget(x);
}

/* The CRC is that of the object. */
static void
check_crc64(struct fixture *x, uint64_t crc64)
{
	struct fake_object *o;

	pthread_mutex_lock(&x->f.lock);
	o = fake_find_locked(&x->f, "s/f0");
	assert_non_null(o);
	assert_int_equal(crc64nvme(0, o->data.data, o->data.len), crc64);
	pthread_mutex_unlock(&x->f.lock);
}

static void
test_three_steps(void **state UNUSED)
{
	struct fixture *x = prepared();
	uint8_t md5s[COUNT * MD5_LEN];
	struct lease *l;
	char etag[72];
	uint64_t crc64;

	open_upload(x);
	/* Two ranges at once, out of order. */
	l = of_upload(x, SPLIT_RANGE, 2);
	l->items[0].part_first = 3;
	l->items[0].part_count = 3;
	l->items[1].part_count = 3;
	move(x, l);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(x->got[i].outcome, OUTCOME_MOVED);
		assert_int_equal(x->got[i].part_count, 3);
		assert_int_equal(x->got[i].part_size, PART);
	}
	assert_int_equal(x->got[0].bytes_sent, 2 * PART + 777);
	crc64 = crc64nvme_append(x->got[1].crc64, x->got[0].crc64,
	    2 * PART + 777);
	memcpy(md5s, x->got[1].part_md5s, 3 * MD5_LEN);
	memcpy(md5s + 3 * MD5_LEN, x->got[0].part_md5s, 3 * MD5_LEN);
	forget(x);
	assert_int_equal(x->f.locked.parts, COUNT);
	assert_int_equal(x->notes[UPLOAD_ENDED], 0);
	move(x, closing(x, md5s));
	check_crc64(x, crc64);
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	assert_int_equal(x->got[0].part_size, PART);
	assert_int_equal(x->got[0].part_count, COUNT);
	assert_memory_equal(x->got[0].part_md5s, md5s, sizeof(md5s));
	assert_false(x->got[0].has_md5);
	etag_multipart(md5s, COUNT, etag);
	assert_string_equal(x->got[0].etag, etag);
	assert_int_equal(x->notes[UPLOAD_ENDED], 1);
	assert_int_equal(x->f.locked.aborts, 0);
	assert_stored(x, 0);
	sender_teardown(x);
}

/* Parts whose ETags are no MD5: Complete names them as S3 wrote them, whoever
 * sent them. */
static void
test_opaque_parts(void **state UNUSED)
{
	static const char given[] = "\"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\"";
	struct fixture *x = prepared();
	uint8_t md5s[COUNT * MD5_LEN];
	struct lease *l;
	char lines[256];
	unsigned n = 0;

	x->c.known = KNOWN_OPAQUE(ETAG_PART);
	open_upload(x);
	send_parts(x, 0, 2, md5s);
	x->f.locked.opaque_etags = true;
	move(x, parts(x, 2, COUNT - 2));
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	snprintf(lines, sizeof(lines), "%s\n%s\n", given, given);
	assert_true(str_starts(str_of(x->got[0].part_etags), str_of(lines)));
	memcpy(md5s + 2 * MD5_LEN, x->got[0].part_md5s,
	    (COUNT - 2) * MD5_LEN);
	l = closing(x, md5s);
	l->items[0].part_etags = xasprintf("\n\n%s", x->got[0].part_etags);
	forget(x);
	move(x, l);
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	assert_int_equal(x->got[0].proved, PROVED_ETAG);
	for (const char *p = x->f.locked.completed; (p = strstr(p,
	    "<ETag>\"eeee")) != NULL; p++)
		n++;
	assert_int_equal(n, COUNT - 2);
	assert_non_null(strstr(x->f.locked.completed, "<PartNumber>2"
	    "</PartNumber><ETag>&quot;"));
	sender_teardown(x);
}

/* An upload is gone on with, one that nobody knows is begun anew. */
static void
test_open_known(void **state UNUSED)
{
	struct fixture *x = prepared();
	uint8_t md5s[COUNT * MD5_LEN];

	open_upload(x);
	send_parts(x, 0, COUNT, md5s);
	move(x, of_upload(x, SPLIT_BEGIN, 1));
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	assert_string_equal(x->got[0].upload_id, "u");
	assert_int_equal(x->f.locked.creates, 1);
	forget(x);
	fake_drop_locked(&x->f.locked.upload);
	move(x, of_upload(x, SPLIT_BEGIN, 1));
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	assert_int_equal(x->f.locked.creates, 2);
	assert_int_equal(x->notes[UPLOAD_CREATED], 2);
	assert_int_equal(x->notes[UPLOAD_ENDED], 0);
	sender_teardown(x);
}

/* Who has to do a range again sends only what is not there. */
static void
test_parts_again(void **state UNUSED)
{
	struct fixture *x = prepared();
	uint8_t md5s[COUNT * MD5_LEN], again[COUNT * MD5_LEN];
	unsigned lists;

	open_upload(x);
	send_parts(x, 1, 3, md5s);
	assert_int_equal(x->f.locked.parts, 3);
	send_parts(x, 1, 4, again);
	assert_int_equal(x->f.locked.parts, 4);
	assert_memory_equal(md5s + MD5_LEN, again + MD5_LEN, 3 * MD5_LEN);
	/* No more of the list than is needed. */
	lists = x->f.locked.part_lists;
	send_parts(x, 0, 2, again);
	assert_int_equal(x->f.locked.part_lists, lists + 1);
	assert_int_equal(x->f.locked.parts, 5);
	/* Another part under that number is replaced. */
	x->f.locked.upload.parts[2].data[5] ^= 1;
	send_parts(x, 1, 1, again);
	assert_int_equal(x->f.locked.parts, 6);
	sender_teardown(x);
}

static void
test_file_changed(void **state UNUSED)
{
	struct fixture *x = prepared();
	uint8_t md5s[COUNT * MD5_LEN];
	struct lease *l;

	open_upload(x);
	send_parts(x, 0, COUNT, md5s);
	l = parts(x, 0, 2);
	write_file(x, 0, SIZE, 2);
	move(x, l);
	expect_failed(x, ERR_GONE);
	/* Others may be at it: that is for the master to say. */
	assert_int_equal(x->f.locked.aborts, 0);
	assert_int_equal(x->notes[UPLOAD_ENDED], 0);
	l = steps(x, SPLIT_BEGIN, 1);
	write_file(x, 0, SIZE, 3);
	move(x, l);
	expect_failed(x, ERR_GONE);
	assert_int_equal(x->f.locked.creates, 1);
	l = closing(x, md5s);
	write_file(x, 0, SIZE, 4);
	move(x, l);
	expect_failed(x, ERR_GONE);
	assert_int_equal(x->f.locked.aborts, 1);
	assert_int_equal(x->notes[UPLOAD_ENDED], 1);
	assert_int_equal(x->f.locked.count, 0);
	sender_teardown(x);
}

static void
test_upload_gone(void **state UNUSED)
{
	struct fixture *x = prepared();
	uint8_t md5s[COUNT * MD5_LEN];

	open_upload(x);
	send_parts(x, 0, COUNT, md5s);
	fake_drop_locked(&x->f.locked.upload);
	move(x, parts(x, 0, 2));
	expect_failed(x, ERR_GONE);
	move(x, closing(x, md5s));
	expect_failed(x, ERR_GONE);
	assert_int_equal(x->notes[UPLOAD_ENDED], 1);
	assert_int_equal(x->f.locked.creates, 1);
	sender_teardown(x);
}

/* The one who closed it died before the answer. */
static void
test_close_again(void **state UNUSED)
{
	struct fixture *x = prepared();
	uint8_t md5s[COUNT * MD5_LEN];

	open_upload(x);
	send_parts(x, 0, COUNT, md5s);
	move(x, closing(x, md5s));
	forget(x);
	move(x, closing(x, md5s));
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	assert_stored(x, 0);
	sender_teardown(x);
}

/* The parts are others than those that were proved. */
static void
test_close_wrong(void **state UNUSED)
{
	struct fixture *x = prepared();
	uint8_t md5s[COUNT * MD5_LEN];

	open_upload(x);
	send_parts(x, 0, COUNT, md5s);
	md5s[3] ^= 1;
	move(x, closing(x, md5s));
	expect_failed(x, ERR_CORRUPT);
	sender_teardown(x);
}

static void
test_invalid(void **state UNUSED)
{
	static const unsigned wrong[][2] = { { 0, 0 }, { COUNT, 1 },
	    { 5, 2 }, { 1, UINT32_MAX } };
	struct fixture *x = prepared();
	uint8_t md5s[COUNT * MD5_LEN] = { 0 };
	struct lease *l;

	open_upload(x);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		move(x, parts(x, wrong[i][0], wrong[i][1]));
		expect_failed(x, ERR_INVALID);
	}
	l = closing(x, md5s);
	l->items[0].part_count--;
	move(x, l);
	expect_failed(x, ERR_INVALID);
	l = parts(x, 0, 1);
	l->items[0].upload_part_size = 2 * PART;
	l->items[0].attrs.size = PART;
	move(x, l);
	expect_failed(x, ERR_INVALID);
	assert_int_equal(x->f.locked.parts, 0);
	sender_teardown(x);
}

/* A lease of it was open when a run died: it may have arrived whole. */
static void
test_open_settle(void **state UNUSED)
{
	struct fixture *x = prepared();

	move(x, settling(x));
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	forget(x);
	move(x, steps(x, SPLIT_WHOLE, 1));
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	forget(x);
	move(x, settling(x));
	expect_failed(x, ERR_GONE);
	sender_teardown(x);
}

/* As one item it goes on with what is there. */
static void
test_then_whole(void **state UNUSED)
{
	struct fixture *x = prepared();
	uint8_t md5s[COUNT * MD5_LEN];

	open_upload(x);
	send_parts(x, 2, 2, md5s);
	move(x, of_upload(x, SPLIT_WHOLE, 1));
	assert_int_equal(x->got[0].outcome, OUTCOME_MOVED);
	assert_true(x->got[0].has_md5);
	assert_int_equal(x->f.locked.parts, COUNT);
	assert_int_equal(x->f.locked.creates, 1);
	assert_int_equal(x->notes[UPLOAD_ENDED], 1);
	assert_stored(x, 0);
	sender_teardown(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_three_steps),
		cmocka_unit_test(test_opaque_parts),
		cmocka_unit_test(test_open_known),
		cmocka_unit_test(test_parts_again),
		cmocka_unit_test(test_file_changed),
		cmocka_unit_test(test_upload_gone),
		cmocka_unit_test(test_close_again),
		cmocka_unit_test(test_close_wrong),
		cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_open_settle),
		cmocka_unit_test(test_then_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
