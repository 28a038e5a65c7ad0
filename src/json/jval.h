/*
 * jval.h: read JSON (RFC 8259). jval_parse reads the whole text; a value lends
 * its members and strings, valid as long as the root.
 *
 * Refused beside bad syntax: a duplicate key in an object, NUL in a string,
 * invalid UTF-8, anything after the value. Syntax errors are ERR_CONFIG
 * "NAME:LINE:COLUMN: what".
 *
 * Life cycle: jval_parse, use, jval_free. One thread at a time.
 */
#ifndef JSON_JVAL_H
#define JSON_JVAL_H

#include "base/buf.h"

struct jval;		/* a value, of any type */

enum jval_type {
	JVAL_NULL = 0,
	JVAL_BOOL,
	JVAL_INT,
	JVAL_REAL,
	JVAL_STRING,
	JVAL_ARRAY,
	JVAL_OBJECT,
	JVAL__MAX
};

int	 jval_parse(struct str text, const char *name, struct jval **ret,
	    struct err *) MUST_USE;
void	 jval_free(struct jval **);

enum jval_type jval_type(const struct jval *);
/* "an object", "a number", ...: for messages. */
const char *jval_type_name(const struct jval *);

/* Append the value as text: a string itself, a number in decimal, true and
 * false as "yes" and "no". False for the other types. */
bool	 jval_text(const struct jval *, struct buf *);
const char *jval_string(const struct jval *);	/* NULL: not a string */
int64_t	 jval_int(const struct jval *);		/* 0: not an integer */

/* Members of an array; NULL beyond the end, count 0 for any type but arrays. */
size_t	 jval_count(const struct jval *);
const struct jval *jval_at(const struct jval *, size_t);

/* Members of an object, in the order of the text:
 *	for (it = jval_first(o); it != NULL; it = jval_next(o, it))
 */
const struct jval *jval_get(const struct jval *, const char *key);
void	*jval_first(const struct jval *);
void	*jval_next(const struct jval *, void *);
const char *jval_key(void *);
const struct jval *jval_value(void *);

#endif
