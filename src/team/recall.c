/*
 * recall.c: takes back tasks that a slow or failing client has not begun, when
 * idle clients wait. Tasks that two clients may do at once need no recall
 * (dispatch.h), but a file must not have two writers.
 */
#include "base/log.h"
#include "team/team_internal.h"

#define AGAIN_MS	3000

static bool
stands_idle(const struct team *t, const struct team_client *c)
{
	size_t leases, tasks;

	dispatch_holding(t->dispatcher, c->number, &leases, &tasks);
	return c->index != NULL && c->ready && c->status != NULL &&
	    c->misses == 0 && c->want_items > 0 && tasks == 0;
}

static bool
somebody_idle(const struct team *t)
{
	for (size_t i = 0; i < t->client_count; i++)
		if (stands_idle(t, t->clients[i]))
			return true;
	return false;
}

void
team_recall(struct team *t)
{
	struct wire_msg msg = { .type = WIRE_RECALL };

	if (t->stopping || (t->setup.op != OP_GET && t->setup.op != OP_TEST) ||
	    t->now_ms - t->recall_ms < AGAIN_MS ||
	    dispatch_queued(t->dispatcher) > 0 || !somebody_idle(t))
		return;
	t->recall_ms = t->now_ms;
	for (size_t i = 0; i < t->client_count; i++) {
		struct team_client *c = t->clients[i];
		size_t late = c->index == NULL ? 0 :
		    dispatch_late(t->dispatcher, c->number);

		if (late == 0)
			continue;
		msg.u.recall.items = (uint32_t)MIN(late, (size_t)UINT32_MAX);
		wire_send(c->index, &msg);
	}
}

void
team_returned(struct team_client *c, const struct wire_returned *in)
{
	struct team *t = c->team;
	size_t n = 0;

	for (size_t i = 0; i < in->count; i++) {
		struct task *task = dispatch_find(t->dispatcher, in->lease,
		    in->v[i].id);

		/* Only fetch tasks can be returned. */
		if (task != NULL &&
		    ((struct team_task *)(void *)task)->kind == TASK_FETCH)
			n += dispatch_give_back(t->dispatcher, in->lease,
			    in->v[i].id);
	}
	/* The client has room and would get the same tasks again: distrust the
	 * client. */
	if (n > 0)
		team_distrust(c);
	log_event(LOG_DEBUG, EVENT_RETURNED,
	    LOG_WITH(LOG_SHOW_NUMBER("client", c->number),
		LOG_SHOW_NUMBER("tasks", n)),
	    "tasks came back");
}
