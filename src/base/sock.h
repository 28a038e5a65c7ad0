/*
 * sock.h: limit the sending of a TCP connection after its process has given the
 * connection up, or while the process does not run.
 */
#ifndef BASE_SOCK_H
#define BASE_SOCK_H

#include "base/base.h"

/*
 * After this call the kernel sends nothing of what was written to the socket
 * once the socket was closed, or its process has ended: closing is a reset,
 * and what was not sent is thrown away. Nor does it once the other side has
 * acknowledged nothing for unacked_ms: it gives the connection up then, even
 * if the process is frozen. (The time begins with the first repetition, a
 * retransmission time-out after the bytes were sent: 200 ms, more on a line
 * with long delays.)
 */
void	 sock_forget_unsent(int fd, uint64_t unacked_ms);

#endif
