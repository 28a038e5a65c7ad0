#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/silence.h"
#include "dest/posix_internal.h"
#include "model/path.h"

#define OPEN_DIR (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* below_open writes to its struct, and threads share d->below: pass a copy. */
static int
open_below(const struct dest_posix *d, const char *path, int flags)
{
	struct below own = d->below;

	return below_open(&own, path, flags, false);
}

/* Why name in dir could not be opened as a directory. */
static int
not_directory(int dir, const char *name, struct str shown, struct err *err)
{
	int code = errno;
	struct stat st;
	char text[128];

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    S_ISDIR(st.st_mode)) {
		errno = code;
		return dest_errno(err, "open directory");
	}
	return err_set(err, ERR_INVALID, code, S_ISLNK(st.st_mode) ?
	    "%s is a symlink: nothing is written through it" :
	    "%s is a file where a directory must be",
	    str_escape(shown, text, sizeof(text)));
}

/* Open the directory name in *dir, close *dir and replace *dir by the new
 * descriptor. Make a missing directory if make is set. */
static int
enter(int *dir, int root, const char *name, struct str shown, bool make,
    struct err *err)
{
	int at = *dir == -1 ? root : *dir;
	int fd = openat(at, name, OPEN_DIR);

	if (fd == -1 && errno == ENOENT && !make)
		return err_set(err, ERR_GONE, ENOENT, "nothing is there");
	if (fd == -1 && errno == ENOENT) {
		/* EEXIST: another thread was faster. */
		if (mkdirat(at, name, 0777) == -1 && errno != EEXIST)
			return dest_errno(err, "make directory");
		fd = openat(at, name, OPEN_DIR);
	}
	if (fd == -1)
		return not_directory(at, name, shown, err);
	close_fd(dir);
	*dir = fd;
	return 0;
}

/* Walk component by component, to make directories, or to name the impassable
 * component in the error. */
static int
walk_parents(const struct dest_posix *d, const char *path, bool make,
    int *ret_dir, struct err *err)
{
	CLEANUP(close_fd) int dir = -1;
	const char *p = path;

	while (*p != '\0') {
		struct str part = { p, strcspn(p, "/") };
		struct str shown = { path, (size_t)(p - path) + part.len };
		AUTOFREE char *name = xstrndup(part.p, part.len);

		if (enter(&dir, d->below.root, name, shown, make, err) == -1)
			return -1;
		p += part.len + (p[part.len] == '/');
	}
	*ret_dir = dir;
	dir = -1;
	return 0;
}

/* Open the directory of the file. Cuts path in two; ret_name is the last
 * component. */
static int
open_parent(const struct dest_posix *d, char *path, bool make, int *ret_dir,
    const char **ret_name, struct err *err)
{
	char *slash = strrchr(path, '/');
	const char *parents = "";

	*ret_name = path;
	if (slash != NULL) {
		*slash = '\0';
		parents = path;
		*ret_name = slash + 1;
	}
	*ret_dir = open_below(d, parents, OPEN_DIR);
	if (*ret_dir != -1)
		return 0;
	if (*parents == '\0' ||
	    (errno != ENOENT && errno != ENOTDIR && errno != ELOOP))
		return dest_errno(err, "open directory");
	return walk_parents(d, parents, make, ret_dir, err);
}

static enum entry_kind
kind_of(mode_t mode)
{
	static const struct {
		mode_t type;
		enum entry_kind kind;
	} kinds[] = {
		{ S_IFREG, ENTRY_FILE }, { S_IFDIR, ENTRY_DIR },
		{ S_IFLNK, ENTRY_LINK }, { S_IFIFO, ENTRY_FIFO },
		{ S_IFSOCK, ENTRY_SOCKET }, { S_IFCHR, ENTRY_CHAR },
		{ S_IFBLK, ENTRY_BLOCK },
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i].type == (mode & S_IFMT))
			return kinds[i].kind;
	return ENTRY_UNKNOWN;
}

static int64_t
to_ns(struct timespec t)
{
	return attrs_time_ns(t.tv_sec, (uint32_t)t.tv_nsec);
}

static void
set_attrs(struct attrs *a, const struct stat *st)
{
	*a = (struct attrs){
		.kind = kind_of(st->st_mode),
		.mode = st->st_mode & 07777,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.size = (uint64_t)st->st_size,
		.mtime_ns = to_ns(st->st_mtim),
		.ctime_ns = to_ns(st->st_ctim),
		.ino = st->st_ino,
		.fsid = st->st_dev,
	};
}

static struct dest_posix *
posix_of(struct dest *d)
{
	return (struct dest_posix *)(void *)d;
}

static int
look(struct dest *d, struct str rel, struct attrs *ret_attrs,
    struct err *err)
{
	CLEANUP(close_fd) int dir = -1;
	AUTOFREE char *path = NULL;
	const char *name;
	struct stat st;

	path = path_copy(rel);
	if (open_parent(posix_of(d), path, false, &dir, &name, err) == -1)
		return -1;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1) {
		if (errno == ENOENT)
			return err_set(err, ERR_GONE, ENOENT,
			    "nothing is there");
		return dest_errno(err, "look up");
	}
	set_attrs(ret_attrs, &st);
	return 0;
}

static int
existing(struct dest *d, struct str rel, struct dest_file **ret_file,
    struct attrs *ret_attrs, struct err *err)
{
	CLEANUP(close_fd) int dir = -1;
	CLEANUP(close_fd) int fd = -1;
	AUTOFREE char *path = NULL;
	struct posix_file *f;
	const char *name;
	struct stat st;

	path = path_copy(rel);
	if (open_parent(posix_of(d), path, false, &dir, &name, err) == -1)
		return -1;
	/* O_NONBLOCK: the entry may be a FIFO. */
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1 && errno == ENOENT)
		return err_set(err, ERR_GONE, ENOENT, "nothing is there");
	if (fd == -1 && (errno == ELOOP || errno == ENXIO))
		return err_set(err, ERR_INVALID, errno, "not a regular file");
	if (fd == -1 || fstat(fd, &st) == -1)
		return dest_errno(err, "open");
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, 0, "not a regular file");
	set_attrs(ret_attrs, &st);
	f = xcalloc(1, sizeof(*f));
	f->file.dest = d;
	f->file.size = (uint64_t)st.st_size;
	f->dir = -1;
	f->fd = fd;
	fd = -1;
	*ret_file = &f->file;
	return 0;
}

/* Fail before the data is fetched rather than at the rename. */
static int
check_place(int dir, const char *name, struct err *err)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : dest_errno(err, "look up");
	return S_ISDIR(st.st_mode) ? dest_in_the_way(err) : 0;
}

static int
begin(struct dest *d, struct str rel, struct dest_file **ret_file,
    struct err *err)
{
	CLEANUP(close_fd) int dir = -1;
	AUTOFREE char *path = NULL;
	struct posix_file *f;
	const char *name;

	path = path_copy(rel);
	if (open_parent(posix_of(d), path, true, &dir, &name, err) == -1 ||
	    check_place(dir, name, err) == -1)
		return -1;
	f = xcalloc(1, sizeof(*f));
	f->file.dest = d;
	f->file.name = xstrdup(name);
	dest_temp_name(str_of(name), f->file.temp);
	f->dir = dir;
	f->fd = -1;
	dir = -1;
	*ret_file = &f->file;
	return 0;
}

static void
free_posix(struct dest *d)
{
	close(posix_of(d)->below.root);
	free(d);
}

/* Nothing to stop: system calls that wait for a disk can't be interrupted. */
static void
stop(struct dest *d UNUSED, uint64_t limit_ms UNUSED)
{
}

static int
open_root(struct dest **ret_dest, const char *dir, struct err *err)
{
	static const struct dest_ops ops = {
		.free = free_posix,
		.stop = stop,
		.look = look,
		.existing = existing,
		.begin = begin,
		.part_new = posix_part_new,
		.part_shared = posix_part_shared,
		.part_join = posix_part_join,
		.flush = posix_flush,
		.size = posix_size,
		.clear = posix_clear,
		.pwrite = posix_pwrite,
		.pread = posix_pread,
		.note = posix_note,
		.restore = posix_restore,
		.commit = posix_commit,
		.close = posix_close,
	};
	CLEANUP(close_fd) int root = -1;
	CLEANUP(close_fd) int probe = -1;
	struct dest_posix *d;

	*ret_dest = NULL;
	root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root == -1 && (errno == ENOENT || errno == ENOTDIR))
		return err_errno(err, ERR_USAGE, errno,
		    "the destination must be a directory: %s", dir);
	if (root == -1) {
		dest_errno(err, "open");
		return err_wrap(err, "destination %s", dir);
	}
	d = xcalloc(1, sizeof(*d));
	dest_init(&d->dest, &ops);
	d->below.root = root;
	root = -1;
	/* Learn now, with a single thread, whether openat2 exists. */
	probe = below_open(&d->below, "", OPEN_DIR, false);
	if (probe == -1) {
		dest_errno(err, "open");
		err_wrap(err, "destination %s", dir);
		free_posix(&d->dest);
		return -1;
	}
	*ret_dest = &d->dest;
	return 0;
}

struct opening {
	struct dest *dest;
	const char *dir;
	struct silence *silence;
	struct err *err;
	int	 rc;
};

static void
open_watched(void *arg)
{
	struct opening *o = arg;

	silence_begin(o->silence, clock_mono_ms());
	o->rc = open_root(&o->dest, o->dir, o->err);
	silence_end(o->silence, true, clock_mono_ms());
}

/* The main thread opens the directory, before it looks at any silence. */
int
dest_open(struct dest **ret_dest, const char *dir, struct err *err)
{
	struct opening o = { .dir = dir, .err = err,
	    .silence = silence_of_directory(dir) };

	silence_call(open_watched, &o);
	*ret_dest = o.dest;
	if (o.rc == 0)
		o.dest->silence = o.silence;
	return o.rc;
}
