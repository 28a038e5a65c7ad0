/*
 * A file that several clients upload together: its steps, and what they make.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "team/split_put.h"

#define PART	(8 * MIB)

static struct item
file(uint64_t size)
{
	struct item it;

	memset(&it, 0, sizeof(it));
	it.object = 5;
	it.export = 2;
	it.path = xstrdup("h/s/big");
	it.raw = xstrdup("big");
	it.fh.len = 3;
	it.attrs.kind = ENTRY_FILE;
	it.attrs.size = size;
	return it;
}

static struct result
opened(const char *id, uint64_t part_size)
{
	struct result r;

	memset(&r, 0, sizeof(r));
	r.upload_id = id == NULL ? NULL : xstrdup(id);
	r.part_size = part_size;
	r.attempts = 2;
	return r;
}

static void
test_fits(void **state)
{
	struct item it = file(1024 * MIB);

	(void)state;
	assert_true(joint_fits(&it, PART, 4));
	assert_false(joint_fits(&it, PART, 1));
	assert_false(joint_fits(&it, PART, 0));
	/* Eight parts, however many they are. */
	assert_true(joint_fits(&it, 128 * MIB, 32));
	assert_false(joint_fits(&it, 128 * MIB + 1, 2));
	it.attrs.size = 64 * MIB;
	assert_true(joint_fits(&it, PART, 2));
	it.attrs.size--;
	assert_false(joint_fits(&it, PART, 2));
	it.attrs.size = 1024 * MIB;
	/* To be compared with what is there. */
	it.flags = ITEM_CHECKSUM;
	assert_false(joint_fits(&it, PART, 4));
	it.flags = 0;
	it.has_prev = it.prev_has_md5 = true;
	it.prev_attrs.size = it.attrs.size;
	assert_false(joint_fits(&it, PART, 4));
	it.prev_attrs.size++;
	assert_true(joint_fits(&it, PART, 4));
	/* Perhaps it is there, unless its upload is known to be open. */
	it.flags = ITEM_SETTLE;
	assert_false(joint_fits(&it, PART, 4));
	it.upload_id = xstrdup("u");
	assert_true(joint_fits(&it, PART, 4));
	item_release(&it);
}

static void
test_no_upload(void **state)
{
	struct item it = file(100 * MIB);
	struct result r = opened(NULL, PART);

	(void)state;
	assert_null(joint_new(&it, &r, 2));
	result_release(&r);
	r = opened("u", 0);
	assert_null(joint_new(&it, &r, 2));
	result_release(&r);
	r = opened("u", 10000);		/* more parts than there can be */
	assert_null(joint_new(&it, &r, 2));
	result_release(&r);
	item_release(&it);
}

/* One answer to a range: the MD5 of part n is n, sixteen times. */
static struct result
sent(const struct item *step)
{
	struct result r;

	memset(&r, 0, sizeof(r));
	r.part_count = step->part_count;
	r.part_md5s = xcalloc(step->part_count, 16);
	for (unsigned i = 0; i < r.part_count; i++)
		memset(r.part_md5s + i * 16, (int)(step->part_first + i) & 255,
		    16);
	r.bytes_sent = 10;
	r.attempts = 1;
	return r;
}

static void
whole_way(uint64_t size, uint64_t part_size, size_t clients)
{
	struct item it = file(size), step;
	struct result r = opened("up", part_size);
	struct joint *j = joint_new(&it, &r, clients);
	uint64_t count = (size + part_size - 1) / part_size, bytes = 0;
	uint64_t next = 0, steps = 0;

	assert_non_null(j);
	while (joint_next(j, &step)) {
		struct result part;

		assert_int_equal(step.flags, ITEM_PARTS);
		assert_int_equal(step.export, 2);
		assert_int_equal(step.fh.len, 3);
		assert_string_equal(step.raw, "big");
		assert_string_equal(step.upload_id, "up");
		assert_int_equal(step.upload_part_size, part_size);
		assert_int_equal(step.part_first, next);
		assert_true(step.part_count > 0);
		assert_true(step.part_count == 1 ||
		    joint_bytes(j, &step) <= 64 * MIB);
		next += step.part_count;
		bytes += joint_bytes(j, &step);
		part = sent(&step);
		assert_true(joint_take(j, &step, &part));
		/* Once more changes nothing but the bytes. */
		assert_true(joint_take(j, &step, &part));
		part.part_count++;
		assert_false(joint_take(j, &step, &part));
		steps++;
		result_release(&part);
		item_release(&step);
	}
	assert_int_equal(next, count);
	assert_int_equal(bytes, size);
	assert_true(steps >= MIN(count, 4 * clients));
	joint_close(j, &it);
	assert_int_equal(it.flags, ITEM_CLOSE);
	assert_int_equal(it.part_count, count);
	assert_string_equal(it.upload_id, "up");
	for (uint64_t i = 0; i < count; i++)
		assert_int_equal(it.part_md5s[i * 16 + 7], i & 255);
	result_release(&r);
	memset(&r, 0, sizeof(r));
	r.has_md5 = true;
	joint_result(j, &r);
	assert_false(r.has_md5);
	assert_int_equal(r.part_size, part_size);
	assert_int_equal(r.part_count, count);
	assert_memory_equal(r.part_md5s, it.part_md5s, count * 16);
	assert_int_equal(r.bytes_sent, steps * 20);
	assert_int_equal(r.attempts, 2);
	result_release(&r);
	joint_free(&j);
	assert_null(j);
	item_release(&it);
}

static void
test_ways(void **state)
{
	(void)state;
	whole_way(64 * MIB, PART, 2);
	whole_way(64 * MIB + 1, PART, 2);
	whole_way(4 * GIB - 1, PART, 4);
	whole_way(5 * 1024 * GIB, 550 * MIB, 4);
	whole_way(PART, PART, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fits),
		cmocka_unit_test(test_no_upload),
		cmocka_unit_test(test_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
