#include <assert.h>
#include <inttypes.h>
#include <math.h>

#include "base/jsontext.h"
#include "json/jwrite.h"

/* Write the comma and the key in front of an element. */
static void
before(struct jwrite *w, const char *key)
{
	bool in_object = w->depth > 0 && w->close[w->depth - 1] == '}';

	assert((key != NULL) == in_object);
	if (w->comma)
		buf_addch(w->buf, ',');
	if (key != NULL && in_object) {
		buf_add_json(w->buf, str_of(key));
		buf_addch(w->buf, ':');
	}
	w->comma = true;
}

static void
nest(struct jwrite *w, const char *key, char begin, char end)
{
	before(w, key);
	assert(w->depth < JWRITE_DEPTH);
	buf_addch(w->buf, begin);
	w->close[w->depth++] = end;
	w->comma = false;
}

struct jwrite
jwrite_begin(struct buf *buf)
{
	return (struct jwrite){ .buf = buf };
}

void
jwrite_object(struct jwrite *w, const char *key)
{
	nest(w, key, '{', '}');
}

void
jwrite_array(struct jwrite *w, const char *key)
{
	nest(w, key, '[', ']');
}

void
jwrite_end(struct jwrite *w)
{
	assert(w->depth > 0);
	buf_addch(w->buf, w->close[--w->depth]);
	w->comma = true;
}

void
jwrite_str(struct jwrite *w, const char *key, struct str s)
{
	before(w, key);
	buf_add_json(w->buf, s);
}

void
jwrite_cstr(struct jwrite *w, const char *key, const char *s)
{
	jwrite_str(w, key, str_of(s));
}

void
jwrite_uint(struct jwrite *w, const char *key, uint64_t n)
{
	before(w, key);
	buf_addf(w->buf, "%" PRIu64, n);
}

void
jwrite_int(struct jwrite *w, const char *key, int64_t n)
{
	before(w, key);
	buf_addf(w->buf, "%" PRId64, n);
}

void
jwrite_real(struct jwrite *w, const char *key, double x)
{
	if (!isfinite(x)) {
		jwrite_null(w, key);
		return;
	}
	before(w, key);
	buf_addf(w->buf, "%.3f", x);
}

void
jwrite_null(struct jwrite *w, const char *key)
{
	before(w, key);
	buf_addstr(w->buf, "null");
}
