/*
 * What must be on the disk before somebody acts at the target, and before a
 * catalog has its name.
 */
#include "kit/catalog.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "db/probe.h"

/* SQLite's calls come here. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned wal_syncs;

static void
count_sync(int fd)
{
	char link[64], path[256];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	if (n < 4 || memcmp(path + n - 4, "-wal", 4) != 0)
		return;
	pthread_mutex_lock(&lock);
	wal_syncs++;
	pthread_mutex_unlock(&lock);
}

int
fdatasync(int fd)
{
	count_sync(fd);
	return (int)syscall(SYS_fdatasync, fd);
}

int
fsync(int fd)
{
	count_sync(fd);
	return (int)syscall(SYS_fsync, fd);
}

/* A new catalog takes its name here; it may fail. */
static unsigned renames;
static int rename_error;

int
rename(const char *from, const char *to)
{
	struct err err = ERR_INIT;
	struct catalog_probe p;

	renames++;
	assert_int_equal(access(to, F_OK), -1);
	if (catalog_probe(from, &p, &err) == -1)
		fail_msg("%s", err.msg);
	assert_int_equal(p.version, p.newest);
	if (rename_error == 0)
		return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD,
		    to, 0);
	errno = rename_error;
	return -1;
}

static unsigned
syncs(void)
{
	unsigned n;

	pthread_mutex_lock(&lock);
	n = wal_syncs;
	pthread_mutex_unlock(&lock);
	return n;
}

/* The answer to an intent lets CreateMultipartUpload go. */
static void
intent_is_synced(void **state)
{
	struct kit *k = *state;
	unsigned before;

	kit_open(k);
	kit_begin(k);
	for (int i = 1; i < 4; i++) {
		before = syncs();
		kit_flush(k, i);
		assert_true(syncs() > before);
	}
	/* A commit that nobody acts on is not worth one; the end of a run is
	 * told. */
	before = syncs();
	catalog_put_page(k->c, kit_page(kit_take(k, "srv/vol"), true));
	kit_end(k, RUN_COMPLETE);
	assert_int_equal(syncs(), before + 1);
}

/* Whoever is killed while making one leaves no file that could be taken for
 * one that was lost. */
static void
made_whole(void **state)
{
	struct kit *k = *state;
	struct err err = ERR_INIT;
	char name[128];

	renames = 0;
	rename_error = ENOSPC;
	assert_int_equal(catalog_open(&k->c, k->path, k->events, &err), -1);
	assert_int_equal(err.kind, ERR_RESOURCE);
	assert_int_equal(renames, 1);
	snprintf(name, sizeof(name), "%s.new", k->path);
	assert_int_equal(access(name, F_OK), -1);
	assert_int_equal(access(k->path, F_OK), -1);
	rename_error = 0;
	kit_open(k);
	assert_int_equal(renames, 2);
}

static bool
first_value(void *arg, size_t columns UNUSED,
    const char *const *names UNUSED, const struct value *row)
{
	int64_t *ret = arg;

	if (row != NULL)
		*ret = row[0].integer;
	return true;
}

/* Whoever is given a lease may be killed at once. */
static void
lease_is_committed(void **state)
{
	struct kit *k = *state;
	struct catalog_view *view;
	struct err err = ERR_INIT;
	struct dir_page *p;
	struct lease *l;
	int64_t leased = 0;

	kit_open(k);
	kit_begin(k);
	p = kit_page(kit_take(k, "srv/vol"), true);
	kit_entry(p, PAGE_NEW, 0, "srv/vol/a", kit_attrs(1, 1));
	kit_entry(p, PAGE_NEW, 0, "srv/vol/b", kit_attrs(1, 1));
	catalog_put_page(k->c, p);
	l = kit_lease(k, 9);
	assert_int_equal(l->count, 2);
	lease_free(&l);
	if (catalog_view_open(&view, k->path, &err) == -1 ||
	    catalog_query(view, "SELECT count(*) FROM objects "
	    "WHERE state = 'leased'", first_value, &leased, &err) == -1)
		fail_msg("%s", err.msg);
	assert_int_equal(leased, 2);
	catalog_view_close(&view);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)
	const struct CMUnitTest tests[] = {
		T(intent_is_synced),
		T(lease_is_committed),
		T(made_whole),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
