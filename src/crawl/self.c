/*
 * self.c: check whether the directory read is the directory named by the path.
 * A listing ended by "no such entry" says nothing of its directory: servers end
 * listings with this error while entries come and go. An object missing from a
 * listing is gone only if the listing belongs to the directory now named by the
 * path. In both cases the directory is looked up again, by its path.
 */
#include <errno.h>

#include "crawl/crawl_internal.h"
#include "model/path.h"

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
	    (r->self.ino == a->ino || (r->w->c->c.ignore & ATTRS_INO) != 0);
}

static void
read_again(struct reading *r, const struct tree_entry *e, const char *why)
{
	err_set(&r->err, ERR_RETRY, 0, "%s", why);
	r->job.fh = e->fh;
	r->job_attrs = e->attrs;
}

static void
ask(struct reading *r, struct str path, tree_lookup_fn *fn)
{
	struct err err = ERR_INIT;
	struct tree *t = crawler_tree(r->w, r->job.export, &err);

	r->looks++;
	if (t == NULL)
		fn(r, NULL, &err);
	else if (r->w->c->c.follow_links)
		tree_lookup_follow(t, path, fn, r);
	else
		tree_lookup(t, path, fn, r);
}

/* Is the directory above the absent directory in the file system in which the
 * absent directory was? If the export's root has changed its file system too,
 * the directories don't report the change; see catalog/export.h. */
static bool
is_same_fs(const struct reading *r, uint64_t fsid)
{
	struct attrs root;

	tree_root(r->w->mounts[r->job.export].tree, NULL, &root);
	return fsid == r->job.fsid || (r->job.fs_of_root && fsid == root.fsid);
}

static void look_above(struct reading *);

static void
above_cb(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct reading *r = arg;
	bool missing = err == NULL ? e->attrs.kind != ENTRY_DIR :
	    err_is_absence(err);

	r->looks--;
	if (missing && r->above > 0) {
		look_above(r);
	} else if (err != NULL || missing) {
		r->absent = false;
		err_set(&r->err, err != NULL && err->kind == ERR_STOPPED ?
		    ERR_STOPPED : ERR_RETRY, 0, "a directory above it can't "
		    "be looked up: %s", err == NULL ? "it is none" : err->msg);
	} else if (!is_same_fs(r, e->attrs.fsid)) {
		r->absent = false;
		err_set(&r->err, ERR_UNREACHABLE, 0, "it is not there, and the "
		    "directory above it is in another file system than it was "
		    "(not mounted?): what is known below stays as it is (if it "
		    "is gone for good: --accept-filesystem)");
	}
}

/* Look up the directory above the path that was looked up last. */
static void
look_above(struct reading *r)
{
	struct str dir = path_dir((struct str){ r->raw.data, r->above });

	r->above = dir.len;
	ask(r, dir, above_cb);
}

/* The directory is gone, unless the file system that it was in is not
 * mounted. */
static void
self_absent(struct reading *r)
{
	r->absent = true;
	r->above = r->raw_len;
	if (r->raw_len > 0 && r->job.fs_noted && !r->job.fs_begins &&
	    !r->w->c->c.accept_filesystem)
		look_above(r);
}

static void
self_cb(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct reading *r = arg;

	r->looks--;
	if (err != NULL && err_is_absence(err)) {
		r->err = *err;
		self_absent(r);
	} else if (err != NULL) {
		r->err = *err;
		if (err->kind == ERR_GONE)
			r->err.kind = ERR_INVALID;
	} else if (e->attrs.kind == ENTRY_LINK) {
		/* Another run may have followed the symlink to a directory. */
		err_set(&r->err, ERR_INVALID, 0, "it is a symlink now, and "
		    "symlinks are not followed: what is known below stays as "
		    "it is");
	} else if (e->attrs.kind != ENTRY_DIR) {
		err_set(&r->err, ERR_GONE, ENOTDIR, "it is a %s now",
		    entry_kind_name(e->attrs.kind));
		self_absent(r);
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
	ask(r, (struct str){ r->raw.data == NULL ? "" : r->raw.data,
	    r->raw_len }, self_cb);
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
