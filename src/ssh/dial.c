/* A TCP connection, within a limit. libssh would wait for each address as
 * long as the kernel does. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "ssh/ssh_internal.h"

#define SLICE_MS	100

/* Detect a vanished host even while neither side sends data. */
static void
keep_alive(int fd)
{
	static const struct { int level, name, value; } options[] = {
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 15 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 5 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 3 },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, 30000 },
		{ IPPROTO_TCP, TCP_NODELAY, 1 }
	};

	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (setsockopt(fd, options[i].level, options[i].name,
		    &options[i].value, sizeof(int)) == -1)
			return;
}

/* Wait for a connect under way. Return its error number; 0 after success. */
static int
await(int fd, uint64_t deadline_ms, const _Atomic bool *stop)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int no = 0;

	for (;;) {
		if (stop != NULL && *stop)
			return ECANCELED;
		if (clock_mono_ms() >= deadline_ms)
			return ETIMEDOUT;
		if (poll(&p, 1, SLICE_MS) > 0)
			break;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &no, &len) == -1)
		return errno;
	return no;
}

static int
dial_one(const struct addrinfo *a, uint64_t deadline_ms,
    const _Atomic bool *stop, int *ret_fd)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0);
	int no = 0;

	if (fd == -1)
		return errno;
	keep_alive(fd);
	if (connect(fd, a->ai_addr, a->ai_addrlen) == -1) {
		no = errno;
		if (no == EINPROGRESS || no == EINTR)
			no = await(fd, deadline_ms, stop);
	}
	if (no != 0)
		close(fd);
	else
		*ret_fd = fd;
	return no;
}

static int
resolve(const char *host, unsigned port, struct addrinfo **ret,
    struct err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG };
	char service[16];
	int no;

	snprintf(service, sizeof(service), "%u", port);
	no = getaddrinfo(host, service, &hints, ret);
	if (no == EAI_ADDRFAMILY || no == EAI_NONAME || no == EAI_NODATA) {
		/* If only the loopback is up, AI_ADDRCONFIG refuses even
		 * loopback addresses. */
		hints.ai_flags = AI_NUMERICSERV;
		no = getaddrinfo(host, service, &hints, ret);
	}
	if (no == 0)
		return 0;
	if (no == EAI_SYSTEM)
		return err_errno(err, ERR_UNREACHABLE, errno, "name lookup");
	return err_set(err, no == EAI_AGAIN ? ERR_RETRY : ERR_UNREACHABLE, no,
	    "name lookup: %s", gai_strerror(no));
}

int
ssh_dial(const char *host, unsigned port, uint64_t deadline_ms,
    const _Atomic bool *stop, int *ret_fd, struct err *err)
{
	struct addrinfo *list, *a;
	size_t left = 0;
	int no = 0;

	if (resolve(host, port, &list, err) == -1)
		return -1;
	for (a = list; a != NULL; a = a->ai_next)
		left++;
	for (a = list; a != NULL; a = a->ai_next) {
		uint64_t now = clock_mono_ms();
		uint64_t share = now >= deadline_ms ? 0 :
		    (deadline_ms - now) / left--;

		no = dial_one(a, now + share, stop, ret_fd);
		if (no == 0 || no == ECANCELED)
			break;
	}
	freeaddrinfo(list);
	if (no == 0)
		return 0;
	if (no == ECANCELED)
		return err_set(err, ERR_STOPPED, 0, "stopped");
	return err_errno(err, ERR_UNREACHABLE, no, "connect to port %u", port);
}
