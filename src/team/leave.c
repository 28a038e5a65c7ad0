/*
 * leave.c: how the clients of a team leave, and when further clients may have
 * their tasks.
 */
#include "base/log.h"
#include "team/team_internal.h"

static void
add_counts(struct wire_heartbeat *sum, const struct wire_heartbeat *h)
{
	sum->requests += h->requests;
	sum->retries += h->retries;
	sum->slowdowns += h->slowdowns;
	sum->bytes_sent += h->bytes_sent;
	sum->bytes_received += h->bytes_received;
	sum->bytes_read += h->bytes_read;
}

static void
on_lost_task(void *arg, struct task *task)
{
	team_task_lost(arg, (struct team_task *)(void *)task);
}

void
team_lapse(struct team *t, struct team_client *c)
{
	c->lapse_ms = 0;
	dispatch_lost(t->dispatcher, c->number, on_lost_task, c);
}

/* Keep the tasks of a lost client until the client can change nothing any more.
 * Release the tasks at once if the client said that it is idle, or if the
 * client has answered all tasks and has shared no task with a second client. */
static void
begin_lapse(struct team *t, struct team_client *c, size_t tasks)
{
	c->lapse_ms = c->heard_ms + t->silence_ms;
	if (c->idle || t->now_ms >= c->lapse_ms || (tasks == 0 &&
	    !dispatch_shares(t->dispatcher, c->number)))
		team_lapse(t, c);
}

void
team_lost(struct team *t, struct team_client *c, const struct err *err)
{
	size_t leases, tasks;

	dispatch_holding(t->dispatcher, c->number, &leases, &tasks);
	c->harmless = err == NULL || c->idle || c->harmless;
	c->fruitless = c->brought ? 0 : c->fruitless + 1;
	c->brought = false;
	begin_lapse(t, c, tasks);
	team_notes_forget(t, c->session);
	wire_close(&c->index);
	wire_close(&c->status);
	add_counts(&c->before, &c->now);
	memset(&c->now, 0, sizeof(c->now));
	c->ready = false;
	c->leave = false;
	c->idle = false;
	c->stamp_ms = 0;
	c->want_items = 0;
	c->want_bytes = 0;
	c->items_per_s = 0;
	c->bytes_per_s = 0;
	c->session = 0;
	c->since_ms = t->now_ms;
	c->state = err == NULL ? CLIENT_ENDED : CLIENT_LOST;
	if (err != NULL)
		c->err = *err;
	if (err != NULL)
		log_event(LOG_WARN, EVENT_CLIENT_LOST,
		    LOG_WITH(LOG_SHOW_NUMBER("client", c->number),
			LOG_SHOW_TEXT("client_host", c->host),
			LOG_SHOW_NUMBER("tasks", tasks),
			LOG_TEXT("reason", err->msg)),
		    "its tasks go to others: %s", err->msg);
	else
		log_event(LOG_INFO, EVENT_CLIENT_ENDED,
		    LOG_WITH(LOG_SHOW_NUMBER("client", c->number),
			LOG_SHOW_TEXT("client_host", c->host)),
		    "its work is done");
	team_divide_limits(t, false);
}
