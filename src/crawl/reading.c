/*
 * reading.c: read a directory: turn the stream of its entries into pages of
 * differences.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "catalog/export.h"
#include "crawl/crawl_internal.h"
#include "model/key.h"

#define PAGE_ENTRIES	256
#define PATH_BYTES_MAX	(64 * KIB)
#define BACKOFF_BASE_MS	200
#define BACKOFF_CAP_MS	10000

struct reading *
reading_new(struct crawler *w, struct dir_job *job)
{
	struct reading *r = xcalloc(1, sizeof(*r));
	const char *root = w->c->c.roots[job->export];
	size_t skip = strlen(root);

	r->w = w;
	r->job = *job;
	r->job.path = STEAL(job->path);
	buf_init(&r->raw, PATH_BYTES_MAX);
	buf_init(&r->path, PATH_BYTES_MAX * 5);
	idset_init(&r->seen);
	buf_addstr(&r->path, r->job.path);
	r->path_len = r->path.len;
	if (r->path.len > skip + 1 && key_to_path(&r->raw,
	    (struct str){ r->path.data + skip + 1, r->path.len - skip - 1 }) ==
	    -1)
		err_set(&r->err, ERR_INVALID, 0, "its path is too long");
	r->raw_len = r->raw.len;
	return r;
}

void
reading_free(struct reading **rp)
{
	struct reading *r = *rp;

	if (r == NULL)
		return;
	free(r->job.path);
	buf_release(&r->raw);
	buf_release(&r->path);
	looks_free(r);
	idset_release(&r->seen);
	dir_page_free(&r->page);
	free(r);
	*rp = NULL;
}

/* --- pages --- */

static struct dir_page *
page_of(struct reading *r)
{
	if (r->page == NULL) {
		r->page = xcalloc(1, sizeof(*r->page));
		r->page->dir = r->job.dir;
		r->page->export = r->job.export;
		r->page->fs_seen = r->fs_seen;
		r->page->fs_other = r->fs_other;
		r->page->fsid = r->fs_other ? r->job.fsid : r->fsid;
	}
	return r->page;
}

/* Make room for another element. The page of an unchanged directory is empty,
 * so its arrays grow only when needed, in powers of two. */
static void *
room(void *array, size_t count, size_t size)
{
	if ((count & (count - 1)) != 0)
		return array;
	return xreallocarray(array, count == 0 ? 1 : count * 2, size);
}

void
reading_flush(struct reading *r, bool last)
{
	const struct tree *t = r->w->mounts[r->job.export].tree;
	struct dir_page *p;

	if (r->page == NULL && !last)
		return;
	p = page_of(r);
	p->last = last;
	if (t != NULL)
		r->times.delta_ns = tree_time_delta(t);
	p->times = r->times;
	r->page = NULL;
	/* It may have to wait. */
	catalog_reader_let_go(r->w->reader);
	catalog_put_page(r->w->c->c.catalog, p);
}

static void
flush_if_full(struct reading *r)
{
	const struct dir_page *p = r->page;

	if (p->entry_count == PAGE_ENTRIES || p->dir_count == PAGE_ENTRIES ||
	    p->kept_dir_count == PAGE_ENTRIES || p->gone_count == PAGE_ENTRIES)
		reading_flush(r, false);
}

static void
add_entry(struct reading *r, enum page_action action, int64_t object,
    const struct tree_entry *e, const char *why, const struct err *err)
{
	struct dir_page *p = page_of(r);
	struct page_entry *pe;

	p->entries = room(p->entries, p->entry_count, sizeof(*p->entries));
	pe = &p->entries[p->entry_count++];
	memset(pe, 0, sizeof(*pe));
	pe->action = action;
	pe->object = object;
	pe->path = xmemdup(r->path.data, r->path.len + 1);
	pe->attrs = e->attrs;
	/* Keep an impossible size out of the sums of sizes. */
	if (pe->attrs.size > INT64_MAX)
		pe->attrs.size = 0;
	pe->fh = e->fh;
	if (r->job.dir == 0 && !r->followed)
		pe->listed_fsid = r->dir_fsid;
	/* The file is unchanged: if the target has the file, compare the bytes,
	 * because of --checksum or a fresh result. */
	if (action == PAGE_QUEUE)
		pe->flags |= ITEM_CHECKSUM;
	pe->why = why == NULL ? NULL : xstrdup(why);
	if (err != NULL)
		pe->err = *err;
	flush_if_full(r);
}

static void
add_dir(struct reading *r, const struct tree_entry *e)
{
	struct dir_page *p = page_of(r);
	struct page_dir *d;

	p->dirs = room(p->dirs, p->dir_count, sizeof(*p->dirs));
	d = &p->dirs[p->dir_count++];
	d->path = xmemdup(r->path.data, r->path.len + 1);
	d->fh = e->fh;
	flush_if_full(r);
}

static void
keep_dir(struct reading *r)
{
	struct dir_page *p = page_of(r);

	p->kept_dirs = room(p->kept_dirs, p->kept_dir_count,
	    sizeof(*p->kept_dirs));
	p->kept_dirs[p->kept_dir_count++] = xmemdup(r->path.data,
	    r->path.len + 1);
	flush_if_full(r);
}

/* --- one entry --- */

/* Set path and raw to the entry's; false if the names are too long. */
static bool
set_paths(struct reading *r, struct str name)
{
	r->raw.len = r->raw_len;
	r->path.len = r->path_len;
	return (r->raw_len == 0 || buf_addch(&r->raw, '/') == 0) &&
	    buf_add(&r->raw, name.p, name.len) == 0 &&
	    buf_addch(&r->path, '/') == 0 &&
	    key_from_path(&r->path, name) == 0;
}

static struct str
key_of(const struct reading *r)
{
	return r->w->c->c.server_as_prefix ? buf_str(&r->path) :
	    str_of(key_without_server(r->path.data));
}

static void
act(struct reading *r, enum judgement v, const struct known *k,
    const struct tree_entry *e, const char *why, const struct err *err)
{
	int64_t object = k == NULL ? 0 : k->object;
	struct dir_page *p = page_of(r);

	switch (v) {
	case JUDGED_UNCHANGED:
		p->unchanged++;
		p->unchanged_bytes = add_capped(p->unchanged_bytes,
		    e->attrs.size);
		break;
	case JUDGED_EXCLUDED_SAME:
		p->excluded++;
		break;
	case JUDGED_NEW:
		add_entry(r, PAGE_NEW, 0, e, NULL, NULL);
		break;
	case JUDGED_CHANGED:
		add_entry(r, PAGE_CHANGED, object, e, NULL, NULL);
		break;
	case JUDGED_QUEUE:
		add_entry(r, PAGE_QUEUE, object, e, NULL, NULL);
		break;
	case JUDGED_INCLUDED:
		add_entry(r, PAGE_INCLUDED, object, e, NULL, NULL);
		break;
	case JUDGED_EXCLUDED:
		add_entry(r, PAGE_EXCLUDED, object, e, why, NULL);
		break;
	case JUDGED_FAILED:
		add_entry(r, PAGE_FAILED, object, e, NULL, err);
		break;
	}
}

/* Look the path up in the catalog. Return 1 with known filled, 0 if the catalog
 * doesn't have the path, -1 if nothing is to be done: the path came before, or
 * r->err is set. */
static int
find_known(struct reading *r, struct known *known)
{
	struct err err = ERR_INIT;
	int rc;

	if (r->job.fresh)
		return 0;
	rc = catalog_find(r->w->reader, buf_str(&r->path), known, &err);
	if (rc == -1)
		r->err = err;
	/* The path came twice, perhaps because the listing had to begin
	 * again. */
	if (rc == 1 && (known->ours || !idset_add(&r->seen, known->object)))
		return -1;
	return rc;
}

/* A name of a list does not exist: if the catalog knows a file of the name, the
 * file has failed; else refuse the name. */
static void
missing(struct reading *r, const struct known *k, const struct tree_entry *e)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_INVALID, 0, "no such file");
	if (k != NULL && !k->tombstone)
		act(r, JUDGED_FAILED, k, e, NULL, &err);
	else
		add_entry(r, PAGE_REFUSED, 0, e, NULL, &err);
}

/* Warn before a file is stored without its owner, group or mtime because the
 * value is not known. */
static void
tell_unknown(struct reading *r, const struct attrs *a)
{
	struct crawl *c = r->w->c;
	char path[1024];

	if ((a->uid == OWNER_NONE || a->gid == OWNER_NONE) &&
	    !atomic_exchange(&c->told_owner, true))
		log_event(LOG_WARN, EVENT_OWNER,
		    LOG_WITH(LOG_TEXT("path", r->path.data)),
		    "%s: the server gives its owner "
		    "or group by a name that this host does not know: this "
		    "file, and any other such, is stored without file-owner "
		    "or file-group; an object that has its bytes already "
		    "keeps those that it has",
		    str_escape(buf_str(&r->path), path, sizeof(path)));
	if (a->mtime_ns == MTIME_NONE &&
	    !atomic_exchange(&c->told_mtime, true))
		log_event(LOG_WARN, EVENT_MTIME,
		    LOG_WITH(LOG_TEXT("path", r->path.data)),
		    "%s: its mtime can't be told "
		    "(over NFS 3 one that isn't between 1970 and 2037, else "
		    "one that isn't between 1678 and 2261): this file, and "
		    "any other such, is stored without file-mtime; an object "
		    "that has its bytes already keeps the one that it has",
		    str_escape(buf_str(&r->path), path, sizeof(path)));
}

/* The kind of the entry is unknown. The entry's row, if any, stays unchanged,
 * and so do all rows below the path. */
static void
judge_unknown(struct reading *r, const struct tree_entry *e,
    const struct known *k, const char *why)
{
	struct tree_entry as_it_was = *e;
	struct err err = e->err;

	if (err.kind == ERR_NONE)
		err_set(&err, ERR_PEER, 0, "the source does not say what it "
		    "is");
	if (r->job.dir == 0 && err_is_absence(&err)) {
		missing(r, k, e);
	} else if (why == NULL) {
		act(r, JUDGED_FAILED, k, e, NULL, &err);
	} else {
		keep_dir(r);
		if (k != NULL && !k->tombstone)
			as_it_was.attrs = k->attrs;
		act(r, judge(&r->w->c->c, &as_it_was.attrs, k, key_of(r), why,
		    &err), k, &as_it_was, why, &err);
	}
}

/* True for an entry in another file system than its directory, or for a file of
 * a list whose directory lies in another file system than the export's root. */
static bool
is_across(const struct reading *r, const struct attrs *a)
{
	struct attrs root;

	if (a->kind == ENTRY_UNKNOWN)
		return false;
	if (r->job.dir != 0)
		return r->fs_seen && a->fsid != r->fsid;
	tree_root(r->w->mounts[r->job.export].tree, NULL, &root);
	return r->dir_fsid != root.fsid || a->fsid != r->dir_fsid;
}

/* True if another file is known by the name of a file that is itself mounted:
 * the known file may be below the mount. A list names the file that is meant.
 * The target of a followed symlink may lie in any file system. */
static bool
hides_known(const struct reading *r, const struct attrs *a,
    const struct known *k)
{
	const struct crawl_config *c = &r->w->c->c;

	return r->job.dir != 0 && a->kind == ENTRY_FILE && !k->tombstone &&
	    !k->excluded && !c->follow_links && !c->accept_filesystem &&
	    (c->ignore & ATTRS_INO) == 0 && a->ino != k->attrs.ino &&
	    is_across(r, a);
}

static void
judge_entry(struct reading *r, const struct tree_entry *e, const char *why)
{
	enum judgement v;
	struct known known, *k = NULL;
	struct err err = ERR_INIT;
	int rc = find_known(r, &known);

	if (rc == -1)
		return;
	if (rc == 1)
		k = &known;
	if (e->attrs.kind == ENTRY_UNKNOWN) {
		judge_unknown(r, e, k, why);
		return;
	}
	if (k != NULL && why == NULL && hides_known(r, &e->attrs, k)) {
		err_set(&err, ERR_UNREACHABLE, 0, "another file is mounted "
		    "over it. It is not read, and what is known stays as it "
		    "is (if this is right: --accept-filesystem)");
		act(r, JUDGED_FAILED, k, e, NULL, &err);
		return;
	}
	v = judge(&r->w->c->c, &e->attrs, k, key_of(r), why, &err);
	if (v == JUDGED_NEW || v == JUDGED_CHANGED || v == JUDGED_QUEUE)
		tell_unknown(r, &e->attrs);
	act(r, v, k, e, why, &err);
}

void
reading_excluded(struct reading *r, struct str name,
    const struct tree_entry *e, const char *why, bool hides)
{
	if (!set_paths(r, name))
		return;
	if (hides)
		keep_dir(r);
	judge_entry(r, e, why);
}

/* True if nothing is to be judged, or not yet. */
static bool
wait_for_kind(struct reading *r, struct str name, const struct tree_entry *e)
{
	if (e->attrs.kind != ENTRY_UNKNOWN || r->job.dir == 0)
		return false;
	/* The entry either went meanwhile, or is judged after its look-up. */
	return err_is_absence(&e->err) || (e->err.kind == ERR_RETRY &&
	    look_again(r, name, &e->err));
}

void
reading_unknown(struct reading *r, struct str name, const struct err *err)
{
	struct tree_entry e = { .attrs.kind = ENTRY_UNKNOWN, .err = *err };
	char whybuf[120];

	r->has_entries = true;
	if (set_paths(r, name))
		judge_entry(r, &e, judge_excluded(&r->w->c->c,
		    buf_str(&r->raw), name, &e.attrs, whybuf));
}

/* True if the entry is the root of a configured share, to be read by its own
 * crawl. */
static bool
is_share(const struct reading *r)
{
	const struct crawl_config *c = &r->w->c->c;
	struct str path = buf_str(&r->path);

	for (size_t i = 0; i < c->share_count; i++)
		if (str_eq(str_of(c->shares[i]), path))
			return true;
	return false;
}

void
reading_entry(struct reading *r, struct str name, const struct tree_entry *e)
{
	const struct crawl_config *c = &r->w->c->c;
	char whybuf[120];
	const char *why;

	times_note(r, name, &e->attrs);
	if (!set_paths(r, name)) {
		err_set(&r->err, ERR_INVALID, 0, "a path below it is too long");
		return;
	}
	if (wait_for_kind(r, name, e))
		return;
	if (r->w->c->c.share_count > 1 && is_share(r)) {
		r->has_entries = true;
		keep_dir(r);
		return;
	}
	why = judge_excluded(c, buf_str(&r->raw), name, &e->attrs, whybuf);
	if (why == NULL && !c->cross_mounts && is_across(r, &e->attrs))
		why = "another file system";
	if (!judge_skips(c, name, &e->attrs))
		r->has_entries = true;
	if (e->attrs.kind == ENTRY_LINK && c->follow_links && why != NULL &&
	    strcmp(why, "symlink") == 0) {
		look_follow(r, name);
		return;
	}
	if (e->attrs.kind == ENTRY_DIR && why == NULL) {
		add_dir(r, e);
		return;
	}
	/* A link may stand for a directory that another run has followed. */
	if (e->attrs.kind == ENTRY_DIR || e->attrs.kind == ENTRY_LINK)
		keep_dir(r);
	judge_entry(r, e, why);
}

void
reading_refused(struct reading *r, const char *path, const struct err *err)
{
	static const struct tree_entry nothing = {
		.attrs.kind = ENTRY_UNKNOWN };

	if (path != NULL) {
		buf_clear(&r->path);
		if (buf_addstr(&r->path, path) == -1)
			return;
	}
	add_entry(r, PAGE_REFUSED, 0, &nothing, NULL, err);
	/* Restore the path of the directory: the next entry's path begins with
	 * the directory's path. */
	buf_clear(&r->path);
	buf_addstr(&r->path, r->job.path);
}

/* --- the stream --- */

/* True if the directory was known in another file system, now perhaps not
 * mounted. If the export's root has changed its file system too, the
 * directories don't report the change; see catalog/export.h. */
static bool
is_other(const struct reading *r, const struct tree *t)
{
	const struct crawl_config *c = &r->w->c->c;
	struct attrs root;

	if (!r->job.fs_known || r->job.fsid == r->fsid ||
	    c->accept_filesystem ||
	    strcmp(r->job.path, c->roots[r->job.export]) == 0)
		return false;
	tree_root(t, NULL, &root);
	return !r->job.fs_of_root || r->fsid != root.fsid;
}

/* Return true if no file is known below the directory: no file can be lost
 * then, so the crawl accepts any file system mounted here. If the directory's
 * own file system was never noted, files in file systems noted below say
 * nothing of it. */
static bool
may_be_other(struct reading *r)
{
	struct err err = ERR_INIT;
	int rc = catalog_knows_below(r->w->reader, r->job.path,
	    !r->job.fs_own, &err);

	if (rc == -1)
		r->err = err;
	r->job.fs_known = rc != 0;
	return rc == 0;
}

/* Check the file system of the directory before reporting any of its
 * entries. */
static bool
check_place(struct reading *r)
{
	const struct tree *t = r->w->mounts[r->job.export].tree;

	if (r->err.kind != ERR_NONE)
		return false;
	r->fs_seen = true;
	r->fsid = tree_listed(t)->fsid;
	if (!is_other(r, t) || may_be_other(r))
		return true;
	r->fs_other = true;
	if (r->err.kind != ERR_NONE)
		return false;
	err_set(&r->err, ERR_UNREACHABLE, 0, "%s: nothing is read here, and "
	    "what is known below stays as it is (if this is right: "
	    "--accept-filesystem)", r->job.fs_begins ?
	    "the file system that was here is not mounted, or another one is "
	    "in its place" : "another file system is mounted here than "
	    "before");
	return false;
}

static void
page_cb(void *arg, const struct tree_entry *v, size_t n)
{
	struct reading *r = arg;

	if (!check_place(r))
		return;
	crawler_answered(r->w, r->job.export);
	r->count += n;
	if (r->count > r->most) {
		r->most = r->count;
		r->fault_ms = 0;
		r->tries = 0;
		r->cut = 0;
	}
	for (size_t i = 0; i < n && r->err.kind == ERR_NONE; i++) {
		catalog_reader_hold(r->w->reader);
		reading_entry(r, v[i].name, &v[i]);
	}
	catalog_reader_let_go(r->w->reader);
}

static void
end_cb(void *arg, const struct err *err)
{
	struct reading *r = arg;

	r->listing = false;
	r->ended = true;
	if (err != NULL && r->err.kind == ERR_NONE)
		r->err = *err;
	if (err == NULL)
		crawler_answered(r->w, r->job.export);
	if (err == NULL && check_place(r)) {
		self_note(r);
		times_note(r, str_of(""), &r->self);
	}
}

void
reading_start(struct reading *r)
{
	struct err err = ERR_INIT;
	struct tree *t;

	r->ended = false;
	r->unseen = false;
	r->confirmed = false;
	r->count = 0;
	if (r->err.kind != ERR_NONE) {
		r->ended = true;
		return;
	}
	t = crawler_tree(r->w, r->job.export, &err);
	if (t == NULL) {
		r->err = err;
		r->ended = true;
		return;
	}
	if (r->job.fh.len == 0 && r->raw_len == 0)
		tree_root(t, &r->job.fh, &(struct attrs){ 0 });
	r->listing = true;
	tree_list(t, &r->job.fh, (struct str){ r->raw.data == NULL ? "" :
	    r->raw.data, r->raw_len }, page_cb, end_cb, r);
}

static void
gone_cb(void *arg, int64_t object)
{
	struct reading *r = arg;
	struct dir_page *p = page_of(r);

	p->gone = room(p->gone, p->gone_count, sizeof(*p->gone));
	p->gone[p->gone_count++] = object;
	flush_if_full(r);
}

/* After a passing fault begin the listing again later. Entries already seen
 * stay seen. */
static bool
try_again(struct reading *r)
{
	uint64_t now = clock_mono_ms();

	if (r->err.kind != ERR_RETRY || atomic_load(&r->w->c->stopping))
		return false;
	if (r->fault_ms == 0)
		r->fault_ms = now;
	r->left = crawler_lost(r->w, r->job.export, now);
	if (r->left)
		return false;
	if (now - r->fault_ms >= r->w->c->c.retry_for_ms)
		return false;
	r->resume_at_ms = now + backoff_ms(++r->tries, BACKOFF_BASE_MS,
	    BACKOFF_CAP_MS, rng_next(&r->w->rng));
	err_clear(&r->err);
	r->ended = false;
	/* The entries received are in the catalog now, or on their way. */
	r->job.fresh = false;
	reading_flush(r, false);
	return true;
}

/* True if the directory was removed since its parent was listed. A vanished
 * mount point is a failure instead, and so is a vanished export, and a vanished
 * start (--prefix) never seen by the catalog: the prefix may be misspelt. */
static bool
vanished(struct reading *r)
{
	const struct crawl_config *c = &r->w->c->c;
	struct err err = ERR_INIT;
	int rc = 1;

	if (!r->absent || (r->job.fs_begins && !c->accept_filesystem))
		return false;
	if (strcmp(r->job.path, c->starts[r->job.export]) == 0)
		rc = r->raw_len == 0 ? 0 : catalog_knew_dir(r->w->reader,
		    r->job.path, &err);
	if (rc == -1)
		r->err = err;
	return rc == 1;
}

/* True if the root of the export is empty, but the catalog knows files of the
 * export. */
static bool
is_missing(struct reading *r, struct err *err)
{
	const struct crawl_config *c = &r->w->c->c;
	int rc;

	if (r->raw_len > 0 || r->has_entries ||
	    c->may_be_empty[r->job.export])
		return false;
	rc = catalog_export_holds(r->w->reader, c->roots[r->job.export],
	    false, err);
	if (rc == 0 && !c->server_as_prefix)
		rc = catalog_former_holds(r->w->reader,
		    c->roots[r->job.export], err);
	if (rc == 1)
		err_set(err, ERR_UNREACHABLE, 0, "it is empty all at once: is "
		    "it mounted, at the server too?");
	return rc != 0;
}

/* Note the file system and emptiness of the crawl's start: the guard of mirror
 * deletions uses both. */
static void
note_export(struct reading *r)
{
	const struct crawl_config *c = &r->w->c->c;
	struct err err = ERR_INIT;
	struct handle fh;
	struct attrs root;
	struct tree *t;

	if (strcmp(r->job.path, c->starts[r->job.export]) != 0)
		return;
	t = crawler_tree(r->w, r->job.export, &err);
	if (t == NULL)
		return;		/* not noted: nothing is deleted */
	tree_root(t, &fh, &root);
	catalog_note_export(c->catalog, r->job.export, root.fsid,
	    !r->absent && !r->has_entries && !c->may_be_empty[r->job.export]);
}

bool
reading_settle(struct reading *r)
{
	struct err err = ERR_INIT;

	if (r->resume_at_ms > 0 && clock_mono_ms() >= r->resume_at_ms) {
		r->resume_at_ms = 0;
		reading_start(r);
	}
	looks_turn(r, clock_mono_ms());
	if (!r->ended || r->looks > 0 || try_again(r) || self_must_ask(r))
		return false;
	if (r->left && r->job.dir != 0)
		catalog_put_lost(r->w->c->c.catalog, r->job.export, &r->err);
	/* Stopped: the directory stays in the frontier. */
	if (r->err.kind == ERR_STOPPED || (r->left && r->job.dir != 0)) {
		reading_flush(r, false);
		return true;
	}
	if (r->err.kind == ERR_NONE && is_missing(r, &err))
		r->err = err;
	if (r->err.kind == ERR_NONE && r->unseen && catalog_unseen(r->w->reader,
	    r->job.dir, &r->seen, gone_cb, r, &err) == -1)
		r->err = err;
	page_of(r)->vanished = vanished(r);
	if (r->err.kind == ERR_NONE || r->page->vanished)
		note_export(r);
	if (!r->page->vanished)
		r->page->err = r->err;
	reading_flush(r, true);
	return true;
}
