/*
 * etag.h: the proof that S3 holds the bytes read from the source. Pure.
 *
 * S3's ETag is the MD5 of the object, or of the parts' MD5s with "-count"
 * (Amazon S3 API Reference, "Object", ETag), but not under SSE-KMS: under
 * SSE-KMS the proof is the Content-MD5 carried by each request and checked by
 * S3.
 */
#ifndef VERIFY_ETAG_H
#define VERIFY_ETAG_H

#include "base/err.h"

/* True if objects under this server-side encryption ("", NULL, "AES256",
 * "aws:kms...") have digests as ETags. */
bool	 etag_is_digest(const char *sse);
/* 0 if got proves expected, else -1 with ERR_CORRUPT. */
int	 etag_check(const char *expected, const char *got, const char *sse,
	    struct err *) MUST_USE;

#endif
