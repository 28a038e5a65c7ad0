/*
 * md5.c: streams in, lanes filled, digests out.
 *
 * The first bytes of a job bring the stream to a block boundary, and the stream
 * keeps the bytes of its last partial block; the whole blocks in between take a
 * lane. The lanes run for as many blocks as the shortest lane has left; then
 * the next stream takes over the free lane.
 */
#include "crypto/md5_internal.h"

#define BLOCK 64

struct work {
	struct md5_lanes lanes;
	struct md5 *md5[MD5_LANES_MAX];
	size_t	 left[MD5_LANES_MAX];	/* blocks */
	size_t	 used;
};

void
md5_init(struct md5 *m)
{
	memset(m, 0, sizeof(*m));
	m->state[0] = 0x67452301;
	m->state[1] = 0xefcdab89;
	m->state[2] = 0x98badcfe;
	m->state[3] = 0x10325476;
}

static void
lane_load(struct md5_lanes *l, size_t lane, const struct md5 *m,
    const uint8_t *data)
{
	for (size_t i = 0; i < 4; i++)
		l->state[i][lane] = m->state[i];
	l->data[lane] = data;
}

static void
lane_store(const struct md5_lanes *l, size_t lane, struct md5 *m)
{
	for (size_t i = 0; i < 4; i++)
		m->state[i] = l->state[i][lane];
}

static void
add_blocks(struct md5 *m, const uint8_t *p, size_t blocks)
{
	struct md5_lanes l;

	lane_load(&l, 0, m, p);
	md5_x1(&l, blocks);
	lane_store(&l, 0, m);
}

/* Hash or keep the bytes of the job outside its whole blocks, and count the
 * length. Return the number of whole blocks. */
static size_t
take_ends(const struct md5_job *j, const uint8_t **ret_blocks)
{
	const uint8_t *p = j->data;
	size_t have = (size_t)(j->md5->len % BLOCK), len = j->len, blocks;

	j->md5->len += len;
	if (len == 0)
		return 0;
	if (have > 0) {
		size_t n = MIN(BLOCK - have, len);

		memcpy(j->md5->tail + have, p, n);
		p += n;
		len -= n;
		if (have + n < BLOCK)
			return 0;
		add_blocks(j->md5, j->md5->tail, 1);
	}
	blocks = len / BLOCK;
	*ret_blocks = p;
	memcpy(j->md5->tail, p + blocks * BLOCK, len % BLOCK);
	return blocks;
}

void
md5_update(struct md5 *m, const void *data, size_t len)
{
	struct md5_job j = { .md5 = m, .data = data, .len = len };
	const uint8_t *p;
	size_t blocks = take_ends(&j, &p);

	if (blocks > 0)
		add_blocks(m, p, blocks);
}

/* Give free lanes to the next jobs; returns how many jobs are begun. */
static size_t
fill(struct work *w, size_t lanes, const struct md5_job *jobs, size_t next,
    size_t count)
{
	for (; w->used < lanes && next < count; next++) {
		const uint8_t *p;
		size_t blocks = take_ends(&jobs[next], &p);

		if (blocks == 0)
			continue;
		lane_load(&w->lanes, w->used, jobs[next].md5, p);
		w->md5[w->used] = jobs[next].md5;
		w->left[w->used++] = blocks;
	}
	return next;
}

/* Run the lanes in parallel up to the end of the shortest lane. */
static void
run(struct work *w, const struct md5_engine *e)
{
	size_t blocks = w->left[0];

	for (size_t i = 1; i < w->used; i++)
		blocks = MIN(blocks, w->left[i]);
	for (size_t i = w->used; i < e->lanes; i++)
		w->lanes.data[i] = w->lanes.data[0];
	if (w->used == 1)
		md5_x1(&w->lanes, blocks);
	else if (w->used == 2)
		md5_x2(&w->lanes, blocks);
	else if (w->used <= e->half_lanes)
		e->half(&w->lanes, blocks);
	else
		e->wide(&w->lanes, blocks);
	for (size_t i = 0; i < w->used; i++) {
		w->lanes.data[i] += blocks * BLOCK;
		w->left[i] -= blocks;
	}
}

/* Let go of the lanes whose streams ended; the last lane closes the gap. */
static void
reap(struct work *w)
{
	for (size_t i = w->used; i-- > 0;) {
		size_t last = w->used - 1;

		if (w->left[i] > 0)
			continue;
		lane_store(&w->lanes, i, w->md5[i]);
		for (size_t k = 0; k < 4; k++)
			w->lanes.state[k][i] = w->lanes.state[k][last];
		w->lanes.data[i] = w->lanes.data[last];
		w->md5[i] = w->md5[last];
		w->left[i] = w->left[last];
		w->used--;
	}
}

void
md5_update_using(const struct md5_engine *e, const struct md5_job *jobs,
    size_t count)
{
	struct work w;
	size_t next;

	/* Clear the lanes: the kernel computes unused lanes too. */
	memset(&w.lanes, 0, sizeof(w.lanes));
	w.used = 0;
	next = fill(&w, e->lanes, jobs, 0, count);
	while (w.used > 0) {
		run(&w, e);
		reap(&w);
		next = fill(&w, e->lanes, jobs, next, count);
	}
}

const struct md5_engine *
md5_engine(size_t i)
{
	static const struct md5_engine scalar = {
		"scalar", 2, md5_x2, 2, md5_x2,
	};
#ifdef __x86_64__
	static const struct md5_engine avx512 = {
		"avx512", 16, md5_avx512, 16, md5_avx512,
	};
	static const struct md5_engine avx2 = {
		"avx2", 16, md5_avx2_pair, 8, md5_avx2,
	};

	if (__builtin_cpu_supports("avx512f") && i-- == 0)
		return &avx512;
	if (__builtin_cpu_supports("avx2") && i-- == 0)
		return &avx2;
#endif
	return i == 0 ? &scalar : NULL;
}

void
md5_update_many(struct md5_job *jobs, size_t count)
{
	md5_update_using(md5_engine(0), jobs, count);
}

size_t
md5_lanes(void)
{
	return md5_engine(0)->lanes;
}

static void
store_le(uint8_t *p, uint64_t x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(x >> (8 * i));
}

void
md5_final(const struct md5 *m, uint8_t out[MD5_LEN])
{
	size_t have = (size_t)(m->len % BLOCK);
	size_t blocks = have < BLOCK - 8 ? 1 : 2;
	uint8_t pad[2 * BLOCK] = { 0 };
	struct md5 copy = *m;

	memcpy(pad, m->tail, have);
	pad[have] = 0x80;
	store_le(pad + blocks * BLOCK - 8, m->len * 8, 8);
	add_blocks(&copy, pad, blocks);
	for (size_t i = 0; i < 4; i++)
		store_le(out + 4 * i, copy.state[i], 4);
}
