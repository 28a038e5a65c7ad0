/*
 * peer.h: functions of a peer for the listener, while the peer is a
 * stranger.
 */
#ifndef WIRE_PEER_H
#define WIRE_PEER_H

#include <sys/socket.h>

#include "crypto/tls.h"
#include "wire/wire.h"

/* Make a peer from an accepted connection. The function takes the descriptor,
 * even on failure. */
int	 peer_new(struct wire_peer **, const struct tls_context *, int fd,
	    const struct sockaddr *, socklen_t, struct err *) MUST_USE;
/* Like wire_service, but returns 1 if fn returns false. The peer then stays
 * usable: fn has taken a single message, and more messages may wait. */
int	 peer_service(struct wire_peer *, wire_msg_fn *, void *arg,
	    struct err *) MUST_USE;
/* Has the peer proved that it knows the key? */
bool	 peer_proved(const struct wire_peer *);

#endif
