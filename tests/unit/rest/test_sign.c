/* The examples that AWS publishes for S3 ("Signature Calculations for the
 * Authorization Header"), and what is special in encoding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rest/sign.h"

#define KEY_ID	"AKIAIOSFODNN7EXAMPLE"
#define SECRET	"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
static const struct keys keys = { .access_key = (char *)KEY_ID,
    .secret_key = (char *)SECRET };
#define TIME	1369353600	/* 2013-05-24T00:00:00Z */
#define HOST	{ STR("host"), STR("examplebucket.s3.amazonaws.com") }
#define DATE	{ STR("x-amz-date"), STR("20130524T000000Z") }
#define SHA(h)	{ STR("x-amz-content-sha256"), STR(h) }

static void
check(const char *method, const char *path, const char *query,
    struct s3_header *headers, size_t count, const char *sha,
    const char *names, const char *signature)
{
	struct s3_signer s;
	struct s3_to_sign r = { .method = method, .path = str_of(path),
	    .query = str_of(query), .headers = headers,
	    .header_count = count, .payload = sha, .time = TIME };
	struct buf out;
	char want[512];

	s3_signer_init(&s, &keys, "us-east-1", "s3");
	buf_init(&out, 4096);
	s3_sign(&s, &r, &out);
	snprintf(want, sizeof(want), "AWS4-HMAC-SHA256 Credential=" KEY_ID
	    "/20130524/us-east-1/s3/aws4_request,SignedHeaders=%s,"
	    "Signature=%s", names, signature);
	assert_string_equal(out.data, want);
	/* The second time, the key of the day is there already. */
	buf_clear(&out);
	s3_sign(&s, &r, &out);
	assert_string_equal(out.data, want);
	buf_release(&out);
	s3_signer_release(&s);
}

static void
test_get_object(void **state)
{
	struct s3_header h[] = { HOST,
	    { STR("range"), STR("bytes=0-9") }, SHA(S3_EMPTY_SHA256), DATE };

	(void)state;
	check("GET", "/test.txt", "", h, ARRAY_LEN(h), S3_EMPTY_SHA256,
	    "host;range;x-amz-content-sha256;x-amz-date",
	    "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

/* Headers in any order, blanks around values. */
static void
test_put_object(void **state)
{
	static const char sha[] =
	    "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
	struct s3_header h[] = {
	    { STR("x-amz-storage-class"), STR("REDUCED_REDUNDANCY  ") },
	    DATE, SHA(sha), HOST,
	    { STR("date"), STR("  Fri, 24  May 2013 00:00:00 GMT\t") } };
	struct buf path;

	(void)state;
	buf_init(&path, 100);
	s3_encode(&path, STR("/test$file.text"), true);
	check("PUT", path.data, "", h, ARRAY_LEN(h), sha,
	    "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
	    "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
	buf_release(&path);
}

static void
test_get_lifecycle(void **state)
{
	struct s3_header h[] = { HOST, SHA(S3_EMPTY_SHA256), DATE };
	struct s3_param p[] = { { "lifecycle", STR("") } };
	struct buf query;

	(void)state;
	buf_init(&query, 100);
	s3_query(&query, p, 1);
	check("GET", "/", query.data, h, ARRAY_LEN(h), S3_EMPTY_SHA256,
	    "host;x-amz-content-sha256;x-amz-date",
	    "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
	buf_release(&query);
}

static void
test_list_objects(void **state)
{
	struct s3_header h[] = { HOST, SHA(S3_EMPTY_SHA256), DATE };
	struct s3_param p[] = { { "prefix", STR("J") },
	    { "max-keys", STR("2") } };
	struct buf query;

	(void)state;
	buf_init(&query, 100);
	s3_query(&query, p, 2);
	assert_string_equal(query.data, "max-keys=2&prefix=J");
	check("GET", "/", query.data, h, ARRAY_LEN(h), S3_EMPTY_SHA256,
	    "host;x-amz-content-sha256;x-amz-date",
	    "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
	buf_release(&query);
}

/* The key belongs to the day: another day, another signature, and back. */
static void
test_days(void **state)
{
	struct s3_header h[] = { HOST };
	struct s3_to_sign r = { .method = "GET", .path = STR("/"),
	    .query = STR(""), .headers = h, .header_count = 1,
	    .payload = S3_UNSIGNED, .time = TIME };
	struct s3_signer s, fresh;
	struct buf a, b;

	(void)state;
	buf_init(&a, 4096);
	buf_init(&b, 4096);
	s3_signer_init(&s, &keys, "eu-west-1", "s3");
	s3_signer_init(&fresh, &keys, "eu-west-1", "s3");
	s3_sign(&s, &r, &a);
	r.time += 86400;
	buf_clear(&a);
	s3_sign(&s, &r, &a);
	s3_sign(&fresh, &r, &b);
	assert_string_equal(a.data, b.data);
	assert_non_null(strstr(a.data, "/20130525/eu-west-1/s3/"));
	assert_string_equal(s3_sign_date(&s, TIME - 1), "20130523T235959Z");
	assert_null(strstr(a.data, SECRET));
	buf_release(&a);
	buf_release(&b);
	s3_signer_release(&s);
	s3_signer_release(&fresh);
}

static void
test_encode(void **state)
{
	static const char all[] = "AZaz09-_.~/ +%&=?#\n\001\177\303\274*'()!";
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	s3_encode(&b, STR(all), true);
	assert_string_equal(b.data, "AZaz09-_.~/%20%2B%25%26%3D%3F%23%0A%01"
	    "%7F%C3%BC%2A%27%28%29%21");
	buf_clear(&b);
	s3_encode(&b, STR("a/../b//"), true);
	assert_string_equal(b.data, "a/../b//");
	buf_clear(&b);
	s3_encode(&b, STR("a/b"), false);
	assert_string_equal(b.data, "a%2Fb");
	buf_clear(&b);
	s3_encode(&b, STR(""), false);
	assert_int_equal(b.len, 0);
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get_object),
		cmocka_unit_test(test_put_object),
		cmocka_unit_test(test_get_lifecycle),
		cmocka_unit_test(test_list_objects),
		cmocka_unit_test(test_days),
		cmocka_unit_test(test_encode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
