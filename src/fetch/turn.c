/*
 * turn.c: write and hash the received bytes of every stream of a worker
 * together.
 */
#include "fetch/fetch_internal.h"

#define JOBS_MAX	64	/* MD5 streams in each call */
#define WORTH		4	/* 1/WORTH of a buffer: a smaller fill is left
				   to grow */

void
stream_part_done(struct stream *s, uint64_t at)
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
			stream_part_done(s, s->at + s->hashed);
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

/* --- received bytes --- */

/* The stream can't wait: its buffer is full, or has the last bytes. */
static bool
urgent(const struct stream *s)
{
	return s->fill >= s->cap || (s->done && s->fill > 0);
}

/* The stream's buffer is worth a lane of its own when an urgent stream is
 * hashed. */
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

/* Write the buffer if the stream has a file to write; then allow hashing. */
static void
turn_begin(struct stream *s)
{
	struct fetching *t = s->t;
	struct err err = ERR_INIT;

	s->turn = worth(s) && !t->broken && pool_is_valid(&t->w->p);
	if (!s->turn)
		return;
	if (s->write && dest_write(t->file, s->at, s->buf, s->fill, &err) ==
	    -1) {
		t->no_keep = err.kind == ERR_RESOURCE;
		fetching_dest_fault(t, &err);
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
			if (s->from != NULL || t->phase == FETCH_FILE)
				atomic_fetch_add(&w->p.bytes_read, s->fill);
			s->at += s->fill;
			s->fill = s->hashed = 0;
			s->turn = false;
		}
}
