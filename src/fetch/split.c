/*
 * split.c: a large object that several clients fetch into one file: the steps
 * of a single client.
 */
#include "fetch/fetch_internal.h"

#define RANGE_MIN	(8 * MIB)
#define RANGES		32	/* per object, unless ranges get too large */
#define RANGES_LEAST	4	/* fewer ranges: a single client's object */

/* Bytes of a range: every client computes the same number for the same object,
 * so that a later run can continue. Return 0 if the object can't be cut
 * well. */
static uint64_t
range_bytes(const struct fetching *t)
{
	uint64_t size = t->item->size, part = t->claim.part_size, unit;
	uint64_t of = part > 0 ? part : DEST_ALIGN;

	unit = MIN(MAX(size / RANGES, (uint64_t)RANGE_MIN),
	    t->w->f->c.range_size);
	unit = MAX(unit, size / (FETCH_RANGES_MAX / 2));
	unit = MAX((unit + of - 1) / of, (uint64_t)1) * of;
	return unit % DEST_ALIGN == 0 && unit <= size / RANGES_LEAST ? unit : 0;
}

static struct dest_want
wants(const struct fetching *t)
{
	const struct fetch_item *it = t->item;

	return (struct dest_want){ .size = it->size, .etag = it->etag,
	    .range = it->unit, .token = it->token,
	    .whole = it->step == SPLIT_END };
}

bool
fetch_split_begin(struct fetching *t)
{
	struct fetch_item *it = t->item;
	struct err err = ERR_INIT;
	struct dest_want want;

	it->unit = t->w->f->c.dest == NULL ? 0 : range_bytes(t);
	it->part_size = t->claim.part_size;
	if (it->unit == 0)
		return false;
	want = wants(t);
	if (dest_begin(t->w->f->c.dest, str_of(it->path), &want, &t->file,
	    &err) == -1) {
		fetching_fail(t, &err);
		return true;
	}
	/* From now on clients may join the file. */
	dest_abort(&t->file, true);
	fetching_end(t, OUTCOME_MOVED);
	return true;
}

static int
join(struct fetching *t)
{
	struct dest_want want = wants(t);
	struct err err = ERR_INIT;

	if (t->w->f->c.dest == NULL)
		err_set(&err, ERR_BUG, 0, "no destination to join in");
	else if (dest_join(t->w->f->c.dest, str_of(t->item->path), &want,
	    &t->file, &err) == 0)
		return 0;
	fetching_fail(t, &err);
	return -1;
}

void
fetch_split_range(struct fetching *t)
{
	struct fetch_item *it = t->item;

	memset(&t->claim, 0, sizeof(t->claim));
	t->claim.part_size = it->part_size;
	if (join(t) == -1)
		return;
	t->phase = FETCH_MOVE;
	pass_begin(t, it->size, it->unit, false, it->part_size > 0);
	pass_only(t, it->range);
}

void
fetch_split_range_done(struct fetching *t)
{
	struct fetch_item *it = t->item;
	size_t first;

	if (it->part_size > 0) {
		first = (size_t)(it->range * (it->unit / it->part_size));
		it->part_count = fetch_range_parts(it);
		free(it->part_md5s);
		it->part_md5s = xmemdup(t->part_md5s + first * MD5_LEN,
		    (size_t)it->part_count * MD5_LEN);
	}
	/* On a mounted server, closing the file sends the rest of the data and
	 * the record. Close before the master tells any client to put the file
	 * in place. */
	dest_abort(&t->file, true);
	fetching_end(t, OUTCOME_MOVED);
}

void
fetch_split_end(struct fetching *t)
{
	struct fetch_item *it = t->item;

	if (join(t) == -1)
		return;
	/* Without the MD5s of its parts read the file once more, in order; also
	 * where the MD5s may belong to bytes in a different temporary file. */
	if (!dest_is_recorded(t->file) || it->part_size == 0 ||
	    it->part_size != t->claim.part_size || it->part_md5s == NULL ||
	    it->part_count != t->claim.part_count) {
		fetching_back(t);
		return;
	}
	t->phase = FETCH_MOVE;
	pass_begin(t, it->size, it->unit, false, true);
	memcpy(t->part_md5s, it->part_md5s, (size_t)it->part_count * MD5_LEN);
	pass_none(t);
}
