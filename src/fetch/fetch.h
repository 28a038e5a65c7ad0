/*
 * fetch.h: the engine of GET and TEST: worker threads that read objects back,
 * hash them as they come, and, with a destination, write them as files.
 * Nothing is written for TEST; where an item names a file of an export, that
 * is read and hashed too, after the object.
 *
 * What proves an object: the catalog's MD5 or part MD5s, if the object has
 * the ETag that the catalog knows; else its ETag, where that is a digest (for
 * a multipart object the part size is asked of the server, or guessed and
 * found to be right). An object that nothing can prove is a failure.
 *
 * With a destination: a file that is there already and proves to be right is
 * left alone, but for mode, mtime and owner; another is replaced once the new
 * one is whole and proved. Large objects come by ranges, several at once;
 * what a killed run left is gone on with.
 *
 * fetch_start; fetch_give items; each comes back as mail MAIL_FETCHED with
 * its result fields filled, in any order; fetch_free. After fetch_stop what
 * could not be ended in time does not come back and is freed by fetch_free.
 */
#ifndef FETCH_FETCH_H
#define FETCH_FETCH_H

#include "base/err.h"
#include "base/mailbox.h"
#include "dest/dest.h"
#include "model/fetch_item.h"
#include "s3/s3.h"
#include "tree/tree.h"

struct fetch;

struct fetch_config {
	unsigned workers;
	struct s3_config s3;
	struct dest *dest;	/* NULL: read and hash only */
	bool	 as_root;	/* owners come back */
	/* TEST: the caller judges. What is there is hashed, whatever it
	 * should be: as a whole, or in parts where those that the catalog
	 * knows can tell as much. */
	bool	 only_read;
	const struct tree_spec *exports; /* of the files, by item.export */
	size_t	 export_count;
	bool	 ignore_inode;
	uint64_t retry_for_ms;	/* of the files */
	uint64_t memory_bytes;	/* buffers of all workers together */
	uint64_t range_size;	/* 0: 64 MiB */
	uint64_t bwlimit;	/* of the objects, bytes a second; 0: none */
	struct mailbox *up;
};

/* What the config points to must live until fetch_free. */
int	 fetch_start(struct fetch **, const struct fetch_config *,
	    struct err *) MUST_USE;
/* Takes the item. Never waits. */
void	 fetch_give(struct fetch *, struct fetch_item *);
/* Items given and not yet begun: give more when it is low. */
size_t	 fetch_backlog(struct fetch *);
/* Up to so many items that no worker has begun, the last ones; the caller's
 * again. */
struct mail *fetch_take_back(struct fetch *, size_t most);
/* See engine_limits. */
void	 fetch_limits(struct fetch *, uint64_t bwlimit, uint64_t tpslimit);
/* Begin nothing new; end what can be ended within limit_ms. */
void	 fetch_stop(struct fetch *, uint64_t limit_ms);
/* All threads have ended (after fetch_stop). */
bool	 fetch_idle(struct fetch *);
/* Bytes received so far and requests sent; bytes read of files, those of the
 * exports and those that are there. */
void	 fetch_stats(struct fetch *, struct s3_stats *,
	    uint64_t *ret_bytes_read);
/* Waits for what was given, unless stopped. */
void	 fetch_free(struct fetch **);

#endif
