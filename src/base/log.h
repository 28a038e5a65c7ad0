/*
 * log.h: one call: an event of a table, fields, and a sentence for people. Two
 * targets: lines for people on stderr, and JSON lines in a file that is
 * rotated.
 *
 *	log_event(LOG_ERROR, EVENT_EXPORT, LOG_WITH(LOG_TEXT("path", root),
 *	    LOG_TEXT("reason", err.msg)), "%s: %s", root, err.msg);
 *
 * prints "error export ROOT: REASON" and writes {"time":...,"level":"error",
 * "event":"export","run":9,"pid":...,"host":...,"path":ROOT,"reason":REASON,
 * "msg":"ROOT: REASON"}. Everything printed is escaped. Secrets are never given
 * to it. A line for each object only at LOG_DEBUG, or for the file alone. Any
 * thread.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/base.h"
#include "base/err.h"

enum log_level {
	LOG_ERROR = 0,	/* someone must act */
	LOG_WARN,	/* will be tried again, or left out */
	LOG_INFO,	/* stage changes */
	LOG_DEBUG,
	LOG__MAX
};

enum log_event_id {
#define EVENT(id, name, fields) id,
#include "base/log_events.def"
#undef EVENT
	EVENT__MAX
};

struct log_field {
	const char *name;	/* NULL ends an array */
	bool	 is_text;
	bool	 shown;		/* to people too, as name=value, before the
				   sentence, which does not say it */
	const char *text;	/* NULL: the field is left out */
	int64_t	 number;
};
#define LOG_TEXT(n, v) { .name = (n), .is_text = true, .text = (v) }
#define LOG_NUMBER(n, v) { .name = (n), .number = (int64_t)(v) }
#define LOG_SHOW_TEXT(n, v) { .name = (n), .is_text = true, .shown = true, \
	.text = (v) }
#define LOG_SHOW_NUMBER(n, v) { .name = (n), .shown = true, \
	.number = (int64_t)(v) }
#define LOG_WITH(...) ((const struct log_field[]){ __VA_ARGS__, \
	{ .name = NULL } })

struct log_config {
	enum log_level file_level;
	enum log_level stderr_level;
	const char *path;	/* the file; NULL: none */
	uint64_t max_bytes;	/* rotate above this size: path.1 ... path.N */
	unsigned backup_count;
};

/* Before threads start. An unwritable file is an error (kind CONFIG). */
int	 log_open(const struct log_config *, struct err *) MUST_USE;
void	 log_close(void);
/* The run to which the lines of the file belong from now on; 0: none. */
void	 log_set_run(int64_t run);
bool	 log_enabled(enum log_level);
/* fields: LOG_WITH, or NULL. An empty sentence is left out. */
void	 log_event(enum log_level, enum log_event_id,
	    const struct log_field *fields, const char *fmt, ...)
	    PRINTF_LIKE(4, 5);
/* The line of an object, directory or export that failed: at LOG_WARN, for the
 * file alone. */
void	 log_failed(const char *path, unsigned attempts, const struct err *);
/* The progress area stands on the last lines of a terminal: the hook runs
 * before and after each printed line, to move the area out of the way. */
void	 log_set_hook(void (*before)(void *), void (*after)(void *), void *);

#endif
