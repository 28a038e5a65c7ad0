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
team_lapse(struct team *t, struct member *m)
{
	m->lapse_ms = 0;
	dispatch_lost(t->dispatcher, m->number, on_lost_task, m);
}

/* Keep the tasks of a lost member until its client can change nothing any more.
 * Release the tasks at once if the client said that it is idle, or if the
 * client has answered all tasks and has shared no task with a second client. */
static void
begin_lapse(struct team *t, struct member *m, size_t tasks)
{
	m->lapse_ms = m->heard_ms + t->silence_ms;
	if (m->idle || t->now_ms >= m->lapse_ms || (tasks == 0 &&
	    !dispatch_shares(t->dispatcher, m->number)))
		team_lapse(t, m);
}

void
team_lost(struct team *t, struct member *m, const struct err *err)
{
	size_t leases, tasks;

	dispatch_holding(t->dispatcher, m->number, &leases, &tasks);
	m->harmless = err == NULL || m->idle || m->harmless;
	m->fruitless = m->brought ? 0 : m->fruitless + 1;
	m->brought = false;
	begin_lapse(t, m, tasks);
	team_notes_forget(t, m->session);
	wire_close(&m->index);
	wire_close(&m->status);
	add_counts(&m->before, &m->now);
	memset(&m->now, 0, sizeof(m->now));
	m->ready = false;
	m->leave = false;
	m->idle = false;
	m->stamp_ms = 0;
	m->want_items = 0;
	m->want_bytes = 0;
	m->items_per_s = 0;
	m->bytes_per_s = 0;
	m->session = 0;
	m->since_ms = t->now_ms;
	m->state = err == NULL ? MEMBER_ENDED : MEMBER_LOST;
	if (err != NULL)
		m->err = *err;
	if (err != NULL)
		log_event(LOG_WARN, "client_lost", "client=%u host=%s "
		    "given_to_others=%zu %s", m->number, m->host, tasks,
		    err->msg);
	else
		log_event(LOG_INFO, "client_ended", "client=%u host=%s",
		    m->number, m->host);
	team_divide_limits(t, false);
}
