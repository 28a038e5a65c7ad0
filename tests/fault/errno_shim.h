/*
 * errno_shim.h: system calls on files that fail as they are told to. Included
 * by one source file: a unit test, whose library then calls these, or
 * errno_shim.c, which is preloaded into datamover.
 *
 * A rule names a call, the end of the path that it is made for, the errno and
 * how often (-1: always). With errno 0 the call is made, after the hook; with
 * errno -2 when the file FAULT_HANG (an environment variable) is gone.
 * Calls: stat (fstatat, fstat, and statx without AT_STATX_FORCE_SYNC, which is
 * another call's first half), open (openat2), read (pread), readdir; mode:
 * fstatat or statx succeeds, and tells no type of file.
 */
#ifndef FAULT_ERRNO_SHIM_H
#define FAULT_ERRNO_SHIM_H

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct shim_rule {
	char	 call[8];
	char	 path[200];
	int	 code;
	int	 times;
};

#define SHIM_RULES	8
static struct shim_rule shim_rules[SHIM_RULES];
static unsigned shim_count;
static unsigned shim_hits;	/* calls that were made to fail */
static void (*shim_hook)(void);
static pthread_mutex_t shim_lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((unused)) static void
shim_clear(void)
{
	shim_count = shim_hits = 0;
}

__attribute__((unused)) static void
shim_add(const char *call, const char *path, int code, int times)
{
	struct shim_rule *r = &shim_rules[shim_count++];

	snprintf(r->call, sizeof(r->call), "%s", call);
	snprintf(r->path, sizeof(r->path), "%s", path);
	r->code = code;
	r->times = times;
}

/* The path of name below the directory of fd; name NULL: that of fd. */
static void
shim_path(int fd, const char *name, char out[PATH_MAX])
{
	char link[64];
	ssize_t n;

	if (name != NULL && name[0] == '/') {
		snprintf(out, PATH_MAX, "%s", name);
		return;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, out, PATH_MAX - 1);
	n = n == -1 ? 0 : n;
	if (name != NULL)
		snprintf(out + n, (size_t)(PATH_MAX - n), "/%s", name);
	else
		out[n] = '\0';
}

/* True with errno set if this call is to fail. */
static int
shim_fails(const char *call, int fd, const char *name)
{
	char path[PATH_MAX];
	int fails = -1;

	if (shim_count == 0)
		return 0;
	shim_path(fd, name, path);
	pthread_mutex_lock(&shim_lock);
	for (unsigned i = 0; i < shim_count && fails == -1; i++) {
		struct shim_rule *r = &shim_rules[i];
		size_t n = strlen(r->path), len = strlen(path);

		if (r->times == 0 || strcmp(r->call, call) != 0 || len < n ||
		    strcmp(path + len - n, r->path) != 0)
			continue;
		if (r->times > 0)
			r->times--;
		shim_hits++;
		fails = r->code;
	}
	pthread_mutex_unlock(&shim_lock);
	if (fails == 0)
		shim_hook();
	while (fails == -2 && access(getenv("FAULT_HANG"), F_OK) == 0)
		usleep(10000);
	if (fails <= 0)
		return 0;
	errno = fails;
	return 1;
}

int
fstatat(int fd, const char *restrict name, struct stat *restrict st,
    int flags)
{
	static int (*real)(int, const char *, struct stat *, int);

	if (shim_fails("stat", fd, name))
		return -1;
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "fstatat");
	if (real(fd, name, st, flags) == -1)
		return -1;
	if (shim_fails("mode", fd, name))
		st->st_mode &= ~(mode_t)S_IFMT;
	return 0;
}

int
statx(int fd, const char *restrict name, int flags, unsigned mask,
    struct statx *restrict x)
{
	static int (*real)(int, const char *, int, unsigned, struct statx *);
	bool whole = (flags & AT_STATX_FORCE_SYNC) == 0 &&
	    (mask & STATX_BASIC_STATS) == STATX_BASIC_STATS;

	if (whole && shim_fails("stat", fd, name))
		return -1;
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "statx");
	if (real(fd, name, flags, mask, x) == -1)
		return -1;
	if (whole && shim_fails("mode", fd, name))
		x->stx_mode &= (uint16_t)~S_IFMT;
	return 0;
}

int
fstat(int fd, struct stat *st)
{
	static int (*real)(int, struct stat *);

	if (shim_fails("stat", fd, NULL))
		return -1;
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "fstat");
	return real(fd, st);
}

ssize_t
pread(int fd, void *buf, size_t len, off_t off)
{
	static ssize_t (*real)(int, void *, size_t, off_t);

	if (shim_fails("read", fd, NULL))
		return -1;
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "pread");
	return real(fd, buf, len, off);
}

struct dirent *
readdir(DIR *dir)
{
	static struct dirent *(*real)(DIR *);

	if (shim_fails("readdir", dirfd(dir), NULL))
		return NULL;
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "readdir");
	return real(dir);
}

/* openat2 has no function of its own. */
long
syscall(long number, ...)
{
	static long (*real)(long, ...);
	va_list ap;
	long a[6];

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_openat2 && shim_fails("open", (int)a[0],
	    (const char *)a[1]))
		return -1;
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "syscall");
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

#endif
