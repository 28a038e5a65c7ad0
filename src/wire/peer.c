#include "wire/peer.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "wire/codec.h"

/* Bytes read in a call, at most, so that no peer waits long. */
#define READ_BYTES	(1U << 20)
/* Bytes encrypted ahead of the network, and bytes encrypted in a step. */
#define AHEAD_BYTES	(256U << 10)
#define GO_BYTES	(64U << 10)
/* An empty buffer larger than this size is freed. */
#define KEEP_BYTES	(1U << 20)

enum peer_state {
	PEER_CONNECTING = 0,
	PEER_HANDSHAKE,
	PEER_OPEN,
	PEER_ENDED
};

/* A buffer whose bytes are taken from the front. */
struct queue {
	struct buf buf;
	size_t	 begin;
};

struct wire_peer {
	int	 fd;
	enum peer_state state;
	bool	 accepted;	/* accept large frames */
	bool	 more;		/* more can be done without waiting */
	struct tls *tls;
	struct queue in;	/* frames received */
	struct queue out;	/* frames to send */
	struct err failed;	/* error of a message that can't be sent */
	struct addrinfo *addresses;	/* addresses of a host that is
					   dialled */
	struct addrinfo *next;		/* next address to try */
	char	 name[300];
};

/* --- queues --- */

static void
queue_init(struct queue *q)
{
	buf_init(&q->buf, SIZE_MAX / 4);
	q->begin = 0;
}

/* Wipe the buffer before release: queues have held secrets (SETUP). */
static void
queue_release(struct queue *q)
{
	if (q->buf.data != NULL)
		explicit_bzero(q->buf.data, q->buf.cap);
	buf_release(&q->buf);
	q->begin = 0;
}

static size_t
queue_len(const struct queue *q)
{
	return q->buf.len - q->begin;
}

static const char *
queue_data(const struct queue *q)
{
	return q->buf.data + q->begin;
}

static void
queue_take(struct queue *q, size_t len)
{
	q->begin += len;
	if (q->begin < q->buf.len)
		return;
	if (q->buf.cap > KEEP_BYTES) {
		queue_release(q);
	} else {
		buf_clear(&q->buf);
		q->begin = 0;
	}
}

/* Move the remaining bytes to the front, if that costs less than the taken
 * bytes did. */
static void
queue_tidy(struct queue *q)
{
	size_t left = queue_len(q);

	if (q->begin == 0 || q->begin < left)
		return;
	memmove(q->buf.data, q->buf.data + q->begin, left);
	q->buf.len = left;
	q->begin = 0;
}

/* --- beginning and end --- */

static void
set_options(int fd)
{
	int on = 1;

	/* Both options are optional: ignore errors. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

static void
name_address(const struct sockaddr *sa, socklen_t len, char *out,
    size_t outlen)
{
	char host[64], port[16];

	if (getnameinfo(sa, len, host, sizeof(host), port, sizeof(port),
	    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		snprintf(out, outlen, "?");
	else if (strncmp(host, "::ffff:", 7) == 0 && strchr(host, '.') != NULL)
		snprintf(out, outlen, "%s:%s", host + 7, port);
	else
		snprintf(out, outlen, strchr(host, ':') == NULL ? "%s:%s" :
		    "[%s]:%s", host, port);
}

static int
make_peer(struct wire_peer **ret, const struct tls_context *c, int fd,
    struct err *err)
{
	struct wire_peer *p = xcalloc(1, sizeof(*p));

	p->fd = fd;
	queue_init(&p->in);
	queue_init(&p->out);
	if (tls_new(&p->tls, c, err) == -1) {
		wire_close(&p);
		return -1;
	}
	*ret = p;
	return 0;
}

int
peer_new(struct wire_peer **ret, const struct tls_context *c, int fd,
    const struct sockaddr *sa, socklen_t len, struct err *err)
{
	if (make_peer(ret, c, fd, err) == -1)
		return -1;
	set_options(fd);
	name_address(sa, len, (*ret)->name, sizeof((*ret)->name));
	(*ret)->state = PEER_HANDSHAKE;
	return 0;
}

/* Begin to connect to the next address. Return the last error if no address is
 * left. */
static int
connect_next(struct wire_peer *p, int error, struct err *err)
{
	while (p->next != NULL) {
		const struct addrinfo *a = p->next;

		p->next = a->ai_next;
		close_fd(&p->fd);
		p->fd = socket(a->ai_family,
		    a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
		    a->ai_protocol);
		if (p->fd == -1) {
			error = errno;
			continue;
		}
		set_options(p->fd);
		if (connect(p->fd, a->ai_addr, a->ai_addrlen) == 0 ||
		    errno == EINPROGRESS || errno == EINTR)
			return 0;
		error = errno;
	}
	return err_errno(err, ERR_UNREACHABLE, error, "%s", p->name);
}

int
wire_dial(struct wire_peer **ret, const char *host, unsigned port,
    const uint8_t key[TLS_KEY_LEN], struct err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV };
	struct tls_context *c = NULL;
	struct wire_peer *p = NULL;
	char service[16];
	int rc;

	if (tls_context_new(&c, TLS_CLIENT, key, err) == -1)
		return -1;
	rc = make_peer(&p, c, -1, err);
	tls_context_free(&c);
	if (rc == -1)
		return -1;
	/* Accept large frames from a host that we dialled: TLS proves its key
	 * before the first frame. */
	p->accepted = true;
	snprintf(p->name, sizeof(p->name),
	    strchr(host, ':') == NULL ? "%.256s:%u" : "[%.256s]:%u", host,
	    port);
	snprintf(service, sizeof(service), "%u", port);
	rc = getaddrinfo(host, service, &hints, &p->addresses);
	if (rc != 0) {
		p->addresses = NULL;
		rc = err_set(err, ERR_UNREACHABLE, rc, "%s: %s", p->name,
		    rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
	} else {
		p->next = p->addresses;
		rc = connect_next(p, EADDRNOTAVAIL, err);
	}
	if (rc == -1) {
		wire_close(&p);
		return -1;
	}
	*ret = p;
	return 0;
}

void
wire_accept(struct wire_peer *p)
{
	p->accepted = true;
}

int
wire_fd(const struct wire_peer *p)
{
	return p->fd;
}

const char *
wire_name(const struct wire_peer *p)
{
	return p->name;
}

bool
peer_proved(const struct wire_peer *p)
{
	return tls_proved(p->tls);
}

size_t
wire_queued(const struct wire_peer *p)
{
	return queue_len(&p->out) + tls_output(p->tls).len;
}

short
wire_events(const struct wire_peer *p)
{
	bool out = p->state == PEER_CONNECTING || p->more ||
	    tls_output(p->tls).len > 0 || p->failed.kind != ERR_NONE ||
	    (p->state == PEER_OPEN && queue_len(&p->out) > 0);

	return (short)((p->state == PEER_CONNECTING ? 0 : POLLIN) |
	    (out ? POLLOUT : 0));
}

void
wire_send(struct wire_peer *p, const struct wire_msg *m)
{
	size_t before;

	if (p->state == PEER_ENDED || p->failed.kind != ERR_NONE)
		return;
	queue_tidy(&p->out);
	before = p->out.buf.len;
	wire_encode(&p->out.buf, m);
	if (p->out.buf.len - before - 4 > WIRE_FRAME_MAX)
		err_set(&p->failed, ERR_BUG, 0,
		    "%s: a message %s of %zu bytes is too large", p->name,
		    wire_type_name(m->type), p->out.buf.len - before);
}

/* --- the network --- */

static int
network_failed(const struct wire_peer *p, int error, struct err *err)
{
	return err_errno(err, ERR_UNREACHABLE, error, "%s", p->name);
}

static int
finish_connect(struct wire_peer *p, struct err *err)
{
	struct pollfd pfd = { .fd = p->fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int error = 0;

	if (poll(&pfd, 1, 0) < 1)
		return 0;
	if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error != 0)
		return connect_next(p, error, err);
	freeaddrinfo(p->addresses);
	p->addresses = p->next = NULL;
	p->state = PEER_HANDSHAKE;
	return 0;
}

/* Send the output of TLS, until send(2) would block. */
static int
send_output(struct wire_peer *p, struct err *err)
{
	struct str out = tls_output(p->tls);

	while (out.len > 0) {
		ssize_t n = send(p->fd, out.p, out.len, MSG_NOSIGNAL);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n == -1)
			return network_failed(p, errno, err);
		tls_sent(p->tls, (size_t)n);
		out = tls_output(p->tls);
	}
	return 0;
}

/* Encrypt and send queued messages. */
static int
flush(struct wire_peer *p, struct err *err)
{
	size_t n;

	if (p->failed.kind != ERR_NONE)
		return err_set(err, p->failed.kind, 0, "%s", p->failed.msg);
	for (;;) {
		while (p->state == PEER_OPEN &&
		    tls_output(p->tls).len < AHEAD_BYTES &&
		    (n = MIN(queue_len(&p->out), GO_BYTES)) > 0) {
			if (tls_write(p->tls, queue_data(&p->out), n,
			    err) == -1)
				return err_wrap(err, "%s", p->name);
			queue_take(&p->out, n);
		}
		if (tls_output(p->tls).len == 0)
			return 0;
		if (send_output(p, err) == -1)
			return -1;
		if (tls_output(p->tls).len > 0)
			return 0;
	}
}

static int
handshake(struct wire_peer *p, struct err *err)
{
	int r = tls_handshake(p->tls, err);

	if (r == -1)
		return err_wrap(err, "%s", p->name);
	if (r == 1)
		p->state = PEER_OPEN;
	return 0;
}

/* Give complete frames to fn. Return 1 if fn wants no more frames. */
static int
take_frames(struct wire_peer *p, wire_msg_fn *fn, void *arg, struct err *err)
{
	while (queue_len(&p->in) >= 4) {
		const uint8_t *d = (const void *)queue_data(&p->in);
		size_t len = (size_t)d[0] << 24 | (size_t)d[1] << 16 |
		    (size_t)d[2] << 8 | d[3];
		struct wire_msg m;
		bool on;

		if (len < 1 || len > (p->accepted ? WIRE_FRAME_MAX :
		    WIRE_HELLO_MAX))
			return err_set(err, ERR_PEER, 0,
			    "%s: a frame of %zu bytes", p->name, len);
		if (queue_len(&p->in) < 4 + len)
			break;
		if (wire_decode(&m, d[4], (struct str){
		    (const char *)d + WIRE_HEAD, len - 1 }, err) == -1)
			return err_wrap(err, "%s", p->name);
		queue_take(&p->in, 4 + len);
		on = fn(arg, &m);
		wire_msg_release(&m);
		if (!on)
			return 1;
	}
	queue_tidy(&p->in);
	return 0;
}

/* Decrypt what TLS has received, and give the frames to fn. */
static int
decrypt(struct wire_peer *p, wire_msg_fn *fn, void *arg, struct err *err)
{
	char plain[16 << 10];
	ptrdiff_t n;
	int r;

	if (p->state == PEER_HANDSHAKE && handshake(p, err) == -1)
		return -1;
	while (p->state == PEER_OPEN) {
		n = tls_read(p->tls, plain, sizeof(plain), err);
		if (n == -1)
			return err_wrap(err, "%s", p->name);
		if (n == 0)
			break;
		(void)buf_add(&p->in.buf, plain, (size_t)n);
		r = take_frames(p, fn, arg, err);
		if (r != 0)
			return r;
	}
	return 0;
}

static int
receive(struct wire_peer *p, wire_msg_fn *fn, void *arg, struct err *err)
{
	size_t sum = 0;

	while (sum < READ_BYTES) {
		size_t room;
		char *to = tls_room(p->tls, &room);
		ssize_t n;
		int r;

		assert(room > 0);
		n = recv(p->fd, to, room, 0);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n == -1)
			return network_failed(p, errno, err);
		if (n == 0)
			return err_set(err, ERR_UNREACHABLE, 0,
			    "%s: the other side closed the connection%s",
			    p->name, p->state == PEER_HANDSHAKE ?
			    " at once" : "");
		tls_fed(p->tls, (size_t)n);
		sum += (size_t)n;
		r = decrypt(p, fn, arg, err);
		if (r != 0)
			return r;
		if ((size_t)n < room)
			return 0;	/* all received bytes are read */
	}
	return 0;	/* poll reports further bytes */
}

/* Do everything that needs no waiting. Return 1 if fn wants no more frames. */
static int
step(struct wire_peer *p, wire_msg_fn *fn, void *arg, struct err *err)
{
	int r;

	if (p->state == PEER_CONNECTING && finish_connect(p, err) == -1)
		return -1;
	if (p->state == PEER_CONNECTING)
		return 0;
	/* First give fn the frames left from the call in which fn wanted no
	 * more. */
	r = take_frames(p, fn, arg, err);
	if (r == 0)
		r = decrypt(p, fn, arg, err);
	if (r == 0)
		r = receive(p, fn, arg, err);
	return r;
}

int
peer_service(struct wire_peer *p, wire_msg_fn *fn, void *arg, struct err *err)
{
	struct err last = ERR_INIT, unseen;
	int r;

	if (err == NULL)
		err = &unseen;
	if (p->state == PEER_ENDED)
		return err_set(err, ERR_UNREACHABLE, 0, "%s: closed", p->name);
	p->more = false;
	r = step(p, fn, arg, err);
	p->more = r == 1;
	if (r != -1 && flush(p, err) == -1) {
		/* After a failed send, read on: the last message of the other
		 * side may hold the reason. */
		if (r == 0 && step(p, fn, arg, &last) == -1 &&
		    last.kind != ERR_UNREACHABLE && err->kind != ERR_BUG)
			*err = last;
		r = -1;
	}
	if (r == -1) {
		(void)send_output(p, NULL);
		p->state = PEER_ENDED;
	}
	return r;
}

int
wire_service(struct wire_peer *p, wire_msg_fn *fn, void *arg, struct err *err)
{
	int r = peer_service(p, fn, arg, err);

	if (r == 1) {
		p->state = PEER_ENDED;
		return err_set(err, ERR_STOPPED, 0, "%s: stopped", p->name);
	}
	return r;
}

void
wire_close(struct wire_peer **pp)
{
	struct wire_peer *p = *pp;

	if (p == NULL)
		return;
	/* Send queued messages if that is possible without waiting. */
	if (p->state == PEER_OPEN && flush(p, NULL) == 0) {
		tls_end(p->tls);
		(void)send_output(p, NULL);
	}
	close_fd(&p->fd);
	tls_free(&p->tls);
	queue_release(&p->in);
	queue_release(&p->out);
	if (p->addresses != NULL)
		freeaddrinfo(p->addresses);
	free(p);
	*pp = NULL;
}
