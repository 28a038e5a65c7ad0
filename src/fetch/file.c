/*
 * file.c: the file of the export, for TEST: read the file as the source has the
 * file now, and hash the bytes as the object was hashed.
 */
#include <errno.h>

#include "base/clock.h"
#include "fetch/fetch_internal.h"

#define PAUSE_MS	500	/* before a file that failed is read again */
#define REOPEN_MS	5000	/* before an export is opened again: opening
				   waits long */

/* Stop reading the file; err says why, or NULL. Calls may be outstanding. */
static void
over(struct fetching *t, const struct err *err)
{
	if (err != NULL)
		t->item->result.file_err = *err;
	t->broken = true;
	t->then = THEN_CLOSE;
}

static bool
passes(const struct err *err)
{
	return err->kind == ERR_RETRY || err->kind == ERR_UNREACHABLE;
}

static void
fault(struct fetching *t, const struct err *err)
{
	uint64_t now = clock_mono_ms();

	if (t->broken)
		return;
	if (t->give_up_ms == 0)
		t->give_up_ms = now + t->w->f->c.retry_for_ms;
	if (!passes(err) || now >= t->give_up_ms) {
		over(t, err);
		return;
	}
	t->broken = true;
	t->then = THEN_LOOK;
	t->resume_at_ms = now + PAUSE_MS;
}

static void
torn(struct fetching *t)
{
	t->item->result.file_torn = true;
	over(t, NULL);
}

/* --- reading --- */

static bool
same(const struct fetching *t, const struct attrs *a)
{
	return a->kind == ENTRY_FILE && attrs_same(
	    &t->item->result.file_attrs, a, t->w->f->c.ignore);
}

static void
read_done(void *arg, const struct tree_read *r, const struct err *err)
{
	struct stream *s = arg;
	struct fetching *t = s->t;
	uint64_t left = s->end - s->at - s->fill;

	t->calls--;
	s->reading = false;
	if (t->broken)
		return;
	if (err != NULL) {
		fault(t, err);
		return;
	}
	t->give_up_ms = 0;
	if (r->attrs.kind == ENTRY_UNKNOWN)
		t->no_attrs = true;
	else if (!same(t, &r->attrs)) {
		torn(t);
		return;
	}
	/* file_read asked for a single byte of an empty file, and for at most
	 * the rest of a longer file: more bytes, or no byte, mean a changed
	 * size. */
	if (r->len > left || (r->len == 0 && left > 0)) {
		torn(t);
		return;
	}
	s->fill += r->len;
	s->done = s->at + s->fill == s->end;
}

void
file_read(struct stream *s)
{
	struct fetching *t = s->t;
	struct tree *tree = t->w->trees.v[t->item->export];
	uint64_t len = MIN(s->end - s->at, (uint64_t)s->cap) - s->fill;

	/* Fill the buffer by READs in sequence, then leave the buffer to
	 * streams_turn. */
	if (s->reading || s->fill >= s->cap)
		return;
	t->calls++;
	s->reading = true;
	tree_file_read(t->source, s->at + s->fill, (uint32_t)MIN(MAX(len,
	    (uint64_t)1), (uint64_t)tree_read_max(tree)), s->buf + s->fill,
	    read_done, s);
}

/* --- before --- */

static struct tree *
open_tree(struct fetching *t)
{
	struct fetch_worker *w = t->w;
	struct fetch_fault *f = &w->faults[t->item->export];
	struct tree *tree = w->trees.v[t->item->export];

	if (tree != NULL)
		return tree;
	w->now_ms = clock_mono_ms();
	if (w->now_ms >= f->again_ms) {
		err_clear(&f->err);
		tree = trees_get(&w->trees, t->item->export, &f->err);
		w->now_ms = clock_mono_ms();
		f->again_ms = w->now_ms + MIN((uint64_t)REOPEN_MS,
		    w->f->c.retry_for_ms);
		if (f->since_ms == 0 || tree != NULL)
			f->since_ms = tree == NULL ? w->now_ms : 0;
	}
	if (tree != NULL)
		return tree;
	/* The export was out of reach for retry_for_ms: do not make its
	 * remaining files wait again. */
	if (!passes(&f->err) ||
	    w->now_ms - f->since_ms >= w->f->c.retry_for_ms)
		over(t, &f->err);
	t->resume_at_ms = f->again_ms;
	return NULL;
}

/* The path leads to the file with these attributes, in the file system in which
 * the crawl saw the file. */
static void
found(struct fetching *t, const struct handle *fh)
{
	struct fetch_item *it = t->item;
	const struct attrs *a = &it->result.file_attrs;
	uint64_t part = t->claim.part_size;
	struct err other;

	if (a->kind != ENTRY_FILE) {
		err_set(&other, ERR_GONE, 0, "the file is a %s now",
		    entry_kind_name(a->kind));
		over(t, &other);
		return;
	}
	if (it->has_stored && !attrs_same(a, &it->stored.attrs,
	    t->w->f->c.ignore)) {
		over(t, NULL);
		return;
	}
	t->source = tree_file_open(t->w->trees.v[it->export], fh,
	    str_of(it->raw));
	t->no_attrs = false;
	t->phase = FETCH_FILE;
	pass_begin(t, a->size, part > 0 ? part * MAX(
	    t->w->f->c.range_size / part, (uint64_t)1) : a->size,
	    part == 0, part > 0);
}

static void
placed(void *arg, bool right, const struct err *err)
{
	struct fetching *t = arg;
	struct err why = ERR_INIT;

	t->calls--;
	if (t->broken)
		return;
	if (err != NULL) {
		fault(t, err);
	} else if (!right) {
		place_wrong(&t->place, &why);
		over(t, &why);
	} else if (t->place.gone) {
		err_set(&why, ERR_GONE, ENOENT, "the file is gone");
		over(t, &why);
	} else {
		found(t, &(struct handle){ .len = 0 });
	}
}

static void
looked_up(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct fetching *t = arg;
	struct fetch_item *it = t->item;
	const struct tree_spec *x = &t->w->f->c.exports[it->export];
	struct attrs root;

	t->calls--;
	if (t->broken)
		return;
	t->place = (struct place){
		.tree = t->w->trees.v[it->export],
		.raw = it->raw,
		.follow_links = x->follow_links,
		.gone = err != NULL,
		.fsid = it->fsid,
		.numbered = x->root_fsid != 0,
		.answer = placed,
		.arg = t,
	};
	if (err == NULL) {
		it->result.file_attrs = e->attrs;
		tree_root(t->place.tree, NULL, &root);
	}
	if (err != NULL && (it->any_fs || !err_is_absence(err))) {
		fault(t, err);
	} else if (err == NULL && (it->any_fs || place_is_expected(&t->place,
	    e->attrs.fsid, root.fsid))) {
		found(t, &e->fh);
	} else {
		t->calls++;
		place_ask(&t->place);
	}
}

void
file_look(struct fetching *t)
{
	struct tree *tree;
	struct str raw = str_of(t->item->raw);

	if (t->calls > 0 || t->w->now_ms < t->resume_at_ms)
		return;
	tree = open_tree(t);
	if (tree == NULL)
		return;
	t->calls++;
	if (t->w->f->c.exports[t->item->export].follow_links)
		tree_lookup_follow(tree, raw, looked_up, t);
	else
		tree_lookup(tree, raw, looked_up, t);
}

/* --- after --- */

static void
stat_done(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct fetching *t = arg;

	t->calls--;
	if (t->broken)
		return;
	if (err != NULL)
		fault(t, err);
	else if (same(t, &e->attrs))
		over(t, NULL);
	else
		torn(t);
}

void
file_judge(struct fetching *t)
{
	struct fetch_item *it = t->item;
	uint64_t part = t->claim.part_size;
	char etag[72];

	if (t->calls > 0)
		return;
	if (t->hash_whole) {
		md5_final(&t->whole, it->result.file_md5);
	} else {
		etag_multipart(t->part_md5s, (unsigned)((MAX(t->size,
		    (uint64_t)1) - 1) / part + 1), etag);
		claim_digest(etag, it->result.file_md5);
	}
	it->result.file_hashed = true;
	if (!t->no_attrs) {
		over(t, NULL);
		return;
	}
	/* The server gave a READ without attributes: ask for the attributes
	 * now. */
	t->no_attrs = false;
	t->calls++;
	tree_file_stat(t->source, stat_done, t);
}
