/*
 * err.h: one error, on the caller's stack.
 *
 * A function that can fail returns 0 or -1 and takes a struct err * last.
 * The kind is chosen by what the caller does next, not by where it broke;
 * it alone decides retry, exit status and report column. Each level may
 * wrap: "put bucket/key: part 3: connection reset". Libraries do not log
 * errors, they return them; the stage that decides logs once.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/base.h"

enum err_kind {
	ERR_NONE = 0,
	ERR_RETRY,	/* passing fault: try again later */
	ERR_GONE,	/* the source vanished or changed: report, go on */
	ERR_DENIED,	/* no permission, wrong credentials */
	ERR_CORRUPT,	/* a proof failed: digests or sizes differ */
	ERR_RESOURCE,	/* no space, no memory, too many files */
	ERR_PEER,	/* the other side broke its protocol */
	ERR_UNREACHABLE,/* cannot be reached or does not exist: host, export,
			   bucket */
	ERR_INVALID,	/* this object can never be moved (key too long) */
	ERR_CONFIG,	/* wrong configuration */
	ERR_USAGE,	/* wrong option */
	ERR_STOPPED,	/* asked to stop */
	ERR_BUG,
	ERR__MAX
};

struct err {
	enum err_kind kind;
	int	 code;		/* errno, HTTP status or foreign code; or 0 */
	char	 msg[232];
};

#define ERR_INIT { .kind = ERR_NONE, .code = 0, .msg = "" }

/* Fill err; always returns -1, so that "return err_set(...)" reads well.
 * A NULL err is allowed everywhere. */
int	 err_set(struct err *, enum err_kind, int code, const char *fmt, ...)
	    PRINTF_LIKE(4, 5);
/* As err_set, and ": " strerror(code) is added. */
int	 err_errno(struct err *, enum err_kind, int code, const char *fmt, ...)
	    PRINTF_LIKE(4, 5);
/* Put "text: " in front of the message; returns -1. */
int	 err_wrap(struct err *, const char *fmt, ...) PRINTF_LIKE(2, 3);
void	 err_clear(struct err *);
/* A source says that the path names nothing: there is no such entry, or what
 * must be its parent is no directory (ENOENT and ENOTDIR; NFS has the same
 * numbers). No other error says so, of whatever kind it is. */
bool	 err_is_absence(const struct err *);
/* One lower-case word: "retry", "denied", ...; stable, as the catalog stores
 * it. */
const char *err_kind_name(enum err_kind);

#endif
