/*
 * tls.h: one side of a TLS 1.3 connection whose two sides know one key (an
 * external PSK, RFC 8446). There are no certificates: the handshake succeeds
 * only if both know the key, and says so to both. One suite
 * (TLS_AES_256_GCM_SHA384), a fresh key exchange each time (psk_dhe_ke), no
 * tickets, no early data.
 *
 * No I/O: bytes of the network go in and out through buffers here.
 *
 *	tls_room, recv() into it, tls_fed	bytes that came in
 *	tls_handshake until it returns 1
 *	tls_read until it returns 0		what they mean
 *	tls_write				what to say
 *	tls_output, send() it, tls_sent		bytes that must go out
 *
 * Also after an error there may be output: it tells the other side why.
 *
 * A connection may outlive the context that it was made of. Thread: one at a
 * time.
 */
#ifndef CRYPTO_TLS_H
#define CRYPTO_TLS_H

#include "base/buf.h"
#include "base/err.h"

#define TLS_KEY_LEN 48

enum tls_side {
	TLS_CLIENT = 0,
	TLS_SERVER
};

struct tls_context;
int	 tls_context_new(struct tls_context **, enum tls_side,
	    const uint8_t key[TLS_KEY_LEN], struct err *) MUST_USE;
void	 tls_context_free(struct tls_context **);	/* wipes the key */

struct tls;
int	 tls_new(struct tls **, const struct tls_context *, struct err *)
	    MUST_USE;
void	 tls_free(struct tls **);	/* wipes the key and buffers */

/* Return the room for bytes from the network; *ret_len is 0 until the caller
 * reads earlier bytes. */
char	*tls_room(struct tls *, size_t *ret_len);
void	 tls_fed(struct tls *, size_t);
struct str tls_output(const struct tls *);
void	 tls_sent(struct tls *, size_t);

/* 1: done; 0: needs bytes from the peer. -1: DENIED (the peer has a different
 * key, or none), PEER (the peer speaks a different protocol). */
int	 tls_handshake(struct tls *, struct err *) MUST_USE;
/* Return true once the peer has proved its knowledge of the key; possibly
 * before the handshake is done. */
bool	 tls_proved(const struct tls *);
/* Bytes read; 0: needs more from the peer. -1: UNREACHABLE (the peer ended the
 * connection properly), PEER. */
ptrdiff_t tls_read(struct tls *, void *, size_t, struct err *) MUST_USE;
/* Encrypt the whole text; the records go to the output. */
int	 tls_write(struct tls *, const void *, size_t, struct err *) MUST_USE;
/* Tell the peer that this side will write no more. */
void	 tls_end(struct tls *);

#endif
