/*
 * peer.h: what a listener does with a peer that is still a stranger.
 */
#ifndef WIRE_PEER_H
#define WIRE_PEER_H

#include <sys/socket.h>

#include "crypto/tls.h"
#include "wire/wire.h"

/* For a connection that was accepted; takes the descriptor, also if it
 * fails. */
int	 peer_new(struct wire_peer **, const struct tls_context *, int fd,
	    const struct sockaddr *, socklen_t, struct err *) MUST_USE;
/* As wire_service. If fn returns false it returns 1, and the peer is as good
 * as before: fn has had one message, others may wait. */
int	 peer_service(struct wire_peer *, wire_msg_fn *, void *arg,
	    struct err *) MUST_USE;
/* It has shown that it knows the key. */
bool	 peer_proved(const struct wire_peer *);

#endif
