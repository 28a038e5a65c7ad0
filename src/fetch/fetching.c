/*
 * fetching.c: an object on the way, from the item to the outcome.
 */
#include <errno.h>

#include "base/log.h"
#include "fetch/fetch_internal.h"

#define CHANGES_MAX	4	/* times an object may have changed */
#define TRIES_MAX	2	/* readings whose proof may fail */
#define COMMITS_MAX	2	/* commits that may begin anew */

void
fetching_end(struct fetching *t, enum outcome outcome)
{
	struct fetch_item *it = t->item;

	it->result.outcome = outcome;
	it->mail.type = MAIL_FETCHED;
	it->result.proof = outcome == OUTCOME_UNCHANGED ||
	    (outcome == OUTCOME_MOVED && !it->only_check) ? t->claim.proof :
	    PROOF_NONE;
	/* The caller gave the MD5s to this step; the step did not compute
	 * them. */
	if (it->step == SPLIT_END)
		free(STEAL(it->part_md5s));
	t->phase = FETCH_ENDED;
	t->item = NULL;
	t->w->ranges -= it->step == SPLIT_RANGE;
	mailbox_put(t->w->f->c.up, &it->mail);
}

void
fetching_fail(struct fetching *t, const struct err *err)
{
	if (t->broken)
		return;
	t->broken = true;
	t->then = THEN_END;
	t->item->result.err = *err;
}

void
fetching_s3_fault(struct fetching *t, const struct err *err)
{
	fetching_fail(t, err);
	/* The object is gone: no later run can use the written bytes. */
	if (err->kind == ERR_GONE && err->code == 404)
		t->no_keep = true;
	/* The object has changed, or is shorter or longer: HEAD the object
	 * again. Clients that share a file have steps for the old ETag, so a
	 * later step of a shared file must not change the ETag here. */
	if (err->kind == ERR_GONE && err->code != 404 &&
	    t->item->step <= SPLIT_BEGIN && t->changes++ < CHANGES_MAX)
		t->then = THEN_HEAD;
}

void
fetching_lost(struct fetching *t, const struct err *err)
{
	fetching_fail(t, err);
	/* Only a range may begin anew. A client with the whole file would take
	 * the file back from a run that began later. */
	if (err->kind == ERR_RETRY && t->item->step == SPLIT_RANGE &&
	    t->commits++ < COMMITS_MAX)
		t->then = THEN_ANEW;
}

void
fetching_dest_fault(struct fetching *t, const struct err *err)
{
	enum split_step step = t->item->step;

	fetching_fail(t, err);
	if (err->code == ESTALE &&
	    (step == SPLIT_WHOLE || step == SPLIT_RANGE) &&
	    t->commits++ < COMMITS_MAX)
		t->then = THEN_ANEW;
}

/* Drop everything but the item. */
static void
drop(struct fetching *t)
{
	pass_drop(t);
	tree_file_close(&t->source);
	dest_abort(&t->existing, false);
	dest_abort(&t->file, !t->no_keep);
	free(STEAL(t->part_md5s));
	t->no_keep = t->resumed = t->asked_meta = false;
}

void
fetching_free(struct fetching *t)
{
	drop(t);
	fetch_item_free(&t->item);
	free(t);
}

void
fetching_begin(struct fetch_worker *w, struct fetch_item *it)
{
	struct fetching *t = xcalloc(1, sizeof(*t));

	t->w = w;
	t->item = it;
	t->next = w->active;
	w->active = t;
	w->active_count++;
	w->ranges += it->step == SPLIT_RANGE;
}

/* --- the existing file --- */

/* Open the existing file if its size allows the file to be the right file. */
static void
look(struct fetching *t)
{
	struct dest *d = t->w->f->c.dest;

	if (d == NULL || t->item->path == NULL)
		return;
	/* Ignore why the file can't be opened: dest_begin reports the
	 * reason. */
	if (dest_existing(d, str_of(t->item->path), &t->existing,
	    &t->existing_attrs, NULL) == 0 &&
	    t->existing_attrs.size != t->item->size)
		dest_abort(&t->existing, false);
}

/* In a dry run: could the file be written at this path? */
static int
check_place(struct fetching *t, struct err *err)
{
	struct attrs a;

	if (dest_look(t->w->f->c.dest, str_of(t->item->path), &a, err) == -1)
		return err->kind == ERR_GONE ? 0 : -1;
	if (a.kind == ENTRY_DIR)
		return err_set(err, ERR_INVALID, 0,
		    "a directory is where the file must be");
	return 0;
}

/* --- passes --- */

/* A whole number of parts, about as large as a range should be. */
static uint64_t
parts_unit(const struct fetching *t)
{
	uint64_t part = t->claim.part_size, range = t->w->f->c.range_size;

	return part * MAX(range / part, (uint64_t)1);
}

static uint64_t
move_unit(const struct fetching *t)
{
	uint64_t size = t->item->size;

	/* Read the object in one unit where the whole must be hashed and no
	 * file allows a second reading. */
	if (t->file == NULL && t->claim.part_size == 0)
		return size;
	return t->claim.part_size > 0 ? parts_unit(t) :
	    t->w->f->c.range_size;
}

static void
pass(struct fetching *t, enum fetch_phase phase, uint64_t unit)
{
	bool parts = t->claim.part_size > 0;
	bool one = unit >= t->item->size;

	t->phase = phase;
	/* Ranges out of order can't give the MD5 of the whole object: use a
	 * second pass. */
	pass_begin(t, t->item->size, unit, one && !parts, parts);
}

static void
move(struct fetching *t)
{
	struct fetch_config *c = &t->w->f->c;
	struct dest_want want;
	struct err err = ERR_INIT;
	uint64_t unit;

	if (t->item->only_check) {
		if (check_place(t, &err) == -1)
			fetching_fail(t, &err);
		else
			fetching_end(t, OUTCOME_MOVED);
		return;
	}
	if (t->item->step == SPLIT_BEGIN && fetch_split_begin(t))
		return;
	unit = move_unit(t);
	if (c->dest != NULL && t->item->path != NULL) {
		if (t->claim.part_size == 0)
			unit = c->range_size;
		want = (struct dest_want){ .size = t->item->size,
		    .etag = t->item->etag, .range = unit };
		if (dest_begin(c->dest, str_of(t->item->path), &want,
		    &t->file, &err) == -1) {
			fetching_dest_fault(t, &err);
			return;
		}
	}
	pass(t, FETCH_MOVE, unit);
}

void
fetching_back(struct fetching *t)
{
	pass(t, FETCH_BACK, t->claim.part_size > 0 ? parts_unit(t) :
	    t->item->size);
}

static void
start_passes(struct fetching *t)
{
	if (t->item->step == SPLIT_END)
		fetch_split_end(t);
	else if (t->existing != NULL)
		pass(t, FETCH_CHECK, t->claim.part_size > 0 ? parts_unit(t) :
		    t->item->size);
	else
		move(t);
}

static void
unprovable(struct fetching *t)
{
	struct err err;

	err_set(&err, ERR_INVALID, 0, "nothing can prove it: the catalog does "
	    "not know it, and its ETag %s says nothing of its bytes",
	    t->item->etag);
	t->no_keep = true;
	fetching_fail(t, &err);
}

/* --- questions to S3 --- */

/* Does the reply describe the object whose bytes are being fetched? */
static bool
is_same(struct fetching *t, const struct s3_reply *r)
{
	struct err err;

	if (strcmp(r->etag, t->item->etag) == 0)
		return true;
	err_set(&err, ERR_GONE, 0, "the object is another now");
	fetching_s3_fault(t, &err);
	return false;
}

static void
on_part(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct fetching *t = arg;

	t->calls--;
	if (err != NULL && !s3_knows_no_parts(err)) {
		fetching_s3_fault(t, err);
		return;
	}
	if (err == NULL && !is_same(t, r))
		return;
	if (claim_answer(&t->claim, t->item, r->size,
	    err == NULL ? r->parts_count : 0))
		start_passes(t);
	else
		unprovable(t);
}

/* Of the past only what stored tells of will do. */
static bool
is_other(const struct fetch_item *it, const struct s3_reply *r)
{
	return it->of_version && it->stored.etag[0] != '\0' &&
	    (strcmp(r->etag, it->stored.etag) != 0 ||
	    r->object_size != it->stored.attrs.size);
}

/* Take the object's present ETag and size. */
static void
on_head(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct fetching *t = arg;

	struct err other;

	t->calls--;
	if (err == NULL && is_other(t->item, r)) {
		err_set(&other, ERR_GONE, 0, "the bucket has another object "
		    "now");
		err = &other;
	}
	if (err != NULL) {
		fetching_fail(t, err);
		return;
	}
	t->item->size = r->object_size;
	memcpy(t->item->etag, r->etag, sizeof(t->item->etag));
	/* Of a version of the past the catalog may know the MD5 alone. */
	if (t->item->of_version && t->item->stored.etag[0] == '\0')
		memcpy(t->item->stored.etag, r->etag,
		    sizeof(t->item->stored.etag));
	t->skip_check = false;
	t->phase = FETCH_NEW;
}

/* The attributes that the file had, by the catalog. */
static void
take_stored_meta(struct fetching *t)
{
	const struct attrs *a = &t->item->stored.attrs;

	t->asked_meta = true;
	t->meta = (struct dest_meta){
		.mtime_ns = a->mtime_ns,
		.mode = a->mode,
		.uid = a->uid,
		.gid = a->gid,
		.has_mtime = a->mtime_ns != MTIME_NONE,
		.has_mode = true,
		.has_owner = a->uid != OWNER_NONE && a->gid != OWNER_NONE,
	};
}

/* Foreign tools keep less metadata than datamover: rclone keeps only the mtime.
 * Of the past the bytes alone may be those of the object: its metadata are
 * brought up to date in place. */
void
fetching_take_meta(struct fetching *t, const struct s3_reply *r)
{
	if (t->item->of_version) {
		take_stored_meta(t);
		return;
	}
	t->asked_meta = true;
	t->opaque = r->etag_opaque;
	t->meta = (struct dest_meta){
		.mtime_ns = r->meta.mtime_ns,
		.mode = r->meta.mode,
		.uid = r->meta.uid,
		.gid = r->meta.gid,
		.has_mtime = r->has_mtime,
		.has_mode = r->has_mode,
		.has_owner = r->has_owner,
	};
}

static void
on_meta(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct fetching *t = arg;

	t->calls--;
	if (err != NULL) {
		fetching_s3_fault(t, err);
		return;
	}
	if (!is_same(t, r))
		return;
	fetching_take_meta(t, r);
	t->phase = FETCH_CLOSE;
}

static void
head(struct fetching *t, s3_done_fn *fn)
{
	t->phase = FETCH_ASKING;
	t->calls++;
	s3_head_of(t->w->p.s3, str_of(t->item->key),
	    fetch_item_version(t->item), 0, fn, t);
}

/* --- the end --- */

static int
give_back_as(struct fetching *t, bool as_root, struct err *err)
{
	if (t->existing != NULL)
		return dest_restore(t->existing, &t->meta, as_root, err);
	return dest_commit(t->file, &t->meta, as_root, false, err);
}

/* Warn that files lose their owner or mtime; name only the first such file. */
static void
tell(struct fetching *t, _Atomic bool *told, enum log_event_id event,
    const char *what, const char *why)
{
	char key[400];

	if (!atomic_exchange(told, true))
		log_event(LOG_WARN, event,
		    LOG_WITH(LOG_TEXT("path", t->item->key),
			LOG_TEXT("reason", why)),
		    "%s: %s: this file, and any other "
		    "such, is given back without it: %s",
		    str_escape(str_of(t->item->key), key, sizeof(key)), what,
		    why);
}

/* Deliver the file even where its owner or its mtime can't be set: some mounts
 * forbid root to give files away, some servers take no owners by number. */
static int
give_back(struct fetching *t, struct err *err)
{
	bool as_root = t->w->f->c.as_root;
	int rc = give_back_as(t, as_root, err);

	if (rc == -1 && as_root && err->kind == ERR_DENIED &&
	    t->meta.has_owner) {
		struct err why = *err;

		rc = give_back_as(t, false, err);
		if (rc == 0)
			tell(t, &t->w->f->told_owner, EVENT_OWNER,
			    "its owner can't be set", why.msg);
	}
	if (rc == 0 && dest_refused_mtime(t->existing != NULL ? t->existing :
	    t->file))
		tell(t, &t->w->f->told_mtime, EVENT_MTIME,
		    "its mtime can't be "
		    "set",
		    "the destination can't hold such a date");
	return rc;
}

/* Begin again from the start; whole ranges of a file of several ranges stay. */
static void
anew(struct fetching *t)
{
	drop(t);
	t->skip_check = true;
	t->phase = FETCH_NEW;
}

static void
close_up(struct fetching *t)
{
	struct err err = ERR_INIT;
	bool was = t->existing != NULL;

	if ((t->existing == NULL && t->file == NULL) || t->item->only_check) {
		fetching_end(t, was ? OUTCOME_UNCHANGED : OUTCOME_MOVED);
		return;
	}
	if (!t->asked_meta && (t->item->of_version ||
	    t->claim.proof == PROOF_CATALOG))
		take_stored_meta(t);
	if (!t->asked_meta) {
		head(t, on_meta);
		return;
	}
	if (give_back(t, &err) == 0)
		fetching_end(t, was ? OUTCOME_UNCHANGED : OUTCOME_MOVED);
	else if (err.kind == ERR_RETRY && err.code != EBUSY &&
	    t->commits++ < COMMITS_MAX)
		anew(t);
	else
		fetching_fail(t, &err);
}

/* The bytes do not give the expected digest: read the object once more, then
 * fail. After SPLIT_END the team lets a single client read the object once
 * more. */
static void
wrong(struct fetching *t)
{
	bool alone = t->item->step != SPLIT_END;
	struct err err;

	t->no_keep = true;
	if (alone && (t->resumed || (!t->claim.guessed && !t->opaque &&
	    ++t->tries < TRIES_MAX))) {
		anew(t);
		return;
	}
	if (alone && (t->claim.guessed || t->opaque ||
	    claim_is_odd(&t->claim))) {
		unprovable(t);
		return;
	}
	err_set(&err, ERR_CORRUPT, 0, "its bytes give the ETag %s, %s %s",
	    t->item->result.etag_computed, t->claim.has_md5 ?
	    "which is not what the file had; S3 says" : "not", t->item->etag);
	fetching_fail(t, &err);
}

static void
judge(struct fetching *t)
{
	if (t->phase == FETCH_MOVE && !t->hash_whole && !t->hash_parts) {
		fetching_back(t);
		return;
	}
	if (claim_holds(&t->claim, t->item, t->hash_whole ? &t->whole : NULL,
	    t->part_md5s)) {
		t->phase = t->item->raw != NULL ? FETCH_LOOK : FETCH_CLOSE;
	} else if (claim_guess(&t->claim, t->item)) {
		if (t->phase == FETCH_CHECK)
			start_passes(t);
		else if (t->file != NULL)
			fetching_back(t);
		else
			move(t);
	} else if (t->phase == FETCH_CHECK) {
		dest_abort(&t->existing, false);
		/* Begin anew with the first guess. */
		t->phase = FETCH_NEW;
		t->skip_check = true;
	} else {
		wrong(t);
	}
}

static void
begin(struct fetching *t)
{
	if (t->item->step == SPLIT_RANGE) {
		fetch_split_range(t);
		return;
	}
	if (t->item->etag[0] == '\0' && !t->headed) {
		t->headed = true;
		head(t, on_head);
		return;
	}
	if (t->w->f->c.only_read) {
		claim_open(&t->claim, t->item, t->w->f->c.s3.store.sse);
		move(t);
		return;
	}
	claim_make(&t->claim, t->item, t->w->f->c.s3.store.sse);
	if (!t->skip_check && t->item->step != SPLIT_END)
		look(t);
	if (t->existing == NULL && t->item->only_check) {
		move(t);
	} else if (t->claim.proof == PROOF_NONE) {
		unprovable(t);
	} else if (t->claim.ask) {
		t->phase = FETCH_ASKING;
		t->calls++;
		s3_head_of(t->w->p.s3, str_of(t->item->key),
		    fetch_item_version(t->item), 1, on_part, t);
	} else {
		start_passes(t);
	}
}

/* Every call has come back: begin anew, go on, or end the item. */
static void
mend(struct fetching *t)
{
	struct err *err = &t->item->result.err;

	drop(t);
	t->broken = false;
	switch (t->then) {
	case THEN_HEAD:
		err_clear(err);
		head(t, on_head);
		break;
	case THEN_ANEW:
		err_clear(err);
		anew(t);
		break;
	case THEN_LOOK:
		t->phase = FETCH_LOOK;
		break;
	case THEN_CLOSE:
		t->phase = FETCH_CLOSE;
		break;
	case THEN_END:
		fetching_end(t, err->kind == ERR_GONE && err->code == 404 ?
		    OUTCOME_GONE : OUTCOME_FAILED);
	}
}

static void
judge_any(struct fetching *t)
{
	if (t->item->step == SPLIT_RANGE)
		fetch_split_range_done(t);
	else if (t->phase == FETCH_FILE)
		file_judge(t);
	else
		judge(t);
}

bool
fetching_step(struct fetching *t)
{
	bool busy = false;

	if (t->phase == FETCH_NEW && !t->broken)
		begin(t);
	if (t->phase == FETCH_LOOK && !t->broken)
		file_look(t);
	if (!t->broken && (t->phase == FETCH_CHECK ||
	    t->phase == FETCH_MOVE || t->phase == FETCH_BACK ||
	    t->phase == FETCH_FILE)) {
		busy = pass_step(t);
		if (!t->broken && pass_over(t)) {
			judge_any(t);
			busy = t->calls == 0;
		}
	}
	/* A file system may have held this client up until a second client took
	 * the item over: check the right to write before the commit. */
	if (!t->broken && t->phase == FETCH_CLOSE && pool_is_valid(&t->w->p))
		close_up(t);
	/* An item stopped while waiting for a server does not come back. */
	if (t->broken && t->calls == 0 && t->phase != FETCH_ENDED &&
	    t->item->result.err.kind != ERR_STOPPED) {
		mend(t);
		busy = true;
	}
	return busy;
}
