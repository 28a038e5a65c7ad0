/*
 * metrics.c: listens for Prometheus and answers in a thread of its own, one
 * connection at a time. metrics_set copies the values under a lock; the thread
 * makes the page from this copy.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "metrics/metrics.h"

#define REQUEST_MAX	8192	/* bytes of a request's head */
#define TIME_LIMIT_MS	3000	/* of a connection, from its beginning */
#define PAGE_MAX	(16 * MIB)
#define ADDRESSES_MAX	8	/* of one name */

struct metrics {
	int	 listeners[ADDRESSES_MAX];
	size_t	 listener_count;
	int	 stop;		/* eventfd: readable when the thread must end */
	pthread_t thread;
	struct {
		pthread_mutex_t lock;
		struct metrics_values values;
		struct client_line *clients;
	} locked;
};

/* --- the address --- */

/* Read "HOST:PORT" into host and port; host NULL: all addresses. */
static int
parse(const char *at, char **ret_host, char port[8], struct err *err)
{
	const char *colon = strrchr(at, ':');
	const char *number = colon == NULL ? at : colon + 1;
	size_t len = colon == NULL ? 0 : (size_t)(colon - at);
	size_t digits = strspn(number, "0123456789");
	bool brackets = len > 2 && at[0] == '[' && at[len - 1] == ']';

	if (digits == 0 || digits > 5 || number[digits] != '\0' ||
	    strtoul(number, NULL, 10) > 65535 || (colon != NULL && len == 0) ||
	    (!brackets && len > 0 && memchr(at, ':', len) != NULL))
		return err_set(err, ERR_CONFIG, 0, "metrics is PORT or "
		    "HOST:PORT, not \"%s\"", at);
	snprintf(port, 8, "%s", number);
	if (colon == NULL)
		*ret_host = xstrdup("127.0.0.1");
	else if (brackets)
		*ret_host = xstrndup(at + 1, len - 2);
	else
		*ret_host = len == 1 && at[0] == '*' ? NULL :
		    xstrndup(at, len);
	return 0;
}

static int
listen_at(const struct addrinfo *a)
{
	int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, a->ai_protocol), one = 1, saved;

	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* IPv4 addresses get a socket of their own. */
	if (a->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, 16) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static void
close_listeners(struct metrics *m)
{
	while (m->listener_count > 0)
		close_fd(&m->listeners[--m->listener_count]);
}

/* A name may stand for addresses that this host lacks: IPv6 addresses,
 * mostly. */
static bool
is_foreign(int code)
{
	return code == EADDRNOTAVAIL || code == EAFNOSUPPORT;
}

/* Listen at each address of the list that this host has. An address in use
 * fails the whole list: another program would answer some of the clients that
 * use the name. If the kernel chooses the port, listen at a single address. */
static int
listen_all(struct metrics *m, const struct addrinfo *list, bool any_port,
    const char *at, struct err *err)
{
	int code = EADDRNOTAVAIL;

	for (const struct addrinfo *a = list; a != NULL; a = a->ai_next) {
		int fd;

		if (m->listener_count == (any_port ? 1 : ADDRESSES_MAX))
			break;
		fd = listen_at(a);
		if (fd != -1) {
			m->listeners[m->listener_count++] = fd;
			continue;
		}
		code = errno;
		if (!is_foreign(code)) {
			close_listeners(m);
			break;
		}
	}
	if (m->listener_count == 0)
		return err_errno(err, ERR_CONFIG, code, "metrics at %s", at);
	return 0;
}

static int
open_listeners(struct metrics *m, const char *at, struct err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_PASSIVE }, *list = NULL;
	AUTOFREE char *host = NULL;
	char port[8];
	int rc;

	if (parse(at, &host, port, err) == -1)
		return -1;
	rc = getaddrinfo(host, port, &hints, &list);
	if (rc != 0)
		return err_set(err, ERR_CONFIG, 0, "metrics at %s: %s", at,
		    gai_strerror(rc));
	rc = listen_all(m, list, strtoul(port, NULL, 10) == 0, at, err);
	freeaddrinfo(list);
	return rc;
}

/* --- a connection --- */

struct talk {
	struct metrics *m;
	int	 fd;
	uint64_t until_ms;
};

/* Return false if the time is up or the server must end. */
static bool
wait_for(const struct talk *t, short events)
{
	struct pollfd fds[2] = {
		{ .fd = t->fd, .events = events },
		{ .fd = t->m->stop, .events = POLLIN },
	};
	uint64_t now = clock_mono_ms();
	int n;

	if (now >= t->until_ms)
		return false;
	n = poll(fds, ARRAY_LEN(fds), (int)(t->until_ms - now));
	if (n == -1)
		return errno == EINTR;
	return n > 0 && fds[1].revents == 0;
}

static void
send_all(const struct talk *t, struct str s)
{
	while (s.len > 0) {
		ssize_t n = send(t->fd, s.p, s.len, MSG_NOSIGNAL);

		if (n > 0) {
			s.p += n;
			s.len -= (size_t)n;
		} else if (n == -1 && errno != EINTR && errno != EAGAIN) {
			return;
		} else if (!wait_for(t, POLLOUT)) {
			return;
		}
	}
}

/* Read the head of the request; false if the head arrives incomplete. */
static bool
read_head(const struct talk *t, char head[REQUEST_MAX + 1])
{
	size_t len = 0;

	head[0] = '\0';
	while (strstr(head, "\r\n\r\n") == NULL &&
	    strstr(head, "\n\n") == NULL) {
		ssize_t n;

		if (len == REQUEST_MAX || !wait_for(t, POLLIN))
			return false;
		n = recv(t->fd, head + len, REQUEST_MAX - len, 0);
		if (n == -1 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return false;
		len += (size_t)n;
		head[len] = '\0';
		if (strlen(head) != len)
			return false;	/* a head has no NUL byte */
	}
	return true;
}

static void
add_page(struct metrics *m, struct buf *b)
{
	pthread_mutex_lock(&m->locked.lock);
	metrics_text(b, &m->locked.values);
	pthread_mutex_unlock(&m->locked.lock);
}

static void
answer(const struct talk *t, const char *head)
{
	bool only_head = strncmp(head, "HEAD ", 5) == 0;
	bool get = only_head || strncmp(head, "GET ", 4) == 0;
	const char *path = head + (only_head ? 5 : 4);
	size_t len = get ? strcspn(path, " ?\r\n") : 0;
	const char *status = "200 OK";
	struct buf b CLEANUP(buf_release), page CLEANUP(buf_release);

	buf_init(&b, PAGE_MAX);
	buf_init(&page, PAGE_MAX);
	if (!get) {
		status = "405 Method Not Allowed";
		buf_addstr(&page, "GET it\n");
	} else if (str_eq((struct str){ path, len }, STR("/metrics"))) {
		add_page(t->m, &page);
	} else {
		status = "404 Not Found";
		buf_addstr(&page, "see /metrics\n");
	}
	buf_addf(&b, "HTTP/1.0 %s\r\nContent-Type: text/plain; version=0.0.4; "
	    "charset=utf-8\r\nContent-Length: %zu\r\n%sConnection: close\r\n"
	    "\r\n", status, page.len, get ? "" : "Allow: GET, HEAD\r\n");
	if (!only_head)
		buf_add(&b, page.data, page.len);
	send_all(t, buf_str(&b));
}

static void
serve(struct metrics *m, int fd)
{
	struct talk t = { .m = m, .fd = fd,
	    .until_ms = clock_mono_ms() + TIME_LIMIT_MS };
	char head[REQUEST_MAX + 1];

	if (!read_head(&t, head))
		return;
	answer(&t, head);
	/* Read until the client has the whole answer: a close with unread
	 * bytes would reset the connection and lose the answer. */
	shutdown(fd, SHUT_WR);
	while (wait_for(&t, POLLIN) && recv(fd, head, sizeof(head), 0) > 0)
		;
}

/* Serve a connection of the listener; false if the process has no free
 * descriptor. */
static bool
serve_one(struct metrics *m, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd == -1)
		return errno != EMFILE && errno != ENFILE;
	serve(m, fd);
	close(fd);
	return true;
}

static void *
thread(void *arg)
{
	struct metrics *m = arg;
	struct pollfd fds[ADDRESSES_MAX + 1] = {
		{ .fd = m->stop, .events = POLLIN },
	};

	for (size_t i = 0; i < m->listener_count; i++)
		fds[i + 1] = (struct pollfd){ .fd = m->listeners[i],
		    .events = POLLIN };
	for (;;) {
		if (poll(fds, m->listener_count + 1, -1) == -1)
			continue;
		if (fds[0].revents != 0)
			return NULL;
		for (size_t i = 0; i < m->listener_count; i++)
			if (fds[i + 1].revents != 0 &&
			    !serve_one(m, m->listeners[i]))
				/* Wait: transfers of this process will
				 * close descriptors. */
				poll(&fds[0], 1, 1000);
	}
}

/* --- the owner's side --- */

int
metrics_open(struct metrics **ret, const char *at, struct err *err)
{
	struct metrics *m = xcalloc(1, sizeof(*m));

	if (open_listeners(m, at, err) == -1) {
		free(m);
		return -1;
	}
	m->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	m->locked.values.operation = "";
	pthread_mutex_init(&m->locked.lock, NULL);
	if (m->stop == -1 ||
	    pthread_create(&m->thread, NULL, thread, m) != 0) {
		close_listeners(m);
		close_fd(&m->stop);
		pthread_mutex_destroy(&m->locked.lock);
		free(m);
		return err_set(err, ERR_RESOURCE, 0, "no thread for metrics");
	}
	*ret = m;
	return 0;
}

unsigned
metrics_port(const struct metrics *m)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a = { .any.sa_family = AF_UNSPEC };
	socklen_t len = sizeof(a);

	if (m == NULL || getsockname(m->listeners[0], &a.any, &len) == -1)
		return 0;
	return ntohs(a.any.sa_family == AF_INET6 ? a.v6.sin6_port :
	    a.v4.sin_port);
}

static void
up(uint64_t *now, uint64_t before)
{
	*now = MAX(*now, before);
}

void
metrics_set(struct metrics *m, const struct metrics_values *v)
{
	struct metrics_values *now;
	struct metrics_values was;

	if (m == NULL)
		return;
	pthread_mutex_lock(&m->locked.lock);
	now = &m->locked.values;
	was = *now;
	*now = *v;
	up(&now->totals.found, was.totals.found);
	up(&now->totals.moved, was.totals.moved);
	up(&now->totals.unchanged, was.totals.unchanged);
	up(&now->totals.failed, was.totals.failed);
	up(&now->totals.excluded, was.totals.excluded);
	up(&now->totals.deleted, was.totals.deleted);
	up(&now->totals.found_bytes, was.totals.found_bytes);
	up(&now->totals.bytes, was.totals.bytes);
	up(&now->totals.dirs, was.totals.dirs);
	up(&now->requests, was.requests);
	up(&now->retries, was.retries);
	up(&now->slowdowns, was.slowdowns);
	up(&now->bytes_sent, was.bytes_sent);
	up(&now->bytes_received, was.bytes_received);
	up(&now->bytes_read, was.bytes_read);
	now->client_count = MIN(v->client_count, (size_t)CLIENTS_SHOWN_MAX);
	m->locked.clients = xreallocarray(m->locked.clients,
	    now->client_count + 1, sizeof(*m->locked.clients));
	if (now->client_count > 0)
		memcpy(m->locked.clients, v->clients, now->client_count *
		    sizeof(*m->locked.clients));
	now->clients = m->locked.clients;
	pthread_mutex_unlock(&m->locked.lock);
}

void
metrics_close(struct metrics **mp)
{
	struct metrics *m = *mp;

	if (m == NULL)
		return;
	if (eventfd_write(m->stop, 1) == -1)
		abort();	/* impossible: the counter is far from full */
	pthread_join(m->thread, NULL);
	close_listeners(m);
	close_fd(&m->stop);
	pthread_mutex_destroy(&m->locked.lock);
	free(m->locked.clients);
	free(m);
	*mp = NULL;
}
