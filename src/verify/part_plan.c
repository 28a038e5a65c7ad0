#include "verify/part_plan.h"

#include "base/units.h"

int
part_plan(uint64_t size, uint64_t part_size, const struct store *store,
    struct part_plan *p, struct err *err)
{
	uint64_t parts = store->max_parts == 0 ? PART_COUNT_MAX :
	    store->max_parts;
	uint64_t most = MIN(store->max_object_size == 0 ? OBJECT_SIZE_MAX :
	    store->max_object_size, parts * PART_SIZE_MAX);
	uint64_t least = size / parts + (size % parts > 0);
	char text[16];

	if (size > most)
		return err_set(err, ERR_INVALID, 0, "larger than %s, the most "
		    "that the store takes in one object (max_object_size, "
		    "max_parts)", units_format(most, text));
	p->part_size = 0;
	p->count = 1;
	if (size <= part_size)
		return 0;
	p->part_size = MAX(part_size, least);
	p->count = (unsigned)((size + p->part_size - 1) / p->part_size);
	return 0;
}

void
part_range(uint64_t size, const struct part_plan *p, unsigned index,
    uint64_t *ret_offset, uint64_t *ret_len)
{
	if (p->part_size == 0) {
		*ret_offset = 0;
		*ret_len = size;
		return;
	}
	*ret_offset = p->part_size * index;
	*ret_len = MIN(p->part_size, size - *ret_offset);
}
