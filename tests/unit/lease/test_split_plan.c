/*
 * A large file split among clients, to upload or to fetch: its steps, and what
 * they make.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "lease/split_plan.h"

#define PART	(8 * MIB)	/* of an upload */
#define UNIT	(8 * MIB)	/* of a fetch */
#define GET_PART	(4 * MIB)

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
test_put_fits(void **state)
{
	struct item it = file(1024 * MIB);

	(void)state;
	assert_true(split_put_fits(&it, PART, 4));
	assert_false(split_put_fits(&it, PART, 1));
	assert_false(split_put_fits(&it, PART, 0));
	/* Eight parts, however many they are. */
	assert_true(split_put_fits(&it, 128 * MIB, 32));
	assert_false(split_put_fits(&it, 128 * MIB + 1, 2));
	it.attrs.size = 64 * MIB;
	assert_true(split_put_fits(&it, PART, 2));
	it.attrs.size--;
	assert_false(split_put_fits(&it, PART, 2));
	it.attrs.size = 1024 * MIB;
	/* To be compared with what is there. */
	it.flags = ITEM_CHECKSUM;
	assert_false(split_put_fits(&it, PART, 4));
	it.flags = 0;
	it.has_prev = it.prev_has_md5 = true;
	it.prev_attrs.size = it.attrs.size;
	assert_false(split_put_fits(&it, PART, 4));
	it.prev_attrs.size++;
	assert_true(split_put_fits(&it, PART, 4));
	/* Perhaps it is there, unless its upload is known to be open. */
	it.flags = ITEM_SETTLE;
	assert_false(split_put_fits(&it, PART, 4));
	it.upload_id = xstrdup("u");
	assert_true(split_put_fits(&it, PART, 4));
	item_release(&it);
}

static void
test_put_no_upload(void **state)
{
	struct item it = file(100 * MIB);
	struct result r = opened(NULL, PART);
	struct split_plan p;

	(void)state;
	assert_false(split_put_plan(&p, &it, &r, 2));
	result_release(&r);
	r = opened("u", 0);
	assert_false(split_put_plan(&p, &it, &r, 2));
	result_release(&r);
	r = opened("u", 10000);		/* more parts than there can be */
	assert_false(split_put_plan(&p, &it, &r, 2));
	result_release(&r);
	item_release(&it);
}

/* The CRC of so many zeros: of half of them, twice, and of the odd one. */
static uint64_t
zeros(uint64_t len)
{
	uint64_t half = len < 2 ? 0 : zeros(len / 2);
	uint64_t crc64 = crc64nvme_append(half, half, len / 2);

	return len % 2 == 0 ? crc64 : crc64nvme(crc64, "", 1);
}

/* One answer to a range: the MD5 of part n is n, sixteen times, and the CRC of
 * the range that of zeros. */
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
	r.has_crc64 = true;
	r.crc64 = zeros(MIN(step->part_count * step->upload_part_size,
	    step->attrs.size - step->part_first * step->upload_part_size));
	return r;
}

static char *
lines(unsigned count)
{
	char *text = xcalloc(count, 3);

	for (unsigned i = 0; i < count; i++)
		memcpy(text + i * 2, "e\n", 3);
	return text;
}

/* A line for each part; those of the second range have text. */
static void
check_lines(const struct split_plan *p, const char *text)
{
	unsigned each = (unsigned)(p->unit / p->part_size), at = 0;

	if (p->count == 1) {
		assert_null(text);
		return;
	}
	for (; *text != '\0'; at++) {
		bool has = *text == 'e';

		assert_int_equal(has, at / each == 1);
		text += has;
		assert_int_equal(*text++, '\n');
	}
	assert_int_equal(at, p->part_count);
}

static void
whole_way(uint64_t size, uint64_t part_size, size_t clients)
{
	struct item it = file(size), step;
	struct result r = opened("up", part_size);
	struct split_plan p;
	uint64_t count = (size + part_size - 1) / part_size, bytes = 0;
	uint64_t next = 0, steps = 0;

	assert_true(split_put_plan(&p, &it, &r, clients));
	for (uint32_t i = 0; i < p.count; i++) {
		struct result part;

		step = split_put_range(&p, &it, i);
		assert_int_equal(step.step, SPLIT_RANGE);
		assert_int_equal(step.export, 2);
		assert_int_equal(step.fh.len, 3);
		assert_string_equal(step.raw, "big");
		assert_string_equal(step.upload_id, "up");
		assert_int_equal(step.upload_part_size, part_size);
		assert_int_equal(step.part_first, next);
		assert_true(step.part_count > 0);
		assert_true(step.part_count == 1 ||
		    split_plan_bytes(&p, i) <= 64 * MIB);
		next += step.part_count;
		bytes += split_plan_bytes(&p, i);
		part = sent(&step);
		/* Of the second range alone, S3 wrote other ETags. */
		if (i == 1)
			part.part_etags = lines(step.part_count);
		assert_true(split_put_take(&p, &step, &part));
		/* Once more changes nothing but the bytes. */
		assert_true(split_put_take(&p, &step, &part));
		part.part_count++;
		assert_false(split_put_take(&p, &step, &part));
		steps++;
		result_release(&part);
		item_release(&step);
	}
	assert_int_equal(next, count);
	assert_int_equal(bytes, size);
	assert_true(steps >= MIN(count, 4 * clients));
	split_put_end(&p, &it);
	assert_int_equal(it.step, SPLIT_END);
	assert_int_equal(it.part_count, count);
	assert_string_equal(it.upload_id, "up");
	check_lines(&p, it.part_etags);
	for (uint64_t i = 0; i < count; i++)
		assert_int_equal(it.part_md5s[i * 16 + 7], i & 255);
	result_release(&r);
	memset(&r, 0, sizeof(r));
	r.has_md5 = true;
	split_put_result(&p, &r);
	assert_false(r.has_md5);
	assert_true(r.has_crc64);
	assert_int_equal(r.crc64, zeros(size));
	p.crc64s[p.count - 1].known = false;
	assert_int_equal(r.part_size, part_size);
	assert_int_equal(r.part_count, count);
	assert_memory_equal(r.part_md5s, it.part_md5s, count * 16);
	assert_int_equal(r.bytes_sent, steps * 20);
	assert_int_equal(r.attempts, 2);
	result_release(&r);
	memset(&r, 0, sizeof(r));
	split_put_result(&p, &r);
	assert_false(r.has_crc64);
	result_release(&r);
	split_plan_release(&p);
	split_put_undo(&it);
	assert_int_equal(it.step, SPLIT_WHOLE);
	assert_null(it.part_md5s);
	item_release(&it);
}

static void
test_put_ways(void **state)
{
	(void)state;
	whole_way(64 * MIB, PART, 2);
	whole_way(64 * MIB + 1, PART, 2);
	whole_way(4 * GIB - 1, PART, 4);
	whole_way(5 * 1024 * GIB, 550 * MIB, 4);
	whole_way(PART, PART, 2);
}

/* --- a fetch --- */

static struct fetch_item *
object(uint64_t size)
{
	struct fetch_item *it = xcalloc(1, sizeof(*it));

	it->key = xstrdup("h/s/big");
	it->path = xstrdup("h/s/big");
	it->size = size;
	snprintf(it->etag, sizeof(it->etag), "e-9");
	return it;
}

/* What the first client says: as listed, but for what is given here. */
static struct fetch_item
begun(const struct fetch_item *it, uint64_t unit, uint64_t part)
{
	struct fetch_item r = *it;

	r.unit = unit;
	r.part_size = part;
	r.result.bytes = 3;
	r.result.attempts = 2;
	return r;
}

static void
test_get_fits(void **state UNUSED)
{
	struct fetch_item *it = object(64 * MIB);

	assert_true(split_get_fits(it));
	it->size--;
	assert_false(split_get_fits(it));
	it->size++;
	it->only_check = true;
	assert_false(split_get_fits(it));
	it->only_check = false;
	/* TEST only reads. */
	free(STEAL(it->path));
	assert_false(split_get_fits(it));
	fetch_item_free(&it);
}

static void
test_get_steps(void **state UNUSED)
{
	struct fetch_item *it = object(3 * UNIT), r, *step;
	uint8_t md5s[2 * 16];
	struct split_plan p;
	char token[FETCH_TOKEN_LEN + 1];

	split_get_begin(it);
	assert_int_equal(it->step, SPLIT_BEGIN);
	assert_int_equal(strlen(it->token), FETCH_TOKEN_LEN);
	memcpy(token, it->token, sizeof(token));
	assert_true(fetch_step_is_sound(it));
	assert_int_equal(fetch_item_bytes(it), 0);
	/* It is another object meanwhile, and longer. */
	r = begun(it, UNIT, GET_PART);
	r.size = 3 * UNIT + GET_PART + 1;
	snprintf(r.etag, sizeof(r.etag), "f-8");
	assert_true(split_get_plan(&p, it, &r));
	assert_int_equal(p.count, 4);
	for (uint32_t i = 0; i < 4; i++) {
		struct fetch_item result = { .result.bytes = 10,
		    .result.attempts = i };

		step = split_get_range(&p, it, i);
		assert_int_equal(step->step, SPLIT_RANGE);
		assert_int_equal(step->range, i);
		assert_int_equal(step->unit, UNIT);
		assert_int_equal(step->part_size, GET_PART);
		assert_int_equal(step->size, r.size);
		assert_string_equal(step->etag, "f-8");
		assert_string_equal(step->token, token);
		assert_string_equal(step->path, "h/s/big");
		assert_true(fetch_step_is_sound(step));
		assert_int_equal(fetch_item_bytes(step), i < 3 ? UNIT :
		    GET_PART + 1);
		memset(md5s, (int)(2 * i), 16);
		memset(md5s + 16, (int)(2 * i + 1), 16);
		result.part_md5s = md5s;
		result.part_count = 3;
		assert_false(split_get_take(&p, step, &result));
		result.part_count = 2;
		assert_true(split_get_take(&p, step, &result));
		/* Once more changes nothing but the bytes. */
		assert_true(split_get_take(&p, step, &result));
		fetch_item_free(&step);
	}
	split_get_end(&p, it);
	assert_int_equal(it->step, SPLIT_END);
	assert_int_equal(it->part_count, 8);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(it->part_md5s[i * 16 + 9], i);
	it->result.bytes = 1;
	split_get_result(&p, it);
	assert_int_equal(it->result.bytes, 1 + 3 + 8 * 10);
	assert_int_equal(it->result.attempts, 3);
	split_plan_release(&p);
	split_get_undo(it);
	assert_int_equal(it->step, SPLIT_WHOLE);
	assert_null(it->part_md5s);
	fetch_item_free(&it);
}

/* No parts are hashed: nothing is told of them. */
static void
test_get_unhashed(void **state UNUSED)
{
	struct fetch_item *it = object(2 * UNIT), r, *step;
	struct fetch_item none = { .result.bytes = 1 };
	struct split_plan p;

	split_get_begin(it);
	r = begun(it, UNIT, 0);
	assert_true(split_get_plan(&p, it, &r));
	for (uint32_t i = 0; i < p.count; i++) {
		step = split_get_range(&p, it, i);
		assert_true(split_get_take(&p, step, &none));
		fetch_item_free(&step);
	}
	split_get_end(&p, it);
	assert_int_equal(it->part_size, 0);
	assert_null(it->part_md5s);
	split_plan_release(&p);
	fetch_item_free(&it);
}

/* A client says what can't be: nothing is begun. */
static void
test_get_unsound(void **state UNUSED)
{
	static const struct {
		uint64_t size, unit, part;
	} bad[] = {
		{ 3 * UNIT, 0, 0 },
		{ 3 * UNIT, UNIT, UNIT - 1 },
		{ 3 * UNIT, UNIT, 2 * UNIT },
		{ 0, UNIT, 0 },
		{ UINT64_MAX, 1, 0 },
		{ UNIT, UNIT, 0 },
		/* So many MD5s nobody has room for. */
		{ UINT64_C(1) << 50, UINT64_C(1) << 40, 1 },
		{ 3 * UNIT, UNIT, 1024 },
		{ (FETCH_RANGES_MAX + 1) * UNIT, UNIT, 0 },
	};
	struct fetch_item *it = object(3 * UNIT), r;
	struct split_plan p;

	split_get_begin(it);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		r = begun(it, bad[i].unit, bad[i].part);
		r.size = bad[i].size;
		assert_false(split_get_plan(&p, it, &r));
		assert_int_equal(it->size, 3 * UNIT);
	}
	fetch_item_free(&it);
}

/* What a master may not say. */
static void
test_get_unsound_steps(void **state UNUSED)
{
	struct fetch_item *it = object(3 * UNIT);

	split_get_begin(it);
	it->step = SPLIT_RANGE;
	it->unit = UNIT;
	it->range = 2;
	assert_true(fetch_step_is_sound(it));
	it->range = 3;
	assert_false(fetch_step_is_sound(it));
	it->range = 0;
	it->token[FETCH_TOKEN_LEN - 1] = '\0';
	assert_false(fetch_step_is_sound(it));
	it->token[FETCH_TOKEN_LEN - 1] = 'a';
	it->raw = xstrdup("file");
	assert_false(fetch_step_is_sound(it));
	free(STEAL(it->raw));
	it->only_check = true;
	assert_false(fetch_step_is_sound(it));
	it->only_check = false;
	free(STEAL(it->path));
	assert_false(fetch_step_is_sound(it));
	it->step = SPLIT_WHOLE;
	assert_true(fetch_step_is_sound(it));
	fetch_item_free(&it);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_fits),
		cmocka_unit_test(test_put_no_upload),
		cmocka_unit_test(test_put_ways),
		cmocka_unit_test(test_get_fits),
		cmocka_unit_test(test_get_steps),
		cmocka_unit_test(test_get_unhashed),
		cmocka_unit_test(test_get_unsound),
		cmocka_unit_test(test_get_unsound_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
