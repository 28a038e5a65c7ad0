/*
 * ours.h: does the bucket hold under a key the object that this catalog has
 * put? PUT --delete asks before deleting the objects of files that are gone:
 * another program may have put a different object under such a key since.
 *
 * Which object is ours, verify/held.h says. Where many keys of one directory
 * are asked for, S3 lists the keys, a thousand a request; single keys, and keys
 * that the listing doesn't show to be ours, are asked for by HEAD. Between the
 * answer and the deletion the object may still be overwritten: few stores
 * delete on a condition.
 *
 * Life cycle: ours_new, ours_ask for each batch, ours_free. Thread: one.
 */
#ifndef RUN_OURS_H
#define RUN_OURS_H

#include "conf/conf.h"
#include "model/outcome.h"
#include "verify/held.h"

struct ours;

struct ours_question {
	const char *key;
	const struct stored *stored;	/* what was put */
	/* The answer: */
	enum held_state held;
	struct err err;			/* UNKNOWN: why */
};

int	 ours_new(struct ours **, const struct conf *, struct err *) MUST_USE;
void	 ours_free(struct ours **);
/* Answers all; keys come in the order of their bytes. turn is called several
 * times a second. -1 (ERR_STOPPED): turn said so, and only ours_free may
 * follow. */
int	 ours_ask(struct ours *, struct ours_question *, size_t n,
	    bool (*turn)(void *arg), void *arg, struct err *) MUST_USE;

#endif
