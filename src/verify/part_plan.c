#include "verify/part_plan.h"

int
part_plan(uint64_t size, uint64_t part_size, struct part_plan *p,
    struct err *err)
{
	uint64_t least = (size + PART_COUNT_MAX - 1) / PART_COUNT_MAX;

	if (size > OBJECT_SIZE_MAX)
		return err_set(err, ERR_INVALID, 0,
		    "larger than 5 TiB, the most that S3 holds in one object");
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
