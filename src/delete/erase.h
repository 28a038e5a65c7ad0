/*
 * erase.h: the engine of DEL and of PUT --delete: a thread that deletes batches
 * of objects, several requests at once.
 *
 * erase_start; erase_give batches; each batch comes back as mail MAIL_ERASED
 * (struct erase_batch) exactly once, in any order; erase_free returns when
 * every batch has come back. Rows of a batch stopped before its answer came say
 * STOPPED.
 */
#ifndef DELETE_ERASE_H
#define DELETE_ERASE_H

#include "model/erase.h"
#include "s3/s3.h"

struct erase;

struct erase_config {
	struct s3_config s3;
	struct mailbox *up;
};

int	 erase_start(struct erase **, const struct erase_config *,
	    struct err *) MUST_USE;
/* Takes the batch. Never waits. */
void	 erase_give(struct erase *, struct erase_batch *);
/* See engine_limits. */
void	 erase_limits(struct erase *, uint64_t tpslimit);
/* Begin no new batch; end the begun batches within limit_ms if possible. */
void	 erase_stop(struct erase *, uint64_t limit_ms);
/* The thread has ended (after erase_stop). */
bool	 erase_idle(struct erase *);
void	 erase_stats(struct erase *, struct s3_stats *);
/* Unless erase_stop was called, wait until the given batches are done. */
void	 erase_free(struct erase **);

#endif
