#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "json/jval.h"
#include "json/jwrite.h"

static void
values_are_lent_in_order(void **state)
{
	static const char text[] = "{\"b\": [1, \"x\\u00e9\", true, null, 1.5],"
	    " \"a\": {}, \"z\": -7}";
	static const char *const keys[] = { "b", "a", "z" };
	static const char *const texts[] = { "1", "x\xc3\xa9", "yes", NULL,
		"1.5" };
	CLEANUP(jval_free) struct jval *root = NULL;
	struct err err = ERR_INIT;
	const struct jval *list;
	size_t n = 0;

	(void)state;
	assert_int_equal(jval_parse(str_of(text), "t", &root, &err), 0);
	assert_int_equal(jval_type(root), JVAL_OBJECT);
	for (void *it = jval_first(root); it != NULL;
	    it = jval_next(root, it))
		assert_string_equal(jval_key(it), keys[n++]);
	assert_int_equal(n, 3);
	assert_int_equal(jval_int(jval_get(root, "z")), -7);
	assert_null(jval_get(root, "y"));
	list = jval_get(root, "b");
	assert_int_equal(jval_count(list), 5);
	assert_null(jval_at(list, 5));
	for (size_t i = 0; i < 5; i++) {
		CLEANUP(buf_release) struct buf b;

		buf_init(&b, 100);
		assert_int_equal(jval_text(jval_at(list, i), &b),
		    texts[i] != NULL);
		assert_string_equal(buf_str(&b).p,
		    texts[i] == NULL ? "" : texts[i]);
	}
	assert_string_equal(jval_string(jval_at(list, 1)), "x\xc3\xa9");
	assert_null(jval_string(jval_at(list, 0)));
	assert_string_equal(jval_type_name(jval_at(list, 3)), "null");
}

#define TEXT(literal) { literal, sizeof(literal) - 1 }

static void
bad_syntax_has_line_and_column(void **state)
{
	static const struct {
		struct str text;
		const char *start;
	} rows[] = {
		{ TEXT("{\n  \"a\": 1,\n  \"b\" 2\n}"), "t:3:" },
		{ TEXT("{\"a\": 1,}"), "t:1:9: " },
		{ TEXT("{\"a\": 1, \"a\": 2}"), "t:1:12: duplicate" },
		{ TEXT("{} x"), "t:1:4: end of file expected" },
		{ TEXT(""), "t:1:0: " },
		{ TEXT("\"a\\u0000b\""), "t:1:" },
		{ TEXT("\"\xff\""), "t:1:" },
		{ TEXT("{\"a\0\": 1}"), "t:1:" },
		{ TEXT("[1"), "t:1:2: " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(jval_free) struct jval *root = NULL;
		struct err err = ERR_INIT;

		assert_int_equal(jval_parse(rows[i].text, "t", &root, &err),
		    -1);
		assert_null(root);
		assert_int_equal(err.kind, ERR_CONFIG);
		if (strncmp(err.msg, rows[i].start,
		    strlen(rows[i].start)) != 0)
			fail_msg("row %zu: %s", i, err.msg);
	}
}

static void
what_is_written_is_json(void **state)
{
	CLEANUP(buf_release) struct buf b;
	struct jwrite w;

	(void)state;
	buf_init(&b, 1000);
	w = jwrite_begin(&b);
	jwrite_object(&w, NULL);
	jwrite_cstr(&w, "s", "a\"\\\n\t\x01\x7f\xc2\x9b\xc3\xa9/");
	jwrite_str(&w, "bytes", STR("a\xff\0b"));
	jwrite_uint(&w, "max", UINT64_MAX);
	jwrite_int(&w, "min", INT64_MIN);
	jwrite_array(&w, "list");
	jwrite_object(&w, NULL);
	jwrite_end(&w);
	jwrite_real(&w, NULL, 0.1234);
	jwrite_real(&w, NULL, INFINITY);
	jwrite_end(&w);
	jwrite_null(&w, "key\"");
	jwrite_end(&w);
	assert_string_equal(b.data,
	    "{\"s\":\"a\\\"\\\\\\u000a\\u0009\\u0001\\u007f\\u009b\xc3\xa9/\","
	    "\"bytes\":\"a\xef\xbf\xbd\\u0000b\","
	    "\"max\":18446744073709551615,\"min\":-9223372036854775808,"
	    "\"list\":[{},0.123,null],\"key\\\"\":null}");
}

static void
every_byte_comes_back(void **state)
{
	(void)state;
	for (unsigned c = 1; c < 0x80; c++) {
		CLEANUP(jval_free) struct jval *root = NULL;
		CLEANUP(buf_release) struct buf b;
		char text[2] = { (char)c, '\0' };
		struct jwrite w;

		buf_init(&b, 100);
		w = jwrite_begin(&b);
		jwrite_array(&w, NULL);
		jwrite_cstr(&w, NULL, text);
		jwrite_end(&w);
		assert_int_equal(jval_parse(buf_str(&b), "t", &root, NULL),
		    0);
		assert_string_equal(jval_string(jval_at(root, 0)), text);
	}
}

static void
a_full_buffer_is_seen(void **state)
{
	CLEANUP(buf_release) struct buf b;
	struct jwrite w;

	(void)state;
	buf_init(&b, 10);
	w = jwrite_begin(&b);
	jwrite_array(&w, NULL);
	jwrite_cstr(&w, NULL, "longer than ten bytes");
	jwrite_end(&w);
	assert_true(buf_overflowed(&b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_lent_in_order),
		cmocka_unit_test(bad_syntax_has_line_and_column),
		cmocka_unit_test(what_is_written_is_json),
		cmocka_unit_test(every_byte_comes_back),
		cmocka_unit_test(a_full_buffer_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
