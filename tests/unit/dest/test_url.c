/*
 * nfs://SERVER[:PORT]/PATH: what it means, and what it can't be.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dest/dest.h"

static void
test_means(void **state)
{
	static const struct {
		const char *url, *server, *path;
		unsigned port;
	} rows[] = {
		{ "nfs://h/e", "h", "/e", 0 },
		{ "NFS://Host.example/a/b", "Host.example", "/a/b", 0 },
		{ "nfs://10.0.0.1:2049/e/", "10.0.0.1", "/e", 2049 },
		{ "nfs://h/", "h", "/", 0 },
		{ "nfs://h//", "h", "/", 0 },
		{ "nfs://h:65535//e///f//", "h", "/e/f", 65535 },
		{ "nfs://[::1]/e", "::1", "/e", 0 },
		{ "nfs://[fe80::1%eth0]:1/e", "fe80::1%eth0", "/e", 1 },
		{ "nfs://h/a%20b%2Fc%2fd", "h", "/a b/c/d", 0 },
		{ "nfs://h/%e4%FF%25%3f", "h", "/\xe4\xff%?", 0 },
		{ "nfs://h/a b\xc3\xa4#c;d&e=f", "h",
		    "/a b\xc3\xa4#c;d&e=f", 0 },
		{ "nfs://h/...", "h", "/...", 0 },
		{ "nfs://a_b-c.d/@:[]", "a_b-c.d", "/@:[]", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dest_url u;
		struct err err = ERR_INIT;

		if (dest_url(rows[i].url, &u, &err) != 1)
			fail_msg("%s: %s", rows[i].url, err.msg);
		assert_string_equal(u.server, rows[i].server);
		assert_string_equal(u.path, rows[i].path);
		assert_int_equal(u.port, rows[i].port);
		dest_url_release(&u);
		assert_null(u.server);
	}
}

static void
test_is_none(void **state)
{
	static const char *const rows[] = { "/a", "a", "", "nfs:/h/e", "nfs",
	    "nfs:", "./nfs://h/e", "http://h/e", "nfs4://h/e" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dest_url u;
		struct err err = ERR_INIT;

		assert_int_equal(dest_url(rows[i], &u, &err), 0);
		assert_null(u.server);
		assert_null(u.path);
	}
}

static void
test_cannot_be(void **state)
{
	static const struct {
		const char *url, *why;
	} rows[] = {
		{ "nfs://", "path is missing" },
		{ "nfs://h", "path is missing" },
		{ "nfs://h:2049", "path is missing" },
		{ "nfs:///e", "no server" },
		{ "nfs://:1/e", "no server" },
		{ "nfs://user@h/e", "no server" },
		{ "nfs://h h/e", "no server" },
		{ "nfs://h%41/e", "no server" },
		{ "nfs://h:/e", "port" },
		{ "nfs://h:0/e", "port" },
		{ "nfs://h:65536/e", "port" },
		{ "nfs://h:123456/e", "port" },
		{ "nfs://h:-1/e", "port" },
		{ "nfs://h:1x/e", "port" },
		{ "nfs://::1/e", "brackets" },
		{ "nfs://[::1/e", "lacks its ]" },
		{ "nfs://[]/e", "no address" },
		{ "nfs://[a/b]/e", "lacks its ]" },
		{ "nfs://[::1]2049/e", "no port" },
		{ "nfs://[::1]:/e", "port" },
		{ "nfs://h/e?version=3", "fs_config" },
		{ "nfs://h/e%", "hex" },
		{ "nfs://h/e%4", "hex" },
		{ "nfs://h/e%4g", "hex" },
		{ "nfs://h/e%%41", "hex" },
		{ "nfs://h/e%00f", "NUL" },
		{ "nfs://h/.", ". or .." },
		{ "nfs://h/a/../b", ". or .." },
		{ "nfs://h/a/%2e%2E/b", ". or .." },
		{ "nfs://h/a/..", ". or .." },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dest_url u;
		struct err err = ERR_INIT;

		if (dest_url(rows[i].url, &u, &err) != -1)
			fail_msg("%s is taken", rows[i].url);
		assert_int_equal(err.kind, ERR_USAGE);
		if (strstr(err.msg, rows[i].why) == NULL)
			fail_msg("%s: %s", rows[i].url, err.msg);
		assert_null(u.server);
		assert_null(u.path);
	}
}

/* As long as may be, and one byte more. */
static void
test_bounds(void **state)
{
	static char url[2 * PATH_MAX];
	struct dest_url u;
	struct err err = ERR_INIT;
	size_t n;

	(void)state;
	n = (size_t)snprintf(url, sizeof(url), "nfs://h/");
	memset(url + n, 'x', 255);
	assert_int_equal(dest_url(url, &u, &err), 1);
	dest_url_release(&u);
	url[n + 255] = 'x';
	assert_int_equal(dest_url(url, &u, &err), -1);

	for (size_t i = 0; i < PATH_MAX - 1; i++)
		url[n - 1 + i] = i % 2 == 0 ? '/' : 'y';
	url[n - 1 + PATH_MAX - 1] = '\0';
	assert_int_equal(dest_url(url, &u, &err), 1);
	dest_url_release(&u);
	strncat(url, "z", 2);
	assert_int_equal(dest_url(url, &u, &err), -1);

	n = (size_t)snprintf(url, sizeof(url), "nfs://");
	memset(url + n, 'h', 256);
	memcpy(url + n + 256, "/e", 3);
	assert_int_equal(dest_url(url, &u, &err), -1);
	memcpy(url + n + 255, "/e", 3);
	assert_int_equal(dest_url(url, &u, &err), 1);
	dest_url_release(&u);
}

/* Whatever is given: a plain absolute path comes out, or nothing. */
static void
test_any(void **state)
{
	static const char *const pieces[] = { "nfs://", "h", "[", "]", ":",
	    "1", "/", "//", ".", "..", "%", "%2f", "%2e", "%00", "?", "@",
	    "a", "\xff", " " };
	uint64_t seed = 1;

	(void)state;
	for (int round = 0; round < 200000; round++) {
		char url[128] = "nfs://h";
		struct dest_url u;
		struct err err = ERR_INIT;
		int rc;

		for (int i = 0; i < 10; i++) {
			seed = seed * 6364136223846793005U +
			    1442695040888963407U;
			strncat(url, pieces[(seed >> 33) % ARRAY_LEN(pieces)],
			    8);
		}
		rc = dest_url(url, &u, &err);
		assert_int_not_equal(rc, 0);
		if (rc == -1)
			continue;
		assert_int_equal(u.path[0], '/');
		assert_null(strstr(u.path, "//"));
		if (u.path[1] != '\0')
			assert_int_equal(dest_path_check(str_of(u.path + 1),
			    &err), 0);
		assert_true(u.port <= 65535);
		dest_url_release(&u);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_means),
		cmocka_unit_test(test_is_none),
		cmocka_unit_test(test_cannot_be),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
