/*
 * preload.c: what the model puts between the program and the kernel
 * (LD_PRELOAD). By variables of the environment:
 *
 *	MODEL_CLOCK=SECONDS	the wall clock is so much later
 *	MODEL_FAST=N		the monotonic clock runs N times as fast, and
 *				waits are as much shorter
 *	MODEL_COARSE=1		times of files have full seconds
 *	MODEL_KILL=CALLS:N:SIGNAL:AFTER
 *				the Nth of these calls (a sum of the bits
 *				below) sends that signal to the process,
 *				before it is made or (AFTER = 1) after
 *	MODEL_ERRNO=CALLS:PATH:ERRNO:FIRST:COUNT
 *				calls on that path fail, from the FIRST on,
 *				COUNT times (0: all)
 *	MODEL_FULL=N		from the Nth write on, the disk of the catalog
 *				is full
 *	MODEL_NURSERY=1		wait for what is to be run; see preload.h
 *
 * fsync and fdatasync do nothing, always: no history pulls a plug.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "preload.h"

static struct {
	long	 clock_s;
	long	 fast;
	bool	 coarse;
	unsigned kill_calls;
	int	 kill_at;
	int	 kill_signal;
	bool	 kill_after;
	unsigned bad_calls;
	char	 bad_path[256];
	int	 bad_errno;
	int	 bad_first;
	int	 bad_count;
	int	 full_at;
	struct timespec born;
	atomic_int killed;
	atomic_int bad;
	atomic_int writes;
} k;

#define REAL(name) \
	static __typeof__(name) *real; \
	if (real == NULL) \
		*(void **)&real = dlsym(RTLD_NEXT, #name)

static void
take_errno(char *text)
{
	char *p = text, *word[5];

	for (int i = 0; i < 5; i++) {
		word[i] = strsep(&p, ":");
		if (word[i] == NULL)
			return;
	}
	k.bad_calls = (unsigned)strtoul(word[0], NULL, 10);
	snprintf(k.bad_path, sizeof(k.bad_path), "%s", word[1]);
	k.bad_errno = (int)strtol(word[2], NULL, 10);
	k.bad_first = (int)strtol(word[3], NULL, 10);
	k.bad_count = (int)strtol(word[4], NULL, 10);
}

__attribute__((constructor)) static void
begin(void)
{
	const char *v;
	int after = 0;

	memset(&k, 0, sizeof(k));
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &k.born);
	v = getenv("MODEL_CLOCK");
	k.clock_s = v == NULL ? 0 : strtol(v, NULL, 10);
	v = getenv("MODEL_FAST");
	k.fast = v == NULL ? 1 : strtol(v, NULL, 10);
	k.coarse = getenv("MODEL_COARSE") != NULL;
	v = getenv("MODEL_FULL");
	k.full_at = v == NULL ? 0 : (int)strtol(v, NULL, 10);
	v = getenv("MODEL_KILL");
	if (v != NULL && sscanf(v, "%u:%d:%d:%d", &k.kill_calls, &k.kill_at,
	    &k.kill_signal, &after) == 4)
		k.kill_after = after != 0;
	v = getenv("MODEL_ERRNO");
	if (v != NULL) {
		char *copy = strdup(v);

		take_errno(copy);
		free(copy);
	}
}

/* --- the kill --- */

/* True if this call is the one; it is made at once unless it is "after". */
static bool
kill_due(unsigned call)
{
	if ((k.kill_calls & call) == 0 ||
	    atomic_fetch_add(&k.killed, 1) + 1 != k.kill_at)
		return false;
	if (!k.kill_after)
		syscall(SYS_kill, getpid(), k.kill_signal);
	return k.kill_after;
}

static void
kill_now(bool due)
{
	int kept = errno;

	if (due)
		syscall(SYS_kill, getpid(), k.kill_signal);
	errno = kept;
}

/* --- errors on a path --- */

static bool
path_is_bad(const char *path)
{
	size_t len = strlen(path), bad = strlen(k.bad_path);

	return len >= bad && strcmp(path + len - bad, k.bad_path) == 0 &&
	    (len == bad || path[len - bad - 1] == '/');
}

static bool
count_bad(void)
{
	int n = atomic_fetch_add(&k.bad, 1) + 1;

	if (n < k.bad_first ||
	    (k.bad_count != 0 && n >= k.bad_first + k.bad_count))
		return false;
	errno = k.bad_errno;
	return true;
}

/* A name below a directory that is open, or what is open itself. */
static bool
is_bad(unsigned call, int fd, const char *name)
{
	char link[64], path[PATH_MAX + 300];
	ssize_t n;

	if ((k.bad_calls & call) == 0)
		return false;
	if (name != NULL && name[0] == '/') {
		snprintf(path, sizeof(path), "%s", name);
		return path_is_bad(path) && count_bad();
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, PATH_MAX);
	if (n < 0)
		return false;
	path[n] = '\0';
	if (name != NULL && name[0] != '\0' && strcmp(name, ".") != 0)
		snprintf(path + n, sizeof(path) - (size_t)n, "/%s", name);
	return path_is_bad(path) && count_bad();
}

/* --- clocks and waits --- */

int
clock_gettime(clockid_t id, struct timespec *t)
{
	int r = (int)syscall(SYS_clock_gettime, id, t);
	long s, ns;

	if (r == -1)
		return r;
	if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) {
		t->tv_sec += k.clock_s;
	} else if (id == CLOCK_MONOTONIC && k.fast > 1) {
		s = t->tv_sec - k.born.tv_sec;
		ns = t->tv_nsec - k.born.tv_nsec + s * 1000000000L;
		ns *= k.fast;
		t->tv_sec = k.born.tv_sec + ns / 1000000000L;
		t->tv_nsec = k.born.tv_nsec + ns % 1000000000L;
		if (t->tv_nsec >= 1000000000L) {
			t->tv_nsec -= 1000000000L;
			t->tv_sec++;
		}
	}
	return 0;
}

time_t
time(time_t *out)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	if (out != NULL)
		*out = t.tv_sec;
	return t.tv_sec;
}

static int
shorter(int ms)
{
	return ms <= 0 ? ms : (int)((ms + k.fast - 1) / k.fast);
}

int
poll(struct pollfd *fds, nfds_t n, int ms)
{
	REAL(poll);

	return real(fds, n, shorter(ms));
}

int	__poll_chk(struct pollfd *, nfds_t, int, size_t);

int
__poll_chk(struct pollfd *fds, nfds_t n, int ms, size_t size)
{
	(void)size;
	return poll(fds, n, ms);
}

int
nanosleep(const struct timespec *t, struct timespec *left)
{
	struct timespec s = *t;
	REAL(nanosleep);

	s.tv_nsec = (s.tv_nsec + (s.tv_sec % k.fast) * 1000000000L) / k.fast;
	s.tv_sec /= k.fast;
	return real(&s, left);
}

int
fsync(int fd)
{
	bool due = kill_due(CALL_SYNC);

	(void)fd;
	kill_now(due);
	return 0;
}

int
fdatasync(int fd)
{
	return fsync(fd);
}

/* --- files --- */

static bool
disk_is_full(int fd)
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	if (k.full_at == 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return false;
	path[n] = '\0';
	if (strstr(path, "/catalog.db") == NULL)
		return false;
	if (atomic_fetch_add(&k.writes, 1) + 1 < k.full_at)
		return false;
	errno = ENOSPC;
	return true;
}

ssize_t
write(int fd, const void *p, size_t len)
{
	bool due;
	ssize_t r;
	REAL(write);

	if (disk_is_full(fd))
		return -1;
	due = kill_due(CALL_WRITE);
	r = real(fd, p, len);
	kill_now(due);
	return r;
}

ssize_t
pwrite(int fd, const void *p, size_t len, off_t at)
{
	bool due;
	ssize_t r;
	REAL(pwrite);

	if (disk_is_full(fd))
		return -1;
	due = kill_due(CALL_WRITE);
	r = real(fd, p, len, at);
	kill_now(due);
	return r;
}

ssize_t
pwrite64(int fd, const void *p, size_t len, off_t at)
{
	return pwrite(fd, p, len, at);
}

ssize_t
pread(int fd, void *p, size_t len, off_t at)
{
	REAL(pread);

	if (is_bad(CALL_READ, fd, NULL))
		return -1;
	return real(fd, p, len, at);
}

ssize_t
pread64(int fd, void *p, size_t len, off_t at)
{
	return pread(fd, p, len, at);
}

int
openat(int dir, const char *path, int flags, ...)
{
	mode_t mode = 0;
	bool due;
	int r;
	REAL(openat);

	if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
		va_list ap;

		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	if (is_bad(CALL_OPEN, dir, path))
		return -1;
	due = kill_due(CALL_OPEN);
	r = real(dir, path, flags, mode);
	kill_now(due);
	return r;
}

int	__openat_2(int, const char *, int);

int
__openat_2(int dir, const char *path, int flags)
{
	return openat(dir, path, flags);
}

/* openat2 has no function of its own. */
long
syscall(long number, ...)
{
	long a[6], r;
	bool due = false;
	va_list ap;
	REAL(syscall);

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_openat2) {
		if (is_bad(CALL_OPEN, (int)a[0], (const char *)a[1]))
			return -1;
		due = kill_due(CALL_OPEN);
	}
	r = real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	kill_now(due);
	return r;
}

static void
coarsen(struct stat *st)
{
	if (!k.coarse)
		return;
	st->st_mtim.tv_nsec = 0;
	st->st_ctim.tv_nsec = 0;
	st->st_atim.tv_nsec = 0;
}

int
fstat(int fd, struct stat *st)
{
	int r;
	REAL(fstat);

	if (is_bad(CALL_STAT, fd, NULL))
		return -1;
	r = real(fd, st);
	if (r == 0)
		coarsen(st);
	return r;
}

int
fstatat(int dir, const char *path, struct stat *st, int flags)
{
	int r;
	REAL(fstatat);

	if (is_bad(CALL_STAT, dir, path))
		return -1;
	r = real(dir, path, st, flags);
	if (r == 0)
		coarsen(st);
	return r;
}

int
stat(const char *path, struct stat *st)
{
	int r;
	REAL(stat);

	if (path[0] == '/' && is_bad(CALL_STAT, -1, path))
		return -1;
	r = real(path, st);
	if (r == 0)
		coarsen(st);
	return r;
}

int
statx(int dir, const char *path, int flags, unsigned mask, struct statx *x)
{
	int r;
	REAL(statx);

	if (is_bad(CALL_STAT, dir, path))
		return -1;
	r = real(dir, path, flags, mask, x);
	if (r == 0 && k.coarse) {
		x->stx_mtime.tv_nsec = 0;
		x->stx_ctime.tv_nsec = 0;
		x->stx_atime.tv_nsec = 0;
	}
	return r;
}

struct dirent *
readdir(DIR *d)
{
	REAL(readdir);

	if (is_bad(CALL_LIST, dirfd(d), NULL))
		return NULL;
	return real(d);
}

int
rename(const char *from, const char *to)
{
	bool due = kill_due(CALL_RENAME);
	int r;
	REAL(rename);

	r = real(from, to);
	kill_now(due);
	return r;
}

int
renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	bool due = kill_due(CALL_RENAME);
	int r;
	REAL(renameat);

	r = real(from_dir, from, to_dir, to);
	kill_now(due);
	return r;
}

/* --- sockets --- */

ssize_t
send(int fd, const void *p, size_t len, int flags)
{
	bool due = kill_due(CALL_SEND);
	ssize_t r;
	REAL(send);

	r = real(fd, p, len, flags);
	kill_now(due);
	return r;
}

ssize_t
recv(int fd, void *p, size_t len, int flags)
{
	bool due = kill_due(CALL_RECV);
	ssize_t r;
	REAL(recv);

	r = real(fd, p, len, flags);
	kill_now(due);
	return r;
}

int
connect(int fd, const struct sockaddr *a, socklen_t len)
{
	bool due = kill_due(CALL_CONNECT);
	int r;
	REAL(connect);

	r = real(fd, a, len);
	kill_now(due);
	return r;
}

/* --- the nursery --- */

typedef int main_fn(int, char **, char **);

static main_fn *program_main;

static void
open_as(int fd, const char *path, int flags)
{
	int from = open(path, flags, 0644);

	if (from == -1 || dup2(from, fd) == -1 || close(from) == -1)
		_exit(127);
}

/* The next text of a message; "" at its end. */
static char *
next_text(char **p, const char *end)
{
	char *text = *p;

	if (text >= end)
		return *p - 1;
	*p += strlen(text) + 1;
	return text;
}

static size_t
take_texts(char **p, const char *end, char *v[64])
{
	size_t n = 0;

	while (n < 63 && *(v[n] = next_text(p, end)) != '\0')
		n++;
	v[n] = NULL;
	return n;
}

/* As a process that has just been made for the program. */
static int
run_program(char *p, const char *end)
{
	static char *args[64], *env[64];
	struct rlimit none = { 0, 0 };
	uid_t uid = (uid_t)strtoul(next_text(&p, end), NULL, 10);
	size_t n;

	close(NURSERY_FD);
	setrlimit(RLIMIT_CORE, &none);
	open_as(0, "/dev/null", O_RDONLY);
	open_as(1, next_text(&p, end), O_WRONLY | O_CREAT | O_TRUNC);
	open_as(2, next_text(&p, end), O_WRONLY | O_CREAT | O_TRUNC);
	if (geteuid() == 0 && (setgid(uid) == -1 || setuid(uid) == -1))
		_exit(127);
	/* A change of the user took it, which an exec would give back. */
	prctl(PR_SET_DUMPABLE, 1);
	n = take_texts(&p, end, args);
	take_texts(&p, end, env);
	environ = env;
	begin();
	return program_main((int)n, args, env);
}

static int
nursery(int argc, char **argv, char **env)
{
	static char message[NURSERY_MAX + 1];
	ssize_t n;

	(void)argc;
	(void)argv;
	(void)env;
	while ((n = recv(NURSERY_FD, message, NURSERY_MAX, 0)) > 0) {
		pid_t pid = fork();
		int status = 0;

		if (pid == 0)
			return run_program(message, message + n);
		send(NURSERY_FD, &pid, sizeof(pid), 0);
		if (waitpid(pid, &status, 0) == -1)
			abort();
		send(NURSERY_FD, &status, sizeof(status), 0);
	}
	_exit(0);
}

int	__libc_start_main(main_fn *, int, char **, void (*)(void),
	    void (*)(void), void (*)(void), void *);

int
__libc_start_main(main_fn *fn, int argc, char **argv, void (*init)(void),
    void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
	REAL(__libc_start_main);

	program_main = fn;
	return real(getenv("MODEL_NURSERY") == NULL ? fn : nursery, argc, argv,
	    init, fini, rtld_fini, stack_end);
}
