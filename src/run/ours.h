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
 * Main thread.
 */
#ifndef RUN_OURS_H
#define RUN_OURS_H

#include "frame/frame.h"
#include "verify/held.h"

struct ours_question {
	const char *key;
	const struct stored *stored;	/* what was put */
	/* The answer: */
	enum held_state held;
	char	 etag[72];		/* OURS: of the object; else, of the
					   object that was put; or "" */
	struct err err;			/* UNKNOWN: why */
};

/* Answers all, by run->s3; keys come in the order of their bytes. -1 (STOPPED):
 * the run was stopped. */
int	 ours_ask(struct run *, struct ours_question *, size_t n, struct err *)
	    MUST_USE;

#endif
