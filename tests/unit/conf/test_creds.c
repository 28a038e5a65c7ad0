#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "kit/conf_text.h"

#define S3 "[s3_storage]\nendpoint = http://h:1\nbucket = bkt\n"

static const char credentials[] =
    "# keys\n"
    "[default]\n"
    "aws_access_key_id = D\n"
    "aws_secret_access_key = DS\n"
    "s3 =\n"
    "  max_concurrent_requests = 20 ; nested\n"
    "[a-profile-with-a-name-that-is-longer-than-forty-nine-bytes]\n"
    "aws_access_key_id = L\n"
    "aws_secret_access_key = LS\n"
    "[p]\n"
    "aws_access_key_id=P # mine\n"
    "aws_secret_access_key = P/S+==\n"
    "aws_session_token = PT\n"
    "region = eu-1\n"
    "a-key-of-another-program-that-is-longer-than-forty-nine-bytes = 1\n"
    "no value\n"
    "[half]\n"
    "aws_access_key_id = H\n";

/* Where credentials come from: every source has letters of its own. */
static const struct {
	const char *settings;	/* after S3 */
	const char *access, *secret, *token, *profile;	/* environment */
	const char *want;	/* access/secret/token/region, or a message */
} rows[] = {
	{ "access_key = F\nsecret_key = FS\n", NULL, NULL, NULL, NULL,
	    "F/FS/-/us-east-1" },
	{ "access_key = F\nsecret_key = FS\n", "E", "ES", "ET", "p",
	    "F/FS/-/us-east-1" },
	{ "access_key = F\nsecret_key = FS\nsession_token = FT\n", NULL,
	    NULL, NULL, NULL, "F/FS/FT/us-east-1" },
	{ "", "E", "ES", NULL, NULL, "E/ES/-/us-east-1" },
	{ "", "E", "ES", "ET", "p", "E/ES/ET/us-east-1" },
	{ "", NULL, NULL, NULL, "p", "P/P/S+==/PT/eu-1" },
	{ "", NULL, NULL, NULL, NULL, "D/DS/-/us-east-1" },
	{ "profile = p\n", "E", "ES", "ET", NULL, "P/P/S+==/PT/eu-1" },
	{ "profile = p\nregion = here\n", NULL, NULL, NULL, NULL,
	    "P/P/S+==/PT/here" },
	/* The secret of the key that the file names, of no other. */
	{ "access_key = F\n", NULL, "ES", NULL, NULL, "F/ES/-/us-east-1" },
	{ "access_key = E\n", "E", "ES", "ET", NULL, "E/ES/ET/us-east-1" },
	{ "access_key = F\n", "E", "ES", "ET", NULL,
	    "no secret key for access_key F" },
	{ "access_key = P\n", NULL, NULL, NULL, "p", "P/P/S+==/PT/eu-1" },
	{ "access_key = F\nprofile = p\n", NULL, NULL, NULL, NULL,
	    "no secret key for access_key F" },
	{ "profile = nobody\n", NULL, NULL, NULL, NULL,
	    "there is no profile [nobody] in" },
	{ "profile = half\n", NULL, NULL, NULL, NULL,
	    "profile [half] has only one of" },
	{ "profile = a-profile-with-a-name-that-is-longer-than-forty-nine-"
	    "bytes\n", NULL, NULL, NULL, NULL, "there is no profile [a-pro" },
};

static void
set_env(const char *name, const char *value)
{
	int rc = value == NULL ? unsetenv(name) : setenv(name, value, 1);

	assert_int_equal(rc, 0);
}

static void
sources_have_their_order(void **state)
{
	AUTOFREE char *dir = text_path(".aws");

	(void)state;
	assert_int_equal(mkdir(dir, 0700), 0);
	text_write(".aws/credentials", str_of(credentials), 0600);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(conf_release) struct conf c;
		AUTOFREE char *text = xasprintf(S3 "%s", rows[i].settings);
		AUTOFREE char *got = NULL;
		struct err err = ERR_INIT;

		set_env("AWS_ACCESS_KEY_ID", rows[i].access);
		set_env("AWS_SECRET_ACCESS_KEY", rows[i].secret);
		set_env("AWS_SESSION_TOKEN", rows[i].token);
		set_env("AWS_PROFILE", rows[i].profile);
		if (text_load(&c, "t.conf", text, &err) == -1)
			fail_msg("%s", err.msg);
		if (conf_finish(&c, true, false, &err) == -1)
			got = xstrdup(err.msg);
		else
			got = xasprintf("%s/%s/%s/%s",
			    c.s3_storage.access_key, c.s3_storage.secret_key,
			    c.s3_storage.session_token == NULL ? "-" :
			    c.s3_storage.session_token, c.s3_storage.region);
		if (strstr(got, rows[i].want) == NULL)
			fail_msg("row %zu: got %s, want %s", i, got,
			    rows[i].want);
	}
}

static void
the_region_of_the_environment_counts(void **state)
{
	CLEANUP(conf_release) struct conf a, b;
	struct err err = ERR_INIT;

	(void)state;
	set_env("AWS_ACCESS_KEY_ID", "E");
	set_env("AWS_SECRET_ACCESS_KEY", "ES");
	set_env("AWS_DEFAULT_REGION", "second");
	assert_int_equal(text_load(&a, "t.conf", S3, &err), 0);
	assert_int_equal(conf_finish(&a, true, false, &err), 0);
	assert_string_equal(a.s3_storage.region, "second");
	set_env("AWS_REGION", "first");
	assert_int_equal(text_load(&b, "t.conf", S3, &err), 0);
	assert_int_equal(conf_finish(&b, true, false, &err), 0);
	assert_string_equal(b.s3_storage.region, "first");
	set_env("AWS_REGION", NULL);
	set_env("AWS_DEFAULT_REGION", NULL);
	set_env("AWS_ACCESS_KEY_ID", NULL);
	set_env("AWS_SECRET_ACCESS_KEY", NULL);
}

static int
finish_with_file(struct conf *c, const char *more, struct err *err)
{
	AUTOFREE char *path = text_path("secret");
	AUTOFREE char *text = xasprintf(S3 "access_key = F\n"
	    "secret_key_file = %s\n%s", path, more);

	if (text_load(c, "t.conf", text, err) == -1)
		fail_msg("%s", err->msg);
	return conf_finish(c, true, false, err);
}

static void
a_secret_comes_from_its_file(void **state)
{
	static const struct {
		struct str text;
		mode_t mode;
		const char *more, *message;
	} files[] = {
		{ { "a b/+=", 6 }, 0600, "", NULL },
		{ { "a b/+=\n", 7 }, 0640, "", NULL },
		{ { "a b/+=\r\nrest", 12 }, 0600, "", NULL },
		{ { "a b/+=\n", 7 }, 0644, "", "is open to every user; ch" },
		{ { "a b/+=\n", 7 }, 0602, "", "is open to every user" },
		{ { "", 0 }, 0600, "", "the first line is empty" },
		{ { "\nx", 2 }, 0600, "", "the first line is empty" },
		{ { "a\0b", 3 }, 0600, "", "holds a NUL byte" },
		{ { "x", 1 }, 0600, "secret_key = y\n", "keep one" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		CLEANUP(conf_release) struct conf c;
		struct err err = ERR_INIT;

		text_write("secret", files[i].text, files[i].mode);
		if (finish_with_file(&c, files[i].more, &err) == -1) {
			if (files[i].message == NULL || strstr(err.msg,
			    files[i].message) == NULL)
				fail_msg("row %zu: %s", i, err.msg);
			assert_int_equal(err.kind, ERR_CONFIG);
			continue;
		}
		assert_null(files[i].message);
		assert_string_equal(c.s3_storage.secret_key, "a b/+=");
	}
}

static void
a_password_comes_from_its_file(void **state)
{
	CLEANUP(conf_release) struct conf a, b;
	AUTOFREE char *path = text_path("secret");
	AUTOFREE char *text = xasprintf("[client]\npassword_file = %s\n",
	    path);
	struct err err = ERR_INIT;

	(void)state;
	text_write("secret", STR("pass word\n"), 0600);
	assert_int_equal(text_load(&a, "t.conf", text, &err), 0);
	assert_int_equal(conf_finish(&a, false, false, &err), 0);
	assert_string_equal(a.client.password, "pass word");
	unlink(path);
	assert_int_equal(text_load(&b, "t.conf", text, &err), 0);
	assert_int_equal(conf_finish(&b, false, false, &err), -1);
	assert_non_null(strstr(err.msg, "password_file: "));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sources_have_their_order),
		cmocka_unit_test(the_region_of_the_environment_counts),
		cmocka_unit_test(a_secret_comes_from_its_file),
		cmocka_unit_test(a_password_comes_from_its_file),
	};

	return cmocka_run_group_tests(tests, text_setup, text_teardown);
}
