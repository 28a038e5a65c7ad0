#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <math.h>
#include <cmocka.h>

#include "report/charts.h"
#include "report/report_internal.h"
#include "report/text.h"

static struct buf out;

static int
setup(void **state)
{
	(void)state;
	buf_init(&out, SIZE_MAX >> 1);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	buf_release(&out);
	return 0;
}

static const char *
html(const char *s)
{
	buf_clear(&out);
	buf_addstr(&out, "");
	html_text(&out, s);
	return out.data;
}

static size_t
count_of(const char *part)
{
	size_t n = 0;

	for (const char *p = out.data; (p = strstr(p, part)) != NULL; p++)
		n++;
	return n;
}

static void
text_is_escaped(void **state)
{
	(void)state;
	assert_string_equal(html(""), "");
	assert_string_equal(html("plain \xc3\xbc"), "plain \xc3\xbc");
	assert_string_equal(html("<a b=\"c\" d='e'>&"),
	    "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;");
	assert_string_equal(html("\n\x1b[1m\xff"), "\\x0a\\x1b[1m\\xff");
	/* What XML can't have. */
	assert_string_equal(html("\xef\xbf\xbe\xef\xbf\xbf."),
	    "\xef\xbf\xbd\xef\xbf\xbd.");
	assert_string_equal(html("\xef\xbf\xbd"), "\xef\xbf\xbd");
	/* What would turn the text behind it around. */
	assert_string_equal(html("a\xe2\x80\xae" "fdp.exe\xd8\x9c\xd8\x9d"),
	    "a\\xe2\\x80\\xae" "fdp.exe\\xd8\\x9c\xd8\x9d");
}

static void
numbers_read_well(void **state)
{
	char s[48];

	(void)state;
	assert_string_equal(chart_count(0, s), "0");
	assert_string_equal(chart_count(2.5, s), "2.5");
	assert_string_equal(chart_count(1234.4, s), "1,234");
	assert_string_equal(chart_bytes(0, s), "0 B");
	assert_string_equal(chart_bytes(41943040, s), "40 MiB");
	assert_string_equal(chart_bytes(1536, s), "1.5 KiB");
	assert_string_equal(chart_time(0.5, s), "0.5 s");
	assert_string_equal(chart_time(45, s), "45 s");
	assert_string_equal(chart_time(90, s), "1:30 min");
	assert_string_equal(chart_time(960, s), "16 min");
	assert_string_equal(chart_time(7200, s), "2 h");
	assert_string_equal(chart_time(3840, s), "1 h 04 min");
}

static void
percents_don_t_round_to_all_or_nothing(void **state)
{
	char s[16];

	(void)state;
	assert_string_equal(text_percent(0, 0, s), "-");
	assert_string_equal(text_percent(0, 7, s), "0 %");
	assert_string_equal(text_percent(7, 7, s), "100 %");
	assert_string_equal(text_percent(1, 1000000, s), "0.1 %");
	assert_string_equal(text_percent(999999, 1000000, s), "99.9 %");
	assert_string_equal(text_percent(1, 3, s), "33.3 %");
}

static void
columns_fit_their_axis(void **state)
{
	static const struct {
		double	 value;
		bool	 binary;
		const char *top;
	} rows[] = {
		{ 0, false, ">0<" },
		{ 0.3, false, ">0.3<" },
		{ 7, false, ">8<" },
		{ 1001, false, ">1,500<" },
		{ 9e6, false, ">10,000,000<" },
		{ 1000, true, ">1000 B<" },
		{ 1025, true, ">1.5 KiB<" },
		{ 3.9 * 1024 * 1024, true, ">4 MiB<" },
		{ 1e15, true, ">1000 TiB<" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct chart c = { .id = "x", .title = "t", .unit = "/s",
		    .number = rows[i].binary ? chart_bytes : chart_count,
		    .binary = rows[i].binary };
		struct chart_column v[] = { { .value = rows[i].value },
		    { .after = 10 } };

		buf_clear(&out);
		chart_columns(&out, &c, v, 2, 10);
		if (strstr(out.data, rows[i].top) == NULL)
			fail_msg("%zu: no %s in %s", i, rows[i].top,
			    out.data);
		assert_null(strstr(out.data, "nan"));
		assert_null(strstr(out.data, "inf"));
		assert_null(strstr(out.data, "\"-"));
		assert_in_range(count_of("class=\"grid\""), 2, 7);
		assert_int_equal(count_of("class=\"c1\""),
		    rows[i].value > 0);
	}
}

static void
what_is_there_is_seen(void **state)
{
	struct chart c = { .id = "x", .title = "a < b", .unit = "",
	    .number = chart_count };
	struct chart_row v[] = { { "many", 1e9, "c1" }, { "few", 1, "bad" },
	    { "none", 0, "idle" } };

	(void)state;
	chart_stack(&out, &c, v, 3);
	assert_non_null(strstr(out.data, "a &lt; b"));
	assert_int_equal(count_of("<rect"), 2);
	assert_int_equal(count_of("class=\"bad\""), 1);
	assert_non_null(strstr(out.data, "width=\"2.00\""));
	assert_non_null(strstr(out.data,
	    "many 1,000,000,000, few 1.</desc>"));
	buf_clear(&out);
	chart_stack(&out, &c, &v[2], 1);
	assert_int_equal(count_of("class=\"empty\""), 1);
	buf_clear(&out);
	chart_rows(&out, &c, v, 3);
	assert_int_equal(count_of("<rect"), 3);
	assert_non_null(strstr(out.data, "Most: many, 1,000,000,000."));
	assert_int_equal(count_of("width=\"0.0\""), 1);
	buf_clear(&out);
	chart_rows(&out, &c, v, 0);
	assert_int_equal(count_of("<rect"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(text_is_escaped),
		T(numbers_read_well),
		T(percents_don_t_round_to_all_or_nothing),
		T(columns_fit_their_axis),
		T(what_is_there_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
