#include "base/idset.h"

#define CHUNK_BITS 512

struct idset_chunk {
	uint64_t key;		/* id / CHUNK_BITS + 1; 0 is an empty slot */
	uint64_t bits[CHUNK_BITS / 64];
};

void
idset_init(struct idset *s)
{
	memset(s, 0, sizeof(*s));
}

void
idset_release(struct idset *s)
{
	free(s->chunks);
	idset_init(s);
}

/* Return the slot of the key: its chunk, or the empty slot for the key. */
static struct idset_chunk *
slot(const struct idset *s, uint64_t key)
{
	size_t i = (size_t)(key * 0x9e3779b97f4a7c15U >> 20) & (s->cap - 1);

	while (s->chunks[i].key != 0 && s->chunks[i].key != key)
		i = (i + 1) & (s->cap - 1);
	return &s->chunks[i];
}

static void
grow(struct idset *s)
{
	struct idset bigger = { .cap = s->cap == 0 ? 8 : s->cap * 2 };

	bigger.chunks = xcalloc(bigger.cap, sizeof(*bigger.chunks));
	bigger.used = s->used;
	for (size_t i = 0; i < s->cap; i++)
		if (s->chunks[i].key != 0)
			*slot(&bigger, s->chunks[i].key) = s->chunks[i];
	free(s->chunks);
	*s = bigger;
}

bool
idset_add(struct idset *s, int64_t id)
{
	uint64_t bit = (uint64_t)1 << ((uint64_t)id % 64);
	size_t word = (uint64_t)id % CHUNK_BITS / 64;
	uint64_t key = (uint64_t)id / CHUNK_BITS + 1;
	struct idset_chunk *c;

	if (s->used * 4 >= s->cap * 3)
		grow(s);
	c = slot(s, key);
	if (c->key == 0) {
		c->key = key;
		s->used++;
	}
	if ((c->bits[word] & bit) != 0)
		return false;
	c->bits[word] |= bit;
	return true;
}

bool
idset_has(const struct idset *s, int64_t id)
{
	const struct idset_chunk *c;

	if (s->cap == 0)
		return false;
	c = slot(s, (uint64_t)id / CHUNK_BITS + 1);
	return c->key != 0 &&
	    (c->bits[(uint64_t)id % CHUNK_BITS / 64] >> ((uint64_t)id % 64) &
	    1) != 0;
}
