/*
 * etag.h: does S3's ETag prove that S3 holds the bytes read from the source?
 * Pure.
 *
 * On many stores the ETag is the MD5 of the object, or of the parts' MD5s with
 * "-count" (Amazon S3 API Reference, "Object", ETag). Under SSE-KMS, and on
 * other stores, the ETag is an opaque text, which may look like a digest. Then
 * the proof is the Content-MD5 of each request, if the store compares that.
 */
#ifndef VERIFY_ETAG_H
#define VERIFY_ETAG_H

#include "model/proved.h"

enum etag_word {
	ETAG_PROVES = 0,
	ETAG_DIFFERS,		/* a digest, of other bytes */
	ETAG_SILENT,		/* no digest */
	ETAG_DOUBT		/* either: such ETags were not seen before */
};

struct etag_case {
	enum etag_of of;
	const char *expected;	/* by the bytes that were read */
	const char *got;
	bool	 opaque;	/* the answer tells of such an encryption */
	unsigned known;		/* of the store; see model/proved.h */
};

enum etag_word etag_judge(const struct etag_case *);
/* What the word adds to what is known of the store. */
unsigned etag_teaches(const struct etag_case *, enum etag_word);
/* True if objects under this setting of server-side encryption ("", NULL,
 * "AES256", "aws:kms...") may have digests as ETags. */
bool	 etag_is_digest(const char *sse);

#endif
