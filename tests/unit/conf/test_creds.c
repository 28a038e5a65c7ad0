#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "kit/conf_text.h"

#define S3 "[s3_storage]\nendpoint = http://h:1\nbucket = bkt\n"

static void
set_env(const char *name, const char *value)
{
	int rc = value == NULL ? unsetenv(name) : setenv(name, value, 1);

	assert_int_equal(rc, 0);
}

static void
the_region_of_the_environment_counts(void **state)
{
	CLEANUP(conf_release) struct conf a, b;
	struct err err = ERR_INIT;

	(void)state;
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
		cmocka_unit_test(the_region_of_the_environment_counts),
		cmocka_unit_test(a_secret_comes_from_its_file),
		cmocka_unit_test(a_password_comes_from_its_file),
	};

	return cmocka_run_group_tests(tests, text_setup, text_teardown);
}
