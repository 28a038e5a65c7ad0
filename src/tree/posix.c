/*
 * A tree on a local or mounted path. System calls wait for the disk. Therefore
 * each call queues a job, and tree_service runs a bounded number of jobs each
 * time, in the order of the calls.
 *
 * Read only regular files: opening a FIFO or a device could wait, or trigger an
 * action.
 *
 * Below a mount of NFS or FUSE a path can be stale, or a directory can be
 * removed under an open descriptor. Believe "no such entry" only of a path that
 * was opened from the root, while the share's path still names the root.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/silence.h"
#include "model/path.h"
#include "tree/below.h"
#include "tree/mounts.h"
#include "tree/posix_stat.h"
#include "tree/root.h"
#include "tree/tree_internal.h"

#define PAGE_ENTRIES	500
#define BRIEF_ENTRIES	16
#define JOBS_A_SERVICE	16
#define SEQUENTIAL_SIZE	(4 * MIB)
#define PATH_INVALID	"not a path inside of the tree"

enum job_type {
	JOB_LIST = 0,
	JOB_LOOKUP,
	JOB_FOLLOW,
	JOB_IN,
	JOB_READ,
	JOB_STAT
};

struct posix_file {
	struct tree_file file;
	int	 fd;		/* -1: not open yet */
	uint64_t fsid;		/* of the open file */
	char	*path;
	size_t	 path_len;
};

struct job {
	TAILQ_ENTRY(job) link;
	enum job_type type;
	struct str path;	/* owned but for files */
	void	*arg;
	/* list */
	DIR	*dir;
	struct attrs attrs;	/* of the directory */
	bool	 linked;	/* the link count shows a removal of the
				   directory */
	tree_page_fn *page;
	tree_end_fn *end;
	/* lookup, stat */
	tree_lookup_fn *lookup;
	/* read */
	struct posix_file *file;
	tree_read_fn *read;
	uint64_t offset;
	uint32_t len;
	char	*buf;
};
TAILQ_HEAD(jobs, job);

struct posix {
	struct tree tree;
	struct tree_root root;
	char	*share;
	struct silence *silence;
	struct below below;
	struct mounts mounts;
	struct jobs jobs;
	struct tree_entry page[PAGE_ENTRIES];
	char	 names[PAGE_ENTRIES][PATH_NAME_MAX + 1];
};

/* Open the root by the share's path. Return 0 if the path still names the
 * directory with which the tree was opened; the tree's descriptor is then a new
 * descriptor. */
static int
root_again(struct posix *p)
{
	struct attrs *was = &p->root.attrs, now;
	CLEANUP(close_fd) int fd = open(p->share,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1)
		return -1;
	mounts_refresh(&p->mounts);
	posix_attrs(&now, &st, mounts_of(&p->mounts, fd, st.st_dev));
	if (now.ino != was->ino || now.fsid != was->fsid)
		return -1;
	return dup3(fd, p->below.root, O_CLOEXEC) == -1 ? -1 : 0;
}

/* below_open, once more from a new descriptor of the root if a handle on the
 * way is stale. */
static int
open_below(struct posix *p, const char *path, int flags, bool follow)
{
	int fd = below_open(&p->below, path, flags, follow);

	if (fd == -1 && errno == ESTALE) {
		if (root_again(p) == 0)
			fd = below_open(&p->below, path, flags, follow);
		else
			errno = ESTALE;
	}
	return fd;
}

/* Set the error of a path looked up from the root. */
static int
lookup_err(struct posix *p, struct err *err)
{
	posix_errno(err, "lookup");
	if (err_is_absence(err) && root_again(p) == -1)
		err_set(err, ERR_RETRY, 0, "lookup: %s is another directory "
		    "now, or can't be opened", p->share);
	return -1;
}

/* Stat the entry name of the directory fd, or fd itself if name is "". Ask the
 * server of a mount, not the client's cache, which may show for a minute what
 * the entry was. */
static int
stat_now(int fd, const char *name, struct stat *st)
{
	int flags = AT_SYMLINK_NOFOLLOW | (*name == '\0' ? AT_EMPTY_PATH : 0);
	struct statx sync;

	if (statx(fd, name, flags | AT_NO_AUTOMOUNT | AT_STATX_FORCE_SYNC,
	    STATX_BASIC_STATS, &sync) == -1 && errno != ENOSYS)
		return -1;
	return *name == '\0' ? fstat(fd, st) : fstatat(fd, name, st, flags);
}

static int
stat_below(struct posix *p, const char *path, bool follow,
    struct attrs *ret_attrs, struct err *err)
{
	CLEANUP(close_fd) int fd = -1;
	struct stat st;

	mounts_refresh(&p->mounts);
	fd = open_below(p, path, O_PATH, follow);
	if (fd != -1 && stat_now(fd, "", &st) == 0) {
		posix_attrs(ret_attrs, &st,
		    mounts_of(&p->mounts, fd, st.st_dev));
		return 0;
	}
	/* O_NOFOLLOW hit a symlink in the middle, but the tree follows
	 * symlinks. */
	if (fd == -1 && errno == ENOTDIR && p->tree.follow && !follow)
		errno = ELOOP;
	return lookup_err(p, err);
}

/* Stat the last component of the path, in the directory named by the rest of
 * the path. */
static int
stat_in(struct posix *p, struct str path, struct attrs *ret_attrs,
    struct err *err)
{
	struct str name = path_name(path);
	AUTOFREE char *dir = xstrndup(path.p, name.len == path.len ? 0 :
	    path.len - name.len - 1);
	CLEANUP(close_fd) int fd = open_below(p, dir, O_PATH | O_DIRECTORY,
	    p->tree.follow);
	struct stat st;
	uint64_t fsid;
	bool is_mount;

	if (fd == -1 || fstat(fd, &st) == -1) {
		posix_errno(err, "lookup");
		if (err->kind == ERR_GONE)
			err->kind = ERR_RETRY;
		return -1;
	}
	mounts_refresh(&p->mounts);
	fsid = mounts_of(&p->mounts, fd, st.st_dev);
	if (stat_now(fd, name.p, &st) == -1 ||
	    posix_stat(fd, name.p, &st, &is_mount) == -1)
		return lookup_err(p, err);
	if (S_ISDIR(st.st_mode) || is_mount)
		fsid = mounts_of_entry(&p->mounts, fd, name.p, fsid);
	posix_attrs(ret_attrs, &st, fsid);
	return 0;
}

static struct job *
add_job(struct tree *tree, enum job_type type, void *arg)
{
	struct posix *p = (struct posix *)tree;
	struct job *j = xcalloc(1, sizeof(*j));

	j->type = type;
	j->arg = arg;
	TAILQ_INSERT_TAIL(&p->jobs, j, link);
	return j;
}

static void
own_path(struct job *j, struct str path)
{
	j->path = (struct str){ path_copy(path), path.len };
}

static void
free_job(struct job *j)
{
	if (j->dir != NULL)
		closedir(j->dir);
	if (j->file == NULL)
		free((char *)(uintptr_t)j->path.p);
	free(j);
}

/* Tell the caller that the job failed. */
static void
fail_job(struct job *job, const struct err *err)
{
	struct job j = *job;

	if (j.file != NULL)
		j.file->file.outstanding--;
	free_job(job);
	if (j.type == JOB_LIST)
		j.end(j.arg, err);
	else if (j.type == JOB_READ)
		j.read(j.arg, NULL, err);
	else
		j.lookup(j.arg, NULL, err);
}

static void
end_lookup(struct job *j, const struct attrs *attrs)
{
	struct tree_entry e = { .err = ERR_INIT };

	if (j->file != NULL)
		j->file->file.outstanding--;
	e.name = path_name(j->path);
	e.attrs = *attrs;
	j->lookup(j->arg, &e, NULL);
	free_job(j);
}

static int
list_open(struct posix *p, struct job *j, struct err *err)
{
	struct stat st;
	int fd;

	if (j->dir != NULL)
		return 0;
	if (!path_valid(j->path))
		return err_set(err, ERR_INVALID, 0,
		    "list: " PATH_INVALID);
	fd = open_below(p, j->path.p,
	    O_RDONLY | O_DIRECTORY | O_NONBLOCK, p->tree.follow);
	if (fd == -1)
		return posix_errno(err, "list");
	mounts_refresh(&p->mounts);
	if (fstat(fd, &st) == 0)
		j->dir = fdopendir(fd);
	if (j->dir == NULL) {
		posix_errno(err, "list");
		close(fd);
		return -1;
	}
	posix_attrs(&j->attrs, &st, mounts_of(&p->mounts, fd, st.st_dev));
	j->linked = st.st_nlink > 0;
	return 0;
}

/* At the end of the entries: fail if the directory was removed meanwhile.
 * readdir(3) does not report the removal. */
static int
list_end(const struct job *j, struct err *err)
{
	struct stat st;

	if (fstat(dirfd(j->dir), &st) == -1)
		return posix_errno(err, "list");
	if (j->linked && st.st_nlink == 0)
		return err_errno(err, ERR_GONE, ENOENT, "list");
	return 0;
}

/* Stat the entry again in the directory opened anew: the descriptor may be
 * stale, so the first fault is not proof. */
static bool
stat_again(struct posix *p, const struct job *j, const char *name,
    struct stat *st)
{
	CLEANUP(close_fd) int fd = -1;

	fd = open_below(p, j->path.p, O_PATH | O_DIRECTORY, p->tree.follow);
	if (fd != -1)
		return fstatat(fd, name, st, AT_SYMLINK_NOFOLLOW) == 0;
	if (errno == ENOENT || errno == ENOTDIR)
		errno = ESTALE;	/* says nothing of the entry */
	return false;
}

/* Take a file in the directory for a file of the directory's file system,
 * whatever st_dev the file has (an overlay shows the st_dev of a layer), unless
 * the file itself is mounted. */
static void
stat_entry(struct posix *p, const struct job *j, const struct dirent *d,
    struct tree_entry *e)
{
	uint64_t fsid = j->attrs.fsid;
	bool is_mount = false;
	struct stat st;

	e->err = (struct err)ERR_INIT;
	e->attrs = (struct attrs){ .kind = ENTRY_UNKNOWN };
	e->fh.len = 0;
	if (d->d_type == DT_DIR || d->d_type == DT_UNKNOWN)
		fsid = mounts_of_entry(&p->mounts, dirfd(j->dir), e->name.p,
		    fsid);
	if (posix_stat(dirfd(j->dir), e->name.p, &st, &is_mount) == -1 &&
	    (posix_errno_kind(errno) != ERR_RETRY ||
	    !stat_again(p, j, e->name.p, &st))) {
		posix_errno(&e->err, "list");
		return;
	}
	if (is_mount && !S_ISDIR(st.st_mode))
		fsid = mounts_of_entry(&p->mounts, dirfd(j->dir), e->name.p,
		    fsid);
	posix_attrs(&e->attrs, &st, fsid);
}

/* An error is an answer, too. Callbacks take time of their own. */
static void
ask(struct posix *p)
{
	silence_begin(p->silence, clock_mono_ms());
}

static void
answered(struct posix *p)
{
	silence_end(p->silence, true, clock_mono_ms());
}

/* Read the entries of a page; set *ret_end to true at the end of the
 * directory. */
static int
read_page(struct posix *p, struct job *j, size_t *ret_count, bool *ret_end,
    struct err *err)
{
	size_t n = 0, max = p->tree.brief ? BRIEF_ENTRIES : PAGE_ENTRIES;

	*ret_end = false;
	while (n < max) {
		struct tree_entry *e = &p->page[n];
		struct dirent *d;

		errno = 0;
		d = readdir(j->dir);
		if (d == NULL && errno != 0)
			return posix_errno(err, "list");
		if (d == NULL) {
			*ret_end = true;
			break;
		}
		e->name = str_of(d->d_name);
		if (path_name_is_dot(e->name))
			continue;
		if (e->name.len > PATH_NAME_MAX)
			return err_set(err, ERR_PEER, 0,
			    "list: a name of more than 255 bytes");
		memcpy(p->names[n], d->d_name, e->name.len + 1);
		e->name.p = p->names[n];
		stat_entry(p, j, d, e);
		n++;
	}
	*ret_count = n;
	return 0;
}

static int
list_page(struct posix *p, struct job *j, bool *ret_end, struct err *err)
{
	size_t n = 0;
	int rc;

	ask(p);
	rc = read_page(p, j, &n, ret_end, err);
	answered(p);
	if (rc == -1)
		return -1;
	p->tree.listed = j->attrs;
	if (n > 0)
		j->page(j->arg, p->page, n);
	return *ret_end ? list_end(j, err) : 0;
}

static void
run_list(struct posix *p, struct job *j)
{
	struct err err = ERR_INIT;
	bool end;
	int rc;

	ask(p);
	rc = list_open(p, j, &err);
	answered(p);
	if (rc == -1 ||
	    list_page(p, j, &end, &err) == -1) {
		fail_job(j, &err);
	} else if (end) {
		tree_end_fn *fn = j->end;
		void *arg = j->arg;

		free_job(j);
		fn(arg, NULL);
	} else {
		TAILQ_INSERT_TAIL(&p->jobs, j, link);
	}
}

static int
file_open(struct posix *p, struct posix_file *f, struct err *err)
{
	CLEANUP(close_fd) int fd = -1;
	struct stat st;

	if (f->fd != -1)
		return 0;
	if (!path_valid((struct str){ f->path, f->path_len }))
		return err_set(err, ERR_INVALID, 0,
		    "open: " PATH_INVALID);
	fd = open_below(p, f->path,
	    O_RDONLY | O_NONBLOCK | O_NOCTTY, p->tree.follow);
	if (fd == -1 || fstat(fd, &st) == -1)
		return posix_errno(err, "open");
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_GONE, 0, "open: not a file any more");
	if ((uint64_t)st.st_size >= SEQUENTIAL_SIZE)
		posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	f->fsid = mounts_of(&p->mounts, fd, st.st_dev);
	f->fd = fd;
	fd = -1;
	return 0;
}

static int
read_open(struct job *j, struct tree_read *ret_read, struct err *err)
{
	struct stat st;
	uint32_t got = 0;

	while (got < j->len) {
		ssize_t r = pread(j->file->fd, j->buf + got, j->len - got,
		    (off_t)(j->offset + got));

		if (r == -1 && errno == EINTR)
			continue;
		if (r == -1)
			return posix_errno(err, "read");
		if (r == 0)
			break;
		got += (uint32_t)r;
	}
	if (fstat(j->file->fd, &st) == -1)
		return posix_errno(err, "read");
	*ret_read = (struct tree_read){ .len = got };
	posix_attrs(&ret_read->attrs, &st, j->file->fsid);
	ret_read->eof = got < j->len ||
	    j->offset + got >= ret_read->attrs.size;
	return 0;
}

/* Read the file. If the descriptor is stale, open the file again by path,
 * once. */
static int
read_file(struct posix *p, struct job *j, struct tree_read *ret_read,
    struct err *err)
{
	for (int tries = 0;; tries++) {
		if (file_open(p, j->file, err) == -1)
			return -1;
		if (read_open(j, ret_read, err) == 0)
			return 0;
		if (err->code != ESTALE)
			return -1;
		close_fd(&j->file->fd);
		if (tries > 0)
			return -1;
		err_clear(err);
	}
}

static void
run_read(struct posix *p, struct job *j)
{
	struct tree_read res;
	struct err err = ERR_INIT;
	tree_read_fn *fn = j->read;
	void *arg = j->arg;
	int rc;

	ask(p);
	rc = read_file(p, j, &res, &err);
	answered(p);
	if (rc == -1) {
		fail_job(j, &err);
		return;
	}
	j->file->file.outstanding--;
	free_job(j);
	fn(arg, &res, NULL);
}

/* Stat the open descriptor. Return 1, 0 if the file is not open or the
 * descriptor was stale (and is closed now), or -1. */
static int
stat_open(struct posix_file *f, struct attrs *ret_attrs, struct err *err)
{
	struct stat st;

	if (f == NULL || f->fd == -1)
		return 0;
	if (fstat(f->fd, &st) == 0) {
		posix_attrs(ret_attrs, &st, f->fsid);
		return 1;
	}
	if (errno != ESTALE)
		return posix_errno(err, "stat");
	close_fd(&f->fd);
	return 0;
}

static void
run_lookup(struct posix *p, struct job *j)
{
	struct err err = ERR_INIT;
	struct attrs attrs;
	bool follow = j->type == JOB_FOLLOW ||
	    (j->type == JOB_STAT && p->tree.follow);
	int r;

	ask(p);
	r = stat_open(j->file, &attrs, &err);
	if (r == 0 && !path_valid(j->path))
		r = err_set(&err, ERR_INVALID, 0, "lookup: " PATH_INVALID);
	else if (r == 0 && j->type == JOB_IN)
		r = stat_in(p, j->path, &attrs, &err);
	else if (r == 0)
		r = stat_below(p, j->path.p, follow, &attrs, &err);
	answered(p);
	if (r == -1)
		fail_job(j, &err);
	else
		end_lookup(j, &attrs);
}

static void
run_job(struct posix *p, struct job *j)
{
	TAILQ_REMOVE(&p->jobs, j, link);
	switch (j->type) {
	case JOB_LIST:
		run_list(p, j);
		break;
	case JOB_LOOKUP:
	case JOB_FOLLOW:
	case JOB_IN:
	case JOB_STAT:
		run_lookup(p, j);
		break;
	case JOB_READ:
		run_read(p, j);
		break;
	}
}

static void
posix_list(struct tree *tree, const struct handle *dir UNUSED,
    struct str path, tree_page_fn *page, tree_end_fn *end, void *arg)
{
	struct job *j = add_job(tree, JOB_LIST, arg);

	own_path(j, path);
	j->page = page;
	j->end = end;
}

static void
posix_lookup(struct tree *tree, struct str path, bool follow,
    tree_lookup_fn *fn, void *arg)
{
	struct job *j = add_job(tree, follow ? JOB_FOLLOW : JOB_LOOKUP, arg);

	own_path(j, path);
	j->lookup = fn;
}

static void
posix_lookup_in(struct tree *tree, const struct handle *dir UNUSED,
    struct str path, tree_lookup_fn *fn, void *arg)
{
	struct job *j = add_job(tree, JOB_IN, arg);

	own_path(j, path);
	j->lookup = fn;
}

static struct tree_file *
posix_file_open(struct tree *tree UNUSED, const struct handle *fh UNUSED,
    struct str path)
{
	struct posix_file *f = xcalloc(1, sizeof(*f));

	f->fd = -1;
	f->path = path_copy(path);
	f->path_len = path.len;
	return &f->file;
}

static void
posix_file_close(struct tree_file *file)
{
	struct posix_file *f = (struct posix_file *)file;

	close_fd(&f->fd);
	free(f->path);
	free(f);
}

static void
posix_file_read(struct tree_file *file, uint64_t offset, uint32_t len,
    void *buf, tree_read_fn *fn, void *arg)
{
	struct job *j = add_job(file->tree, JOB_READ, arg);

	j->file = (struct posix_file *)file;
	j->read = fn;
	j->offset = offset;
	j->len = len;
	j->buf = buf;
}

static void
posix_file_stat(struct tree_file *file, tree_lookup_fn *fn, void *arg)
{
	struct job *j = add_job(file->tree, JOB_STAT, arg);

	j->file = (struct posix_file *)file;
	j->path = (struct str){ j->file->path, j->file->path_len };
	j->lookup = fn;
}

static int
posix_fds(struct tree *tree UNUSED, struct pollfd *fds UNUSED,
    int max UNUSED)
{
	return 0;
}

static int
posix_timeout_ms(const struct tree *tree)
{
	return TAILQ_EMPTY(&((const struct posix *)tree)->jobs) ? -1 : 0;
}

static void
posix_service(struct tree *tree, const struct pollfd *fds UNUSED,
    int n UNUSED)
{
	struct posix *p = (struct posix *)tree;

	/* A new mount may have the number of one that is gone. */
	if (!TAILQ_EMPTY(&p->jobs))
		mounts_refresh(&p->mounts);
	for (int i = 0; i < JOBS_A_SERVICE && !TAILQ_EMPTY(&p->jobs); i++)
		run_job(p, TAILQ_FIRST(&p->jobs));
}

static void
posix_free(struct tree *tree)
{
	struct posix *p = (struct posix *)tree;
	struct err err = ERR_INIT;
	struct job *j;

	err_set(&err, ERR_STOPPED, 0, "the tree is closed");
	while ((j = TAILQ_FIRST(&p->jobs)) != NULL) {
		TAILQ_REMOVE(&p->jobs, j, link);
		fail_job(j, &err);
	}
	mounts_release(&p->mounts);
	close_fd(&p->below.root);
	free(p->share);
	free(p);
}

static bool
posix_answers(const struct tree *tree)
{
	const struct posix *p = (const struct posix *)tree;
	struct stat st;

	return stat_now(p->below.root, "", &st) == 0;
}

static const struct tree_ops posix_ops = {
	.free = posix_free,
	.answers = posix_answers,
	.fds = posix_fds,
	.timeout_ms = posix_timeout_ms,
	.service = posix_service,
	.list = posix_list,
	.lookup = posix_lookup,
	.lookup_in = posix_lookup_in,
	.file_open = posix_file_open,
	.file_close = posix_file_close,
	.file_read = posix_file_read,
	.file_stat = posix_file_stat,
};

int
tree_posix_open(struct tree **ret_tree, const struct tree_spec *spec,
    struct err *err)
{
	struct silence *silence = silence_of_directory(spec->share);
	struct posix *p;
	struct stat st;
	int fd;

	silence_begin(silence, clock_mono_ms());
	fd = root_open(spec->share, &st, err);
	silence_end(silence, true, clock_mono_ms());
	if (fd == -1)
		return -1;
	p = xcalloc(1, sizeof(*p));
	p->silence = silence;
	p->tree.ops = &posix_ops;
	p->tree.protocol = "posix";
	p->tree.root = &p->root;
	p->root.read_max = TREE_READ_MAX;
	p->below.root = fd;
	p->share = xstrdup(spec->share);
	TAILQ_INIT(&p->jobs);
	mounts_init(&p->mounts, fd);
	posix_attrs(&p->root.attrs, &st,
	    mounts_of(&p->mounts, fd, st.st_dev));
	if ((spec->root_ino != 0 && spec->root_ino != st.st_ino) ||
	    (spec->root_fsid != 0 &&
	    spec->root_fsid != p->root.attrs.fsid) ||
	    (spec->filled && !root_is_filled(fd))) {
		posix_free(&p->tree);
		return err_set(err, ERR_DENIED, 0, "%s is not the directory "
		    "that PUT has seen, or is in another file system: is it "
		    "mounted on this host?", spec->share);
	}
	*ret_tree = &p->tree;
	return 0;
}
