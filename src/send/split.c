/*
 * split.c: a large file that several clients upload: the steps of a single
 * client. The file must be the same for every client: a client that finds the
 * file changed, or the upload gone, fails with ERR_GONE, and the file goes as a
 * single item.
 */
#include "send/send_internal.h"

static void
fail(struct transfer *t, enum err_kind kind, const char *why)
{
	err_set(&t->err, kind, 0, "%s", why);
	transfer_end(t, OUTCOME_FAILED);
}

void
send_split_changed(struct transfer *t)
{
	fail(t, ERR_GONE, "the file changed: it is not uploaded in parts");
}

void
send_split_lost(struct transfer *t, const struct err *err)
{
	t->err = *err;
	t->err.kind = ERR_GONE;
	transfer_end(t, OUTCOME_FAILED);
}

/* --- begin --- */

/* The object may be complete from an earlier run: fail, so that a single client
 * compares the whole file. */
static void
looked(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct transfer *t = arg;

	if (!transfer_answered(t, err))
		return;
	t->settled = true;
	if (err == NULL && transfer_looks_same(t, r))
		fail(t, ERR_GONE, "it may be there already");
	else
		multipart_ask(t);
}

static void
stat_done(void *arg, const struct tree_entry *e, const struct err *err)
{
	struct transfer *t = arg;

	if (!transfer_is_same(t, e, err))
		return;
	if ((t->item->flags & ITEM_SETTLE) != 0 && !t->settled) {
		t->calls++;
		s3_head(t->w->p.s3, t->key, looked, t);
	} else {
		multipart_ask(t);
	}
}

/* --- all steps --- */

static bool
is_sound(const struct transfer *t)
{
	const struct item *it = t->item;
	unsigned count = t->plan.count;

	if (!transfer_is_multipart(t) || t->mode != MODE_SEND)
		return false;
	if (it->step == SPLIT_BEGIN)
		return true;
	if (it->upload_id == NULL || it->upload_part_size !=
	    t->plan.part_size)
		return false;
	if (it->step == SPLIT_END)
		return it->part_md5s != NULL && it->part_count == count;
	return it->part_first < count && it->part_count > 0 &&
	    it->part_count <= count - it->part_first;
}

/* Take the ETags of all parts from their lines. */
static void
take_etags(struct transfer *t)
{
	const char *p = t->item->part_etags;

	multipart_alloc(t);
	for (unsigned i = 0; p != NULL && i < t->plan.count; i++) {
		size_t len = strcspn(p, "\n");

		if (len > 0)
			t->given[i] = xstrndup(p, len);
		p += len + (p[len] == '\n');
	}
}

static char *
give_etags(const struct transfer *t, unsigned first, unsigned count)
{
	struct buf b;
	bool any = false;

	buf_init(&b, 16 * MIB);
	for (unsigned i = first; t->given != NULL && i < first + count; i++) {
		any |= t->given[i] != NULL;
		if (t->given[i] != NULL)
			buf_addstr(&b, t->given[i]);
		buf_addch(&b, '\n');
	}
	if (any)
		return b.data;
	buf_release(&b);
	return NULL;
}

void
send_split_begin(struct transfer *t)
{
	const struct item *it = t->item;

	if (!is_sound(t)) {
		fail(t, ERR_INVALID, "parts that the file does not have");
		return;
	}
	t->phase = PHASE_ASKING;
	if (it->step == SPLIT_BEGIN) {
		t->calls++;
		tree_file_stat(t->file, stat_done, t);
	} else if (it->step == SPLIT_RANGE) {
		t->next_index = it->part_first;
		multipart_ask(t);
	} else {
		/* The last step sends no bytes; stat the file once more. */
		memcpy(t->part_md5s, it->part_md5s,
		    t->plan.count * (size_t)MD5_LEN);
		take_etags(t);
		t->next_index = t->done_count = t->plan.count;
		t->no_attrs = true;
		t->phase = PHASE_MOVING;
	}
}

void
send_split_done(struct transfer *t)
{
	if (t->item->step == SPLIT_END)
		multipart_complete(t);
	else
		transfer_end(t, OUTCOME_MOVED);
}

void
send_split_result(struct transfer *t, struct result *r)
{
	unsigned first = t->item->part_first;

	r->part_size = t->plan.part_size;
	r->part_count = t->plan.count;
	if (t->item->step == SPLIT_BEGIN) {
		r->upload_id = STEAL(t->upload_id);
	} else if (t->item->step == SPLIT_RANGE) {
		r->part_count = t->item->part_count;
		r->part_md5s = xmemdup(t->part_md5s + first * (size_t)MD5_LEN,
		    r->part_count * (size_t)MD5_LEN);
		r->part_etags = give_etags(t, first, r->part_count);
		r->has_crc64 = true;
		r->crc64 = transfer_crc64(t, first, r->part_count);
	} else {
		memcpy(r->etag, t->etag, sizeof(r->etag));
		r->part_md5s = STEAL(t->part_md5s);
		r->version_id = STEAL(t->version_id);
		r->event = t->event;
		r->proved = t->proved;
	}
}
