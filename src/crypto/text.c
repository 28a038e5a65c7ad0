/*
 * text.c: digests and plain bytes as text, and bytes from the system.
 */
#include <errno.h>
#include <sys/random.h>

#include "crypto/crypto.h"

void
hex_encode(const void *data, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
	*out = '\0';
}

int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
hex_decode(const char *text, void *out, size_t len)
{
	uint8_t *p = out;

	for (size_t i = 0; i < len; i++, text += 2) {
		int hi = hex_value(text[0]), lo;

		if (hi == -1)
			return false;
		lo = hex_value(text[1]);
		if (lo == -1)
			return false;
		p[i] = (uint8_t)(hi << 4 | lo);
	}
	return *text == '\0';
}

void
base64_encode(const void *data, size_t len, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = data;

	for (; len > 0; p += 3) {
		size_t n = MIN(len, (size_t)3);
		uint32_t x = (uint32_t)p[0] << 16;

		if (n > 1)
			x |= (uint32_t)p[1] << 8;
		if (n > 2)
			x |= p[2];
		*out++ = digits[x >> 18];
		*out++ = digits[x >> 12 & 63];
		*out++ = n > 1 ? digits[x >> 6 & 63] : '=';
		*out++ = n > 2 ? digits[x & 63] : '=';
		len -= n;
	}
	*out = '\0';
}

void
random_bytes(void *out, size_t len)
{
	uint8_t *p = out;

	while (len > 0) {
		ssize_t n = getrandom(p, len, 0);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			fputs("datamover: no random bytes\n", stderr);
			abort();
		}
		p += n;
		len -= (size_t)n;
	}
}

void
etag_single(const uint8_t md5[MD5_LEN], char out[72])
{
	hex_encode(md5, MD5_LEN, out);
}

void
etag_multipart(const uint8_t *md5s, unsigned count, char out[72])
{
	uint8_t digest[MD5_LEN];
	struct md5 m;

	md5_init(&m);
	md5_update(&m, md5s, (size_t)count * MD5_LEN);
	md5_final(&m, digest);
	hex_encode(digest, MD5_LEN, out);
	snprintf(out + 2 * MD5_LEN, 72 - 2 * MD5_LEN, "-%u", count);
}
