/*
 * Answers to waiting requests: directories to read and leases of the backlog.
 */
#include "catalog/catalog_internal.h"

void
catalog_add_want(struct want_list *l, struct mail *m)
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
catalog_drop_wants(struct want_list *l, const struct mailbox *reply)
{
	struct mail **at = &l->head;

	while (*at != NULL) {
		struct want *want = (struct want *)*at;

		if (reply != NULL && want->reply != reply) {
			at = &want->mail.next;
			continue;
		}
		*at = want->mail.next;
		free(want);
	}
	l->tail = at;
}

static void
forget(struct catalog *c, void *reply)
{
	catalog_drop_wants(&c->want_dirs, reply);
	catalog_drop_wants(&c->want_lease, reply);
}

void
catalog_forget(struct catalog *c, struct mailbox *reply)
{
	catalog_call(c, forget, reply, NULL);
}

void
catalog_serve_dirs(struct catalog *c)
{
	struct writer *w = &c->writer;
	struct dir_batch *b;
	struct want *want;
	bool end, again;

	while (c->want_dirs.head != NULL) {
		end = w->failed || w->over ||
		    (w->run != 0 && writer_crawl_done(w));
		/* Directories already read by this crawl wait until no other
		 * directory is left or can come: so a crawl that is cut again
		 * and again comes to its end. */
		again = w->frontier_left == w->again_left;
		if (!end && (w->run == 0 || (again ?
		    w->again_left <= w->again_out : w->frontier_left -
		    w->again_left <= w->dirs_out - w->again_out)))
			return;
		want = (struct want *)c->want_dirs.head;
		b = writer_take_dirs(w, end ? 1 : want->max_count, again);
		if (b->count == 0 && !end && w->db.err.kind == ERR_NONE) {
			dir_batch_free(&b);
			continue;
		}
		pop(&c->want_dirs);
		b->end = end;
		mailbox_put(want->reply, &b->mail);
		free(want);
	}
}

static bool
has_todo(const struct writer *w)
{
	return w->run != 0 && !w->failed && w->todo_cursor + 1 < w->next_todo;
}

void
catalog_serve_leases(struct catalog *c)
{
	struct writer *w = &c->writer;
	struct lease *l;
	struct want *want;

	while (c->want_lease.head != NULL) {
		want = (struct want *)c->want_lease.head;
		catalog_begin(c);
		l = NULL;
		while (l == NULL && has_todo(w))
			l = writer_take_lease(w, want->max_count,
			    want->max_bytes);
		if (l == NULL) {
			if (!w->failed && !w->over &&
			    (w->run == 0 || !writer_crawl_done(w)))
				return;
			l = xcalloc(1, sizeof(*l));
			l->mail.type = MAIL_LEASE;
			l->end = true;
		}
		/* Write the lease's row to disk before the master sends
		 * anything: after a kill the next run asks S3 about the
		 * items. */
		catalog_commit(c);
		pop(&c->want_lease);
		mailbox_put(want->reply, &l->mail);
		free(want);
	}
}
