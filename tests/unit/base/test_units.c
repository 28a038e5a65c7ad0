#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/units.h"

static void
parse_reads_what_people_write(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} rows[] = {
		{ "0", 0 }, { "812", 812 }, { "812B", 812 }, { "1k", 1024 },
		{ "1K", 1024 }, { "1KiB", 1024 }, { "1kib", 1024 },
		{ "1KB", 1000 }, { "1.5K", 1536 }, { "0.1KB", 100 },
		{ "0.3KB", 300 }, { "0.001KB", 1 }, { "10M", 10485760 },
		{ "10 MiB", 10485760 }, { "10MB", 10000000 },
		{ "1G", 1073741824 }, { "1.25GB", 1250000000 },
		{ "2T", 2199023255552 }, { "2TiB", 2199023255552 },
		{ "2TB", 2000000000000 }, { "1P", 1125899906842624 },
		{ "18446744073709551615", UINT64_MAX },
		{ "15.5E", 17870283321406128128U },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;
		uint64_t bytes = 1;

		if (units_parse(rows[i].text, &bytes, &err) == -1)
			fail_msg("%s: %s", rows[i].text, err.msg);
		if (bytes != rows[i].bytes)
			fail_msg("%s: %ju", rows[i].text, (uintmax_t)bytes);
	}
}

static void
parse_refuses_the_rest(void **state)
{
	static const char *const rows[] = {
		"", " ", "K", "-1", "+1", "1.", ".5K", "1..5K", "1.5", "1.5B",
		"1X", "1KBB", "1Ki", "1K ", "1 ", "1  K", "1,5K", "0x10",
		"18446744073709551616", "16E", "15.9999999999999999999999E9",
		"99999999999999999999999", "20000000T", "1e3", "1K\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;
		uint64_t bytes = 77;

		if (units_parse(rows[i], &bytes, &err) != -1)
			fail_msg("\"%s\" gives %ju", rows[i], (uintmax_t)bytes);
		assert_int_equal(err.kind, ERR_USAGE);
		assert_int_equal(bytes, 77);
	}
}

static void
format_rounds_to_a_tenth(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} rows[] = {
		{ 0, "0 B" }, { 812, "812 B" }, { 1023, "1023 B" },
		{ 1024, "1.0 KiB" }, { 1536, "1.5 KiB" },
		{ 3565158, "3.4 MiB" }, { 1048575, "1.0 MiB" },
		{ 1048524, "1023.9 KiB" }, { 10485760, "10.0 MiB" },
		{ 1073741824, "1.0 GiB" }, { 2199023255552, "2.0 TiB" },
		{ UINT64_MAX, "16.0 EiB" }, { (uint64_t)1 << 60, "1.0 EiB" },
	};
	char out[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(units_format(rows[i].bytes, out),
		    rows[i].text);
}

/* What is printed reads back to within the tenth. */
static void
format_and_parse_agree(void **state)
{
	(void)state;
	for (uint64_t n = 1; n < UINT64_MAX / 3; n = n * 2 + n / 3 + 1) {
		char out[16];
		uint64_t back, apart;

		assert_int_equal(units_parse(units_format(n, out), &back,
		    NULL), 0);
		apart = back > n ? back - n : n - back;
		assert_true(apart <= n / 10);
	}
}

static void
times(void **state)
{
	static const struct {
		const char *text;
		uint64_t sec;
		const char *shown;
	} rows[] = {
		{ "0", 0, "0s" }, { "90", 90, "90s" }, { "90s", 90, "90s" },
		{ "15m", 900, "15m" }, { "24h", 86400, "24h" },
		{ "1D", 86400, "24h" }, { "7d", 604800, "7d" },
	};
	static const char *const bad[] = { "", "h", "-1", "1.5h", "1 h", "1hh",
		"1w", "9999999999999" };
	char out[24];
	uint64_t sec;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(units_parse_time(rows[i].text, &sec, NULL),
		    0);
		assert_int_equal(sec, rows[i].sec);
		assert_string_equal(units_format_time(sec, out),
		    rows[i].shown);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(units_parse_time(bad[i], &sec, NULL), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times),
		cmocka_unit_test(parse_reads_what_people_write),
		cmocka_unit_test(parse_refuses_the_rest),
		cmocka_unit_test(format_rounds_to_a_tenth),
		cmocka_unit_test(format_and_parse_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
