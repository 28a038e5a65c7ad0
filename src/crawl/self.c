/*
 * self.c: check whether the directory read is the directory named by the path.
 * A listing ended by "no such entry" says nothing of its directory: servers end
 * listings with this error while entries come and go. An object missing from a
 * listing is gone only if the listing belongs to the directory now named by the
 * path. In both cases the directory is looked up again, by its path.
 */
#include <errno.h>

#include "crawl/crawl_internal.h"

#define CUTS_MAX	8	/* lists that get no further; some 10 s */

void
self_note(struct reading *r)
{
	r->self = *tree_listed(r->w->mounts[r->job.export].tree);
	if (r->self.kind == ENTRY_UNKNOWN)
		r->self = r->job_attrs;
}

/* True if the directory read is the directory named by the path. */
static bool
is_self(const struct reading *r, const struct attrs *a)
{
	return r->self.kind == ENTRY_DIR && r->self.fsid == a->fsid &&
	    (r->self.ino == a->ino || r->w->c->c.ignore_inode);
}

static void
read_again(struct reading *r, const struct tree_entry *e, const char *why)
{
	err_set(&r->err, ERR_RETRY, 0, "%s", why);
	r->job.fh = e->fh;
	r->job_attrs = e->attrs;
}

static void
self_cb(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct reading *r = arg;

	r->looks--;
	if (err != NULL && err_is_absence(err)) {
		r->absent = true;
		r->err = *err;
	} else if (err != NULL) {
		r->err = *err;
		if (err->kind == ERR_GONE)
			r->err.kind = ERR_INVALID;
	} else if (e->attrs.kind != ENTRY_DIR) {
		r->absent = true;
		err_set(&r->err, ERR_GONE, ENOTDIR, "it is a %s now",
		    entry_kind_name(e->attrs.kind));
	} else if (r->err.kind == ERR_NONE && is_self(r, &e->attrs)) {
		r->confirmed = true;
	} else if (r->err.kind == ERR_NONE) {
		read_again(r, e, "it was replaced while it was read");
	} else if (++r->cut < CUTS_MAX) {
		read_again(r, e, "its list ends with \"no such entry\", and "
		    "it is there");
	} else {
		err_set(&r->err, ERR_PEER, 0, "its list ended %u times with "
		    "\"no such entry\", and it is there", r->cut);
	}
}

/* Ask the source for the directory now named by the path. */
static void
look_at_self(struct reading *r)
{
	struct str path = { r->raw.data == NULL ? "" : r->raw.data,
	    r->raw_len };
	struct err err = ERR_INIT;
	struct tree *t = crawler_tree(r->w, r->job.export, &err);

	r->looks++;
	if (t == NULL)
		self_cb(r, NULL, &err);
	else if (r->w->c->c.follow_links)
		tree_lookup_follow(t, path, self_cb, r);
	else
		tree_lookup(t, path, self_cb, r);
}

static void
unseen_cb(void *arg, int64_t object UNUSED)
{
	struct reading *r = arg;

	r->unseen = true;
}

bool
self_must_ask(struct reading *r)
{
	struct err err = ERR_INIT;

	if (r->err.kind == ERR_GONE && !r->absent) {
		look_at_self(r);
		return true;
	}
	if (r->err.kind != ERR_NONE || r->job.fresh || r->confirmed)
		return false;
	if (catalog_unseen(r->w->reader, r->job.dir, &r->seen, unseen_cb, r,
	    &err) == -1)
		r->err = err;
	if (r->err.kind != ERR_NONE || !r->unseen)
		return false;
	look_at_self(r);
	return true;
}
