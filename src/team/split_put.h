/*
 * split_put.h: one large file that several clients upload together. Three kinds
 * of steps, each an item for a client (model/item.h): one client opens the
 * upload, any of them send ranges of its parts, one completes it. Pure: what
 * the steps are, and what their results make together.
 *
 * Life cycle: joint_new with the result of the first step, joint_next until
 * it has no more, joint_take for each range, joint_close when none is left.
 */
#ifndef TEAM_SPLIT_PUT_H
#define TEAM_SPLIT_PUT_H

#include "model/item.h"

#define JOINT_STEPS	(ITEM_OPEN | ITEM_PARTS | ITEM_CLOSE)

struct joint;

/* Should so many clients upload this file together? part_size: of the
 * settings. */
bool	 joint_fits(const struct item *, uint64_t part_size, size_t clients);

/* The file of this item, whose upload is open now. The item is the caller's
 * and must live as long. NULL if the result opens nothing. */
struct joint *joint_new(const struct item *, const struct result *opened,
    size_t clients);
void	 joint_free(struct joint **);

/* A step for the next parts that nobody has: fills the item, which is the
 * caller's then. False: there are no more. */
bool	 joint_next(struct joint *, struct item *);
/* Bytes of such a step. */
uint64_t joint_bytes(const struct joint *, const struct item *step);
/* A range was sent. False if the result is not one of this step. */
bool	 joint_take(struct joint *, const struct item *step,
    const struct result *) MUST_USE;
/* Make the last step of the item that joint_new was given. */
void	 joint_close(const struct joint *, struct item *);
/* Put what all steps have done into the result of the last one. */
void	 joint_result(const struct joint *, struct result *);

#endif
