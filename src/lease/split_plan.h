/*
 * split_plan.h: how a large file is split among clients: its ranges, what the
 * clients report of the ranges, and the items of all steps (model/item.h).
 * Pure.
 *
 * Life cycle: split_put_plan or split_get_plan with the result of the first
 * step, then an item and a result for each range, split_put_end or
 * split_get_end for the last step, split_plan_release.
 */
#ifndef LEASE_SPLIT_PLAN_H
#define LEASE_SPLIT_PLAN_H

#include "model/fetch_item.h"

struct split_plan {
	uint64_t size;
	uint64_t unit;		/* bytes of a range; whole parts */
	uint32_t count;		/* number of ranges */
	uint64_t part_size;	/* 0: parts are not hashed */
	unsigned part_count;
	uint8_t	*part_md5s;	/* NULL: parts are not hashed */
	char	**etags;	/* of an upload, by range: as in struct
				   result */
	struct split_crc64 {
		bool	 known;
		uint64_t crc64;
	}	*crc64s;	/* of an upload, by range */
	uint64_t bytes;		/* moved in all steps so far */
	unsigned attempts;
};
void	 split_plan_release(struct split_plan *);
/* Return the number of bytes of a range. */
uint64_t split_plan_bytes(const struct split_plan *, uint32_t range);

/* --- a file to upload --- */

/* Should this number of clients upload the file together? part_size comes from
 * the settings. */
bool	 split_put_fits(const struct item *, uint64_t part_size,
	    size_t clients);
/* Plan the ranges of a file whose upload was begun with this result; the item
 * gets the upload. Return false if the result begins no upload. */
bool	 split_put_plan(struct split_plan *, struct item *,
	    const struct result *begun, size_t clients) MUST_USE;
/* Return a step for a range, owned by the caller. */
struct item split_put_range(const struct split_plan *, const struct item *,
	    uint32_t range);
/* Take the result of a range. Return false if the result does not fit the
 * step. */
bool	 split_put_take(struct split_plan *, const struct item *step,
	    const struct result *) MUST_USE;
/* Turn the item into the last step. */
void	 split_put_end(const struct split_plan *, struct item *);
/* Put the work of all steps into the result of the last step. */
void	 split_put_result(const struct split_plan *, struct result *);
/* Turn a step into an ordinary item again. */
void	 split_put_undo(struct item *);

/* --- an object to fetch into one file: likewise --- */

bool	 split_get_fits(const struct fetch_item *);
/* Turn the item into the first step, with a new token. */
void	 split_get_begin(struct fetch_item *);
/* The item gets the size and the ETag that the result tells. */
bool	 split_get_plan(struct split_plan *, struct fetch_item *,
	    const struct fetch_item *begun) MUST_USE;
struct fetch_item *split_get_range(const struct split_plan *,
	    const struct fetch_item *, uint32_t range);
bool	 split_get_take(struct split_plan *, const struct fetch_item *step,
	    const struct fetch_item *result) MUST_USE;
void	 split_get_end(const struct split_plan *, struct fetch_item *);
void	 split_get_result(const struct split_plan *, struct fetch_item *);
void	 split_get_undo(struct fetch_item *);

#endif
