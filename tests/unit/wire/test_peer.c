/*
 * Connections over loopback: the right key, the wrong one, frames of all
 * sorts.
 */
#include "kit/wire.h"

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

/* A port that somebody has, an address that isn't ours, no address at all. */
static void
test_cannot_listen(void **state)
{
	struct world *w = *state;
	struct wire_listener *l = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(wire_listen(&l, "127.0.0.1", wire_port(w->l), key,
	    &err), -1);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_int_equal(err.code, EADDRINUSE);
	assert_non_null(strstr(err.msg, "127.0.0.1:"));
	assert_int_equal(wire_listen(&l, "192.0.2.1", 0, key, &err), -1);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_int_equal(wire_listen(&l, "abcdefghijklmnopqrstuvwxyz"
	    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", 0, key,
	    &err), -1);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_null(l);
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
	forge_send(&f, "\0\0\0\x9\xc" "12345678" "\0\0\0\xa\xc"
	    "12345678x", 27);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_hello),
		TEST(test_wrong_key),
		TEST(test_nobody_there),
		TEST(test_name_and_ipv6),
		TEST(test_cannot_listen),
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
