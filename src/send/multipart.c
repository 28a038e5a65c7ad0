/*
 * multipart.c: the upload of a large file in parts (Amazon S3 User Guide,
 * "Uploading and copying objects using multipart upload").
 *
 * The catalog has an intent row before CreateMultipartUpload, so that a run
 * finds the upload again after a kill at any point: by the upload id, to
 * continue with the parts held by the server, or, when the answer with the id
 * was never seen, by key and time, to abort the upload.
 */
#include "send/send_internal.h"
#include "verify/etag.h"

/* Date headers give the server's clock in whole seconds, and several machines
 * may serve requests. */
#define CLOCK_GRAIN_S	2
/* So that those of 10,000 parts fit into a message to a client. */
#define PART_ETAG_MAX	512

void
multipart_forget_parts(struct transfer *t)
{
	free(t->have);
	t->have = NULL;
	free(t->have_md5s);
	t->have_md5s = NULL;
	for (unsigned i = 0; t->given != NULL && i < t->plan.count; i++)
		free(t->given[i]);
	free(t->given);
	t->given = NULL;
}

void
multipart_forget(struct transfer *t)
{
	free(t->upload_id);
	t->upload_id = NULL;
	multipart_forget_parts(t);
}

void
multipart_alloc(struct transfer *t)
{
	if (t->have != NULL)
		return;
	t->have = xcalloc(t->plan.count, 1);
	t->have_md5s = xcalloc(t->plan.count, MD5_LEN);
	t->given = xcalloc(t->plan.count, sizeof(*t->given));
}

/* Keep the part's ETag for Complete as S3 has written it, unless that is the
 * MD5 in quotes. */
static void
keep_given(struct transfer *t, unsigned index, struct str given,
    const uint8_t *md5)
{
	char usual[2 * MD5_LEN + 3] = "\"";

	hex_encode(md5, MD5_LEN, usual + 1);
	usual[2 * MD5_LEN + 1] = '"';
	free(t->given[index]);
	t->given[index] = str_eq(given, (struct str){ usual,
	    2 * MD5_LEN + 2 }) ? NULL : xstrndup(given.p, given.len);
}

static void
intent(struct transfer *t)
{
	multipart_alloc(t);
	t->upload_noted = t->intended = true;
	t->upload_part_size = t->plan.part_size;
	/* With unnoted set, uploads of an earlier attempt may be open: keep the
	 * earlier time to find these uploads. */
	if (!t->unnoted)
		t->intent_sec = s3_server_time(t->w->p.s3) - CLOCK_GRAIN_S;
	t->calls++;
	worker_note(t, UPLOAD_INTENT);
}

/* The upload's id is known. */
static void
go_on(struct transfer *t)
{
	if (t->item->step == SPLIT_BEGIN)
		transfer_end(t, OUTCOME_MOVED);
	else
		t->phase = PHASE_MOVING;
}

/* --- uploads perhaps begun --- */

/* Every orphan is listed and aborted: go on with the known upload, or with a
 * new intent. */
static void
orphans_over(struct transfer *t)
{
	t->unnoted = false;
	if (t->upload_id == NULL) {
		intent(t);
		return;
	}
	worker_note(t, UPLOAD_CREATED);
	go_on(t);
}

static void
orphan_aborted(void *arg, const struct s3_reply *r UNUSED,
    const struct err *err)
{
	struct transfer *t = arg;

	if (transfer_answered(t, err) && t->calls == 0)
		orphans_over(t);
}

/* Abort only uploads of this very key that began after our intent; the upload
 * with the known id is no orphan. */
static void
orphan_listed(void *arg, const struct s3_upload *u)
{
	struct transfer *t = arg;

	if (t->broken || !str_eq(u->key, t->key) ||
	    u->initiated_sec < t->intent_sec || (t->upload_id != NULL &&
	    str_eq(u->upload_id, str_of(t->upload_id))))
		return;
	t->calls++;
	s3_mpu_abort(t->w->p.s3, t->key, u->upload_id, orphan_aborted, t);
}

static void
orphans_listed(void *arg, const struct s3_reply *r UNUSED,
    const struct err *err)
{
	struct transfer *t = arg;

	t->calls--;
	if (t->broken)
		return;
	if (err != NULL)
		transfer_s3_fault(t, err);
	else if (t->calls == 0)
		orphans_over(t);
}

static void
abort_orphans(struct transfer *t)
{
	t->calls++;
	s3_mpu_list(t->w->p.s3, t->key, orphan_listed, orphans_listed, t);
}

static void
created(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct transfer *t = arg;
	bool lost = t->unnoted || r->attempts > 1 || (err != NULL &&
	    err->kind != ERR_DENIED && err->kind != ERR_REFUSED &&
	    err->kind != ERR_INVALID);

	t->calls--;
	if (err == NULL)
		t->upload_id = xstrndup(r->upload_id.p, r->upload_id.len);
	/* A row with an upload id says that no second upload is open. After a
	 * lost answer a second upload may be open: leave the id out of the row
	 * until the orphans are aborted. */
	t->unnoted = lost;
	if (err == NULL && !lost)
		worker_note(t, UPLOAD_CREATED);
	/* The file has changed meanwhile, and the upload was created with the
	 * old times: abort the upload. */
	if (err == NULL && t->broken && t->changes > 0)
		t->stale_upload = true;
	if (t->broken)
		return;
	if (err != NULL)
		transfer_s3_fault(t, err);
	else if (lost)
		abort_orphans(t);
	else
		go_on(t);
}

void
multipart_noted(struct transfer *t)
{
	struct s3_meta meta = transfer_meta(t);

	if (!t->intended)
		return;
	t->intended = false;
	t->calls--;
	if (t->broken)
		return;
	t->calls++;
	s3_mpu_create(t->w->p.s3, t->key, &meta, created, t);
}

/* --- a known upload --- */

static void ask_parts(struct transfer *, unsigned marker);

/* Does the catalog know the MD5 of the part with this ETag? */
static bool
is_noted(const struct transfer *t, const struct s3_part *p, uint8_t *md5)
{
	char hex[2 * MD5_LEN + 1], *end;

	for (const char *s = t->item->upload_parts; s != NULL && *s != '\0';) {
		unsigned long number = strtoul(s, &end, 10);
		size_t len = strcspn(end, "\n"), head = 2 + 2 * MD5_LEN;

		if (number == p->number && len > head && str_eq(p->given,
		    (struct str){ end + head, len - head })) {
			memcpy(hex, end + 1, 2 * MD5_LEN);
			hex[2 * MD5_LEN] = '\0';
			return hex_decode(hex, md5, MD5_LEN);
		}
		s = end + len + (end[len] == '\n');
	}
	return false;
}

static void
take_parts(struct transfer *t, const struct s3_reply *r)
{
	for (size_t i = 0; i < r->part_count; i++) {
		const struct s3_part *p = &r->parts[i];
		uint64_t off, len;

		if (p->number < 1 || p->number > t->plan.count)
			continue;
		part_range(t->before.size, &t->plan, p->number - 1, &off,
		    &len);
		if (p->size != len || (!is_noted(t, p, t->have_md5s +
		    (size_t)(p->number - 1) * MD5_LEN) &&
		    !hex_decode(p->etag, t->have_md5s +
		    (size_t)(p->number - 1) * MD5_LEN, MD5_LEN)))
			continue;
		t->have[p->number - 1] = 1;
		keep_given(t, p->number - 1, p->given, t->have_md5s +
		    (size_t)(p->number - 1) * MD5_LEN);
	}
}

static void
parts_listed(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct transfer *t = arg;

	t->calls--;
	if (t->broken)
		return;
	if (err != NULL && err->kind == ERR_GONE &&
	    t->item->step == SPLIT_RANGE) {
		send_split_lost(t, err);
		return;
	}
	if (err != NULL && err->kind == ERR_GONE) {
		multipart_forget(t);
		intent(t);
		return;
	}
	if (err != NULL) {
		transfer_s3_fault(t, err);
		return;
	}
	take_parts(t, r);
	if (r->truncated && r->part_count > 0 &&
	    r->parts[r->part_count - 1].number < transfer_end_part(t) &&
	    t->item->step != SPLIT_BEGIN)
		ask_parts(t, r->parts[r->part_count - 1].number);
	else
		go_on(t);
}

static void
ask_parts(struct transfer *t, unsigned marker)
{
	t->calls++;
	s3_mpu_parts(t->w->p.s3, t->key, str_of(t->upload_id), marker,
	    parts_listed, t);
}

void
multipart_ask(struct transfer *t)
{
	if (t->upload_id != NULL && t->have != NULL) {
		go_on(t);	/* the parts are known */
	} else if (t->upload_id != NULL) {
		multipart_alloc(t);
		ask_parts(t, transfer_first_part(t));
	} else if (t->item->upload_intent_sec > 0 && !t->upload_noted) {
		t->intent_sec = t->item->upload_intent_sec;
		abort_orphans(t);
	} else {
		intent(t);
	}
}

/* --- sending --- */

/* A different process aborted the upload: begin a new upload. */
static void
upload_lost(struct transfer *t, const struct err *err)
{
	if (transfer_is_step(t)) {
		send_split_lost(t, err);
		return;
	}
	multipart_forget(t);
	transfer_resend(t, err);
}

static void
part_done(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct segment *s = arg;
	struct transfer *t = s->t;
	struct err early = ERR_INIT;

	t->calls--;
	t->attempts += r->attempts - (r->attempts > 0);
	if (t->broken)
		return;
	if (err != NULL && err->kind == ERR_GONE) {
		upload_lost(t, err);
		return;
	}
	if (err != NULL) {
		transfer_s3_fault(t, err);
		return;
	}
	if (s->ring != NULL && !ring_is_sent(s)) {
		err_set(&early, ERR_CORRUPT, 0, "S3 took part %u before it "
		    "had all of its bytes", s->index + 1);
		transfer_resend(t, &early);
		return;
	}
	if (r->etag_given.len > PART_ETAG_MAX) {
		err_set(&early, ERR_PEER, 0, "part %u has an ETag of %zu bytes",
		    s->index + 1, r->etag_given.len);
		transfer_s3_fault(t, &early);
		return;
	}
	if (!proof_part(t, s->digest, r))
		return;
	keep_given(t, s->index, r->etag_given, s->digest);
	if (t->given[s->index] != NULL && !transfer_is_step(t) &&
	    !proof_is_md5(r->etag, s->digest))
		worker_note_part(t, s->index, s->digest);
	if (s->ring != NULL)
		ring_done(s);
	t->have[s->index] = 1;
	memcpy(t->have_md5s + (size_t)s->index * MD5_LEN, s->digest, MD5_LEN);
	t->bytes_sent += s->len;
	s->state = SEG_DONE;
}

void
multipart_send_body(struct segment *s, const struct s3_body *body)
{
	struct transfer *t = s->t;

	s->state = SEG_SENDING;
	t->calls++;
	s3_mpu_part(t->w->p.s3, t->key, str_of(t->upload_id), s->index + 1,
	    body, part_done, s);
}

void
multipart_send(struct segment *s)
{
	struct s3_body body = send_body(s);

	multipart_send_body(s, &body);
}

/* --- completing --- */

/* True if the object in the bucket is the object made by the upload. An ETag
 * that is no digest of the parts is at least not that of the object before. */
static bool
is_ours(const struct transfer *t, const struct s3_reply *r)
{
	char expected[72];

	if (!transfer_looks_same(t, r))
		return false;
	proof_expected(t, expected);
	return strcmp(r->etag, expected) == 0 || !t->item->has_prev ||
	    strcmp(r->etag, t->item->prev_etag) != 0;
}

/* The answer was lost, or had no ETag: look at the object in the bucket. */
static void
complete_looked(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct transfer *t = arg;
	struct err lost = ERR_INIT;

	if (!transfer_answered(t, err))
		return;
	if (err != NULL || !is_ours(t, r)) {
		err_set(&lost, ERR_CORRUPT, 0, "the upload was completed, but "
		    "S3 does not hold what it makes");
		upload_lost(t, &lost);
	} else {
		proof_object(t, r);
	}
}

static void
complete_done(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct transfer *t = arg;

	t->attempts += r->attempts;
	/* Some part is not there, or has another ETag: ask for the parts
	 * anew. */
	if (err != NULL && err->kind == ERR_CORRUPT && !t->broken)
		multipart_forget_parts(t);
	if (!transfer_answered(t, err))
		return;
	if (err == NULL && r->etag[0] != '\0') {
		proof_object(t, r);
		return;
	}
	t->calls++;
	s3_head(t->w->p.s3, t->key, complete_looked, t);
}

void
multipart_complete(struct transfer *t)
{
	t->phase = PHASE_CLOSING;
	t->calls++;
	s3_mpu_complete(t->w->p.s3, t->key, str_of(t->upload_id), t->part_md5s,
	    t->given, t->plan.count, complete_done, t);
}


/* Keep an upload in the catalog if the abort failed, and end the transfer: a
 * new upload would take the row. */
static void
abort_done(void *arg, const struct s3_reply *r UNUSED, const struct err *err)
{
	struct transfer *t = arg;

	t->calls--;
	if (err == NULL || err->kind == ERR_GONE || err->kind == ERR_STOPPED)
		return;
	t->keep_upload = true;
	if (t->ending && t->outcome != OUTCOME_CHANGED)
		return;
	t->err = *err;
	transfer_end(t, OUTCOME_FAILED);
}

void
multipart_abort(struct transfer *t)
{
	char *id = STEAL(t->upload_id);

	multipart_forget(t);
	t->calls++;
	s3_mpu_abort(t->w->p.s3, t->key, str_of(id), abort_done, t);
	free(id);
}
