#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "kit/conf_text.h"

#define S3 "[s3_storage]\nendpoint = http://h:1/\nbucket = bkt\n"
#define NFS "[nfs h]\nshare = /a\n"

static int
finish(struct conf *c, const char *text, bool s3, bool nfs, struct err *err)
{
	if (text_load(c, "t.conf", text, err) == -1)
		fail_msg("%s", err->msg);
	return conf_finish(c, s3, nfs, err);
}

static void
what_is_missing_is_named(void **state)
{
	static const struct {
		const char *text;
		bool s3, nfs;
		const char *message;	/* NULL: nothing is missing */
	} rows[] = {
		{ "", false, false, NULL },
		{ "", true, false, "t.conf: no S3 endpoint; set endpoint" },
		{ "", false, true, "t.conf: no share; add [nfs SERVER]" },
		{ NFS, false, true, NULL },
		{ "[s3_storage]\nendpoint = http://h\n", true, false,
		    "t.conf: no bucket; set bucket" },
		{ S3, true, false, NULL },
		{ S3 "access_key = A\nsecret_key = S\n", true, false, NULL },
		{ "[s3_storage]\nclient_lib = dss_client\n", true, false,
		    "t.conf: no S3 endpoint; set endpoint" },
		{ "[s3_storage]\nclient_lib = dss_client\nendpoint = "
		    "http://h\naccess_key = A\nsecret_key = S\n", true,
		    false, NULL },
		{ "[message]\nport_index = 7\nport_status = 7\n", false,
		    false, "t.conf: [message] port_index and port_status" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(conf_release) struct conf c;
		struct err err = ERR_INIT;
		int rc = finish(&c, rows[i].text, rows[i].s3, rows[i].nfs,
		    &err);

		if (rows[i].message == NULL && rc == -1)
			fail_msg("row %zu: %s", i, err.msg);
		if (rows[i].message == NULL)
			continue;
		assert_int_equal(rc, -1);
		assert_int_equal(err.kind, ERR_CONFIG);
		if (strstr(err.msg, rows[i].message) == NULL)
			fail_msg("row %zu: %s", i, err.msg);
	}
}

/* The buckets of a DSS store have names of their own. */
static void
a_dss_store_takes_no_bucket(void **state)
{
	static const char text[] = S3 "client_lib = dss_client\n"
	    "access_key = A\nsecret_key = S\n";
	struct err err = ERR_INIT;
	struct conf c;

	(void)state;
	assert_int_equal(finish(&c, text, true, false, &err), 0);
	assert_int_equal(c.notices.n, 1);
	assert_non_null(strstr(c.notices.v[0], "bucket: passed over"));
	conf_release(&c);
	if (text_load(&c, "t.conf", text, &err) == -1 ||
	    conf_set(&c, "s3_storage", "bucket", "other", "--bucket",
	    &err) == -1)
		fail_msg("%s", err.msg);
	assert_int_equal(conf_finish(&c, true, false, &err), -1);
	assert_int_equal(err.kind, ERR_USAGE);
	assert_non_null(strstr(err.msg, "--bucket"));
	conf_release(&c);
}

static void
endpoints_and_buckets_are_checked(void **state)
{
	static const struct {
		const char *key, *value, *message;
	} rows[] = {
		{ "endpoint", "https://s3.example.com", NULL },
		{ "endpoint", "http://[::1]:9000//", NULL },
		{ "endpoint", "s3.example.com:9000", "begin it with http" },
		{ "endpoint", "ftp://h", "begin it with http://" },
		{ "endpoint", "http://", "begin it with http" },
		{ "endpoint", "http:///", "begin it with http" },
		{ "endpoint", "http://?", "a host is missing" },
		{ "endpoint", "http://h/a b", "only a host, a port and a " },
		{ "endpoint", "http://h/a//b", "only a host, a port and a " },
		{ "endpoint", "http://h/../b", "only a host, a port and a " },
		{ "endpoint", "http://h/%41", "only a host, a port and a " },
		{ "endpoint", "http://h?x=1", "only a host, a port and a " },
		{ "endpoint", "http://u:pw@h", "only a host, a port and a " },
		{ "endpoint", "http://h h", "only a host, a port and a " },
		{ "proxy", "http://u:pw@h", "no name and password" },
		{ "proxy", "h:3128", "write http://HOST:PORT" },
		{ "proxy", "http://h/x", "write http://HOST:PORT" },
		{ "proxy", "http://", "write http://HOST:PORT" },
		{ "endpoint", "http://h\xc3\xa9", "no host is named so" },
		{ "bucket", "a.b-c_D1", NULL },
		{ "bucket", "ab", "no bucket is named so" },
		{ "bucket", "a/b", "no bucket is named so" },
		{ "bucket", "a b", "no bucket is named so" },
		{ "bucket", "a..b", "no bucket is named so" },
		{ "bucket", "abc?x", "no bucket is named so" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(conf_release) struct conf c;
		struct err err = ERR_INIT;
		int rc;

		conf_init(&c);
		assert_int_equal(conf_set(&c, "s3_storage", rows[i].key,
		    rows[i].value, "test", &err), 0);
		rc = conf_finish(&c, false, false, &err);
		if (rows[i].message == NULL && rc == -1)
			fail_msg("%s: %s", rows[i].value, err.msg);
		if (rows[i].message != NULL && (rc == 0 ||
		    strstr(err.msg, rows[i].message) == NULL))
			fail_msg("%s: %s", rows[i].value, err.msg);
		assert_null(strstr(err.msg, "pw@"));
	}
}

static void
slashes_at_the_end_are_taken_off(void **state)
{
	CLEANUP(conf_release) struct conf c;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(finish(&c, S3 "[nfs h]\nshare = //x///y//\n"
	    "[nfs i]\nshare = ///\n", false, true, &err), 0);
	assert_string_equal(c.s3_storage.endpoints.v[0], "http://h:1");
	assert_string_equal(c.fs_config.nfs[0].shares.v[0], "/x/y");
	assert_string_equal(c.fs_config.nfs[1].shares.v[0], "/");
	assert_in_range(c.client.workers, 1, 16);
}

static void
shares_that_meet_are_refused(void **state)
{
#define NO "[fs_config]\nserver_as_prefix = no\n"
	static const struct {
		const char *text, *message;
	} rows[] = {
		{ "[nfs h]\nshare = a\n", "not an absolute path" },
		{ "[nfs h]\nshare = /a/../b\n", "holds . or .." },
		{ "[nfs h]\nshare = /./a\n", "holds . or .." },
		{ "[nfs h]\nserver = h\n", "[nfs h] has no share" },
		{ "[nfs h]\nserver = a/b\nshare = /a\n", "no host is named" },
		{ "[nfs h]\nserver = ..\nshare = /a\n", "no host is named" },
		{ "[nfs h]\nshare = /a\nshare = /a/\n",
		    "h:/a has the same keys as h:/a; keep one" },
		{ "[nfs h]\nshare = /a/b\nshare = /a\n", NULL },
		{ "[nfs h]\nshare = /a/b\nshare = /\n", NULL },
		{ "[nfs h]\nshare = /a\nshare = /a-b\nshare = /a/b/c\n",
		    NULL },
		{ NO "[nfs h]\nshare = /a\nshare = /a/b\n[nfs i]\n"
		    "share = /a/c\n", "i:/a/c lies inside h:/a; keep one" },
		{ "[nfs x]\nserver = h\nshare = /a\n[nfs y]\nserver = h\n"
		    "share = /a\n", "has the same keys as" },
		{ "[nfs h]\nshare = /a\n[nfs i]\nshare = /a\n", NULL },
		{ "[nfs h]\nshare = /a\nshare = /ab\nshare = /a.b\n", NULL },
		{ NO "[nfs h]\nshare = /a\n[nfs i]\nshare = /a\n",
		    "h:/a has the same keys as i:/a; keep one, or set" },
		{ NO "[nfs h]\nshare = /a\n[nfs i]\nshare = /a/b\n",
		    "i:/a/b lies inside h:/a" },
		{ NO "[nfs h]\nshare = /a\n[nfs i]\nshare = /b\n", NULL },
		{ NO "[nfs h]\nshare = /\n[nfs i]\nshare = /b\n",
		    "i:/b lies inside h:/" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(conf_release) struct conf c;
		struct err err = ERR_INIT;
		int rc = finish(&c, rows[i].text, false, true, &err);

		if (rows[i].message == NULL && rc == -1)
			fail_msg("row %zu: %s", i, err.msg);
		/* Which of two equal ones is named first is open. */
		if (rows[i].message != NULL && (rc == 0 ||
		    (strstr(err.msg, rows[i].message) == NULL &&
		    strstr(err.msg, "i:/a has the same keys as h:/a") ==
		    NULL)))
			fail_msg("row %zu: %s", i, err.msg);
	}
}

static const struct {
	bool server;
	const char *prefix;
	const char *rest;	/* NULL: refused */
} prefixes[] = {
	{ true, "h/dir1/", "" },
	{ true, "h/dir1/sub/", "sub/" },
	{ true, "h/a/b/", "" },
	{ true, "g/top/", "top/" },
	{ true, "h/", NULL },
	{ true, "h/a/", NULL },
	{ true, "h/dir10/", NULL },
	{ true, "dir1/", NULL },
	{ true, "h/dir1", NULL },
	{ true, "/h/dir1/", NULL },
	{ true, "", NULL },
	{ true, "/", NULL },
	{ true, "h/dir1//", NULL },
	{ true, "h/dir1/../x/", NULL },
	{ true, "h/dir1/./", NULL },
	{ true, "h/dir1/.../", ".../" },
	/* The byte E9 of a share is U+FFFD and E9 in its keys. */
	{ true, "h/\xef\xbf\xbd" "E9/x/", "x/" },
	{ true, "h/\xe9/x/", NULL },
	{ false, "dir1/", "" },
	{ false, "a/b/c/", "c/" },
	{ false, "h/dir1/", NULL },
	{ false, "dir10/", NULL },
};

static void
prefixes_lie_under_a_share(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		CLEANUP(conf_release) struct conf c;
		const char *share, *rest, *prefix = prefixes[i].prefix;
		const struct conf_nfs *nfs;
		struct err err = ERR_INIT;

		if (finish(&c, prefixes[i].server ? "[nfs h]\nshare = /dir1\n"
		    "share = /a/b\nshare = /\xe9\n[nfs g]\nshare = /\n" :
		    NO "[nfs h]\nshare = /dir1\nshare = /a/b\n", false, true,
		    &err) == -1)
			fail_msg("%s", err.msg);
		if (conf_check_prefix(&c, prefix, &err) == -1) {
			assert_int_equal(err.kind, ERR_USAGE);
			if (prefixes[i].rest != NULL)
				fail_msg("%s", err.msg);
			continue;
		}
		if (prefixes[i].rest == NULL)
			fail_msg("accepted: %s", prefix);
		assert_true(conf_share_of(&c, prefix, &nfs, &share, &rest));
		assert_string_equal(rest, prefixes[i].rest);
	}
}

static void
key_prefixes_are_those_of_the_settings(void **state)
{
	CLEANUP(conf_release) struct conf c;
	CLEANUP(buf_release) struct buf b;

	(void)state;
	conf_init(&c);
	buf_init(&b, 100);
	assert_int_equal(conf_key_prefix(&c, "h", "/a/b", &b), 0);
	assert_string_equal(b.data, "h/a/b");
	buf_clear(&b);
	assert_int_equal(conf_s3_prefix(&c, "h", "/a/b", &b), 0);
	assert_string_equal(b.data, "h/a/b");
	buf_clear(&b);
	assert_int_equal(conf_key_prefix(&c, "h", "/", &b), 0);
	assert_string_equal(b.data, "h");
	c.fs_config.server_as_prefix = false;
	buf_clear(&b);
	assert_int_equal(conf_key_prefix(&c, "h", "/a/b", &b), 0);
	assert_string_equal(b.data, "h/a/b");
	buf_clear(&b);
	assert_int_equal(conf_s3_prefix(&c, "h", "/a/b", &b), 0);
	assert_string_equal(b.data, "a/b");
	buf_clear(&b);
	assert_int_equal(conf_s3_prefix(&c, "h", "/", &b), 0);
	assert_int_equal(b.len, 0);
	assert_int_equal(conf_s3_prefix(&c, "h", "/\xff", &b), 0);
	assert_string_equal(b.data, "\xef\xbf\xbd" "FF");
	buf_release(&b);
	buf_init(&b, 3);
	assert_int_equal(conf_key_prefix(&c, "h", "/abc", &b), -1);
}

static void
paths_follow_the_user(void **state)
{
	CLEANUP(conf_release) struct conf set, own, other;
	struct err err = ERR_INIT;
	bool root = geteuid() == 0;

	(void)state;
	conf_init(&set);
	conf_init(&own);
	conf_init(&other);
	assert_int_equal(conf_set(&set, "catalog", "path", "/x/c.db", "t",
	    NULL), 0);
	assert_int_equal(conf_finish(&set, false, false, &err), 0);
	assert_string_equal(set.catalog.path, "/x/c.db");
	if (root) {
		assert_int_equal(conf_finish(&own, false, false, &err), 0);
		assert_string_equal(own.catalog.path,
		    "/var/lib/datamover/catalog.db");
		assert_string_equal(own.logging.path, "/var/log/dss");
		assert_int_equal(seteuid(65534), 0);
	}
	setenv("XDG_STATE_HOME", "/state", 1);
	assert_int_equal(conf_finish(&other, false, false, &err), 0);
	unsetenv("XDG_STATE_HOME");
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_string_equal(other.catalog.path, "/state/datamover/catalog.db");
	assert_string_equal(other.logging.path, "/state/datamover");
}

static void
a_surprising_pair_is_pointed_out(void **state)
{
	CLEANUP(conf_release) struct conf c;
	struct strlist advice = { NULL, 0 };

	(void)state;
	conf_init(&c);
	conf_advise(&c, &advice);
	assert_int_equal(advice.n, 0);
	c.fs_config.mounted = true;
	conf_advise(&c, &advice);
	assert_int_equal(advice.n, 1);
	strlist_clear(&advice);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_missing_is_named),
		cmocka_unit_test(a_dss_store_takes_no_bucket),
		cmocka_unit_test(endpoints_and_buckets_are_checked),
		cmocka_unit_test(slashes_at_the_end_are_taken_off),
		cmocka_unit_test(shares_that_meet_are_refused),
		cmocka_unit_test(prefixes_lie_under_a_share),
		cmocka_unit_test(key_prefixes_are_those_of_the_settings),
		cmocka_unit_test(paths_follow_the_user),
		cmocka_unit_test(a_surprising_pair_is_pointed_out),
	};

	return cmocka_run_group_tests(tests, text_setup, text_teardown);
}
