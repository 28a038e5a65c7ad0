/*
 * Two sides in memory: the same key and none other, the suite, what a
 * stranger or an impostor gets. OpenSSL itself is the other side where ours
 * doesn't do what the test needs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "crypto/tls.h"

static const uint8_t key[TLS_KEY_LEN] = "0123456789abcdef0123456789abcdef"
    "0123456789abcde";
static const uint8_t other[TLS_KEY_LEN] = "0123456789abcdef0123456789abcdef"
    "0123456789abcdE";

static struct tls *
side(enum tls_side which, const uint8_t *with)
{
	struct tls_context *c = NULL;
	struct err err = ERR_INIT;
	struct tls *t = NULL;

	if (tls_context_new(&c, which, with, &err) == -1 ||
	    tls_new(&t, c, &err) == -1)
		fail_msg("%s", err.msg);
	tls_context_free(&c);
	return t;
}

/* What one has to say, to the other; at most max bytes at a time. */
static size_t
carry(struct tls *from, struct tls *to, size_t max)
{
	struct str out = tls_output(from);
	size_t room;
	char *in = tls_room(to, &room);
	size_t n = MIN(MIN(out.len, room), max);

	memcpy(in, out.p, n);
	tls_fed(to, n);
	tls_sent(from, n);
	return n;
}

/* Both handshakes, until nothing moves. */
static void
shake(struct tls *a, struct tls *b, size_t max, int ret[2], struct err err[2])
{
	size_t moved;

	ret[0] = ret[1] = 0;
	do {
		if (ret[0] == 0)
			ret[0] = tls_handshake(a, &err[0]);
		moved = carry(a, b, max);
		if (ret[1] == 0)
			ret[1] = tls_handshake(b, &err[1]);
		moved += carry(b, a, max);
	} while (moved > 0);
	if (ret[0] == 0)
		ret[0] = tls_handshake(a, &err[0]);
}

static void
pair(struct tls **client, struct tls **server, size_t max)
{
	struct err err[2] = { ERR_INIT, ERR_INIT };
	int ret[2];

	*client = side(TLS_CLIENT, key);
	*server = side(TLS_SERVER, key);
	assert_false(tls_proved(*server));
	shake(*client, *server, max, ret, err);
	assert_string_equal(err[0].msg, "");
	assert_string_equal(err[1].msg, "");
	assert_int_equal(ret[0], 1);
	assert_int_equal(ret[1], 1);
	assert_true(tls_proved(*client) && tls_proved(*server));
}

static void
test_same_key(void **state)
{
	struct err err = ERR_INIT;
	struct tls *c, *s;
	char got[100];

	(void)state;
	for (size_t max = 1; max <= 100000; max *= 10) {
		pair(&c, &s, max);
		assert_int_equal(tls_read(s, got, sizeof(got), &err), 0);
		assert_int_equal(tls_write(c, "hello", 5, &err), 0);
		/* It is encrypted. */
		assert_null(memmem(tls_output(c).p, tls_output(c).len,
		    "hello", 5));
		while (carry(c, s, max) > 0)
			;
		assert_int_equal(tls_read(s, got, sizeof(got), &err), 5);
		assert_memory_equal(got, "hello", 5);
		assert_int_equal(tls_write(s, "you too", 7, &err), 0);
		tls_end(s);
		while (carry(s, c, max) > 0)
			;
		assert_int_equal(tls_read(c, got, sizeof(got), &err), 7);
		assert_int_equal(tls_read(c, got, sizeof(got), &err), -1);
		assert_int_equal(err.kind, ERR_UNREACHABLE);
		tls_free(&c);
		tls_free(&s);
	}
}

/* Both learn that the other hasn't the key. */
static void
test_other_key(void **state)
{
	struct err err[2] = { ERR_INIT, ERR_INIT };
	struct tls *c = side(TLS_CLIENT, key);
	struct tls *s = side(TLS_SERVER, other);
	int ret[2];

	(void)state;
	shake(c, s, SIZE_MAX, ret, err);
	assert_int_equal(ret[0], -1);
	assert_int_equal(ret[1], -1);
	assert_int_equal(err[0].kind, ERR_DENIED);
	assert_int_equal(err[1].kind, ERR_DENIED);
	assert_false(tls_proved(c) || tls_proved(s));
	tls_free(&c);
	tls_free(&s);
}

static void
test_garbage(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		struct tls *t = side((enum tls_side)k, key);
		size_t room;
		char *in;

		assert_int_equal(tls_handshake(t, &err), 0);
		in = tls_room(t, &room);
		assert_true(room >= 16384);
		memcpy(in, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
		tls_fed(t, 28);
		assert_int_equal(tls_handshake(t, &err), -1);
		assert_int_equal(err.kind, ERR_PEER);
		tls_free(&t);
	}
}

/* A byte changed on the way. */
static void
test_changed(void **state)
{
	struct err err = ERR_INIT;
	struct tls *c, *s;
	struct str out;
	char got[100];
	size_t room;
	char *in;

	(void)state;
	pair(&c, &s, SIZE_MAX);
	assert_int_equal(tls_write(c, "hello", 5, &err), 0);
	out = tls_output(c);
	in = tls_room(s, &room);
	memcpy(in, out.p, out.len);
	in[7] = (char)(in[7] ^ 1);
	tls_fed(s, out.len);
	assert_int_equal(tls_read(s, got, sizeof(got), &err), -1);
	assert_int_equal(err.kind, ERR_PEER);
	tls_free(&c);
	tls_free(&s);
}

/* More records than one key may have: both sides take new ones. */
static void
test_new_keys(void **state)
{
	struct err err = ERR_INIT;
	struct tls *c, *s;
	uint64_t sent = 0, got = 0;
	char *data = xcalloc(1, 16384);

	(void)state;
	pair(&c, &s, SIZE_MAX);
	for (uint32_t i = 0; i < (1U << 20) + 100; i++) {
		ptrdiff_t n;

		assert_int_equal(tls_write(c, &i, 4, &err), 0);
		sent += 4;
		carry(c, s, SIZE_MAX);
		do {
			n = tls_read(s, data, 16384, &err);
			assert_true(n >= 0);
			got += (uint64_t)n;
			if (n > 0)
				assert_memory_equal(data + n - 4, &i, 4);
		} while (n > 0);
	}
	assert_int_equal(sent, got);
	free(data);
	tls_free(&c);
	tls_free(&s);
}

/* Many megabytes in one call. */
static void
test_large(void **state)
{
	size_t len = 20 << 20, got = 0;
	char *data = xmalloc(len), *back = xmalloc(len);
	struct err err = ERR_INIT;
	struct tls *c, *s;

	(void)state;
	for (size_t i = 0; i < len; i++)
		data[i] = (char)(i * 7 + i / 1000);
	pair(&c, &s, SIZE_MAX);
	assert_int_equal(tls_write(c, data, len, &err), 0);
	while (carry(c, s, SIZE_MAX) > 0) {
		ptrdiff_t n;

		do {
			n = tls_read(s, back + got, len - got, &err);
			assert_true(n >= 0);
			got += (size_t)n;
		} while (n > 0 && got < len);
	}
	assert_int_equal(got, len);
	assert_memory_equal(data, back, len);
	free(data);
	free(back);
	tls_free(&c);
	tls_free(&s);
}

/* --- others, made of OpenSSL --- */

/* One that speaks through memory. */
static SSL *
ssl_new(SSL_CTX *ctx, bool server)
{
	SSL *ssl = SSL_new(ctx);

	assert_non_null(ssl);
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	if (server)
		SSL_set_accept_state(ssl);
	else
		SSL_set_connect_state(ssl);
	return ssl;
}

/* The handshake of ours with that one: how ours ended. */
static int
shake_with(struct tls *t, SSL *ssl, struct err *err)
{
	int ret = 0;

	for (unsigned i = 0; i < 10; i++) {
		struct str out;
		char data[20000];
		size_t room;
		char *in;
		int n;

		if (ret == 0)
			ret = tls_handshake(t, err);
		out = tls_output(t);
		if (out.len > 0)
			assert_int_equal(BIO_write(SSL_get_rbio(ssl), out.p,
			    (int)out.len), out.len);
		tls_sent(t, out.len);
		(void)SSL_do_handshake(ssl);
		n = BIO_read(SSL_get_wbio(ssl), data, sizeof(data));
		if (n > 0 && ret == 0) {
			in = tls_room(t, &room);
			assert_true((size_t)n <= room);
			memcpy(in, data, (size_t)n);
			tls_fed(t, (size_t)n);
		}
	}
	return ret;
}

/* Our key as the manual says it, or under another suite or name. */
static unsigned char suite[] = { 0x13, 0x02 };
static const char *name;

static int
psk(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *len,
    SSL_SESSION **ret)
{
	SSL_SESSION *s = SSL_SESSION_new();

	(void)md;
	SSL_SESSION_set1_master_key(s, key,
	    suite[1] == 0x02 ? sizeof(key) : 32);
	SSL_SESSION_set_cipher(s, SSL_CIPHER_find(ssl, suite));
	SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION);
	*id = (const unsigned char *)name;
	*len = strlen(name);
	*ret = s;
	return 1;
}

/* Clients without the key, as browsers and scanners are; of an older TLS;
 * of another suite; of another name. */
static void
test_strangers(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 4; k++) {
		struct tls *t = side(TLS_SERVER, key);
		SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
		struct err err = ERR_INIT;
		SSL *ssl;

		if (k == 1)
			SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
		if (k >= 2)
			SSL_CTX_set_psk_use_session_callback(ctx, psk);
		suite[1] = k == 2 ? 0x01 : 0x02;
		name = k == 3 ? "another key" : "datamover run key";
		ssl = ssl_new(ctx, false);
		assert_int_equal(shake_with(t, ssl, &err), -1);
		assert_true(err.kind == ERR_DENIED || err.kind == ERR_PEER);
		assert_false(SSL_is_init_finished(ssl));
		assert_false(tls_proved(t));
		SSL_free(ssl);
		SSL_CTX_free(ctx);
		tls_free(&t);
	}
}

static void
use_certificate(SSL_CTX *ctx)
{
	EVP_PKEY *pkey = EVP_RSA_gen(2048);
	X509 *x = X509_new();

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, pkey);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN",
	    MBSTRING_ASC, (const unsigned char *)"master", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	assert_true(X509_sign(x, pkey, EVP_sha256()) > 0);
	assert_int_equal(SSL_CTX_use_certificate(ctx, x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, pkey), 1);
	X509_free(x);
	EVP_PKEY_free(pkey);
}

/* An impostor without the key, with a certificate: the client doesn't take
 * the one for the other, and has sent nothing. */
static void
test_impostor(void **state)
{
	struct tls *t = side(TLS_CLIENT, key);
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	struct err err = ERR_INIT;
	SSL *ssl;

	(void)state;
	use_certificate(ctx);
	ssl = ssl_new(ctx, true);
	assert_int_equal(shake_with(t, ssl, &err), -1);
	assert_int_equal(err.kind, ERR_DENIED);
	assert_int_equal(tls_handshake(t, &err), -1);
	assert_false(SSL_is_init_finished(ssl));
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	tls_free(&t);
}

/* The key as the manual says it, in other hands; what was agreed on. */
static void
test_as_documented(void **state)
{
	struct tls *t = side(TLS_SERVER, key);
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct err err = ERR_INIT;
	SSL *ssl;

	(void)state;
	suite[1] = 0x02;
	name = "datamover run key";
	SSL_CTX_set_psk_use_session_callback(ctx, psk);
	ssl = ssl_new(ctx, false);
	if (shake_with(t, ssl, &err) != 1)
		fail_msg("%s", err.msg);
	assert_true(SSL_is_init_finished(ssl));
	assert_string_equal(SSL_get_cipher_name(ssl),
	    "TLS_AES_256_GCM_SHA384");
	assert_int_equal(SSL_version(ssl), TLS1_3_VERSION);
	assert_int_equal(SSL_session_reused(ssl), 1);
	/* A fresh key exchange. */
	assert_int_not_equal(SSL_get_negotiated_group(ssl), 0);
	/* No tickets. */
	assert_int_equal(SSL_read(ssl, &(char){ 0 }, 1), -1);
	assert_false(SSL_SESSION_has_ticket(SSL_get_session(ssl)));
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	tls_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_key),
		cmocka_unit_test(test_other_key),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_new_keys),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_impostor),
		cmocka_unit_test(test_as_documented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
