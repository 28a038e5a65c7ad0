#include "model/fetch_item.h"

void
fetch_item_free(struct fetch_item **ip)
{
	struct fetch_item *it = *ip;

	if (it == NULL)
		return;
	free(it->key);
	free(it->path);
	free(it->raw);
	free(it->part_md5s);
	if (it->has_stored)
		stored_release(&it->stored);
	free(it);
	*ip = NULL;
}

struct str
fetch_item_version(const struct fetch_item *it)
{
	return it->of_version && it->stored.version_id != NULL ?
	    str_of(it->stored.version_id) : STR("");
}

uint64_t
fetch_item_bytes(const struct fetch_item *it)
{
	switch (it->step) {
	case SPLIT_RANGE:
		return MIN(it->unit, it->size - it->range * it->unit);
	case SPLIT_BEGIN:
	case SPLIT_END:
		return 0;
	default:
		return it->size;
	}
}

unsigned
fetch_range_parts(const struct fetch_item *it)
{
	return (unsigned)((fetch_item_bytes(it) - 1) / it->part_size + 1);
}

bool
fetch_step_is_sound(const struct fetch_item *it)
{
	uint64_t ranges;

	if (it->step == SPLIT_WHOLE)
		return true;
	if (it->path == NULL || it->raw != NULL || it->only_check ||
	    strlen(it->token) != FETCH_TOKEN_LEN)
		return false;
	if (it->step == SPLIT_BEGIN)
		return true;
	if (it->size == 0 || it->unit == 0 || (it->part_size > 0 &&
	    it->unit % it->part_size != 0))
		return false;
	if (it->part_size > 0 &&
	    (it->size - 1) / it->part_size >= FETCH_PARTS_MAX)
		return false;
	ranges = (it->size - 1) / it->unit + 1;
	return ranges > 1 && ranges <= FETCH_RANGES_MAX && it->range < ranges;
}
