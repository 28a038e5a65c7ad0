/*
 * segment.c: the bytes of a transfer: read with several READs in flight into a
 * buffer for each segment, hashed in lanes across the segments of the worker.
 */
#include "send/send_internal.h"

#define READS_MAX	4		/* READs in flight per segment */
#define SLICE		(256 * KIB)	/* of a part in each hash call */
#define JOBS_MAX	64

struct read_call {
	struct segment *s;
	struct transfer *t;
	uint32_t want;
};

static void read_more(struct segment *);

void
segment_free(struct segment *s)
{
	if (s->t != NULL)
		worker_buffer_free(s->t->w, s->data, s->data_len);
	ring_free(s);
	memset(s, 0, sizeof(*s));
}

bool
segment_read_ok(struct transfer *t, const struct tree_read *r,
    const struct err *err, uint32_t want)
{
	if (err != NULL) {
		transfer_fault(t, err);
		return false;
	}
	t->w->faults[t->item->export].since_ms = 0;
	sender_answered(t->w->sender, t->item->export, t->w->now_ms);
	atomic_fetch_add_explicit(&t->w->p.bytes_read, r->len,
	    memory_order_relaxed);
	if (r->attrs.kind == ENTRY_UNKNOWN) {
		t->no_attrs = true;
	} else if (!place_fits(t, &r->attrs)) {
		return false;
	} else if (!attrs_same(&r->attrs, &t->before,
	    t->w->sender->c.ignore_inode)) {
		transfer_changed(t);
		return false;
	}
	if (r->len < MIN((uint64_t)want, t->before.size)) {
		transfer_changed(t);
		return false;
	}
	return true;
}

static void
read_done(void *arg, const struct tree_read *r, const struct err *err)
{
	struct read_call *c = arg;
	struct segment *s = c->s;
	struct transfer *t = c->t;
	uint32_t want = c->want;

	free(c);
	t->calls--;
	if (t->broken || t->phase == PHASE_ENDED ||
	    !segment_read_ok(t, r, err, want))
		return;
	s->got += MIN((uint64_t)r->len, s->len);
	if (s->got == s->len) {
		s->state = t->mode == MODE_READ ? SEG_DONE : SEG_HASHING;
		t->tries = 0;
		t->fault.since_ms = 0;
	} else if (s->asked < s->len) {
		read_more(s);
	}
}

static void
read_more(struct segment *s)
{
	struct transfer *t = s->t;
	uint32_t max = tree_read_max(t->w->trees.v[t->item->export]);

	do {
		uint64_t left = s->len - s->asked;
		struct read_call *c = xmalloc(sizeof(*c));

		/* Ask for a byte of an empty file: the answer says whether the
		 * file is still empty. */
		c->s = s;
		c->t = t;
		c->want = (uint32_t)MIN(MAX(left, 1U), max);
		t->calls++;
		tree_file_read(t->file, s->offset + s->asked, c->want,
		    s->data + s->asked, read_done, c);
		s->asked += MIN((uint64_t)c->want, left);
	} while (s->asked < s->len && s->asked - s->got <
	    (uint64_t)READS_MAX * max);
}

/* Return false if no memory is free now. */
static bool
start(struct transfer *t, struct segment *s)
{
	uint64_t off, len;
	void *data;

	part_range(t->before.size, &t->plan, t->next_index, &off, &len);
	data = worker_buffer(t->w, MAX(len, 1U));
	if (data == NULL)
		return false;
	memset(s, 0, sizeof(*s));
	s->t = t;
	s->state = SEG_READING;
	s->index = t->next_index++;
	s->offset = off;
	s->len = len;
	s->data = data;
	s->data_len = MAX(len, 1U);
	md5_init(&s->md5);
	read_more(s);
	return true;
}

void
segments_read(struct transfer *t)
{
	if (ring_needed(t)) {
		ring_start(t);
		return;
	}
	for (size_t i = 0; i < SEGMENTS_MAX &&
	    t->next_index < transfer_end_part(t); i++)
		if (t->seg[i].state == SEG_FREE && !start(t, &t->seg[i]))
			return;
}

/* The segment with the next bytes of the whole-file MD5, if the bytes have been
 * read. */
static struct segment *
whole_next(struct transfer *t)
{
	for (size_t i = 0; i < SEGMENTS_MAX; i++) {
		struct segment *s = &t->seg[i];

		if (s->state > SEG_READING && s->ring == NULL &&
		    s->offset <= t->whole_done &&
		    t->whole_done < s->offset + s->len)
			return s;
	}
	return NULL;
}

struct hash_job {
	struct segment *s;	/* a part's ring, or */
	struct transfer *whole;	/* a file's */
};

static size_t
collect(struct worker *w, struct md5_job *jobs, struct hash_job *who)
{
	size_t n = 0;

	for (struct transfer *t = w->active; t != NULL; t = t->next) {
		struct segment *s;

		if (t->phase != PHASE_MOVING || t->broken)
			continue;
		for (size_t i = 0; i < SEGMENTS_MAX && n < JOBS_MAX; i++) {
			s = &t->seg[i];
			if (s->state != SEG_HASHING)
				continue;
			who[n] = (struct hash_job){ .s = s };
			jobs[n++] = (struct md5_job){ &s->md5,
			    s->data + s->hashed,
			    (size_t)MIN(s->len - s->hashed, SLICE) };
		}
		if (!transfer_is_multipart(t) || transfer_is_step(t) ||
		    n == JOBS_MAX)
			continue;
		s = whole_next(t);
		if (s != NULL) {
			uint64_t at = t->whole_done - s->offset;

			who[n] = (struct hash_job){ .whole = t };
			jobs[n++] = (struct md5_job){ &t->whole, s->data + at,
			    (size_t)MIN(s->len - at, SLICE) };
		}
		if (n == JOBS_MAX)
			break;
	}
	return n;
}

bool
hash_turn(struct worker *w)
{
	struct md5_job jobs[JOBS_MAX + 1];
	struct hash_job who[JOBS_MAX + 1];
	size_t n = collect(w, jobs, who);

	if (n == 0)
		return false;
	md5_update_many(jobs, n);
	for (size_t i = 0; i < n; i++) {
		struct segment *s = who[i].s;

		if (s == NULL) {
			who[i].whole->whole_done += jobs[i].len;
			continue;
		}
		s->hashed += jobs[i].len;
		s->crc64 = crc64nvme(s->crc64, jobs[i].data, jobs[i].len);
		if (s->hashed == s->len) {
			md5_final(&s->md5, s->digest);
			s->state = SEG_READY;
		}
	}
	return true;
}
