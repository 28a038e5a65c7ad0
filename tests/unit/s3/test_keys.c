/* Keys that end while requests are under way. */
#include "kit/s3_script.h"

#include "model/keyring.h"

#define EXPIRED BODY("400 Bad", "", "47", \
	"<Error><Code>ExpiredToken</Code></Error>       ")

static const struct keys one = { .access_key = (char *)(uintptr_t)"A1",
    .secret_key = (char *)(uintptr_t)SECRET,
    .session_token = (char *)(uintptr_t)"T1" };
static const struct keys two = { .access_key = (char *)(uintptr_t)"A2",
    .secret_key = (char *)(uintptr_t)SECRET,
    .session_token = (char *)(uintptr_t)"T2" };

static struct keyring *
ring_of(struct fixture *f)
{
	struct keyring *ring = keyring_new();

	keyring_set(ring, &one, 0);
	keyring_has_renewer(ring);
	f->c.store.keyring = ring;
	return ring;
}

static void
put(struct fixture *f)
{
	static const struct s3_meta meta = { .mode = 0644 };

	s3_put(f->s, STR("k"), &hello_body, &meta, on_done, &f->g);
}

static void
a_request_waits_for_other_keys(void **state)
{
	const char *const script[] = { EXPIRED, OK_PUT, NULL };
	struct fixture f = { .s = NULL };
	struct keyring *ring = ring_of(&f);

	(void)state;
	script_start(&f, script);
	put(&f);
	while (!keyring_awaits(ring))
		s3_wait(f.s, NULL, 0, 1000);
	/* Nothing is sent while the keys are awaited. */
	for (unsigned i = 0; i < 3; i++)
		s3_wait(f.s, NULL, 0, 1000);
	assert_int_equal(f.v.count, 1);
	assert_non_null(strstr(asked(&f.v), "Credential=A1/"));
	keyring_set(ring, &two, 0);
	good(&f, 2);
	assert_non_null(strstr(asked(&f.v), "Credential=A2/"));
	assert_non_null(strstr(asked(&f.v), "x-amz-security-token: T2"));
	script_finish(&f);
	keyring_free(&ring);
}

static void
a_request_fails_if_none_come(void **state)
{
	const char *const script[] = { EXPIRED, EXPIRED, NULL };
	struct fixture f = { .s = NULL };
	struct keyring *ring = ring_of(&f);
	struct err why = { .kind = ERR_RETRY, .msg = "the source is gone" };

	(void)state;
	script_start(&f, script);
	put(&f);
	while (!keyring_awaits(ring))
		s3_wait(f.s, NULL, 0, 1000);
	/* Of other keys, which are not in force. */
	keyring_give_up(ring, 7, &why);
	assert_true(keyring_awaits(ring));
	keyring_give_up(ring, 1, &why);
	bad(&f, ERR_REFUSED, "the keys were not renewed: the source is gone");
	script_finish(&f);
	keyring_free(&ring);
}

#define BAD	"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"
#define HEAD_OK	"HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 5\r\n\r\n"
#define ONE_BYTE BODY("206 Part", "Content-Range: bytes 0-0/5\r\n", "1", "x")

/* The answer to HEAD does not say why: a GET does. */
static void
head_asks_why(void **state)
{
	const char *const script[] = { BAD, EXPIRED, HEAD_OK, NULL };
	struct fixture f = { .s = NULL };
	struct keyring *ring = ring_of(&f);

	(void)state;
	script_start(&f, script);
	s3_head(f.s, STR("k"), on_done, &f.g);
	while (!keyring_awaits(ring))
		s3_wait(f.s, NULL, 0, 1000);
	assert_non_null(strstr(asked(&f.v), "GET /bkt/k HTTP"));
	assert_non_null(strstr(asked(&f.v), "range: bytes=0-0"));
	keyring_set(ring, &two, 0);
	good(&f, 3);
	assert_string_equal(f.g.etag, "e");
	script_finish(&f);
	keyring_free(&ring);
}

static void
head_fails_with_the_reason(void **state)
{
	const char *const script[] = { BAD, BODY("400 Bad", "", "38",
	    "<Error><Code>SomeOther</Code></Error>\n"), NULL };
	struct fixture f = { .s = NULL };
	struct keyring *ring = ring_of(&f);

	(void)state;
	script_start(&f, script);
	s3_head(f.s, STR("k"), on_done, &f.g);
	bad(&f, ERR_PEER, "HTTP 400 SomeOther");
	assert_false(keyring_awaits(ring));
	script_finish(&f);
	keyring_free(&ring);
}

static void
head_is_refused_and_get_is_not(void **state)
{
	const char *const script[] = { BAD, ONE_BYTE, BAD, NULL };
	struct fixture f = { .s = NULL };
	struct keyring *ring = ring_of(&f);

	(void)state;
	script_start(&f, script);
	s3_head(f.s, STR("k"), on_done, &f.g);
	bad(&f, ERR_PEER, "HTTP 400");
	script_finish(&f);
	keyring_free(&ring);
}

/* Also with keys that do not end. */
static void
head_of_the_bucket_asks_why(void **state)
{
	FIXTURE(f, BAD, BODY("403 No", "", "47", "<Error><Code>"
	    "InvalidAccessKeyId</Code></Error> "));

	(void)state;
	s3_bucket(f.s, on_done, &f.g);
	bad(&f, ERR_REFUSED, "InvalidAccessKeyId");
	script_finish(&f);
}

#define REGION(name) BODY("400 Bad", "", "87", "<Error><Code>" \
	"AuthorizationHeaderMalformed</Code><Region>" name "</Region>" \
	"</Error>          ")

static void
the_region_of_the_bucket_is_taken(void **state)
{
	FIXTURE(f, BAD, REGION("eu-1"), HEAD_OK, OK_PUT);

	(void)state;
	s3_bucket(f.s, on_done, &f.g);
	good(&f, 3);
	assert_non_null(strstr(asked(&f.v), "/us-east-1/s3/aws4_request"));
	assert_non_null(strstr(asked(&f.v), "/eu-1/s3/aws4_request"));
	f.g.calls = 0;
	put(&f);
	good(&f, 1);
	script_finish(&f);
}

static void
a_region_that_does_not_help(void **state)
{
	FIXTURE(f, REGION("eu-1"), REGION("eu-1"));

	(void)state;
	put(&f);
	bad(&f, ERR_CONFIG, "is region right?: eu-1");
	script_finish(&f);
}

static void
a_region_of_other_characters(void **state)
{
	FIXTURE(f, REGION("E/1;"));

	(void)state;
	put(&f);
	bad(&f, ERR_CONFIG, "is region right?: E/1;");
	script_finish(&f);
}

static void
a_new_key_may_not_be_known_yet(void **state)
{
	const char *const script[] = { BODY("403 No", "", "47", "<Error><Code>"
	    "InvalidAccessKeyId</Code></Error> "), OK_PUT, NULL };
	struct fixture f = { .s = NULL };
	struct keyring *ring = ring_of(&f);

	(void)state;
	script_start(&f, script);
	put(&f);
	good(&f, 2);
	assert_false(keyring_awaits(ring));
	script_finish(&f);
	keyring_free(&ring);
}

static void
keys_that_were_replaced_are_not_blamed(void **state)
{
	const char *const script[] = { BAD, HEAD_OK, NULL };
	struct fixture f = { .s = NULL };
	struct keyring *ring = ring_of(&f);

	(void)state;
	script_start(&f, script);
	s3_head(f.s, STR("k"), on_done, &f.g);
	/* This turn signs the request; its answer takes more turns. */
	s3_wait(f.s, NULL, 0, 0);
	keyring_set(ring, &two, 0);
	good(&f, 2);
	script_finish(&f);
	keyring_free(&ring);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_waits_for_other_keys),
		cmocka_unit_test(a_request_fails_if_none_come),
		cmocka_unit_test(head_asks_why),
		cmocka_unit_test(head_fails_with_the_reason),
		cmocka_unit_test(head_is_refused_and_get_is_not),
		cmocka_unit_test(head_of_the_bucket_asks_why),
		cmocka_unit_test(the_region_of_the_bucket_is_taken),
		cmocka_unit_test(a_region_that_does_not_help),
		cmocka_unit_test(a_region_of_other_characters),
		cmocka_unit_test(a_new_key_may_not_be_known_yet),
		cmocka_unit_test(keys_that_were_replaced_are_not_blamed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
