/*
 * The temporary file. One of a single range is made anew each time. One of
 * several is locked, so that two processes don't mix their ranges, and its
 * record is read.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "tree/dest_impl.h"

#define OPEN_PART (O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
#define TRIES_MAX 8
#define RANGES_MAX (1U << 24)

bool
dest_part_is(int dir, const char *name, const struct stat *st)
{
	struct stat now;

	return fstatat(dir, name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	    now.st_ino == st->st_ino && now.st_dev == st->st_dev;
}

/* Take away what has the temporary name. */
static int
clear_name(const struct dest_file *f, struct err *err)
{
	if (unlinkat(f->dir, f->temp, 0) == 0 || errno == ENOENT)
		return 0;
	return dest_errno(err, "remove an old temporary file");
}

static int
open_new(struct dest_file *f, struct err *err)
{
	for (int i = 0; i < TRIES_MAX; i++) {
		f->fd = openat(f->dir, f->temp, OPEN_PART | O_EXCL, 0600);
		if (f->fd != -1)
			return 0;
		if (errno != EEXIST)
			return dest_errno(err, "create");
		if (clear_name(f, err) == -1)
			return -1;
	}
	return err_set(err, ERR_RETRY, EEXIST,
	    "another process writes this file");
}

/*
 * Whom a file of ours belongs to, here: a server or a mount may give files
 * to others than the one who creates them.
 */
static bool
is_our_owner(const struct dest_file *f, uid_t uid)
{
	CLEANUP(close_fd) int fd = -1;
	char name[DEST_TEMP_LEN + 1];
	struct stat st;
	int rc;

	if (uid == geteuid())
		return true;
	/* No file to be fetched has this name: it would be refused. */
	dest_temp_name(str_of(f->temp), name);
	unlinkat(f->dir, name, 0);
	fd = openat(f->dir, name, OPEN_PART | O_EXCL, 0600);
	if (fd == -1)
		return false;
	rc = fstat(fd, &st);
	unlinkat(f->dir, name, 0);
	return rc == 0 && st.st_uid == uid;
}

/* A file that nobody else made, or can reach by another name. */
static bool
is_ours(const struct dest_file *f, const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_nlink == 1 &&
	    is_our_owner(f, st->st_uid);
}

/* Open and lock what has the temporary name: 1; 0: look again. */
static int
lock_name(struct dest_file *f, struct err *err)
{
	struct stat st;

	f->fd = openat(f->dir, f->temp, OPEN_PART, 0600);
	if (f->fd == -1 && (errno == ELOOP || errno == EACCES ||
	    errno == ENXIO))
		return clear_name(f, err);
	if (f->fd == -1)
		return dest_errno(err, "create");
	/* Where locks aren't to be had, it goes without. */
	if (flock(f->fd, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK)
		return err_set(err, ERR_RETRY, EWOULDBLOCK,
		    "another process writes this file");
	if (fstat(f->fd, &st) == -1)
		return dest_errno(err, "look up");
	/* Else it was renamed or removed before it was locked. */
	if (!dest_part_is(f->dir, f->temp, &st))
		return 0;
	return is_ours(f, &st) ? 1 : clear_name(f, err);
}

static int
open_shared(struct dest_file *f, struct err *err)
{
	for (int i = 0; i < TRIES_MAX; i++) {
		int rc = lock_name(f, err);

		if (rc == 1)
			return 0;
		/* Before anything else: what isn't ours isn't unlinked. */
		close_fd(&f->fd);
		if (rc == -1)
			return -1;
	}
	return err_set(err, ERR_RETRY, 0, "another process writes this file");
}

static void
make_head(const struct dest_file *f, const char *etag,
    char head[DEST_HEAD_LEN])
{
	memset(head, 0, DEST_HEAD_LEN);
	snprintf(head, DEST_HEAD_LEN,
	    "datamover part 1\nsize %ju\nrange %ju\netag %s\n",
	    (uintmax_t)f->size, (uintmax_t)f->range, etag);
}

static uint64_t
record_end(const struct dest_file *f)
{
	return f->size + DEST_HEAD_LEN + f->count;
}

/* 1: the record is of the same file and is read; 0: it isn't. */
static int
read_record(struct dest_file *f, const char head[DEST_HEAD_LEN],
    struct err *err)
{
	char old[DEST_HEAD_LEN];
	struct stat st;
	ssize_t n;

	if (fstat(f->fd, &st) == -1)
		return dest_errno(err, "look up");
	if ((uint64_t)st.st_size != record_end(f))
		return 0;
	n = dest_pread(f->fd, f->size, old, sizeof(old), err);
	if (n == -1)
		return -1;
	if (n != DEST_HEAD_LEN || memcmp(old, head, sizeof(old)) != 0)
		return 0;
	n = dest_pread(f->fd, f->size + DEST_HEAD_LEN, f->have, f->count,
	    err);
	if (n == -1)
		return -1;
	return n == (ssize_t)f->count;
}

/* The head comes last: killed before, the next run starts anew. */
static int
write_record(struct dest_file *f, const char head[DEST_HEAD_LEN],
    struct err *err)
{
	memset(f->have, 0, f->count);
	if (ftruncate(f->fd, 0) == -1 ||
	    ftruncate(f->fd, (off_t)record_end(f)) == -1)
		return dest_errno(err, "make room");
	return dest_pwrite(f->fd, f->size, head, DEST_HEAD_LEN, err);
}

static int
take_up(struct dest_file *f, const char *etag, struct err *err)
{
	char head[DEST_HEAD_LEN];
	int rc;

	if (open_shared(f, err) == -1)
		return -1;
	f->recorded = true;
	make_head(f, etag, head);
	rc = read_record(f, head, err);
	if (rc != 0)
		return rc == -1 ? -1 : 0;
	f->recorded = false;
	if (write_record(f, head, err) == -1)
		return -1;
	f->recorded = true;
	return 0;
}

int
dest_part_open(struct dest_file *f, const struct dest_want *want,
    struct err *err)
{
	const char *etag = want->etag == NULL ? "" : want->etag;
	uint64_t count;

	f->size = want->size;
	f->range = want->range == 0 || want->range > want->size ?
	    want->size : want->range;
	count = f->size == 0 ? 0 : (f->size - 1) / f->range + 1;
	if (count > RANGES_MAX || f->size > INT64_MAX / 2)
		return err_set(err, ERR_INVALID, 0,
		    "%ju bytes in ranges of %ju are too many",
		    (uintmax_t)f->size, (uintmax_t)f->range);
	f->count = (uint32_t)count;
	f->have = xcalloc(f->count, 1);
	/* The head has room for it, if it is an ETag. */
	if (f->count < 2 || *etag == '\0' || strlen(etag) > 256)
		return open_new(f, err);
	return take_up(f, etag, err);
}
