/*
 * claim.h: what proves an object: what the catalog knows of it, or its ETag.
 * Pure.
 */
#ifndef VERIFY_CLAIM_H
#define VERIFY_CLAIM_H

#include "crypto/crypto.h"
#include "model/fetch_item.h"

/* What must come out of the bytes. */
struct fetch_claim {
	enum fetch_proof proof;	/* PROOF_NONE: nothing is known */
	bool	 open;		/* the caller judges: nothing must */
	bool	 ask;		/* only the server knows the part size */
	bool	 guessed;	/* part_size is a guess */
	uint64_t part_size;	/* 0: the digest is of the whole */
	uint32_t part_count;
	bool	 has_md5;
	uint8_t	 md5[MD5_LEN];	/* of the whole; else the ETag counts */
	const uint8_t *part_md5s; /* of the stored item; or NULL: the ETag */
};

/* What proves this object? */
void	 claim_make(struct fetch_claim *, const struct fetch_item *,
	    const char *sse);
/* The same where the caller judges: how to hash it, so that it can. */
void	 claim_open(struct fetch_claim *, const struct fetch_item *,
	    const char *sse);
/* The server said how large the first part is (0: it doesn't say), and how
 * many there are. False: nothing can prove the object. */
bool	 claim_answer(struct fetch_claim *, const struct fetch_item *,
	    uint64_t first_part, unsigned parts_count);
/* Another guess of the part size, after one was wrong; false: none left. */
bool	 claim_guess(struct fetch_claim *, const struct fetch_item *);
/* whole or parts: what the bytes gave. Fills the item's etag_computed. */
bool	 claim_holds(const struct fetch_claim *, struct fetch_item *,
	    const struct md5 *whole, const uint8_t *part_md5s);
/* The digest in an ETag; false if there is none. */
bool	 claim_digest(const char *etag, uint8_t digest[MD5_LEN]);

#endif
