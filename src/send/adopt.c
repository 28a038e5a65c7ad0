/*
 * adopt.c: PUT --adopt. The bucket may hold the file already, put by a foreign
 * tool, whole or in parts of the tool's size. If the object has the file's
 * size, read the file in the same parts; if the parts give the object's ETag,
 * send nothing.
 */
#include "send/send_internal.h"

/* Describe the object as an item to fetch, for the claim. */
static struct fetch_item
found(const struct transfer *t)
{
	struct fetch_item it;

	memset(&it, 0, sizeof(it));
	it.size = t->before.size;
	memcpy(it.etag, t->found_etag, sizeof(it.etag));
	return it;
}

static void
nothing_found(struct transfer *t)
{
	t->found_etag[0] = '\0';
	send_go_on(t);
}

/* Read the file in the object's parts. For an object put whole the file may be
 * read in parts of any size: the ETag is the MD5 of the whole. */
static void
compare(struct transfer *t)
{
	struct part_plan plan = t->plan;

	if (t->claim.part_size > 0) {
		plan.part_size = t->claim.part_size;
		plan.count = t->claim.part_count;
	}
	transfer_cut(t, &plan);
	t->mode = MODE_COMPARE;
	t->phase = PHASE_MOVING;
}

/* Has the object been replaced since HEAD? A server may answer with the digest
 * of the part, which says nothing of the whole. */
static bool
is_replaced(const struct transfer *t, const struct s3_reply *r)
{
	return r->etag[0] != '\0' && strcmp(r->etag, t->found_etag) != 0 &&
	    (r->parts_count == 0 || strchr(r->etag, '-') != NULL);
}

/* Take the object's part size from the server's answer; if the answer has none,
 * guess a size not tried yet. */
static bool
take_parts(struct transfer *t, const struct s3_reply *r,
    const struct err *err)
{
	struct fetch_item it = found(t);
	bool fits = claim_answer(&t->claim, &it, r->size,
	    err == NULL ? r->parts_count : 0);

	for (unsigned i = 0; fits && i < t->guesses; i++)
		fits = claim_guess(&t->claim, &it);
	return fits;
}

static void
part_done(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct transfer *t = arg;

	bool no_parts = err != NULL && s3_knows_no_parts(err);

	if (!transfer_answered(t, no_parts ? NULL : err))
		return;
	if ((no_parts || (err == NULL && !is_replaced(t, r))) &&
	    take_parts(t, r, err))
		compare(t);
	else
		nothing_found(t);
}

static void
head_done(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct transfer *t = arg;
	struct fetch_item it;

	if (!transfer_answered(t, err))
		return;
	t->settled = true;
	if (err != NULL || r->size != t->before.size) {
		nothing_found(t);
		return;
	}
	memcpy(t->found_etag, r->etag, sizeof(t->found_etag));
	t->stale = r->has_meta && !transfer_same_meta(t, &r->meta);
	transfer_holds(t, EVENT_ADOPTED, r);
	it = found(t);
	claim_make(&t->claim, &it, t->w->sender->c.s3.store.sse);
	if (t->claim.proof == PROOF_NONE) {
		nothing_found(t);
	} else if (t->claim.ask) {
		t->calls++;
		s3_head_of(t->w->p.s3, t->key, STR(""), 1, part_done, t);
	} else {
		compare(t);
	}
}

void
adopt_ask(struct transfer *t)
{
	t->calls++;
	s3_head(t->w->p.s3, t->key, head_done, t);
}

bool
adopt_guess(struct transfer *t)
{
	struct fetch_item it = found(t);

	if (!claim_guess(&t->claim, &it))
		return false;
	t->guesses++;
	t->settled = false;
	transfer_again(t, MODE_SEND);
	return true;
}

bool
adopt_fits(struct transfer *t)
{
	struct fetch_item it = found(t);

	memcpy(it.result.md5, t->whole_md5, MD5_LEN);
	if (t->claim.proof == PROOF_NONE ||
	    !claim_holds(&t->claim, &it, NULL, t->part_md5s))
		return false;
	memcpy(t->etag, t->found_etag, sizeof(t->etag));
	if (t->claim.part_size == 0)
		transfer_cut(t, &(struct part_plan){ .count = 1 });
	return true;
}
