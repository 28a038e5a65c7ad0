#include <stdarg.h>

#include "base/buf.h"

struct str
str_of(const char *s)
{
	return (struct str){ s, strlen(s) };
}

bool
str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool
str_starts(struct str s, struct str prefix)
{
	return s.len >= prefix.len &&
	    (prefix.len == 0 || memcmp(s.p, prefix.p, prefix.len) == 0);
}

bool
str_ends(struct str s, struct str suffix)
{
	return s.len >= suffix.len && (suffix.len == 0 ||
	    memcmp(s.p + s.len - suffix.len, suffix.p, suffix.len) == 0);
}

void
buf_init(struct buf *b, size_t max)
{
	memset(b, 0, sizeof(*b));
	b->max = max;
}

void
buf_release(struct buf *b)
{
	free(b->data);
	buf_init(b, b->max & ~((size_t)1 << 63));
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	b->max &= ~((size_t)1 << 63);
	if (b->data != NULL)
		b->data[0] = '\0';
}

struct str
buf_str(const struct buf *b)
{
	return (struct str){ b->data == NULL ? "" : b->data, b->len };
}

/* The overflow flag is the top bit of max: every ceiling is lower. */
bool
buf_overflowed(const struct buf *b)
{
	return (b->max >> 63) != 0;
}

static int
reserve(struct buf *b, size_t more)
{
	size_t cap;

	if (buf_overflowed(b) || more > b->max - b->len) {
		b->max |= (size_t)1 << 63;
		return -1;
	}
	if (b->len + more + 1 > b->cap) {
		cap = MAX(b->cap * 2, b->len + more + 1);
		cap = MAX(cap, (size_t)64);
		b->data = xreallocarray(b->data, cap, 1);
		b->cap = cap;
	}
	return 0;
}

int
buf_add(struct buf *b, const void *p, size_t len)
{
	if (reserve(b, len) == -1)
		return -1;
	if (len > 0)
		memcpy(b->data + b->len, p, len);
	b->len += len;
	b->data[b->len] = '\0';
	return 0;
}

int
buf_addstr(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int
buf_addch(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

int
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || reserve(b, (size_t)n) == -1)
		return -1;
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
	return 0;
}

size_t
utf8_len(const char *s, size_t left)
{
	const unsigned char *p = (const unsigned char *)s;
	unsigned char lo = 0x80, hi = 0xbf;
	size_t n;

	if (left == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf) {
		n = 2;
	} else if (p[0] >= 0xe0 && p[0] <= 0xef) {
		n = 3;
		if (p[0] == 0xe0)
			lo = 0xa0;	/* no overlong form */
		else if (p[0] == 0xed)
			hi = 0x9f;	/* no surrogates */
	} else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		n = 4;
		if (p[0] == 0xf0)
			lo = 0x90;
		else if (p[0] == 0xf4)
			hi = 0x8f;	/* up to U+10FFFF */
	} else {
		return 0;
	}
	if (left < n || p[1] < lo || p[1] > hi)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* Escape the character at s into out (at most 4 bytes and NUL); returns how
 * many bytes of s it took. */
static size_t
escape_one(struct str s, char out[8])
{
	unsigned char c = (unsigned char)s.p[0];
	size_t n = utf8_len(s.p, s.len);

	/* C1 control characters, U+0080 to U+009F, are two bytes: c2 80.. */
	if (n == 2 && c == 0xc2 && (unsigned char)s.p[1] < 0xa0)
		n = 0;
	if (c == '\\') {
		snprintf(out, 8, "\\\\");
	} else if (n == 0 || c < 0x20 || c == 0x7f) {
		snprintf(out, 8, "\\x%02x", c);
		return 1;
	} else {
		memcpy(out, s.p, n);
		out[n] = '\0';
	}
	return n;
}

int
buf_add_escaped(struct buf *b, struct str s)
{
	char one[8];

	while (s.len > 0) {
		size_t n = escape_one(s, one);

		if (buf_addstr(b, one) == -1)
			return -1;
		s.p += n;
		s.len -= n;
	}
	return 0;
}

const char *
str_escape(struct str s, char *out, size_t outlen)
{
	size_t used = 0;

	while (s.len > 0) {
		char one[8];
		size_t n = escape_one(s, one);
		size_t len = strlen(one);

		if (used + len + 4 > outlen) {
			snprintf(out + used, outlen - used, "...");
			return out;
		}
		memcpy(out + used, one, len);
		used += len;
		s.p += n;
		s.len -= n;
	}
	if (outlen > 0)
		out[used] = '\0';
	return out;
}
