/*
 * An object that several clients fetch together: its steps, and what they
 * make.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "team/split_get.h"

#define UNIT	(8 * MIB)
#define PART	(4 * MIB)

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
	r.bytes = 3;
	r.attempts = 2;
	return r;
}

static void
test_fit(void **state UNUSED)
{
	struct fetch_item *it = object(64 * MIB);

	assert_true(ranges_fit(it));
	it->size--;
	assert_false(ranges_fit(it));
	it->size++;
	it->only_check = true;
	assert_false(ranges_fit(it));
	it->only_check = false;
	/* TEST only reads. */
	free(STEAL(it->path));
	assert_false(ranges_fit(it));
	fetch_item_free(&it);
}

static void
test_steps(void **state UNUSED)
{
	struct fetch_item *it = object(3 * UNIT), r, *step;
	uint8_t md5s[2 * 16];
	struct ranges *rs;
	char token[FETCH_TOKEN_LEN + 1];

	ranges_begin(it);
	assert_int_equal(it->step, STEP_BEGIN);
	assert_int_equal(strlen(it->token), FETCH_TOKEN_LEN);
	memcpy(token, it->token, sizeof(token));
	assert_true(fetch_step_is_sound(it));
	assert_int_equal(fetch_item_bytes(it), 0);
	/* It is another object meanwhile, and longer. */
	r = begun(it, UNIT, PART);
	r.size = 3 * UNIT + PART + 1;
	snprintf(r.etag, sizeof(r.etag), "f-8");
	rs = ranges_new(it, &r);
	assert_non_null(rs);
	for (uint32_t i = 0; i < 4; i++) {
		struct fetch_item result = { .bytes = 10, .attempts = i };

		step = ranges_next(rs);
		assert_non_null(step);
		assert_int_equal(step->step, STEP_RANGE);
		assert_int_equal(step->range, i);
		assert_int_equal(step->unit, UNIT);
		assert_int_equal(step->part_size, PART);
		assert_int_equal(step->size, r.size);
		assert_string_equal(step->etag, "f-8");
		assert_string_equal(step->token, token);
		assert_string_equal(step->path, "h/s/big");
		assert_true(fetch_step_is_sound(step));
		assert_int_equal(fetch_item_bytes(step), i < 3 ? UNIT :
		    PART + 1);
		memset(md5s, (int)(2 * i), 16);
		memset(md5s + 16, (int)(2 * i + 1), 16);
		result.part_md5s = md5s;
		result.part_count = 3;
		assert_false(ranges_take(rs, step, &result));
		result.part_count = 2;
		assert_true(ranges_take(rs, step, &result));
		fetch_item_free(&step);
	}
	assert_null(ranges_next(rs));
	ranges_end(rs, it);
	assert_int_equal(it->step, STEP_END);
	assert_int_equal(it->part_count, 8);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(it->part_md5s[i * 16 + 9], i);
	it->bytes = 1;
	ranges_result(rs, it);
	assert_int_equal(it->bytes, 1 + 3 + 8 * 10);
	assert_int_equal(it->attempts, 3);
	ranges_free(&rs);
	ranges_undo(it);
	assert_int_equal(it->step, STEP_WHOLE);
	assert_null(it->part_md5s);
	fetch_item_free(&it);
}

/* No parts are hashed: nothing is told of them. */
static void
test_whole(void **state UNUSED)
{
	struct fetch_item *it = object(2 * UNIT), r, *step;
	struct fetch_item none = { .bytes = 1 };
	struct ranges *rs;

	ranges_begin(it);
	r = begun(it, UNIT, 0);
	rs = ranges_new(it, &r);
	while ((step = ranges_next(rs)) != NULL) {
		assert_true(ranges_take(rs, step, &none));
		fetch_item_free(&step);
	}
	ranges_end(rs, it);
	assert_int_equal(it->part_size, 0);
	assert_null(it->part_md5s);
	ranges_free(&rs);
	fetch_item_free(&it);
}

/* A client says what can't be: nothing is begun. */
static void
test_unsound(void **state UNUSED)
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

	ranges_begin(it);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		r = begun(it, bad[i].unit, bad[i].part);
		r.size = bad[i].size;
		assert_null(ranges_new(it, &r));
		assert_int_equal(it->size, 3 * UNIT);
	}
	fetch_item_free(&it);
}

/* What a master may not say. */
static void
test_unsound_steps(void **state UNUSED)
{
	struct fetch_item *it = object(3 * UNIT);

	ranges_begin(it);
	it->step = STEP_RANGE;
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
	it->step = STEP_WHOLE;
	assert_true(fetch_step_is_sound(it));
	fetch_item_free(&it);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fit),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_unsound),
		cmocka_unit_test(test_unsound_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
