/* The client against a server that follows a script: requests, retries,
 * answers that are none, the loop. */
#include "kit/s3_script.h"

static void
test_request(void **state)
{
	static const uint8_t md5[16] = { 0x5d, 0x41, 0x40, 0x2a, 0xbc, 0x4b,
	    0x2a, 0x76, 0xb9, 0x71, 0x9d, 0x91, 0x10, 0x17, 0xc5, 0x92 };
	struct s3_body body = hello_body;
	FIXTURE(f, OK_PUT);

	(void)state;
	body.md5 = md5;
	s3_put(f.s, STR("../a//b\n%25+ \303\274"), &body,
	    &(struct s3_meta){ .mtime_ns = 5, .mode = 0644 }, on_done, &f.g);
	/* Never from inside the call. */
	assert_int_equal(f.g.calls, 0);
	good(&f, 1);
	assert_string_equal(f.g.etag, "e1");
	assert_true(str_starts(str_of(asked(&f.v)), STR(
	    "PUT /bkt/../a//b%0A%2525%2B%20%C3%BC HTTP/1.1\r\n")));
	assert_non_null(strstr(asked(&f.v),
	    "content-md5: XUFAKrxLKna5cZ2REBfFkg=="));
	assert_non_null(strstr(asked(&f.v),
	    "x-amz-content-sha256: UNSIGNED-PAYLOAD"));
	assert_non_null(strstr(asked(&f.v),
	    "x-amz-meta-file-mtime: 5ns"));
	assert_non_null(strstr(asked(&f.v),
	    "x-amz-security-token: " TOKEN));
	assert_non_null(strstr(asked(&f.v), "Authorization: AWS4-"));
	assert_non_null(strstr(asked(&f.v), "\r\n\r\nhello"));
	assert_null(strcasestr(asked(&f.v), "expect"));
	script_finish(&f);
}

static void
test_object_headers(void **state)
{
	struct fixture f = { .s = NULL };
	const char *const script[] = { OK_PUT, OK_PUT, NULL };
	const char *part;

	(void)state;
	f.c.store.storage_class = "GLACIER";
	f.c.store.sse = "aws:kms:my-key";
	f.c.store.sign_payload = true;
	script_start(&f, script);
	s3_put(f.s, STR("k"), &hello_body, NULL, on_done, &f.g);
	good(&f, 1);
	assert_non_null(strstr(asked(&f.v),
	    "x-amz-storage-class: GLACIER"));
	assert_non_null(strstr(asked(&f.v),
	    "x-amz-server-side-encryption: aws:kms\r"));
	assert_non_null(strstr(asked(&f.v),
	    "x-amz-server-side-encryption-aws-kms-key-id: my-key\r"));
	assert_non_null(strstr(asked(&f.v), "x-amz-content-sha256: "
	    "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	    ));
	/* A part inherits them. */
	f.g.calls = 0;
	s3_mpu_part(f.s, STR("k"), STR("u&1"), 7, &hello_body, on_done, &f.g);
	good(&f, 1);
	part = strstr(asked(&f.v),
	    "PUT /bkt/k?partNumber=7&uploadId=u%261 HTTP/1.1\r\n");
	assert_non_null(part);
	assert_null(strstr(part, "x-amz-storage-class"));
	script_finish(&f);
}

static void
test_retries(void **state)
{
	struct s3_stats stats;
	FIXTURE(f, BODY("500 Oops", "", "0", ""), NOTHING,
	    "this is not HTTP\r\n\r\n" CLOSE, BODY("503 Slow", "", "0", ""),
	    BODY("408 Late", "", "0", ""), "HTTP/1.1 200 OK\r\nETag" CLOSE,
	    ERROR_503, OK_PUT);

	(void)state;
	s3_put(f.s, STR("k"), &hello_body, NULL, on_done, &f.g);
	/* A kept connection that ends without an answer is curl's to retry. */
	good(&f, 7);
	assert_non_null(asked(&f.v));
	assert_int_equal(f.v.count, 8);
	s3_stats(f.s, &stats);
	assert_int_equal(stats.requests, 7);
	assert_int_equal(stats.retries, 6);
	assert_int_equal(stats.slowdowns, 2);
	script_finish(&f);
}

static void
test_window(void **state)
{
	struct fixture f = { .s = NULL };
	const char *const script[] = { ERROR_503, OK_PUT, NULL };
	struct s3_stats stats;

	(void)state;
	f.c.store.max_inflight = 8;
	script_start(&f, script);
	s3_stats(f.s, &stats);
	assert_int_equal(stats.window, 8);
	s3_put(f.s, STR("k"), &hello_body, NULL, on_done, &f.g);
	good(&f, 2);
	s3_stats(f.s, &stats);
	assert_int_equal(stats.window, 4);
	script_finish(&f);
}

/* A body of which the first piece closes the gate. */
struct closing {
	struct s3_gate gate;
	uint64_t read;
};

static ptrdiff_t
read_and_close(void *arg, uint64_t offset, void *out, size_t max)
{
	struct closing *c = arg;
	size_t n = MIN(max, (size_t)(16 * KIB));

	memset(out, 'x', n);
	if (c->read == 0)
		s3_gate_valid_until(&c->gate, 1);
	c->read = offset + n;
	return (ptrdiff_t)n;
}

/* What is under way is taken back when the time is over, and sent anew when it
 * may be. */
static void
test_gate_holds(void **state)
{
	struct closing c = { .read = 0 };
	struct fixture f = { .c.gate = &c.gate };
	const char *const script[] = { OK_PUT, NULL };
	struct s3_body body = { .len = MIB, .read = read_and_close,
	    .read_arg = &c };

	(void)state;
	script_start(&f, script);
	s3_put(f.s, STR("k"), &body, NULL, on_done, &f.g);
	for (unsigned i = 0; c.read == 0 && i < 10000; i++)
		s3_wait(f.s, NULL, 0, 10);
	assert_true(c.read > 0);
	for (unsigned i = 0; i < 100; i++)
		s3_wait(f.s, NULL, 0, 1);
	assert_true(c.read < MIB);
	s3_gate_valid_until(&c.gate, 0);
	good(&f, 2);
	assert_int_equal(c.read, MIB);
	script_finish(&f);
}

/* A body that is there at every second question. */
struct slow {
	bool	 now;
	unsigned begun;
};

static ptrdiff_t
read_slowly(void *arg, uint64_t offset, void *out, size_t max)
{
	struct slow *s = arg;

	s->now = !s->now;
	if (!s->now)
		return 0;
	s->begun += offset == 0;
	memset(out, 'x', MIN(max, (size_t)1000));
	return (ptrdiff_t)MIN(max, (size_t)1000);
}

/* A kept connection ends behind a body that comes piece by piece: the request
 * has another attempt, and curl none of its own. */
static void
test_kept_ends(void **state UNUSED)
{
	const char *const script[] = { OK_PUT, CLOSE, OK_PUT, NULL };
	struct fixture f = { .c.stall_timeout_ms = 2000 };
	struct slow slow = { .now = false };
	struct s3_stats stats;
	struct s3_body body = { .len = 20000, .read = read_slowly,
	    .read_arg = &slow };

	script_start(&f, script);
	s3_put(f.s, STR("k"), &hello_body, NULL, on_done, &f.g);
	good(&f, 1);
	f.g.calls = 0;
	s3_put(f.s, STR("k"), &body, NULL, on_done, &f.g);
	while (f.g.calls == 0) {
		s3_resume(f.s, SIZE_MAX);
		s3_wait(f.s, NULL, 0, 10);
	}
	good(&f, 2);
	assert_int_equal(slow.begun, 2);
	/* It did not stand still until its time was over. */
	s3_stats(f.s, &stats);
	assert_int_equal(stats.slowdowns, 0);
	script_finish(&f);
}

static void
test_gives_up(void **state)
{
	struct fixture f = { .s = NULL };
	const char *const script[] = { ERROR_503, ERROR_503, ERROR_503,
	    ERROR_503, ERROR_503, ERROR_503, ERROR_503, ERROR_503, NULL };

	(void)state;
	f.c.retry_for_ms = 1;
	script_start(&f, script);
	s3_put(f.s, STR("k"), &hello_body, NULL, on_done, &f.g);
	bad(&f, ERR_RETRY, "attempts: HTTP 503 SlowDown");
	assert_true(str_starts(str_of(f.g.err.msg),
	    STR("put: gave up after ")));
	assert_true(f.g.attempts > 1);
	assert_int_equal(f.g.err.code, 503);
	script_finish(&f);
}

/* What can't get better is tried once. */
static void
test_final(void **state)
{
	FIXTURE(f, BODY("403 No", "", "89", "<Error><Code>SignatureDoesNotMatch"
	    "</Code><Message>bad\nsignature</Message></Error>        "),
	    OK_PUT);

	(void)state;
	s3_put(f.s, STR("k"), &hello_body, NULL, on_done, &f.g);
	bad(&f, ERR_REFUSED, "HTTP 403 SignatureDoesNotMatch: "
	    "bad\\x0asignature; is secret_key right?");
	assert_int_equal(f.g.attempts, 1);
	assert_int_equal(f.g.status, 403);
	script_finish(&f);
}

static void
test_redirect(void **state)
{
	FIXTURE(f, BODY("301 Moved", "x-amz-bucket-region: eu-west-9\r\n"
	    "Location: http://127.0.0.1:1/\r\n", "0", ""));

	(void)state;
	s3_head(f.s, STR("k"), on_done, &f.g);
	bad(&f, ERR_CONFIG, "redirected: set endpoint and region: eu-west-9");
	script_finish(&f);
}

static void
test_skew(void **state)
{
	FIXTURE(f, BODY("403 No", "Date: Fri, 24 May 2013 00:00:00 GMT\r\n",
	    "50", "<Error><Code>RequestTimeTooSkewed</Code></Error>  "),
	    OK_PUT);

	(void)state;
	s3_put(f.s, STR("k"), &hello_body, NULL, on_done, &f.g);
	good(&f, 2);
	assert_non_null(strstr(asked(&f.v), "x-amz-date: 20130524T"));
	assert_true(s3_server_time(f.s) < 1369353600 + 86400);
	script_finish(&f);
}

/* Whoever made the client may know the server's clock before it does. */
static void
test_clock(void **state)
{
	struct fixture f = { .s = NULL };
	const char *const script[] = { BODY("200 OK",
	    "Date: Fri, 24 May 2013 00:00:00 GMT\r\nETag: \"e1\"\r\n", "0",
	    ""), NULL };
	int64_t before = clock_wall_ns() / 1000000000;
	uint64_t from = clock_boot_ms();

	(void)state;
	f.c.boot_ms = 1000000000000 - (int64_t)from;
	script_start(&f, script);
	assert_in_range(s3_server_time(f.s), 1000000000, 1000000000 +
	    (clock_boot_ms() - from) / 1000);
	assert_int_equal(s3_boot_ms(f.s), f.c.boot_ms);
	s3_put(f.s, STR("k"), &hello_body, NULL, on_done, &f.g);
	good(&f, 1);
	assert_in_range(s3_server_time(f.s), 1369353600, 1369353600 +
	    (clock_boot_ms() - from) / 1000);
	assert_true(s3_boot_ms(f.s) != f.c.boot_ms);
	script_finish(&f);
	/* Nobody knows it: ours must do. */
	f.c.boot_ms = 0;
	script_start(&f, script);
	assert_int_equal(s3_boot_ms(f.s), 0);
	assert_true(s3_server_time(f.s) >= before);
	script_finish(&f);
}

/* HEAD has no body: the Date tells, and once is enough. */
static void
test_skew_of_head(void **state)
{
	FIXTURE(f, BODY("403 No", "Date: Fri, 24 May 2013 00:00:00 GMT\r\n",
	    "0", ""), BODY("403 No", "Date: Fri, 24 May 2019 00:00:00 GMT\r\n",
	    "0", ""), OK_PUT);

	(void)state;
	s3_head(f.s, STR("k"), on_done, &f.g);
	bad(&f, ERR_DENIED, "403");
	assert_int_equal(f.g.attempts, 2);
	script_finish(&f);
}

/* 2xx that no S3 would give. */
static void
test_false_success(void **state)
{
	(void)state;
	{
		FIXTURE(f, BODY("200 OK", "", "0", ""));
		s3_put(f.s, STR("k"), &hello_body, NULL, on_done, &f.g);
		bad(&f, ERR_PEER, "no ETag");
		script_finish(&f);
	}
	{
		FIXTURE(f, BODY("200 OK", "", "13", "<html></html>"));
		s3_delete(f.s, STR("k"), on_done, &f.g);
		bad(&f, ERR_PEER, "a body where none belongs");
		script_finish(&f);
	}
	{
		FIXTURE(f, "HTTP/1.1 200 OK\r\nETag: \"a\"\r\n\r\n" CLOSE);
		s3_head(f.s, STR("k"), on_done, &f.g);
		bad(&f, ERR_PEER, "no length");
		script_finish(&f);
	}
}

#define COMPLETE "<CompleteMultipartUploadResult><ETag>\"c-1\"</ETag>" \
	"</CompleteMultipartUploadResult>"

static void
test_error_in_200(void **state)
{
	static const uint8_t md5[16] = { 1 };

	(void)state;
	{
		FIXTURE(f, BODY("200 OK", "", "41",
		    "<Error><Code>InternalError</Code></Error>"),
		    BODY("200 OK", "", "81", COMPLETE));
		s3_mpu_complete(f.s, STR("k"), STR("u"), md5, NULL, 1, on_done,
		    &f.g);
		good(&f, 2);
		assert_string_equal(f.g.etag, "c-1");
		script_finish(&f);
	}
	{
		FIXTURE(f, BODY("200 OK", "", "40",
		    "<Error><Code>AccessDenied</Code></Error>"));
		s3_mpu_complete(f.s, STR("k"), STR("u"), md5, NULL, 1, on_done,
		    &f.g);
		bad(&f, ERR_DENIED, "HTTP 200 AccessDenied");
		script_finish(&f);
	}
}

#define LIST "<ListBucketResult><Contents><Key>a</Key><Size>1</Size>" \
	"</Contents><IsTruncated>false</IsTruncated></ListBucketResult>"

static void
test_list_cut(void **state)
{
	FIXTURE(f, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "74\r\n" LIST "\r\n" CLOSE,
	    BODY("200 OK", "", "116", "<ListBucketResult>" CLOSE),
	    BODY("200 OK", "", "18", "<ListBucketResult>"),
	    BODY("200 OK", "", "116", LIST));

	(void)state;
	assert_int_equal(strlen(LIST), 116);
	s3_list(f.s, STR("p/"), STR("a b"), STR("t+/="), '/', on_done, &f.g);
	good(&f, 4);
	assert_int_equal(f.g.listed, 1);
	assert_true(str_starts(str_of(asked(&f.v)), STR("GET /bkt?"
	    "continuation-token=t%2B%2F%3D&delimiter=%2F&encoding-type=url"
	    "&list-type=2&max-keys=1000&prefix=p%2F&start-after=a%20b "
	    "HTTP/1.1\r\n")));
	script_finish(&f);
}

#define OOPS	BODY("200 OK", "", "4", "oops")

static void
test_list_garbage(void **state)
{
	struct fixture f = { .s = NULL };
	const char *const script[] = { OOPS, OOPS, OOPS, OOPS, OOPS, OOPS,
	    OOPS, OOPS, NULL };

	(void)state;
	f.c.retry_for_ms = 1;
	script_start(&f, script);
	s3_list(f.s, STR(""), STR(""), STR(""), 0, on_done, &f.g);
	bad(&f, ERR_PEER, "XML");
	script_finish(&f);
}

static void
test_too_big(void **state)
{
	struct buf big;

	(void)state;
	buf_init(&big, 20 * MIB);
	buf_addstr(&big, "HTTP/1.1 200 OK\r\nContent-Length: 9437184\r\n\r\n");
	for (size_t i = 0; i < 9437184 / 64; i++)
		buf_add(&big, "                                "
		    "                                ", 64);
	{
		FIXTURE(f, big.data);
		s3_list(f.s, STR(""), STR(""), STR(""), 0, on_done, &f.g);
		bad(&f, ERR_PEER, "over 8388608 bytes");
		script_finish(&f);
	}
	buf_release(&big);
}

/* A server that takes the request and says nothing. */
static void
test_stall(void **state)
{
	struct fixture f = { .s = NULL };
	/* More answers than needed, for machines that stall by themselves. */
	const char *const script[] = { SILENT, OK_PUT, OK_PUT, OK_PUT,
	    OK_PUT, NULL };

	(void)state;
	f.c.stall_timeout_ms = 200;
	script_start(&f, script);
	s3_put(f.s, STR("k"), &hello_body, NULL, on_done, &f.g);
	run(&f);
	assert_int_equal(f.g.err.kind, ERR_NONE);
	assert_true(f.g.attempts >= 2);
	script_finish(&f);
}

/* What is on its way is seen before it is answered, and counted once. */
static void
test_bytes_on_the_way(void **state)
{
	struct s3_stats stats = { .bytes_sent = 0 };
	FIXTURE(f, OK_PUT, SILENT);

	(void)state;
	s3_put(f.s, STR("k"), &hello_body, NULL, on_done, &f.g);
	good(&f, 1);
	s3_stats(f.s, &stats);
	assert_int_equal(stats.bytes_sent, hello_body.len);
	s3_put(f.s, STR("k"), &hello_body, NULL, on_done, &f.g);
	for (int i = 0; i < 200 && stats.bytes_sent < 2 * hello_body.len; i++) {
		s3_wait(f.s, NULL, 0, 100);
		s3_stats(f.s, &stats);
	}
	assert_int_equal(stats.bytes_sent, 2 * hello_body.len);
	assert_int_equal(s3_pending(f.s), 1);
	script_finish(&f);
}

struct stream {
	unsigned starts;
	unsigned turns;
	bool	 waits;
};

static ptrdiff_t
on_read(void *arg, uint64_t offset, void *out, size_t max)
{
	struct stream *t = arg;

	(void)max;
	if (++t->turns % 2 == 0) {
		t->waits = true;
		return 0;
	}
	t->starts += offset == 0;
	memcpy(out, &"abcdef"[offset], 1);
	return 1;
}

/* Piece by piece with pauses; a retry asks from the start again. */
static void
test_stream(void **state)
{
	struct stream t = { .starts = 0 };
	struct s3_body body = { .len = 6, .read = on_read, .read_arg = &t };
	FIXTURE(f, BODY("500 Oops", "", "0", ""), OK_PUT);

	(void)state;
	s3_put(f.s, STR("k"), &body, NULL, on_done, &f.g);
	while (s3_pending(f.s) > 0) {
		s3_wait(f.s, NULL, 0, 1000);
		if (t.waits)
			s3_resume(f.s, SIZE_MAX);
		t.waits = false;
	}
	good(&f, 2);
	assert_int_equal(t.starts, 2);
	assert_non_null(strstr(asked(&f.v), "\r\n\r\nabcdefPUT"));
	assert_null(strcasestr(asked(&f.v), "expect"));
	script_finish(&f);
}

static void
on_done_again(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct fixture *f = arg;

	assert_null(err);
	assert_int_equal(r->status, 200);
	s3_put(f->s, STR("second"), &hello_body, NULL, on_done, &f->g);
	/* Refused, but from the loop as well. */
	s3_head(f->s, STR(""), on_done, &f->g);
	assert_int_equal(f->g.calls, 0);
}

static void
test_from_callback(void **state)
{
	FIXTURE(f, OK_PUT, OK_PUT);

	(void)state;
	s3_put(f.s, STR("first"), &hello_body, NULL, on_done_again, &f);
	while (s3_pending(f.s) > 0)
		s3_wait(f.s, NULL, 0, 1000);
	assert_int_equal(f.g.calls, 2);
	asked(&f.v);
	assert_int_equal(f.v.count, 2);
	script_finish(&f);
}

static void
test_extra_and_wakeup(void **state)
{
	struct pollfd extra[2] = { { .fd = -1 } };
	int fds[2];
	uint64_t from;
	FIXTURE(f, OK_PUT);

	(void)state;
	assert_int_equal(pipe(fds), 0);
	extra[0] = (struct pollfd){ .fd = fds[0], .events = POLLIN,
	    .revents = POLLOUT };
	extra[1] = (struct pollfd){ .fd = fds[1], .events = POLLOUT };
	s3_wait(f.s, extra, 2, 1000);
	assert_int_equal(extra[0].revents, 0);
	assert_int_equal(extra[1].revents, POLLOUT);
	close(fds[1]);
	s3_wait(f.s, extra, 1, 1000);
	assert_int_equal(extra[0].revents, POLLHUP);
	close(fds[0]);
	from = clock_mono_ms();
	s3_wakeup(f.s);
	s3_wait(f.s, NULL, 0, -1);
	/* Else it would have been a minute. */
	assert_true(clock_mono_ms() - from < 50000);
	script_finish(&f);
}

static void
test_free_stops(void **state)
{
	struct got waiting = { .calls = 0 };
	FIXTURE(f, SILENT);

	(void)state;
	s3_put(f.s, STR("k"), &hello_body, NULL, on_done, &f.g);
	s3_wait(f.s, NULL, 0, 0);
	s3_put(f.s, STR("k"), &hello_body, NULL, on_done, &waiting);
	s3_free(&f.s);
	assert_int_equal(f.g.calls, 1);
	assert_int_equal(f.g.err.kind, ERR_STOPPED);
	assert_int_equal(waiting.calls, 1);
	assert_int_equal(waiting.err.kind, ERR_STOPPED);
	script_finish(&f);
}

static void
test_refused_config(void **state)
{
	char *endpoint[] = { "http://h" };
	const struct s3_config fine = { .store = {
	    .endpoints = { endpoint, 1 }, .bucket = "b", .access_key = "a",
	    .secret_key = SECRET } };
	struct s3_config c[7];
	struct s3 *s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(c); i++)
		c[i] = fine;
	c[0].store.endpoints.n = 0;
	c[1].store.bucket = "a/b";
	c[2].store.bucket = NULL;
	c[3].store.secret_key = "";
	c[4].store.session_token = "x\r\ny: z";
	c[5].store.sse = "rot13";
	c[6].store.region = "eu west";
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		struct err err = ERR_INIT;

		assert_int_equal(s3_new(&s, &c[i], &err), -1);
		assert_null(s);
		assert_int_equal(err.kind, ERR_CONFIG);
	}
	assert_int_equal(s3_new(&s, &fine, NULL), 0);
	s3_free(&s);
	s3_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_object_headers),
		cmocka_unit_test(test_retries),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_kept_ends),
		cmocka_unit_test(test_gives_up),
		cmocka_unit_test(test_gate_holds),
		cmocka_unit_test(test_final),
		cmocka_unit_test(test_redirect),
		cmocka_unit_test(test_skew),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_skew_of_head),
		cmocka_unit_test(test_false_success),
		cmocka_unit_test(test_error_in_200),
		cmocka_unit_test(test_list_cut),
		cmocka_unit_test(test_list_garbage),
		cmocka_unit_test(test_too_big),
		cmocka_unit_test(test_stall),
		cmocka_unit_test(test_bytes_on_the_way),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_from_callback),
		cmocka_unit_test(test_extra_and_wakeup),
		cmocka_unit_test(test_free_stops),
		cmocka_unit_test(test_refused_config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
