/*
 * ring.c: a part larger than the memory of a worker (files of terabytes, see
 * verify/part_plan.h) is never whole in memory. The ring reads the part
 * twice, in pieces that go through a ring: the first pass hashes the part, the
 * second pass sends the part with the Content-MD5 from the first pass, which S3
 * checks even where ETags are no digests. A part that needs no sending (S3 has
 * the part, or the file is only compared) is read once. When the S3 client
 * repeats the request, the second pass begins again: a fault costs that part.
 */
#include "send/send_internal.h"

#define PIECES		8

struct piece {
	uint32_t want;		/* bytes asked for; 0: the piece is free */
	bool	 here;
};

struct ring {
	struct segment *s;
	uint32_t piece_len;
	unsigned reads;		/* READs on the way */
	bool	 sending;	/* the second pass */
	bool	 again;		/* begin this pass again when reads is 0 */
	uint64_t asked;		/* bytes of the part asked for in this pass */
	uint64_t taken;		/* bytes of the part hashed or sent in this
				   pass */
	struct md5 whole;	/* MD5 of the file up to the end of this part */
	struct piece pieces[PIECES];
};

struct piece_call {
	struct ring *ring;
	struct transfer *t;
	struct piece *p;
};

bool
ring_needed(const struct transfer *t)
{
	return t->plan.part_size > t->w->memory_limit;
}

static size_t
piece_at(const struct ring *ring, uint64_t offset)
{
	return (size_t)(offset / ring->piece_len) % PIECES;
}

static void read_pieces(struct ring *);

static void
begin_pass(struct ring *ring)
{
	ring->again = false;
	ring->asked = ring->taken = 0;
	memset(ring->pieces, 0, sizeof(ring->pieces));
	read_pieces(ring);
}

/* The next n bytes have been used. */
static void
take(struct ring *ring, size_t n)
{
	struct piece *p = &ring->pieces[piece_at(ring, ring->taken)];

	ring->taken += n;
	if (ring->taken % ring->piece_len == 0 || ring->taken == ring->s->len) {
		*p = (struct piece){ .want = 0 };
		read_pieces(ring);
	}
}

static ptrdiff_t
next_bytes(void *arg, uint64_t offset, void *out, size_t max)
{
	struct ring *ring = arg;
	struct segment *s = ring->s;
	size_t i = piece_at(ring, ring->taken);
	size_t at = (size_t)(ring->taken % ring->piece_len);
	size_t n;

	if (s->t->broken)
		return -1;
	if (offset != ring->taken) {
		if (offset != 0)
			return -1;
		ring->again = true;
		if (ring->reads == 0)
			begin_pass(ring);
	}
	if (ring->again || !ring->pieces[i].here)
		return 0;
	n = rate_take(&s->t->w->sender->pool.rate, MIN(max,
	    ring->pieces[i].want - at), s->t->w->now_ms * 1000000);
	if (n == 0)
		return 0;
	memcpy(out, s->data + i * ring->piece_len + at, n);
	take(ring, n);
	return (ptrdiff_t)n;
}

/* The first pass has ended: the part's digest is known. */
static void
hashed(struct ring *ring)
{
	struct segment *s = ring->s;
	struct transfer *t = s->t;
	struct s3_body body = { .len = s->len, .md5 = s->digest,
	    .read = next_bytes, .read_arg = ring };

	md5_final(&s->md5, s->digest);
	t->tries = 0;
	t->fault.since_ms = 0;
	if (!send_is_needed(t, s)) {
		ring_done(s);
		return;
	}
	ring->sending = true;
	begin_pass(ring);
	multipart_send_body(s, &body);
}

static void
hash_pieces(struct ring *ring)
{
	struct segment *s = ring->s;

	while (ring->taken < s->len) {
		size_t i = piece_at(ring, ring->taken);
		const uint8_t *data = s->data + i * ring->piece_len;
		uint32_t n = ring->pieces[i].want;

		if (!ring->pieces[i].here)
			return;
		if (s->t->mode != MODE_READ) {
			md5_update_many((struct md5_job[]){
			    { &s->md5, data, n }, { &ring->whole, data, n } },
			    2);
			s->crc64 = crc64nvme(s->crc64, data, n);
		}
		take(ring, n);
	}
	hashed(ring);
}

static void
piece_read(void *arg, const struct tree_read *r, const struct err *err)
{
	struct piece_call *c = arg;
	struct transfer *t = c->t;
	struct ring *ring = c->ring;
	struct piece *p = c->p;

	free(c);
	t->calls--;
	ring->reads--;
	if (t->broken || t->phase == PHASE_ENDED)
		return;
	if (!segment_read_ok(t, r, err, p->want))
		return;
	if (ring->again) {
		if (ring->reads == 0)
			begin_pass(ring);
		return;
	}
	p->here = true;
	if (ring->sending)
		s3_resume(t->w->p.s3, SIZE_MAX);
	else
		hash_pieces(ring);
}

static void
read_pieces(struct ring *ring)
{
	struct segment *s = ring->s;
	struct transfer *t = s->t;

	while (ring->asked < s->len) {
		size_t i = piece_at(ring, ring->asked);
		struct piece *p = &ring->pieces[i];
		struct piece_call *c;

		if (p->want != 0)
			return;
		c = xmalloc(sizeof(*c));
		p->want = (uint32_t)MIN(s->len - ring->asked, ring->piece_len);
		*c = (struct piece_call){ .ring = ring, .t = t, .p = p };
		t->calls++;
		ring->reads++;
		tree_file_read(t->file, s->offset + ring->asked, p->want,
		    s->data + i * ring->piece_len, piece_read, c);
		ring->asked += p->want;
	}
}

void
ring_free(struct segment *s)
{
	free(s->ring);
	s->ring = NULL;
}

bool
ring_is_sent(const struct segment *s)
{
	return s->ring->taken == s->len && !s->ring->again;
}

/* The part is proved: take the part's MD5, and the file's MD5 up to the end of
 * the part. */
void
ring_done(struct segment *s)
{
	struct transfer *t = s->t;

	memcpy(t->part_md5s + (size_t)s->index * MD5_LEN, s->digest, MD5_LEN);
	t->part_crc64s[s->index] = s->crc64;
	t->whole = s->ring->whole;
	t->whole_done += s->len;
	s->state = SEG_DONE;
}

void
ring_start(struct transfer *t)
{
	struct segment *s = &t->seg[0];
	struct ring *ring;
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
	ring = s->ring = xcalloc(1, sizeof(*ring));
	ring->s = s;
	ring->piece_len = piece;
	ring->whole = t->whole;
	s->state = SEG_READING;
	begin_pass(ring);
}
