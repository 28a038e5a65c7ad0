/*
 * part_plan.h: how a file is cut into parts. Pure.
 *
 * S3 allows 10,000 parts of at least 5 MiB but the last (Amazon S3 User
 * Guide, "Multipart upload limits"). The part size is fixed for a file when
 * its upload begins and is remembered: the ETag depends on it.
 */
#ifndef VERIFY_PART_PLAN_H
#define VERIFY_PART_PLAN_H

#include "base/base.h"
#include "base/err.h"

#define PART_COUNT_MAX	10000
#define OBJECT_SIZE_MAX	(5 * 1024 * GIB)	/* 5 TiB */

struct part_plan {
	uint64_t part_size;	/* bytes; 0: one PUT */
	unsigned count;		/* number of parts; a single PUT counts 1 */
};

/* Plan the parts of size bytes, given the configured part size. A file no
 * larger than a part is a single PUT. Over 5 TiB: ERR_INVALID. */
int	 part_plan(uint64_t size, uint64_t part_size, struct part_plan *,
	    struct err *) MUST_USE;
/* Offset and length of part number index (from 0). */
void	 part_range(uint64_t size, const struct part_plan *, unsigned index,
	    uint64_t *ret_offset, uint64_t *ret_len);

#endif
