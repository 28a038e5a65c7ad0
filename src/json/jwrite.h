/*
 * jwrite.h: write JSON into a buffer, one call an element; commas are put by
 * the writer. In an object each value has a key, elsewhere key is NULL.
 *
 *	struct jwrite w = jwrite_begin(&buf);
 *	jwrite_object(&w, NULL);
 *	jwrite_uint(&w, "found", n);
 *	jwrite_end(&w);
 *
 * Output is one line of valid UTF-8. Bytes that are not UTF-8 become U+FFFD:
 * give names as key text (model/key.h), where they can't occur. A full
 * buffer is seen with buf_overflowed.
 */
#ifndef JSON_JWRITE_H
#define JSON_JWRITE_H

#include "base/buf.h"

#define JWRITE_DEPTH 16

struct jwrite {
	struct buf *buf;
	unsigned depth;
	bool	 comma;		/* an element stands before the next */
	char	 close[JWRITE_DEPTH];
};

struct jwrite jwrite_begin(struct buf *);
void	 jwrite_object(struct jwrite *, const char *key);
void	 jwrite_array(struct jwrite *, const char *key);
/* Closes the innermost object or array. */
void	 jwrite_end(struct jwrite *);

void	 jwrite_str(struct jwrite *, const char *key, struct str);
void	 jwrite_cstr(struct jwrite *, const char *key, const char *);
void	 jwrite_uint(struct jwrite *, const char *key, uint64_t);
void	 jwrite_int(struct jwrite *, const char *key, int64_t);
/* Three decimals; a value that JSON can't hold is written as null. */
void	 jwrite_real(struct jwrite *, const char *key, double);
void	 jwrite_null(struct jwrite *, const char *key);

#endif
