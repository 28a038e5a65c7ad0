/*
 * sha256.c: SHA-256 and HMAC (RFC 2104) by OpenSSL's fastest code for this
 * processor. Look up the algorithm once: a lookup costs more than hashing a
 * small message.
 */
#include <openssl/evp.h>
#include <pthread.h>

#include "crypto/crypto.h"

#define BLOCK 64

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_MD *algorithm;

static void
fetch(void)
{
	algorithm = EVP_MD_fetch(NULL, "SHA2-256", NULL);
}

/* OpenSSL without SHA-256, or without memory for a context: nothing can be
 * signed or proven any more. */
static void
check(bool ok)
{
	if (!ok) {
		fputs("datamover: OpenSSL can't do SHA-256\n", stderr);
		abort();
	}
}

static EVP_MD_CTX *
context_new(void)
{
	EVP_MD_CTX *c;

	pthread_once(&once, fetch);
	check(algorithm != NULL);
	c = EVP_MD_CTX_new();
	check(c != NULL);
	return c;
}

/* The digest of a, then b. */
static void
digest(EVP_MD_CTX *c, const void *a, size_t alen, const void *b, size_t blen,
    uint8_t out[SHA256_LEN])
{
	check(EVP_DigestInit_ex(c, algorithm, NULL) == 1 &&
	    EVP_DigestUpdate(c, a, alen) == 1 &&
	    EVP_DigestUpdate(c, b, blen) == 1 &&
	    EVP_DigestFinal_ex(c, out, NULL) == 1);
}

void
sha256(const void *p, size_t len, uint8_t out[SHA256_LEN])
{
	EVP_MD_CTX *c = context_new();

	digest(c, p, len, NULL, 0, out);
	EVP_MD_CTX_free(c);
}

void
sha1(const void *p, size_t len, uint8_t out[SHA1_LEN])
{
	check(EVP_Digest(p, len, out, NULL, EVP_sha1(), NULL) == 1);
}

void
hmac_sha256(const void *key, size_t keylen, const void *p, size_t len,
    uint8_t out[SHA256_LEN])
{
	uint8_t inner[BLOCK] = { 0 }, outer[BLOCK];
	EVP_MD_CTX *c = context_new();

	if (keylen > BLOCK)
		digest(c, key, keylen, NULL, 0, inner);
	else if (keylen > 0)
		memcpy(inner, key, keylen);
	for (size_t i = 0; i < BLOCK; i++) {
		outer[i] = inner[i] ^ 0x5c;
		inner[i] ^= 0x36;
	}
	digest(c, inner, BLOCK, p, len, out);
	digest(c, outer, BLOCK, out, SHA256_LEN, out);
	EVP_MD_CTX_free(c);
	explicit_bzero(inner, sizeof(inner));
	explicit_bzero(outer, sizeof(outer));
}
