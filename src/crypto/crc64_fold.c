/*
 * crc64_fold.c: eight times 16 bytes, folded side by side. Each vector of 16
 * bytes is multiplied by what lies a step further on, low half and high half
 * apart, and added to the bytes there.
 */
#include "crypto/crc64_internal.h"

#ifdef __x86_64__
#include <immintrin.h>

#define NARROW __attribute__((target("pclmul,sse4.1")))
#define WIDE __attribute__((target("pclmul,avx2,vpclmulqdq")))

#define VECTORS (CRC64_STEP / 16)

NARROW static inline __m128i
fold(__m128i v, __m128i factors, __m128i data)
{
	__m128i low = _mm_clmulepi64_si128(v, factors, 0x00);
	__m128i high = _mm_clmulepi64_si128(v, factors, 0x11);

	return _mm_xor_si128(_mm_xor_si128(low, high), data);
}

NARROW static inline __m128i
load(const void *p)
{
	return _mm_loadu_si128(p);
}

/* The vectors of a step become the last of them. */
NARROW static inline void
join(const struct crc64_folds *f, const __m128i v[VECTORS], uint8_t ret[16])
{
	__m128i factors = load(f->vector), all = v[0];

	for (size_t i = 1; i < VECTORS; i++)
		all = fold(all, factors, v[i]);
	_mm_storeu_si128((void *)ret, all);
}

NARROW void
crc64_pclmulqdq(const struct crc64_folds *f, uint64_t crc, const uint8_t *p,
    size_t len, uint8_t ret[16])
{
	__m128i factors = load(f->step), v[VECTORS];

	for (size_t i = 0; i < VECTORS; i++)
		v[i] = load(p + 16 * i);
	v[0] = _mm_xor_si128(v[0], _mm_cvtsi64_si128((long long)crc));
	while (p += CRC64_STEP, len -= CRC64_STEP, len > 0)
		for (size_t i = 0; i < VECTORS; i++)
			v[i] = fold(v[i], factors, load(p + 16 * i));
	join(f, v, ret);
}

WIDE static inline __m256i
fold_wide(__m256i v, __m256i factors, __m256i data)
{
	__m256i low = _mm256_clmulepi64_epi128(v, factors, 0x00);
	__m256i high = _mm256_clmulepi64_epi128(v, factors, 0x11);

	return _mm256_xor_si256(_mm256_xor_si256(low, high), data);
}

WIDE static inline __m256i
load_wide(const void *p)
{
	return _mm256_loadu_si256(p);
}

WIDE void
crc64_vpclmulqdq(const struct crc64_folds *f, uint64_t crc, const uint8_t *p,
    size_t len, uint8_t ret[16])
{
	__m256i factors = _mm256_broadcastsi128_si256(load(f->step));
	__m256i v[VECTORS / 2];
	__m128i narrow[VECTORS];

	for (size_t i = 0; i < VECTORS / 2; i++)
		v[i] = load_wide(p + 32 * i);
	v[0] = _mm256_xor_si256(v[0], _mm256_zextsi128_si256(
	    _mm_cvtsi64_si128((long long)crc)));
	while (p += CRC64_STEP, len -= CRC64_STEP, len > 0)
		for (size_t i = 0; i < VECTORS / 2; i++)
			v[i] = fold_wide(v[i], factors, load_wide(p + 32 * i));
	for (size_t i = 0; i < VECTORS / 2; i++) {
		narrow[2 * i] = _mm256_castsi256_si128(v[i]);
		narrow[2 * i + 1] = _mm256_extracti128_si256(v[i], 1);
	}
	join(f, narrow, ret);
}
#endif
