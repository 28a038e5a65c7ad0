/*
 * md5_avx2.c: eight streams in the lanes of 256-bit vectors.
 */
#include "crypto/md5_internal.h"
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

#define MD5_F(a, b, c, d) ADD(a, XOR(AND(XOR(c, d), b), d))
#define MD5_G(a, b, c, d) ADD(ADD(a, _mm256_andnot_si256(d, c)), AND(d, b))
#define MD5_H(a, b, c, d) ADD(a, XOR(XOR(c, d), b))
#define MD5_I(a, b, c, d) ADD(a, XOR(OR(XOR(d, ones), b), c))

#define ONE(f, a, b, c, d, k, s, t, w) \
	a = ADD(a, ADD(w[k], _mm256_set1_epi32((int)(t)))); \
	MD5_PIN_VECTOR(a); \
	a = f(a, b, c, d); \
	a = ADD(ROL(a, s), b);

#define STEP(f, a, b, c, d, k, s, t) ONE(f, a, b, c, d, k, s, t, w)
#define STEP_PAIR(f, a, b, c, d, k, s, t) \
	ONE(f, a, b, c, d, k, s, t, w) \
	ONE(f, a##2, b##2, c##2, d##2, k, s, t, w2)

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

/* Load 16 bytes at p, and above these 16 bytes at q. */
TARGET static inline __m256i
load_pair(const uint8_t *p, const uint8_t *q)
{
	__m128i lo = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i hi = _mm_loadu_si128((const __m128i *)(const void *)q);

	return _mm256_inserti128_si256(_mm256_castsi128_si256(lo), hi, 1);
}

/* Set w[k] to word k of the blocks at offset off of every lane. Four words of
 * lanes i and i + 4 share a vector, so only the unpacking inside the halves
 * remains. */
TARGET static inline void
transpose(__m256i w[16], const uint8_t *const data[], size_t off)
{
#pragma GCC unroll 4
	for (size_t q = 0; q < 4; q++) {
		__m256i r[4], lo01, hi01, lo23, hi23;

#pragma GCC unroll 4
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

/* Two vectors take turns: the first has work while the second waits. */
TARGET void
md5_avx2_pair(struct md5_lanes *l, size_t blocks)
{
	const __m256i ones = _mm256_set1_epi32(-1);

	for (size_t n = 0; n < blocks; n++) {
		__m256i a = load(l->state[0]), a2 = load(l->state[0] + 8);
		__m256i b = load(l->state[1]), b2 = load(l->state[1] + 8);
		__m256i c = load(l->state[2]), c2 = load(l->state[2] + 8);
		__m256i d = load(l->state[3]), d2 = load(l->state[3] + 8);
		__m256i w[16], w2[16];

		transpose(w, l->data, n * 64);
		transpose(w2, l->data + 8, n * 64);
		MD5_STEPS(STEP_PAIR)
		store(l->state[0], ADD(a, load(l->state[0])));
		store(l->state[1], ADD(b, load(l->state[1])));
		store(l->state[2], ADD(c, load(l->state[2])));
		store(l->state[3], ADD(d, load(l->state[3])));
		store(l->state[0] + 8, ADD(a2, load(l->state[0] + 8)));
		store(l->state[1] + 8, ADD(b2, load(l->state[1] + 8)));
		store(l->state[2] + 8, ADD(c2, load(l->state[2] + 8)));
		store(l->state[3] + 8, ADD(d2, load(l->state[3] + 8)));
	}
}
#endif
