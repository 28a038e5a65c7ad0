/*
 * split_get.h: a large object that several clients fetch into a single file.
 * Three kinds of steps, each an item for a client (model/fetch_item.h): a
 * client begins the file, any clients bring ranges of the file, and a client
 * proves the whole file and renames the file into place. Pure: makes the steps
 * and combines their results. split_put.h does the same for an upload.
 *
 * Life cycle: ranges_new with the result of the first step, ranges_next until
 * no range is left, ranges_take for each range, ranges_end when all ranges are
 * taken.
 */
#ifndef TEAM_SPLIT_GET_H
#define TEAM_SPLIT_GET_H

#include "model/fetch_item.h"

struct ranges;

/* Should several clients fetch this object together? */
bool	 ranges_fit(const struct fetch_item *);
/* Turn the item into the first step. */
void	 ranges_begin(struct fetch_item *);

/* Make the ranges of this item from the result of the first step, which began
 * the file. Size and ETag of the result become the item's. The caller keeps the
 * item, and the item must outlive the ranges. Return NULL if the result begins
 * no file. */
struct ranges *ranges_new(struct fetch_item *,
	    const struct fetch_item *begun);
void	 ranges_free(struct ranges **);

/* Return a step for the next range, owned by the caller; NULL: no range is
 * left. */
struct fetch_item *ranges_next(struct ranges *);
/* Take the result of a range. Return false if the result does not fit the
 * step. */
bool	 ranges_take(struct ranges *, const struct fetch_item *step,
	    const struct fetch_item *result) MUST_USE;
/* Turn the item given to ranges_new into the last step. */
void	 ranges_end(const struct ranges *, struct fetch_item *);
/* Add the work of all steps to the result of the last step. */
void	 ranges_result(const struct ranges *, struct fetch_item *);
/* Turn a step into an ordinary item again. */
void	 ranges_undo(struct fetch_item *);

#endif
