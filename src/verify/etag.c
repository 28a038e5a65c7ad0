#include <strings.h>

#include "crypto/crypto.h"
#include "verify/etag.h"

bool
etag_is_digest(const char *sse)
{
	return sse == NULL || strncmp(sse, "aws:kms", 7) != 0;
}

/* 32 digits, and behind them the same as behind those of the expected ETag. */
static bool
looks_like(const char *got, const char *expected)
{
	size_t n = 2 * (size_t)MD5_LEN;

	return strspn(got, "0123456789abcdefABCDEF") == n &&
	    strlen(expected) >= n && strcmp(got + n, expected + n) == 0;
}

enum etag_word
etag_judge(const struct etag_case *c)
{
	if (strcasecmp(c->expected, c->got) == 0)
		return ETAG_PROVES;
	if (c->opaque || !looks_like(c->got, c->expected))
		return ETAG_SILENT;
	if (c->known & KNOWN_DIGEST(c->of))
		return ETAG_DIFFERS;
	return c->known & KNOWN_OPAQUE(c->of) ? ETAG_SILENT : ETAG_DOUBT;
}

unsigned
etag_teaches(const struct etag_case *c, enum etag_word word)
{
	return word == ETAG_PROVES ? KNOWN_DIGEST(c->of) :
	    word == ETAG_SILENT && !c->opaque ? KNOWN_OPAQUE(c->of) : 0;
}
