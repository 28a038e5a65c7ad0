/* DeleteObjects against a server that follows a script; what GET and HEAD of
 * objects in parts ask for. */
#include "kit/s3_script.h"
#include "rest/xml.h"

/* Its end is the connection's, so that nobody need count. */
#define ANSWER(body) "HTTP/1.1 200 OK\r\n\r\n<DeleteResult>" body \
	"</DeleteResult>" CLOSE

struct result {
	struct err err;
	char	 version[32];
	bool	 marker;
};

static struct {
	unsigned calls;
	size_t	 count;
	struct result r[2000];
} told;

static void
on_deleted(void *arg, const struct s3_deleted *d, size_t count)
{
	struct got *g = arg;

	g->calls++;
	told.calls++;
	told.count = count;
	for (size_t i = 0; i < MIN(count, ARRAY_LEN(told.r)); i++) {
		memset(&told.r[i], 0, sizeof(told.r[i]));
		if (d[i].err != NULL)
			told.r[i].err = *d[i].err;
		memcpy(told.r[i].version, d[i].version_id.p,
		    d[i].version_id.len);
		told.r[i].marker = d[i].delete_marker;
	}
}

static void
is_gone(size_t i)
{
	if (told.r[i].err.kind != ERR_NONE)
		fail_msg("%zu: %s", i, told.r[i].err.msg);
}

static void
is_err(size_t i, enum err_kind kind, const char *text)
{
	if (told.r[i].err.kind != kind ||
	    strstr(told.r[i].err.msg, text) == NULL)
		fail_msg("%zu: %s: %s", i, err_kind_name(told.r[i].err.kind),
		    told.r[i].err.msg);
}

/* In another order than asked, with errors, versions and a gap. */
static void
test_each_key(void **state)
{
	const struct str keys[] = { STR("a<&>\n\r\t\"b"), STR("denied"),
	    STR("not told"), STR("marker"), STR("version"), STR("twice"),
	    STR("twice") };
	FIXTURE(f, ANSWER("<Deleted><Key>version</Key>"
	    "<VersionId>v1</VersionId></Deleted>"
	    "<Error><Key>denied</Key><Code>AccessDenied</Code>"
	    "<Message>no &amp; never</Message></Error>"
	    "<Deleted><Key>twice</Key></Deleted>"
	    "<Deleted><Key>never asked for</Key></Deleted>"
	    "<Deleted><Key>marker</Key><VersionId></VersionId><DeleteMarker>"
	    "true</DeleteMarker><DeleteMarkerVersionId>m1"
	    "</DeleteMarkerVersionId></Deleted>"
	    "<Deleted><Key>a&lt;&amp;&gt;&#10;&#xD;&#x9;&quot;b</Key>"
	    "</Deleted>"));

	(void)state;
	s3_delete_many(f.s, keys, ARRAY_LEN(keys), on_deleted, &f.g);
	run(&f);
	assert_int_equal(told.count, ARRAY_LEN(keys));
	is_gone(0);
	is_err(1, ERR_DENIED, "delete: AccessDenied: no & never");
	is_err(2, ERR_PEER, "does not tell");
	is_gone(3);
	assert_true(told.r[3].marker);
	assert_string_equal(told.r[3].version, "m1");
	is_gone(4);
	assert_false(told.r[4].marker);
	assert_string_equal(told.r[4].version, "v1");
	is_gone(5);
	is_gone(6);
	assert_non_null(strstr(asked(&f.v), "POST /bkt?delete= HTTP/1.1\r"));
	assert_non_null(strstr(asked(&f.v), "<Quiet>false</Quiet><Object><Key>"
	    "a&lt;&amp;&gt;&#10;&#13;&#9;\"b</Key></Object><Object><Key>"
	    "denied</Key></Object>"));
	script_finish(&f);
}

/* What passes is asked for again, and only that. */
static void
test_some_again(void **state)
{
	const struct str keys[] = { STR("k1"), STR("k2"), STR("k3") };
	const char *second;
	FIXTURE(f, ERROR_503, ANSWER("<Deleted><Key>k1</Key></Deleted>"
	    "<Error><Key>k2</Key><Code>InternalError</Code></Error>"
	    "<Error><Key>k3</Key><Code>NoSuchBucket</Code></Error>"),
	    ANSWER("<Deleted><Key>k2</Key></Deleted>"));

	(void)state;
	s3_delete_many(f.s, keys, ARRAY_LEN(keys), on_deleted, &f.g);
	run(&f);
	is_gone(0);
	is_gone(1);
	is_err(2, ERR_REFUSED, "NoSuchBucket");
	second = strstr(asked(&f.v), "POST");
	assert_non_null(second);
	second = strstr(second + 1, "POST");
	assert_non_null(second);
	assert_non_null(strstr(second, "<Key>k3</Key>"));
	second = strstr(second + 1, "POST");
	assert_non_null(second);
	assert_null(strstr(second, "<Key>k1</Key>"));
	assert_null(strstr(second, "<Key>k3</Key>"));
	assert_non_null(strstr(second, "<Key>k2</Key></Object></Delete>"));
	/* openssl md5 -binary | base64 */
	assert_non_null(strstr(second, "content-md5: "
	    "mvxPyB30M6IzltiXlaiGzQ==\r"));
	script_finish(&f);
}

/* Until the time for that is over; what was done before stays done. */
static void
test_gives_up(void **state)
{
	const struct str keys[] = { STR("k1"), STR("k2") };
	const char *const script[] = { ANSWER("<Deleted><Key>k1</Key></Deleted>"
	    "<Error><Key>k2</Key><Code>SlowDown</Code></Error>"),
	    ERROR_503, ERROR_503, ERROR_503, ERROR_503, ERROR_503, ERROR_503,
	    ERROR_503, ERROR_503, NULL };
	struct fixture f = { .c.retry_for_ms = 1 };

	(void)state;
	script_start(&f, script);
	s3_delete_many(f.s, keys, ARRAY_LEN(keys), on_deleted, &f.g);
	run(&f);
	is_gone(0);
	is_err(1, ERR_RETRY, "gave up after");
	script_finish(&f);
}

#define DENIED	BODY("403 F", "", "60", "<Error><Code>AccessDenied</Code>" \
		"<Message>m</Message></Error>")
#define NO_CONTENT "HTTP/1.1 204 None\r\n\r\n"

/* A server without DeleteObjects: key by key, and next time at once. */
static void
test_one_by_one(void **state UNUSED)
{
	const struct str keys[] = { STR("k1"), STR("k2") };
	FIXTURE(f, BODY("501 N", "", "42",
	    "<Error><Code>NotImplemented</Code></Error>"), NO_CONTENT,
	    "HTTP/1.1 204 None\r\nx-amz-version-id: v9\r\n"
	    "x-amz-delete-marker: true\r\n\r\n", NO_CONTENT, DENIED);

	s3_delete_many(f.s, keys, 2, on_deleted, &f.g);
	run(&f);
	is_gone(0);
	is_gone(1);
	assert_string_equal(told.r[1].version, "v9");
	assert_true(told.r[1].marker);
	f.g.calls = 0;
	s3_delete_many(f.s, keys, 2, on_deleted, &f.g);
	run(&f);
	is_gone(0);
	is_err(1, ERR_DENIED, "delete: HTTP 403");
	assert_null(strstr(strstr(asked(&f.v), "DELETE "), "POST "));
	script_finish(&f);
}

/* Keys that may not delete: some are tried, not all. */
static void
test_few_tried(void **state UNUSED)
{
	const struct str keys[] = { STR("k1"), STR("k2"), STR("k3"),
	    STR("k4"), STR("k5") };
	FIXTURE(f, DENIED, DENIED, DENIED, DENIED);

	s3_delete_many(f.s, keys, 5, on_deleted, &f.g);
	run(&f);
	is_err(2, ERR_DENIED, "delete: HTTP 403");
	is_err(3, ERR_DENIED, "delete objects: HTTP 403");
	is_err(4, ERR_DENIED, "delete objects: HTTP 403");
	script_finish(&f);
}

static void
test_whole_fails(void **state)
{
	const struct str keys[] = { STR("k1"), STR("k2") };
	FIXTURE(f, DENIED, DENIED, DENIED);

	(void)state;
	s3_delete_many(f.s, keys, ARRAY_LEN(keys), on_deleted, &f.g);
	run(&f);
	/* The right to delete a key may be there. */
	is_err(0, ERR_DENIED, "delete: HTTP 403 AccessDenied: m");
	is_err(1, ERR_DENIED, "delete: HTTP 403 AccessDenied: m");
	assert_non_null(strstr(asked(&f.v), "content-md5: "
	    "TtHN01HEZ2qCQ0zYUZFCmA==\r"));
	script_finish(&f);
}

/* An answer without sense fails all, in the end. */
static void
test_no_answer(void **state)
{
	const struct str keys[] = { STR("k1") };
	const char *nonsense = ANSWER("<Error><Key>k1</Key></Error>");
	const char *const script[] = { nonsense, nonsense, nonsense, nonsense,
	    nonsense, nonsense, nonsense, nonsense, nonsense, NULL };
	struct fixture f = { .c.retry_for_ms = 1 };

	(void)state;
	script_start(&f, script);
	s3_delete_many(f.s, keys, ARRAY_LEN(keys), on_deleted, &f.g);
	run(&f);
	is_err(0, ERR_PEER, "incomplete");
	script_finish(&f);
}

static void
test_fits_xml(void **state)
{
	(void)state;
	assert_true(s3_key_fits_xml(STR("a b\t\n\r\177\303\274<&>]]>")));
	assert_true(s3_key_fits_xml(STR("\360\237\230\200\357\277\275")));
	assert_false(s3_key_fits_xml(STR("a\001b")));
	assert_false(s3_key_fits_xml(STR("a\0b")));
	assert_false(s3_key_fits_xml(STR("\037")));
	assert_false(s3_key_fits_xml(STR("a\377b")));
	assert_false(s3_key_fits_xml(STR("a\357\277\276")));
	assert_false(s3_key_fits_xml(STR("a\357\277\277b")));
	assert_false(s3_key_fits_xml(STR("\355\240\200")));
}

/* Keys that can't go are refused, the others go; alone, nothing is asked. */
static void
test_refused(void **state)
{
	static char long_key[1025];
	const struct str keys[] = { STR("a\001"), STR("k1"), STR(""),
	    { long_key, sizeof(long_key) } };
	FIXTURE(f, ANSWER("<Deleted><Key>k1</Key></Deleted>"));

	(void)state;
	told.calls = 0;
	memset(long_key, 'k', sizeof(long_key));
	s3_delete_many(f.s, keys, 1, on_deleted, &f.g);
	assert_int_equal(told.calls, 0);
	run(&f);
	is_err(0, ERR_INVALID, "XML can't carry");
	f.g.calls = 0;
	s3_delete_many(f.s, keys, 0, on_deleted, &f.g);
	run(&f);
	assert_int_equal(told.count, 0);
	f.g.calls = 0;
	s3_delete_many(f.s, keys, ARRAY_LEN(keys), on_deleted, &f.g);
	run(&f);
	is_err(0, ERR_INVALID, "XML can't carry");
	is_gone(1);
	is_err(2, ERR_INVALID, "0 bytes");
	is_err(3, ERR_INVALID, "1025 bytes");
	assert_int_equal(f.v.count, 1);
	assert_null(strstr(asked(&f.v), "kkk"));
	script_finish(&f);
}

/* Neither too many keys nor too many bytes in one request. */
static void
test_several_requests(void **state)
{
	static char text[1500][1000];
	struct str keys[ARRAY_LEN(text)];
	FIXTURE(f, ANSWER(""), ANSWER(""), ANSWER(""),
	    ANSWER(""), ANSWER(""));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		snprintf(text[i], sizeof(text[i]), "k%zu", i);
		keys[i] = str_of(text[i]);
	}
	s3_delete_many(f.s, keys, ARRAY_LEN(keys), on_deleted, &f.g);
	run(&f);
	assert_int_equal(told.count, ARRAY_LEN(keys));
	is_err(0, ERR_PEER, "does not tell");
	is_err(1499, ERR_PEER, "does not tell");
	assert_int_equal(f.v.count, 2);
	f.g.calls = 0;
	for (size_t i = 0; i < 1000; i++) {
		memset(text[i], '&', 300);
		memset(text[i] + 300, 'k', 700);
		keys[i] = (struct str){ text[i], 993 + i % 7 };
	}
	s3_delete_many(f.s, keys, 1000, on_deleted, &f.g);
	run(&f);
	/* 2,200,000 bytes by at most 1,024,000 */
	assert_int_equal(f.v.count, 5);
	script_finish(&f);
}

static void
test_stopped(void **state)
{
	const struct str keys[] = { STR("k1"), STR("k2") };
	FIXTURE(f, NOTHING);

	(void)state;
	told.calls = 0;
	s3_delete_many(f.s, keys, ARRAY_LEN(keys), on_deleted, &f.g);
	s3_free(&f.s);
	assert_int_equal(told.calls, 1);
	is_err(1, ERR_STOPPED, "stopped");
	script_finish(&f);
}

/* A delete of one key tells of its marker as well. */
static void
test_marker_of_one(void **state)
{
	FIXTURE(f, "HTTP/1.1 204 No\r\nx-amz-delete-marker: true\r\n"
	    "x-amz-version-id: m7\r\n\r\n");

	(void)state;
	s3_delete(f.s, STR("k"), on_done, &f.g);
	good(&f, 1);
	assert_true(f.g.marker);
	script_finish(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_key),
		cmocka_unit_test(test_some_again),
		cmocka_unit_test(test_gives_up),
		cmocka_unit_test(test_one_by_one),
		cmocka_unit_test(test_few_tried),
		cmocka_unit_test(test_whole_fails),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_fits_xml),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_several_requests),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_marker_of_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
