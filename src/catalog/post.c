/*
 * Calls of other threads: each posts a message to the catalog's thread.
 */
#include "catalog/catalog_internal.h"

void
catalog_post(struct catalog *c, struct mail *m, int type)
{
	m->type = type;
	mailbox_put(c->in, m);
}

static void
post_want(struct catalog *c, int type, size_t max, uint64_t max_bytes,
    struct mailbox *reply)
{
	struct want *w = xcalloc(1, sizeof(*w));

	w->reply = reply;
	w->max_count = MAX(max, (size_t)1);
	w->max_bytes = max_bytes;
	catalog_post(c, &w->mail, type);
}

void
catalog_want_dirs(struct catalog *c, size_t max, struct mailbox *reply)
{
	post_want(c, MSG_WANT_DIRS, max, 0, reply);
}

void
catalog_want_lease(struct catalog *c, size_t max_count, uint64_t max_bytes,
    struct mailbox *reply)
{
	post_want(c, MSG_WANT_LEASE, max_count, max_bytes, reply);
}

void
catalog_put_page(struct catalog *c, struct dir_page *p)
{
	catalog_post(c, &p->mail, MSG_PAGE);
}

void
catalog_put_results(struct catalog *c, struct results *r)
{
	catalog_post(c, &r->mail, MSG_RESULTS);
}

/* Post what a crew intends, an upload or deletions; the reply follows when the
 * catalog has it. */
static void
post_intent(struct catalog *c, int type, struct intent with)
{
	struct intent *i = xmemdup(&with, sizeof(with));

	catalog_post(c, &i->mail, type);
}

void
catalog_put_upload(struct catalog *c, struct upload_note *n,
    struct mailbox *reply)
{
	n->mail.type = MAIL_UPLOAD_NOTED;
	post_intent(c, MSG_UPLOAD, (struct intent){ .upload = n,
	    .reply = reply });
}

void
catalog_put_outcomes(struct catalog *c, struct outcomes *v)
{
	catalog_post(c, &v->mail, MSG_OUTCOMES);
}

void
catalog_intend_delete(struct catalog *c, struct outcomes *v,
    struct mailbox *reply)
{
	v->mail.type = MAIL_DELETE_NOTED;
	post_intent(c, MSG_DELETE, (struct intent){ .deletes = v,
	    .reply = reply });
}

void
catalog_put_clients(struct catalog *c, const struct client_line *v,
    size_t count)
{
	struct client_note *n = xcalloc(1, sizeof(*n) + count * sizeof(*v));

	n->count = count;
	if (count > 0)
		memcpy(n->v, v, count * sizeof(*v));
	catalog_post(c, &n->mail, MSG_CLIENTS);
}

void
catalog_put_compaction(struct catalog *c, const struct compaction *v)
{
	struct compaction_note *n = xcalloc(1, sizeof(*n));

	n->c = *v;
	catalog_post(c, &n->mail, MSG_COMPACTION);
}

void
catalog_note_export(struct catalog *c, unsigned export, uint64_t fsid,
    bool empty)
{
	struct export_note *n = xcalloc(1, sizeof(*n));

	n->export = export;
	n->by_crawl = true;
	n->fsid = fsid;
	n->empty = empty;
	catalog_post(c, &n->mail, MSG_EXPORT);
}

void
catalog_note_root(struct catalog *c, unsigned export, const struct attrs *a,
    bool ignore_inode, const struct err *err)
{
	struct root_note *n = xcalloc(1, sizeof(*n));

	n->export = export;
	n->ignore_inode = ignore_inode;
	if (a != NULL) {
		n->ino = a->ino;
		n->fsid = a->fsid;
	} else {
		n->err = *err;
	}
	catalog_post(c, &n->mail, MSG_ROOT);
}

void
catalog_put_lost(struct catalog *c, unsigned export, const struct err *err)
{
	struct lost_note *n = xcalloc(1, sizeof(*n));

	n->export = export;
	n->err = *err;
	catalog_post(c, &n->mail, MSG_LOST);
}

void
catalog_see_export(struct catalog *c, unsigned export,
    enum export_sight sight, uint64_t fsid)
{
	struct export_note *n = xcalloc(1, sizeof(*n));

	n->export = export;
	n->sight = sight;
	n->fsid = fsid;
	catalog_post(c, &n->mail, MSG_EXPORT);
}

int
catalog_call(struct catalog *c, void (*fn)(struct catalog *, void *), void *arg,
    struct err *err)
{
	struct call call = { .fn = fn, .arg = arg };
	int rc = 0;

	catalog_post(c, &call.mail, MSG_CALL);
	pthread_mutex_lock(&c->shared.lock);
	while (!call.done)
		pthread_cond_wait(&c->shared.changed, &c->shared.lock);
	if (c->shared.err.kind != ERR_NONE) {
		if (err != NULL)
			*err = c->shared.err;
		rc = -1;
	}
	pthread_mutex_unlock(&c->shared.lock);
	return rc;
}

void
catalog_totals(struct catalog *c, struct totals *t)
{
	pthread_mutex_lock(&c->shared.lock);
	*t = c->shared.totals;
	pthread_mutex_unlock(&c->shared.lock);
}

bool
catalog_crawl_done(struct catalog *c)
{
	bool done;

	pthread_mutex_lock(&c->shared.lock);
	done = c->shared.crawl_done;
	pthread_mutex_unlock(&c->shared.lock);
	return done;
}
