/*
 * log.h: one call, an event name and fields. Two targets: lines for people
 * on stderr and JSON lines in a file that is rotated.
 *
 *	log_event(LOG_WARN, "retry", "key=%s after_ms=%lu reason=%s", ...);
 *
 * prints "warn retry key=... " and writes {"time":...,"level":"warn",
 * "event":"retry","msg":"key=..."}. Everything printed is escaped. Secrets
 * are never given to it. Per-object lines only at LOG_DEBUG. Any thread.
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
bool	 log_enabled(enum log_level);
void	 log_event(enum log_level, const char *event, const char *fmt, ...)
	    PRINTF_LIKE(3, 4);
/* The progress area stands on the last lines of a terminal: the hook runs
 * before and after each printed line, to move the area out of the way. */
void	 log_set_hook(void (*before)(void *), void (*after)(void *), void *);

#endif
