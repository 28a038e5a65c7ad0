/* The window, the endpoints, the attributes and the dates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rest/meta.h"
#include "s3/pace.h"

static void
test_window(void **state)
{
	struct s3_window w;

	(void)state;
	s3_window_init(&w, 16);
	assert_int_equal(w.now, 16);
	s3_window_ok(&w);
	assert_int_equal(w.now, 16);
	s3_window_slow(&w, 5000);
	assert_int_equal(w.now, 8);
	/* One overload makes many answers: one cut a second. */
	s3_window_slow(&w, 5999);
	assert_int_equal(w.now, 8);
	s3_window_slow(&w, 6000);
	assert_int_equal(w.now, 4);
	for (int i = 0; i < 3; i++)
		s3_window_ok(&w);
	assert_int_equal(w.now, 4);
	s3_window_ok(&w);
	assert_int_equal(w.now, 5);
	for (int i = 0; i < 1000; i++)
		s3_window_ok(&w);
	assert_int_equal(w.now, 16);
	for (uint64_t t = 10000; t < 20000; t += 1000)
		s3_window_slow(&w, t);
	assert_int_equal(w.now, 1);
}

static void
endpoint(const char *url, const char *bucket, bool path_style,
    const char *base, const char *host)
{
	struct err err = ERR_INIT;
	struct s3_endpoint e;

	if (s3_endpoint_init(&e, url, bucket, path_style, &err) == -1)
		fail_msg("%s: %s", url, err.msg);
	assert_string_equal(e.base, base);
	assert_string_equal(e.host, host);
	s3_endpoint_release(&e);
}

static void
test_endpoint(void **state)
{
	(void)state;
	endpoint("http://h:8000", "b", true, "http://h:8000/b", "h:8000");
	endpoint("h", "bkt", true, "http://h/bkt", "h");
	endpoint("http://h:80/", "bkt", true, "http://h/bkt", "h");
	endpoint("HTTPS://h:443", "bkt", true, "https://h/bkt", "h");
	endpoint("https://h:80", "bkt", true, "https://h:80/bkt", "h:80");
	endpoint("https://s3.x.org", "bkt", false, "https://bkt.s3.x.org",
	    "bkt.s3.x.org");
	endpoint("http://s3.x.org:81", "bkt", false,
	    "http://bkt.s3.x.org:81", "bkt.s3.x.org:81");
	/* No wildcard certificate fits a bucket with a dot. */
	endpoint("https://h", "b.k.t", false, "https://h/b.k.t", "h");
	endpoint("http://h", "b.k.t", false, "http://b.k.t.h", "b.k.t.h");
	endpoint("http://h", "Bkt_1", false, "http://h/Bkt_1", "h");
	endpoint("https://h:8/s3/v1/", "bkt", true, "https://h:8/s3/v1/bkt",
	    "h:8");
	endpoint("https://s3.x.org/s3", "bkt", false,
	    "https://bkt.s3.x.org/s3", "bkt.s3.x.org");
	endpoint("http://10.1.2.3:8", "bkt", false, "http://10.1.2.3:8/bkt",
	    "10.1.2.3:8");
	endpoint("http://[::1]:8", "bkt", false, "http://[::1]:8/bkt",
	    "[::1]:8");
}

static void
test_bad_endpoint(void **state)
{
	static const char *const bad[] = { "", "http://", "ftp://h", "h:0",
	    "h:65536", "h:x", "h:", "http://h/a b", "http://h/../b",
	    "http://u@h", "h h", "h\r\nx", "http://h?x", "[::1", "::1]",
	    "h:80:80", "http:///b" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err err = ERR_INIT;
		struct s3_endpoint e;

		if (s3_endpoint_init(&e, bad[i], "bkt", true, &err) != -1)
			fail_msg("%s was taken", bad[i]);
		assert_int_equal(err.kind, ERR_CONFIG);
	}
}

static void
test_turn(void **state)
{
	struct s3_endpoint e[3] = { { .rest_until_ms = 0 } };
	size_t turn = 0;

	(void)state;
	assert_int_equal(s3_endpoint_pick(e, 3, &turn, 10), 0);
	assert_int_equal(s3_endpoint_pick(e, 3, &turn, 10), 1);
	assert_int_equal(s3_endpoint_pick(e, 3, &turn, 10), 2);
	e[0].rest_until_ms = 20;
	assert_int_equal(s3_endpoint_pick(e, 3, &turn, 10), 1);
	assert_int_equal(s3_endpoint_pick(e, 3, &turn, 10), 2);
	assert_int_equal(s3_endpoint_pick(e, 3, &turn, 20), 0);
	e[0].rest_until_ms = 50;
	e[1].rest_until_ms = 40;
	e[2].rest_until_ms = 60;
	turn = 2;
	assert_int_equal(s3_endpoint_pick(e, 3, &turn, 30), 1);
	turn = 7;
	assert_int_equal(s3_endpoint_pick(e, 1, &turn, 30), 0);
}

static void
test_meta_format(void **state)
{
	struct s3_meta_text t;

	(void)state;
	s3_meta_format(&(struct s3_meta){ .mtime_ns = 1595002920123456789,
	    .mode = 0100644, .uid = 4294967295u, .gid = 0 }, &t);
	assert_string_equal(t.mtime_ns, "1595002920123456789ns");
	assert_string_equal(t.mtime, "1595002920.123456789");
	assert_string_equal(t.mode, "0644");
	assert_string_equal(t.uid, "4294967295");
	assert_string_equal(t.gid, "0");
	s3_meta_format(&(struct s3_meta){ .mtime_ns = -500000000,
	    .mode = 07777 }, &t);
	assert_string_equal(t.mtime_ns, "-500000000ns");
	assert_string_equal(t.mtime, "-0.500000000");
	assert_string_equal(t.mode, "7777");
}

static int64_t
mtime_of(const char *name, const char *value)
{
	struct s3_meta_seen m = { .mtime = false };

	s3_meta_see(&m, str_of(name), str_of(value));
	return m.mtime ? m.meta.mtime_ns : INT64_MIN;
}

static void
test_meta_mtime(void **state)
{
	const int64_t sec = 1595002920000000000;

	(void)state;
	assert_true(mtime_of("file-mtime", "1595002920000000000ns") == sec);
	assert_true(mtime_of("File-Mtime", "1595002920000ms") == sec);
	assert_true(mtime_of("file-mtime", "1595002920s") == sec);
	assert_true(mtime_of("file-mtime", "1595002920") == sec);
	assert_true(mtime_of("file-mtime", "1595002920000") == sec);
	assert_true(mtime_of("file-mtime", "1595002920000000000") == sec);
	assert_true(mtime_of("file-mtime", "-7ns") == -7);
	assert_true(mtime_of("mtime", "1595002920.5") == sec + 500000000);
	assert_true(mtime_of("mtime", "1595002920") == sec);
	assert_true(mtime_of("mtime", "1595002920.1234567891") ==
	    sec + 123456789);
	assert_true(mtime_of("mtime", "-0.5") == -500000000);
	assert_true(mtime_of("mtime", "") == INT64_MIN);
	assert_true(mtime_of("mtime", "x") == INT64_MIN);
	assert_true(mtime_of("mtime", "1.x") == INT64_MIN);
	assert_true(mtime_of("mtime", "99999999999999") == INT64_MIN);
	assert_true(mtime_of("file-mtime", "99999999999999999999ns") ==
	    INT64_MIN);
	assert_true(mtime_of("file-mtime", "9223372036854775807s") ==
	    INT64_MIN);
	assert_true(mtime_of("file-mtime", "5days") == INT64_MIN);
	assert_true(mtime_of("other", "5") == INT64_MIN);
}

static void
test_meta_complete(void **state)
{
	struct s3_meta_seen m = { .mtime = false };

	(void)state;
	s3_meta_see(&m, STR("mtime"), STR("5.5"));
	s3_meta_see(&m, STR("file-mtime"), STR("7ns"));
	s3_meta_see(&m, STR("mtime"), STR("6"));
	assert_true(m.meta.mtime_ns == 7);
	s3_meta_see(&m, STR("file-permissions"), STR("0100640"));
	assert_int_equal(m.meta.mode, 0640);
	s3_meta_see(&m, STR("file-owner"), STR("1000"));
	assert_false(s3_meta_complete(&m));
	s3_meta_see(&m, STR("file-group"), STR("4294967296"));
	assert_false(s3_meta_complete(&m));
	s3_meta_see(&m, STR("file-group"), STR("4294967295"));
	assert_true(s3_meta_complete(&m));
	s3_meta_see(&m, STR("file-permissions"), STR("rw"));
	assert_int_equal(m.meta.mode, 0640);
}

static void
test_dates(void **state)
{
	int64_t t = 0;
	char etag[72], other[72], text[100];

	(void)state;
	assert_true(s3_http_date(STR("Fri, 24 May 2013 00:00:00 GMT"), &t));
	assert_int_equal(t, 1369353600);
	assert_false(s3_http_date(STR("Fri, 24 Moo 2013 00:00:00 GMT"), &t));
	assert_false(s3_http_date(STR("Fri, 24 May 2013 25:00:00 GMT"), &t));
	assert_false(s3_http_date(STR("Fri, 24 May 2013"), &t));
	assert_true(s3_iso_date(STR("2009-10-12T17:50:30.000Z"), &t));
	assert_int_equal(t, 1255369830);
	assert_true(s3_iso_date(STR("2009-10-12T17:50:30Z"), &t));
	assert_false(s3_iso_date(STR("2009-13-12T17:50:30Z"), &t));
	assert_false(s3_iso_date(STR("yesterday"), &t));
	s3_etag(STR(" \"abc\" "), etag);
	assert_string_equal(etag, "abc");
	s3_etag(STR("\""), etag);
	assert_string_equal(etag, "");
	memset(text, 'e', sizeof(text));
	s3_etag((struct str){ text, 72 }, etag);
	assert_int_equal(strlen(etag), 5 + 32);
	assert_true(str_starts(str_of(etag), STR("long:")));
	/* Another long one is another one. */
	text[0] = 'f';
	s3_etag((struct str){ text, 72 }, other);
	assert_string_not_equal(etag, other);
	s3_etag(STR("W/\"0123456789ABCDEF0123456789ABCDEF-12\""), etag);
	assert_string_equal(etag, "0123456789abcdef0123456789abcdef-12");
	s3_etag(STR("\"0123456789ABCDEF0123456789ABCDEF-A\""), etag);
	assert_string_equal(etag, "0123456789ABCDEF0123456789ABCDEF-A");
	text[0] = 'e';
	s3_etag((struct str){ text, 71 }, etag);
	assert_int_equal(strlen(etag), 71);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_endpoint),
		cmocka_unit_test(test_bad_endpoint),
		cmocka_unit_test(test_turn),
		cmocka_unit_test(test_meta_format),
		cmocka_unit_test(test_meta_mtime),
		cmocka_unit_test(test_meta_complete),
		cmocka_unit_test(test_dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
