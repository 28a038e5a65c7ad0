/*
 * What the tests of connections share: a listener on loopback and the peers
 * that it has got, others who dial it, and one turn of all of them. One
 * thread; each wait ends with what it waits for, and has a limit only so that
 * a fault ends the test.
 */
#ifndef KIT_WIRE_H
#define KIT_WIRE_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
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

static inline struct wire_msg
hello(void)
{
	return (struct wire_msg){ .type = WIRE_HELLO, .u.hello = {
	    .protocol = WIRE_PROTOCOL,
	    .version = (char *)(uintptr_t)"1.2.3",
	    .host = (char *)(uintptr_t)"here", .pid = 77, .client = 5 } };
}

static inline bool
on_message(void *arg, struct wire_msg *m)
{
	struct side *s = arg;

	s->got[m->type]++;
	wire_msg_release(&s->last);
	s->last = *m;
	memset(m, 0, sizeof(*m));
	return !s->stop;
}

static inline void
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

static inline int
setup_world(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	struct err err = ERR_INIT;

	if (wire_listen(&w->l, "127.0.0.1", 0, key, &err) == -1)
		fail_msg("%s", err.msg);
	*state = w;
	return 0;
}

static inline void
drop_side(struct side *s)
{
	wire_close(&s->peer);
	wire_msg_release(&s->last);
}

static inline int
teardown_world(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < w->count; i++)
		drop_side(&w->in[i]);
	wire_listen_free(&w->l);
	free(w);
	return 0;
}

static inline void
service(struct side *s)
{
	if (s->peer == NULL || s->ended)
		return;
	if (wire_service(s->peer, on_message, s, &s->err) == -1)
		s->ended = true;
}

/* Wait for something to do, up to 20 ms, and do it: only where poll says that
 * there is something. */
static inline void
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

static inline void
dial(struct world *w, struct side *s, const uint8_t *with)
{
	struct err err = ERR_INIT;

	memset(s, 0, sizeof(*s));
	if (wire_dial(&s->peer, "127.0.0.1", wire_port(w->l), with,
	    &err) == -1)
		fail_msg("%s", err.msg);
}

/* Connected, with HELLO and WELCOME. */
static inline void
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
static inline int
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
static inline bool
raw_ended(int fd)
{
	char c[256];
	ssize_t n;

	do
		n = recv(fd, c, sizeof(c), 0);
	while (n > 0);
	return n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup_world, teardown_world)

#endif
