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

static const char *const event_names[EVENT__MAX] = {
#define EVENT(id, name, fields) [id] = name,
#include "base/log_events.def"
#undef EVENT
};

static struct {
	pthread_mutex_t lock;
	/* The highest level wanted by either target; read without the lock. */
	_Atomic int level;
	struct {
		int	 fd;		/* -1: no file */
		int	 file_level;
		int	 stderr_level;
		int64_t run;
		char host[256];
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
	if (gethostname(l.locked.host, sizeof(l.locked.host) - 1) == -1)
		l.locked.host[0] = '\0';
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

void
log_set_run(int64_t run)
{
	pthread_mutex_lock(&l.lock);
	l.locked.run = run;
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

/* The name; a star at its end in the table does not belong to it. */
static struct str
name_of(enum log_event_id event)
{
	struct str name = str_of(event_names[event]);

	if (str_ends(name, STR("*")))
		name.len--;
	return name;
}

static bool
is_for_file(enum log_event_id event)
{
	return str_ends(str_of(event_names[event]), STR("*"));
}

/* Texts are escaped as for people: a name of a file may be any bytes. */
static void
add_json_text(struct buf *b, const char *text)
{
	struct buf shown CLEANUP(buf_release);

	buf_init(&shown, LINE_MAX_BYTES);
	buf_add_escaped(&shown, str_of(text));
	buf_add_json(b, buf_str(&shown));
}

static void
add_fields(struct buf *b, const struct log_field *f)
{
	for (; f != NULL && f->name != NULL; f++) {
		if (f->is_text && f->text == NULL)
			continue;
		buf_addf(b, ",\"%s\":", f->name);
		if (f->is_text)
			add_json_text(b, f->text);
		else
			buf_addf(b, "%jd", (intmax_t)f->number);
	}
}

static void
write_file_locked(enum log_level level, enum log_event_id event,
    const struct log_field *fields, struct str text)
{
	int64_t now = clock_wall_ns();
	struct str name = name_of(event);
	char when[32];
	struct buf b;

	clock_iso8601(now / 1000000000, when);
	when[strcspn(when, "Z")] = '\0';
	buf_init(&b, 8 * LINE_MAX_BYTES);
	buf_addf(&b,
	    "{\"time\":\"%s.%03dZ\",\"level\":\"%s\","
	    "\"event\":\"%.*s\"",
	    when, (int)(now / 1000000 % 1000), level_names[level],
	    (int)name.len, name.p);
	if (l.locked.run > 0)
		buf_addf(&b, ",\"run\":%jd", (intmax_t)l.locked.run);
	buf_addf(&b, ",\"pid\":%jd,\"host\":", (intmax_t)getpid());
	add_json_text(&b, l.locked.host);
	add_fields(&b, fields);
	if (text.len > 0) {
		buf_addstr(&b, ",\"msg\":");
		buf_add_json(&b, text);
	}
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
add_shown(struct buf *b, const struct log_field *f)
{
	for (; f != NULL && f->name != NULL; f++) {
		if (!f->shown || (f->is_text && f->text == NULL))
			continue;
		buf_addf(b, " %s=", f->name);
		if (f->is_text)
			buf_add_escaped(b, str_of(f->text));
		else
			buf_addf(b, "%jd", (intmax_t)f->number);
	}
}

static void
write_stderr_locked(enum log_level level, enum log_event_id event,
    const struct log_field *fields, struct str text)
{
	struct str name = name_of(event);
	struct buf b;

	buf_init(&b, 8 * LINE_MAX_BYTES);
	buf_addf(&b, "datamover: %s %.*s", level_names[level], (int)name.len,
	    name.p);
	add_shown(&b, fields);
	if (text.len > 0)
		buf_addch(&b, ' ');
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
log_event(enum log_level level, enum log_event_id event,
    const struct log_field *fields, const char *fmt, ...)
{
	AUTOFREE char *raw = NULL;
	struct buf text CLEANUP(buf_release);
	va_list ap;
	int n;

	buf_init(&text, LINE_MAX_BYTES);
	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	n = vasprintf(&raw, fmt, ap);
	va_end(ap);
	if (n == -1) {
		raw = NULL;
		return;
	}
	buf_add_escaped(&text, (struct str){ raw, (size_t)n });
	pthread_mutex_lock(&l.lock);
	if (l.locked.fd != -1 && (int)level <= l.locked.file_level)
		write_file_locked(level, event, fields, buf_str(&text));
	if ((int)level <= l.locked.stderr_level &&
	    (!is_for_file(event) || l.locked.stderr_level >= (int)LOG_DEBUG))
		write_stderr_locked(level, event, fields, buf_str(&text));
	pthread_mutex_unlock(&l.lock);
}

void
log_failed(const char *path, unsigned attempts, const struct err *err)
{
	char shown[400];

	log_event(LOG_WARN, EVENT_FAILED,
	    LOG_WITH(LOG_TEXT("path", path),
		LOG_TEXT("kind", err_kind_name(err->kind)),
		LOG_TEXT("reason", err->msg), LOG_NUMBER("attempts", attempts)),
	    "%s: %s", str_escape(str_of(path), shown, sizeof(shown)),
	    err->msg);
}
