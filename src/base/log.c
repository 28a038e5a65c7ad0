#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/jsontext.h"
#include "base/log.h"

#define LINE_MAX_BYTES	(64 * KIB)

static struct {
	pthread_mutex_t lock;
	/* The highest level wanted by either target; read without the lock. */
	_Atomic int level;
	struct {
		int	 fd;		/* -1: no file */
		int	 file_level;
		int	 stderr_level;
		char	*path;
		uint64_t size;
		uint64_t max_bytes;
		unsigned backup_count;
		void	(*before)(void *);
		void	(*after)(void *);
		void	*arg;
	} locked;
} l = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.level = LOG_WARN,
	.locked = { .fd = -1, .file_level = -1, .stderr_level = LOG_WARN },
};

static const char *const level_names[LOG__MAX] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warn",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

static int
open_file(const char *path, int flags)
{
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | flags,
	    0640);
}

static void
close_locked(void)
{
	close_fd(&l.locked.fd);
	free(l.locked.path);
	l.locked.path = NULL;
	l.locked.file_level = -1;
	l.locked.size = 0;
}

int
log_open(const struct log_config *c, struct err *err)
{
	struct stat st;
	int fd = -1;

	if (c->path != NULL) {
		fd = open_file(c->path, 0);
		if (fd == -1)
			return err_errno(err, ERR_CONFIG, errno,
			    "log file %s", c->path);
		if (fstat(fd, &st) == -1)
			st.st_size = 0;
	}
	pthread_mutex_lock(&l.lock);
	close_locked();
	l.locked.stderr_level = (int)c->stderr_level;
	l.level = l.locked.stderr_level;
	l.locked.max_bytes = c->max_bytes;
	l.locked.backup_count = c->backup_count;
	if (fd != -1) {
		l.locked.fd = fd;
		l.locked.path = xstrdup(c->path);
		l.locked.size = (uint64_t)st.st_size;
		l.locked.file_level = (int)c->file_level;
		l.level = MAX(l.level, l.locked.file_level);
	}
	pthread_mutex_unlock(&l.lock);
	return 0;
}

void
log_close(void)
{
	pthread_mutex_lock(&l.lock);
	close_locked();
	l.level = l.locked.stderr_level;
	pthread_mutex_unlock(&l.lock);
}

bool
log_enabled(enum log_level level)
{
	return (int)level <= l.level;
}

void
log_set_hook(void (*before)(void *), void (*after)(void *), void *arg)
{
	pthread_mutex_lock(&l.lock);
	l.locked.before = before;
	l.locked.after = after;
	l.locked.arg = arg;
	pthread_mutex_unlock(&l.lock);
}

/* path.N-1 becomes path.N, ..., path becomes path.1, and a new path begins. */
static void
rotate_locked(void)
{
	static const char lost[] = "datamover: the log file can't be opened "
	    "again: nothing more is written to it\n";

	for (unsigned i = l.locked.backup_count; i > 0; i--) {
		AUTOFREE char *to = xasprintf("%s.%u", l.locked.path, i);
		AUTOFREE char *from = i == 1 ? xstrdup(l.locked.path) :
		    xasprintf("%s.%u", l.locked.path, i - 1);

		(void)rename(from, to);
	}
	close_fd(&l.locked.fd);
	l.locked.fd = open_file(l.locked.path, O_TRUNC);
	l.locked.size = 0;
	if (l.locked.fd == -1)
		write_all(STDERR_FILENO, lost, sizeof(lost) - 1);
}

static void
write_file_locked(enum log_level level, const char *event, struct str text)
{
	int64_t now = clock_wall_ns();
	char when[32];
	struct buf b;

	clock_iso8601(now / 1000000000, when);
	when[strcspn(when, "Z")] = '\0';
	buf_init(&b, 4 * LINE_MAX_BYTES);
	buf_addf(&b, "{\"time\":\"%s.%03dZ\",\"level\":\"%s\","
	    "\"event\":\"%s\",\"msg\":", when,
	    (int)(now / 1000000 % 1000), level_names[level], event);
	buf_add_json(&b, text);
	buf_addstr(&b, "}\n");
	if (l.locked.max_bytes > 0 && l.locked.size > 0 &&
	    l.locked.size + b.len > l.locked.max_bytes)
		rotate_locked();
	if (l.locked.fd != -1) {
		write_all(l.locked.fd, b.data, b.len);
		l.locked.size += b.len;
	}
	buf_release(&b);
}

static void
write_stderr_locked(enum log_level level, const char *event, struct str text)
{
	struct buf b;

	buf_init(&b, 4 * LINE_MAX_BYTES);
	buf_addf(&b, "datamover: %s %s%s", level_names[level], event,
	    text.len > 0 ? " " : "");
	buf_add(&b, text.p, text.len);
	buf_addch(&b, '\n');
	if (l.locked.before != NULL)
		l.locked.before(l.locked.arg);
	write_all(STDERR_FILENO, b.data, b.len);
	if (l.locked.after != NULL)
		l.locked.after(l.locked.arg);
	buf_release(&b);
}

void
log_event(enum log_level level, const char *event, const char *fmt, ...)
{
	AUTOFREE char *raw = NULL;
	struct buf text;
	va_list ap;
	int n;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	n = vasprintf(&raw, fmt, ap);
	va_end(ap);
	if (n == -1) {
		raw = NULL;
		return;
	}
	buf_init(&text, LINE_MAX_BYTES);
	buf_add_escaped(&text, (struct str){ raw, (size_t)n });
	pthread_mutex_lock(&l.lock);
	if (l.locked.fd != -1 && (int)level <= l.locked.file_level)
		write_file_locked(level, event, buf_str(&text));
	if ((int)level <= l.locked.stderr_level)
		write_stderr_locked(level, event, buf_str(&text));
	pthread_mutex_unlock(&l.lock);
	buf_release(&text);
}
