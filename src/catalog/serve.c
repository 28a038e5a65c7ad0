/*
 * Answers to waiting requests: directories to read and leases of the backlog.
 */
#include "catalog/catalog_internal.h"

void
core_add_want(struct want_list *l, struct mail *m)
{
	m->next = NULL;
	*l->tail = m;
	l->tail = &m->next;
}

static struct want *
pop(struct want_list *l)
{
	struct mail *m = l->head;

	l->head = m->next;
	if (l->head == NULL)
		l->tail = &l->head;
	return (struct want *)m;
}

void
core_forget(struct want_list *l, const struct mailbox *reply)
{
	struct mail **at = &l->head;

	while (*at != NULL) {
		struct want *w = (struct want *)*at;

		if (reply != NULL && w->reply != reply) {
			at = &w->mail.next;
			continue;
		}
		*at = w->mail.next;
		free(w);
	}
	l->tail = at;
}

static void
forget(struct catalog *c, void *reply)
{
	core_forget(&c->want_dirs, reply);
	core_forget(&c->want_lease, reply);
}

void
catalog_forget(struct catalog *c, struct mailbox *reply)
{
	core_call(c, forget, reply, NULL);
}

void
core_serve_dirs(struct catalog *c)
{
	struct own *o = &c->own;
	struct dir_batch *b;
	struct want *w;
	bool end, again;

	while (c->want_dirs.head != NULL) {
		end = o->failed || o->over ||
		    (o->run != 0 && core_crawl_done(o));
		/* Directories already read by this crawl wait until no other
		 * directory is left or can come: so a crawl that is cut again
		 * and again comes to its end. */
		again = o->frontier_left == o->again_left;
		if (!end && (o->run == 0 || (again ?
		    o->again_left <= o->again_out : o->frontier_left -
		    o->again_left <= o->dirs_out - o->again_out)))
			return;
		w = (struct want *)c->want_dirs.head;
		b = core_take_dirs(o, end ? 1 : w->max_count, again);
		if (b->count == 0 && !end && o->db.err.kind == ERR_NONE) {
			dir_batch_free(&b);
			continue;
		}
		pop(&c->want_dirs);
		b->end = end;
		mailbox_put(w->reply, &b->mail);
		free(w);
	}
}

static bool
has_todo(const struct own *o)
{
	return o->run != 0 && !o->failed && o->todo_cursor + 1 < o->next_todo;
}

void
core_serve_leases(struct catalog *c)
{
	struct own *o = &c->own;
	struct lease *l;
	struct want *w;

	while (c->want_lease.head != NULL) {
		w = (struct want *)c->want_lease.head;
		core_begin(c);
		l = NULL;
		while (l == NULL && has_todo(o))
			l = core_take_lease(o, w->max_count, w->max_bytes);
		if (l == NULL) {
			if (!o->failed && !o->over &&
			    (o->run == 0 || !core_crawl_done(o)))
				return;
			l = xcalloc(1, sizeof(*l));
			l->mail.type = MAIL_LEASE;
			l->end = true;
		}
		/* Write the lease's row to disk before the master sends
		 * anything: after a kill the next run asks S3 about the
		 * items. */
		core_commit(c);
		pop(&c->want_lease);
		mailbox_put(w->reply, &l->mail);
		free(w);
	}
}
