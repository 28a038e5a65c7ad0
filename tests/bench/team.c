/*
 * team/team.c: what a team costs the master, in microseconds of processor for
 * each object that is given, leased over the wire, and comes back as a
 * result. The clients are another process, which moves nothing.
 */
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/version.h"
#include "team/team_internal.h"

#define OBJECTS		400000
#define CLIENTS		4
#define LEASE		1000	/* objects, as the catalog gives them */
#define RESULTS		500	/* in one message */

/* --- the clients --- */

struct client {
	struct wire_peer *index;
	struct wire_peer *status;
	bool	 called;	/* on both */
	bool	 over;
};

static void
want(struct client *c)
{
	struct wire_msg m = { .type = WIRE_WANT, .u.want = {
	    .items = 4 * LEASE, .bytes = 100 * GIB } };

	wire_send(c->index, &m);
}

static void
answer(struct client *c, const struct wire_lease_put *l)
{
	struct result v[RESULTS];
	struct wire_msg m = { .type = WIRE_RESULTS, .u.results = {
	    .lease = l->lease, .v = v } };

	memset(v, 0, sizeof(v));
	for (size_t i = 0; i < l->count; i++) {
		struct result *r = &v[m.u.results.count++];

		r->object = l->items[i].object;
		r->attrs = l->items[i].attrs;
		r->has_md5 = true;
		snprintf(r->etag, sizeof(r->etag), "%032zu", i);
		r->attempts = 1;
		if (m.u.results.count == RESULTS || i + 1 == l->count) {
			wire_send(c->status, &m);
			m.u.results.count = 0;
		}
	}
	want(c);
}

static void hello(struct client *, struct wire_peer *, uint32_t number);

static bool
heard(void *arg, struct wire_msg *m)
{
	struct wire_msg ready = { .type = WIRE_READY };
	struct client *c = arg;

	if (m->type == WIRE_WELCOME && !c->called) {
		c->called = true;
		hello(c, c->status, m->u.welcome.client);
	} else if (m->type == WIRE_SETUP) {
		wire_send(c->index, &ready);
		want(c);
	} else if (m->type == WIRE_LEASE_PUT) {
		answer(c, &m->u.lease_put);
	}
	return m->type != WIRE_STOP;
}

static void
hello(struct client *c, struct wire_peer *p, uint32_t number)
{
	char host[] = "bench", version[] = DATAMOVER_VERSION;
	struct wire_msg m = { .type = WIRE_HELLO, .u.hello = {
	    .protocol = WIRE_PROTOCOL, .version = version, .host = host,
	    .pid = (uint64_t)(uintptr_t)c, .client = number,
	    .channel = p == c->status } };

	wire_send(p, &m);
}

static void
service(struct client *c, struct wire_peer *p, const struct pollfd *fd)
{
	if (fd->revents != 0 && wire_service(p, heard, c, NULL) == -1)
		c->over = true;
}

static bool
turn(struct client *c, size_t n)
{
	struct pollfd fds[2 * CLIENTS];
	bool over = true;

	for (size_t i = 0; i < n; i++) {
		fds[2 * i] = (struct pollfd){ .fd = wire_fd(c[i].index),
		    .events = wire_events(c[i].index) };
		fds[2 * i + 1] = (struct pollfd){ .fd = wire_fd(c[i].status),
		    .events = wire_events(c[i].status) };
	}
	if (poll(fds, 2 * n, 1000) == -1)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!c[i].over)
			service(&c[i], c[i].index, &fds[2 * i]);
		if (!c[i].over)
			service(&c[i], c[i].status, &fds[2 * i + 1]);
		over = over && c[i].over;
	}
	return !over;
}

static int
clients(const struct team *t)
{
	struct client c[CLIENTS];

	memset(c, 0, sizeof(c));
	for (size_t i = 0; i < CLIENTS; i++) {
		if (wire_dial(&c[i].index, "127.0.0.1",
		    wire_port(t->listen_index), t->key, NULL) == -1 ||
		    wire_dial(&c[i].status, "127.0.0.1",
		    wire_port(t->listen_status), t->key, NULL) == -1)
			return 1;
		hello(&c[i], c[i].index, 0);
	}
	while (turn(c, CLIENTS))
		continue;
	return 0;
}

/* --- the master --- */

static void
give(struct crew *crew, int64_t first)
{
	struct lease *l = xcalloc(1, sizeof(*l));

	l->id = first;
	l->count = LEASE;
	l->items = xcalloc(LEASE, sizeof(*l->items));
	for (int i = 0; i < LEASE; i++) {
		struct item *it = &l->items[i];

		it->object = first + i;
		it->path = xasprintf("server/export/some/directory/of/the/"
		    "tree/file-%d.dat", i);
		it->raw = xasprintf("some/directory/of/the/tree/file-%d.dat",
		    i);
		it->attrs.kind = ENTRY_FILE;
		it->attrs.size = 4096;
		it->fh.len = 32;
	}
	crew_lease(crew, l);
}

static size_t
take(struct mailbox *up)
{
	struct mail *m = mailbox_wait(up, 100), *next;
	size_t n = 0;

	for (; m != NULL; m = next) {
		struct results *r = (struct results *)(void *)m;

		next = m->next;
		if (m->type != MAIL_RESULTS)
			exit(1);
		n += r->count;
		results_free(&r);
	}
	return n;
}

static double
seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

int
main(void)
{
	char key[] = "/tmp/bench-team-XXXXXX";
	struct conf conf;
	struct setup setup = { .op = OP_PUT, .conf = &conf };
	struct mailbox *up = mailbox_new(0);
	struct err err = ERR_INIT;
	struct crew *crew;
	size_t done = 0, given = 0;
	double before;
	pid_t child;

	conf_init(&conf);
	close(mkstemp(key));
	unlink(key);
	conf.master.key_file = xstrdup(key);
	conf.master.host_or_ip_address = xstrdup("127.0.0.1");
	conf.message.port_index = conf.message.port_status = 0;
	if (crew_team(&crew, &setup, up, &err) == -1) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	child = fork();
	if (child == 0)
		_exit(clients((struct team *)(void *)crew));
	before = seconds();
	while (done < OBJECTS) {
		for (; given < OBJECTS && crew_backlog(crew) <
		    crew_enough(crew); given += LEASE)
			give(crew, (int64_t)given + 1);
		done += take(up);
	}
	printf("%.2f us of the master's processor for each object\n",
	    (seconds() - before) * 1e6 / OBJECTS);
	crew_free(&crew);
	waitpid(child, NULL, 0);
	mailbox_free(&up);
	conf_release(&conf);
	unlink(key);
	return 0;
}
