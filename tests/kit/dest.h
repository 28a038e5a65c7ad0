/*
 * What the tests of dest/dest.h share: a temporary directory with a destination
 * "to" in it and a place "away" outside of it, bytes that follow from their
 * offset, and calls that must succeed. The program stands in the directory.
 */
#ifndef KIT_DEST_H
#define KIT_DEST_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "dest/posix_internal.h"

static char kit_dir[] = "/tmp/test_dest.XXXXXX";
static struct dest *dest;

UNUSED static void
kit_write(const char *path, const char *text)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* The file has these bytes and no more. */
UNUSED static void
kit_expect(const char *path, const void *bytes, size_t len)
{
	AUTOFREE char *got = xmalloc(len + 1);
	int fd = open(path, O_RDONLY);

	assert_int_not_equal(fd, -1);
	assert_int_equal(read(fd, got, len + 1), len);
	assert_memory_equal(got, bytes, len);
	close(fd);
}

UNUSED static bool
kit_is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/* The temporary name of a file in a directory, with the directory. */
UNUSED static const char *
kit_temp(const char *dir, const char *name)
{
	static char path[300];
	char temp[DEST_TEMP_LEN + 1];

	dest_temp_name(str_of(name), temp);
	snprintf(path, sizeof(path), "%s/%s", dir, temp);
	return path;
}

/* Bytes that differ from range to range and from seed to seed. */
UNUSED static void
kit_fill(uint8_t *p, uint64_t offset, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++, offset++)
		p[i] = (uint8_t)(offset * 31 + (offset >> 8) * 7 + seed);
}

static int
kit_remove_one(const char *path, const struct stat *st UNUSED,
    int type UNUSED, struct FTW *ftw UNUSED)
{
	return remove(path);
}

static int
kit_setup(void **state UNUSED)
{
	struct err err = ERR_INIT;

	if (mkdtemp(kit_dir) == NULL || chdir(kit_dir) == -1 ||
	    chmod(".", 0755) == -1 || mkdir("to", 0755) == -1 ||
	    mkdir("away", 0755) == -1)
		return -1;
	return dest_open(&dest, "to", &err);
}

static int
kit_teardown(void **state UNUSED)
{
	dest_free(&dest);
	return nftw(kit_dir, kit_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Leave nothing of the test before. */
UNUSED static int
kit_empty(void **state UNUSED)
{
	struct err err = ERR_INIT;

	dest_free(&dest);
	if (nftw("to", kit_remove_one, 16, FTW_DEPTH | FTW_PHYS) == -1 ||
	    nftw("away", kit_remove_one, 16, FTW_DEPTH | FTW_PHYS) == -1 ||
	    mkdir("to", 0755) == -1 || mkdir("away", 0755) == -1)
		return -1;
	return dest_open(&dest, "to", &err);
}

UNUSED static struct dest_file *
kit_begin(const char *rel, uint64_t size, uint64_t range, const char *etag)
{
	struct dest_want want = { .size = size, .range = range, .etag = etag };
	struct dest_file *f;
	struct err err = ERR_INIT;

	if (dest_begin(dest, str_of(rel), &want, &f, &err) == -1)
		fail_msg("begin %s: %s", rel, err.msg);
	return f;
}

UNUSED static enum err_kind
kit_begin_fails(const char *rel, uint64_t size, uint64_t range,
    const char *text)
{
	struct dest_want want = { .size = size, .range = range, .etag = "e" };
	struct dest_file *f;
	struct err err = ERR_INIT;

	assert_int_equal(dest_begin(dest, str_of(rel), &want, &f, &err), -1);
	assert_null(f);
	if (strstr(err.msg, text) == NULL)
		fail_msg("%s: %s", rel, err.msg);
	return err.kind;
}

/* Write the range and say that it is whole. */
UNUSED static void
kit_range(struct dest_file *f, uint32_t index, unsigned seed)
{
	uint64_t off = index * f->range;
	size_t len = (size_t)MIN(f->range, f->size - off);
	AUTOFREE uint8_t *p = xmalloc(len);
	struct err err = ERR_INIT;

	kit_fill(p, off, len, seed);
	assert_int_equal(dest_write(f, off, p, len, &err), 0);
	assert_int_equal(dest_range_done(f, index, &err), 0);
}

UNUSED static void
kit_commit(struct dest_file **f)
{
	static const struct dest_meta none;
	struct err err = ERR_INIT;

	if (dest_commit(*f, &none, false, false, &err) == -1)
		fail_msg("commit: %s", err.msg);
	dest_abort(f, false);
	assert_null(*f);
}

/* The whole way, with this text. */
UNUSED static void
kit_put(const char *rel, const char *text)
{
	struct dest_file *f = kit_begin(rel, strlen(text), 0, "");
	struct err err = ERR_INIT;

	assert_int_equal(dest_write(f, 0, text, strlen(text), &err), 0);
	if (*text != '\0')
		assert_int_equal(dest_range_done(f, 0, &err), 0);
	kit_commit(&f);
}

/* Run fn in a child and give its exit status, or 1000 + signal. */
UNUSED static int
kit_child(void (*fn)(void *), void *arg)
{
	pid_t pid = fork();
	int status;

	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		fn(arg);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) :
	    WEXITSTATUS(status);
}

#endif
