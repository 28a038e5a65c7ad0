/*
 * split_put.h: a large file that several clients upload together. Three kinds
 * of steps, each an item for a client (model/item.h): a client opens the
 * upload, any clients send ranges of its parts, and a client completes the
 * upload. Pure: makes the steps and combines their results.
 *
 * Life cycle: joint_new with the result of the first step, joint_next until no
 * parts are left, joint_take for each range, joint_close when all ranges are
 * taken.
 */
#ifndef TEAM_SPLIT_PUT_H
#define TEAM_SPLIT_PUT_H

#include "model/item.h"

#define JOINT_STEPS	(ITEM_OPEN | ITEM_PARTS | ITEM_CLOSE)

struct joint;

/* Should this number of clients upload the file together? part_size comes from
 * the settings. */
bool	 joint_fits(const struct item *, uint64_t part_size, size_t clients);

/* Make the joint of this item from the result of the first step, which opened
 * the upload. The caller keeps the item, and the item must outlive the joint.
 * Return NULL if the result opens no upload. */
struct joint *joint_new(const struct item *, const struct result *opened,
    size_t clients);
void	 joint_free(struct joint **);

/* Fill the caller's item with a step for the next parts that no client has.
 * Return false if no parts are left. */
bool	 joint_next(struct joint *, struct item *);
/* Return the number of bytes of a step. */
uint64_t joint_bytes(const struct joint *, const struct item *step);
/* Take the result of a range. Return false if the result does not fit the
 * step. */
bool	 joint_take(struct joint *, const struct item *step,
    const struct result *) MUST_USE;
/* Turn the item given to joint_new into the last step. */
void	 joint_close(const struct joint *, struct item *);
/* Put the work of all steps into the result of the last step. */
void	 joint_result(const struct joint *, struct result *);

#endif
