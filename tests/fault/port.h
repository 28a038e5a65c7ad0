/*
 * port.h: what the programs here have in common: sockets, a way to die.
 */
#ifndef FAULT_PORT_H
#define FAULT_PORT_H

#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <unistd.h>

#include "base/base.h"

PRINTF_LIKE(1, 2) static void
die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

/* Listen there; port 0 becomes the one that was free. */
static inline int
open_port(struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	int fd, one = 1;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		die("socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)at, sizeof(*at)) == -1 ||
	    listen(fd, 128) == -1)
		die("port %u: %s", ntohs(at->sin_port), strerror(errno));
	getsockname(fd, (struct sockaddr *)at, &len);
	return fd;
}

/* Close with RST and not FIN, as a crash or a firewall does. */
static inline void
reset_fd(int fd)
{
	struct linger l = { .l_onoff = 1, .l_linger = 0 };

	if (fd == -1)
		return;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(fd);
}

/* "ADDRESS:PORT" into target. */
static inline void
parse_target(const char *text, struct sockaddr_in *target)
{
	char address[64];
	const char *colon = strrchr(text, ':');

	if (colon == NULL || (size_t)(colon - text) >= sizeof(address))
		die("--to ADDRESS:PORT");
	memcpy(address, text, (size_t)(colon - text));
	address[colon - text] = '\0';
	target->sin_family = AF_INET;
	target->sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	if (inet_pton(AF_INET, address, &target->sin_addr) != 1)
		die("%s: not an IPv4 address", address);
}

#endif
