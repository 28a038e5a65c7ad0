/* GET against a server that follows a script: a transfer that breaks off, and
 * answers that are not the bytes that were asked for. */
#include "kit/s3_script.h"

/* A GET that breaks off goes on behind the bytes that came. */
static void
test_get_resumes(void **state)
{
	FIXTURE(f, BODY("200 OK", "ETag: \"v1\"\r\n", "10", "0123" CLOSE),
	    BODY("206 Partial", "ETag: \"v1\"\r\n"
	    "Content-Range: bytes 4-9/10\r\n", "6", "45" CLOSE),
	    BODY("206 Partial", "ETag: \"v1\"\r\n"
	    "Content-Range: bytes 6-9/10\r\n", "4", "6789"));

	(void)state;
	s3_get(f.s, STR("k"), 0, 0, on_data, on_done, &f.g);
	good(&f, 3);
	assert_string_equal(f.g.body.data, "0123456789");
	assert_int_equal(f.g.size, 10);
	assert_non_null(strstr(asked(&f.v), "range: bytes=4-\r"));
	assert_non_null(strstr(asked(&f.v), "range: bytes=6-\r"));
	script_finish(&f);
}

static void
test_get_of_changed(void **state)
{
	FIXTURE(f, BODY("200 OK", "ETag: \"v1\"\r\n", "10", "0123" CLOSE),
	    BODY("206 Partial", "ETag: \"v2\"\r\n"
	    "Content-Range: bytes 4-9/10\r\n", "6", "abcdef"));

	(void)state;
	s3_get(f.s, STR("k"), 0, 0, on_data, on_done, &f.g);
	bad(&f, ERR_GONE, "changed while it was read");
	assert_string_equal(f.g.body.data, "0123");
	script_finish(&f);
}

static void
get_is_wrong(const char *reply, uint64_t offset, uint64_t len)
{
	FIXTURE(f, reply);

	s3_get(f.s, STR("k"), offset, len, on_data, on_done, &f.g);
	bad(&f, ERR_PEER, "get: ");
	assert_int_equal(f.g.body.len, 0);
	script_finish(&f);
}

static void
test_wrong_ranges(void **state)
{
	(void)state;
	/* another start, another end, none, the whole, without a length */
	get_is_wrong(BODY("206 P", "ETag: \"v\"\r\n"
	    "Content-Range: bytes 0-4/10\r\n", "5", "01234"), 2, 5);
	get_is_wrong(BODY("206 P", "ETag: \"v\"\r\n"
	    "Content-Range: bytes 2-4/10\r\n", "3", "234"), 2, 5);
	get_is_wrong(BODY("206 P", "ETag: \"v\"\r\n", "5", "23456"), 2, 5);
	get_is_wrong(BODY("200 OK", "ETag: \"v\"\r\n", "10", "0123456789"),
	    2, 5);
	get_is_wrong(BODY("200 OK", "ETag: \"v\"\r\n", "10", "0123456789"),
	    0, 5);
	get_is_wrong(BODY("200 OK", "ETag: \"v\"\r\n", "10", "0123456789"),
	    2, 0);
	get_is_wrong("HTTP/1.1 200 OK\r\nETag: \"v\"\r\n\r\n01234" CLOSE,
	    0, 0);
}

static void
test_data_refused(void **state)
{
	FIXTURE(f, BODY("200 OK", "ETag: \"v\"\r\n", "2", "01"));

	(void)state;
	f.g.refuse = true;
	s3_get(f.s, STR("k"), 0, 0, on_data, on_done, &f.g);
	bad(&f, ERR_STOPPED, "stopped");
	script_finish(&f);
}

/* Only of the object that was meant, from the first byte on. */
static void
test_get_match(void **state)
{
	FIXTURE(f, BODY("200 OK", "ETag: \"v1\"\r\n", "10", "0123" CLOSE),
	    BODY("206 Partial", "ETag: \"v1\"\r\n"
	    "Content-Range: bytes 4-9/10\r\n", "6", "456789"),
	    BODY("206 Partial", "ETag: \"v2\"\r\n"
	    "Content-Range: bytes 2-3/10\r\n", "2", "23"));

	(void)state;
	s3_get_match(f.s, STR("k"), STR(""), "v1", 0, 0, on_data, on_done,
	    &f.g);
	good(&f, 2);
	assert_string_equal(f.g.body.data, "0123456789");
	assert_int_equal(f.g.object_size, 10);
	f.g.calls = 0;
	s3_get_match(f.s, STR("k"), STR(""), "v1", 2, 2, on_data, on_done,
	    &f.g);
	bad(&f, ERR_GONE, "another now");
	assert_int_equal(f.g.body.len, 10);
	script_finish(&f);
}

/* A version of the past is asked for, copied over the key, and deleted. */
static void
test_versions(void **state)
{
	FIXTURE(f, "HTTP/1.1 200 OK\r\nETag: \"v1\"\r\n"
	    "Content-Length: 3\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nETag: \"v1\"\r\n"
	    "Content-Length: 3\r\n\r\nabc",
	    "HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n"
	    "<CopyObjectResult><ETag>&quot;v1&quot;</ETag></CopyObjectResult>",
	    "HTTP/1.1 204 No Content\r\n\r\n");

	(void)state;
	s3_head_of(f.s, STR("k"), STR("a/b+c"), 0, on_done, &f.g);
	good(&f, 1);
	f.g.calls = 0;
	s3_get_match(f.s, STR("k"), STR("a/b+c"), "", 0, 0, on_data, on_done,
	    &f.g);
	good(&f, 1);
	f.g.calls = 0;
	s3_copy_version(f.s, STR("k"), STR("a/b+c"), on_done, &f.g);
	good(&f, 1);
	f.g.calls = 0;
	s3_delete_version(f.s, STR("k"), STR("a/b+c"), on_done, &f.g);
	good(&f, 1);
	assert_non_null(strstr(asked(&f.v),
	    "HEAD /bkt/k?versionId=a%2Fb%2Bc HTTP"));
	assert_non_null(strstr(asked(&f.v),
	    "GET /bkt/k?versionId=a%2Fb%2Bc HTTP"));
	assert_non_null(strstr(asked(&f.v),
	    "x-amz-copy-source: /bkt/k?versionId=a%2Fb%2Bc\r\n"));
	assert_non_null(strstr(asked(&f.v),
	    "x-amz-metadata-directive: COPY\r\n"));
	assert_non_null(strstr(asked(&f.v),
	    "DELETE /bkt/k?versionId=a%2Fb%2Bc HTTP"));
	script_finish(&f);
}

static void
test_head_part(void **state)
{
	FIXTURE(f, "HTTP/1.1 206 P\r\nETag: \"v-3\"\r\n"
	    "Content-Range: bytes 0-99/250\r\nContent-Length: 100\r\n"
	    "x-amz-mp-parts-count: 3\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nETag: \"v-3\"\r\n"
	    "Content-Length: 250\r\n\r\n");

	(void)state;
	s3_head_of(f.s, STR("k"), STR(""), 1, on_done, &f.g);
	good(&f, 1);
	assert_int_equal(f.g.size, 100);
	assert_int_equal(f.g.object_size, 250);
	assert_int_equal(f.g.parts_count, 3);
	assert_non_null(strstr(asked(&f.v), "HEAD /bkt/k?partNumber=1 "));
	f.g.calls = 0;
	s3_head_of(f.s, STR("k"), STR(""), 1, on_done, &f.g);
	good(&f, 1);
	assert_int_equal(f.g.size, 250);
	assert_int_equal(f.g.object_size, 250);
	assert_int_equal(f.g.parts_count, 0);
	script_finish(&f);
}

struct slow {
	struct got g;
	size_t	 since;		/* bytes since the last pause, or resume */
	unsigned fulls;
};

static enum s3_data
on_data_full(void *arg, const void *p, size_t len)
{
	struct slow *w = arg;

	(void)p;
	w->g.size += len;
	w->since += len;
	if (w->since < 1000)
		return S3_DATA_TAKEN;
	w->fulls++;
	return S3_DATA_FULL;
}

static void
on_slow_done(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct slow *w = arg;

	assert_int_equal(r->size, w->g.size);
	on_done(&w->g, r, err);
}

/* Who has enough gets no more than was received already; and all in the end,
 * also if the last bytes were too much. */
static void
test_full(void **state)
{
	size_t len = 3 * MIB;
	char *reply AUTOFREE = xmalloc(len + 200);
	int head = snprintf(reply, 200, "HTTP/1.1 200 OK\r\nETag: \"v\"\r\n"
	    "Content-Length: %zu\r\n\r\n", len);
	struct slow w = { .since = 0 };
	unsigned rounds = 0;

	(void)state;
	memset(reply + head, 'x', len);
	reply[(size_t)head + len] = '\0';
	FIXTURE(f, reply);
	s3_get(f.s, STR("k"), 0, 0, on_data_full, on_slow_done, &w);
	while (w.g.calls == 0) {
		unsigned fulls = w.fulls;

		while (w.fulls == fulls && w.g.calls == 0)
			s3_wait(f.s, NULL, 0, 1000);
		/* More would have come by now, were it not for the pause. */
		for (int i = 0; i < 20; i++)
			s3_wait(f.s, NULL, 0, 0);
		assert_true(w.since <= 1000 + 16 * KIB + S3_DATA_SLACK);
		w.since = 0;
		rounds++;
		s3_resume(f.s, 1);
	}
	assert_int_equal(w.g.err.kind, ERR_NONE);
	assert_int_equal(w.g.size, len);
	assert_true(rounds > len / (2 * S3_DATA_SLACK));
	script_finish(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get_resumes),
		cmocka_unit_test(test_get_of_changed),
		cmocka_unit_test(test_wrong_ranges),
		cmocka_unit_test(test_data_refused),
		cmocka_unit_test(test_get_match),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_head_part),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
