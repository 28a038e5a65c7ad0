/*
 * send.c: what to do with the hashed bytes of a file: compare the bytes,
 * refresh metadata, or send; and the single PUT.
 */
#include "base/clock.h"
#include "send/send_internal.h"

#define COPY_MAX (5 * GIB)	/* limit of CopyObject (Amazon S3 API) */

void
send_go_on(struct transfer *t)
{
	if (t->mode == MODE_SEND && transfer_is_multipart(t))
		multipart_ask(t);
	else
		t->phase = PHASE_MOVING;
}

static void
head_done(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct transfer *t = arg;

	if (!transfer_answered(t, err))
		return;
	/* An object with the same size and time may have arrived in an earlier
	 * run. The bytes decide. */
	t->settled = true;
	if (err == NULL && transfer_looks_same(t, r)) {
		memcpy(t->found_etag, r->etag, sizeof(t->found_etag));
		transfer_holds(t, EVENT_STORED, r);
		if (transfer_is_multipart(t))
			t->mode = MODE_COMPARE;
	}
	send_go_on(t);
}

void
send_ask(struct transfer *t)
{
	if (!t->settled && t->w->sender->c.adopt) {
		adopt_ask(t);
		return;
	}
	if ((t->item->flags & ITEM_SETTLE) == 0 || t->settled) {
		send_go_on(t);
		return;
	}
	t->calls++;
	s3_head(t->w->p.s3, t->key, head_done, t);
}

/* Does the answer have the object's metadata of the file? Objects of foreign
 * tools may have none. */
static bool
tells_meta(const struct s3_reply *r)
{
	return r != NULL && r->has_mode && r->has_mtime;
}

/* Does the object's metadata agree with the file? An object without metadata
 * (put by a foreign tool) was adopted unchanged: compare the file with the
 * stored version instead. */
static bool
same_metadata(const struct transfer *t, const struct s3_reply *r)
{
	if (tells_meta(r))
		return transfer_same_meta(t, &r->meta);
	return attrs_same_kept(&t->before, &t->item->prev_attrs);
}

/* Keep the object's value for each attribute that the source did not tell. */
static void
keep_unknown(struct s3_meta *meta, const struct transfer *t,
    const struct s3_reply *r)
{
	const struct attrs *prev = &t->item->prev_attrs;
	bool told = tells_meta(r);

	if (meta->mtime_ns == MTIME_NONE)
		meta->mtime_ns = told ? r->meta.mtime_ns : prev->mtime_ns;
	if (meta->uid == OWNER_NONE)
		meta->uid = told ? r->meta.uid : prev->uid;
	if (meta->gid == OWNER_NONE)
		meta->gid = told ? r->meta.gid : prev->gid;
}

/* The object was copied onto itself: its version is the copy, unless somebody
 * else has put another object meanwhile. */
static void
version_done(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct transfer *t = arg;

	if (!transfer_answered(t, err))
		return;
	if (err != NULL || strcmp(r->etag, t->etag) != 0) {
		transfer_again(t, MODE_SEND);
		return;
	}
	transfer_holds(t, EVENT_REFRESHED, r);
	transfer_end(t, OUTCOME_UNCHANGED);
}

static void
copy_done(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct transfer *t = arg;
	char single[72];

	t->calls--;
	if (t->broken)
		return;
	/* The copy failed: send the file, whatever the reason. */
	if (err != NULL && err->kind != ERR_RETRY && err->kind != ERR_STOPPED) {
		transfer_again(t, MODE_SEND);
		return;
	}
	if (err != NULL) {
		transfer_s3_fault(t, err);
		return;
	}
	/* The copy of a multipart object may be a plain object. */
	etag_single(t->whole_md5, single);
	if (strcmp(r->etag, single) == 0) {
		t->proved = PROVED_ETAG;
		transfer_cut(t, &(struct part_plan){ .count = 1 });
	} else if (strcmp(r->etag, t->etag) != 0) {
		transfer_again(t, MODE_SEND);
		return;
	}
	memcpy(t->etag, r->etag, sizeof(t->etag));
	/* radosgw keeps versions, and does not name the one that a copy
	 * makes. */
	if (r->version_id.len == 0 && t->version_id != NULL) {
		t->calls++;
		s3_head(t->w->p.s3, t->key, version_done, t);
		return;
	}
	transfer_holds(t, EVENT_REFRESHED, r);
	transfer_end(t, OUTCOME_UNCHANGED);
}

/* The object has the file's bytes: only the metadata may differ. */
static void
refresh(struct transfer *t, const struct s3_reply *r)
{
	struct s3_meta meta = transfer_meta(t);

	keep_unknown(&meta, t, r);
	transfer_holds(t, t->event, r);
	if (same_metadata(t, r)) {
		transfer_end(t, OUTCOME_UNCHANGED);
	} else if (t->before.size > COPY_MAX) {
		transfer_again(t, MODE_SEND);
	} else {
		t->calls++;
		s3_copy_self(t->w->p.s3, t->key, &meta, copy_done, t);
	}
}

static void
held_done(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct transfer *t = arg;

	if (!transfer_answered(t, err))
		return;
	if (err == NULL && r->size == t->before.size &&
	    strcmp(r->etag, t->etag) == 0)
		refresh(t, r);
	else
		transfer_again(t, MODE_SEND);
}

/* The bytes are those of the stored version. A newer version may have been sent
 * since, and its result lost: ask S3 for the present object, unless the catalog
 * knows that S3 holds the stored version (--checksum) and S3 has not just
 * denied that. */
static void
same_bytes(struct transfer *t)
{
	memcpy(t->etag, t->item->prev_etag, sizeof(t->etag));
	t->event = EVENT_NONE;
	t->phase = PHASE_CLOSING;
	/* The object was a single PUT, whatever the part size is now. */
	if (t->item->prev_part_size == 0)
		transfer_cut(t, &(struct part_plan){ .count = 1 });
	if ((t->item->flags & ITEM_CHECKSUM) != 0 && !t->settled) {
		transfer_end(t, OUTCOME_UNCHANGED);
		return;
	}
	t->calls++;
	s3_head(t->w->p.s3, t->key, held_done, t);
}

/* The object found has the file's bytes. It keeps the metadata that a foreign
 * tool gave it, and not the metadata that PUT gave it before the file had
 * others. */
static void
adopted(struct transfer *t)
{
	if (!t->stale || t->w->sender->c.dryrun) {
		transfer_end(t, OUTCOME_UNCHANGED);
		return;
	}
	t->phase = PHASE_CLOSING;
	t->calls++;
	s3_head(t->w->p.s3, t->key, held_done, t);
}

/* Are the hashed bytes those of the stored version? */
static bool
is_previous(const struct transfer *t, const char *etag)
{
	const struct item *it = t->item;

	if (!it->has_prev)
		return false;
	if (it->prev_has_md5)
		return memcmp(it->prev_md5, t->whole_md5, MD5_LEN) == 0;
	return it->prev_part_size > 0 &&
	    it->prev_part_size == t->plan.part_size &&
	    strcmp(it->prev_etag, etag) == 0;
}

/* A dry run: report that the file would be sent. */
static void
read_through(struct transfer *t)
{
	t->bytes_sent = t->before.size;
	transfer_end(t, OUTCOME_MOVED);
}

/* Every byte is hashed, in MODE_COMPARE or settling: true if no bytes need to
 * be sent (or the sending begins again elsewhere). */
static bool
compared(struct transfer *t)
{
	char etag[72];

	proof_expected(t, etag);
	if (t->found_etag[0] != '\0' && adopt_fits(t)) {
		t->proved = PROVED_ETAG;
		adopted(t);
		return true;
	}
	if (strcmp(t->found_etag, etag) == 0) {
		t->proved = PROVED_ETAG;
		memcpy(t->etag, etag, sizeof(t->etag));
		transfer_end(t, OUTCOME_MOVED);
		return true;
	}
	t->found_etag[0] = '\0';
	if (t->mode != MODE_COMPARE)
		return false;
	if (is_previous(t, etag)) {
		same_bytes(t);
		return true;
	}
	if (t->w->sender->c.dryrun) {
		read_through(t);
		return true;
	}
	if (adopt_guess(t))
		return true;
	t->mode = MODE_SEND;
	if (!transfer_is_multipart(t))
		return false;
	transfer_again(t, MODE_SEND);
	return true;
}

static void
put_done(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct segment *s = arg;
	struct transfer *t = s->t;

	t->calls--;
	t->attempts += r->attempts;
	if (t->broken)
		return;
	if (err != NULL) {
		transfer_s3_fault(t, err);
		return;
	}
	t->bytes_sent += s->len;
	proof_object(t, r);
}

static ptrdiff_t
paced_read(void *arg, uint64_t offset, void *out, size_t max)
{
	const struct segment *s = arg;
	size_t n = rate_take(&s->t->w->sender->pool.rate, max, clock_mono_ns());

	memcpy(out, s->data + offset, n);
	return (ptrdiff_t)n;
}

struct s3_body
send_body(struct segment *s)
{
	struct s3_body body = { .data = s->data, .len = s->len,
	    .md5 = s->digest };

	if (rate_limited(&s->t->w->sender->pool.rate) && s->len > 0) {
		body.read = paced_read;
		body.read_arg = s;
	}
	return body;
}

static bool must_stat(struct transfer *);

static void
single_ready(struct transfer *t, struct segment *s)
{
	struct s3_meta meta = transfer_meta(t);
	struct s3_body body = send_body(s);

	if (must_stat(t))
		return;
	memcpy(t->whole_md5, s->digest, MD5_LEN);
	t->whole_crc64 = s->crc64;
	if (compared(t))
		return;
	s->state = SEG_SENDING;
	t->phase = PHASE_CLOSING;
	t->calls++;
	s3_put(t->w->p.s3, t->key, &body, &meta, put_done, s);
}

bool
send_is_needed(const struct transfer *t, const struct segment *s)
{
	if (t->mode != MODE_SEND)
		return false;
	return t->have[s->index] == 0 || memcmp(t->have_md5s +
	    (size_t)s->index * MD5_LEN, s->digest, MD5_LEN) != 0;
}

static void
part_ready(struct transfer *t, struct segment *s)
{
	memcpy(t->part_md5s + (size_t)s->index * MD5_LEN, s->digest, MD5_LEN);
	t->part_crc64s[s->index] = s->crc64;
	if (send_is_needed(t, s))
		multipart_send(s);
	else
		s->state = SEG_DONE;
}

static void
all_done(struct transfer *t)
{
	if (t->mode == MODE_READ) {
		read_through(t);
		return;
	}
	if (must_stat(t))
		return;
	if (transfer_is_step(t)) {
		send_split_done(t);
		return;
	}
	md5_final(&t->whole, t->whole_md5);
	t->whole_crc64 = transfer_crc64(t, 0, t->plan.count);
	if (!compared(t))
		multipart_complete(t);
}

/* --- a server whose READs carry no attributes --- */

static void
stat_done(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct transfer *t = arg;

	if (transfer_is_same(t, e, err)) {
		t->no_attrs = false;
		t->phase = PHASE_MOVING;
	}
}

/* True if the file must first be looked at once more: do not use the bytes
 * before the attributes prove to be the same as at the beginning. */
static bool
must_stat(struct transfer *t)
{
	if (!t->no_attrs)
		return false;
	t->phase = PHASE_CLOSING;
	t->calls++;
	tree_file_stat(t->file, stat_done, t);
	return true;
}

/* Neither the sending nor the whole-file MD5 needs the segment's bytes any
 * more. */
static bool
is_over(const struct transfer *t, const struct segment *s)
{
	return s->state == SEG_DONE && (t->mode == MODE_READ ||
	    transfer_is_step(t) || t->whole_done >= s->offset + s->len);
}

void
send_segments(struct transfer *t)
{
	for (size_t i = 0; i < SEGMENTS_MAX; i++) {
		struct segment *s = &t->seg[i];

		if (s->state == SEG_READY && transfer_is_multipart(t))
			part_ready(t, s);
		else if (s->state == SEG_READY)
			single_ready(t, s);
		if (t->broken || t->phase != PHASE_MOVING)
			return;
		if (is_over(t, s)) {
			segment_free(s);
			t->done_count++;
		}
	}
	if (t->done_count == transfer_end_part(t) - transfer_first_part(t))
		all_done(t);
}
