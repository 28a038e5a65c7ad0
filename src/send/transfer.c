/*
 * transfer.c: the life of a transfer: begin, faults, begin again, end.
 */
#include "send/send_internal.h"

#include "base/clock.h"
#include "model/key.h"
#include "verify/etag.h"

#define RESEND_MAX	4	/* failed sendings of an object */
#define FAULT_GAP_MS	90000	/* more than a call and its backoff */
#define BACKOFF_BASE_MS	100
#define BACKOFF_CAP_MS	10000

bool
transfer_is_multipart(const struct transfer *t)
{
	return t->plan.part_size > 0;
}

bool
transfer_is_step(const struct transfer *t)
{
	return t->item->step != SPLIT_WHOLE;
}

unsigned
transfer_first_part(const struct transfer *t)
{
	return t->item->step == SPLIT_RANGE ? t->item->part_first : 0;
}

unsigned
transfer_end_part(const struct transfer *t)
{
	return t->item->step == SPLIT_RANGE ?
	    t->item->part_first + t->item->part_count : t->plan.count;
}

struct s3_meta
transfer_meta(const struct transfer *t)
{
	return (struct s3_meta){
		.mtime_ns = t->before.mtime_ns,
		.mode = t->before.mode,
		.uid = t->before.uid,
		.gid = t->before.gid,
	};
}

static struct str
key_of(const struct worker *w, const struct item *it)
{
	return str_of(key_of_path(it->path, w->sender->c.server_as_prefix));
}

/* Can the file's bytes be compared with the target's object? A file sent by
 * several clients has no digest of the whole: the digests of the parts are
 * compared by the ETag. */
static bool
is_comparable(const struct transfer *t)
{
	const struct item *it = t->item;

	return it->has_prev && it->prev_attrs.size == it->attrs.size &&
	    !transfer_is_step(t) && (it->prev_has_md5 ||
	    (it->prev_part_size > 0 &&
	    etag_is_digest(t->w->sender->c.s3.store.sse)));
}

/* The mode of a file whose bytes are not only compared. */
static enum transfer_mode
send_mode(const struct transfer *t)
{
	return t->w->sender->c.dryrun ? MODE_READ : MODE_SEND;
}

void
transfer_begin(struct worker *w, const struct item *it, struct held_lease *h)
{
	struct transfer *t = xcalloc(1, sizeof(*t));

	t->w = w;
	t->lease = h;
	t->item = it;
	t->key = key_of(w, it);
	t->before = it->attrs;
	t->fh = it->fh;
	t->began_ms = clock_mono_ms();
	t->mode = send_mode(t);
	/* A dry run compares only files of --checksum: without a comparison
	 * such files would count as moved although no attribute shows a
	 * change. */
	if (is_comparable(t) && (!w->sender->c.dryrun ||
	    (it->flags & ITEM_CHECKSUM) != 0))
		t->mode = MODE_COMPARE;
	/* A dry run leaves an open upload to the next real run. */
	if (it->upload_id != NULL && !w->sender->c.dryrun) {
		t->upload_id = xstrdup(it->upload_id);
		t->upload_part_size = it->upload_part_size;
		t->upload_noted = true;
	}
	t->next = w->active;
	w->active = t;
	w->active_count++;
}

void
transfer_free(struct transfer *t)
{
	for (size_t i = 0; i < SEGMENTS_MAX; i++)
		segment_free(&t->seg[i]);
	tree_file_close(&t->file);
	multipart_forget(t);
	free(t->part_md5s);
	free(t->part_crc64s);
	free(t->version_id);
	sender_settled(t->w->sender, t->lease);
	free(t);
}

/* Go back to the beginning; an open upload stays. */
static void
reset(struct transfer *t)
{
	for (size_t i = 0; i < SEGMENTS_MAX; i++)
		segment_free(&t->seg[i]);
	t->proved = PROVED_NOT;
	t->next_index = 0;
	t->done_count = 0;
	t->whole_done = 0;
	t->no_attrs = false;
	t->broken = false;
	/* The object was to be compared, in the object's parts, with the file
	 * before the change: ask S3 again. */
	if (t->found_etag[0] != '\0')
		t->settled = false;
	t->found_etag[0] = '\0';
	t->phase = PHASE_BEGIN;
}

static void
open_file(struct transfer *t)
{
	const struct item *it = t->item;
	struct err err = ERR_INIT;
	struct tree *tree = trees_get(&t->w->trees, it->export, &err);

	/* An export that can't be opened says nothing of its files. */
	if (tree == NULL && err.kind == ERR_GONE)
		err.kind = ERR_UNREACHABLE;
	if (tree == NULL)
		transfer_fault(t, &err);
	else
		t->file = tree_file_open(tree, &t->fh, str_of(it->raw));
}

void
transfer_cut(struct transfer *t, const struct part_plan *plan)
{
	if (plan->part_size != t->plan.part_size ||
	    plan->count != t->plan.count)
		multipart_forget_parts(t);
	t->plan = *plan;
	free(t->part_md5s);
	t->part_md5s = plan->part_size == 0 ? NULL :
	    xcalloc(plan->count, MD5_LEN);
	free(t->part_crc64s);
	t->part_crc64s = plan->part_size == 0 ? NULL :
	    xcalloc(plan->count, sizeof(*t->part_crc64s));
}

uint64_t
transfer_crc64(const struct transfer *t, unsigned first, unsigned count)
{
	uint64_t crc = 0, offset, len;

	for (unsigned i = first; i < first + count; i++) {
		part_range(t->before.size, &t->plan, i, &offset, &len);
		crc = crc64nvme_append(crc, t->part_crc64s[i], len);
	}
	return crc;
}

/* The part size of the open upload or the stored object, else the configured
 * size. */
static uint64_t
part_size_of(const struct transfer *t)
{
	if (t->upload_id != NULL && t->upload_part_size > 0)
		return t->upload_part_size;
	if (t->mode == MODE_COMPARE && t->item->prev_part_size > 0)
		return t->item->prev_part_size;
	return t->w->sender->c.part_size;
}

static bool is_given_up(struct transfer *);

static void
begin(struct transfer *t)
{
	struct err err = ERR_INIT;
	struct part_plan plan;

	t->resume_at_ms = 0;
	if (is_given_up(t))
		return;
	if (t->reopen)
		tree_file_close(&t->file);
	t->reopen = false;
	if (t->file == NULL)
		open_file(t);
	if (t->file == NULL)
		return;
	if (part_plan(t->before.size, part_size_of(t),
	    &t->w->sender->c.s3.store, &plan, &err) == -1) {
		t->err = err;
		transfer_end(t, OUTCOME_FAILED);
		return;
	}
	/* A dry run makes no object: parts of any size will do. */
	if (t->mode == MODE_READ && plan.part_size > 0) {
		plan.part_size = t->w->sender->c.part_size;
		plan.count = (unsigned)((t->before.size +
		    plan.part_size - 1) / plan.part_size);
	}
	transfer_cut(t, &plan);
	if (transfer_is_step(t)) {
		send_split_begin(t);
		return;
	}
	md5_init(&t->whole);
	t->phase = PHASE_ASKING;
	if (t->w->sender->c.dryrun)
		t->phase = PHASE_MOVING;
	else
		send_ask(t);
}

static struct result
make_result(struct transfer *t)
{
	struct result r = {
		.object = t->item->object,
		.outcome = t->outcome,
		.attrs = t->before,
		.attempts = MAX(t->attempts, 1U),
		.bytes_sent = t->bytes_sent,
		.took_ms = clock_mono_ms() - t->began_ms,
		.err = t->err,
	};

	if (t->outcome > OUTCOME_UNCHANGED)
		return r;
	if (transfer_is_step(t)) {
		send_split_result(t, &r);
		return r;
	}
	r.event = t->event;
	r.proved = t->proved;
	r.has_md5 = t->mode != MODE_READ;
	memcpy(r.md5, t->whole_md5, MD5_LEN);
	r.has_crc64 = r.has_md5;
	r.crc64 = t->whole_crc64;
	memcpy(r.etag, t->etag, sizeof(r.etag));
	r.part_size = t->plan.part_size;
	r.part_md5s = STEAL(t->part_md5s);
	r.part_count = r.part_md5s == NULL ? 0 : t->plan.count;
	r.version_id = STEAL(t->version_id);
	return r;
}

/* Every call is back: abort an upload that must not stay open, then report. */
static void
finish(struct transfer *t)
{
	struct result r;
	bool passing = t->outcome == OUTCOME_LEFT ||
	    (t->outcome == OUTCOME_FAILED && t->err.kind == ERR_RETRY);
	/* This step does not end the upload. */
	bool stays = passing || t->keep_upload ||
	    t->item->step == SPLIT_BEGIN || t->item->step == SPLIT_RANGE;
	bool ends;

	/* Keep the upload when S3 was out of reach: the next run continues the
	 * upload. A completed upload has no id here any more. */
	if (t->upload_id != NULL && !stays) {
		multipart_abort(t);
		return;
	}
	/* Another client may get a changed file at once: the end of the upload
	 * must be known before. */
	ends = t->upload_noted && !stays && !t->unnoted;
	if (ends && t->outcome == OUTCOME_CHANGED)
		worker_note(t, UPLOAD_ENDED);
	r = make_result(t);
	worker_result(t->w, t->lease, &r);
	if (ends && t->outcome != OUTCOME_CHANGED)
		worker_note(t, UPLOAD_ENDED);
	for (size_t i = 0; i < SEGMENTS_MAX; i++)
		segment_free(&t->seg[i]);
	t->phase = PHASE_ENDED;
}

void
transfer_step(struct transfer *t)
{
	if (t->phase == PHASE_ENDED || t->resume_at_ms > t->w->now_ms)
		return;
	if (t->broken) {
		if (t->calls > 0)
			return;
		if (t->stale_upload) {
			t->stale_upload = false;
			multipart_abort(t);
			return;
		}
		if (t->ending) {
			finish(t);
			return;
		}
		reset(t);
	}
	if (t->phase == PHASE_BEGIN)
		begin(t);
	/* Read before sending. Segments freed by sending are read in the next
	 * turn, together with segments of more files, and so hashed in more
	 * lanes. But read again now if no outstanding call would wake the
	 * worker, or if the part is streamed. */
	if (t->phase == PHASE_MOVING && !t->broken)
		segments_read(t);
	if (t->phase == PHASE_MOVING && !t->broken)
		send_segments(t);
	if (t->phase == PHASE_MOVING && !t->broken &&
	    (t->calls == 0 || ring_needed(t)))
		segments_read(t);
	/* The transfer ends without outstanding calls: finish now, as no call
	 * will wake the worker. */
	if (t->ending && !t->stale_upload && t->calls == 0 &&
	    t->phase != PHASE_ENDED)
		finish(t);
}

void
transfer_end(struct transfer *t, enum outcome outcome)
{
	t->outcome = outcome;
	t->ending = true;
	t->broken = true;
	t->resume_at_ms = 0;
}

void
transfer_holds(struct transfer *t, enum event_kind event,
    const struct s3_reply *r)
{
	t->event = event;
	free(t->version_id);
	t->version_id = r->version_id.len == 0 ? NULL :
	    xstrndup(r->version_id.p, r->version_id.len);
}

void
transfer_again(struct transfer *t, enum transfer_mode mode)
{
	t->mode = mode;
	t->broken = true;
}

static void
again_later(struct transfer *t)
{
	t->broken = true;
	t->resume_at_ms = t->w->now_ms + backoff_ms(t->tries, BACKOFF_BASE_MS,
	    BACKOFF_CAP_MS, rng_next(&t->w->rng));
}

/* Count the time for the file, and for its export: after the export has been
 * out of reach for retry_for, its remaining files fail at their first fault. A
 * fault long after the last fault begins a new count. */
static bool
failing_too_long(const struct worker *w, struct fault *f)
{
	if (f->since_ms == 0 || w->now_ms - f->last_ms > FAULT_GAP_MS)
		f->since_ms = w->now_ms;
	f->last_ms = w->now_ms;
	return w->now_ms - f->since_ms >= w->sender->c.retry_for_ms;
}

/* A step of a file uploaded by several clients fails instead of being left:
 * some of these clients run in different senders. */
static bool
is_out_of_reach(struct transfer *t)
{
	unsigned export = t->item->export;
	const struct tree *tree = t->w->trees.v[export];

	return !transfer_is_step(t) &&
	    (tree == NULL || !tree_answers(tree)) &&
	    sender_give_up(t->w->sender, export, t->w->now_ms, &t->err);
}

/* True, with the item left, if this worker or a different worker gave the
 * export up meanwhile. */
static bool
is_given_up(struct transfer *t)
{
	if (transfer_is_step(t) || !sender_gave_up(t->w->sender,
	    t->item->export, t->w->now_ms, &t->err))
		return false;
	transfer_end(t, OUTCOME_LEFT);
	return true;
}

static void look_again(struct transfer *);

void
transfer_fault(struct transfer *t, const struct err *err)
{
	bool file, export;

	if (t->ending || (t->broken && t->calls > 0))
		return;
	if (err->kind == ERR_STOPPED) {
		t->broken = true;
		return;
	}
	t->err = *err;
	/* The handle, or an entry in place of the file, answered GONE: look up
	 * the path. */
	if (err->kind == ERR_GONE) {
		t->broken = true;
		t->missed = true;
		look_again(t);
		return;
	}
	if (err->kind != ERR_RETRY && err->kind != ERR_UNREACHABLE) {
		transfer_end(t, OUTCOME_FAILED);
		return;
	}
	if (is_given_up(t))
		return;
	t->tries++;
	file = failing_too_long(t->w, &t->fault);
	export = failing_too_long(t->w, &t->w->faults[t->item->export]);
	if (export && is_out_of_reach(t))
		transfer_end(t, OUTCOME_LEFT);
	else if (file || export)
		transfer_end(t, OUTCOME_FAILED);
	else
		again_later(t);
}

void
transfer_s3_fault(struct transfer *t, const struct err *err)
{
	if (t->ending || (t->broken && t->calls > 0))
		return;
	if (err->kind == ERR_STOPPED) {
		t->broken = true;
		return;
	}
	if (err->kind == ERR_CORRUPT) {
		transfer_resend(t, err);
		return;
	}
	t->err = *err;
	transfer_end(t, OUTCOME_FAILED);
}

bool
transfer_answered(struct transfer *t, const struct err *err)
{
	t->calls--;
	if (t->broken)
		return false;
	if (err != NULL && err->kind != ERR_GONE) {
		transfer_s3_fault(t, err);
		return false;
	}
	return true;
}

void
transfer_resend(struct transfer *t, const struct err *err)
{
	t->err = *err;
	t->tries = ++t->resent;
	/* The last step of a split file sends no bytes; do not retry it. */
	if (t->resent < RESEND_MAX && t->item->step != SPLIT_END)
		again_later(t);
	else
		transfer_end(t, OUTCOME_FAILED);
}

bool
transfer_same_meta(const struct transfer *t, const struct s3_meta *m)
{
	struct attrs told = { .mtime_ns = m->mtime_ns, .mode = m->mode,
	    .uid = m->uid, .gid = m->gid };

	return attrs_same_kept(&t->before, &told);
}

bool
transfer_looks_same(const struct transfer *t, const struct s3_reply *r)
{
	struct held_answer a;

	s3_head_answer(r, NULL, &a);
	return held_looks(&a, &t->before);
}

/* Only the answer to a lookup of the path can say that the file is gone. */
static void
not_found(struct transfer *t, const struct err *err)
{
	if (err_is_absence(err)) {
		place_gone(t, err);
		return;
	}
	if (err->kind == ERR_GONE) {
		t->err = *err;
		transfer_end(t, OUTCOME_FAILED);
		return;
	}
	t->broken = false;
	transfer_fault(t, err);
}

/* Reading said that the file is gone, but the path names a file. */
static void
found_again(struct transfer *t, const struct tree_entry *e)
{
	struct err err = ERR_INIT;

	t->broken = false;
	if (!attrs_same(&e->attrs, &t->before, t->w->sender->c.ignore_inode)) {
		transfer_changed(t);
		return;
	}
	t->fh = e->fh;
	t->reopen = true;
	err_set(&err, ERR_RETRY, t->err.code, "it is there, but reading it "
	    "fails: %s", t->err.msg);
	transfer_fault(t, &err);
}

/* Is the file another version than the item's, so that the master must agree to
 * sending the file? */
static bool
is_to_agree(const struct transfer *t, const struct attrs *now)
{
	return t->w->sender->c.exact && !transfer_is_step(t) &&
	    !attrs_same(now, &t->item->attrs, t->w->sender->c.exact_but);
}

static void
looked_again(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct transfer *t = arg;
	bool missed = t->missed;

	t->calls--;
	t->missed = false;
	if (t->ending)
		return;
	if (err != NULL) {
		not_found(t, err);
	} else if (is_to_agree(t, &e->attrs)) {
		t->before = e->attrs;
		transfer_end(t, OUTCOME_CHANGED);
	} else if (e->attrs.kind != ENTRY_FILE) {
		err_set(&t->err, ERR_GONE, 0, "it is a %s now",
		    entry_kind_name(e->attrs.kind));
		transfer_end(t, OUTCOME_FAILED);
	} else if (missed) {
		found_again(t, e);
	} else {
		t->before = e->attrs;
		t->fh = e->fh;
		t->reopen = true;
	}
}

/* The path may now lead to a different file, or to none: a server gives the
 * bytes of a removed file as long as a client has the file's handle. */
static void
look_again(struct transfer *t)
{
	struct tree *tree = t->w->trees.v[t->item->export];
	struct str path = str_of(t->item->raw);

	t->calls++;
	if (t->w->sender->c.exports[t->item->export].follow_links)
		tree_lookup_follow(tree, path, looked_again, t);
	else
		tree_lookup(tree, path, looked_again, t);
}

void
transfer_changed(struct transfer *t)
{
	if (t->broken)
		return;
	if (transfer_is_step(t)) {
		send_split_changed(t);
		return;
	}
	if (++t->changes > ITEM_CHANGES_MAX) {
		err_set(&t->err, ERR_GONE, 0, "it changed %u times while it "
		    "was read; not stored", t->changes);
		transfer_end(t, OUTCOME_FAILED);
		return;
	}
	t->tries = t->changes;
	again_later(t);
	if (t->mode == MODE_COMPARE)
		t->mode = send_mode(t);
	/* An upload of the old bytes is of no use; parts of the upload may
	 * still be on the way. */
	t->stale_upload = t->upload_id != NULL;
	look_again(t);
}

bool
transfer_is_same(struct transfer *t, const struct tree_entry *e,
    const struct err *err)
{
	t->calls--;
	if (t->broken)
		return false;
	if (err != NULL) {
		transfer_fault(t, err);
		return false;
	}
	if (!place_fits(t, &e->attrs))
		return false;
	if (!attrs_same(&e->attrs, &t->before, t->w->sender->c.ignore_inode)) {
		transfer_changed(t);
		return false;
	}
	return true;
}
