/*
 * Taking up what a killed run left: whatever moment it was killed at, a
 * range that counts as whole is whole, and no range that was recorded is
 * fetched again. Also what a full disk and a full quota do.
 */
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "kit/dest.h"

#define RANGE	4096
#define RANGES	13
#define SIZE	(RANGE * (RANGES - 1) + 17)
#define SEED	3

static uint64_t
range_len(const struct dest_file *f, uint32_t i)
{
	return MIN(f->range, f->size - i * f->range);
}

/* How many ranges count as whole; each of them must be. */
static uint32_t
count_have(struct dest_file *f)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->count; i++) {
		uint8_t want[RANGE], got[RANGE];
		size_t len = (size_t)range_len(f, i);
		struct err err = ERR_INIT;

		if (!dest_have(f, i))
			continue;
		dest_kit_fill(want, i * f->range, len, SEED);
		assert_int_equal(dest_read(f, i * f->range, got, len, &err),
		    0);
		assert_memory_equal(got, want, len);
		n++;
	}
	return n;
}

static void
finish(struct dest_file *f, const char *path)
{
	static uint8_t want[SIZE];

	for (uint32_t i = 0; i < f->count; i++)
		if (!dest_have(f, i))
			dest_kit_range(f, i, SEED);
	dest_kit_commit(&f);
	dest_kit_fill(want, 0, SIZE, SEED);
	dest_kit_expect(path, want, SIZE);
}

static void
step(int *left)
{
	if ((*left)-- == 0)
		kill(getpid(), SIGKILL);
}

/* A run that kills itself before the step of that number. */
static void
run_until(void *arg)
{
	int left = *(int *)arg;
	struct dest_want want = { .size = SIZE, .range = RANGE, .etag = "e" };
	struct dest_file *f;
	struct err err;

	step(&left);
	if (dest_begin(dest, STR("d/k"), &want, &f, &err) == -1)
		_exit(1);
	for (uint32_t k = 0; k < RANGES; k++) {
		uint32_t i = (k * 5) % RANGES;
		uint64_t off = i * (uint64_t)RANGE;
		size_t len = (size_t)range_len(f, i);
		uint8_t p[RANGE];

		dest_kit_fill(p, off, len, SEED);
		step(&left);
		if (dest_write(f, off, p, len / 2, &err) == -1)
			_exit(2);
		step(&left);
		if (dest_write(f, off + len / 2, p + len / 2, len - len / 2,
		    &err) == -1)
			_exit(3);
		step(&left);
		if (dest_range_done(f, i, &err) == -1)
			_exit(4);
	}
	step(&left);
	if (dest_commit(f, &(struct dest_meta){ .mode = 0 }, false, false,
	    &err) == -1)
		_exit(5);
	step(&left);
}

static void
test_killed_at_each_step(void **state)
{
	int steps = 1 + 3 * RANGES + 1 + 1;

	for (int at = 0; at < steps; at++) {
		struct dest_file *f;
		uint32_t expect = at < 4 ? 0 : (uint32_t)(at - 1) / 3;

		assert_int_equal(dest_kit_empty(state), 0);
		assert_int_equal(dest_kit_child(run_until, &at),
		    1000 + SIGKILL);
		assert_int_equal(dest_kit_is_there("to/d/k"), at == steps - 1);
		if (at == steps - 1)
			break;
		f = dest_kit_begin("d/k", SIZE, RANGE, "e");
		assert_int_equal(count_have(f), expect);
		finish(f, "to/d/k");
		assert_false(dest_kit_is_there(dest_kit_temp("to/d", "k")));
	}
}

static int progress[2];

/* A run that tells of each range, and writes the data many times over. */
static void
run_told(void *arg UNUSED)
{
	struct dest_file *f = dest_kit_begin("k", SIZE, RANGE, "e");

	for (uint32_t i = 0; i < RANGES; i++) {
		uint8_t junk[RANGE];
		struct err err;

		memset(junk, 0xee, sizeof(junk));
		for (int n = 0; n < 20; n++)
			if (dest_write(f, i * f->range, junk,
			    (size_t)range_len(f, i), &err) == -1)
				_exit(1);
		dest_kit_range(f, i, SEED);
		if (write(progress[1], "", 1) != 1)
			_exit(2);
	}
	pause();
}

/* From outside, wherever it is then. */
static void
test_killed_from_outside(void **state)
{
	for (uint32_t told = 0; told <= RANGES; told++) {
		struct dest_file *f;
		uint32_t have;
		pid_t pid;
		char byte;

		assert_int_equal(dest_kit_empty(state), 0);
		assert_int_equal(pipe(progress), 0);
		pid = fork();
		assert_int_not_equal(pid, -1);
		if (pid == 0) {
			run_told(NULL);
			_exit(0);
		}
		for (uint32_t i = 0; i < told; i++)
			assert_int_equal(read(progress[0], &byte, 1), 1);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		close(progress[0]);
		close(progress[1]);
		f = dest_kit_begin("k", SIZE, RANGE, "e");
		have = count_have(f);
		assert_in_range(have, told, RANGES);
		finish(f, "to/k");
	}
}

/* Three of the ranges, then gone without a word. */
static void
leave_three(const char *name)
{
	struct dest_file *f = dest_kit_begin(name, SIZE, RANGE, "e");

	for (uint32_t i = 2; i < 5; i++)
		dest_kit_range(f, i, SEED);
	dest_abort(&f, true);
	assert_true(dest_kit_is_there(dest_kit_temp("to", name)));
}

static uint32_t
taken_up(const char *name, uint64_t size, uint64_t range, const char *etag)
{
	struct dest_file *f = dest_kit_begin(name, size, range, etag);
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->count; i++)
		n += dest_have(f, i);
	dest_abort(&f, true);
	return n;
}

static void
test_which_is_taken_up(void **state UNUSED)
{
	struct dest_file *f;
	static const struct {
		uint64_t size, range;
		const char *etag;
		uint32_t have;
	} c[] = {
		{ SIZE, RANGE, "e", 3 },
		{ SIZE, RANGE, "f", 0 },
		{ SIZE, RANGE, "", 0 },
		{ SIZE, RANGE, NULL, 0 },
		{ SIZE, RANGE, "e-2", 0 },
		{ SIZE + 1, RANGE, "e", 0 },
		{ SIZE - 1, RANGE, "e", 0 },
		{ SIZE, RANGE + 1, "e", 0 },
		{ SIZE, RANGE / 2, "e", 0 },
		{ SIZE, 0, "e", 0 },
		{ 0, 0, "e", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		leave_three("w");
		assert_int_equal(taken_up("w", c[i].size, c[i].range,
		    c[i].etag), c[i].have);
		/* Of another one nothing is left, not even later. */
		assert_int_equal(taken_up("w", c[i].size, c[i].range,
		    c[i].etag), c[i].have);
		if (c[i].have == 0)
			assert_int_equal(taken_up("w", SIZE, RANGE, "e"), 0);
		assert_int_equal(unlink(dest_kit_temp("to", "w")), 0);
	}
	/* Without an ETag there is nothing to know it by. */
	f = dest_kit_begin("w", SIZE, RANGE, "");
	dest_kit_range(f, 0, SEED);
	dest_abort(&f, true);
	assert_int_equal(taken_up("w", SIZE, RANGE, ""), 0);
	/* It belongs to its name. */
	leave_three("w");
	assert_int_equal(taken_up("v", SIZE, RANGE, "e"), 0);
}

/* What a kill inside of dest_begin or dest_commit, or somebody's hand, may
 * leave: nothing of it counts. */
static void
test_broken_records(void **state UNUSED)
{
	char temp[300];

	snprintf(temp, sizeof(temp), "%s", dest_kit_temp("to", "b"));
	for (int fault = 0; fault < 6; fault++) {
		off_t record = (off_t)DEST_ALIGN;
		off_t end = record + DEST_HEAD_LEN + RANGES;
		int fd;

		leave_three("b");
		fd = open(temp, O_RDWR);
		assert_int_not_equal(fd, -1);
		if (fault == 0)
			assert_int_equal(ftruncate(fd, 0), 0);
		if (fault == 1)
			assert_int_equal(ftruncate(fd, SIZE), 0);
		if (fault == 2)
			assert_int_equal(ftruncate(fd, end - 1), 0);
		if (fault == 3)
			assert_int_equal(ftruncate(fd, end + 1), 0);
		if (fault == 4)
			assert_int_equal(pwrite(fd, "", 1, record + 20), 1);
		if (fault == 5)
			assert_int_equal(pwrite(fd, "x", 1,
			    record + DEST_HEAD_LEN - DEST_TOKEN_LEN -
			    1), 1);
		close(fd);
		assert_int_equal(taken_up("b", SIZE, RANGE, "e"), 0);
	}
}

static void
test_foreign_part(void **state UNUSED)
{
	leave_three("o");
	assert_int_equal(link(dest_kit_temp("to", "o"), "away/other-name"), 0);
	assert_int_equal(taken_up("o", SIZE, RANGE, "e"), 0);
	if (geteuid() != 0) {
		print_message("parts of another user: not root\n");
		return;
	}
	leave_three("o");
	assert_int_equal(chown(dest_kit_temp("to", "o"), 1234, 1234), 0);
	assert_int_equal(taken_up("o", SIZE, RANGE, "e"), 0);
}

/* Two at once: the second is told, the first isn't disturbed. */
static void
test_locked(void **state UNUSED)
{
	struct dest_file *f = dest_kit_begin("l", SIZE, RANGE, "e");

	dest_kit_range(f, 0, SEED);
	assert_int_equal(dest_kit_refuses("l", SIZE, RANGE, "another process"),
	    ERR_RETRY);
	assert_int_equal(dest_kit_refuses("l", SIZE, RANGE + 1,
	    "another process"), ERR_RETRY);
	assert_int_equal(count_have(f), 1);
	finish(f, "to/l");
	/* Free again. */
	f = dest_kit_begin("l", SIZE, RANGE, "e");
	assert_int_equal(count_have(f), 0);
	dest_abort(&f, false);
}

static void
fill_up(void *arg UNUSED)
{
	static char zeros[256 * KIB];
	struct dest_want want = { .size = 8 * MIB };
	struct dest_file *f;
	struct err err = ERR_INIT;
	uint64_t off = 0;

	if (dest_begin(dest, STR("small/f"), &want, &f, &err) == -1)
		_exit(1);
	while (dest_write(f, off, zeros, sizeof(zeros), &err) == 0)
		off += sizeof(zeros);
	if (err.kind != ERR_RESOURCE || off == 0 || off > MIB)
		_exit(2);
	/* The one with a record has no room even to begin. */
	want.range = 4 * MIB;
	want.etag = "e";
	dest_abort(&f, true);
	if (dest_kit_is_there(dest_kit_temp("to/small", "f")))
		_exit(3);
	if (dest_begin(dest, STR("small/g"), &want, &f, &err) == -1)
		_exit(4);
	off = 0;
	while (dest_write(f, off, zeros, sizeof(zeros), &err) == 0)
		off += sizeof(zeros);
	if (err.kind != ERR_RESOURCE || off == 0)
		_exit(5);
	dest_abort(&f, true);
	if (dest_begin(dest, STR("small/h"), &want, &f, &err) != -1 ||
	    err.kind != ERR_RESOURCE)
		_exit(6);
	/* Nothing of the one that could not begin stays. */
	if (dest_kit_is_there(dest_kit_temp("to/small", "h")))
		_exit(7);
}

static void
test_disk_full(void **state UNUSED)
{
	int status;

	assert_int_equal(mkdir("to/small", 0755), 0);
	if (mount("none", "to/small", "tmpfs", 0, "size=1m") == -1) {
		print_message("full disk: mount: %s\n", strerror(errno));
		skip();
	}
	status = dest_kit_child(fill_up, NULL);
	assert_int_equal(umount("to/small"), 0);
	assert_int_equal(status, 0);
}

static void
exceed_limit(void *arg UNUSED)
{
	struct rlimit small = { .rlim_cur = 64 * KIB, .rlim_max = 64 * KIB };
	struct dest_want want = { .size = MIB };
	struct dest_file *f;
	struct err err = ERR_INIT;

	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &small) == -1 ||
	    dest_begin(dest, STR("f"), &want, &f, &err) == -1)
		_exit(1);
	if (dest_write(f, 64 * KIB, "x", 1, &err) != -1 ||
	    err.kind != ERR_RESOURCE || err.code != EFBIG)
		_exit(2);
	want.range = MIB / 2;
	want.etag = "e";
	dest_abort(&f, true);
	if (dest_begin(dest, STR("f"), &want, &f, &err) != -1 ||
	    err.kind != ERR_RESOURCE)
		_exit(3);
}

static void
test_file_too_large(void **state UNUSED)
{
	assert_int_equal(dest_kit_child(exceed_limit, NULL), 0);
	assert_false(dest_kit_is_there(dest_kit_temp("to", "f")));
}

#define TEST(fn) { #fn, fn, dest_kit_empty, NULL, NULL }

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_killed_at_each_step),
		TEST(test_killed_from_outside),
		TEST(test_which_is_taken_up),
		TEST(test_broken_records),
		TEST(test_foreign_part),
		TEST(test_locked),
		TEST(test_disk_full),
		TEST(test_file_too_large),
	};

	umask(022);
	return cmocka_run_group_tests(tests, dest_kit_setup, dest_kit_teardown);
}
