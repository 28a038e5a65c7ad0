/*
 * fetch.h: the engine of GET and TEST: worker threads that read objects back,
 * hash them as they come, and, with a destination, write them as files.
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
#ifndef XFER_FETCH_H
#define XFER_FETCH_H

#include "base/err.h"
#include "base/mailbox.h"
#include "model/item.h"
#include "model/outcome.h"
#include "s3/s3.h"
#include "tree/dest.h"

struct fetch;

enum { MAIL_FETCHED = 220 };	/* struct fetch_item */

enum fetch_proof {
	PROOF_NONE = 0,		/* nothing was proved */
	PROOF_CATALOG,		/* by what the catalog knows */
	PROOF_ETAG		/* by the object's own ETag alone */
};

struct fetch_item {
	struct mail mail;
	/* what to fetch */
	char	*key;		/* key text; owned */
	char	*path;		/* below the destination; owned. NULL: only
				   read it, also where there is one */
	uint64_t size;		/* as listed; then as found */
	char	 etag[72];	/* likewise */
	bool	 has_stored;	/* the catalog knows the key */
	struct stored stored;	/* owned */
	bool	 only_check;	/* say what would be done: MOVED means that it
				   would be fetched, nothing is */
	void	*user;		/* the caller's */
	/*
	 * What became of it. MOVED: read, proved and, with a destination,
	 * written. UNCHANGED: the file was there and right. GONE: no such
	 * object any more. FAILED: err; ERR_CORRUPT if the bytes are not what
	 * they must be.
	 */
	enum outcome outcome;
	struct err err;
	enum fetch_proof proof;
	bool	 hashed;	/* md5 is that of the whole object */
	uint8_t	 md5[16];
	char	 etag_computed[72]; /* from the bytes, in the form of etag; "":
				   not known */
	uint64_t bytes;		/* read from S3 in this run */
	unsigned attempts;
};
void	 fetch_item_free(struct fetch_item **);

struct fetch_config {
	unsigned workers;
	struct s3_config s3;
	struct dest *dest;	/* NULL: read and hash only */
	bool	 as_root;	/* owners come back */
	bool	 whole_md5;	/* also where parts are the proof: hashed is
				   set for all that was read; slower */
	uint64_t memory_bytes;	/* buffers of all workers together */
	uint64_t range_size;	/* 0: 64 MiB */
	uint64_t bwlimit;	/* bytes a second; 0: none */
	struct mailbox *up;
};

/* What the config points to must live until fetch_free. */
int	 fetch_start(struct fetch **, const struct fetch_config *,
	    struct err *) MUST_USE;
/* Takes the item. Never waits. */
void	 fetch_give(struct fetch *, struct fetch_item *);
/* Items given and not yet begun: give more when it is low. */
size_t	 fetch_backlog(struct fetch *);
/* Begin nothing new; end what can be ended within limit_ms. */
void	 fetch_stop(struct fetch *, uint64_t limit_ms);
/* All threads have ended (after fetch_stop). */
bool	 fetch_idle(struct fetch *);
/* Bytes received so far and requests sent. */
void	 fetch_stats(struct fetch *, struct s3_stats *);
/* Waits for what was given, unless stopped. */
void	 fetch_free(struct fetch **);

#endif
