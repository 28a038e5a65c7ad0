/*
 * fetch.h: the fetcher of GET and TEST: worker threads that read objects back,
 * hash the bytes on arrival, and, with a destination, write the objects as
 * files. For TEST nothing is written; where an item names a file of an export,
 * the fetcher reads and hashes that file too, after the object.
 *
 * Proof of an object: the catalog's MD5 or part MD5s, if the object has the
 * ETag in the catalog; else the object's ETag, where the ETag is a digest (for
 * a multipart object the fetcher asks the server for the part size, or guesses
 * a part size and finds the guess right). An object without any proof is a
 * failure.
 *
 * With a destination: an existing file that proves to be right is left alone,
 * but for mode, mtime and owner; any other file is replaced once the new file
 * is whole and proved. Large objects come by ranges, several at once; the
 * fetcher continues the ranges left by a killed run.
 *
 * fetch_start; fetch_give items; each item comes back as mail MAIL_FETCHED with
 * its result fields filled, in any order; fetch_free. Items that could not be
 * ended in time after pool_stop do not come back; fetch_free frees these.
 */
#ifndef FETCH_FETCH_H
#define FETCH_FETCH_H

#include "base/err.h"
#include "base/mailbox.h"
#include "dest/dest.h"
#include "model/fetch_item.h"
#include "s3/s3.h"
#include "tree/tree.h"
#include "work/pool.h"

struct fetcher;

struct fetch_config {
	unsigned workers;
	struct s3_config s3;
	struct dest *dest;	/* NULL: read and hash only */
	bool	 as_root;	/* owners come back */
	/* TEST: the caller judges. Hash the object, whatever the bytes should
	 * be: as a whole, or in parts where the part MD5s in the catalog can
	 * tell as much. */
	bool	 only_read;
	const struct tree_spec *exports; /* of the files, by item.export */
	size_t	 export_count;
	unsigned ignore;	/* of attrs_same: does not show that a file
				   has changed */
	uint64_t retry_for_ms;	/* of the files */
	uint64_t memory_bytes;	/* buffers of all workers together */
	uint64_t range_size;	/* 0: 64 MiB */
	uint64_t bwlimit;	/* of the objects, bytes a second; 0: none */
	struct mailbox *up;
};

/* Whatever the config points to must live until fetch_free. */
int	 fetch_start(struct fetcher **, const struct fetch_config *,
	    struct err *) MUST_USE;
/* Takes the item. Never waits. */
void	 fetch_give(struct fetcher *, struct fetch_item *);
/* Take back up to most items, the last of those no worker has begun. The caller
 * owns the items again. */
struct mail *fetch_take_back(struct fetcher *, size_t most);
/* Its threads: for stops, limits, statistics. */
struct pool *fetch_pool(struct fetcher *);
/* Unless pool_stop was called, wait until the given items are done. */
void	 fetch_free(struct fetcher **);

#endif
