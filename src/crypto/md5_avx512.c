/*
 * md5_avx512.c: sixteen streams in the lanes of 512-bit vectors. Rotation
 * and any function of three words are one instruction each.
 */
#include "crypto/md5_internal.h"
#include "crypto/md5_steps.h"

#ifdef __x86_64__
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f")))
#define ADD(a, b) _mm512_add_epi32(a, b)

/* The truth table of f(b, c, d), where b is 11110000, c 11001100 and d
 * 10101010. */
#define TERNARY(b, c, d, table) _mm512_ternarylogic_epi32(b, c, d, table)
#define MD5_F(a, b, c, d) ADD(a, TERNARY(b, c, d, 0xca))
#define MD5_G(a, b, c, d) ADD(a, TERNARY(b, c, d, 0xe4))
#define MD5_H(a, b, c, d) ADD(a, TERNARY(b, c, d, 0x96))
#define MD5_I(a, b, c, d) ADD(a, TERNARY(b, c, d, 0x39))

#define STEP(f, a, b, c, d, k, s, t) \
	a = ADD(a, ADD(w[k], _mm512_set1_epi32((int)(t)))); \
	MD5_PIN_VECTOR(a); \
	a = f(a, b, c, d); \
	a = ADD(_mm512_rol_epi32(a, s), b);

/* Four words of four lanes: in each quarter of out[j] word j of in[0..3]. */
TARGET static inline void
transpose_4x4(__m512i out[4], const __m512i in[4])
{
	__m512i lo01 = _mm512_unpacklo_epi32(in[0], in[1]);
	__m512i hi01 = _mm512_unpackhi_epi32(in[0], in[1]);
	__m512i lo23 = _mm512_unpacklo_epi32(in[2], in[3]);
	__m512i hi23 = _mm512_unpackhi_epi32(in[2], in[3]);

	out[0] = _mm512_unpacklo_epi64(lo01, lo23);
	out[1] = _mm512_unpackhi_epi64(lo01, lo23);
	out[2] = _mm512_unpacklo_epi64(hi01, hi23);
	out[3] = _mm512_unpackhi_epi64(hi01, hi23);
}

/* Set w[k] to word k of the blocks at offset off of every lane. */
TARGET static inline void
transpose(__m512i w[16], const uint8_t *const data[], size_t off)
{
	__m512i t[4][4];

#pragma GCC unroll 4
	for (size_t g = 0; g < 4; g++) {
		__m512i r[4];

#pragma GCC unroll 4
		for (size_t i = 0; i < 4; i++)
			r[i] = _mm512_loadu_si512(data[4 * g + i] + off);
		transpose_4x4(t[g], r);
	}
	/* Now the same with quarters for words. */
#pragma GCC unroll 4
	for (size_t j = 0; j < 4; j++) {
		__m512i e01 = _mm512_shuffle_i32x4(t[0][j], t[1][j], 0x88);
		__m512i o01 = _mm512_shuffle_i32x4(t[0][j], t[1][j], 0xdd);
		__m512i e23 = _mm512_shuffle_i32x4(t[2][j], t[3][j], 0x88);
		__m512i o23 = _mm512_shuffle_i32x4(t[2][j], t[3][j], 0xdd);

		w[j] = _mm512_shuffle_i32x4(e01, e23, 0x88);
		w[4 + j] = _mm512_shuffle_i32x4(o01, o23, 0x88);
		w[8 + j] = _mm512_shuffle_i32x4(e01, e23, 0xdd);
		w[12 + j] = _mm512_shuffle_i32x4(o01, o23, 0xdd);
	}
}

TARGET void
md5_avx512(struct md5_lanes *l, size_t blocks)
{
	__m512i a = _mm512_loadu_si512(l->state[0]);
	__m512i b = _mm512_loadu_si512(l->state[1]);
	__m512i c = _mm512_loadu_si512(l->state[2]);
	__m512i d = _mm512_loadu_si512(l->state[3]);

	for (size_t n = 0; n < blocks; n++) {
		__m512i a0 = a, b0 = b, c0 = c, d0 = d;
		__m512i w[16];

		transpose(w, l->data, n * 64);
		MD5_STEPS(STEP)
		a = ADD(a, a0);
		b = ADD(b, b0);
		c = ADD(c, c0);
		d = ADD(d, d0);
	}
	_mm512_storeu_si512(l->state[0], a);
	_mm512_storeu_si512(l->state[1], b);
	_mm512_storeu_si512(l->state[2], c);
	_mm512_storeu_si512(l->state[3], d);
}
#endif
