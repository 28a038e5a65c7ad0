/*
 * part_plan.h: how a file is cut into parts. Pure.
 *
 * S3 allows 10,000 parts of 5 MiB (but the last) to 5 GiB (Amazon S3 User
 * Guide, "Multipart upload limits"); a store may allow less. The part size is
 * fixed for a file when its upload begins and is remembered: the ETag depends
 * on it.
 */
#ifndef VERIFY_PART_PLAN_H
#define VERIFY_PART_PLAN_H

#include "base/base.h"
#include "base/err.h"
#include "model/store.h"

#define PART_COUNT_MAX	10000
#define PART_SIZE_MAX	(5 * GIB)
#define OBJECT_SIZE_MAX	(PART_COUNT_MAX * PART_SIZE_MAX)

struct part_plan {
	uint64_t part_size;	/* bytes; 0: one PUT */
	unsigned count;		/* number of parts; a single PUT counts 1 */
};

/* Plan the parts of size bytes, of at least part_size each, within the limits
 * of the store. A file no larger than a part is a single PUT. Larger than the
 * store takes: ERR_INVALID. */
int	 part_plan(uint64_t size, uint64_t part_size, const struct store *,
	    struct part_plan *, struct err *) MUST_USE;
/* Offset and length of part number index (from 0). */
void	 part_range(uint64_t size, const struct part_plan *, unsigned index,
	    uint64_t *ret_offset, uint64_t *ret_len);

#endif
