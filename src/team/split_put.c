#include "team/split_put.h"

#include "verify/part_plan.h"

/*
 * From this size on a file is worth two more requests and a wait between the
 * steps. A client sends a smaller file alone in about the time that the other
 * clients need for their leases.
 */
#define JOINT_BYTES	(64 * MIB)
#define JOINT_PARTS	8
/* Ranges for each client, at least, if the parts allow. A range has few parts
 * on the wire at a time, so a slow client then delays little. */
#define RANGES_EACH	16
#define RANGE_BYTES	(64 * MIB) /* a range is at most this size, or a single
				      part */
#define MD5_BYTES	16

struct joint {
	const struct item *item;
	char	*upload_id;
	uint64_t size;
	uint64_t part_size;
	unsigned count;		/* number of parts */
	unsigned each;		/* number of parts in a range */
	unsigned next;		/* first part that no client has */
	unsigned left;
	bool	*sent;
	uint8_t	*md5s;
	uint64_t bytes_sent;
	unsigned attempts;
};

bool
joint_fits(const struct item *it, uint64_t part_size, size_t clients)
{
	if (clients < 2 || it->attrs.size < JOINT_BYTES ||
	    it->attrs.size / JOINT_PARTS < part_size)
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

static unsigned
range_parts(const struct joint *j, size_t clients)
{
	uint64_t bytes = MIN(RANGE_BYTES, j->size / RANGES_EACH /
	    MAX(clients, (size_t)1));

	return (unsigned)MAX(bytes / j->part_size, (uint64_t)1);
}

struct joint *
joint_new(const struct item *it, const struct result *r, size_t clients)
{
	uint64_t size = it->attrs.size, count;
	struct joint *j;

	if (r->upload_id == NULL || r->part_size == 0)
		return NULL;
	count = (size + r->part_size - 1) / r->part_size;
	if (count == 0 || count > PART_COUNT_MAX)
		return NULL;
	j = xcalloc(1, sizeof(*j));
	j->item = it;
	j->upload_id = xstrdup(r->upload_id);
	j->size = size;
	j->part_size = r->part_size;
	j->count = j->left = (unsigned)count;
	j->each = range_parts(j, clients);
	j->sent = xcalloc(count, sizeof(*j->sent));
	j->md5s = xcalloc(count, MD5_BYTES);
	j->attempts = r->attempts;
	return j;
}

void
joint_free(struct joint **jp)
{
	struct joint *j = STEAL(*jp);

	if (j == NULL)
		return;
	free(j->upload_id);
	free(j->sent);
	free(j->md5s);
	free(j);
}

bool
joint_next(struct joint *j, struct item *ret)
{
	const struct item *it = j->item;

	if (j->next == j->count)
		return false;
	memset(ret, 0, sizeof(*ret));
	ret->export = it->export;
	ret->flags = ITEM_PARTS;
	ret->path = xstrdup(it->path);
	ret->raw = xstrdup(it->raw);
	ret->fh = it->fh;
	ret->attrs = it->attrs;
	ret->upload_id = xstrdup(j->upload_id);
	ret->upload_part_size = j->part_size;
	ret->part_first = j->next;
	ret->part_count = MIN(j->each, j->count - j->next);
	j->next += ret->part_count;
	return true;
}

uint64_t
joint_bytes(const struct joint *j, const struct item *step)
{
	uint64_t first = step->part_first * j->part_size;

	return MIN(step->part_count * j->part_size, j->size - first);
}

bool
joint_take(struct joint *j, const struct item *step, const struct result *r)
{
	if (r->part_md5s == NULL || r->part_count != step->part_count)
		return false;
	for (unsigned i = 0; i < r->part_count; i++) {
		unsigned part = step->part_first + i;

		j->left -= !j->sent[part];
		j->sent[part] = true;
		memcpy(j->md5s + (size_t)part * MD5_BYTES, r->part_md5s +
		    (size_t)i * MD5_BYTES, MD5_BYTES);
	}
	j->bytes_sent += r->bytes_sent;
	j->attempts = MAX(j->attempts, r->attempts);
	return true;
}

void
joint_close(const struct joint *j, struct item *it)
{
	it->flags = (it->flags & ~(uint32_t)JOINT_STEPS) | ITEM_CLOSE;
	free(it->upload_id);
	it->upload_id = xstrdup(j->upload_id);
	it->upload_part_size = j->part_size;
	it->part_first = 0;
	it->part_count = j->count;
	free(it->part_md5s);
	it->part_md5s = xmemdup(j->md5s, (size_t)j->count * MD5_BYTES);
}

void
joint_result(const struct joint *j, struct result *r)
{
	r->bytes_sent += j->bytes_sent;
	r->attempts = MAX(r->attempts, j->attempts);
	r->has_md5 = false;
	r->part_size = j->part_size;
	r->part_count = j->count;
	free(r->part_md5s);
	r->part_md5s = xmemdup(j->md5s, (size_t)j->count * MD5_BYTES);
}
