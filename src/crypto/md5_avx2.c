/*
 * md5_avx2.c: eight streams in the lanes of 256-bit vectors.
 */
#include "crypto/md5_kernel.h"
#include "crypto/md5_steps.h"

#ifdef __x86_64__
#include <immintrin.h>

#define TARGET __attribute__((target("avx2")))
#define ADD(a, b) _mm256_add_epi32(a, b)
#define AND(a, b) _mm256_and_si256(a, b)
#define OR(a, b) _mm256_or_si256(a, b)
#define XOR(a, b) _mm256_xor_si256(a, b)
#define ROL(x, s) \
	OR(_mm256_slli_epi32(x, s), _mm256_srli_epi32(x, 32 - (s)))

#define MD5_F(b, c, d) XOR(AND(XOR(c, d), b), d)
#define MD5_G(b, c, d) ADD(_mm256_andnot_si256(d, c), AND(d, b))
#define MD5_H(b, c, d) XOR(XOR(c, d), b)
#define MD5_I(b, c, d) XOR(OR(XOR(d, ones), b), c)

#define STEP(f, a, b, c, d, k, s, t) \
	a = ADD(a, ADD(w[k], _mm256_set1_epi32((int)(t)))); \
	a = ADD(a, f(b, c, d)); \
	a = ADD(ROL(a, s), b);

TARGET static inline __m256i
load(const uint32_t *p)
{
	return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

TARGET static inline void
store(uint32_t *p, __m256i x)
{
	_mm256_storeu_si256((__m256i *)(void *)p, x);
}

/* 16 bytes at p, and 16 bytes at q above them. */
TARGET static inline __m256i
load_pair(const uint8_t *p, const uint8_t *q)
{
	__m128i lo = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i hi = _mm_loadu_si128((const __m128i *)(const void *)q);

	return _mm256_inserti128_si256(_mm256_castsi128_si256(lo), hi, 1);
}

/* w[k] becomes word k of the blocks at offset off of all lanes. Four words
 * of lanes i and i + 4 stand in one vector, so that unpacking inside the
 * halves is all that is left to do. */
TARGET static inline void
transpose(__m256i w[16], const uint8_t *const data[], size_t off)
{
	for (size_t q = 0; q < 4; q++) {
		__m256i r[4], lo01, hi01, lo23, hi23;

		for (size_t i = 0; i < 4; i++)
			r[i] = load_pair(data[i] + off + 16 * q,
			    data[i + 4] + off + 16 * q);
		lo01 = _mm256_unpacklo_epi32(r[0], r[1]);
		hi01 = _mm256_unpackhi_epi32(r[0], r[1]);
		lo23 = _mm256_unpacklo_epi32(r[2], r[3]);
		hi23 = _mm256_unpackhi_epi32(r[2], r[3]);
		w[4 * q] = _mm256_unpacklo_epi64(lo01, lo23);
		w[4 * q + 1] = _mm256_unpackhi_epi64(lo01, lo23);
		w[4 * q + 2] = _mm256_unpacklo_epi64(hi01, hi23);
		w[4 * q + 3] = _mm256_unpackhi_epi64(hi01, hi23);
	}
}

TARGET void
md5_avx2(struct md5_lanes *l, size_t blocks)
{
	const __m256i ones = _mm256_set1_epi32(-1);
	__m256i a = load(l->state[0]), b = load(l->state[1]);
	__m256i c = load(l->state[2]), d = load(l->state[3]);

	for (size_t n = 0; n < blocks; n++) {
		__m256i a0 = a, b0 = b, c0 = c, d0 = d;
		__m256i w[16];

		transpose(w, l->data, n * 64);
		MD5_STEPS(STEP)
		a = ADD(a, a0);
		b = ADD(b, b0);
		c = ADD(c, c0);
		d = ADD(d, d0);
	}
	store(l->state[0], a);
	store(l->state[1], b);
	store(l->state[2], c);
	store(l->state[3], d);
}
#endif
