/*
 * fetch_stream.c: the bytes of a pass: they come, are written and are hashed.
 */
#include <time.h>

#include "base/clock.h"
#include "xfer/fetch_int.h"

#define JOBS_MAX	64	/* MD5 streams in one call */
#define WORTH		4	/* of a buffer: less is left to grow */
#define NAP_NS		20000000

void
pass_begin(struct fetching *t, uint64_t unit, bool hash_whole,
    bool hash_parts)
{
	uint64_t size = t->item->size;

	t->unit = MAX(unit, (uint64_t)1);
	t->unit_count = size == 0 ? 1 : (uint32_t)((size - 1) / t->unit + 1);
	t->unit_next = t->unit_done = 0;
	t->hash_whole = hash_whole;
	t->hash_parts = hash_parts;
	md5_init(&t->whole);
	free(t->part_md5s);
	t->part_md5s = !hash_parts ? NULL :
	    xcalloc(t->claim.part_count, MD5_LEN);
}

bool
pass_over(const struct fetching *t)
{
	return t->unit_done == t->unit_count;
}

/* --- hashing --- */

static void
part_done(struct stream *s, uint64_t at)
{
	struct fetching *t = s->t;
	uint64_t index = (at - 1) / t->claim.part_size;

	md5_final(&s->part, t->part_md5s + index * MD5_LEN);
	md5_init(&s->part);
	s->part_left = t->claim.part_size;
}

struct round {
	struct md5_job jobs[JOBS_MAX];
	size_t	 count;
	struct stream *streams[JOBS_MAX];
	size_t	 lens[JOBS_MAX];
	size_t	 stream_count;
};

static void
round_add(struct round *r, struct stream *s)
{
	struct fetching *t = s->t;
	const uint8_t *p = s->buf + s->hashed;
	size_t len = s->fill - s->hashed;

	if (t->hash_parts) {
		len = (size_t)MIN((uint64_t)len, s->part_left);
		r->jobs[r->count++] = (struct md5_job){ .md5 = &s->part,
		    .data = p, .len = len };
	}
	if (t->hash_whole)
		r->jobs[r->count++] = (struct md5_job){ .md5 = &t->whole,
		    .data = p, .len = len };
	r->lens[r->stream_count] = len;
	r->streams[r->stream_count++] = s;
}

static void
round_end(struct round *r)
{
	md5_update_many(r->jobs, r->count);
	for (size_t i = 0; i < r->stream_count; i++) {
		struct stream *s = r->streams[i];

		s->hashed += r->lens[i];
		if (!s->t->hash_parts)
			continue;
		s->part_left -= r->lens[i];
		if (s->part_left == 0)
			part_done(s, s->at + s->hashed);
	}
}

static void
hash_all(struct fetch_worker *w)
{
	struct round r;

	do {
		r.count = r.stream_count = 0;
		for (struct fetching *t = w->active; t != NULL; t = t->next)
			for (struct stream *s = t->streams; s != NULL &&
			    r.count + 2 <= JOBS_MAX; s = s->next)
				if (s->turn && s->hashed < s->fill)
					round_add(&r, s);
		if (r.stream_count > 0)
			round_end(&r);
	} while (r.stream_count > 0);
}

/* --- what came --- */

/* It can't wait: there is no room, or nothing more will come. */
static bool
urgent(const struct stream *s)
{
	return s->fill == s->cap || (s->done && s->fill > 0);
}

/* When one can't wait, this one goes along in a lane of its own. */
static bool
worth(const struct stream *s)
{
	return s->fill >= s->cap / WORTH || (s->done && s->fill > 0);
}

static bool
any_urgent(const struct fetch_worker *w)
{
	for (const struct fetching *t = w->active; t != NULL; t = t->next)
		for (const struct stream *s = t->streams; s != NULL;
		    s = s->next)
			if (urgent(s))
				return true;
	return false;
}

/* Write it, where it is to be written; then it may be hashed. */
static void
turn_begin(struct stream *s)
{
	struct fetching *t = s->t;
	struct err err = ERR_INIT;

	s->turn = worth(s) && !t->broken;
	if (!s->turn)
		return;
	if (s->write && dest_write(t->file, s->at, s->buf, s->fill, &err) ==
	    -1) {
		t->no_keep = err.kind == ERR_RESOURCE;
		fetching_fail(t, &err);
		s->turn = false;
	} else if (!t->hash_parts && !t->hash_whole) {
		s->hashed = s->fill;
	}
}

void
streams_turn(struct fetch_worker *w)
{
	if (!any_urgent(w))
		return;
	for (struct fetching *t = w->active; t != NULL; t = t->next)
		for (struct stream *s = t->streams; s != NULL; s = s->next)
			turn_begin(s);
	hash_all(w);
	for (struct fetching *t = w->active; t != NULL; t = t->next)
		for (struct stream *s = t->streams; s != NULL; s = s->next) {
			if (!s->turn)
				continue;
			s->at += s->fill;
			s->fill = s->hashed = 0;
			s->turn = false;
		}
}

/* --bwlimit: what is not read stays with the server. */
static void
wait_rate(struct fetch_worker *w, size_t len)
{
	static const struct timespec nap = { .tv_nsec = NAP_NS };

	while (len > 0 && !atomic_load(&w->f->stopping)) {
		size_t n = rate_take(&w->f->rate, len, clock_mono_ns());

		if (n == 0)
			nanosleep(&nap, NULL);
		len -= n;
	}
}

static bool
on_data(void *arg, const void *data, size_t len)
{
	struct stream *s = arg;
	const uint8_t *p = data;

	if (s->t->broken)
		return false;
	if (s->end - s->at - s->fill < len) {
		struct err err;

		err_set(&err, ERR_GONE, 0, "the object is larger now");
		fetching_s3_fault(s->t, &err);
		return false;
	}
	s->t->item->bytes += len;
	wait_rate(s->t->w, len);
	while (len > 0) {
		size_t n = MIN(len, s->cap - s->fill);

		memcpy(s->buf + s->fill, p, n);
		s->fill += n;
		p += n;
		len -= n;
		if (s->fill == s->cap && len > 0) {
			streams_turn(s->t->w);
			if (s->t->broken)
				return false;
		}
	}
	return true;
}

static void
on_done(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct stream *s = arg;
	struct fetching *t = s->t;
	struct err changed;

	t->calls--;
	t->w->net_streams--;
	t->item->attempts = MAX(t->item->attempts, r->attempts);
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
	t->asked_meta = true;
	t->has_meta = r->has_meta;
	t->meta = r->meta;
	s->done = true;
}

/* --- streams of a pass --- */

static void
stream_free(struct stream **sp)
{
	struct stream *s = *sp;

	*sp = s->next;
	s->t->stream_count--;
	s->t->w->memory_used -= s->cap;
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
	bool all = t->unit_count == 1;

	t->calls++;
	t->w->net_streams++;
	s3_get_match(t->w->s3, str_of(t->item->key), t->item->etag, s->at,
	    all ? 0 : s->end - s->at, on_data, on_done, s);
}

/* Where the bytes of this unit come from: NULL is S3. */
static struct dest_file *
origin(struct fetching *t, uint32_t index)
{
	if (t->phase == FETCH_CHECK)
		return t->existing;
	if (t->phase == FETCH_BACK)
		return t->file;
	if (t->file == NULL || t->item->size == 0 ||
	    !dest_have(t->file, index))
		return NULL;
	t->resumed = true;
	return t->file;
}

/* False: no memory now. */
static bool
start(struct fetching *t)
{
	struct fetch_worker *w = t->w;
	uint64_t at = t->unit_next * t->unit, len;
	struct stream *s;
	size_t cap;

	len = MIN(t->unit, t->item->size - at);
	cap = (size_t)MIN(MAX(len, (uint64_t)1), FETCH_BUFFER);
	if ((w->memory_used > 0 && w->memory_used + cap > w->memory_limit) ||
	    (t->stream_count > 0 && w->net_streams >= w->net_limit))
		return false;
	s = xcalloc(1, sizeof(*s));
	s->t = t;
	s->index = t->unit_next++;
	s->at = at;
	s->end = at + len;
	s->cap = cap;
	s->buf = xmalloc(cap);
	s->from = origin(t, s->index);
	s->write = t->phase == FETCH_MOVE && t->file != NULL &&
	    s->from == NULL;
	md5_init(&s->part);
	s->part_left = t->claim.part_size;
	w->memory_used += cap;
	t->stream_count++;
	s->next = t->streams;
	t->streams = s;
	if (s->from == NULL)
		ask(s);
	else if (!t->hash_parts && !t->hash_whole)
		s->at = s->end;
	return true;
}

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

/* All bytes of the unit are worked off. */
static int
unit_done(struct stream *s, struct err *err)
{
	struct fetching *t = s->t;

	/* What is left is a last part, shorter, or all of an empty one. */
	if (t->hash_parts && (s->part.len > 0 || t->item->size == 0))
		part_done(s, MAX(s->end, (uint64_t)1));
	t->unit_done++;
	if (!s->write || t->item->size == 0)
		return 0;
	return dest_range_done(t->file, s->index, err);
}

bool
pass_step(struct fetching *t)
{
	struct stream **sp = &t->streams;
	struct err err = ERR_INIT;
	bool busy = false;

	while (*sp != NULL) {
		struct stream *s = *sp;

		if (!s->done || s->fill > 0) {
			sp = &s->next;
			continue;
		}
		if (unit_done(s, &err) == -1) {
			fetching_fail(t, &err);
			return false;
		}
		stream_free(sp);
	}
	while (t->unit_next < t->unit_count &&
	    t->stream_count < UNITS_AT_ONCE && start(t))
		;
	for (struct stream *s = t->streams; s != NULL && !t->broken;
	    s = s->next)
		if (s->from != NULL && !s->done) {
			read_file(s);
			busy = true;
		}
	return busy;
}
