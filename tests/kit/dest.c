#include "kit/dest.h"

struct dest *dest;
static char dest_kit_dir[] = "/tmp/test_dest.XXXXXX";

void
dest_kit_write(const char *path, const char *text)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

void
dest_kit_expect(const char *path, const void *bytes, size_t len)
{
	AUTOFREE char *got = xmalloc(len + 1);
	int fd = open(path, O_RDONLY);

	assert_int_not_equal(fd, -1);
	assert_int_equal(read(fd, got, len + 1), len);
	assert_memory_equal(got, bytes, len);
	close(fd);
}

bool
dest_kit_is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

const char *
dest_kit_temp(const char *dir, const char *name)
{
	static char path[300];
	char temp[DEST_TEMP_LEN + 1];

	dest_temp_name(str_of(name), temp);
	snprintf(path, sizeof(path), "%s/%s", dir, temp);
	return path;
}

void
dest_kit_fill(uint8_t *p, uint64_t offset, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++, offset++)
		p[i] = (uint8_t)(offset * 31 + (offset >> 8) * 7 + seed);
}

static int
dest_kit_remove_one(const char *path, const struct stat *st UNUSED,
    int type UNUSED, struct FTW *ftw UNUSED)
{
	return remove(path);
}

int
dest_kit_setup(void **state UNUSED)
{
	struct err err = ERR_INIT;

	if (mkdtemp(dest_kit_dir) == NULL || chdir(dest_kit_dir) == -1 ||
	    chmod(".", 0755) == -1 || mkdir("to", 0755) == -1 ||
	    mkdir("away", 0755) == -1)
		return -1;
	return dest_open(&dest, "to", &err);
}

int
dest_kit_teardown(void **state UNUSED)
{
	dest_free(&dest);
	return nftw(dest_kit_dir, dest_kit_remove_one, 16,
	    FTW_DEPTH | FTW_PHYS);
}

int
dest_kit_empty(void **state UNUSED)
{
	struct err err = ERR_INIT;

	dest_free(&dest);
	if (nftw("to", dest_kit_remove_one, 16, FTW_DEPTH | FTW_PHYS) == -1 ||
	    nftw("away", dest_kit_remove_one, 16, FTW_DEPTH | FTW_PHYS) == -1 ||
	    mkdir("to", 0755) == -1 || mkdir("away", 0755) == -1)
		return -1;
	return dest_open(&dest, "to", &err);
}

struct dest_file *
dest_kit_begin(const char *rel, uint64_t size, uint64_t range, const char *etag)
{
	struct dest_want want = { .size = size, .range = range, .etag = etag };
	struct dest_file *f;
	struct err err = ERR_INIT;

	if (dest_begin(dest, str_of(rel), &want, &f, &err) == -1)
		fail_msg("begin %s: %s", rel, err.msg);
	return f;
}

enum err_kind
dest_kit_refuses(const char *rel, uint64_t size, uint64_t range,
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

void
dest_kit_range(struct dest_file *f, uint32_t index, unsigned seed)
{
	uint64_t off = index * f->range;
	size_t len = (size_t)MIN(f->range, f->size - off);
	AUTOFREE uint8_t *p = xmalloc(len);
	struct err err = ERR_INIT;

	dest_kit_fill(p, off, len, seed);
	assert_int_equal(dest_write(f, off, p, len, &err), 0);
	assert_int_equal(dest_range_done(f, index, &err), 0);
}

void
dest_kit_commit(struct dest_file **f)
{
	static const struct dest_meta none;
	struct err err = ERR_INIT;

	if (dest_commit(*f, &none, false, false, &err) == -1)
		fail_msg("commit: %s", err.msg);
	dest_abort(f, false);
	assert_null(*f);
}

void
dest_kit_put(const char *rel, const char *text)
{
	struct dest_file *f = dest_kit_begin(rel, strlen(text), 0, "");
	struct err err = ERR_INIT;

	assert_int_equal(dest_write(f, 0, text, strlen(text), &err), 0);
	if (*text != '\0')
		assert_int_equal(dest_range_done(f, 0, &err), 0);
	dest_kit_commit(&f);
}

int
dest_kit_child(void (*fn)(void *), void *arg)
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
