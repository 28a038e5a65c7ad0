/*
 * SHA-256, HMAC, hex, base64, ETags.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "crypto/crypto.h"

static void
expect_hex(const void *data, size_t len, const char *want)
{
	char got[129];

	assert_true(len <= 64);
	hex_encode(data, len, got);
	assert_string_equal(got, want);
}

/* FIPS 180-2, appendix B, and the empty message. */
static void
test_sha256(void **state)
{
	static const char two[] =
	    "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	uint8_t out[SHA256_LEN];

	(void)state;
	sha256("", 0, out);
	expect_hex(out, sizeof(out), "e3b0c44298fc1c149afbf4c8996fb924"
	    "27ae41e4649b934ca495991b7852b855");
	sha256("abc", 3, out);
	expect_hex(out, sizeof(out), "ba7816bf8f01cfea414140de5dae2223"
	    "b00361a396177a9cb410ff61f20015ad");
	sha256(two, strlen(two), out);
	expect_hex(out, sizeof(out), "248d6a61d20638b8e5c026930c3e6039"
	    "a33ce45964ff2167f6ecedd419db06c1");
}

/* RFC 4231, cases 1, 2, 3 and 6 (a key longer than a block). */
static void
test_hmac(void **state)
{
	static const char large[] =
	    "Test Using Larger Than Block-Size Key - Hash Key First";
	uint8_t key[131], data[50], out[SHA256_LEN];

	(void)state;
	memset(key, 0x0b, 20);
	hmac_sha256(key, 20, "Hi There", 8, out);
	expect_hex(out, sizeof(out), "b0344c61d8db38535ca8afceaf0bf12b"
	    "881dc200c9833da726e9376c2e32cff7");
	hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, out);
	expect_hex(out, sizeof(out), "5bdcc146bf60754e6a042426089575c7"
	    "5a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	memset(data, 0xdd, sizeof(data));
	hmac_sha256(key, 20, data, sizeof(data), out);
	expect_hex(out, sizeof(out), "773ea91e36800e46854db8ebd09181a7"
	    "2959098b3ef8c122d9635514ced565fe");
	hmac_sha256(key, sizeof(key), large, strlen(large), out);
	expect_hex(out, sizeof(out), "60e431591ee0b67f0d8a26aacbf5b77f"
	    "8e0bc6213728c5140546040f0ee37f54");
	hmac_sha256("", 0, "", 0, out);
	expect_hex(out, sizeof(out), "b613679a0814d9ec772f95d778c35fc5"
	    "ff1697c493715653c6c712144292c5ad");
}

/* The output may lie over the key and over the data: a signing key is made
 * in place, step by step. */
static void
test_hmac_in_place(void **state)
{
	uint8_t key[32], data[32], want[SHA256_LEN];

	(void)state;
	memset(key, 7, sizeof(key));
	memset(data, 9, sizeof(data));
	hmac_sha256(key, sizeof(key), data, sizeof(data), want);
	hmac_sha256(key, sizeof(key), data, sizeof(data), key);
	assert_memory_equal(key, want, sizeof(want));
	memset(key, 7, sizeof(key));
	hmac_sha256(key, sizeof(key), data, sizeof(data), data);
	assert_memory_equal(data, want, sizeof(want));
}

static void *
hash_much(void *arg)
{
	for (int i = 0; i < 200; i++)
		hmac_sha256("key", 3, "data", 4, arg);
	return NULL;
}

static void
test_threads(void **state)
{
	uint8_t want[SHA256_LEN], got[4][SHA256_LEN];
	pthread_t t[4];

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, hash_much,
		    got[i]), 0);
	hmac_sha256("key", 3, "data", 4, want);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(t[i], NULL), 0);
		assert_memory_equal(got[i], want, sizeof(want));
	}
}

static void
test_hex(void **state)
{
	uint8_t all[256], back[256] = { 0 };
	char text[513];

	(void)state;
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	hex_encode(all, sizeof(all), text);
	assert_int_equal(strlen(text), 512);
	assert_true(hex_decode(text, back, sizeof(back)));
	assert_memory_equal(back, all, sizeof(all));
	hex_encode(all, 0, text);
	assert_string_equal(text, "");

	assert_true(hex_decode("", back, 0));
	assert_true(hex_decode("aF09", back, 2));
	expect_hex(back, 2, "af09");
	assert_false(hex_decode("aF09", back, 1));
	assert_false(hex_decode("aF0", back, 2));
	assert_false(hex_decode("aF", back, 2));
	assert_false(hex_decode("", back, 1));
	assert_false(hex_decode("ag", back, 1));
	assert_false(hex_decode("/a", back, 1));
	assert_false(hex_decode(":a", back, 1));
	assert_false(hex_decode("a@", back, 1));
	assert_false(hex_decode(" a", back, 1));
}

/* RFC 4648, 10. */
static void
test_base64(void **state)
{
	static const char *const vectors[][2] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
	};
	char out[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		base64_encode(vectors[i][0], strlen(vectors[i][0]), out);
		assert_string_equal(out, vectors[i][1]);
	}
	base64_encode("\xff\xff\xff\xfb\xef\xbe", 6, out);
	assert_string_equal(out, "////++++");
	base64_encode("\0\0", 2, out);
	assert_string_equal(out, "AAA=");
}

static void
test_random(void **state)
{
	uint8_t a[300] = { 0 }, b[300] = { 0 };

	(void)state;
	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	/* The last bytes are filled as well. */
	assert_memory_not_equal(a + 268, b + 268, 32);
	random_bytes(a, 0);
}

static void
test_etags(void **state)
{
	uint8_t md5s[3][MD5_LEN];
	struct md5 m;
	char out[72];

	(void)state;
	md5_init(&m);
	for (size_t i = 0; i < 3; i++) {
		md5_final(&m, md5s[i]);
		md5_update(&m, "a", 1);
	}
	etag_single(md5s[0], out);
	assert_string_equal(out, "d41d8cd98f00b204e9800998ecf8427e");
	/* Of the digests of "", "a" and "aa". */
	etag_multipart(md5s[0], 3, out);
	assert_string_equal(out, "d94b5ae8d54c477e06e89b10046b7fa1-3");
	etag_multipart(md5s[0], 1, out);
	assert_string_equal(out, "59adb24ef3cdbe0297f05b395827453f-1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_hmac),
		cmocka_unit_test(test_hmac_in_place),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_etags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
