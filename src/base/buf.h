/*
 * buf.h: bytes.
 *
 * struct str is a view: a str owns nothing and need not end in NUL. struct buf
 * grows up to the ceiling given to buf_init. data[len] is always NUL, so
 * callers may use data without inner NULs as a C string.
 *
 * Life cycle: buf_init, use, buf_release. buf_clear empties the buffer and
 * keeps the memory. One thread at a time.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/base.h"
#include "base/err.h"

struct str {
	const char *p;
	size_t	 len;
};

#define STR(literal)	((struct str){ (literal), sizeof(literal) - 1 })
struct str str_of(const char *);
bool	 str_eq(struct str, struct str);
bool	 str_starts(struct str, struct str prefix);
bool	 str_ends(struct str, struct str suffix);

struct buf {
	char	*data;
	size_t	 len;
	size_t	 cap;
	size_t	 max;
};

void	 buf_init(struct buf *, size_t max);
void	 buf_release(struct buf *);
void	 buf_clear(struct buf *);
struct str buf_str(const struct buf *);

/* Append. Over the ceiling: -1, nothing is appended and the overflow is
 * remembered, so a row of calls may be checked once with buf_overflowed. */
int	 buf_add(struct buf *, const void *, size_t);
int	 buf_addstr(struct buf *, const char *);
int	 buf_addch(struct buf *, char);
int	 buf_addf(struct buf *, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool	 buf_overflowed(const struct buf *);

/*
 * Append bytes for people: control characters and invalid UTF-8 become
 * \xNN, a backslash \\. Never a newline, never an escape sequence.
 */
int	 buf_add_escaped(struct buf *, struct str);
/* As buf_add_escaped, into a fixed array; a long text is cut and ends in "...";
 * returns out. */
const char *str_escape(struct str, char *out, size_t outlen);

/* Length in bytes of the valid UTF-8 sequence at p (1 to 4), or 0. */
size_t	 utf8_len(const char *p, size_t left);

#endif
