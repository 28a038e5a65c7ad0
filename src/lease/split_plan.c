#include "lease/split_plan.h"

#include "crypto/crypto.h"
#include "verify/part_plan.h"

/*
 * From this size on a file is worth two more requests and a wait between the
 * steps. A client moves a smaller file alone in about the time that the other
 * clients need for their leases.
 */
#define SPLIT_BYTES	(64 * MIB)
#define SPLIT_PARTS	8	/* of an upload, at least */
/* Ranges of an upload for each client, at least, if the parts allow. A range
 * has few parts on the wire at a time, so a slow client then delays little. */
#define RANGES_EACH	16
#define RANGE_BYTES	(64 * MIB) /* a range is at most this size, or a single
				      part */

static void
init(struct split_plan *p, uint64_t size, uint64_t unit, uint64_t part_size)
{
	memset(p, 0, sizeof(*p));
	p->size = size;
	p->unit = unit;
	p->count = (uint32_t)((size - 1) / unit + 1);
	p->part_size = part_size;
	if (part_size == 0)
		return;
	p->part_count = (unsigned)((size - 1) / part_size + 1);
	p->part_md5s = xcalloc(p->part_count, MD5_LEN);
	p->etags = xcalloc(p->count, sizeof(*p->etags));
	p->crc64s = xcalloc(p->count, sizeof(*p->crc64s));
}

void
split_plan_release(struct split_plan *p)
{
	free(STEAL(p->part_md5s));
	for (uint32_t i = 0; p->etags != NULL && i < p->count; i++)
		free(p->etags[i]);
	free(STEAL(p->etags));
	free(STEAL(p->crc64s));
}

uint64_t
split_plan_bytes(const struct split_plan *p, uint32_t range)
{
	return MIN(p->unit, p->size - range * p->unit);
}

static unsigned
first_part(const struct split_plan *p, uint32_t range)
{
	return (unsigned)(range * (p->unit / p->part_size));
}

static unsigned
range_parts(const struct split_plan *p, uint32_t range)
{
	return (unsigned)((split_plan_bytes(p, range) - 1) / p->part_size + 1);
}

static bool
take(struct split_plan *p, uint32_t range, const uint8_t *md5s, unsigned count)
{
	if (p->part_size == 0)
		return true;
	if (md5s == NULL || count != range_parts(p, range))
		return false;
	memcpy(p->part_md5s + (size_t)first_part(p, range) * MD5_LEN, md5s,
	    (size_t)count * MD5_LEN);
	return true;
}

static void
add_work(struct split_plan *p, uint64_t bytes, unsigned attempts)
{
	p->bytes += bytes;
	p->attempts = MAX(p->attempts, attempts);
}

/* Give the digests of all parts to an item or a result. */
static void
give_parts(const struct split_plan *p, unsigned *ret_count, uint8_t **ret_md5s)
{
	*ret_count = p->part_count;
	free(*ret_md5s);
	*ret_md5s = p->part_md5s == NULL ? NULL : xmemdup(p->part_md5s,
	    (size_t)p->part_count * MD5_LEN);
}

/* --- a file to upload --- */

bool
split_put_fits(const struct item *it, uint64_t part_size, size_t clients)
{
	if (clients < 2 || it->attrs.size < SPLIT_BYTES ||
	    it->attrs.size / SPLIT_PARTS < part_size)
		return false;
	/* A comparison with the previous digest needs a single client that
	 * reads the whole file in order. */
	if ((it->flags & ITEM_CHECKSUM) != 0 || (it->has_prev &&
	    it->prev_has_md5 && it->prev_attrs.size == it->attrs.size))
		return false;
	/* The object may already be stored whole: a single client must find
	 * out. */
	return (it->flags & ITEM_SETTLE) == 0 || it->upload_id != NULL;
}

bool
split_put_plan(struct split_plan *p, struct item *it, const struct result *r,
    size_t clients)
{
	uint64_t size = it->attrs.size, unit;

	if (r->upload_id == NULL || r->part_size == 0 || size == 0 ||
	    (size - 1) / r->part_size >= PART_COUNT_MAX)
		return false;
	unit = MIN(RANGE_BYTES, size / RANGES_EACH / MAX(clients, (size_t)1));
	init(p, size, MAX(unit / r->part_size, (uint64_t)1) * r->part_size,
	    r->part_size);
	add_work(p, r->bytes_sent, r->attempts);
	free(it->upload_id);
	it->upload_id = xstrdup(r->upload_id);
	it->upload_part_size = r->part_size;
	return true;
}

struct item
split_put_range(const struct split_plan *p, const struct item *it,
    uint32_t range)
{
	return (struct item){
		.export = it->export,
		.step = SPLIT_RANGE,
		.path = xstrdup(it->path),
		.raw = xstrdup(it->raw),
		.fh = it->fh,
		.attrs = it->attrs,
		.upload_id = xstrdup(it->upload_id),
		.upload_part_size = p->part_size,
		.part_first = first_part(p, range),
		.part_count = range_parts(p, range),
	};
}

/* A line for each part, or no text. */
static bool
has_lines(const char *text, unsigned count)
{
	unsigned n = 0;

	for (const char *p = text; p != NULL && *p != '\0'; p++)
		n += *p == '\n';
	return text == NULL || (n == count && str_ends(str_of(text),
	    STR("\n")));
}

bool
split_put_take(struct split_plan *p, const struct item *step,
    const struct result *r)
{
	uint64_t range = step->part_first / (p->unit / p->part_size);

	if (!has_lines(r->part_etags, r->part_count) ||
	    !take(p, (uint32_t)range, r->part_md5s, r->part_count))
		return false;
	free(p->etags[range]);
	p->etags[range] = r->part_etags == NULL ? NULL :
	    xstrdup(r->part_etags);
	p->crc64s[range] = (struct split_crc64){ r->has_crc64, r->crc64 };
	add_work(p, r->bytes_sent, r->attempts);
	return true;
}

static char *
all_etags(const struct split_plan *p)
{
	struct buf b;
	bool any = false;

	buf_init(&b, 16 * MIB);
	for (uint32_t i = 0; i < p->count; i++) {
		any |= p->etags[i] != NULL;
		if (p->etags[i] != NULL)
			buf_addstr(&b, p->etags[i]);
		for (unsigned n = range_parts(p, i); p->etags[i] == NULL &&
		    n > 0; n--)
			buf_addch(&b, '\n');
	}
	if (any)
		return b.data;
	buf_release(&b);
	return NULL;
}

void
split_put_end(const struct split_plan *p, struct item *it)
{
	it->step = SPLIT_END;
	it->part_first = 0;
	give_parts(p, &it->part_count, &it->part_md5s);
	free(it->part_etags);
	it->part_etags = all_etags(p);
}

/* The CRC of the file, if those of all ranges are known. */
static void
join_crc64s(const struct split_plan *p, struct result *r)
{
	r->has_crc64 = true;
	r->crc64 = 0;
	for (uint32_t i = 0; i < p->count; i++) {
		r->has_crc64 = r->has_crc64 && p->crc64s[i].known;
		r->crc64 = crc64nvme_append(r->crc64, p->crc64s[i].crc64,
		    split_plan_bytes(p, i));
	}
}

void
split_put_result(const struct split_plan *p, struct result *r)
{
	r->bytes_sent += p->bytes;
	r->attempts = MAX(r->attempts, p->attempts);
	r->has_md5 = false;
	join_crc64s(p, r);
	r->part_size = p->part_size;
	give_parts(p, &r->part_count, &r->part_md5s);
}

void
split_put_undo(struct item *it)
{
	it->step = SPLIT_WHOLE;
	it->part_count = 0;
	free(STEAL(it->part_md5s));
	free(STEAL(it->part_etags));
}

/* --- an object to fetch --- */

bool
split_get_fits(const struct fetch_item *it)
{
	return it->path != NULL && it->raw == NULL && !it->only_check &&
	    fetch_item_version(it).len == 0 && it->etag[0] != '\0' &&
	    it->size >= SPLIT_BYTES;
}

void
split_get_begin(struct fetch_item *it)
{
	uint8_t token[FETCH_TOKEN_LEN / 2];

	random_bytes(token, sizeof(token));
	hex_encode(token, sizeof(token), it->token);
	it->step = SPLIT_BEGIN;
	it->unit = 0;
}

bool
split_get_plan(struct split_plan *p, struct fetch_item *it,
    const struct fetch_item *begun)
{
	struct fetch_item step = *it;

	step.step = SPLIT_RANGE;
	step.range = 0;
	step.size = begun->size;
	step.unit = begun->unit;
	step.part_size = begun->part_size;
	if (!fetch_step_is_sound(&step))
		return false;
	init(p, begun->size, begun->unit, begun->part_size);
	add_work(p, begun->result.bytes, begun->result.attempts);
	it->size = begun->size;
	memcpy(it->etag, begun->etag, sizeof(it->etag));
	return true;
}

struct fetch_item *
split_get_range(const struct split_plan *p, const struct fetch_item *it,
    uint32_t range)
{
	struct fetch_item *step = xcalloc(1, sizeof(*step));

	step->key = xstrdup(it->key);
	step->path = xstrdup(it->path);
	step->size = it->size;
	memcpy(step->etag, it->etag, sizeof(step->etag));
	step->step = SPLIT_RANGE;
	memcpy(step->token, it->token, sizeof(step->token));
	step->unit = p->unit;
	step->range = range;
	step->part_size = p->part_size;
	return step;
}

bool
split_get_take(struct split_plan *p, const struct fetch_item *step,
    const struct fetch_item *result)
{
	if (!take(p, step->range, result->part_md5s, result->part_count))
		return false;
	add_work(p, result->result.bytes, result->result.attempts);
	return true;
}

void
split_get_end(const struct split_plan *p, struct fetch_item *it)
{
	it->step = SPLIT_END;
	it->unit = p->unit;
	it->part_size = p->part_size;
	give_parts(p, &it->part_count, &it->part_md5s);
}

void
split_get_result(const struct split_plan *p, struct fetch_item *it)
{
	it->result.bytes += p->bytes;
	it->result.attempts = MAX(it->result.attempts, p->attempts);
}

void
split_get_undo(struct fetch_item *it)
{
	it->step = SPLIT_WHOLE;
	it->unit = it->part_size = 0;
	it->part_count = 0;
	free(STEAL(it->part_md5s));
}
