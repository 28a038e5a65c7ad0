/*
 * md5_internal.h: between the files of crypto/ and their tests only. A kernel
 * adds whole blocks to several streams at once; an engine is the widest
 * kernel of a kind of processor. Callers of MD5 use crypto.h.
 */
#ifndef CRYPTO_MD5_INTERNAL_H
#define CRYPTO_MD5_INTERNAL_H

#include "crypto/crypto.h"

#define MD5_LANES_MAX 16

/* Word i of the state of lane l is state[i][l]: a kernel loads the same word of
 * every lane at once. */
struct md5_lanes {
	uint32_t state[4][MD5_LANES_MAX];
	const uint8_t *data[MD5_LANES_MAX];
};

/* Add this many blocks of 64 bytes to every lane of the kernel. The data
 * pointers stay unchanged. Every pointer must be readable: an unused lane
 * points to the data of another lane. */
typedef void md5_kernel(struct md5_lanes *, size_t blocks);

md5_kernel md5_x1;
md5_kernel md5_x2;
#ifdef __x86_64__
md5_kernel md5_avx2;		/* 8 lanes */
md5_kernel md5_avx2_pair;	/* 16 lanes */
md5_kernel md5_avx512;		/* 16 lanes */
#endif

/* Compilers order a sum at will, and may make the sum wait for the last operand
 * to be ready; such an order costs a tenth of the speed. The value of a pinned
 * variable is computed before the next statement. */
#ifdef __x86_64__
#define MD5_PIN(x) __asm__("" : "+r"(x))
#define MD5_PIN_VECTOR(x) __asm__("" : "+v"(x))
#else
#define MD5_PIN(x) ((void)(x))
#endif

struct md5_engine {
	const char *name;
	size_t	 lanes;
	md5_kernel *wide;
	size_t	 half_lanes;	/* up to this many streams, half is as fast */
	md5_kernel *half;
};

/* Return the i-th engine for this processor, the best engine first; NULL after
 * the last, which is the scalar engine. */
const struct md5_engine *md5_engine(size_t i);
void	 md5_update_using(const struct md5_engine *, const struct md5_job *,
	    size_t count);

#endif
