/*
 * delete.h: the deleter of DEL and of PUT --delete: a thread that deletes
 * batches of objects, several requests at once.
 *
 * delete_start; delete_give batches; each batch comes back as mail MAIL_DELETED
 * (struct delete_batch) exactly once, in any order; delete_free returns when
 * every batch has come back. Rows of a batch stopped before its answer came say
 * STOPPED.
 */
#ifndef DELETE_DELETE_H
#define DELETE_DELETE_H

#include "model/delete.h"
#include "work/pool.h"

struct deleter;

struct delete_config {
	struct s3_config s3;
	struct mailbox *up;
};

int	 delete_start(struct deleter **, const struct delete_config *,
	    struct err *) MUST_USE;
/* Takes the batch. Never waits. */
void	 delete_give(struct deleter *, struct delete_batch *);
/* Its thread: for stops, limits, statistics. */
struct pool *delete_pool(struct deleter *);
/* Unless pool_stop was called, wait until the given batches are done. */
void	 delete_free(struct deleter **);

#endif
