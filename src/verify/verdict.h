/*
 * verdict.h: the verdict of TEST on one object, from what was listed or read
 * back. Pure.
 *
 * Corrupt is said only of what was proved to differ: another size, another
 * hash, another ETag of the same form. A file that changed since it was put is
 * no fault of the object, which is judged by what was put.
 */
#ifndef VERIFY_VERDICT_H
#define VERIFY_VERDICT_H

#include "model/fetch_item.h"

struct judged {
	enum verdict verdict;	/* NONE: not ours, nothing was verified */
	enum ended ended;
	bool	 lost;		/* a later PUT is to upload it again */
	struct err err;
};

/* By size and ETag, as listed. */
void	 proof_listed(const struct stored *, uint64_t size, const char *etag,
	    struct judged *);
/* It is not listed. */
void	 proof_missing(const struct stored *, struct judged *);
/* It differs, or is not there, and what was sent last has no answer. */
void	 proof_doubt(struct judged *);
/* By the bytes of the object, and of the file if it was read. */
void	 proof_read(const struct fetch_item *, bool ignore_inode,
	    struct judged *);

#endif
