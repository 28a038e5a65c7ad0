/*
 * deleter.h: deletes objects of the bucket, up to 1,000 objects a request and
 * several requests at once. The catalog must never count an object as stored
 * that may be gone: each batch is noted in the catalog first, then deleted,
 * then the outcomes are recorded.
 *
 * Life cycle: deleter_new, deleter_give while deleter_room allows, deleter_wait
 * until no batch is left, deleter_free (before catalog_close). Thread: one.
 */
#ifndef RUN_DELETER_H
#define RUN_DELETER_H

#include <poll.h>

#include "catalog/outcome.h"
#include "conf/conf.h"
#include "crew/crew.h"
#include "model/job.h"

#define DELETER_KEYS	1000	/* that a batch may have */

struct deleter;

/* Clients delete, or this process: see run_crew. */
int	 deleter_new(struct deleter **, const struct conf *,
	    const struct job *, struct catalog *, struct err *) MUST_USE;
/* A batch without an answer counts as deleted for the catalog: the deleter
 * asks nobody, and a later PUT uploads the objects again. */
void	 deleter_free(struct deleter **);

/* Takes a batch: rows with path (or key) and size, object where it is known.
 * Never blocks long: see deleter_room. */
void	 deleter_give(struct deleter *, struct outcomes *);
bool	 deleter_room(const struct deleter *);
/* Who deletes; for those who look on. */
struct crew *deleter_crew(struct deleter *);
/* Batches that are not recorded yet. */
size_t	 deleter_batches(const struct deleter *);
/* The catalog has failed, or nobody is left to delete: nothing more is
 * deleted. Why nobody is left is in err, which the catalog leaves alone. */
bool	 deleter_failed(const struct deleter *, struct err *);
/* One turn: wait for an answer, an event of a descriptor (up to 4
 * descriptors, revents are filled) or timeout_ms. */
void	 deleter_wait(struct deleter *, struct pollfd *, unsigned count,
	    int timeout_ms);

/* In a dry run: print the object that would be deleted to standard output. */
void	 deleter_print(const struct job *, struct str key, uint64_t size);

#endif
