/*
 * notes.c: carries clients' notes on multipart uploads to the catalog, and the
 * catalog's answers back to the clients. The item keeps the content of the
 * notes: the next client of the item continues the upload.
 */
#include "team/team_internal.h"

/* Return the index of an unused route. The catalog sees the index as the number
 * of the worker. */
static unsigned
route_new(struct team *t)
{
	size_t n = t->route_count;

	for (size_t i = 0; i < n; i++)
		if (t->routes[i].client == 0)
			return (unsigned)i;
	t->route_count = MAX(2 * n, (size_t)16);
	t->routes = xreallocarray(t->routes, t->route_count,
	    sizeof(*t->routes));
	memset(t->routes + n, 0, (t->route_count - n) * sizeof(*t->routes));
	return (unsigned)n;
}

static void
keep(struct team_task *k, const struct upload_note *n)
{
	struct item *it = &k->item;

	switch (n->event) {
	case UPLOAD_INTENT:
		if (k->unheard_sec == 0 && it->upload_id == NULL)
			k->unheard_sec = it->upload_intent_sec;
		it->upload_intent_sec = n->server_sec;
		break;
	case UPLOAD_CREATED:
		free(it->upload_id);
		it->upload_id = n->upload_id == NULL ? NULL :
		    xstrdup(n->upload_id);
		it->upload_part_size = n->part_size;
		break;
	case UPLOAD_PART:
		item_keep_part(it, n->part);
		break;
	case UPLOAD_ENDED:
		item_forget_upload(it);
	}
}

void
team_note_ends(struct team_client *c, const struct team_task *k, int64_t lease)
{
	struct team *t = c->team;

	if ((k->item.upload_id == NULL && k->item.upload_intent_sec == 0) ||
	    k->unheard_sec != 0)
		return;
	t->closing = xreallocarray(t->closing, t->closing_count + 1,
	    sizeof(*t->closing));
	t->closing[t->closing_count++] = (struct closing){
	    .session = c->session, .lease = lease, .task = k->task.id,
	    .catalog_lease = k->lease, .object = k->object };
}

void
team_notes_forget(struct team *t, uint64_t session)
{
	size_t n = 0;

	for (size_t i = 0; i < t->closing_count; i++)
		if (t->closing[i].session != session)
			t->closing[n++] = t->closing[i];
	t->closing_count = n;
}

/* Does the note end an upload whose result was accepted before? */
static bool
was_closing(struct team *t, int64_t lease, struct upload_note *n)
{
	for (size_t i = 0; i < t->closing_count; i++) {
		struct closing c = t->closing[i];

		if (c.task != n->object || c.lease != lease)
			continue;
		t->closing[i] = t->closing[--t->closing_count];
		n->lease = c.catalog_lease;
		n->object = c.object;
		return n->event == UPLOAD_ENDED;
	}
	return false;
}

static void
put_note(struct team *t, struct upload_note *n)
{
	n->mail.type = MAIL_UPLOAD;
	mailbox_put(t->up, &n->mail);
}

void
team_note(struct team_client *c, struct wire_note *in)
{
	struct team *t = c->team;
	struct upload_note *n = STEAL(in->note);
	struct task *task = dispatch_find(t->dispatcher, in->lease, n->object);
	struct team_task *k = (struct team_task *)(void *)task;

	/* Send up the results that came before the note. */
	team_flush(t);
	if (k == NULL && n->event != UPLOAD_PART &&
	    was_closing(t, in->lease, n)) {
		put_note(t, n);
		return;
	}
	if (k == NULL || k->kind != TASK_PUT) {
		upload_note_free(&n);
		return;
	}
	keep(k, n);
	if (n->event == UPLOAD_INTENT) {
		unsigned i = route_new(t);

		t->routes[i] = (struct route){ .client = c->number,
		    .session = c->session, .task = k->task.id,
		    .worker = n->worker };
		n->worker = i;
	}
	n->lease = k->lease;
	n->object = k->object;
	put_note(t, n);
}

void
team_noted(struct team *t, uint64_t worker)
{
	struct wire_msg msg = { .type = WIRE_NOTED };
	struct route r;
	struct team_client *c;

	if (worker >= t->route_count)
		return;
	r = t->routes[worker];
	c = team_client(t, r.client);
	memset(&t->routes[worker], 0, sizeof(t->routes[worker]));
	if (c == NULL || c->index == NULL || c->session != r.session)
		return;
	msg.u.noted.object = r.task;
	msg.u.noted.worker = r.worker;
	wire_send(c->index, &msg);
}
