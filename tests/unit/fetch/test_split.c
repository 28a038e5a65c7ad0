/*
 * The steps in which several clients fetch one object into one file: what
 * each client's fetcher does for its own.
 */
#include <errno.h>
#include <semaphore.h>
#include <sys/syscall.h>

#include "kit/fetch.h"

#define META	"x-amz-meta-file-mtime: 1000000000000000005ns\r\n"
#define PART	(64 * KIB)
#define SIZE	(9 * PART + 100)	/* ranges of one part, here */
#define TOKEN	"0123456789abcdef0123456789abcdef"

/* What happens while the fetcher hangs in a sync of a file, once; it may say
 * that the bytes are lost. */
static int (*in_sync)(void);

int
fsync(int fd)
{
	int (*fn)(void) = STEAL(in_sync);

	if (fn != NULL && fn() == -1) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

/* Of whose result is seen whether it is told before the file is closed. */
static struct mailbox *watched;
static struct mail *early;

int
close(int fd)
{
	struct stat st;
	bool file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);

	if (watched != NULL && file && early == NULL)
		early = mailbox_wait(watched, 0);
	return (int)syscall(SYS_close, fd);
}

static struct fixture *
prepared(size_t part)
{
	struct fixture *x = fetch_setup();

	with_dest(x);
	x->c.range_size = PART;
	put_object(x, "k", SIZE, 1, part, META, NULL);
	return x;
}

/* The catalog knows of it. */
static void
know(struct fetch_item *it, size_t part)
{
	it->has_stored = true;
	it->stored.path = xstrdup("h/k");
	it->stored.attrs.size = it->size;
	it->stored.attrs.mtime_ns = 1000000000000000005;
	it->stored.attrs.mode = 0600;
	it->stored.part_size = part;
	memcpy(it->stored.etag, it->etag, sizeof(it->etag));
}

static struct fetch_item *
step(struct fixture *x, enum split_step kind)
{
	struct fetch_item *it = item(x, "k");

	if (strchr(it->etag, '-') != NULL)
		know(it, PART);
	it->step = kind;
	snprintf(it->token, sizeof(it->token), "%s", TOKEN);
	return it;
}

/* The file is begun; the item says how it is cut. */
static struct fetch_item *
begun(struct fixture *x)
{
	struct fetch_item *it = fetched(x, step(x, SPLIT_BEGIN));

	expect(it, OUTCOME_MOVED, ERR_NONE);
	return it;
}

static struct fetch_item *
range(struct fixture *x, const struct fetch_item *as, uint32_t index)
{
	struct fetch_item *it = step(x, SPLIT_RANGE);

	it->size = as->size;
	memcpy(it->etag, as->etag, sizeof(it->etag));
	it->unit = as->unit;
	it->part_size = as->part_size;
	it->range = index;
	return fetched(x, it);
}

/* The last step, of what these say. */
static struct fetch_item *
last(struct fixture *x, const struct fetch_item *as, const uint8_t *md5s)
{
	struct fetch_item *it = step(x, SPLIT_END);

	it->unit = as->unit;
	it->part_size = as->part_size;
	it->part_count = md5s == NULL ? 0 : 10;
	it->part_md5s = md5s == NULL ? NULL : xmemdup(md5s, 10 * MD5_LEN);
	return fetched(x, it);
}

static void
assert_file(const struct fixture *x, unsigned seed)
{
	AUTOFREE char *path = xasprintf("%s/k", x->back);
	AUTOFREE char *want = bytes(SIZE, seed);
	AUTOFREE char *have = xmalloc(SIZE + 1);
	struct stat st;
	int fd = open(path, O_RDONLY);

	assert_int_equal(read(fd, have, SIZE + 1), SIZE);
	assert_memory_equal(have, want, SIZE);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mtim.tv_sec, 1000000000);
	close(fd);
}

static bool
is_there(const struct fixture *x)
{
	AUTOFREE char *path = xasprintf("%s/k", x->back);

	return access(path, F_OK) == 0;
}

/* All ranges, in this order, and their MD5s. */
static void
bring_all(struct fixture *x, const struct fetch_item *as, uint8_t *md5s)
{
	for (uint32_t i = 0; i < 10; i++) {
		uint32_t index = (i * 7) % 10;
		struct fetch_item *it = range(x, as, index);

		expect(it, OUTCOME_MOVED, ERR_NONE);
		assert_int_equal(it->result.bytes, index < 9 ? PART : 100);
		assert_int_equal(it->part_count, 1);
		memcpy(md5s + index * MD5_LEN, it->part_md5s, MD5_LEN);
		fetch_item_free(&it);
		assert_false(is_there(x));
	}
}

static void
test_together(void **state UNUSED)
{
	struct fixture *x = prepared(PART);
	struct fetch_item *b = begun(x), *it;
	uint8_t md5s[10 * MD5_LEN];

	assert_int_equal(b->unit, PART);
	assert_int_equal(b->part_size, PART);
	bring_all(x, b, md5s);
	it = last(x, b, md5s);
	expect(it, OUTCOME_MOVED, ERR_NONE);
	assert_int_equal(it->result.proof, PROOF_CATALOG);
	assert_int_equal(it->result.bytes, 0);
	assert_null(it->part_md5s);
	assert_file(x, 1);
	fetch_item_free(&it);
	/* The same again: one finds that all is there. */
	fetch_item_free(&b);
	it = fetched(x, step(x, SPLIT_BEGIN));
	expect(it, OUTCOME_UNCHANGED, ERR_NONE);
	fetch_item_free(&it);
	fetch_teardown(x);
}

/* One MD5 for all of it: the last one reads it once more. */
static void
test_one_md5(void **state UNUSED)
{
	struct fixture *x = prepared(0);
	struct fetch_item *b = begun(x), *it;

	assert_int_equal(b->part_size, 0);
	assert_int_equal(b->unit, PART);
	for (uint32_t i = 0; i < 10; i++) {
		it = range(x, b, i);
		expect(it, OUTCOME_MOVED, ERR_NONE);
		assert_null(it->part_md5s);
		fetch_item_free(&it);
	}
	it = last(x, b, NULL);
	expect(it, OUTCOME_MOVED, ERR_NONE);
	assert_true(it->result.hashed);
	assert_file(x, 1);
	fetch_item_free(&it);
	fetch_item_free(&b);
	fetch_teardown(x);
}

/* Nothing is proved by what is wrong, and nothing of it stays. */
static void
test_wrong(void **state UNUSED)
{
	struct fixture *x = prepared(PART);
	struct fetch_item *b = begun(x), *it;
	uint8_t md5s[10 * MD5_LEN];

	bring_all(x, b, md5s);
	md5s[17] ^= 1;
	it = last(x, b, md5s);
	expect(it, OUTCOME_FAILED, ERR_CORRUPT);
	assert_false(is_there(x));
	fetch_item_free(&it);
	it = last(x, b, md5s);
	expect(it, OUTCOME_FAILED, ERR_GONE);
	fetch_item_free(&it);
	fetch_item_free(&b);
	fetch_teardown(x);
}

/* What is there of an earlier run is read, not fetched, and hashed as well. */
static void
test_taken_up(void **state UNUSED)
{
	struct fixture *x = prepared(PART);
	struct fetch_item *b = begun(x), *it;
	uint8_t md5[MD5_LEN];

	it = range(x, b, 4);
	memcpy(md5, it->part_md5s, MD5_LEN);
	fetch_item_free(&it);
	fetch_item_free(&b);
	b = begun(x);
	it = range(x, b, 4);
	expect(it, OUTCOME_MOVED, ERR_NONE);
	assert_int_equal(it->result.bytes, 0);
	assert_memory_equal(it->part_md5s, md5, MD5_LEN);
	fetch_item_free(&it);
	fetch_item_free(&b);
	fetch_teardown(x);
}

/* The object is another now: its bytes don't come into this file, and nobody
 * asks what it is, as the others don't know. */
static void
test_replaced(void **state UNUSED)
{
	struct fixture *x = prepared(PART);
	struct fetch_item *b = begun(x), *it;

	put_object(x, "k", SIZE, 2, PART, META, NULL);
	/* Under the ETag that it had. */
	it = range(x, b, 0);
	expect(it, OUTCOME_FAILED, ERR_GONE);
	assert_int_equal(it->result.bytes, 0);
	fetch_item_free(&it);
	fetch_item_free(&b);
	/* Begun anew it is the new one's. */
	b = begun(x);
	it = range(x, b, 0);
	expect(it, OUTCOME_MOVED, ERR_NONE);
	assert_int_equal(it->result.bytes, PART);
	fetch_item_free(&it);
	fetch_item_free(&b);
	fetch_teardown(x);
}

static void
test_not_begun(void **state UNUSED)
{
	struct fixture *x = prepared(PART);
	struct fetch_item as = { .size = SIZE, .unit = PART,
	    .part_size = PART };
	struct fetch_item *it = item(x, "k");

	memcpy(as.etag, it->etag, sizeof(as.etag));
	fetch_item_free(&it);
	it = range(x, &as, 0);
	expect(it, OUTCOME_FAILED, ERR_GONE);
	assert_int_equal(x->f.locked.gets, 0);
	fetch_item_free(&it);
	fetch_teardown(x);
}

/* The object is gone for good: what was written of it goes too. */
static void
test_deleted(void **state UNUSED)
{
	struct fixture *x = prepared(PART);
	struct fetch_item *b = begun(x), *it = range(x, b, 0);
	AUTOFREE char *look = xasprintf("test -z \"$(ls -A %s)\"", x->back);

	fetch_item_free(&it);
	it = step(x, SPLIT_WHOLE);
	pthread_mutex_lock(&x->f.lock);
	fake_find_locked(&x->f, "k")->key[0] = 'l';
	pthread_mutex_unlock(&x->f.lock);
	it = fetched(x, it);
	expect(it, OUTCOME_GONE, ERR_GONE);
	assert_int_equal(system(look), 0);
	fetch_item_free(&it);
	fetch_item_free(&b);
	fetch_teardown(x);
}

/* The file of this name is another now, an empty one: what is told of the
 * former is not believed. */
static void
test_emptied(void **state UNUSED)
{
	struct fixture *x = prepared(PART);
	struct fetch_item *b = begun(x), *it;
	AUTOFREE char *clear = xasprintf("for f in %s/.datamover-*; do "
	    "dd if=/dev/zero of=$f bs=1024 count=%zu conv=notrunc status=none "
	    "&& dd if=/dev/zero of=$f bs=1 seek=%zu count=10 conv=notrunc "
	    "status=none; done", x->back, SIZE / 1024, 10 * PART + 512);
	uint8_t md5s[10 * MD5_LEN];

	bring_all(x, b, md5s);
	assert_int_equal(system(clear), 0);
	it = last(x, b, md5s);
	expect(it, OUTCOME_FAILED, ERR_CORRUPT);
	assert_false(is_there(x));
	fetch_item_free(&it);
	fetch_item_free(&b);
	fetch_teardown(x);
}

/* The mtime is that of the object whose bytes came. */
static void
test_replaced_at_last(void **state UNUSED)
{
	struct fixture *x = prepared(0);
	struct fetch_item *b = begun(x), *it;

	for (uint32_t i = 0; i < 10; i++) {
		it = range(x, b, i);
		expect(it, OUTCOME_MOVED, ERR_NONE);
		fetch_item_free(&it);
	}
	it = step(x, SPLIT_END);
	it->unit = b->unit;
	put_object(x, "k", SIZE, 2, 0, META, NULL);
	it = fetched(x, it);
	expect(it, OUTCOME_FAILED, ERR_GONE);
	assert_false(is_there(x));
	fetch_item_free(&it);
	fetch_item_free(&b);
	fetch_teardown(x);
}

/* Nobody is told to go on before the file has been closed: a mount sends what
 * it has of it no later. */
static void
test_closed_before(void **state UNUSED)
{
	struct fixture *x = prepared(PART);
	struct fetch_item *b = begun(x), *it = step(x, SPLIT_RANGE);

	it->unit = b->unit;
	it->part_size = b->part_size;
	fetch_begin(x);
	watched = x->c.up;
	fetch_give(x->fetcher, it);
	fetch_free(&x->fetcher);
	watched = NULL;
	assert_null(early);
	it = fetch_take(x);
	expect(it, OUTCOME_MOVED, ERR_NONE);
	fetch_item_free(&it);
	fetch_item_free(&b);
	fetch_teardown(x);
}

static int
lose(void)
{
	return -1;
}

/* What the server lost is brought once more, by the same client: there may be
 * no other. */
static void
test_bytes_lost(void **state UNUSED)
{
	struct fixture *x = prepared(PART);
	struct fetch_item *b = begun(x), *it;

	in_sync = lose;
	it = range(x, b, 3);
	expect(it, OUTCOME_MOVED, ERR_NONE);
	assert_int_equal(it->result.bytes, 2 * PART);
	fetch_item_free(&it);
	fetch_item_free(&b);
	fetch_teardown(x);
}

static struct fixture *hung;
static sem_t hangs;

static int
hang(void)
{
	s3_gate_valid_until(&hung->gate, 1);
	sem_post(&hangs);
	return 0;
}

/* Ranges that the record says are whole. */
static int
recorded(const struct fixture *x)
{
	AUTOFREE char *command = xasprintf("exit $(tail -c 10 "
	    "%s/.datamover-* | tr -d '\\0' | wc -c)", x->back);

	return WEXITSTATUS(system(command));
}

/* The master has given its range to another meanwhile: it says so neither to
 * the master nor in the record. */
static void
test_hung(void **state UNUSED)
{
	struct fixture *x = hung = prepared(PART);
	struct fetch_item *b = begun(x), *it = step(x, SPLIT_RANGE);

	it->unit = b->unit;
	it->part_size = b->part_size;
	sem_init(&hangs, 0, 0);
	in_sync = hang;
	fetch_begin(x);
	fetch_give(x->fetcher, it);
	sem_wait(&hangs);
	pool_stop(fetch_pool(x->fetcher), 0);
	fetch_free(&x->fetcher);
	s3_gate_valid_until(&x->gate, 0);
	assert_null(mailbox_take(x->c.up));
	assert_int_equal(recorded(x), 0);
	it = range(x, b, 0);
	assert_int_equal(recorded(x), 1);
	fetch_item_free(&it);
	fetch_item_free(&b);
	fetch_teardown(x);
}

/* Parts that don't end where pages do, or too few of them: one fetches it
 * all at once. */
static void
test_not_for_several(void **state UNUSED)
{
	static const size_t parts[] = { 50000, SIZE / 2 + 1 };
	struct fixture *x = prepared(PART);

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		struct fetch_item *it;

		put_object(x, "k", SIZE, (unsigned)i, parts[i], META, NULL);
		it = step(x, SPLIT_BEGIN);
		it->stored.part_size = parts[i];
		it = fetched(x, it);
		expect(it, OUTCOME_MOVED, ERR_NONE);
		assert_int_equal(it->unit, 0);
		assert_file(x, (unsigned)i);
		fetch_item_free(&it);
	}
	fetch_teardown(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_together),
		cmocka_unit_test(test_one_md5),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_taken_up),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_deleted),
		cmocka_unit_test(test_emptied),
		cmocka_unit_test(test_replaced_at_last),
		cmocka_unit_test(test_closed_before),
		cmocka_unit_test(test_bytes_lost),
		cmocka_unit_test(test_hung),
		cmocka_unit_test(test_not_begun),
		cmocka_unit_test(test_not_for_several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
