#include "kit/wire.h"

const uint8_t key[TLS_KEY_LEN] = "0123456789abcdef0123456789abcdef"
    "0123456789abcde";
const uint8_t wrong_key[TLS_KEY_LEN] = "another";

struct wire_msg
hello(void)
{
	return (struct wire_msg){ .type = WIRE_HELLO, .u.hello = {
	    .protocol = WIRE_PROTOCOL,
	    .version = (char *)(uintptr_t)"1.2.3",
	    .host = (char *)(uintptr_t)"here", .pid = 77, .client = 5 } };
}

bool
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

int
setup_world(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	struct err err = ERR_INIT;

	if (wire_listen(&w->l, "127.0.0.1", 0, key, &err) == -1)
		fail_msg("%s", err.msg);
	*state = w;
	return 0;
}

void
drop_side(struct side *s)
{
	wire_close(&s->peer);
	wire_msg_release(&s->last);
}

int
teardown_world(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < w->count; i++)
		drop_side(&w->in[i]);
	wire_listen_free(&w->l);
	free(w);
	return 0;
}

void
service(struct side *s)
{
	if (s->peer == NULL || s->ended)
		return;
	if (wire_service(s->peer, on_message, s, &s->err) == -1)
		s->ended = true;
}

void
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

void
dial(struct world *w, struct side *s, const uint8_t *with)
{
	struct err err = ERR_INIT;

	memset(s, 0, sizeof(*s));
	if (wire_dial(&s->peer, "127.0.0.1", wire_port(w->l), with,
	    &err) == -1)
		fail_msg("%s", err.msg);
}

void
join(struct world *w, struct side *s)
{
	struct wire_msg m = hello();

	w->answer = true;
	dial(w, s, key);
	wire_send(s->peer, &m);
	UNTIL(w, s, 1, s->got[WIRE_WELCOME] == 1 || s->ended);
	assert_string_equal(s->err.msg, "");
}

int
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

bool
raw_ended(int fd)
{
	char c[256];
	ssize_t n;

	do
		n = recv(fd, c, sizeof(c), 0);
	while (n > 0);
	return n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}
