/*
 * A destination on an NFS server that is hard to see at work: what a good one
 * does is tests/system/test_get_nfs.py's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/fake_nfs.h"

#include "tree/dest_nfs.h"

/* Bytes that an earlier process left are on the server's disk before they
 * are read and believed. */
static void
test_taken_up(void **state UNUSED)
{
	struct fake fake = { .files = 1, .rtmax = 65536 };
	struct tree_spec spec = { .type = TREE_NFS, .server = "127.0.0.1",
	    .nfs_version = 3, .timeout_ms = 2000, .uid = 10 };
	struct dest_want want = { .size = 200, .range = 100, .etag = "e" };
	char name[DEST_TEMP_LEN + 1];
	struct err err = ERR_INIT;
	struct dest_file *f;
	struct dest *d;

	dest_temp_name(STR("new"), name);
	fake.first_name = name;
	fake_start(&fake);
	spec.nfsport = spec.mountport = (unsigned)fake.port;
	if (dest_open_nfs(&d, &spec, "/export", 0, &err) == -1)
		fail_msg("%s", err.msg);
	/* It is of another object, and this server removes nothing. */
	assert_int_equal(dest_begin(d, STR("new"), &want, &f, &err), -1);
	assert_int_equal(fake.commits, 1);
	dest_free(&d);
	fake_stop(&fake);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
