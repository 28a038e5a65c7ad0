/*
 * width.c: columns of a terminal. What is printed is UTF-8 whatever the
 * user's locale is, so the C library is asked in a locale of our own.
 */
#include <limits.h>
#include <locale.h>
#include <pthread.h>
#include <wchar.h>

#include "base/buf.h"
#include "report/text.h"

static locale_t utf8;

static void
find_locale(void)
{
	utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

/* Decode the character at s, which is n bytes long. */
static wchar_t
decode(const char *s, size_t n)
{
	static const unsigned char first[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	unsigned long c = (unsigned char)s[0] & first[n];

	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)s[i] & 0x3f);
	return (wchar_t)c;
}

static size_t
wide(wchar_t c)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	locale_t before;
	int width;

	(void)pthread_once(&once, find_locale);
	if (utf8 == (locale_t)0)
		return 1;
	before = uselocale(utf8);
	width = wcwidth(c);
	(void)uselocale(before);
	return width < 0 ? 1 : (size_t)width;
}

/* Return the columns of the character at s; store its length in *ret_len. */
static size_t
one(const char *s, size_t left, size_t *ret_len)
{
	size_t n = utf8_len(s, left);

	*ret_len = MAX(n, (size_t)1);
	return n <= 1 ? 1 : wide(decode(s, n));
}

/* As far as limit columns; *ret_len: the bytes. */
static size_t
measure(const char *s, size_t limit, size_t *ret_len)
{
	size_t left = strlen(s), at = 0, columns = 0;

	while (at < left) {
		size_t len, more = one(s + at, left - at, &len);

		if (more > limit - columns)
			break;
		columns += more;
		at += len;
	}
	*ret_len = at;
	return columns;
}

size_t
text_width(const char *s)
{
	size_t len;

	return measure(s, SIZE_MAX, &len);
}

int
text_pad(const char *s, size_t columns)
{
	size_t width = text_width(s);

	return width < columns ? (int)MIN(columns - width, (size_t)INT_MAX) :
	    0;
}

int
text_fit(const char *s, size_t columns)
{
	size_t len;

	(void)measure(s, columns, &len);
	return (int)MIN(len, (size_t)INT_MAX);
}
