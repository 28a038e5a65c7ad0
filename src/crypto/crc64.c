/*
 * crc64.c: CRC-64/NVME: tables of eight bytes a step, and where the processor
 * multiplies without carries, folds of 128 bytes a step (V. Gopal et al., "Fast
 * CRC Computation for Generic Polynomials Using PCLMULQDQ", Intel, 2009).
 *
 * All polynomials are reflected: the top bit is x^0.
 */
#include <pthread.h>

#include "crypto/crc64_internal.h"

#define POLYNOMIAL	UINT64_C(0x9a6c9329ac4bc9b5)
#define ONE		(UINT64_C(1) << 63)

static struct {
	uint64_t table[8][256];	/* [i]: a byte with i zero bytes behind it */
	struct crc64_folds folds;
} made;

static uint64_t
times_x(uint64_t p)
{
	return p >> 1 ^ ((p & 1) != 0 ? POLYNOMIAL : 0);
}

static uint64_t
x_power(unsigned n)
{
	uint64_t p = ONE;

	while (n-- > 0)
		p = times_x(p);
	return p;
}

static uint64_t
times(uint64_t a, uint64_t b)
{
	uint64_t product = 0;

	for (; a != 0; a <<= 1) {
		if ((a & ONE) != 0)
			product ^= b;
		b = times_x(b);
	}
	return product;
}

/* What is 'bits' further on, as two factors: for the low and the high half. */
static void
make_fold(unsigned bits, uint64_t ret[2])
{
	ret[0] = x_power(bits + 63);
	ret[1] = x_power(bits - 1);
}

static void
make(void)
{
	for (unsigned i = 0; i < 256; i++) {
		uint64_t p = i;

		for (unsigned bit = 0; bit < 8; bit++)
			p = times_x(p);
		made.table[0][i] = p;
	}
	for (unsigned n = 1; n < 8; n++)
		for (unsigned i = 0; i < 256; i++) {
			uint64_t p = made.table[n - 1][i];

			made.table[n][i] = p >> 8 ^ made.table[0][p & 255];
		}
	make_fold(CRC64_STEP * 8, made.folds.step);
	make_fold(128, made.folds.vector);
}

static uint64_t
load_le(const uint8_t *p)
{
	uint64_t x = 0;

	for (unsigned i = 8; i-- > 0;)
		x = x << 8 | p[i];
	return x;
}

static uint64_t
by_tables(uint64_t crc, const uint8_t *p, size_t len)
{
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t x = crc ^ load_le(p);

		crc = 0;
		for (unsigned i = 0; i < 8; i++)
			crc ^= made.table[7 - i][x >> (8 * i) & 255];
	}
	for (; len > 0; p++, len--)
		crc = crc >> 8 ^ made.table[0][(crc ^ *p) & 255];
	return crc;
}

const struct crc64_engine *
crc64_engine(size_t i)
{
	static const struct crc64_engine scalar = { "scalar", NULL };
#ifdef __x86_64__
	static const struct crc64_engine wide = {
		"vpclmulqdq", crc64_vpclmulqdq,
	};
	static const struct crc64_engine narrow = {
		"pclmulqdq", crc64_pclmulqdq,
	};

	if (__builtin_cpu_supports("vpclmulqdq") &&
	    __builtin_cpu_supports("avx2") && i-- == 0)
		return &wide;
	if (__builtin_cpu_supports("pclmul") && i-- == 0)
		return &narrow;
#endif
	return i == 0 ? &scalar : NULL;
}

uint64_t
crc64_using(const struct crc64_engine *e, uint64_t crc, const void *data,
    size_t len)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const uint8_t *p = data;

	pthread_once(&once, make);
	crc = ~crc;
	if (e->fold != NULL && len >= CRC64_STEP) {
		size_t n = len - len % CRC64_STEP;
		uint8_t rest[16];

		e->fold(&made.folds, crc, p, n, rest);
		crc = by_tables(0, rest, sizeof(rest));
		p += n;
		len -= n;
	}
	return ~by_tables(crc, p, len);
}

uint64_t
crc64nvme(uint64_t crc, const void *data, size_t len)
{
	return crc64_using(crc64_engine(0), crc, data, len);
}

uint64_t
crc64nvme_append(uint64_t crc, uint64_t next, uint64_t next_len)
{
	uint64_t square = x_power(8);	/* a byte further on */

	for (; next_len > 0; next_len >>= 1) {
		if ((next_len & 1) != 0)
			crc = times(square, crc);
		square = times(square, square);
	}
	return crc ^ next;
}
