/*
 * crc64_internal.h: between the files of crypto/ and their tests only. Callers
 * use crypto.h.
 */
#ifndef CRYPTO_CRC64_INTERNAL_H
#define CRYPTO_CRC64_INTERNAL_H

#include "crypto/crypto.h"

#define CRC64_STEP	128	/* bytes */

/* Factors that move 16 bytes on by a step, and by 16 bytes. */
struct crc64_folds {
	uint64_t step[2];
	uint64_t vector[2];
};

/* Fold 'len' bytes, whole steps and at least one, of which the first eight take
 * the register in, to 16 bytes with the same remainder. */
typedef void crc64_fold(const struct crc64_folds *, uint64_t crc,
	    const uint8_t *, size_t len, uint8_t ret[16]);

#ifdef __x86_64__
crc64_fold crc64_pclmulqdq;	/* vectors of 128 bits */
crc64_fold crc64_vpclmulqdq;	/* of 256 */
#endif

struct crc64_engine {
	const char *name;
	crc64_fold *fold;	/* NULL: tables alone */
};

/* Return the i-th engine for this processor, the best engine first; NULL after
 * the last, which is the scalar engine. */
const struct crc64_engine *crc64_engine(size_t i);
uint64_t crc64_using(const struct crc64_engine *, uint64_t crc, const void *,
	    size_t);

#endif
