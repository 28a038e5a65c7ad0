/*
 * pass.c: the bytes of a pass and where the bytes come from.
 */
#include "base/clock.h"
#include "fetch/fetch_internal.h"

void
pass_begin(struct fetching *t, uint64_t size, uint64_t unit, bool hash_whole,
    bool hash_parts)
{
	uint64_t part = t->claim.part_size;

	t->size = size;
	t->unit = MAX(unit, (uint64_t)1);
	t->unit_next = 0;
	t->unit_end = size == 0 ? 1 : (uint32_t)((size - 1) / t->unit + 1);
	t->unit_left = t->unit_end;
	t->hash_whole = hash_whole;
	t->hash_parts = hash_parts;
	md5_init(&t->whole);
	t->seen_etag[0] = '\0';
	free(t->part_md5s);
	t->part_md5s = !hash_parts ? NULL : xcalloc((size_t)(MAX(size,
	    (uint64_t)1) - 1) / part + 1, MD5_LEN);
}

void
pass_only(struct fetching *t, uint32_t unit)
{
	t->unit_next = unit;
	t->unit_end = unit + 1;
	t->unit_left = 1;
}

void
pass_none(struct fetching *t)
{
	t->unit_next = t->unit_end;
	t->unit_left = 0;
}

bool
pass_over(const struct fetching *t)
{
	return t->unit_left == 0;
}

/* --- bytes from S3 --- */

/* Refuse no bytes: s3 does not receive bytes for a stream that must wait. */
static enum s3_data
on_data(void *arg, const void *data, size_t len)
{
	struct stream *s = arg;
	struct rate *rate = &s->t->w->f->pool.rate;
	uint64_t left = s->end - s->at - s->fill, paid = MIN(s->paid, len);
	struct err err;

	if (s->t->broken)
		return S3_DATA_STOP;
	if (left < len) {
		err_set(&err, ERR_GONE, 0, "the object is larger now");
		fetching_s3_fault(s->t, &err);
		return S3_DATA_STOP;
	}
	if (len > s->room - s->fill) {
		err_set(&err, ERR_BUG, 0, "no room for what was received");
		fetching_fail(s->t, &err);
		return S3_DATA_STOP;
	}
	memcpy(s->buf + s->fill, data, len);
	s->fill += len;
	s->t->item->result.bytes += len;
	s->paid -= paid;
	if (rate_limited(rate))
		rate_charge(rate, len - paid, clock_mono_ns());
	if (left == len)
		return S3_DATA_TAKEN;
	return s->fill >= s->cap || !rate_ready(rate, clock_mono_ns()) ?
	    S3_DATA_FULL : S3_DATA_TAKEN;
}

/* Do the bytes come from a single object? If the item has the listed ETag, S3
 * checks the ETag; else every answer must name the same ETag. */
static bool
is_one_object(struct fetching *t, const struct s3_reply *r)
{
	if (t->item->etag[0] != '\0')
		return true;
	if (t->seen_etag[0] == '\0')
		memcpy(t->seen_etag, r->etag, sizeof(t->seen_etag));
	return strcmp(t->seen_etag, r->etag) == 0;
}

static void
on_done(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct stream *s = arg;
	struct fetching *t = s->t;
	struct err changed;

	t->calls--;
	t->w->net_streams--;
	t->item->result.attempts = MAX(t->item->result.attempts, r->attempts);
	if (t->broken)
		return;
	if (err != NULL) {
		fetching_s3_fault(t, err);
		return;
	}
	if (r->object_size != t->item->size || s->at + s->fill != s->end) {
		err_set(&changed, ERR_GONE, 0, "the object is shorter now");
		fetching_s3_fault(t, &changed);
		return;
	}
	if (!is_one_object(t, r)) {
		err_set(&changed, ERR_GONE, 0, "the object is another now");
		fetching_s3_fault(t, &changed);
		return;
	}
	fetching_take_meta(t, r);
	s->done = true;
}

/* --- streams of a pass --- */

static void
stream_free(struct stream **sp)
{
	struct stream *s = *sp;

	*sp = s->next;
	s->t->stream_count--;
	s->t->w->memory_used -= s->room;
	free(s->buf);
	free(s);
}

void
pass_drop(struct fetching *t)
{
	while (t->streams != NULL)
		stream_free(&t->streams);
}

static void
ask(struct stream *s)
{
	struct fetching *t = s->t;
	bool all = s->at == 0 && s->end == t->size;

	t->calls++;
	t->w->net_streams++;
	s->paid = MIN(s->end - s->at, (uint64_t)S3_DATA_SLACK);
	rate_charge(&t->w->f->pool.rate, s->paid, clock_mono_ns());
	s3_get_match(t->w->p.s3, str_of(t->item->key),
	    fetch_item_version(t->item), t->item->etag, s->at,
	    all ? 0 : s->end - s->at, on_data, on_done, s);
}

/* The file that the bytes of this unit come from; NULL means S3 or the
 * export. */
static struct dest_file *
origin(struct fetching *t, uint32_t index)
{
	if (t->phase == FETCH_CHECK)
		return t->existing;
	if (t->phase == FETCH_BACK)
		return t->file;
	if (t->phase == FETCH_FILE || t->file == NULL || t->size == 0 ||
	    !dest_have(t->file, index))
		return NULL;
	t->resumed = true;
	return t->file;
}

/* Must a further request wait? */
static bool
crowded(const struct fetching *t)
{
	const struct fetch_worker *w = t->w;

	return (t->stream_count > 0 && w->net_streams >= w->net_limit) ||
	    !rate_ready(&w->f->pool.rate, clock_mono_ns());
}

/* Return false if the unit can't start now. */
static bool
start(struct fetching *t)
{
	struct fetch_worker *w = t->w;
	struct dest_file *from = origin(t, t->unit_next);
	uint64_t at = t->unit_next * t->unit, len;
	struct stream *s;
	size_t room;

	len = MIN(t->unit, t->size - at);
	room = (size_t)MIN(MAX(len, (uint64_t)1),
	    FETCH_BUFFER + S3_DATA_SLACK);
	if (w->memory_used > 0 && w->memory_used + room > w->memory_limit)
		return false;
	if (from == NULL && t->phase != FETCH_FILE && crowded(t))
		return false;
	s = xcalloc(1, sizeof(*s));
	s->t = t;
	s->index = t->unit_next++;
	s->at = at;
	s->end = at + len;
	s->cap = MIN(room, FETCH_BUFFER);
	s->room = room;
	s->buf = xmalloc(room);
	s->from = from;
	s->write = t->phase == FETCH_MOVE && t->file != NULL && from == NULL;
	md5_init(&s->part);
	s->part_left = t->claim.part_size;
	w->memory_used += room;
	t->stream_count++;
	s->next = t->streams;
	t->streams = s;
	if (t->phase == FETCH_FILE)
		file_read(s);
	else if (from == NULL)
		ask(s);
	else if (!t->hash_parts && !t->hash_whole)
		s->at = s->end;
	return true;
}

/* Read from a file of the destination. */
static void
read_file(struct stream *s)
{
	size_t len = (size_t)MIN((uint64_t)s->cap, s->end - s->at);
	struct err err = ERR_INIT;

	if (s->fill == 0 && len > 0) {
		if (dest_read(s->from, s->at, s->buf, len, &err) == -1) {
			err_wrap(&err, "reading back");
			fetching_fail(s->t, &err);
			return;
		}
		s->fill = len;
	}
	s->done = s->at + s->fill == s->end;
}

/* Flush a written range, because a later client continues the file, and check
 * that this process may still report the range. 1 if so; 0: not now. */
static int
settle(struct stream *s, struct err *err)
{
	struct fetching *t = s->t;

	if (t->item->step == SPLIT_RANGE && s->write && !s->flushed) {
		if (dest_flush(t->file, err) == -1)
			return -1;
		s->flushed = true;
	}
	return pool_is_valid(&t->w->p);
}

/* Every byte of the unit is written and hashed. Return 1; 0: not now; -1:
 * error. */
static int
unit_done(struct stream *s, struct err *err)
{
	struct fetching *t = s->t;
	int rc = settle(s, err);

	if (rc != 1)
		return rc;
	/* The rest is a shorter last part, or the empty part of an empty
	 * object. */
	if (t->hash_parts && (s->part.len > 0 || t->size == 0))
		stream_part_done(s, MAX(s->end, (uint64_t)1));
	t->unit_left--;
	if (!s->write || t->size == 0)
		return 1;
	return dest_range_done(t->file, s->index, err) == -1 ? -1 : 1;
}

bool
pass_step(struct fetching *t)
{
	struct stream **sp = &t->streams;
	struct err err = ERR_INIT;
	bool busy = false;

	while (*sp != NULL) {
		struct stream *s = *sp;
		int rc = !s->done || s->fill > 0 ? 0 : unit_done(s, &err);

		if (rc == -1) {
			fetching_lost(t, &err);
			return false;
		}
		if (rc == 1)
			stream_free(sp);
		else
			sp = &s->next;
	}
	while (t->unit_next < t->unit_end &&
	    t->stream_count < UNITS_AT_ONCE && start(t))
		;
	for (struct stream *s = t->streams; s != NULL && !t->broken;
	    s = s->next) {
		if (s->from != NULL && !s->done) {
			read_file(s);
			busy = true;
		} else if (t->phase == FETCH_FILE && !s->done) {
			file_read(s);
		}
	}
	return busy;
}
