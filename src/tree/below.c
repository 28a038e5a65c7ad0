#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "model/path.h"
#include "tree/below.h"
#include "tree/walk.h"

/* Component by component, through no symlink. */
static int
open_steps(int root, const char *path, int flags)
{
	CLEANUP(close_fd) int dir = -1;
	int at = root;

	for (;;) {
		size_t n = strcspn(path, "/");
		char name[PATH_NAME_MAX + 1];
		int fd;

		if (n > PATH_NAME_MAX) {
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(name, path, n);
		name[n] = '\0';
		if (path[n] == '\0')
			return openat(at, n == 0 ? "." : name,
			    flags | O_NOFOLLOW);
		fd = openat(at, name,
		    O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd == -1)
			return -1;
		close_fd(&dir);
		at = dir = fd;
		path += n + 1;
	}
}

/* Read the target of the symlink at path. Return 1, 0 if path names no symlink,
 * or -1 with errno set. */
static int
read_link(int root, const char *path, struct str *ret_target,
    char target[PATH_MAX])
{
	CLEANUP(close_fd) int fd = -1;
	struct stat st;
	ssize_t n;

	fd = open_steps(root, path, O_PATH | O_CLOEXEC);
	if (fd == -1 || fstat(fd, &st) == -1)
		return -1;
	if (!S_ISLNK(st.st_mode))
		return 0;
	n = readlinkat(fd, "", target, PATH_MAX);
	if (n == -1)
		return -1;
	*ret_target = (struct str){ target, (size_t)n };
	return 1;
}

static void
cut_last(struct buf *path)
{
	while (path->len > 0 && path->data[path->len - 1] != '/')
		path->len--;
	if (path->len > 0)
		path->len--;
	if (path->data != NULL)
		path->data[path->len] = '\0';
}

/* Rewrite the rest of the walk into a path without symlinks. */
static int
resolve(int root, struct walk *w, struct buf *path)
{
	char target[PATH_MAX];
	struct err unused;
	struct str name, link;
	int r;

	for (;;) {
		switch (walk_next(w, &name)) {
		case WALK_END:
			return 0;
		case WALK_UP:
			cut_last(path);
			continue;
		case WALK_OUTSIDE:
			errno = EXDEV;
			return -1;
		case WALK_NAME:
			break;
		}
		if (path->len > 0)
			buf_addch(path, '/');
		buf_add(path, name.p, name.len);
		if (buf_overflowed(path)) {
			errno = ENAMETOOLONG;
			return -1;
		}
		r = read_link(root, path->data, &link, target);
		if (r == -1)
			return -1;
		if (r == 0)
			continue;
		if (walk_splice(w, link, &unused) == -1) {
			errno = link.len > 0 && link.p[0] == '/' ? EXDEV :
			    ELOOP;
			return -1;
		}
		cut_last(path);
	}
}

static int
open_follow(int root, const char *path, int flags)
{
	struct walk w;
	struct buf real;
	int r;

	walk_init(&w, str_of(path));
	buf_init(&real, PATH_MAX);
	r = resolve(root, &w, &real);
	if (r == 0)
		r = open_steps(root, real.len == 0 ? "" : real.data, flags);
	buf_release(&real);
	walk_release(&w);
	return r;
}

int
below_open(struct below *b, const char *path, int flags, bool follow)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC |
		    (follow ? 0 : O_NOFOLLOW)),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS |
		    (follow ? 0 : RESOLVE_NO_SYMLINKS),
	};

	for (int tries = 0; !b->no_openat2 && tries < 8; tries++) {
		int fd = (int)syscall(SYS_openat2, b->root,
		    *path == '\0' ? "." : path, &how, sizeof(how));

		if (fd != -1)
			return fd;
		/* EAGAIN: a rename raced with "..". */
		if (errno == EAGAIN)
			continue;
		/* Find the component that is the symlink. */
		if (errno == ELOOP && !follow)
			return open_steps(b->root, path, flags | O_CLOEXEC);
		/* EPERM: a seccomp filter refuses an unknown system call. */
		if (errno != ENOSYS && errno != EPERM)
			return -1;
		b->no_openat2 = true;
	}
	if (!b->no_openat2)
		return -1;
	if (follow)
		return open_follow(b->root, path, flags | O_CLOEXEC);
	return open_steps(b->root, path, flags | O_CLOEXEC);
}
