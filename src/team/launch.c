/*
 * launch.c: clients that the team launches itself, and what the team does when
 * no client is left.
 */
#include "base/log.h"
#include "team/team_internal.h"

/* Called in any thread: reads only fields that do not change. */
static void
invite(void *arg, unsigned client, const char *local_address, struct buf *out)
{
	struct team *t = arg;
	const struct conf *c = t->conf;
	const char *address = c->master.host_or_ip_address;
	struct invite inv = {
		.port_index = wire_port(t->listen_index),
		.port_status = wire_port(t->listen_status),
		.client = client,
		.retry_delay_s = c->socket_options.connection_retry_delay,
		.give_up_s = c->socket_options.max_connection_time_threshold,
	};
	AUTOFREE char *own = xstrdup(address != NULL ? address :
	    local_address);

	inv.address = own;
	memcpy(inv.key, t->key, sizeof(inv.key));
	invite_write(out, &inv);
	explicit_bzero(inv.key, sizeof(inv.key));
}

int
team_launch(struct team *t, struct err *err)
{
	const struct conf *c = t->conf;
	struct launch_config lc = {
		.hosts = (const char *const *)c->client.hosts.v,
		.host_count = c->client.hosts.n,
		.ssh = { .user = c->client.user_id,
		    .password = c->client.password,
		    .identity_file = c->client.identity_file,
		    .known_hosts = c->client.known_hosts },
		.path = c->client.path,
		.invite = invite,
		.arg = t,
		.up = t->in,
	};

	for (size_t i = 0; i < lc.host_count; i++)
		team_client_new(t, lc.hosts[i])->invited = true;
	return lc.host_count == 0 ? 0 : launch_start(&t->launch, &lc, err);
}

static void
failed(struct team *t, struct team_client *c, const struct err *err)
{
	c->state = CLIENT_FAILED;
	c->since_ms = t->now_ms;
	c->err = *err;
	log_event(LOG_ERROR, EVENT_CLIENT_FAILED,
	    LOG_WITH(LOG_SHOW_NUMBER("client", c->number),
		LOG_SHOW_TEXT("client_host", c->host),
		LOG_TEXT("reason", err->msg)),
	    "%s", err->msg);
}

static void
ended(struct team *t, struct team_client *c, const struct launch_mail *l)
{
	struct err err = l->err;

	c->running = false;
	/* The exit status is known, so the process has ended. */
	if (l->status != -1)
		team_lapse(t, c);
	if (c->state == CLIENT_LAUNCHING || c->state == CLIENT_AWAITED) {
		if (err.msg[0] == '\0')
			err_set(&err, ERR_UNREACHABLE, 0, "the client ended "
			    "with status %d before it called", l->status);
		if (!t->stopping)
			failed(t, c, &err);
	} else if (c->state == CLIENT_LOST && !c->said_why &&
	    l->status != 0 && err.msg[0] != '\0') {
		/* The last words of the process say more than the error of a
		 * closed connection. */
		c->err = err;
		log_event(LOG_WARN, EVENT_CLIENT_ENDED,
		    LOG_WITH(LOG_SHOW_NUMBER("client", c->number),
			LOG_SHOW_TEXT("client_host", c->host),
			LOG_SHOW_NUMBER("status", l->status),
			LOG_TEXT("reason", err.msg)),
		    "%s", err.msg);
	}
}

void
team_launch_mail(struct team *t, struct launch_mail *l)
{
	struct team_client *c = team_client(t, l->client);

	if (c == NULL)
		return;
	switch (l->event) {
	case LAUNCH_STARTED:
		c->running = true;
		if (c->state == CLIENT_LAUNCHING) {
			c->state = CLIENT_AWAITED;
			c->since_ms = t->now_ms;
		}
		break;
	case LAUNCH_FAILED:
		c->running = false;
		if (c->index == NULL && !t->stopping)
			failed(t, c, &l->err);
		break;
	case LAUNCH_ENDED:
		ended(t, c, l);
		break;
	}
}

/* --- is a client left? --- */

/* Can this client still come? */
static bool
awaited(const struct team *t, const struct team_client *c)
{
	uint64_t limit_ms = (uint64_t)
	    t->conf->socket_options.max_connection_time_threshold * 1000;

	if (team_is_barred(t, c))
		return false;	/* it would be sent away */
	switch (c->state) {
	case CLIENT_LAUNCHING:
		return true;	/* SSH has time limits of its own */
	case CLIENT_AWAITED:
		return t->now_ms - c->since_ms < limit_ms + t->silence_ms;
	case CLIENT_LOST:
		/* The client may find that the network is up again, and come
		 * back. */
		return c->running && t->now_ms - c->since_ms < t->silence_ms;
	case CLIENT_JOINED:
		return t->now_ms - c->since_ms < t->silence_ms;
	case CLIENT_WORKING:
		return true;
	case CLIENT_FAILED:
	case CLIENT_ENDED:
		break;
	}
	return false;
}

/* Does every client report this kind of error? USAGE from every client means a
 * wrong command: a directory in the command exists on no host. */
static bool
all_say(const struct team *t, enum err_kind kind)
{
	for (size_t i = 0; i < t->client_count; i++)
		if (t->clients[i]->err.kind != kind)
			return false;
	return t->client_count > 0;
}

static void
fail(struct team *t)
{
	struct crew_failure *f = xcalloc(1, sizeof(*f));
	const struct team_client *first = NULL;
	size_t others = 0;

	for (size_t i = 0; i < t->client_count; i++) {
		const struct team_client *c = t->clients[i];

		if (c->err.kind == ERR_NONE)
			continue;
		if (first == NULL)
			first = c;
		else
			others++;
	}
	f->mail.type = MAIL_CREW_FAILED;
	if (first == NULL)
		err_set(&f->err, ERR_UNREACHABLE, 0, "no client has come "
		    "(datamover client --join on other hosts, or --standalone "
		    "here)");
	else if (others == 0)
		err_set(&f->err, ERR_UNREACHABLE, 0, "no client is left: %s: "
		    "%s", first->host, first->err.msg);
	else
		err_set(&f->err, ERR_UNREACHABLE, 0, "no client is left: %s: "
		    "%s (and %zu more)", first->host, first->err.msg, others);
	if (all_say(t, ERR_USAGE))
		f->err.kind = ERR_USAGE;
	t->failed = true;
	mailbox_put(t->up, &f->mail);
}

/* Is a client here with both connections? A client that reaches only port_index
 * comes and goes for ever, and does no work. */
static bool
anybody_whole(const struct team *t)
{
	for (size_t i = 0; i < t->client_count; i++)
		if (t->clients[i]->status != NULL)
			return true;
	return false;
}

void
team_watch(struct team *t)
{
	uint64_t limit_ms = (uint64_t)
	    t->conf->socket_options.max_connection_time_threshold * 1000;

	if (t->failed || t->stopping)
		return;
	if (anybody_whole(t)) {
		t->alone_ms = 0;
		t->waiting_said = false;
		return;
	}
	if (t->alone_ms == 0)
		t->alone_ms = t->now_ms;
	for (size_t i = 0; i < t->client_count; i++)
		if (awaited(t, t->clients[i]))
			return;
	if (t->open && t->now_ms - t->alone_ms < limit_ms) {
		if (!t->waiting_said)
			log_event(LOG_WARN, EVENT_WAITING_CLIENT,
			    LOG_WITH(LOG_NUMBER("seconds", limit_ms / 1000)),
			    "for a client to join "
			    "within %ju s",
			    (uintmax_t)limit_ms / 1000);
		t->waiting_said = true;
		return;
	}
	fail(t);
}
