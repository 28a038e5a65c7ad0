/*
 * crypto.h: hashes. S3's ETag is an MD5, and MD5 is the per-core limit of the
 * whole program, so a call hashes several independent streams, in SIMD lanes if
 * the processor has AVX2 (or AVX-512), interleaved otherwise. SHA-256 and HMAC
 * come from OpenSSL. Pure; any thread.
 */
#ifndef CRYPTO_CRYPTO_H
#define CRYPTO_CRYPTO_H

#include "base/base.h"

#define MD5_LEN		16
#define SHA1_LEN	20
#define SHA256_LEN	32

/* A running MD5 (RFC 1321). Plain data: callers may copy the struct to fork a
 * stream. */
struct md5 {
	uint32_t state[4];
	uint64_t len;		/* bytes so far */
	uint8_t	 tail[64];	/* the last len % 64 bytes */
};

struct md5_job {
	struct md5 *md5;	/* each stream at most once in a single call */
	const void *data;
	size_t	 len;		/* any; jobs of equal length use lanes best */
};

void	 md5_init(struct md5 *);
/* Add to every stream, as many at once as the processor can. */
void	 md5_update_many(struct md5_job *, size_t count);
void	 md5_update(struct md5 *, const void *, size_t);
void	 md5_final(const struct md5 *, uint8_t out[MD5_LEN]);
/* Return the number of streams hashed by a call at the price of a single stream
 * (16 with AVX2). */
size_t	 md5_lanes(void);

/* CRC-64/NVME (NVM Express, NVM Command Set Specification 1.0, 5.2.1.3.4; S3's
 * CRC64NVME) of the bytes behind those whose CRC is 'crc'; 0 before the first.
 * S3 writes it as base64 of the 8 bytes, the highest first. */
uint64_t crc64nvme(uint64_t crc, const void *, size_t);
/* The CRC of two texts, one behind the other, by the CRC of each. */
uint64_t crc64nvme_append(uint64_t crc, uint64_t next, uint64_t next_len);

void	 sha256(const void *, size_t, uint8_t out[SHA256_LEN]);
/* For names of files of other programs; proves nothing. */
void	 sha1(const void *, size_t, uint8_t out[SHA1_LEN]);
void	 hmac_sha256(const void *key, size_t keylen, const void *, size_t,
	    uint8_t out[SHA256_LEN]);

/* Lower-case hex; out has room for 2 * len + 1. */
void	 hex_encode(const void *, size_t len, char *out);
/* False unless text is exactly 2 * len hex digits, then NUL. */
bool	 hex_decode(const char *text, void *out, size_t len) MUST_USE;
/* Return the value of a hex digit, in either case; -1 for any non-digit. */
int	 hex_value(char);
/* Standard base64 with padding; out has room for (len + 2) / 3 * 4 + 1. */
void	 base64_encode(const void *, size_t len, char *out);

/* Fill with bytes from the system's generator; abort if the generator fails. */
void	 random_bytes(void *, size_t);

/* The ETag that S3 gives: hex of md5, or of the MD5 of the parts' MD5s with
 * "-count"; out has room for 72 bytes. */
void	 etag_single(const uint8_t md5[MD5_LEN], char out[72]);
void	 etag_multipart(const uint8_t *md5s, unsigned count, char out[72]);

#endif
