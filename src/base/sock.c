#include "base/sock.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

void
sock_forget_unsent(int fd, uint64_t unacked_ms)
{
	unsigned ms = (unsigned)MIN(unacked_ms, (uint64_t)INT32_MAX);
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	/* Neither fails on a TCP socket of Linux. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}
