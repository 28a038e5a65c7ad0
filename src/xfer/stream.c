/*
 * stream.c: a part that is larger than the memory of a worker (files of
 * terabytes, see part_plan.h) is never whole in memory: it is read into a
 * ring of pieces and hashed as it is sent. It goes without Content-MD5, which
 * would have to be known before: the part's ETag is the proof. A request that
 * must be sent again cannot take back what was sent, so the transfer begins
 * again: parts that the server has by then are read and hashed, not sent.
 */
#include "xfer/xfer.h"

#define PIECES		8

struct piece {
	uint32_t want;		/* bytes asked for; 0: the piece is free */
	uint32_t got;
	bool	 here;
};

struct stream {
	struct segment *s;
	uint32_t piece_len;
	uint64_t asked;		/* bytes of the part asked for */
	uint64_t sent;		/* bytes of the part handed over */
	struct md5 whole;	/* the file's, as it is when all is sent */
	struct piece pieces[PIECES];
};

struct piece_call {
	struct stream *st;
	struct transfer *t;
	struct piece *p;
};

bool
stream_needed(const struct transfer *t)
{
	return t->plan.part_size > t->w->memory_limit;
}

static uint64_t
ring_len(const struct stream *st)
{
	return (uint64_t)st->piece_len * PIECES;
}

static void read_pieces(struct stream *);

/* The piece at the head of the ring has been hashed. */
static void
piece_over(struct stream *st, struct piece *p)
{
	*p = (struct piece){ .want = 0 };
	read_pieces(st);
}

/* The server has this part: its bytes are only hashed. */
static void
check(struct stream *st)
{
	struct segment *s = st->s;
	struct transfer *t = s->t;
	const uint8_t *have = t->have_md5s + (size_t)s->index * MD5_LEN;
	struct err err = ERR_INIT;

	for (;;) {
		size_t i = (size_t)(st->sent / st->piece_len) % PIECES;
		struct piece *p = &st->pieces[i];
		const uint8_t *data = s->data + i * st->piece_len;

		if (st->sent == s->len)
			break;
		if (!p->here)
			return;
		md5_update_many((struct md5_job[]){ { &s->md5, data, p->got },
		    { &st->whole, data, p->got } }, 2);
		st->sent += p->got;
		piece_over(st, p);
	}
	md5_final(&s->md5, s->digest);
	if (memcmp(s->digest, have, MD5_LEN) == 0) {
		stream_done(s);
		return;
	}
	t->have[s->index] = 0;
	err_set(&err, ERR_CORRUPT, 0, "S3 holds another part %u",
	    s->index + 1);
	transfer_resend(t, &err);
}

static void
piece_read(void *arg, const struct tree_read *r, const struct err *err)
{
	struct piece_call *c = arg;
	struct transfer *t = c->t;
	struct stream *st = c->st;
	struct piece *p = c->p;

	free(c);
	t->calls--;
	if (t->broken || t->phase == PHASE_ENDED)
		return;
	if (!segment_read_ok(t, r, err, p->want))
		return;
	p->got = r->len;
	p->here = true;
	if (t->have[st->s->index] != 0)
		check(st);
	else
		s3_resume(t->w->p.s3, SIZE_MAX);
}

static void
read_pieces(struct stream *st)
{
	struct segment *s = st->s;
	struct transfer *t = s->t;

	while (st->asked < s->len && st->asked - st->sent +
	    st->piece_len <= ring_len(st)) {
		size_t i = (size_t)(st->asked / st->piece_len) % PIECES;
		struct piece *p = &st->pieces[i];
		struct piece_call *c;

		if (p->want != 0)
			return;
		c = xmalloc(sizeof(*c));
		p->want = (uint32_t)MIN(s->len - st->asked, st->piece_len);
		p->here = false;
		*c = (struct piece_call){ .st = st, .t = t, .p = p };
		t->calls++;
		tree_file_read(t->file, s->offset + st->asked, p->want,
		    s->data + i * st->piece_len, piece_read, c);
		st->asked += p->want;
	}
}

static ptrdiff_t
next_bytes(void *arg, uint64_t offset, void *out, size_t max)
{
	struct stream *st = arg;
	struct segment *s = st->s;
	size_t i = (size_t)(st->sent / st->piece_len) % PIECES;
	size_t at = (size_t)(st->sent % st->piece_len);
	struct piece *p = &st->pieces[i];
	const uint8_t *from = s->data + i * st->piece_len + at;
	size_t n;

	if (offset != st->sent || s->t->broken)
		return -1;
	if (!p->here)
		return 0;
	n = rate_take(&s->t->w->e->pool.rate, MIN(max, p->got - at),
	    s->t->w->now_ms * 1000000);
	if (n == 0)
		return 0;
	memcpy(out, from, n);
	md5_update_many((struct md5_job[]){ { &s->md5, out, n },
	    { &st->whole, out, n } }, 2);
	st->sent += n;
	if (at + n == p->got)
		piece_over(st, p);
	return (ptrdiff_t)n;
}

void
stream_free(struct segment *s)
{
	free(s->stream);
	s->stream = NULL;
}

/* The part is proved: its MD5 counts, and so do its bytes for the file's. */
void
stream_done(struct segment *s)
{
	struct transfer *t = s->t;

	memcpy(t->part_md5s + (size_t)s->index * MD5_LEN, s->digest, MD5_LEN);
	t->whole = s->stream->whole;
	t->whole_done += s->len;
	s->state = SEG_DONE;
}

void
stream_start(struct transfer *t)
{
	struct segment *s = &t->seg[0];
	struct s3_body body = { .len = 0 };
	struct stream *st;
	uint32_t piece = tree_read_max(t->w->trees.v[t->item->export]);

	if (s->state != SEG_FREE || t->next_index == transfer_end_part(t))
		return;
	while (piece > 64 * KIB && (uint64_t)piece * PIECES >
	    t->w->memory_limit)
		piece /= 2;
	memset(s, 0, sizeof(*s));
	s->data = worker_buffer(t->w, (uint64_t)piece * PIECES);
	if (s->data == NULL)
		return;
	s->data_len = (uint64_t)piece * PIECES;
	s->t = t;
	s->index = t->next_index++;
	part_range(t->before.size, &t->plan, s->index, &s->offset, &s->len);
	md5_init(&s->md5);
	st = s->stream = xcalloc(1, sizeof(*st));
	st->s = s;
	st->piece_len = piece;
	st->whole = t->whole;
	s->state = SEG_SENDING;
	read_pieces(st);
	if (t->have[s->index] != 0)
		return;
	body.len = s->len;
	body.read = next_bytes;
	body.read_arg = st;
	multipart_send_body(s, &body);
}
