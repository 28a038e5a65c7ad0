/*
 * split_get.h: one large object that several clients fetch into one file. Three
 * kinds of steps, each an item for a client (model/fetch_item.h): one client
 * begins the file, any of them bring ranges of it, one proves the whole and
 * puts it in its place. Pure: what the steps are, and what their results make
 * together. split_put.h is the same for an upload.
 *
 * Life cycle: ranges_new with the result of the first step, ranges_next until
 * it has no more, ranges_take for each, ranges_end when none is left.
 */
#ifndef TEAM_SPLIT_GET_H
#define TEAM_SPLIT_GET_H

#include "model/fetch_item.h"

struct ranges;

/* Should several clients fetch this together? */
bool	 ranges_fit(const struct fetch_item *);
/* Make it the first step. */
void	 ranges_begin(struct fetch_item *);

/* The object of this item, whose file is begun now, as the result says; size
 * and ETag are those that it has found, and become the item's. The item is
 * the caller's and must live as long. NULL if the result begins nothing. */
struct ranges *ranges_new(struct fetch_item *,
	    const struct fetch_item *begun);
void	 ranges_free(struct ranges **);

/* A step for the next range, the caller's; NULL: there is none. */
struct fetch_item *ranges_next(struct ranges *);
/* A range was brought. False if the result is not one of this step. */
bool	 ranges_take(struct ranges *, const struct fetch_item *step,
	    const struct fetch_item *result) MUST_USE;
/* Make the last step of the item that ranges_new was given. */
void	 ranges_end(const struct ranges *, struct fetch_item *);
/* Add what all steps have done to the result of the last one. */
void	 ranges_result(const struct ranges *, struct fetch_item *);
/* Make it an ordinary item again. */
void	 ranges_undo(struct fetch_item *);

#endif
