/*
 * Connections over loopback: the right key, the wrong one, strangers of all
 * sorts. One thread; each wait ends with what it waits for, and has a limit
 * only so that a fault ends the test.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "wire/peer.h"

#define PATIENCE_MS 30000
#define PEERS	16

static const uint8_t key[WIRE_KEY_LEN] = "0123456789abcdef0123456789abcdef"
    "0123456789abcde";
static const uint8_t wrong_key[WIRE_KEY_LEN] = "another";

/* What one side of a connection got. */
struct side {
	struct wire_peer *peer;
	struct err err;		/* the end of it */
	bool	 ended;
	unsigned got[WIRE__MAX];
	struct wire_msg last;	/* released with the side */
	bool	 stop;		/* fn returns false */
};

struct world {
	struct wire_listener *l;
	uint64_t skip_ms;	/* added to the clock */
	bool	 answer;	/* WELCOME to who says HELLO */
	size_t	 count;		/* of those who said HELLO */
	struct side in[PEERS];	/* the listener's */
	struct wire_hello hello; /* the last; without its texts */
	char	 version[32];
};

static struct wire_msg
hello(void)
{
	return (struct wire_msg){ .type = WIRE_HELLO, .u.hello = {
	    .protocol = WIRE_PROTOCOL,
	    .version = (char *)(uintptr_t)"1.2.3",
	    .host = (char *)(uintptr_t)"here", .pid = 77, .client = 5 } };
}

static bool
on_message(void *arg, struct wire_msg *m)
{
	struct side *s = arg;

	s->got[m->type]++;
	wire_msg_release(&s->last);
	s->last = *m;
	memset(m, 0, sizeof(*m));
	return !s->stop;
}

static void
on_hello(void *arg, struct wire_peer *p, struct wire_hello *h)
{
	struct world *w = arg;
	struct wire_msg m = { .type = WIRE_WELCOME,
		.u.welcome = { .client = 9, .silence_ms = 30000 } };

	assert_true(w->count < PEERS);
	w->hello = *h;
	snprintf(w->version, sizeof(w->version), "%s", h->version);
	w->in[w->count++].peer = p;
	if (w->answer) {
		wire_accept(p);
		wire_send(p, &m);
	}
}

static int
setup_world(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	struct err err = ERR_INIT;

	if (wire_listen(&w->l, "127.0.0.1", 0, key, &err) == -1)
		fail_msg("%s", err.msg);
	*state = w;
	return 0;
}

static void
drop_side(struct side *s)
{
	wire_close(&s->peer);
	wire_msg_release(&s->last);
}

static int
teardown_world(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < w->count; i++)
		drop_side(&w->in[i]);
	wire_listen_free(&w->l);
	free(w);
	return 0;
}

static void
service(struct side *s)
{
	if (s->peer == NULL || s->ended)
		return;
	if (wire_service(s->peer, on_message, s, &s->err) == -1)
		s->ended = true;
}

/* Wait for something to do, up to 20 ms, and do it: only where poll says that
 * there is something. */
static void
turn(struct world *w, struct side *out, size_t count)
{
	struct pollfd fds[WIRE_STRANGERS_MAX + 1 + 2 * PEERS];
	struct side *sides[2 * PEERS];
	size_t first = wire_listen_fds(w->l, fds, WIRE_STRANGERS_MAX + 1);
	size_t n = 0;

	for (size_t k = 0; k < w->count + count; k++) {
		struct side *s = k < w->count ? &w->in[k] :
		    &out[k - w->count];

		if (s->peer == NULL || s->ended)
			continue;
		fds[first + n] = (struct pollfd){ .fd = wire_fd(s->peer),
			.events = wire_events(s->peer) };
		sides[n++] = s;
	}
	assert_true(poll(fds, first + n, 20) >= 0);
	wire_listen_service(w->l, clock_mono_ms() + w->skip_ms, on_hello, w);
	for (size_t i = 0; i < n; i++)
		if (fds[first + i].revents != 0)
			service(sides[i]);
}

#define UNTIL(w, out, count, what) do { \
	uint64_t end_ = clock_mono_ms() + PATIENCE_MS; \
	while (!(what)) { \
		turn(w, out, count); \
		if (clock_mono_ms() > end_) \
			fail_msg("waited too long for %s", #what); \
	} \
} while (0)

static void
dial(struct world *w, struct side *s, const uint8_t *with)
{
	struct err err = ERR_INIT;

	memset(s, 0, sizeof(*s));
	if (wire_dial(&s->peer, "127.0.0.1", wire_port(w->l), with,
	    &err) == -1)
		fail_msg("%s", err.msg);
}

/* Connected, with HELLO and WELCOME. */
static void
join(struct world *w, struct side *s)
{
	struct wire_msg m = hello();

	w->answer = true;
	dial(w, s, key);
	wire_send(s->peer, &m);
	UNTIL(w, s, 1, s->got[WIRE_WELCOME] == 1 || s->ended);
	assert_string_equal(s->err.msg, "");
}

/* A connection of somebody else. */
static int
raw_connect(struct world *w)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)wire_port(w->l)) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd != -1);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

/* The other side has ended it; what it sent before doesn't matter. */
static bool
raw_ended(int fd)
{
	char c[256];
	ssize_t n;

	do
		n = recv(fd, c, sizeof(c), 0);
	while (n > 0);
	return n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

static void
test_hello(void **state)
{
	struct world *w = *state;
	struct side c;

	join(w, &c);
	assert_int_equal(w->count, 1);
	assert_int_equal(w->hello.pid, 77);
	assert_int_equal(w->hello.client, 5);
	assert_string_equal(w->version, "1.2.3");
	assert_int_equal(c.last.u.welcome.client, 9);
	assert_int_equal(c.last.u.welcome.silence_ms, 30000);
	assert_int_equal(strncmp(wire_name(w->in[0].peer), "127.0.0.1:", 10),
	    0);
	drop_side(&c);
	UNTIL(w, NULL, 0, w->in[0].ended);
	assert_int_equal(w->in[0].err.kind, ERR_UNREACHABLE);
}

static void
test_wrong_key(void **state)
{
	struct world *w = *state;
	struct wire_msg m = hello();
	struct side c;

	dial(w, &c, wrong_key);
	wire_send(c.peer, &m);
	UNTIL(w, &c, 1, c.ended);
	assert_int_equal(c.err.kind, ERR_DENIED);
	assert_int_equal(w->count, 0);
	drop_side(&c);
	/* Others are served as before. */
	join(w, &c);
	drop_side(&c);
}

static void
test_nobody_there(void **state)
{
	struct world *w = *state;
	struct err err = ERR_INIT;
	struct side c;

	dial(w, &c, key);
	wire_close(&c.peer);
	UNTIL(w, NULL, 0, true);
	{
		unsigned port = wire_port(w->l);

		wire_listen_free(&w->l);
		memset(&c, 0, sizeof(c));
		assert_int_equal(wire_dial(&c.peer, "127.0.0.1", port, key,
		    &err), 0);
	}
	for (unsigned i = 0; i < 3000 && !c.ended; i++) {
		struct pollfd fd = { .fd = wire_fd(c.peer),
			.events = wire_events(c.peer) };

		poll(&fd, 1, 20);
		service(&c);
	}
	assert_true(c.ended);
	assert_int_equal(c.err.kind, ERR_UNREACHABLE);
	drop_side(&c);
	/* No name has so long a label: no name server is asked. */
	assert_int_equal(wire_dial(&c.peer, "abcdefghijklmnopqrstuvwxyz"
	    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", 1, key,
	    &err), -1);
	assert_int_equal(err.kind, ERR_UNREACHABLE);
}

/* A name has several addresses; IPv6 where nobody listens comes first. */
static void
test_name_and_ipv6(void **state)
{
	struct world *w = *state;
	struct err err = ERR_INIT;
	struct wire_msg m = hello();
	struct side c = { .peer = NULL };

	assert_int_equal(wire_dial(&c.peer, "localhost", wire_port(w->l), key,
	    &err), 0);
	wire_send(c.peer, &m);
	UNTIL(w, &c, 1, w->count == 1 || c.ended);
	assert_int_equal(w->count, 1);
	drop_side(&c);
	wire_listen_free(&w->l);
	/* All addresses: a host without IPv6 has the others. */
	assert_int_equal(wire_listen(&w->l, NULL, 0, key, &err), 0);
	join(w, &c);
	assert_int_equal(strncmp(wire_name(w->in[1].peer), "127.0.0.1:", 10),
	    0);
	drop_side(&c);
	wire_listen_free(&w->l);
	if (wire_listen(&w->l, "::1", 0, key, &err) == -1)
		return;	/* no IPv6 here */
	assert_int_equal(wire_dial(&c.peer, "::1", wire_port(w->l), key,
	    &err), 0);
	c.ended = false;
	wire_send(c.peer, &m);
	UNTIL(w, &c, 1, w->count == 3 || c.ended);
	assert_int_equal(strncmp(wire_name(w->in[2].peer), "[::1]:", 6), 0);
	drop_side(&c);
}

/* --- what strangers do --- */

static void
expect_dropped(struct world *w, const char *bytes, size_t len)
{
	int fd = raw_connect(w);

	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
	UNTIL(w, NULL, 0, raw_ended(fd));
	close(fd);
	assert_int_equal(w->count, 0);
}

static void
test_garbage(void **state)
{
	static const char http[] = "GET / HTTP/1.1\r\nHost: here\r\n\r\n";
	struct world *w = *state;
	char bytes[5000];
	struct side c;

	expect_dropped(w, http, sizeof(http) - 1);
	memset(bytes, 0, sizeof(bytes));
	expect_dropped(w, bytes, sizeof(bytes));
	memset(bytes, 0xff, sizeof(bytes));
	expect_dropped(w, bytes, sizeof(bytes));
	/* A record that says it is a large ClientHello, and isn't. */
	memcpy(bytes, "\x16\x03\x01\x10\x00\x01\x00\x0f\xfc\x03\x03", 11);
	expect_dropped(w, bytes, sizeof(bytes));
	join(w, &c);
	drop_side(&c);
}

/* Nothing comes, or a byte now and then: dropped when the time is over. */
static void
test_slow(void **state)
{
	struct world *w = *state;
	int silent = raw_connect(w), drip = raw_connect(w);
	struct side c;

	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(send(drip, "\x16\x03\x01\x01\x00" + (i % 5),
		    i < 5 ? 1 : 0, MSG_NOSIGNAL), i < 5 ? 1 : 0);
		turn(w, NULL, 0);
	}
	assert_false(raw_ended(silent));
	assert_false(raw_ended(drip));
	w->skip_ms = WIRE_HELLO_MS;
	UNTIL(w, NULL, 0, raw_ended(silent) && raw_ended(drip));
	close(silent);
	close(drip);
	/* One who knows the key and then says nothing, too. */
	w->skip_ms = 0;
	dial(w, &c, key);
	for (unsigned i = 0; i < 20; i++)
		turn(w, &c, 1);
	assert_false(c.ended);
	assert_int_equal(w->count, 0);
	w->skip_ms = WIRE_HELLO_MS;
	UNTIL(w, &c, 1, c.ended);
	assert_int_equal(c.err.kind, ERR_UNREACHABLE);
	drop_side(&c);
}

static void
test_many_silent(void **state)
{
	struct world *w = *state;
	struct pollfd fds[300];
	struct side c = { .peer = NULL };
	struct wire_msg m = hello();
	size_t ended = 0;
	int fd[200];

	for (size_t i = 0; i < 100; i++)
		fd[i] = raw_connect(w);
	/* In the middle of them, one who has the key. */
	dial(w, &c, key);
	for (size_t i = 100; i < 200; i++) {
		fd[i] = raw_connect(w);
		turn(w, &c, 1);
	}
	wire_send(c.peer, &m);
	UNTIL(w, &c, 1, w->count == 1 || c.ended);
	assert_int_equal(w->count, 1);
	/* The oldest went, one of them perhaps for him; the others are
	 * there: no more than may be. */
	UNTIL(w, &c, 1, raw_ended(fd[200 - WIRE_STRANGERS_MAX - 1]));
	for (size_t i = 0; i < 200; i++)
		ended += raw_ended(fd[i]);
	assert_in_range(ended, 200 - WIRE_STRANGERS_MAX,
	    200 - WIRE_STRANGERS_MAX + 1);
	assert_true(raw_ended(fd[0]) && !raw_ended(fd[199]));
	assert_int_equal(wire_listen_fds(w->l, fds, 300), 1 + 200 - ended);
	for (size_t i = 0; i < 200; i++)
		close(fd[i]);
	drop_side(&c);
}

/* 10,000 connections, as fast as they are taken: the one with the key gets
 * through meanwhile. */
static void
test_flood(void **state)
{
	struct world *w = *state;
	struct side c = { .peer = NULL };
	struct wire_msg m = hello();
	int fd[256];

	w->answer = true;
	for (size_t i = 0; i < 10000; i++) {
		if (i >= ARRAY_LEN(fd))
			close(fd[i % ARRAY_LEN(fd)]);
		fd[i % ARRAY_LEN(fd)] = raw_connect(w);
		if (i % 2 == 0)
			(void)send(fd[i % ARRAY_LEN(fd)], "\x16\x03\x01", 3,
			    MSG_NOSIGNAL);
		if (i == 4000) {
			dial(w, &c, key);
			wire_send(c.peer, &m);
		}
		if (i % 16 == 0)
			turn(w, &c, 1);
	}
	assert_int_equal(w->count, 1);
	assert_int_equal(c.got[WIRE_WELCOME], 1);
	assert_false(c.ended);
	for (size_t i = 0; i < ARRAY_LEN(fd); i++)
		close(fd[i]);
	drop_side(&c);
}

/* No descriptor left: poll isn't woken again and again, and those who wait
 * come later. */
static void
test_no_descriptors(void **state)
{
	struct world *w = *state;
	struct rlimit old, now;
	struct pollfd fds[WIRE_STRANGERS_MAX + 1];
	int one = raw_connect(w);
	struct side c;
	int spare;

	turn(w, NULL, 0);
	close(one);
	UNTIL(w, NULL, 0, wire_listen_fds(w->l, fds, 65) == 1);
	dial(w, &c, key);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	spare = dup(0);
	now = old;
	now.rlim_cur = (rlim_t)spare;
	close(spare);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
	UNTIL(w, NULL, 0, wire_listen_fds(w->l, fds, 65) == 0);
	turn(w, &c, 1);
	assert_int_equal(wire_listen_fds(w->l, fds, 65), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	w->skip_ms += 2000;
	UNTIL(w, &c, 1, wire_listen_fds(w->l, fds, 65) == 2);
	{
		struct wire_msg m = hello();

		wire_send(c.peer, &m);
	}
	UNTIL(w, &c, 1, w->count == 1);
	drop_side(&c);
}

/* Another message first; a frame that is too large for a stranger. */
static void
test_not_hello(void **state)
{
	struct world *w = *state;
	struct wire_msg m = { .type = WIRE_BEAT };
	char *text = xcalloc(1, WIRE_HELLO_MAX + 1);
	struct side c;

	dial(w, &c, key);
	wire_send(c.peer, &m);
	UNTIL(w, &c, 1, c.ended);
	assert_int_equal(c.err.kind, ERR_UNREACHABLE);
	assert_int_equal(w->count, 0);
	drop_side(&c);

	memset(text, 'x', WIRE_HELLO_MAX);
	m = hello();
	m.u.hello.host = text;
	dial(w, &c, key);
	wire_send(c.peer, &m);
	UNTIL(w, &c, 1, c.ended);
	assert_int_equal(w->count, 0);
	drop_side(&c);
	free(text);
}

/* --- frames --- */

/* A client made of the TLS engine alone, so that it can send any bytes. */
struct forger {
	struct tls *tls;
	int	 fd;
};

static void
forge_pump(struct forger *f)
{
	struct str out = tls_output(f->tls);
	struct err err = ERR_INIT;
	size_t room;
	ssize_t n;
	char *to;

	while (out.len > 0) {
		n = send(f->fd, out.p, out.len, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		tls_sent(f->tls, (size_t)n);
		out = tls_output(f->tls);
	}
	to = tls_room(f->tls, &room);
	n = recv(f->fd, to, room, 0);
	if (n > 0)
		tls_fed(f->tls, (size_t)n);
	assert_true(tls_handshake(f->tls, &err) != -1);
}

static void
forge(struct world *w, struct forger *f)
{
	struct tls_context *c = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(tls_context_new(&c, TLS_CLIENT, key, &err), 0);
	assert_int_equal(tls_new(&f->tls, c, &err), 0);
	tls_context_free(&c);
	f->fd = raw_connect(w);
	while (tls_handshake(f->tls, &err) == 0) {
		forge_pump(f);
		turn(w, NULL, 0);
	}
	assert_string_equal(err.msg, "");
}

static void
forge_send(struct forger *f, const void *p, size_t len)
{
	struct err err = ERR_INIT;

	assert_int_equal(tls_write(f->tls, p, len, &err), 0);
	forge_pump(f);
}

static void
forge_end(struct forger *f)
{
	tls_free(&f->tls);
	close(f->fd);
}

static void
forge_hello(struct world *w, struct forger *f)
{
	struct wire_msg m = hello();
	size_t before = w->count;
	struct buf b;

	forge(w, f);
	buf_init(&b, 1 << 20);
	wire_encode(&b, &m);
	forge_send(f, b.data, b.len);
	UNTIL(w, NULL, 0, w->count == before + 1);
	buf_release(&b);
}

static void
test_bad_frames(void **state)
{
	struct world *w = *state;
	struct forger f;

	/* Before HELLO was accepted. */
	forge(w, &f);
	forge_send(&f, "\xff\xff\xff\xff\1", 5);
	UNTIL(w, NULL, 0, raw_ended(f.fd));
	forge_end(&f);
	forge(w, &f);
	forge_send(&f, "\0\0\x10\1\1", 5);	/* 4,097 bytes */
	UNTIL(w, NULL, 0, raw_ended(f.fd));
	forge_end(&f);
	forge(w, &f);
	forge_send(&f, "\0\0\0\0\1", 5);
	UNTIL(w, NULL, 0, raw_ended(f.fd));
	forge_end(&f);
	assert_int_equal(w->count, 0);

	/* After. */
	w->answer = true;
	forge_hello(w, &f);
	forge_send(&f, "\xff\xff\xff\xff\1", 5);
	UNTIL(w, NULL, 0, w->in[0].ended);
	assert_int_equal(w->in[0].err.kind, ERR_PEER);
	forge_end(&f);
	forge_hello(w, &f);
	forge_send(&f, "\0\0\0\1\xc\0\0\0\2\xcx", 11);
	UNTIL(w, NULL, 0, w->in[1].ended);
	assert_int_equal(w->in[1].got[WIRE_BEAT], 1);
	assert_int_equal(w->in[1].err.kind, ERR_PEER);
	forge_end(&f);
	/* Half a frame, and away. */
	forge_hello(w, &f);
	forge_send(&f, "\0\0\1\0\xc\0\0\0\2\xcx", 11);
	turn(w, NULL, 0);
	assert_false(w->in[2].ended);
	forge_end(&f);
	UNTIL(w, NULL, 0, w->in[2].ended);
	assert_int_equal(w->in[2].err.kind, ERR_UNREACHABLE);
	/* Bytes that are no record. */
	forge_hello(w, &f);
	assert_int_equal(send(f.fd, "no record at all", 16, 0), 16);
	UNTIL(w, NULL, 0, w->in[3].ended);
	assert_int_equal(w->in[3].err.kind, ERR_PEER);
	forge_end(&f);
}

/* Frames in pieces of one byte, and many in one piece. */
static void
test_pieces(void **state)
{
	struct world *w = *state;
	struct wire_msg m = { .type = WIRE_NOTED, .u.noted = { 4711, 3 } };
	struct forger f;
	struct buf b;

	w->answer = true;
	forge_hello(w, &f);
	buf_init(&b, 1 << 20);
	for (unsigned i = 0; i < 1000; i++)
		wire_encode(&b, &m);
	for (size_t i = 0; i < 100; i++) {
		forge_send(&f, b.data + i, 1);
		turn(w, NULL, 0);
	}
	forge_send(&f, b.data + 100, b.len - 100);
	UNTIL(w, NULL, 0, w->in[0].got[WIRE_NOTED] == 1000 ||
	    w->in[0].ended);
	assert_int_equal(w->in[0].last.u.noted.object, 4711);
	assert_int_equal(w->in[0].last.u.noted.worker, 3);
	buf_release(&b);
	forge_end(&f);
}

/* Frames behind the HELLO in one go are not lost, though poll says nothing. */
static void
test_hello_and_more(void **state)
{
	struct world *w = *state;
	struct wire_msg m = hello(), beat = { .type = WIRE_BEAT };
	struct side c;

	dial(w, &c, key);
	wire_send(c.peer, &m);
	wire_send(c.peer, &beat);
	wire_send(c.peer, &beat);
	UNTIL(w, &c, 1, w->count == 1);
	UNTIL(w, &c, 1, w->in[0].got[WIRE_BEAT] == 2);
	assert_false(w->in[0].ended);
	drop_side(&c);
}

static void
fill_lease(struct wire_msg *m, size_t count, size_t text)
{
	memset(m, 0, sizeof(*m));
	m->type = WIRE_LEASE_PUT;
	m->u.lease_put.lease = 12;
	m->u.lease_put.count = count;
	m->u.lease_put.items = xcalloc(count, sizeof(struct item));
	for (size_t i = 0; i < count; i++) {
		struct item *it = &m->u.lease_put.items[i];

		it->object = (int64_t)i;
		it->path = xmalloc(text + 1);
		memset(it->path, 'a' + (char)(i % 26), text);
		it->path[text] = '\0';
	}
}

/* Large frames both ways, more than the sockets hold. */
static void
test_large(void **state)
{
	struct world *w = *state;
	struct wire_msg m;
	struct side c;
	size_t size;

	join(w, &c);
	fill_lease(&m, 8000, 900);
	size = wire_size(&m);
	assert_true(size > 7 * MIB && size - 4 <= WIRE_FRAME_MAX);
	for (unsigned i = 0; i < 3; i++) {
		wire_send(w->in[0].peer, &m);
		wire_send(c.peer, &m);
	}
	assert_true(wire_queued(c.peer) >= 3 * size);
	UNTIL(w, &c, 1, (c.got[WIRE_LEASE_PUT] == 3 &&
	    w->in[0].got[WIRE_LEASE_PUT] == 3) || c.ended);
	assert_string_equal(c.err.msg, "");
	assert_int_equal(wire_queued(c.peer), 0);
	assert_int_equal(c.last.u.lease_put.count, 8000);
	for (size_t i = 0; i < 8000; i++) {
		assert_int_equal(c.last.u.lease_put.items[i].object, i);
		assert_string_equal(c.last.u.lease_put.items[i].path,
		    m.u.lease_put.items[i].path);
	}
	wire_msg_release(&m);
	/* One that is too large is a fault of ours. */
	fill_lease(&m, 8000, 1100);
	wire_send(c.peer, &m);
	UNTIL(w, &c, 1, c.ended);
	assert_int_equal(c.err.kind, ERR_BUG);
	wire_msg_release(&m);
	drop_side(&c);
	UNTIL(w, &c, 0, w->in[0].ended);
}

/* What was queued last arrives although the connection is closed. */
static void
test_last_words(void **state)
{
	struct world *w = *state;
	struct wire_msg m = { .type = WIRE_REFUSED, .u.refused = {
	    .reason = (char *)(uintptr_t)"too old" } };
	struct side c;

	join(w, &c);
	wire_send(w->in[0].peer, &m);
	wire_close(&w->in[0].peer);
	UNTIL(w, &c, 1, c.ended);
	assert_int_equal(c.got[WIRE_REFUSED], 1);
	assert_string_equal(c.last.u.refused.reason, "too old");
	assert_int_equal(c.err.kind, ERR_UNREACHABLE);
	drop_side(&c);
}

/* The other side is gone: what waits can't be sent. Who doesn't want to know
 * why gives no struct err. */
static void
test_reset(void **state)
{
	struct world *w = *state;
	struct linger now = { .l_onoff = 1, .l_linger = 0 };
	struct side c;
	struct wire_msg m;

	for (unsigned k = 0; k < 2; k++) {
		struct side *s = &w->in[k];

		join(w, &c);
		fill_lease(&m, 1000, 900);
		for (unsigned i = 0; i < 20; i++)
			wire_send(s->peer, &m);
		wire_msg_release(&m);
		/* Full: it waits. */
		UNTIL(w, NULL, 0, !(wire_events(s->peer) & POLLOUT) ||
		    poll(&(struct pollfd){ .fd = wire_fd(s->peer),
		    .events = POLLOUT }, 1, 0) == 0);
		assert_int_equal(setsockopt(wire_fd(c.peer), SOL_SOCKET,
		    SO_LINGER, &now, sizeof(now)), 0);
		drop_side(&c);
		if (k == 0) {
			UNTIL(w, NULL, 0, s->ended);
			assert_int_equal(s->err.kind, ERR_UNREACHABLE);
		} else {
			poll(&(struct pollfd){ .fd = wire_fd(s->peer),
			    .events = POLLIN }, 1, PATIENCE_MS);
			assert_int_equal(wire_service(s->peer, on_message,
			    s, NULL), -1);
			s->ended = true;
		}
	}
}

static void
test_stopped(void **state)
{
	struct world *w = *state;
	struct wire_msg m = { .type = WIRE_BEAT };
	struct side c;

	join(w, &c);
	w->in[0].stop = true;
	wire_send(c.peer, &m);
	wire_send(c.peer, &m);
	UNTIL(w, &c, 1, w->in[0].ended);
	assert_int_equal(w->in[0].err.kind, ERR_STOPPED);
	assert_int_equal(w->in[0].got[WIRE_BEAT], 1);
	drop_side(&c);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup_world, teardown_world)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_hello),
		TEST(test_wrong_key),
		TEST(test_nobody_there),
		TEST(test_name_and_ipv6),
		TEST(test_garbage),
		TEST(test_slow),
		TEST(test_many_silent),
		TEST(test_flood),
		TEST(test_no_descriptors),
		TEST(test_not_hello),
		TEST(test_bad_frames),
		TEST(test_pieces),
		TEST(test_hello_and_more),
		TEST(test_large),
		TEST(test_last_words),
		TEST(test_reset),
		TEST(test_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
