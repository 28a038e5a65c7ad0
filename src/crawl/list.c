/*
 * list.c: --files-from: the names come from a file, not from directories.
 *
 * A line becomes a struct wanted, and is looked up until the kind of the named
 * file is known; then the file is judged like an entry of a directory. The
 * thread reads lines only while there is room for more look-ups, and never
 * waits for a line: the list may be a pipe with a slow writer.
 */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "crawl/crawl_internal.h"
#include "crawl/names.h"
#include "model/path.h"

#define LOOKUPS_MAX	32
#define LINE_MAX_BYTES	(32 * KIB)
#define INPUT_BYTES	(16 * KIB)
#define SHOWN_BYTES	1024	/* of a line that is no path */
#define TURN_MS		100
#define BACKOFF_BASE_MS	200
#define BACKOFF_CAP_MS	10000

struct lister {
	struct crawler *w;
	struct reading **by_export;
	struct waiting *waiting; /* for the time of their next look-up */
	size_t	 busy;		/* those, and the ones being looked up */
	struct buf line;	/* what came of it so far */
	struct buf path;	/* of the line at hand */
	bool	 too_long;	/* the line is too long: skip the rest of the
				   line */
	bool	 eof;
	size_t	 at;		/* of input */
	size_t	 input_len;
	char	 input[INPUT_BYTES];
};

struct wanted {
	struct waiting waiting;	/* in the list of the lister */
	struct lister *l;
	struct reading *r;
	char	*raw;		/* path below the export's root */
	bool	 follow;	/* the path is a link: look up the link's
				   target */
	struct tree_entry found; /* while its directory is looked up */
	uint64_t fault_ms;	/* since when it fails */
	unsigned tries;
};

static struct reading *
reading_of(struct lister *l, unsigned export)
{
	struct dir_job job = { .export = export };

	if (l->by_export[export] == NULL) {
		job.path = xstrdup(l->w->c->c.roots[export]);
		l->by_export[export] = reading_new(l->w, &job);
	}
	return l->by_export[export];
}

static void
wanted_free(void *arg)
{
	struct wanted *n = arg;

	n->l->busy--;
	free(n->raw);
	free(n);
}

/* --- look-ups --- */

/* The name has been judged; if judging failed, record a failure of the name and
 * nothing more. */
static void
finish(struct wanted *n)
{
	struct reading *r = n->r;

	if (r->err.kind != ERR_NONE)
		reading_refused(r, NULL, &r->err);
	err_clear(&r->err);
	wanted_free(n);
}

static void
failed(struct wanted *n, const struct err *err)
{
	struct tree_entry e = { .attrs.kind = ENTRY_UNKNOWN, .err = *err };

	if (n->follow && err->kind == ERR_GONE)
		reading_excluded(n->r, str_of(n->raw), &(struct tree_entry){
		    .attrs.kind = ENTRY_LINK }, "dangling symlink", false);
	else
		reading_entry(n->r, str_of(n->raw), &e);
	finish(n);
}

/* A fault that passes: look again later. */
static bool
try_again(struct wanted *n, const struct err *err)
{
	struct crawler *w = n->l->w;
	uint64_t now = clock_mono_ms();

	if (err->kind != ERR_RETRY)
		return false;
	if (n->fault_ms == 0)
		n->fault_ms = now;
	if (now - n->fault_ms >= w->c->c.retry_for_ms ||
	    crawler_lost(w, n->r->job.export, now))
		return false;
	waiting_add(&n->l->waiting, &n->waiting, now + backoff_ms(++n->tries,
	    BACKOFF_BASE_MS, BACKOFF_CAP_MS, rng_next(&w->rng)));
	return true;
}

static void look_up(void *);

/* True if the path leads through a symlink, or to a symlink. */
static bool
is_followed(const struct wanted *n, const struct tree_entry *e,
    const struct err *err)
{
	if (n->follow || !n->l->w->c->c.follow_links)
		return false;
	return err != NULL ? err->kind == ERR_GONE && err->code == ELOOP :
	    e->attrs.kind == ENTRY_LINK;
}

static void
take(struct wanted *n, const struct tree_entry *e, uint64_t dir_fsid)
{
	n->r->followed = n->follow;
	n->r->dir_fsid = dir_fsid;
	if (e->attrs.kind == ENTRY_DIR)
		reading_excluded(n->r, str_of(n->raw), e, "directory", false);
	else
		reading_entry(n->r, str_of(n->raw), e);
	finish(n);
}

static void
directory_cb(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct wanted *n = arg;

	if (err != NULL && err->kind == ERR_STOPPED)
		wanted_free(n);
	else if (err == NULL)
		take(n, &n->found, e->attrs.fsid);
	else if (!try_again(n, err))
		failed(n, err);
}

/* A file in another file system than the root is either a mount of a single
 * file (bind mount), or lies in a directory of another file system. Return true
 * if its directory is being looked up to tell the cases apart. */
static bool
look_at_directory(struct wanted *n, const struct tree_entry *e)
{
	struct tree *t = n->l->w->mounts[n->r->job.export].tree;
	struct attrs root;

	tree_root(t, NULL, &root);
	if (n->follow || e->attrs.kind != ENTRY_FILE ||
	    e->attrs.fsid == root.fsid)
		return false;
	n->found = (struct tree_entry){ .attrs = e->attrs, .fh = e->fh };
	tree_lookup(t, path_dir(str_of(n->raw)), directory_cb, n);
	return true;
}

static void
looked_up(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct wanted *n = arg;

	if (err != NULL && err->kind == ERR_STOPPED) {
		wanted_free(n);
	} else if (is_followed(n, e, err)) {
		n->follow = true;
		look_up(n);
	} else if (err != NULL) {
		if (!try_again(n, err))
			failed(n, err);
	} else {
		crawler_answered(n->l->w, n->r->job.export);
		if (!look_at_directory(n, e))
			take(n, e, e->attrs.fsid);
	}
}

static void
look_up(void *arg)
{
	struct wanted *n = arg;
	struct err err = ERR_INIT;
	struct tree *t = crawler_tree(n->l->w, n->r->job.export, &err);

	if (t == NULL)
		looked_up(n, NULL, &err);
	else if (n->follow)
		tree_lookup_follow(t, str_of(n->raw), looked_up, n);
	else
		tree_lookup(t, str_of(n->raw), looked_up, n);
}

/* --- lines --- */

/* The line does not name a file; report the line as written in the list. */
static void
refuse(struct lister *l, const struct err *err)
{
	char shown[SHOWN_BYTES];

	reading_refused(reading_of(l, 0), str_escape(buf_str(&l->line), shown,
	    sizeof(shown)), err);
}

static void
want_line(struct lister *l)
{
	struct err err = ERR_INIT;
	struct wanted *n;
	struct str rel;
	unsigned export;

	if (l->too_long)
		err_set(&err, ERR_INVALID, 0, "a line of more than %zu bytes",
		    (size_t)LINE_MAX_BYTES);
	if (l->too_long || names_find(&l->w->c->c, buf_str(&l->line),
	    &l->path, &export, &rel, &err) == -1) {
		refuse(l, &err);
		return;
	}
	n = xcalloc(1, sizeof(*n));
	n->l = l;
	n->r = reading_of(l, export);
	n->raw = xstrndup(rel.p, rel.len);
	l->busy++;
	look_up(n);
}

static void
end_line(struct lister *l)
{
	if (l->line.len > 0)
		want_line(l);
	buf_clear(&l->line);
	l->too_long = false;
}

static void
take_lines(struct lister *l)
{
	while (l->at < l->input_len && l->busy < LOOKUPS_MAX) {
		const char *p = l->input + l->at;
		size_t left = l->input_len - l->at;
		const char *nl = memchr(p, '\n', left);
		size_t n = nl == NULL ? left : (size_t)(nl - p);
		size_t room = LINE_MAX_BYTES - l->line.len;

		l->too_long = l->too_long || n > room;
		if (buf_add(&l->line, p, MIN(n, room)) == -1)
			l->too_long = true;
		l->at += n;
		if (nl != NULL) {
			l->at++;
			end_line(l);
		}
	}
}

static void
read_input(struct lister *l)
{
	struct err err = ERR_INIT;
	ssize_t n = read(l->w->list_fd, l->input, sizeof(l->input));

	if (n == -1 && (errno == EINTR || errno == EAGAIN))
		return;
	l->at = 0;
	l->input_len = n > 0 ? (size_t)n : 0;
	if (n > 0)
		return;
	l->eof = true;
	end_line(l);
	if (n == -1) {
		err_errno(&err, ERR_INVALID, errno, "the list ends here");
		refuse(l, &err);
	}
}

/* --- the thread --- */

static void
flush(struct lister *l)
{
	for (size_t i = 0; i < l->w->c->c.export_count; i++)
		if (l->by_export[i] != NULL)
			reading_flush(l->by_export[i], false);
}

static void
lister_loop(struct lister *l)
{
	struct crawler *w = l->w;

	while (!atomic_load(&w->c->stopping) && (!l->eof || l->busy > 0)) {
		waiting_take(&l->waiting, clock_mono_ms(), look_up);
		take_lines(l);
		w->list_wanted = !l->eof && l->at == l->input_len &&
		    l->busy < LOOKUPS_MAX;
		/* Don't let known entries wait for a slow list. */
		if (l->busy == 0)
			flush(l);
		crawler_turn(w, TURN_MS);
		if (w->list_ready)
			read_input(l);
	}
}

static void
lister_release(struct lister *l)
{
	for (size_t i = 0; i < l->w->c->c.export_count; i++)
		tree_free(&l->w->mounts[i].tree);
	waiting_take(&l->waiting, UINT64_MAX, wanted_free);
	flush(l);
	if (!atomic_load(&l->w->c->stopping))
		reading_flush(reading_of(l, 0), true);
	for (size_t i = 0; i < l->w->c->c.export_count; i++)
		reading_free(&l->by_export[i]);
	free(l->by_export);
	buf_release(&l->line);
	buf_release(&l->path);
	free(l);
}

void *
list_main(void *arg)
{
	struct crawler *w = arg;
	struct lister *l = xcalloc(1, sizeof(*l));
	struct mail *done;

	l->w = w;
	buf_init(&l->line, LINE_MAX_BYTES);
	buf_init(&l->path, LINE_MAX_BYTES);
	l->by_export = xcalloc(w->c->c.export_count, sizeof(*l->by_export));
	lister_loop(l);
	lister_release(l);
	done = xcalloc(1, sizeof(*done));
	done->type = MAIL_CRAWLED;
	mailbox_put(w->c->c.up, done);
	return NULL;
}
