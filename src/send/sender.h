/*
 * sender.h: the sender of PUT: worker threads that move the items of given
 * leases. Standalone the sender lives in the master's process, else in a
 * client's; in both cases the master and the sender share only messages.
 *
 * sender_start; sender_give leases (their items wait in a queue common to the
 * workers); results come to the mailbox up as MAIL_RESULTS (struct results),
 * and news of multipart uploads for the catalog as MAIL_UPLOAD (struct
 * upload_note); sender_noted answers an intent. pool_stop lets begun items
 * end within a limit; items that have not ended then have no result and stay
 * open in the catalog. sender_free.
 */
#ifndef SEND_SENDER_H
#define SEND_SENDER_H

#include "base/err.h"
#include "base/mailbox.h"
#include "model/item.h"
#include "model/upload_note.h"
#include "s3/s3.h"
#include "tree/tree.h"
#include "work/pool.h"

struct sender;

struct sender_config {
	unsigned workers;
	const struct tree_spec *exports; /* index: item.export */
	size_t	 export_count;
	struct s3_config s3;
	uint64_t part_size;
	uint64_t memory_bytes;	/* buffers of every worker together */
	uint64_t bwlimit;	/* bytes a second, 0: none */
	uint64_t retry_for_ms;
	bool	 dryrun;	/* read, and send nothing */
	bool	 adopt;		/* do not send files whose bytes the bucket
				   holds already */
	unsigned known;		/* of the store; see model/proved.h */
	bool	 server_as_prefix; /* key = path, or path without server */
	bool	 ignore_inode;
	bool	 exact;		/* send a file only in the version that its item
				   describes; else report OUTCOME_CHANGED */
	unsigned exact_but;	/* ... which does not show in these, as for
				   attrs_same */
	struct mailbox *up;
};

/* Whatever the config points to must live until sender_free. */
int	 sender_start(struct sender **, const struct sender_config *,
	    struct err *) MUST_USE;
/* Takes the lease. */
void	 sender_give(struct sender *, struct lease *);
/* The intent of this object's upload is on disk. */
void	 sender_noted(struct sender *, unsigned worker, int64_t object);
/* Its threads: for stops, limits, statistics. */
struct pool *sender_pool(struct sender *);
/* Wait for the threads: each ends when no work is left, or after
 * pool_stop. */
void	 sender_free(struct sender **);

#endif
