#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/exit_status.h"
#include "base/log.h"
#include "report/progress.h"
#include "report/summary.h"
#include "report/text.h"

/* --- numbers --- */

static void
numbers_read_well(void **state)
{
	char out[48];

	(void)state;
	assert_string_equal(text_count(0, out), "0");
	assert_string_equal(text_count(999, out), "999");
	assert_string_equal(text_count(1000, out), "1,000");
	assert_string_equal(text_count(1234567, out), "1,234,567");
	assert_string_equal(text_count(UINT64_MAX, out),
	    "18,446,744,073,709,551,615");
	assert_string_equal(text_duration(0, out), "0.0 s");
	assert_string_equal(text_duration(4.24, out), "4.2 s");
	assert_string_equal(text_duration(59.96, out), "1:00 min");
	assert_string_equal(text_duration(187, out), "3:07 min");
	assert_string_equal(text_duration(3599.7, out), "1:00:00 h");
	assert_string_equal(text_duration(90000, out), "25:00:00 h");
	assert_string_equal(text_duration(-1, out), "0.0 s");
	assert_non_null(text_duration(1e300, out));
	assert_string_equal(text_byte_rate(1048576, out), "1.0 MiB/s");
	assert_string_equal(text_byte_rate(-5, out), "0 B/s");
	assert_string_equal(text_object_rate(0, out), "0.0 objects/s");
	assert_string_equal(text_object_rate(9.94, out), "9.9 objects/s");
	assert_string_equal(text_object_rate(9.96, out), "10 objects/s");
	assert_string_equal(text_object_rate(81300.2, out),
	    "81,300 objects/s");
	assert_string_equal(text_object_rate(0.0 / 0.0, out),
	    "0.0 objects/s");
}

static void
each_kind_has_its_exit_status(void **state)
{
	static const int rows[ERR__MAX] = {
		[ERR_NONE] = 0, [ERR_RETRY] = 3, [ERR_GONE] = 1,
		[ERR_DENIED] = 3, [ERR_CORRUPT] = 4, [ERR_RESOURCE] = 1,
		[ERR_PEER] = 1, [ERR_UNREACHABLE] = 3, [ERR_INVALID] = 1,
		[ERR_CONFIG] = 2, [ERR_USAGE] = 2, [ERR_STOPPED] = 130,
		[ERR_BUG] = 1, [ERR_REFUSED] = 3,
	};

	(void)state;
	for (int kind = 0; kind < ERR__MAX; kind++) {
		struct err err = { .kind = (enum err_kind)kind };

		assert_int_equal(exit_status_of(&err), rows[kind]);
	}
}

/* --- the summary --- */

static char text[64 * 1024];

static void
print(const struct summary *s)
{
	FILE *f = tmpfile();
	size_t n;

	assert_non_null(f);
	summary_print(f, s);
	rewind(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
}

static const struct totals some = { .found = 1200017, .moved = 1000000,
	.unchanged = 200000, .failed = 12, .excluded = 5, .gone = 3,
	.bytes = 3650722201, .found_bytes = 4000000000 };

static void
summary_says_it_all(void **state)
{
	struct run_failure failures[10];
	struct summary s = { .op = OP_PUT, .run = 17, .seconds = 12.5,
		.totals = some, .closes = true, .failures = failures,
		.failure_count = 10 };

	(void)state;
	for (size_t i = 0; i < 10; i++) {
		snprintf(failures[i].path, sizeof(failures[i].path),
		    "h/s/%zu\\x0a", i);
		snprintf(failures[i].kind, sizeof(failures[i].kind), "denied");
		snprintf(failures[i].reason, sizeof(failures[i].reason),
		    "Permission denied");
	}
	print(&s);
	assert_non_null(strstr(text, "PUT finished after 12.5 s (run 17)\n"));
	assert_non_null(strstr(text, "  found            1,200,017   "
	    "= moved + unchanged + failed + excluded\n"));
	assert_non_null(strstr(text, "  moved            1,000,000   "
	    "3.4 GiB, 278.5 MiB/s, 80,000 objects/s\n"));
	assert_non_null(strstr(text, "  gone                     3   no "));
	assert_non_null(strstr(text,
	    "  denied      h/s/0\\x0a: Permission denied\n"));
	assert_non_null(strstr(text, "  and 2 more\n"));
	assert_non_null(strstr(text, "all: datamover sql "
	    "'SELECT * FROM failures WHERE run = 17'\n"));
	s.crawl = 15;
	print(&s);
	assert_non_null(strstr(text, "WHERE run BETWEEN 15 AND 17'\n"));
	s.crawl = 17;
	print(&s);
	assert_non_null(strstr(text, "WHERE run = 17'\n"));
	assert_null(strstr(text, "DO NOT CLOSE"));
	assert_null(strstr(text, "pending"));
	assert_null(strstr(text, "again"));
}

static void
summary_of_other_ends(void **state)
{
	struct summary s = { .op = OP_PUT, .run = 3, .seconds = 0,
		.totals = some, .closes = false, .interrupted = true };

	(void)state;
	s.totals.pending = 9;
	print(&s);
	assert_non_null(strstr(text, "PUT was interrupted after 0.0 s"));
	assert_non_null(strstr(text, "THE TOTALS DO NOT CLOSE"));
	assert_non_null(strstr(text, "+ excluded + pending\n"));
	assert_non_null(strstr(text, "give the same command again\n"));

	s = (struct summary){ .op = OP_PUT, .run = 3, .seconds = 1,
		.totals = some, .closes = true, .broken = true };
	print(&s);
	assert_non_null(strstr(text, "PUT was ended by an error after 1.0 s"));
	assert_null(strstr(text, "= moved"));

	s = (struct summary){ .op = OP_PUT, .run = 3, .seconds = 1,
		.totals = some, .closes = true, .dryrun = true };
	print(&s);
	assert_non_null(strstr(text, "PUT --dryrun finished after 1.0 s\n"));
	assert_non_null(strstr(text, "(read, not uploaded)"));
	assert_null(strstr(text, "datamover sql"));

	s = (struct summary){ .op = OP_LIST, .seconds = 2, .closes = true,
		.totals = { .found = 10, .found_bytes = 2048 } };
	print(&s);
	assert_string_equal(text, "LIST finished after 2.0 s\n"
	    "  found                   10   2.0 KiB, 1.0 KiB/s, "
	    "5.0 objects/s\n");
}

static void
json_line(const char *want, enum op op, const struct totals *t,
    double seconds, const char *error, int64_t run)
{
	struct summary s = { .op = op, .seconds = seconds, .run = run,
	    .status = error != NULL ? 3 : t == NULL ? 5 : 0,
	    .reason = t == NULL ? "--max-delete" : NULL };
	FILE *f = tmpfile();
	size_t n;

	assert_non_null(f);
	if (t != NULL)
		s.totals = *t;
	summary_json(f, &s, error);
	rewind(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	assert_string_equal(text, want);
}

static void
json_is_one_line(void **state)
{
	(void)state;
	json_line("{\"operation\":\"PUT\",\"found\":1200017,"
	    "\"moved\":1000000,\"unchanged\":200000,\"failed\":12,"
	    "\"excluded\":5,\"gone\":3,\"deleted\":0,"
	    "\"pending\":0,\"bytes\":3650722201,"
	    "\"seconds\":12.500,\"run\":17,"
	    "\"exit_status\":0}\n", OP_PUT, &some, 12.5, NULL, 17);
	json_line("{\"operation\":\"LIST\",\"found\":1200017,"
	    "\"bytes\":4000000000,\"seconds\":0.000,\"exit_status\":0}\n",
	    OP_LIST, &some, 0, NULL, 0);
	json_line("{\"operation\":\"PUT\",\"found\":0,\"moved\":0,"
	    "\"unchanged\":0,\"failed\":0,\"excluded\":0,\"gone\":0,"
	    "\"deleted\":0,\"pending\":0,\"bytes\":0,\"seconds\":0.000,"
	    "\"exit_status\":5,\"reason\":\"--max-delete\"}\n", OP_PUT, NULL,
	    0, NULL, 0);
	json_line("{\"operation\":\"PUT\",\"found\":0,\"moved\":0,"
	    "\"unchanged\":0,\"failed\":0,\"excluded\":0,\"gone\":0,"
	    "\"deleted\":0,\"pending\":0,\"bytes\":0,\"seconds\":0.000,"
	    "\"exit_status\":3,"
	    "\"error\":\"a\\u001f\\u000a\\\"\\\\\xc3\xa9\xef\xbf\xbd"
	    "\\u007f\\u009b\xc2\xa0\"}\n", OP_PUT, NULL, 0,
	    "a\x1f\n\"\\\xc3\xa9\xff\x7f\xc2\x9b\xc2\xa0", 0);
}

/* --- progress: standard error is a file here --- */

static int saved = -1, out = -1;

static int
setup(void **state)
{
	char name[] = "/tmp/test_report.XXXXXX";

	(void)state;
	out = mkostemp(name, O_APPEND);
	assert_int_not_equal(out, -1);
	unlink(name);
	saved = dup(STDERR_FILENO);
	dup2(out, STDERR_FILENO);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(out);
	return 0;
}

static const char *
written(void)
{
	ssize_t n = pread(out, text, sizeof(text) - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	assert_int_equal(ftruncate(out, 0), 0);
	return text;
}

static void
begins(const char *got, const char *want)
{
	if (strncmp(got, want, strlen(want)) != 0)
		assert_string_equal(got, want);
}

static void
off_a_terminal_a_line_each_30_s(void **state)
{
	struct progress *p = progress_new(false);
	struct totals t = { .found = 0 };

	(void)state;
	for (uint64_t ms = 5000; ms < 35000; ms += 100) {
		t.found += 300;
		t.moved += 100;
		t.bytes += 104858;
		t.queued_bytes += 300000;
		progress_update(p, &t, false, ms);
	}
	assert_string_equal(written(), "");
	t.found += 300;
	t.moved += 100;
	t.bytes += 104858;
	progress_update(p, &t, false, 35000);
	assert_string_equal(written(), "datamover: crawled 90,300 "
	    "(0 directories)  moved 30,100  failed 0  30.1 MiB  1.0 MiB/s  "
	    "1,000 objects/s  still crawling\n");
	for (uint64_t ms = 35100; ms < 65000; ms += 100)
		progress_update(p, &t, true, ms);
	assert_string_equal(written(), "");
	progress_update(p, &t, true, 65000);
	assert_string_equal(written(), "datamover: crawled 90,300 "
	    "(0 directories)  moved 30,100  failed 0  30.1 MiB  0 B/s  "
	    "0.0 objects/s  33 %  60,200 left: 2:00 min\n");
	progress_end(&p);
	assert_null(p);
	assert_string_equal(written(), "");
}

static void
time_left_is_of_what_is_slower(void **state)
{
	struct progress *p = progress_new(false);
	struct totals t = { .found = 2000, .moved = 0, .queued_bytes = 8192 };

	(void)state;
	progress_update(p, &t, true, 0);
	progress_update(p, &t, true, 29000);
	t.moved = 1000;			/* 1,000 a second: 1 s for objects */
	t.bytes = 1024;			/* 1 KiB a second: 7 s for bytes */
	progress_update(p, &t, true, 30000);
	assert_non_null(strstr(written(), "1,000 left: "));
	/* Samples are 29 s apart here, so the window is all of them. */
	assert_non_null(strstr(text, "  12 %  1,000 left: 3:30 min\n"));
	progress_end(&p);
}

/* A rate that comes and goes each few seconds leaves the time left as it is. */
static void
time_left_is_steady(void **state UNUSED)
{
	struct totals t = { .found = 1000000 };
	struct progress *p = progress_new(false);
	double least = 1e9, most = 0;

	for (uint64_t ms = 0; ms < 600000; ms += 200) {
		const char *left;

		if (ms / 10000 % 2 == 0)
			t.moved += 200;
		progress_update(p, &t, true, ms);
		left = strstr(written(), " left: ");
		if (left != NULL && ms > 120000) {
			unsigned h = 0, m = 0;
			double seconds;

			assert_int_equal(sscanf(left, " left: %u:%u", &h, &m),
			    2);
			seconds = h * 60 + m;
			seconds *= 1000000.0 / (double)(1000000 - t.moved);
			least = MIN(least, seconds);
			most = MAX(most, seconds);
		}
	}
	progress_end(&p);
	/* 500 a second: 2,000 s, when nothing is moved yet. */
	assert_true(most > 0 && most < 1.25 * least);
}

static void
on_a_terminal_an_area_that_makes_way(void **state)
{
	struct log_config c = { .stderr_level = LOG_WARN };
	struct totals t = { .found = 10, .moved = 4, .dirs = 2 };
	struct progress *p;

	(void)state;
	assert_int_equal(log_open(&c, NULL), 0);
	p = progress_new(true);
	progress_update(p, &t, false, 1000);
	progress_update(p, &t, false, 1199);
	assert_string_equal(written(), "");
	progress_update(p, &t, false, 1200);
	begins(written(), "\033[Kcrawled 10 (2 directories)");
	assert_non_null(strstr(text, "\n\033[K0 B"));
	progress_update(p, &t, false, 1300);
	assert_string_equal(written(), "");
	progress_update(p, &t, false, 1400);
	begins(written(), "\r\033[1A\033[Kcrawled");
	log_event(LOG_WARN, EVENT_CONFIG, NULL, "n=%d", 1);
	begins(written(), "\r\033[K\033[1A\033[Kdatamover: warn "
	    "config n=1\n\033[Kcrawled");
	progress_end(&p);
	assert_string_equal(written(), "\r\033[K\033[1A\033[K");
	log_event(LOG_WARN, EVENT_CONFIG, NULL, "n=%d", 2);
	assert_string_equal(written(), "datamover: warn config n=2\n");
}

static const struct client_line clients[] = {
	{ .number = 1, .host = "one", .state = "working", .leases = 2,
	  .items = 120, .items_per_s = 812, .bytes_per_s = 1048576,
	  .failed = 1234, .heard_ms = 1999 },
	{ .number = 2, .host = "t\x1bwo", .state = "lost",
	  .reason = "silent for\n30 s" },
	{ .number = 3, .host = "three", .state = "working" },
	{ .number = 4, .host = "four", .state = "launching" },
};

static void
clients_have_lines_of_their_own(void **state)
{
	struct totals t = { .found = 10 };
	struct progress *p = progress_new(true);

	(void)state;
	progress_clients(p, clients, 2);
	progress_update(p, &t, false, 1000);
	progress_update(p, &t, false, 1200);
	assert_non_null(strstr(written(), "\n\033[K  one              working "
	    "  2 leases, 120 items  1.0 MiB/s  812 objects/s  f"));
	assert_non_null(strstr(text, "\n\033[K  t\\x1bwo          lost "
	    "     silent for\\x0a30 s"));
	/* Drawn again where it is, and smaller when there is less. */
	progress_update(p, &t, false, 1400);
	begins(written(), "\r\033[3A\033[Kcrawled");
	progress_clients(p, clients + 3, 1);
	progress_update(p, &t, false, 1600);
	begins(written(), "\r\033[K\033[1A\033[K\033[1A\033[K\033[1A\033[K"
	    "\033[Kcrawled");
	assert_non_null(strstr(text, "\n\033[K  four             launching "));
	assert_null(strstr(text, "heard"));
	progress_end(&p);
	assert_string_equal(written(), "\r\033[K\033[1A\033[K\033[1A\033[K");
}

static void
too_many_clients_are_counted(void **state)
{
	static struct client_line many[200];
	struct totals t = { .found = 10 };
	struct progress *p = progress_new(true);
	size_t lines = 1;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = clients[i % 2];
	progress_clients(p, many, ARRAY_LEN(many));
	progress_update(p, &t, false, 1000);
	progress_update(p, &t, false, 1200);
	written();
	for (const char *c = text; *c != '\0'; c++)
		lines += *c == '\n';
	/* A terminal without a size has 24 lines. */
	assert_int_equal(lines, 23);
	assert_non_null(strstr(text, "\n\033[K  and 180 more: 90 working, "
	    "90 lost"));
	progress_end(&p);
	written();
}

static void
off_a_terminal_clients_are_counted(void **state)
{
	struct totals t = { .found = 10 };
	struct progress *p = progress_new(false);

	(void)state;
	progress_clients(p, clients, 3);
	progress_update(p, &t, false, 1000);
	progress_update(p, &t, false, 31000);
	assert_non_null(strstr(written(), "\ndatamover: clients: 2 working, "
	    "1 lost\n"));
	progress_end(&p);
}

static void
quiet_is_nothing(void **state)
{
	struct progress *p = NULL;
	struct totals t = { .found = 1 };

	(void)state;
	progress_clients(p, clients, 1);
	progress_update(p, &t, true, 100000);
	progress_end(&p);
	assert_string_equal(written(), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_read_well),
		cmocka_unit_test(each_kind_has_its_exit_status),
		cmocka_unit_test(summary_says_it_all),
		cmocka_unit_test(summary_of_other_ends),
		cmocka_unit_test(json_is_one_line),
		TEST(off_a_terminal_a_line_each_30_s),
		TEST(time_left_is_of_what_is_slower),
		TEST(time_left_is_steady),
		TEST(on_a_terminal_an_area_that_makes_way),
		TEST(clients_have_lines_of_their_own),
		TEST(too_many_clients_are_counted),
		TEST(off_a_terminal_clients_are_counted),
		TEST(quiet_is_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
