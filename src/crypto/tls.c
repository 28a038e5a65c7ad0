#include "crypto/tls.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>

/* A record has at most 16 KiB and a little overhead: the room holds several
 * records, so a single recv() can bring in several. */
#define ROOM_BYTES	((size_t)64 << 10)
/* AES-GCM wants new keys after 2^24.5 records (RFC 8446, 5.5). */
#define RECORDS_A_KEY	(1U << 20)
#define RECORD_BYTES	((size_t)16 << 10)

/* Both sides give the key this identity; only the binder proves which key a
 * side has. */
static const char identity[] = "datamover run key";

struct tls_context {
	enum tls_side side;
	SSL_CTX	*ssl;
	uint8_t	 key[TLS_KEY_LEN];
};

struct tls {
	SSL	*ssl;
	uint8_t	 key[TLS_KEY_LEN];	/* until the handshake is done */
	uint32_t records;		/* written with this key */
	struct buf out;
	size_t	 out_sent;
	size_t	 in_begin, in_end;
	char	 in[ROOM_BYTES];
};

/* --- the network as OpenSSL sees it --- */

static int
bio_read(BIO *bio, char *data, size_t len, size_t *ret_len)
{
	struct tls *t = BIO_get_data(bio);
	size_t n = MIN(len, t->in_end - t->in_begin);

	BIO_clear_retry_flags(bio);
	*ret_len = n;
	if (n == 0) {
		BIO_set_retry_read(bio);
		return 0;
	}
	memcpy(data, t->in + t->in_begin, n);
	t->in_begin += n;
	if (t->in_begin == t->in_end)
		t->in_begin = t->in_end = 0;
	return 1;
}

static int
bio_write(BIO *bio, const char *data, size_t len, size_t *ret_len)
{
	struct tls *t = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	*ret_len = len;
	return buf_add(&t->out, data, len) == 0;
}

static long
bio_ctrl(BIO *bio, int what, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return what == BIO_CTRL_FLUSH;
}

/* The method serves every connection of the process and is never freed. */
static BIO_METHOD *bio_method;
static pthread_once_t bio_once = PTHREAD_ONCE_INIT;

static void
make_bio_method(void)
{
	BIO_METHOD *m = BIO_meth_new(
	    BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datamover");

	if (m != NULL && BIO_meth_set_read_ex(m, bio_read) == 1 &&
	    BIO_meth_set_write_ex(m, bio_write) == 1 &&
	    BIO_meth_set_ctrl(m, bio_ctrl) == 1)
		bio_method = m;
	else
		BIO_meth_free(m);
}

/* --- the key --- */

/* Make a session representing the key, as OpenSSL wants an external PSK. */
static SSL_SESSION *
key_session(SSL *ssl)
{
	static const unsigned char suite[] = { 0x13, 0x02 };
	const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, suite);
	struct tls *t = SSL_get_app_data(ssl);
	SSL_SESSION *s = SSL_SESSION_new();

	if (s != NULL && cipher != NULL &&
	    SSL_SESSION_set1_master_key(s, t->key, sizeof(t->key)) == 1 &&
	    SSL_SESSION_set_cipher(s, cipher) == 1 &&
	    SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION) == 1)
		return s;
	SSL_SESSION_free(s);
	return NULL;
}

static int
client_session(SSL *ssl, const EVP_MD *md, const unsigned char **ret_id,
    size_t *ret_len, SSL_SESSION **ret_session)
{
	(void)md;	/* one suite, one hash */
	*ret_id = (const unsigned char *)identity;
	*ret_len = sizeof(identity) - 1;
	*ret_session = key_session(ssl);
	return *ret_session != NULL;
}

static int
server_session(SSL *ssl, const unsigned char *id, size_t len,
    SSL_SESSION **ret_session)
{
	*ret_session = NULL;
	if (len != sizeof(identity) - 1 || memcmp(id, identity, len) != 0)
		return 1;	/* none of that name: goes on without */
	*ret_session = key_session(ssl);
	return *ret_session != NULL;
}

/* --- errors --- */

/* Return true for the peer's alerts and OpenSSL's errors of a side without the
 * right key. */
static bool
is_denied(int reason)
{
	switch (reason) {
	case SSL_AD_REASON_OFFSET + SSL_AD_HANDSHAKE_FAILURE:
	case SSL_AD_REASON_OFFSET + SSL_AD_ILLEGAL_PARAMETER:
	case SSL_AD_REASON_OFFSET + SSL_AD_DECRYPT_ERROR:
	case SSL_AD_REASON_OFFSET + SSL_AD_UNKNOWN_PSK_IDENTITY:
	case SSL_AD_REASON_OFFSET + SSL_AD_CERTIFICATE_REQUIRED:
	case SSL_R_BINDER_DOES_NOT_VERIFY:
	case SSL_R_CERTIFICATE_VERIFY_FAILED:
	case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
	case SSL_R_NO_SHARED_CIPHER:
	case SSL_R_NO_CERTIFICATE_SET:
		return true;
	default:
		return false;
	}
}

static int
handshake_failed(struct err *err)
{
	unsigned long e = ERR_peek_error();
	int reason = ERR_GET_REASON(e);
	const char *text = ERR_reason_error_string(e);

	ERR_clear_error();
	if (is_denied(reason))
		return err_set(err, ERR_DENIED, reason,
		    "the other side has not the same key");
	return err_set(err, ERR_PEER, reason, "not our TLS: %s",
	    text == NULL ? "handshake failed" : text);
}

static int
failed(struct err *err)
{
	unsigned long e = ERR_peek_error();
	const char *text = ERR_reason_error_string(e);

	ERR_clear_error();
	return err_set(err, ERR_PEER, ERR_GET_REASON(e), "TLS: %s",
	    text == NULL ? "failed" : text);
}

static int
no_memory(struct err *err)
{
	ERR_clear_error();
	return err_set(err, ERR_RESOURCE, 0, "TLS: cannot be set up");
}

/* --- context --- */

static bool
context_settings(struct tls_context *c)
{
	SSL_CTX *ssl = c->ssl;

	SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION |
	    SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	/* The client accepts no certificate in place of the key: the client
	 * trusts none. The server has none to show. */
	SSL_CTX_set_verify(ssl,
	    c->side == TLS_CLIENT ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	if (c->side == TLS_CLIENT)
		SSL_CTX_set_psk_use_session_callback(ssl, client_session);
	else
		SSL_CTX_set_psk_find_session_callback(ssl, server_session);
	return SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION) == 1 &&
	    SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) == 1 &&
	    SSL_CTX_set_ciphersuites(ssl, "TLS_AES_256_GCM_SHA384") == 1 &&
	    SSL_CTX_set1_groups_list(ssl, "X25519:P-256") == 1 &&
	    SSL_CTX_set_max_early_data(ssl, 0) == 1 &&
	    SSL_CTX_set_num_tickets(ssl, 0) == 1;
}

int
tls_context_new(struct tls_context **ret, enum tls_side side,
    const uint8_t key[TLS_KEY_LEN], struct err *err)
{
	struct tls_context *c = xcalloc(1, sizeof(*c));

	c->side = side;
	memcpy(c->key, key, sizeof(c->key));
	pthread_once(&bio_once, make_bio_method);
	c->ssl = SSL_CTX_new(
	    side == TLS_CLIENT ? TLS_client_method() : TLS_server_method());
	if (bio_method == NULL || c->ssl == NULL || !context_settings(c)) {
		tls_context_free(&c);
		return no_memory(err);
	}
	*ret = c;
	return 0;
}

void
tls_context_free(struct tls_context **cp)
{
	struct tls_context *c = *cp;

	if (c == NULL)
		return;
	SSL_CTX_free(c->ssl);
	OPENSSL_cleanse(c->key, sizeof(c->key));
	free(c);
	*cp = NULL;
}

/* --- connection --- */

int
tls_new(struct tls **ret, const struct tls_context *c, struct err *err)
{
	struct tls *t = xmalloc(sizeof(*t));
	BIO *bio;

	memset(t, 0, offsetof(struct tls, in));
	buf_init(&t->out, SIZE_MAX / 4);
	memcpy(t->key, c->key, sizeof(t->key));
	t->ssl = SSL_new(c->ssl);
	bio = BIO_new(bio_method);
	if (t->ssl == NULL || bio == NULL) {
		BIO_free(bio);
		tls_free(&t);
		return no_memory(err);
	}
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	SSL_set_bio(t->ssl, bio, bio);
	SSL_set_app_data(t->ssl, t);
	if (c->side == TLS_CLIENT)
		SSL_set_connect_state(t->ssl);
	else
		SSL_set_accept_state(t->ssl);
	*ret = t;
	return 0;
}

void
tls_free(struct tls **tp)
{
	struct tls *t = *tp;

	if (t == NULL)
		return;
	SSL_free(t->ssl);
	buf_release(&t->out);
	OPENSSL_cleanse(t->key, sizeof(t->key));
	free(t);
	*tp = NULL;
}

char *
tls_room(struct tls *t, size_t *ret_len)
{
	/* The bytes left are less than a record: make room for the rest of the
	 * record. */
	if (t->in_begin > 0) {
		memmove(t->in, t->in + t->in_begin, t->in_end - t->in_begin);
		t->in_end -= t->in_begin;
		t->in_begin = 0;
	}
	*ret_len = sizeof(t->in) - t->in_end;
	return t->in + t->in_end;
}

void
tls_fed(struct tls *t, size_t len)
{
	t->in_end += len;
}

struct str
tls_output(const struct tls *t)
{
	return (struct str){ t->out.data == NULL ? "" :
	    t->out.data + t->out_sent, t->out.len - t->out_sent };
}

void
tls_sent(struct tls *t, size_t len)
{
	t->out_sent += len;
	if (t->out_sent == t->out.len) {
		buf_clear(&t->out);
		t->out_sent = 0;
	}
}

int
tls_handshake(struct tls *t, struct err *err)
{
	int r;

	if (SSL_is_init_finished(t->ssl))
		return 1;
	ERR_clear_error();
	r = SSL_do_handshake(t->ssl);
	if (r != 1)
		return SSL_get_error(t->ssl, r) == SSL_ERROR_WANT_READ ? 0 :
		    handshake_failed(err);
	OPENSSL_cleanse(t->key, sizeof(t->key));
	if (!tls_proved(t))
		return err_set(err, ERR_DENIED, 0,
		    "the other side has not the same key");
	return 1;
}

bool
tls_proved(const struct tls *t)
{
	return SSL_session_reused(t->ssl) == 1;
}

ptrdiff_t
tls_read(struct tls *t, void *data, size_t len, struct err *err)
{
	size_t n = 0;
	int r;

	ERR_clear_error();
	r = SSL_read_ex(t->ssl, data, len, &n);
	if (r == 1)
		return (ptrdiff_t)n;
	switch (SSL_get_error(t->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		return err_set(err, ERR_UNREACHABLE, 0,
		    "the other side ended the connection");
	default:
		return failed(err);
	}
}

int
tls_write(struct tls *t, const void *data, size_t len, struct err *err)
{
	size_t n;

	if (len == 0)
		return 0;
	ERR_clear_error();
	t->records += (uint32_t)(len / RECORD_BYTES) + 1;
	if (t->records > RECORDS_A_KEY) {
		t->records = 0;
		if (SSL_key_update(t->ssl,
		    SSL_KEY_UPDATE_NOT_REQUESTED) != 1)
			return failed(err);
	}
	if (SSL_write_ex(t->ssl, data, len, &n) != 1)
		return failed(err);
	return 0;
}

void
tls_end(struct tls *t)
{
	if (!SSL_is_init_finished(t->ssl))
		return;
	ERR_clear_error();
	(void)SSL_shutdown(t->ssl);
	ERR_clear_error();
}
