/*
 * verdict.h: the verdict of TEST on an object, from the listing or from the
 * bytes read back. Pure.
 *
 * Corrupt is said only of an object proved to differ: by size, by hash, or by
 * an ETag of the same form. A file that changed since its PUT is no fault of
 * the object: judge the object by the bytes that were put.
 */
#ifndef VERIFY_VERDICT_H
#define VERIFY_VERDICT_H

#include "model/fetch_item.h"

struct judged {
	enum verdict verdict;	/* NONE: nothing was verified, as for objects of
				   no export */
	enum outcome outcome;
	bool	 lost;		/* a later PUT must upload the file again */
	struct err err;
};

/* By size and ETag, as listed. */
void	 verdict_listed(const struct stored *, uint64_t size, const char *etag,
	    struct judged *);
/* Judge an object missing from the listing. */
void	 verdict_missing(const struct stored *, struct judged *);
/* The object differs, or is missing, and the newest request for the object
 * never had an answer. */
void	 verdict_doubt(struct judged *);
/* Does the answer "got" to the item say that the file is gone, or another than
 * the file of the object? ignore: of attrs_same. */
bool	 verdict_file_differs(const struct fetch_item *,
	    const struct fetch_item *got, unsigned ignore);
/* Judge by the bytes of the object, and by the bytes of the file if the file
 * was read. */
void	 verdict_read(const struct fetch_item *, unsigned ignore,
	    struct judged *);

#endif
