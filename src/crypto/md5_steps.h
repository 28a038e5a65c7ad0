/*
 * md5_steps.h: the 64 steps of MD5 (RFC 1321, 3.4) as one list, for the scalar
 * and the vector kernels. X(f, a, b, c, d, k, s, t) is a = b + ((a + f(b, c, d)
 * + w[k] + t) <<< s); each kernel defines X for its words.
 */
#ifndef CRYPTO_MD5_STEPS_H
#define CRYPTO_MD5_STEPS_H

#define MD5_STEPS(X) \
	X(MD5_F, a, b, c, d,  0,  7, 0xd76aa478U) \
	X(MD5_F, d, a, b, c,  1, 12, 0xe8c7b756U) \
	X(MD5_F, c, d, a, b,  2, 17, 0x242070dbU) \
	X(MD5_F, b, c, d, a,  3, 22, 0xc1bdceeeU) \
	X(MD5_F, a, b, c, d,  4,  7, 0xf57c0fafU) \
	X(MD5_F, d, a, b, c,  5, 12, 0x4787c62aU) \
	X(MD5_F, c, d, a, b,  6, 17, 0xa8304613U) \
	X(MD5_F, b, c, d, a,  7, 22, 0xfd469501U) \
	X(MD5_F, a, b, c, d,  8,  7, 0x698098d8U) \
	X(MD5_F, d, a, b, c,  9, 12, 0x8b44f7afU) \
	X(MD5_F, c, d, a, b, 10, 17, 0xffff5bb1U) \
	X(MD5_F, b, c, d, a, 11, 22, 0x895cd7beU) \
	X(MD5_F, a, b, c, d, 12,  7, 0x6b901122U) \
	X(MD5_F, d, a, b, c, 13, 12, 0xfd987193U) \
	X(MD5_F, c, d, a, b, 14, 17, 0xa679438eU) \
	X(MD5_F, b, c, d, a, 15, 22, 0x49b40821U) \
	X(MD5_G, a, b, c, d,  1,  5, 0xf61e2562U) \
	X(MD5_G, d, a, b, c,  6,  9, 0xc040b340U) \
	X(MD5_G, c, d, a, b, 11, 14, 0x265e5a51U) \
	X(MD5_G, b, c, d, a,  0, 20, 0xe9b6c7aaU) \
	X(MD5_G, a, b, c, d,  5,  5, 0xd62f105dU) \
	X(MD5_G, d, a, b, c, 10,  9, 0x02441453U) \
	X(MD5_G, c, d, a, b, 15, 14, 0xd8a1e681U) \
	X(MD5_G, b, c, d, a,  4, 20, 0xe7d3fbc8U) \
	X(MD5_G, a, b, c, d,  9,  5, 0x21e1cde6U) \
	X(MD5_G, d, a, b, c, 14,  9, 0xc33707d6U) \
	X(MD5_G, c, d, a, b,  3, 14, 0xf4d50d87U) \
	X(MD5_G, b, c, d, a,  8, 20, 0x455a14edU) \
	X(MD5_G, a, b, c, d, 13,  5, 0xa9e3e905U) \
	X(MD5_G, d, a, b, c,  2,  9, 0xfcefa3f8U) \
	X(MD5_G, c, d, a, b,  7, 14, 0x676f02d9U) \
	X(MD5_G, b, c, d, a, 12, 20, 0x8d2a4c8aU) \
	X(MD5_H, a, b, c, d,  5,  4, 0xfffa3942U) \
	X(MD5_H, d, a, b, c,  8, 11, 0x8771f681U) \
	X(MD5_H, c, d, a, b, 11, 16, 0x6d9d6122U) \
	X(MD5_H, b, c, d, a, 14, 23, 0xfde5380cU) \
	X(MD5_H, a, b, c, d,  1,  4, 0xa4beea44U) \
	X(MD5_H, d, a, b, c,  4, 11, 0x4bdecfa9U) \
	X(MD5_H, c, d, a, b,  7, 16, 0xf6bb4b60U) \
	X(MD5_H, b, c, d, a, 10, 23, 0xbebfbc70U) \
	X(MD5_H, a, b, c, d, 13,  4, 0x289b7ec6U) \
	X(MD5_H, d, a, b, c,  0, 11, 0xeaa127faU) \
	X(MD5_H, c, d, a, b,  3, 16, 0xd4ef3085U) \
	X(MD5_H, b, c, d, a,  6, 23, 0x04881d05U) \
	X(MD5_H, a, b, c, d,  9,  4, 0xd9d4d039U) \
	X(MD5_H, d, a, b, c, 12, 11, 0xe6db99e5U) \
	X(MD5_H, c, d, a, b, 15, 16, 0x1fa27cf8U) \
	X(MD5_H, b, c, d, a,  2, 23, 0xc4ac5665U) \
	X(MD5_I, a, b, c, d,  0,  6, 0xf4292244U) \
	X(MD5_I, d, a, b, c,  7, 10, 0x432aff97U) \
	X(MD5_I, c, d, a, b, 14, 15, 0xab9423a7U) \
	X(MD5_I, b, c, d, a,  5, 21, 0xfc93a039U) \
	X(MD5_I, a, b, c, d, 12,  6, 0x655b59c3U) \
	X(MD5_I, d, a, b, c,  3, 10, 0x8f0ccc92U) \
	X(MD5_I, c, d, a, b, 10, 15, 0xffeff47dU) \
	X(MD5_I, b, c, d, a,  1, 21, 0x85845dd1U) \
	X(MD5_I, a, b, c, d,  8,  6, 0x6fa87e4fU) \
	X(MD5_I, d, a, b, c, 15, 10, 0xfe2ce6e0U) \
	X(MD5_I, c, d, a, b,  6, 15, 0xa3014314U) \
	X(MD5_I, b, c, d, a, 13, 21, 0x4e0811a1U) \
	X(MD5_I, a, b, c, d,  4,  6, 0xf7537e82U) \
	X(MD5_I, d, a, b, c, 11, 10, 0xbd3af235U) \
	X(MD5_I, c, d, a, b,  2, 15, 0x2ad7d2bbU) \
	X(MD5_I, b, c, d, a,  9, 21, 0xeb86d391U)

#endif
