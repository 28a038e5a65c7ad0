#include <assert.h>
#include <inttypes.h>
#include <math.h>

#include "json/jwrite.h"

static void
add_string(struct buf *b, struct str s)
{
	buf_addch(b, '"');
	while (s.len > 0) {
		unsigned char c = (unsigned char)s.p[0];
		size_t n = utf8_len(s.p, s.len);

		if (n == 0) {
			buf_addstr(b, "\xef\xbf\xbd");
			n = 1;
		} else if (c == '"' || c == '\\') {
			buf_addf(b, "\\%c", c);
		} else if (c == '\n') {
			buf_addstr(b, "\\n");
		} else if (c == '\t') {
			buf_addstr(b, "\\t");
		} else if (c < 0x20 || c == 0x7f) {
			buf_addf(b, "\\u%04x", c);
		} else {
			buf_add(b, s.p, n);
		}
		s.p += n;
		s.len -= n;
	}
	buf_addch(b, '"');
}

/* The comma and the key that stand before an element. */
static void
before(struct jwrite *w, const char *key)
{
	bool in_object = w->depth > 0 && w->close[w->depth - 1] == '}';

	assert((key != NULL) == in_object);
	if (w->comma)
		buf_addch(w->buf, ',');
	if (key != NULL && in_object) {
		add_string(w->buf, str_of(key));
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
	add_string(w->buf, s);
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
jwrite_bool(struct jwrite *w, const char *key, bool b)
{
	before(w, key);
	buf_addstr(w->buf, b ? "true" : "false");
}

void
jwrite_null(struct jwrite *w, const char *key)
{
	before(w, key);
	buf_addstr(w->buf, "null");
}
