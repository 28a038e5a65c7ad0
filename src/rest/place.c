#include "rest/place.h"

#define SEED	0xc70f6907u
#define MUL	0xc6a4a7935bd1e995u
#define SHIFT	47
#define SHORT	1100	/* bytes of a valid S3 key, and a number */

/* Little-endian, whatever the machine is. */
static uint64_t
load(const unsigned char *p, size_t len)
{
	uint64_t v = 0;

	while (len-- > 0)
		v = v << 8 | p[len];
	return v;
}

static uint64_t
mix(uint64_t v)
{
	return v ^ v >> SHIFT;
}

uint64_t
s3_place_hash(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	uint64_t h = SEED ^ s.len * MUL;
	size_t left = s.len;

	for (; left >= 8; p += 8, left -= 8)
		h = (h ^ mix(load(p, 8) * MUL) * MUL) * MUL;
	if (left > 0)
		h = (h ^ load(p, left)) * MUL;
	return mix(mix(h) * MUL);
}

uint32_t
s3_place_weight(struct str key, size_t cluster)
{
	char text[SHORT], *p = text;
	AUTOFREE char *more = NULL;
	size_t n;

	if (key.len > sizeof(text) - 24)
		p = more = xmalloc(key.len + 24);
	n = (size_t)snprintf(p, 24, "%zu", cluster);
	if (key.len > 0)
		memcpy(p + n, key.p, key.len);
	return (uint32_t)s3_place_hash((struct str){ p, n + key.len });
}

size_t
s3_place(struct str key, size_t clusters)
{
	uint32_t most = 0;
	size_t best = 0;

	if (clusters == 1)
		return 0;
	for (size_t i = 0; i < clusters; i++) {
		uint32_t w = s3_place_weight(key, i);

		if (i == 0 || w > most) {
			best = i;
			most = w;
		}
	}
	return best;
}

size_t
s3_place_nth(struct str key, size_t clusters, size_t nth)
{
	uint32_t w[S3_CLUSTERS_MAX];

	clusters = MIN(clusters, (size_t)S3_CLUSTERS_MAX);
	for (size_t i = 0; i < clusters; i++)
		w[i] = s3_place_weight(key, i);
	for (size_t i = 0; i < clusters; i++) {
		size_t before = 0;

		for (size_t k = 0; k < clusters; k++)
			if (w[k] > w[i] || (w[k] == w[i] && k < i))
				before++;
		if (before == nth)
			return i;
	}
	return 0;
}
