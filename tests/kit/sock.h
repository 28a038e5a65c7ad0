/*
 * sock.h: what the sockets of this process that lead to a port are set
 * to; for tests of what a kernel may still send.
 */
#ifndef KIT_SOCK_H
#define KIT_SOCK_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/base.h"

/* How many lead there; all of them give up after so long without an
 * acknowledgement, and are reset when they are closed. */
unsigned sockets_to(unsigned port, unsigned unacked_ms);

#endif
