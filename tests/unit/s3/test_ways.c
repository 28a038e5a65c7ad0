/* The ways to a store: a path in front of the bucket, a proxy, and what a
 * bucket wants to hear whose requesters pay. */
#include "kit/s3_script.h"

static void
put(struct fixture *f)
{
	static const struct s3_meta meta = { .mode = 0644 };

	s3_put(f->s, STR("k"), &hello_body, &meta, on_done, &f->g);
	good(f, 1);
}

static void
an_endpoint_has_a_path(void **state)
{
	const char *const script[] = { OK_PUT, NULL };
	struct fixture f = { .s = NULL };
	AUTOFREE char *url = NULL;
	struct err err = ERR_INIT;

	(void)state;
	script_start(&f, script);
	s3_free(&f.s);
	url = xasprintf("%s/gate/s3/", f.endpoint);
	f.endpoint = url;
	assert_int_equal(s3_new(&f.s, &f.c, &err), 0);
	put(&f);
	assert_non_null(strstr(asked(&f.v), "PUT /gate/s3/bkt/k HTTP"));
	script_finish(&f);
}

static void
a_proxy_is_asked(void **state)
{
	const char *const script[] = { OK_PUT, NULL };
	struct fixture f = { .s = NULL };
	char endpoint[] = "http://store.invalid:81";
	struct err err = ERR_INIT;

	(void)state;
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	script_start(&f, script);
	s3_free(&f.s);
	f.c.store.proxy = f.v.url;
	f.endpoint = endpoint;
	assert_int_equal(s3_new(&f.s, &f.c, &err), 0);
	put(&f);
	assert_non_null(strstr(asked(&f.v),
	    "PUT http://bkt.store.invalid:81/k HTTP"));
	assert_non_null(strstr(asked(&f.v), "Host: bkt.store.invalid:81\r\n"));
	script_finish(&f);
	unsetenv("http_proxy");
}

static void
a_requester_pays(void **state)
{
	const char *const script[] = { OK_PUT, NULL };
	struct fixture f = { .s = NULL };

	(void)state;
	f.c.store.request_payer = true;
	script_start(&f, script);
	put(&f);
	assert_non_null(strstr(asked(&f.v),
	    "x-amz-request-payer: requester\r\n"));
	assert_non_null(strstr(asked(&f.v), "x-amz-request-payer;"));
	script_finish(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_endpoint_has_a_path),
		cmocka_unit_test(a_proxy_is_asked),
		cmocka_unit_test(a_requester_pays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
