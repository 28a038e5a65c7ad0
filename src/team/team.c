/*
 * team.c: a crew of clients on other hosts. The functions of crew/crew.h only
 * send mail or read figures that the thread has published; the thread does the
 * rest.
 */
#include "team/team_internal.h"

#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "target/plan.h"

#define TURN_MS		200	/* longest sleep of the thread */
#define TARGET_MS	10000	/* time that the work of a lease should take */
#define END_MS		2000	/* time for clients to say good-bye */
#define LAUNCH_END_MS	3000	/* time for launched programs to end */
#define LISTEN_FDS	(WIRE_STRANGERS_MAX + 1)

/* --- orders to the thread --- */

static void
post(struct team *t, struct mail *mail, int type)
{
	mail->type = type;
	mailbox_put(t->in, mail);
}

static void
order(struct team *t, int type, uint64_t a, uint64_t b)
{
	struct team_order *o = xcalloc(1, sizeof(*o));

	o->a = a;
	o->b = b;
	post(t, &o->mail, type);
}

static void
given(struct team *t, size_t count)
{
	pthread_mutex_lock(&t->lock);
	t->locked.given += count;
	pthread_mutex_unlock(&t->lock);
}

static struct team *
team_of(struct crew *c)
{
	return (struct team *)(void *)c;
}

static void
op_lease(struct crew *c, struct lease *l)
{
	given(team_of(c), l->count);
	post(team_of(c), &l->mail, TEAM_LEASE);
}

static void
op_fetch(struct crew *c, struct fetch_item *it)
{
	given(team_of(c), 1);
	post(team_of(c), &it->mail, TEAM_FETCH);
}

static void
op_delete(struct crew *c, struct delete_batch *b)
{
	given(team_of(c), 1);
	post(team_of(c), &b->mail, TEAM_DELETE);
}

static void
op_noted(struct crew *c, unsigned worker, int64_t object UNUSED)
{
	/* The worker is the index of a route; the route holds the task. */
	order(team_of(c), TEAM_NOTED, worker, 0);
}

static void
op_no_more(struct crew *c)
{
	order(team_of(c), TEAM_NO_MORE, 0, 0);
}

static void
op_stop(struct crew *c, uint64_t limit_ms)
{
	order(team_of(c), TEAM_STOP, limit_ms, 0);
}

static void
op_limits(struct crew *c, uint64_t bwlimit, uint64_t tpslimit)
{
	order(team_of(c), TEAM_LIMITS, bwlimit, tpslimit);
}

/* --- what the thread has published --- */

static size_t
op_backlog(struct crew *c)
{
	struct team *t = team_of(c);
	size_t n;

	pthread_mutex_lock(&t->lock);
	n = (size_t)(t->locked.given - t->locked.given_in) + t->locked.queued;
	pthread_mutex_unlock(&t->lock);
	return n;
}

static size_t
op_enough(struct crew *c)
{
	struct team *t = team_of(c);
	size_t n;

	pthread_mutex_lock(&t->lock);
	n = t->locked.enough;
	pthread_mutex_unlock(&t->lock);
	return n;
}

static bool
op_idle(struct crew *c)
{
	struct team *t = team_of(c);
	bool idle;

	pthread_mutex_lock(&t->lock);
	idle = t->locked.idle;
	pthread_mutex_unlock(&t->lock);
	return idle;
}

static void
op_stats(struct crew *c, struct crew_stats *ret)
{
	struct team *t = team_of(c);

	pthread_mutex_lock(&t->lock);
	*ret = t->locked.stats;
	pthread_mutex_unlock(&t->lock);
}

static size_t
op_clients(struct crew *c, struct client_line *v, size_t max)
{
	struct team *t = team_of(c);
	size_t n;

	pthread_mutex_lock(&t->lock);
	n = t->locked.client_count;
	if (MIN(n, max) > 0)
		memcpy(v, t->locked.clients, MIN(n, max) * sizeof(*v));
	pthread_mutex_unlock(&t->lock);
	return n;
}

/* --- the thread --- */

static void
stop(struct team *t, uint64_t limit_ms)
{
	uint64_t at = t->now_ms + limit_ms + END_MS;

	t->stop_ms = t->stopping ? MIN(t->stop_ms, at) : at;
	t->stopping = true;
	team_say_stop(t, limit_ms);
}

static void
take_order(struct team *t, const struct team_order *o)
{
	switch (o->mail.type) {
	case TEAM_NOTED:
		team_noted(t, o->a);
		break;
	case TEAM_NO_MORE:
		dispatch_no_more(t->dispatcher, true);
		break;
	case TEAM_STOP:
		stop(t, o->a);
		break;
	case TEAM_LIMITS:
		t->bwlimit = o->a;
		t->tpslimit = o->b;
		team_divide_limits(t, true);
		break;
	case TEAM_END:
		t->ending = true;
		stop(t, 0);
		break;
	}
}

static void
take_mail(struct team *t)
{
	struct mail *mail = mailbox_take(t->in), *next;

	for (; mail != NULL; mail = next) {
		void *msg = mail;

		next = mail->next;
		switch (mail->type) {
		case TEAM_LEASE:
			team_take_lease(t, msg);
			break;
		case TEAM_FETCH:
			team_take_fetch(t, msg);
			break;
		case TEAM_DELETE:
			team_take_delete(t, msg);
			break;
		case TEAM_LOOKED:
			team_looked(t, mail);
			break;
		case MAIL_LAUNCH:
			team_launch_mail(t, msg);
			free(msg);
			break;
		default:
			take_order(t, msg);
			free(msg);
		}
	}
}

static void
wait_turn(struct team *t)
{
	size_t need = 1 + 2 * LISTEN_FDS + 2 * t->client_count, n;

	if (need > t->fd_cap) {
		t->fd_cap = need * 2;
		t->fds = xreallocarray(t->fds, t->fd_cap, sizeof(*t->fds));
	}
	n = team_clients_fds(t, t->fds);
	t->fds[n++] = (struct pollfd){ .fd = mailbox_fd(t->in),
	    .events = POLLIN };
	n += wire_listen_fds(t->listen_index, t->fds + n, LISTEN_FDS);
	n += wire_listen_fds(t->listen_status, t->fds + n, LISTEN_FDS);
	if (poll(t->fds, n, TURN_MS) == -1)
		return;
	t->now_ms = clock_mono_ms();
	team_clients_service(t, t->fds);
	wire_listen_service(t->listen_index, t->now_ms, team_hello, t);
	wire_listen_service(t->listen_status, t->now_ms, team_hello, t);
}

/* Close clients that have not stopped in time, and end the launches. */
static void
stop_turn(struct team *t)
{
	static const struct err late = { .kind = ERR_STOPPED,
	    .msg = "did not stop in time" };

	if (!t->stopping)
		return;
	for (size_t i = 0; t->now_ms >= t->stop_ms && i < t->client_count;
	    i++)
		if (t->clients[i]->index != NULL) {
			t->clients[i]->harmless = true;
			team_lost(t, t->clients[i], &late);
		}
	if (team_clients_up(t) > 0 || t->launch_stopped)
		return;
	t->launch_stopped = true;
	if (t->launch != NULL)
		launch_stop(t->launch);
}

static void
publish(struct team *t)
{
	size_t enough = team_enough(t);

	pthread_mutex_lock(&t->lock);
	t->locked.given_in = t->given_in;
	t->locked.queued = dispatch_queued(t->dispatcher);
	t->locked.enough = enough;
	t->locked.idle = t->stopping && t->launch_stopped &&
	    !team_lapsing(t);
	pthread_mutex_unlock(&t->lock);
	team_publish(t, false);
}

static void *
team_main(void *arg)
{
	struct team *t = arg;

	for (;;) {
		t->now_ms = clock_mono_ms();
		take_mail(t);
		team_clients_turn(t);
		stop_turn(t);
		team_serve(t);
		team_recall(t);
		team_divide_limits(t, false);
		team_keys_turn(t);
		team_watch(t);
		publish(t);
		if (t->ending && t->launch_stopped && !team_lapsing(t))
			return NULL;
		wait_turn(t);
	}
}

/* --- life --- */

static void
team_destroy(struct team *t)
{
	team_looks_end(t);
	take_mail(t);
	team_clients_free(t);
	team_work_free(t);
	dispatch_free(&t->dispatcher);
	wire_listen_free(&t->listen_index);
	wire_listen_free(&t->listen_status);
	mailbox_free(&t->in);
	setup_release(&t->setup);
	explicit_bzero(t->key, sizeof(t->key));
	free(t->fds);
	free(t->locked.clients);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static void
op_free(struct crew *c)
{
	struct team *t = team_of(c);

	if (t->has_thread) {
		order(t, TEAM_END, 0, 0);
		pthread_join(t->thread, NULL);
	}
	launch_free(&t->launch, LAUNCH_END_MS);
	team_destroy(t);
}

static const struct crew_ops team_ops = {
	.free = op_free,
	.lease = op_lease,
	.fetch = op_fetch,
	.delete = op_delete,
	.noted = op_noted,
	.no_more = op_no_more,
	.backlog = op_backlog,
	.enough = op_enough,
	.stats = op_stats,
	.clients = op_clients,
	.stop = op_stop,
	.idle = op_idle,
	.limits = op_limits,
};

static int
make_key(struct team *t, struct err *err)
{
	if (t->conf->master.key_file != NULL) {
		t->open = true;
		return key_file_make(t->conf->master.key_file, t->key, err);
	}
	if (getrandom(t->key, sizeof(t->key), 0) != (ssize_t)sizeof(t->key))
		return err_set(err, ERR_RESOURCE, 0, "no random bytes");
	return 0;
}

static int
listen_both(struct team *t, struct err *err)
{
	const struct conf *c = t->conf;
	const char *host = c->master.host_or_ip_address;

	if (wire_listen(&t->listen_index, host, c->message.port_index, t->key,
	    err) == -1 || wire_listen(&t->listen_status, host,
	    c->message.port_status, t->key, err) == -1)
		return err_wrap(err, "port_index, port_status in [message]");
	log_event(LOG_INFO, EVENT_LISTENING,
	    LOG_WITH(LOG_SHOW_TEXT("address", host == NULL ? "all" : host),
		LOG_SHOW_NUMBER("port_index", wire_port(t->listen_index)),
		LOG_SHOW_NUMBER("port_status", wire_port(t->listen_status))),
	    "for clients");
	return 0;
}

int
crew_team(struct crew **ret, struct setup *setup, struct mailbox *up,
    struct err *err)
{
	const struct conf *conf = setup->conf;
	struct team *t = xcalloc(1, sizeof(*t));
	struct dispatch_limits limits = {
		.max_count = plan_batch(conf),
		.max_bytes = conf->master.size,
		.target_ms = TARGET_MS,
	};

	t->crew.ops = &team_ops;
	t->conf = conf;
	t->setup = *setup;
	memset(setup, 0, sizeof(*setup));
	t->up = up;
	t->in = mailbox_new(0);
	pthread_mutex_init(&t->lock, NULL);
	t->silence_ms = (uint64_t)conf->socket_options.recv_timeout * 1000;
	t->dest_shared = conf->client.dest_shared ||
	    t->setup.dest_export.type == TREE_NFS;
	t->bwlimit = t->setup.bwlimit;
	t->tpslimit = t->setup.tpslimit;
	t->dispatcher = dispatch_new(&limits);
	t->now_ms = t->alone_ms = clock_mono_ms();
	t->began_ms = clock_boot_ms();
	if (make_key(t, err) == -1 || listen_both(t, err) == -1 ||
	    team_launch(t, err) == -1) {
		op_free(&t->crew);
		return -1;
	}
	publish(t);
	if (pthread_create(&t->thread, NULL, team_main, t) != 0) {
		op_free(&t->crew);
		return err_set(err, ERR_RESOURCE, 0, "no thread for the "
		    "clients");
	}
	t->has_thread = true;
	*ret = &t->crew;
	return 0;
}
