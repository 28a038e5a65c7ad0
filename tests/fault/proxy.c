/*
 * proxy.c: a TCP proxy that makes faults on demand, for the system tests.
 *
 *	proxy [--raw] [--listen ADDRESS] [--log FILE] --to ADDRESS:PORT
 *
 * It listens on ports of its choice, of 127.0.0.1 or ADDRESS. The first
 * line on stdout says which: "listen PORT control PORT". Without --raw the
 * connections speak HTTP/1.1 and a rule meets one request and its answer;
 * with --raw (NFS) a rule meets what a connection carries from then on.
 *
 * A line on the control port gives an order; "ok" or "error: why" answers:
 *
 *	pass                          forget all rules
 *	stats                         counters as one line of JSON, then "ok"
 *	zero                          counters to 0
 *	[match TEXT[,TEXT...]] ACTION [ARGUMENT] [COUNT]
 *
 * Each TEXT stands somewhere in "METHOD TARGET"; COUNT is how many requests
 * (in --raw: connections) the rule meets, all if it isn't given. The first
 * rule that fits decides. Actions:
 *
 *	503 [COUNT|N%]       answer 503 SlowDown, the server sees nothing
 *	drop                 swallow the request, never answer
 *	delay MS             hold the request back
 *	reset-after N        reset when N bytes of the request went on
 *	truncate-reply N     reset when N bytes of the answer came back
 *	swallow-reply        reset instead of an answer: the work is done
 *	corrupt-request N    flip a bit in byte N of the body
 *	corrupt-reply N      the same in the answer's body
 *	corrupt-etag         change a digit of the answer's ETag
 *	refuse               close the listening port, reset what is open
 *	rate N               at most N bytes a second, all together
 *
 * --log FILE gets a line for each answer: "METHOD TARGET STATUS".
 */
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <strings.h>
#include <time.h>

#include "bytes.h"
#include "port.h"
#include "rule.h"

enum { CONN_MAX = 1024, RULE_MAX = 16, CONTROL_MAX = 8, BUF_SIZE = 65536 };

/* Bytes on their way in one direction. */
struct stream {
	size_t	 start, end;		/* of what is held */
	bool	 eof;
	char	 data[BUF_SIZE];
};

struct conn {
	int	 client, server;
	bool	 dead, close_when_sent;
	struct stream up, down;
	/* the request at hand */
	bool	 in_request;
	bool	 eat;			/* nothing of it goes on */
	uint64_t request_left;		/* bytes not forwarded yet */
	uint64_t sent;			/* bytes forwarded */
	uint64_t head_size;
	int64_t	 hold_until_ms;
	struct rule rule;
	char	 line[1200];		/* method and target, for the log */
	/* its answer */
	uint64_t received;
	unsigned head_match;		/* of "\r\n\r\n" */
	uint64_t body_received;
	uint64_t swallowed;		/* bytes of it taken away */
	bool	 chunked;
	char	 tail[5];		/* its last bytes, if so */
	char	 status[16];		/* "HTTP/1.1 200 ..." */
};

static struct conn *conns[CONN_MAX];
static struct rule rules[RULE_MAX];
static size_t rule_count;
static bool raw, refusing;
static uint64_t rate;			/* bytes a second; 0: any */
static double allowance;
static int64_t allowance_ms;
static int listen_fd = -1, control_fd = -1;
static struct sockaddr_in listen_at;
static struct sockaddr_in target;
static FILE *request_log;

/* What is counted; the methods come first. */
enum counter { GET = 0, PUT, POST, HEAD, DELETE, OTHER, CONNECTIONS, FAULTS,
	UP, DOWN, COUNTER__MAX };
static const char *const counter_names[COUNTER__MAX] = { "GET", "PUT", "POST",
	"HEAD", "DELETE", "other", "connections", "faults", "up", "down" };
static uint64_t counters[COUNTER__MAX];

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
conn_reset(struct conn *c)
{
	reset_fd(c->client);
	reset_fd(c->server);
	c->client = c->server = -1;
	c->dead = true;
}

static void
conn_close(struct conn *c)
{
	close(c->client);
	close(c->server);
	c->client = c->server = -1;
	c->dead = true;
}

static void
conn_accept(void)
{
	struct conn *c;
	size_t i;
	int fd, one = 1;

	fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd == -1)
		return;
	for (i = 0; i < CONN_MAX && conns[i] != NULL; i++)
		;
	if (i == CONN_MAX) {
		reset_fd(fd);
		return;
	}
	counters[CONNECTIONS]++;
	c = xcalloc(1, sizeof(*c));
	c->client = fd;
	c->server = socket(AF_INET,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->server == -1)
		die("socket: %s", strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(c->server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	conns[i] = c;
	if (connect(c->server, (struct sockaddr *)&target,
	    sizeof(target)) == -1 && errno != EINPROGRESS)
		conn_reset(c);
}

/* The first rule that fits this request, into c->rule. */
static void
choose_rule(struct conn *c)
{
	memset(&c->rule, 0, sizeof(c->rule));
	for (size_t i = 0; i < rule_count; i++) {
		struct rule *r = &rules[i];

		if (r->left == 0 || !rule_fits(r, c->line))
			continue;
		if (r->percent > 0 && (unsigned)(random() % 100) >= r->percent)
			continue;
		if (r->left > 0)
			r->left--;
		c->rule = *r;
		counters[FAULTS]++;
		return;
	}
}

static void
count_method(const char *line)
{
	size_t n = strcspn(line, " ");
	int i = GET;

	while (i < OTHER && (strlen(counter_names[i]) != n ||
	    memcmp(line, counter_names[i], n) != 0))
		i++;
	counters[i]++;
}

/* A line of the log; the status is what the client got, or a word. */
static void
log_answer(const struct conn *c, const char *status)
{
	if (request_log == NULL)
		return;
	fprintf(request_log, "%s %s\n", c->line, status);
	fflush(request_log);
}

static void
answer_slowdown(struct conn *c)
{
	static const char body[] = "<?xml version=\"1.0\"?>\n<Error>"
	    "<Code>SlowDown</Code><Message>Please reduce your request rate."
	    "</Message></Error>\n";
	int n;

	if (c->down.end != c->down.start)
		die("an answer overlaps the next request");
	n = snprintf(c->down.data, BUF_SIZE, "HTTP/1.1 503 Slow Down\r\n"
	    "Content-Type: application/xml\r\nContent-Length: %zu\r\n%s\r\n%s",
	    strncmp(c->line, "HEAD ", 5) == 0 ? 0 : sizeof(body) - 1,
	    c->close_when_sent ? "Connection: close\r\n" : "",
	    strncmp(c->line, "HEAD ", 5) == 0 ? "" : body);
	c->down.start = 0;
	c->down.end = (size_t)n;
	log_answer(c, "503");
}

static void
request_begins(struct conn *c)
{
	c->in_request = true;
	c->eat = c->rule.action == SLOWDOWN || c->rule.action == DROP;
	c->sent = c->received = c->body_received = c->swallowed = 0;
	c->head_match = 0;
	c->hold_until_ms = 0;
	memset(c->status, 0, sizeof(c->status));
	if (c->rule.action == DELAY)
		c->hold_until_ms = now_ms() + (int64_t)c->rule.number;
}

/* A complete head stands at the start of the upward stream: who may go on? */
static void
http_request(struct conn *c, size_t head_size)
{
	char *head = c->up.data + c->up.start;
	const char *end, *length, *expect;
	char last = head[head_size - 1];
	size_t n;

	head[head_size - 1] = '\0';
	end = strstr(head, " HTTP/1.");
	n = end == NULL ? 0 : (size_t)(end - head);
	n = MIN(n, sizeof(c->line) - 1);
	memcpy(c->line, head, n);
	c->line[n] = '\0';
	length = find_header(head, "\r\nContent-Length:");
	expect = find_header(head, "\r\nExpect:");
	c->head_size = head_size;
	c->request_left = head_size +
	    (length == NULL ? 0 : strtoull(length, NULL, 10));
	head[head_size - 1] = last;
	count_method(c->line);
	choose_rule(c);
	request_begins(c);
	/* Who asks first isn't told to go on: the body need not come. */
	if (c->rule.action == SLOWDOWN && expect != NULL) {
		c->close_when_sent = true;
		answer_slowdown(c);
		c->request_left = head_size;
	}
}

static void
request_ends(struct conn *c)
{
	c->in_request = false;
	if (c->rule.action == SLOWDOWN && !c->close_when_sent)
		answer_slowdown(c);
}

/* Look for a head in what came from the client. */
static void
find_request(struct conn *c)
{
	struct stream *s = &c->up;
	const char *p;

	if (raw) {
		if (c->rule.action == PASS)
			choose_rule(c);
		request_begins(c);
		c->head_size = 0;
		c->request_left = UINT64_MAX;
		return;
	}
	p = memmem(s->data + s->start, s->end - s->start, "\r\n\r\n", 4);
	if (p != NULL)
		http_request(c, (size_t)(p - s->data) + 4 - s->start);
	else if (s->end - s->start == BUF_SIZE)
		conn_reset(c);
}

static void
spend(size_t n)
{
	if (rate > 0)
		allowance -= (double)n;
}

/* Send what may go on of a request. */
static void
forward_up(struct conn *c)
{
	struct stream *s = &c->up;
	uint64_t n;
	ssize_t sent;

	while (!c->dead && s->start < s->end) {
		if (!c->in_request)
			find_request(c);
		if (c->dead || !c->in_request || now_ms() < c->hold_until_ms)
			return;
		n = MIN(s->end - s->start, c->request_left);
		if (c->rule.action == RESET_AFTER)
			n = MIN(n, c->rule.number - MIN(c->sent,
			    c->rule.number));
		if (c->rule.action == RESET_AFTER && n == 0) {
			log_answer(c, "reset");
			conn_reset(c);
			return;
		}
		sent = (ssize_t)n;
		if (!c->eat) {
			char *p = s->data + s->start;
			uint64_t at = c->head_size + c->rule.number;
			bool flip = c->rule.action == CORRUPT_REQUEST;

			if (flip)
				corrupt(p, c->sent, n, at);
			sent = send(c->server, p, n, MSG_NOSIGNAL);
			if (flip && sent < (ssize_t)n) {
				size_t done = sent < 0 ? 0 : (size_t)sent;

				corrupt(p + done, c->sent + done, n - done, at);
			}
		}
		if (sent == -1) {
			if (errno != EAGAIN && errno != EINTR)
				c->dead = true;
			return;
		}
		s->start += (size_t)sent;
		c->sent += (uint64_t)sent;
		c->request_left -= (uint64_t)sent;
		counters[UP] += (uint64_t)sent;
		if (c->request_left == 0)
			request_ends(c);
	}
}

/* Follow the answer's head up to where the body starts; returns how many of
 * the n bytes belong to it. */
static size_t
follow_head(struct conn *c, const char *p, size_t n)
{
	static const char end[] = "\r\n\r\n";
	size_t i;

	for (i = 0; i < n && c->head_match < 4; i++) {
		if (c->received + i < sizeof(c->status) - 1)
			c->status[c->received + i] = p[i];
		if (p[i] == end[c->head_match])
			c->head_match++;
		else
			c->head_match = p[i] == '\r' ? 1 : 0;
	}
	return i;
}

/* Take the head, or what there is of it, from the n bytes at p; returns its
 * size. An answer with status 1xx only announces the real one. */
static size_t
answer_head(struct conn *c, const char *p, size_t n)
{
	char status[4] = "";
	size_t head = 0;

	while (head < n && c->head_match < 4) {
		size_t got = follow_head(c, p + head, n - head);

		head += got;
		c->received += got;
		if (c->head_match < 4)
			break;
		memcpy(status, c->status + 9, 3);
		if (status[0] != '1') {
			log_answer(c, status);
			break;
		}
		c->received = 0;
		c->head_match = 0;
		memset(c->status, 0, sizeof(c->status));
	}
	return head;
}

/* Take the bytes of an answer away, and reset when the work is done: a server
 * that sends its answer in chunks begins before, and ends it after. */
static bool
swallow(struct conn *c, const char *p, size_t n)
{
	static const char last[] = "0\r\n\r\n";
	const size_t len = sizeof(last) - 1;

	if (c->swallowed == 0)
		c->chunked = memmem(p, n, "chunked", 7) != NULL;
	for (size_t i = n - MIN(n, len); i < n; i++) {
		memmove(c->tail, c->tail + 1, len - 1);
		c->tail[len - 1] = p[i];
	}
	c->swallowed += n;
	c->down.end -= n;
	if (c->chunked && memcmp(c->tail, last, len) != 0)
		return true;
	log_answer(c, "swallowed");
	conn_reset(c);
	return false;
}

/* n bytes of an answer came from the server and stand at the end of the
 * downward stream. Returns false when the rule says that the client doesn't
 * see all of them; then the connection is doomed. */
static bool
answer_bytes(struct conn *c, size_t n)
{
	struct stream *s = &c->down;
	char *p = s->data + s->end - n;
	size_t head = 0, body;
	bool announced = memcmp(c->status, "HTTP/1.1 1", 10) == 0 ||
	    (c->received == 0 && n >= 10 && memcmp(p, "HTTP/1.1 1", 10) == 0);

	if (c->rule.action == SWALLOW && !announced)
		return swallow(c, p, n);
	if (!raw && c->head_match < 4)
		head = answer_head(c, p, n);
	body = n - head;
	if (c->rule.action == CORRUPT_ETAG)
		corrupt_etag(p, head);
	if (c->rule.action == CORRUPT_REPLY)
		corrupt(p + head, c->body_received, body, c->rule.number);
	c->body_received += body;
	if (c->rule.action == TRUNCATE && !announced &&
	    c->received + c->body_received >= c->rule.number) {
		uint64_t over = c->received + c->body_received -
		    c->rule.number;

		s->end -= (size_t)MIN(over, n);
		return false;
	}
	return true;
}

static void
forward_down(struct conn *c)
{
	struct stream *s = &c->down;

	while (!c->dead && s->start < s->end) {
		ssize_t n = send(c->client, s->data + s->start,
		    s->end - s->start, MSG_NOSIGNAL);

		if (n == -1) {
			if (errno != EAGAIN && errno != EINTR)
				c->dead = true;
			return;
		}
		s->start += (size_t)n;
		counters[DOWN] += (uint64_t)n;
	}
	if (c->close_when_sent && s->start == s->end && !c->dead)
		conn_close(c);
}

/* Read into a stream; returns the number of bytes, 0 for none. */
static size_t
fill(struct conn *c, struct stream *s, int fd)
{
	ssize_t n;

	if (s->start == s->end)
		s->start = s->end = 0;
	if (s->start > 0 && s->end == BUF_SIZE) {
		memmove(s->data, s->data + s->start, s->end - s->start);
		s->end -= s->start;
		s->start = 0;
	}
	if (s->end == BUF_SIZE)
		return 0;
	n = recv(fd, s->data + s->end, BUF_SIZE - s->end, 0);
	if (n == 0)
		s->eof = true;
	if (n == -1 && errno != EAGAIN && errno != EINTR)
		conn_reset(c);
	if (n <= 0)
		return 0;
	s->end += (size_t)n;
	spend((size_t)n);
	return (size_t)n;
}

static void
conn_step(struct conn *c, short client_events, short server_events)
{
	size_t n;

	if (client_events & (POLLIN | POLLHUP | POLLERR))
		fill(c, &c->up, c->client);
	if (!c->dead)
		forward_up(c);
	if (!c->dead && (server_events & (POLLIN | POLLHUP | POLLERR))) {
		n = fill(c, &c->down, c->server);
		if (n > 0 && !answer_bytes(c, n)) {
			if (!c->dead) {
				forward_down(c);
				log_answer(c, "truncated");
				conn_reset(c);
			}
			return;
		}
	}
	if (!c->dead)
		forward_down(c);
	if (!c->dead && c->up.eof && c->up.start == c->up.end)
		conn_close(c);
	if (!c->dead && c->down.eof && c->down.start == c->down.end)
		conn_close(c);
}

static void
refuse(bool yes)
{
	if (yes && !refusing) {
		close(listen_fd);
		listen_fd = -1;
		for (size_t i = 0; i < CONN_MAX; i++)
			if (conns[i] != NULL && !conns[i]->dead)
				conn_reset(conns[i]);
	} else if (!yes && refusing) {
		listen_fd = open_port(&listen_at);
	}
	refusing = yes;
}

/* New orders hold for connections that are open, too. */
static void
forget_rules(void)
{
	rule_count = 0;
	rate = 0;
	refuse(false);
	if (!raw)
		return;
	for (size_t i = 0; i < CONN_MAX; i++) {
		if (conns[i] != NULL) {
			memset(&conns[i]->rule, 0, sizeof(conns[i]->rule));
			conns[i]->in_request = conns[i]->eat = false;
		}
	}
}

static const char *
add_rule(char *line)
{
	const char *why = NULL;
	struct rule r;

	if (parse_rule(line, &r, &why) == -1)
		return why;
	if (r.action == REFUSE) {
		refuse(true);
	} else if (r.action == RATE) {
		rate = r.number;
		allowance = 0;
		allowance_ms = now_ms();
	} else if (rule_count == RULE_MAX) {
		return "too many rules";
	} else {
		rules[rule_count++] = r;
		for (size_t i = 0; raw && i < CONN_MAX; i++)
			if (conns[i] != NULL)
				conns[i]->in_request = false;
	}
	return NULL;
}

static void
print_counters(int fd)
{
	for (int i = 0; i < COUNTER__MAX; i++)
		dprintf(fd, "%s\"%s\":%llu", i == 0 ? "{" : ",",
		    counter_names[i], (unsigned long long)counters[i]);
	dprintf(fd, "}\n");
}

static void
obey(int fd, char *line)
{
	const char *why = NULL;

	if (strcmp(line, "pass") == 0)
		forget_rules();
	else if (strcmp(line, "zero") == 0)
		memset(counters, 0, sizeof(counters));
	else if (strcmp(line, "stats") == 0)
		print_counters(fd);
	else
		why = add_rule(line);
	if (why == NULL)
		dprintf(fd, "ok\n");
	else
		dprintf(fd, "error: %s\n", why);
}

struct control {
	int	 fd;			/* -1: free */
	size_t	 len;
	char	 line[512];
};
static struct control controls[CONTROL_MAX];

static void
control_accept(void)
{
	int fd = accept4(control_fd, NULL, NULL, SOCK_CLOEXEC);

	for (size_t i = 0; fd != -1 && i < CONTROL_MAX; i++) {
		if (controls[i].fd == -1) {
			controls[i].fd = fd;
			controls[i].len = 0;
			return;
		}
	}
	reset_fd(fd);
}

static void
control_read(struct control *c)
{
	ssize_t n = recv(c->fd, c->line + c->len,
	    sizeof(c->line) - 1 - c->len, MSG_DONTWAIT);
	char *end;

	if (n <= 0) {
		close(c->fd);
		c->fd = -1;
		return;
	}
	c->len += (size_t)n;
	for (;;) {
		end = memchr(c->line, '\n', c->len);
		if (end == NULL)
			break;
		*end = '\0';
		obey(c->fd, c->line);
		c->len -= (size_t)(end + 1 - c->line);
		memmove(c->line, end + 1, c->len);
	}
	if (c->len == sizeof(c->line) - 1)
		c->len = 0;
}

/* Bytes may flow again at this rate; false when they may not yet. */
static bool
may_read(void)
{
	int64_t now = now_ms();

	if (rate == 0)
		return true;
	allowance += (double)(now - allowance_ms) * (double)rate / 1000;
	allowance = MIN(allowance, (double)rate / 10);
	allowance_ms = now;
	return allowance > 0;
}

static short
wanted(const struct stream *in, const struct stream *out, bool reading)
{
	short events = 0;

	if (reading && !in->eof && in->end - in->start < BUF_SIZE)
		events |= POLLIN;
	if (out->start < out->end)
		events |= POLLOUT;
	return events;
}

static struct pollfd fds[2 + CONTROL_MAX + 2 * CONN_MAX];

/* What each descriptor waits for, asked anew at every turn. A connection
 * whose request is held back doesn't wait to be written to. */
static int
prepare(size_t *ret_n)
{
	bool reading = may_read();
	int timeout = reading ? -1 : 10;
	size_t n = 0;

	fds[n++] = (struct pollfd){ .fd = listen_fd, .events = POLLIN };
	fds[n++] = (struct pollfd){ .fd = control_fd, .events = POLLIN };
	for (size_t i = 0; i < CONTROL_MAX; i++)
		fds[n++] = (struct pollfd){ .fd = controls[i].fd,
		    .events = POLLIN };
	for (size_t i = 0; i < CONN_MAX; i++) {
		struct conn *c = conns[i];
		bool held;

		if (c == NULL)
			continue;
		held = c->hold_until_ms > now_ms();
		if (held)
			timeout = 10;
		fds[n++] = (struct pollfd){ .fd = c->client,
		    .events = wanted(&c->up, &c->down, reading) };
		fds[n++] = (struct pollfd){ .fd = c->server,
		    .events = wanted(&c->down, &c->up, reading) };
		if (held || !c->in_request)
			fds[n - 1].events &= (short)~POLLOUT;
	}
	*ret_n = n;
	return timeout;
}

static void
serve(void)
{
	for (;;) {
		size_t n, at = 2 + CONTROL_MAX;
		int timeout = prepare(&n);

		if (poll(fds, n, timeout) == -1 && errno != EINTR)
			die("poll: %s", strerror(errno));
		for (size_t i = 0; i < CONN_MAX; i++) {
			struct conn *c = conns[i];

			if (c == NULL)
				continue;
			if (!c->dead)
				conn_step(c, fds[at].revents,
				    fds[at + 1].revents);
			at += 2;
			if (c->dead) {
				reset_fd(c->client);
				reset_fd(c->server);
				free(c);
				conns[i] = NULL;
			}
		}
		for (size_t i = 0; i < CONTROL_MAX; i++)
			if (fds[2 + i].revents != 0 && controls[i].fd != -1)
				control_read(&controls[i]);
		if (fds[1].revents != 0)
			control_accept();
		if (fds[0].revents != 0 && listen_fd != -1)
			conn_accept();
	}
}

int
main(int argc, char **argv)
{
	struct sockaddr_in control_at;

	parse_target("127.0.0.1:0", &control_at);
	listen_at = control_at;
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(argv[i], "--raw") == 0) {
			raw = true;
			continue;
		}
		if (value == NULL)
			die("%s: unknown or without a value", argv[i]);
		if (strcmp(argv[i], "--listen") == 0)
			listen_at.sin_addr.s_addr = inet_addr(value);
		else if (strcmp(argv[i], "--to") == 0)
			parse_target(value, &target);
		else if (strcmp(argv[i], "--log") == 0)
			request_log = fopen(value, "ae");
		else
			die("%s: unknown", argv[i]);
		i++;
	}
	if (target.sin_port == 0)
		die("--to ADDRESS:PORT is missing");
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < CONTROL_MAX; i++)
		controls[i].fd = -1;
	listen_fd = open_port(&listen_at);
	control_fd = open_port(&control_at);
	printf("listen %u control %u\n", ntohs(listen_at.sin_port),
	    ntohs(control_at.sin_port));
	fflush(stdout);
	serve();
}
