/*
 * md5_scalar.c: MD5 kernels for any processor: a single stream, and two streams
 * interleaved. A step of MD5 waits for the step before, so a processor with
 * four operations at a time does the second stream at little cost.
 */
#include "crypto/md5_internal.h"
#include "crypto/md5_steps.h"

static inline uint32_t
load_le32(const uint8_t *p)
{
	uint32_t x;

	memcpy(&x, p, sizeof(x));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	x = __builtin_bswap32(x);
#endif
	return x;
}

#define ROL(x, s) ((x) << (s) | (x) >> (32 - (s)))

/* a + f(b, c, d). The value b is ready last, so each macro has the shortest way
 * from b to the sum; G's halves never have a common bit, so a plain addition
 * joins the halves. */
#define MD5_F(a, b, c, d) ((a) + ((((c) ^ (d)) & (b)) ^ (d)))
#define MD5_G(a, b, c, d) ((a) + (~(d) & (c)) + ((d) & (b)))
#define MD5_H(a, b, c, d) ((a) + (((c) ^ (d)) ^ (b)))
#define MD5_I(a, b, c, d) ((a) + ((~(d) | (b)) ^ (c)))

/* MD5_PIN: keep the early part of the sum together, see md5_internal.h. */
#define ONE(f, a, b, c, d, k, s, t, p) \
	a += load_le32((p) + (k) * 4) + (t); \
	MD5_PIN(a); \
	a = f(a, b, c, d); \
	a = ROL(a, s) + b;

#define STEP_X1(f, a, b, c, d, k, s, t) ONE(f, a, b, c, d, k, s, t, p)
#define STEP_X2(f, a, b, c, d, k, s, t) \
	ONE(f, a, b, c, d, k, s, t, p) \
	ONE(f, a##2, b##2, c##2, d##2, k, s, t, q)

void
md5_x1(struct md5_lanes *l, size_t blocks)
{
	uint32_t a = l->state[0][0], b = l->state[1][0];
	uint32_t c = l->state[2][0], d = l->state[3][0];
	const uint8_t *p = l->data[0];

	for (; blocks > 0; blocks--, p += 64) {
		uint32_t a0 = a, b0 = b, c0 = c, d0 = d;

		MD5_STEPS(STEP_X1)
		a += a0;
		b += b0;
		c += c0;
		d += d0;
	}
	l->state[0][0] = a;
	l->state[1][0] = b;
	l->state[2][0] = c;
	l->state[3][0] = d;
}

void
md5_x2(struct md5_lanes *l, size_t blocks)
{
	uint32_t a = l->state[0][0], a2 = l->state[0][1];
	uint32_t b = l->state[1][0], b2 = l->state[1][1];
	uint32_t c = l->state[2][0], c2 = l->state[2][1];
	uint32_t d = l->state[3][0], d2 = l->state[3][1];
	const uint8_t *p = l->data[0], *q = l->data[1];

	for (; blocks > 0; blocks--, p += 64, q += 64) {
		MD5_STEPS(STEP_X2)
		l->state[0][0] = a += l->state[0][0];
		l->state[0][1] = a2 += l->state[0][1];
		l->state[1][0] = b += l->state[1][0];
		l->state[1][1] = b2 += l->state[1][1];
		l->state[2][0] = c += l->state[2][0];
		l->state[2][1] = c2 += l->state[2][1];
		l->state[3][0] = d += l->state[3][0];
		l->state[3][1] = d2 += l->state[3][1];
	}
}
