/*
 * The fetcher of GET: what proves an object, what becomes of files, and what
 * may happen to either meanwhile.
 */
#include "dest/dest_internal.h"
#include "kit/fetch.h"

#define OURS	"x-amz-meta-file-mtime: 1000000000000000005ns\r\n" \
	"x-amz-meta-file-permissions: 0640\r\n" \
	"x-amz-meta-file-owner: 0\r\nx-amz-meta-file-group: 0\r\n"
#define RCLONE	"x-amz-meta-mtime: 1000000000.25\r\n"

static struct stat
stat_of(const struct fixture *x, const char *name)
{
	AUTOFREE char *path = xasprintf("%s/%s", x->back, name);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st;
}

static void
assert_file(const struct fixture *x, const char *name, size_t size,
    unsigned seed)
{
	AUTOFREE char *path = xasprintf("%s/%s", x->back, name);
	AUTOFREE char *want = bytes(size, seed);
	AUTOFREE char *have = xmalloc(size + 1);
	int fd = open(path, O_RDONLY);

	assert_int_equal(read(fd, have, size + 1), size);
	close(fd);
	if (size > 0)
		assert_memory_equal(have, want, size);
}

/* Without a destination they are read and hashed. */
static void
test_reads(void **state UNUSED)
{
	static const size_t sizes[] = { 0, 1, 1000, 256 * 1024, 3000000 };
	struct fixture *x = fetch_setup();
	uint8_t md5[MD5_LEN];

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct fetch_item *it;

		put_object(x, "k", sizes[i], (unsigned)i, 0, "", md5);
		it = fetched(x, item(x, "k"));
		expect(it, OUTCOME_MOVED, ERR_NONE);
		assert_int_equal(it->result.proof, PROOF_ETAG);
		assert_true(it->result.hashed);
		assert_memory_equal(it->result.md5, md5, MD5_LEN);
		assert_string_equal(it->result.etag_computed, it->etag);
		assert_int_equal(it->result.bytes, sizes[i]);
		fetch_item_free(&it);
	}
	fetch_teardown(x);
}

/* Written with what is kept of the file; there already the second time;
 * replaced when the object is another. */
static void
test_files(void **state UNUSED)
{
	struct fixture *x = fetch_setup();
	struct fetch_item *it;
	struct stat st;

	with_dest(x);
	x->c.range_size = 300000;
	put_object(x, "d/k", 1000000, 1, 0, OURS, NULL);
	it = fetched(x, item(x, "d/k"));
	expect(it, OUTCOME_MOVED, ERR_NONE);
	assert_int_equal(it->result.proof, PROOF_ETAG);
	fetch_item_free(&it);
	assert_file(x, "d/k", 1000000, 1);
	st = stat_of(x, "d/k");
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_mtim.tv_sec, 1000000000);
	assert_int_equal(st.st_mtim.tv_nsec, 5);
	assert_int_equal(x->f.locked.gets, 4);
	it = fetched(x, item(x, "d/k"));
	expect(it, OUTCOME_UNCHANGED, ERR_NONE);
	assert_int_equal(x->bytes_read, 1000000);
	fetch_item_free(&it);
	assert_int_equal(x->f.locked.gets, 4);
	put_object(x, "d/k", 1000000, 2, 0, OURS, NULL);
	it = fetched(x, item(x, "d/k"));
	expect(it, OUTCOME_MOVED, ERR_NONE);
	fetch_item_free(&it);
	assert_file(x, "d/k", 1000000, 2);
	fetch_teardown(x);
}

/* rclone keeps the mtime and nothing else. */
static void
test_mtime_alone(void **state UNUSED)
{
	struct fixture *x = fetch_setup();
	struct fetch_item *it;
	mode_t mask = umask(022);
	struct stat st;

	with_dest(x);
	put_object(x, "k", 10, 1, 0, RCLONE, NULL);
	it = fetched(x, item(x, "k"));
	expect(it, OUTCOME_MOVED, ERR_NONE);
	fetch_item_free(&it);
	st = stat_of(x, "k");
	assert_int_equal(st.st_mtim.tv_sec, 1000000000);
	assert_int_equal(st.st_mtim.tv_nsec, 250000000);
	assert_int_equal(st.st_mode & 07777, 0644);
	umask(mask);
	fetch_teardown(x);
}

/* What the catalog knows of the parts. */
static void
know_parts(struct fetch_item *it, size_t part, const uint8_t *md5s, unsigned n)
{
	it->has_stored = true;
	it->stored.path = xstrdup("h/k");
	it->stored.attrs.size = it->size;
	it->stored.part_size = part;
	it->stored.part_md5s = xmemdup(md5s, n * (size_t)MD5_LEN);
	it->stored.part_count = n;
	memcpy(it->stored.etag, it->etag, sizeof(it->etag));
}

static void
test_parts(void **state UNUSED)
{
	struct fixture *x = fetch_setup();
	uint8_t md5s[16 * MD5_LEN];
	struct fetch_item *it;

	x->c.range_size = 250000;	/* two parts */
	put_object(x, "k", 1050000, 3, 100000, "", md5s);
	it = item(x, "k");
	know_parts(it, 100000, md5s, 11);
	it = fetched(x, it);
	expect(it, OUTCOME_MOVED, ERR_NONE);
	assert_int_equal(it->result.proof, PROOF_CATALOG);
	assert_false(it->result.hashed);
	assert_int_equal(x->f.locked.gets, 6);
	fetch_item_free(&it);
	/* The store has not kept what the catalog knows. */
	md5s[7 * MD5_LEN] ^= 1;
	it = item(x, "k");
	know_parts(it, 100000, md5s, 11);
	it = fetched(x, it);
	expect(it, OUTCOME_FAILED, ERR_CORRUPT);
	assert_int_equal(x->f.locked.gets, 18);
	fetch_item_free(&it);
	fetch_teardown(x);
}

static void
change_first(void *arg, unsigned count)
{
	struct fixture *x = arg;

	if (count != 1)
		return;
	pthread_mutex_unlock(&x->f.lock);
	put_object(x, "k", 2000, 2, 0, "", NULL);
	pthread_mutex_lock(&x->f.lock);
}

/* Another object is there since it was listed. */
static void
test_changed(void **state UNUSED)
{
	struct fixture *x = fetch_setup();
	struct fetch_item *it;

	with_dest(x);
	put_object(x, "k", 1000, 1, 0, "", NULL);
	x->f.locked.on_get = change_first;
	x->f.locked.arg = x;
	it = fetched(x, item(x, "k"));
	expect(it, OUTCOME_MOVED, ERR_NONE);
	assert_int_equal(it->size, 2000);
	fetch_item_free(&it);
	assert_file(x, "k", 2000, 2);
	fetch_teardown(x);
}

/* Another process makes a temporary file of that name. */
static void
take_away(void *arg, unsigned count UNUSED)
{
	struct fixture *x = arg;
	char name[DEST_TEMP_LEN + 1];
	AUTOFREE char *path = NULL, *away = xasprintf("%s/away", x->source);
	int fd;

	dest_temp_name(STR("k"), name);
	path = xasprintf("%s/%s", x->back, name);
	assert_int_equal(rename(path, away), 0);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
	assert_int_equal(write(fd, "theirs", 6), 6);
	close(fd);
}

/* The later one has it: it is not taken back. */
static void
test_taken(void **state UNUSED)
{
	struct fixture *x = fetch_setup();
	AUTOFREE char *command = xasprintf("cd %s && "
	    "test \"$(cat .datamover-*.part)\" = theirs && ! test -e k",
	    x->back);
	struct fetch_item *it;

	with_dest(x);
	put_object(x, "k", 1000, 1, 0, "", NULL);
	x->f.locked.on_get = take_away;
	x->f.locked.arg = x;
	it = fetched(x, item(x, "k"));
	expect(it, OUTCOME_FAILED, ERR_RETRY);
	assert_int_equal(x->f.locked.gets, 1);
	fetch_item_free(&it);
	assert_int_equal(system(command), 0);
	fetch_teardown(x);
}

static void
test_gone(void **state UNUSED)
{
	struct fixture *x = fetch_setup();
	struct fetch_item *it;

	put_object(x, "k", 1000, 1, 0, "", NULL);
	it = item(x, "k");
	free(it->key);
	it->key = xstrdup("none");
	it = fetched(x, it);
	expect(it, OUTCOME_GONE, ERR_GONE);
	fetch_item_free(&it);
	fetch_teardown(x);
}

/* An ETag that is no digest, and nothing known. */
static void
test_unprovable(void **state UNUSED)
{
	struct fixture *x = fetch_setup();
	struct fetch_item *it;

	put_object(x, "k", 1000, 1, 0, "", NULL);
	x->c.s3.store.sse = "aws:kms";
	it = fetched(x, item(x, "k"));
	expect(it, OUTCOME_FAILED, ERR_INVALID);
	fetch_item_free(&it);
	fetch_teardown(x);
}

/* A rate at which this would last for days, and then another. */
static void
test_limits(void **state UNUSED)
{
	struct fixture *x = fetch_setup();
	struct fetch_item *it;

	put_object(x, "k", 2000000, 1, 0, "", NULL);
	x->c.bwlimit = 10;
	fetch_begin(x);
	fetch_give(x->fetcher, item(x, "k"));
	for (unsigned n = 0; n == 0; sched_yield()) {
		pthread_mutex_lock(&x->f.lock);
		n = x->f.locked.gets;
		pthread_mutex_unlock(&x->f.lock);
	}
	assert_null(mailbox_wait(x->c.up, 50));
	pool_limits(fetch_pool(x->fetcher), 64 * MIB, 0);
	it = fetch_take(x);
	expect(it, OUTCOME_MOVED, ERR_NONE);
	fetch_item_free(&it);
	fetch_teardown(x);
}

/* What did not end in time does not come back. */
static void
test_stop(void **state UNUSED)
{
	struct fixture *x = fetch_setup();

	put_object(x, "k", 1000, 1, 0, "", NULL);
	x->f.locked.held = true;
	fetch_begin(x);
	for (int i = 0; i < 100; i++)
		fetch_give(x->fetcher, item(x, "k"));
	pthread_mutex_lock(&x->f.lock);
	while (x->f.locked.gets == 0)
		pthread_cond_wait(&x->f.changed, &x->f.lock);
	pthread_mutex_unlock(&x->f.lock);
	pool_stop(fetch_pool(x->fetcher), 0);
	fetch_free(&x->fetcher);
	assert_null(mailbox_take(x->c.up));
	pthread_mutex_lock(&x->f.lock);
	x->f.locked.held = false;
	pthread_cond_broadcast(&x->f.changed);
	pthread_mutex_unlock(&x->f.lock);
	fetch_teardown(x);
}

/* More than the workers take at once; all come back. */
static void
test_many(void **state UNUSED)
{
	struct fixture *x = fetch_setup();

	with_dest(x);
	x->c.memory_bytes = MIB;
	for (unsigned i = 0; i < 40; i++) {
		AUTOFREE char *key = xasprintf("k%u", i);

		put_object(x, key, i * 20000, i, 0, OURS, NULL);
	}
	fetch_begin(x);
	for (unsigned i = 0; i < 40; i++) {
		AUTOFREE char *key = xasprintf("k%u", i);

		fetch_give(x->fetcher, item(x, key));
	}
	for (unsigned i = 0; i < 40;) {
		struct mail *m = mailbox_wait(x->c.up, -1), *next;

		for (; m != NULL; m = next, i++) {
			struct fetch_item *it =
			    (struct fetch_item *)(void *)m;

			next = m->next;
			expect(it, OUTCOME_MOVED, ERR_NONE);
			fetch_item_free(&it);
		}
	}
	fetch_free(&x->fetcher);
	for (unsigned i = 0; i < 40; i++) {
		AUTOFREE char *key = xasprintf("k%u", i);

		assert_file(x, key, i * 20000, i);
	}
	fetch_teardown(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_mtime_alone),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_unprovable),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
