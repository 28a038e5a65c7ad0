/*
 * claim.h: the proof of an object: the catalog's digests, or the object's ETag.
 * Pure.
 */
#ifndef VERIFY_CLAIM_H
#define VERIFY_CLAIM_H

#include "crypto/crypto.h"
#include "model/fetch_item.h"

/* The digest expected of the bytes. */
struct fetch_claim {
	enum fetch_proof proof;	/* PROOF_NONE: no digest is known */
	bool	 open;		/* the caller judges: no digest is expected */
	bool	 ask;		/* only the server knows the part size */
	bool	 guessed;	/* part_size is a guess */
	uint64_t part_size;	/* 0: the digest is of the whole */
	uint32_t part_count;
	bool	 has_md5;
	uint8_t	 md5[MD5_LEN];	/* of the whole; without has_md5 the ETag
				   counts */
	const uint8_t *part_md5s; /* of the stored item; NULL: compare the
				     ETag */
};

/* Find the proof of the item's object; sse is the server-side encryption. */
void	 claim_make(struct fetch_claim *, const struct fetch_item *,
	    const char *sse);
/* Where the caller judges: choose how to hash the object so that the caller can
 * compare the result. */
void	 claim_open(struct fetch_claim *, const struct fetch_item *,
	    const char *sse);
/* Take the server's answer: the size of the first part (0: unknown), and the
 * number of parts. False: nothing can prove the object. */
bool	 claim_answer(struct fetch_claim *, const struct fetch_item *,
	    uint64_t first_part, unsigned parts_count);
/* Take the next guess of the part size after a wrong guess; false: none
 * left. */
bool	 claim_guess(struct fetch_claim *, const struct fetch_item *);
/* True if the ETag that is the proof names one part: some servers write -1
 * behind ETags that are no digests, as of objects that they compress. */
bool	 claim_is_odd(const struct fetch_claim *);
/* Does the digest of the bytes, in whole or part_md5s, hold? Fills the item's
 * etag_computed. */
bool	 claim_holds(const struct fetch_claim *, struct fetch_item *,
	    const struct md5 *whole, const uint8_t *part_md5s);
/* Decode the digest in an ETag; false if the ETag has none. */
bool	 claim_digest(const char *etag, uint8_t digest[MD5_LEN]);

#endif
