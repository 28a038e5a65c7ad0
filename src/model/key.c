#include "model/key.h"

static const char REPLACEMENT[] = "\xef\xbf\xbd";	/* U+FFFD */

static bool
is_replacement(struct str s)
{
	return str_starts(s, STR(REPLACEMENT));
}

static int
add_escaped_byte(struct buf *b, unsigned char c)
{
	return buf_addf(b, "%s%02X", REPLACEMENT, c);
}

int
key_from_path(struct buf *b, struct str s)
{
	while (s.len > 0) {
		size_t n = utf8_len(s.p, s.len);
		int rc = 0;

		if (n == 0) {
			n = 1;
			rc = add_escaped_byte(b, (unsigned char)s.p[0]);
		} else if (is_replacement(s)) {
			for (size_t i = 0; i < n && rc == 0; i++)
				rc = add_escaped_byte(b,
				    (unsigned char)s.p[i]);
		} else {
			rc = buf_add(b, s.p, n);
		}
		if (rc == -1)
			return -1;
		s.p += n;
		s.len -= n;
	}
	return 0;
}

int
key_from_either(struct buf *b, struct str s)
{
	struct str rest = s;

	while (rest.len > 0) {
		size_t n = utf8_len(rest.p, rest.len);

		if (n == 0)
			return key_from_path(b, s);
		rest.p += n;
		rest.len -= n;
	}
	return buf_add(b, s.p, s.len);
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
key_to_path(struct buf *b, struct str s)
{
	while (s.len > 0) {
		size_t n = 1;
		char c = s.p[0];

		/* A U+FFFD without an escape behind the character was not
		 * written by key_from_path: keep the character as is. Keep an
		 * escape of a byte below 0x80 too: the byte might be a slash, a
		 * dot or NUL. */
		if (s.len >= 5 && is_replacement(s) &&
		    hex_digit(s.p[3]) >= 8 && hex_digit(s.p[4]) != -1) {
			c = (char)(hex_digit(s.p[3]) * 16 + hex_digit(s.p[4]));
			n = 5;
		}
		if (buf_addch(b, c) == -1)
			return -1;
		s.p += n;
		s.len -= n;
	}
	return 0;
}

bool
key_is_of_path(struct str key, struct str path)
{
	CLEANUP(buf_release) struct buf b;

	buf_init(&b, key.len);
	return key_from_path(&b, path) == 0 && str_eq(buf_str(&b), key);
}

const char *
key_without_server(const char *path)
{
	const char *slash = strchr(path, '/');

	return slash == NULL ? path + strlen(path) : slash + 1;
}

const char *
key_of_path(const char *path, bool server_as_prefix)
{
	return server_as_prefix ? path : key_without_server(path);
}

char *
key_name_below(const char *root, struct str key)
{
	size_t skip = strlen(root) > 0 ? strlen(root) + 1 : 0;
	CLEANUP(buf_release) struct buf b;

	buf_init(&b, 64 * KIB);
	if (key.len <= skip || memchr(key.p, '\0', key.len) != NULL ||
	    key_to_path(&b, (struct str){ key.p + skip, key.len - skip })
	    == -1)
		return NULL;
	return xstrdup(b.data);
}
