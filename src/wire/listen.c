#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/peer.h"

/* Connections accepted in a call, at most, so that connected peers get their
 * turn. */
#define ACCEPT_COUNT	16
/* How long the listener accepts no connection after descriptors ran out. */
#define PAUSE_MS	1000

struct stranger {
	struct wire_peer *peer;
	uint64_t until_ms;
};

struct wire_listener {
	int	 fd;
	unsigned port;
	struct tls_context *tls;
	uint64_t paused_until_ms;	/* 0: not paused */
	size_t	 count;			/* oldest first */
	struct stranger strangers[WIRE_STRANGERS_MAX];
};

/* --- listening --- */

static int
listen_at(const struct addrinfo *a, int *ret_errno)
{
	int on = 1, off = 0;
	int fd = socket(a->ai_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1) {
		*ret_errno = errno;
		return -1;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off,
		    sizeof(off));
	if (bind(fd, a->ai_addr, a->ai_addrlen) == -1 ||
	    listen(fd, SOMAXCONN) == -1) {
		*ret_errno = errno;
		close_fd(&fd);
		return -1;
	}
	return fd;
}

/* Listen on the first address of the host that bind(2) accepts. */
static int
listen_host(const char *host, unsigned port, struct err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *list = NULL;
	int error = EADDRNOTAVAIL;
	char service[16];
	int fd = -1;
	int rc;

	snprintf(service, sizeof(service), "%u", port);
	rc = getaddrinfo(host, service, &hints, &list);
	if (rc != 0)
		return err_set(err, ERR_CONFIG, rc, "%s: %s", host,
		    rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
	for (const struct addrinfo *a = list; a != NULL && fd == -1;
	    a = a->ai_next)
		fd = listen_at(a, &error);
	freeaddrinfo(list);
	if (fd == -1)
		return err_errno(err, ERR_CONFIG, error, "listen on %s:%u",
		    host, port);
	return fd;
}

static unsigned
port_of(int fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct sockaddr_in6 six;
	struct sockaddr_in four;

	if (getsockname(fd, (struct sockaddr *)&sa, &len) == -1)
		return 0;
	if (sa.ss_family == AF_INET6) {
		memcpy(&six, &sa, sizeof(six));
		return ntohs(six.sin6_port);
	}
	memcpy(&four, &sa, sizeof(four));
	return ntohs(four.sin_port);
}

int
wire_listen(struct wire_listener **ret, const char *host, unsigned port,
    const uint8_t key[TLS_KEY_LEN], struct err *err)
{
	struct wire_listener *l;
	int fd;

	/* "::" takes IPv4 too; hosts without IPv6 need 0.0.0.0. */
	if (host != NULL)
		fd = listen_host(host, port, err);
	else
		fd = listen_host("::", port, NULL);
	if (fd == -1 && host == NULL)
		fd = listen_host("0.0.0.0", port, err);
	if (fd == -1)
		return -1;
	l = xcalloc(1, sizeof(*l));
	l->fd = fd;
	l->port = port_of(fd);
	if (tls_context_new(&l->tls, TLS_SERVER, key, err) == -1) {
		wire_listen_free(&l);
		return -1;
	}
	*ret = l;
	return 0;
}

void
wire_listen_free(struct wire_listener **lp)
{
	struct wire_listener *l = *lp;

	if (l == NULL)
		return;
	for (size_t i = 0; i < l->count; i++)
		wire_close(&l->strangers[i].peer);
	close_fd(&l->fd);
	tls_context_free(&l->tls);
	free(l);
	*lp = NULL;
}

unsigned
wire_port(const struct wire_listener *l)
{
	return l->port;
}

size_t
wire_listen_fds(const struct wire_listener *l, struct pollfd *v, size_t max)
{
	size_t n = 0;

	if (l->paused_until_ms == 0 && n < max)
		v[n++] = (struct pollfd){ .fd = l->fd, .events = POLLIN };
	for (size_t i = 0; i < l->count && n < max; i++)
		v[n++] = (struct pollfd){
			.fd = wire_fd(l->strangers[i].peer),
			.events = wire_events(l->strangers[i].peer) };
	return n;
}

/* --- strangers --- */

/* Remove a stranger from the list; the caller owns the returned peer. */
static struct wire_peer *
take_stranger(struct wire_listener *l, size_t i)
{
	struct wire_peer *p = l->strangers[i].peer;

	memmove(&l->strangers[i], &l->strangers[i + 1],
	    (l->count - i - 1) * sizeof(l->strangers[0]));
	l->count--;
	return p;
}

/* Close the oldest stranger that has not proved the key; close the oldest of
 * all only if every stranger has proved the key. */
static void
make_room(struct wire_listener *l)
{
	struct wire_peer *p;
	size_t i = 0;

	while (i < l->count && peer_proved(l->strangers[i].peer))
		i++;
	p = take_stranger(l, i < l->count ? i : 0);
	wire_close(&p);
}

/* Accept a connection. Return true if more connections may wait. */
static bool
accept_one(struct wire_listener *l, uint64_t now_ms)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct wire_peer *p;
	int fd;

	memset(&sa, 0, sizeof(sa));
	fd = accept4(l->fd, (struct sockaddr *)&sa, &len,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd == -1) {
		/* Connections reset while they waited are errors too: go on
		 * with the next connection. */
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return false;
		if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS &&
		    errno != ENOMEM)
			return true;
		l->paused_until_ms = now_ms + PAUSE_MS;
		return false;
	}
	if (l->count == WIRE_STRANGERS_MAX)
		make_room(l);
	if (peer_new(&p, l->tls, fd, (struct sockaddr *)&sa, len, NULL) == 0)
		l->strangers[l->count++] = (struct stranger){
			.peer = p, .until_ms = now_ms + WIRE_HELLO_MS };
	return true;
}

struct greeting {
	bool	 came;
	struct wire_msg msg;
};

/* Take the first message, of any type. */
static bool
greet(void *arg, struct wire_msg *m)
{
	struct greeting *g = arg;

	g->came = true;
	g->msg = *m;
	memset(m, 0, sizeof(*m));
	return false;
}

/* Serve a stranger. Return false if the stranger has left the list. */
static bool
service_stranger(struct wire_listener *l, size_t i, uint64_t now_ms,
    wire_hello_fn *fn, void *arg)
{
	struct stranger *s = &l->strangers[i];
	struct greeting g = { .came = false };
	struct wire_peer *p;
	struct err err = ERR_INIT;	/* strangers are not reported */
	int r = peer_service(s->peer, greet, &g, &err);

	if (r == 0 && now_ms < s->until_ms)
		return true;
	p = take_stranger(l, i);
	if (r == 1 && g.msg.type == WIRE_HELLO)
		fn(arg, p, &g.msg.u.hello);
	else
		wire_close(&p);
	if (g.came)
		wire_msg_release(&g.msg);
	return false;
}

void
wire_listen_service(struct wire_listener *l, uint64_t now_ms,
    wire_hello_fn *fn, void *arg)
{
	size_t i = 0;

	while (i < l->count)
		if (service_stranger(l, i, now_ms, fn, arg))
			i++;
	if (l->paused_until_ms != 0 && now_ms >= l->paused_until_ms)
		l->paused_until_ms = 0;
	for (i = 0; i < ACCEPT_COUNT && l->paused_until_ms == 0; i++)
		if (!accept_one(l, now_ms))
			break;
}
