#include "team/split_get.h"

#include "crypto/crypto.h"

/* From this size on an object is worth two more requests and the waits between
 * the steps. */
#define SHARED_BYTES	(64 * MIB)

struct ranges {
	const struct fetch_item *item;
	uint64_t unit;
	uint64_t part_size;	/* 0: parts are not hashed */
	uint32_t count;
	uint32_t next;		/* first range that no client has */
	unsigned part_count;
	uint8_t	*md5s;		/* digests of all parts; or NULL */
	uint64_t bytes;
	unsigned attempts;
};

bool
ranges_fit(const struct fetch_item *it)
{
	return it->path != NULL && it->raw == NULL && !it->only_check &&
	    it->step == STEP_WHOLE && it->etag[0] != '\0' &&
	    it->size >= SHARED_BYTES;
}

void
ranges_begin(struct fetch_item *it)
{
	uint8_t token[FETCH_TOKEN_LEN / 2];

	random_bytes(token, sizeof(token));
	hex_encode(token, sizeof(token), it->token);
	it->step = STEP_BEGIN;
	it->unit = 0;
}

struct ranges *
ranges_new(struct fetch_item *it, const struct fetch_item *begun)
{
	struct fetch_item step = *it;
	struct ranges *r;

	step.step = STEP_RANGE;
	step.range = 0;
	step.size = begun->size;
	step.unit = begun->unit;
	step.part_size = begun->part_size;
	if (!fetch_step_is_sound(&step))
		return NULL;
	it->size = begun->size;
	memcpy(it->etag, begun->etag, sizeof(it->etag));
	r = xcalloc(1, sizeof(*r));
	r->item = it;
	r->unit = begun->unit;
	r->part_size = begun->part_size;
	r->count = (uint32_t)((it->size - 1) / r->unit + 1);
	r->bytes = begun->bytes;
	r->attempts = begun->attempts;
	if (r->part_size > 0) {
		r->part_count = (unsigned)((it->size - 1) / r->part_size + 1);
		r->md5s = xcalloc(r->part_count, MD5_LEN);
	}
	return r;
}

void
ranges_free(struct ranges **rp)
{
	struct ranges *r = STEAL(*rp);

	if (r == NULL)
		return;
	free(r->md5s);
	free(r);
}

struct fetch_item *
ranges_next(struct ranges *r)
{
	const struct fetch_item *it = r->item;
	struct fetch_item *step;

	if (r->next == r->count)
		return NULL;
	step = xcalloc(1, sizeof(*step));
	step->key = xstrdup(it->key);
	step->path = xstrdup(it->path);
	step->size = it->size;
	memcpy(step->etag, it->etag, sizeof(step->etag));
	step->step = STEP_RANGE;
	memcpy(step->token, it->token, sizeof(step->token));
	step->unit = r->unit;
	step->range = r->next++;
	step->part_size = r->part_size;
	return step;
}

bool
ranges_take(struct ranges *r, const struct fetch_item *step,
    const struct fetch_item *result)
{
	uint64_t first;

	r->bytes += result->bytes;
	r->attempts = MAX(r->attempts, result->attempts);
	if (r->part_size == 0)
		return true;
	if (result->part_md5s == NULL ||
	    result->part_count != fetch_range_parts(step))
		return false;
	first = step->range * (r->unit / r->part_size);
	memcpy(r->md5s + first * MD5_LEN, result->part_md5s,
	    (size_t)result->part_count * MD5_LEN);
	return true;
}

void
ranges_end(const struct ranges *r, struct fetch_item *it)
{
	it->step = STEP_END;
	it->unit = r->unit;
	it->part_size = r->part_size;
	it->part_count = r->part_count;
	free(it->part_md5s);
	it->part_md5s = r->md5s == NULL ? NULL : xmemdup(r->md5s,
	    (size_t)r->part_count * MD5_LEN);
}

void
ranges_result(const struct ranges *r, struct fetch_item *it)
{
	it->bytes += r->bytes;
	it->attempts = MAX(it->attempts, r->attempts);
}

void
ranges_undo(struct fetch_item *it)
{
	it->step = STEP_WHOLE;
	it->unit = it->part_size = 0;
	it->part_count = 0;
	free(STEAL(it->part_md5s));
}
