/*
 * proved.h: what proves that a store holds the bytes that were read: a digest
 * that the store computed or compared. And what is known of the digests of a
 * store, which the catalog keeps with the target.
 */
#ifndef MODEL_PROVED_H
#define MODEL_PROVED_H

#include "base/base.h"

/* The catalog keeps the number in result.held, and the view objects has the
 * names (schema/views.sql). */
enum proved {
	PROVED_NOT = 0,		/* of an object left as it was: by what proved
				   it before */
	PROVED_ETAG,		/* the store's ETag is the digest of the bytes
				   (of their parts) */
	PROVED_MD5,		/* the store compares Content-MD5, and took
				   every request with one */
	PROVED__MAX
};
/* In result.held, of an object that was found there: nothing. */
#define HELD_FOUND	9

/* The objects and parts whose ETags are told apart. */
enum etag_of {
	ETAG_WHOLE = 0,		/* an object sent in one request */
	ETAG_PART,		/* of an upload */
	ETAG_JOINED		/* an object made of parts */
};

/* A set: for each of enum etag_of, that its ETags were digests, or were not;
 * and what became of a wrong Content-MD5. */
#define KNOWN_DIGEST(of)	(1u << (of))
#define KNOWN_OPAQUE(of)	(8u << (of))
#define KNOWN_MD5		64u
#define KNOWN_MD5_IGNORED	128u
#define KNOWN_ALL		255u

#endif
