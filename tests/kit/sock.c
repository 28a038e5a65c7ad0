#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kit/sock.h"

unsigned
sockets_to(unsigned port, unsigned unacked_ms)
{
	unsigned n = 0;

	for (int fd = 3; fd < 200; fd++) {
		struct sockaddr_in to = { .sin_port = 0 };
		struct linger linger = { .l_onoff = 0 };
		socklen_t len = sizeof(to);
		unsigned ms = 0;

		if (getpeername(fd, (struct sockaddr *)&to, &len) == -1 ||
		    to.sin_family != AF_INET || ntohs(to.sin_port) != port)
			continue;
		n++;
		len = sizeof(ms);
		assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
		    &ms, &len), 0);
		assert_int_equal(ms, unacked_ms);
		len = sizeof(linger);
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger,
		    &len), 0);
		assert_int_equal(linger.l_onoff, 1);
		assert_int_equal(linger.l_linger, 0);
	}
	return n;
}
