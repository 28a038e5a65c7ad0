/*
 * err.h: an error, on the caller's stack.
 *
 * A function with possible failure returns 0 or -1 and takes a struct err *
 * last. Choose the kind by the caller's next action, not by the place of the
 * fault; only the kind decides retry, exit status and report column. Each level
 * may wrap: "put bucket/key: part 3: connection reset". Libraries return errors
 * without logging; the deciding stage logs once.
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
	ERR_PEER,	/* the peer broke its protocol */
	ERR_UNREACHABLE,/* cannot be reached or does not exist: host, export,
			   bucket */
	ERR_INVALID,	/* this object can never be moved (key too long) */
	ERR_CONFIG,	/* wrong configuration */
	ERR_USAGE,	/* wrong option */
	ERR_STOPPED,	/* asked to stop */
	ERR_BUG,
	ERR_REFUSED,	/* the store refuses this account or bucket: other
			   requests will fail, too */
	ERR__MAX
};

struct err {
	enum err_kind kind;
	int	 code;		/* errno, HTTP status or foreign code; or 0 */
	char	 msg[232];
};

#define ERR_INIT { .kind = ERR_NONE, .code = 0, .msg = "" }

/* Fill err; always returns -1, for the use "return err_set(...)". Every
 * function here accepts a NULL err. */
int	 err_set(struct err *, enum err_kind, int code, const char *fmt, ...)
	    PRINTF_LIKE(4, 5);
/* As err_set, and ": " strerror(code) is added. */
int	 err_errno(struct err *, enum err_kind, int code, const char *fmt, ...)
	    PRINTF_LIKE(4, 5);
/* Put "text: " in front of the message; returns -1. */
int	 err_wrap(struct err *, const char *fmt, ...) PRINTF_LIKE(2, 3);
void	 err_clear(struct err *);
/* Return true if a source says the path names nothing: the entry is missing, or
 * its supposed parent is no directory (ENOENT and ENOTDIR; NFS has the same
 * numbers). No error with a different code is an absence, whatever its kind. */
bool	 err_is_absence(const struct err *);
/* Return a single lower-case word: "retry", "denied", ...; the words are
 * stable, as the catalog stores them. */
const char *err_kind_name(enum err_kind);

#endif
