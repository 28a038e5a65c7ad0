#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "print/rows.h"
#include "report/text.h"

static char text[1 << 20];

static struct value
text_value(const char *s)
{
	return (struct value){ .type = VALUE_TEXT, .bytes = str_of(s) };
}

static struct value
integer(int64_t n)
{
	return (struct value){ .type = VALUE_INTEGER, .integer = n };
}

static struct value
real(double x)
{
	return (struct value){ .type = VALUE_REAL, .real = x };
}

static const char *const names[] = { "path", "n" };

static const char *
print(enum rows_format format, bool tty, const char *const *columns,
    const struct value (*rows)[2], size_t count)
{
	FILE *f = tmpfile();
	struct rows *r = rows_new(f, format, tty);
	size_t n;

	assert_non_null(f);
	assert_true(rows_take(r, 2, columns, NULL));
	for (size_t i = 0; i < count; i++)
		assert_true(rows_take(r, 2, columns, rows[i]));
	assert_int_equal(rows_end(&r), 0);
	assert_null(r);
	rewind(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

static void
formats_of_the_same_rows(void **state)
{
	const struct value blob = { .type = VALUE_BLOB,
		.bytes = STR("\x00\xff") };
	const struct value none = { .type = VALUE_NULL };
	const struct value rows[][2] = {
		{ text_value("h/s/a,\"b\""), integer(-12) },
		{ text_value("\xc3\xa9\n\x1b[2J"), real(0.1) },
		{ blob, none },
	};

	(void)state;
	assert_string_equal(print(ROWS_TABLE, false, names, rows, 3),
	    "path          n\n"
	    "------------  ---\n"
	    "h/s/a,\"b\"     -12\n"
	    "\xc3\xa9\\x0a\\x1b[2J  0.1\n"
	    "00ff          \n");
	assert_string_equal(print(ROWS_CSV, false, names, rows, 3),
	    "path,n\n"
	    "\"h/s/a,\"\"b\"\"\",-12\n"
	    "\"\xc3\xa9\n\x1b[2J\",0.1\n"
	    "00ff,\n");
	assert_string_equal(print(ROWS_CSV, true, names, rows, 3),
	    "path,n\n"
	    "\"h/s/a,\"\"b\"\"\",-12\n"
	    "\"\xc3\xa9\\x0a\\x1b[2J\",0.1\n"
	    "00ff,\n");
	assert_string_equal(print(ROWS_TSV, false, names, rows, 3),
	    "path\tn\n"
	    "h/s/a,\"b\"\t-12\n"
	    "\xc3\xa9\\x0a\\x1b[2J\t0.1\n"
	    "00ff\t\n");
	assert_string_equal(print(ROWS_JSON, false, names, rows, 3),
	    "[\n"
	    "{\"path\":\"h/s/a,\\\"b\\\"\",\"n\":-12},\n"
	    "{\"path\":\"\xc3\xa9\\u000a\\u001b[2J\",\"n\":0.1},\n"
	    "{\"path\":\"00ff\",\"n\":null}\n"
	    "]\n");
}

static void
no_rows_have_names_all_the_same(void **state)
{
	(void)state;
	assert_string_equal(print(ROWS_TABLE, false, names, NULL, 0),
	    "path  n\n----  -\n");
	assert_string_equal(print(ROWS_CSV, false, names, NULL, 0),
	    "path,n\n");
	assert_string_equal(print(ROWS_JSON, false, names, NULL, 0),
	    "[\n]\n");
}

static void
names_are_escaped_too(void **state)
{
	static const char *const odd[] = { "a\x1b", "b\"" };
	const struct value rows[][2] = { { integer(1), integer(2) } };

	(void)state;
	assert_string_equal(print(ROWS_TABLE, false, odd, rows, 1),
	    "a\\x1b  b\"\n-----  --\n    1   2\n");
	assert_string_equal(print(ROWS_JSON, false, odd, rows, 1),
	    "[\n{\"a\\u001b\":1,\"b\\\"\":2}\n]\n");
	assert_string_equal(print(ROWS_CSV, false, odd, rows, 1),
	    "a\x1b,\"b\"\"\"\n1,2\n");
}

static void
numbers_read_back(void **state)
{
	const struct value rows[][2] = {
		{ real(1.0 / 3), real(1e300 * 1e10) },
		{ integer(INT64_MIN), integer(INT64_MAX) },
	};

	(void)state;
	assert_string_equal(print(ROWS_JSON, false, names, rows, 2),
	    "[\n{\"path\":0.3333333333333333,\"n\":null},\n"
	    "{\"path\":-9223372036854775808,\"n\":9223372036854775807}\n]\n");
}

/* Rows beyond those that gave the widths are printed, whatever they hold. */
static void
long_tables_stream(void **state)
{
	static struct value rows[2500][2];
	size_t lines = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		rows[i][0] = text_value(i == 2000 ? "much wider" : "a");
		rows[i][1] = integer((int64_t)i);
	}
	print(ROWS_TABLE, false, names, (const struct value (*)[2])rows,
	    ARRAY_LEN(rows));
	for (const char *p = text; *p != '\0'; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 2502);
	assert_non_null(strstr(text, "\na     1999\nmuch wider  2000\n"));
	assert_non_null(strstr(text, "\na       0\n"));
}

static void
columns_have_a_widest(void **state)
{
	struct value rows[2][2];
	char wide[101];

	(void)state;
	memset(wide, 'w', 100);
	wide[100] = '\0';
	rows[0][0] = text_value(wide);
	rows[0][1] = integer(1);
	rows[1][0] = text_value("a");
	rows[1][1] = integer(2);
	print(ROWS_TABLE, false, names, (const struct value (*)[2])rows, 2);
	assert_non_null(strstr(text, "www  1\na  "));
	assert_int_equal(strlen(text), 4 * 84 + 20);
}

#define ZHONG	"\xe4\xb8\xad"		/* two columns */
#define ACUTE	"\xcc\x81"		/* none: on the letter before it */
#define E_ACUTE	"\xc3\xa9"		/* one */

static void
columns_are_of_the_terminal(void **state)
{
	const struct value rows[][2] = {
		{ text_value(ZHONG ZHONG), integer(1) },
		{ text_value("e" ACUTE "cole"), integer(10) },
		{ text_value(E_ACUTE), integer(100) },
	};

	(void)state;
	assert_string_equal(print(ROWS_TABLE, false, names, rows, 3),
	    "path   n\n"
	    "-----  ---\n"
	    ZHONG ZHONG "     1\n"
	    "e" ACUTE "cole   10\n"
	    E_ACUTE "      100\n");
}

static void
texts_are_cut_between_characters(void **state)
{
	(void)state;
	assert_int_equal(text_width(""), 0);
	assert_int_equal(text_width("abc"), 3);
	assert_int_equal(text_width(ZHONG E_ACUTE "e" ACUTE), 4);
	assert_int_equal(text_width("\xff" "a"), 2);
	assert_int_equal(text_pad(ZHONG, 5), 3);
	assert_int_equal(text_pad(ZHONG, 1), 0);
	assert_int_equal(text_fit("abc", 2), 2);
	assert_int_equal(text_fit("abc", 9), 3);
	assert_int_equal(text_fit(ZHONG ZHONG, 3), 3);
	assert_int_equal(text_fit("e" ACUTE "x", 1), 3);
	assert_int_equal(text_fit("e" ACUTE "x", 0), 0);
}

static void
full_disk_is_noticed(void **state)
{
	static const enum rows_format formats[] = { ROWS_TABLE, ROWS_CSV };
	const struct value row[2] = { integer(1), integer(2) };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		FILE *f = fopen("/dev/full", "w");
		struct rows *r = rows_new(f, formats[i], false);

		assert_non_null(f);
		(void)rows_take(r, 2, names, NULL);
		(void)rows_take(r, 2, names, row);
		assert_int_equal(rows_end(&r), -1);
		fclose(f);
	}
}

static void
format_names(void **state)
{
	enum rows_format f;

	(void)state;
	assert_true(rows_format_of("JSON", &f));
	assert_int_equal(f, ROWS_JSON);
	assert_true(rows_format_of("tsv", &f));
	assert_int_equal(f, ROWS_TSV);
	assert_false(rows_format_of("html", &f));
	assert_false(rows_format_of("", &f));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_of_the_same_rows),
		cmocka_unit_test(no_rows_have_names_all_the_same),
		cmocka_unit_test(names_are_escaped_too),
		cmocka_unit_test(numbers_read_back),
		cmocka_unit_test(long_tables_stream),
		cmocka_unit_test(columns_have_a_widest),
		cmocka_unit_test(columns_are_of_the_terminal),
		cmocka_unit_test(texts_are_cut_between_characters),
		cmocka_unit_test(full_disk_is_noticed),
		cmocka_unit_test(format_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
