/*
 * A destination on an NFS server that is hard to see at work: what a good one
 * does is tests/system/test_get_nfs.py's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kit/fake_nfs.h"
#include "kit/sock.h"

#include "base/clock.h"
#include "dest/nfs_internal.h"

/* Bytes that an earlier process left are on the server's disk before they
 * are read and believed. */
static void
test_taken_up(void **state UNUSED)
{
	struct fake fake = { .files = 1, .rtmax = 65536 };
	struct tree_spec spec = { .type = TREE_NFS, .server = "127.0.0.1",
	    .timeout_ms = 2000, .access = { .nfs_version = 3, .uid = 10 } };
	struct dest_want want = { .size = 200, .range = 100, .etag = "e" };
	char name[DEST_TEMP_LEN + 1];
	struct err err = ERR_INIT;
	struct dest_file *f;
	struct dest *d;

	dest_temp_name(STR("new"), name);
	fake.first_name = name;
	fake_nfs_start(&fake);
	spec.access.nfsport = spec.access.mountport = (unsigned)fake.port;
	if (dest_open_nfs(&d, &spec, "/export", 0, &err) == -1)
		fail_msg("%s", err.msg);
	/* It is of another object, and this server removes nothing. */
	assert_int_equal(dest_begin(d, STR("new"), &want, &f, &err), -1);
	assert_int_equal(fake.commits, 1);
	dest_free(&d);
	fake_nfs_stop(&fake);
}

static _Atomic uint64_t valid_until_ms;

struct reader {
	struct dest_nfs *d;
	struct handle fh;
	struct err err;
	_Atomic bool done;
	int	 rc;
};

static void *
read_some(void *arg)
{
	struct reader *r = arg;
	struct dnfs_call k = { .call.proc = NFS_READ, .call.len = 10 };
	char data[10];

	k.call.buf = data;
	handle_copy(&k.call.fh, &r->fh);
	r->rc = dnfs_run(r->d, &k, &r->err);
	atomic_store(&r->done, true);
	return NULL;
}

static void
wait_conns(struct fake *fake, int n)
{
	while (atomic_load(&fake->conns) < n)
		poll(NULL, 0, 5);
}

/* The time to write ends while calls are under way: their connection is
 * reset, and they are made again, when there is time again, over another. */
static void
test_taken_back(void **state UNUSED)
{
	struct fake fake = { .files = 1, .rtmax = 65536 };
	struct tree_spec spec = { .type = TREE_NFS, .server = "127.0.0.1",
	    .timeout_ms = 60000, .access = { .nfs_version = 3, .uid = 10 },
	    .unacked_ms = 4321, .valid_until_ms = &valid_until_ms };
	struct reader r = { .rc = -1 };
	struct err err = ERR_INIT;
	struct dnfs_entry e;
	pthread_t thread;
	struct dest *d;
	int conns;

	fake_nfs_start(&fake);
	spec.access.nfsport = spec.access.mountport = (unsigned)fake.port;
	if (dest_open_nfs(&d, &spec, "/export", 0, &err) == -1)
		fail_msg("%s", err.msg);
	r.d = dnfs_of(d);
	assert_int_equal(dnfs_lookup(r.d, &r.d->locked.root, STR("f0"), &e,
	    &err), 0);
	handle_copy(&r.fh, &e.fh);
	assert_int_equal(sockets_to((unsigned)fake.port, 4321), 1);
	conns = fake.conns;
	fake.drop_times = 1;
	pthread_create(&thread, NULL, read_some, &r);
	while (atomic_load(&fake.drop_times) == 1)
		poll(NULL, 0, 5);
	atomic_store(&valid_until_ms, 1);
	while (sockets_to((unsigned)fake.port, 4321) > 0)
		poll(NULL, 0, 5);
	assert_false(atomic_load(&r.done));
	atomic_store(&valid_until_ms, 0);
	wait_conns(&fake, conns + 1);
	pthread_join(thread, NULL);
	assert_int_equal(r.rc, 0);
	/* Told to stop, it doesn't wait for more time. */
	atomic_store(&valid_until_ms, 1);
	atomic_store(&r.done, false);
	pthread_create(&thread, NULL, read_some, &r);
	dest_stop(d, 60000);
	pthread_join(thread, NULL);
	assert_int_equal(r.rc, -1);
	assert_int_equal(r.err.kind, ERR_STOPPED);
	dest_free(&d);
	fake_nfs_stop(&fake);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken_up),
		cmocka_unit_test(test_taken_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
