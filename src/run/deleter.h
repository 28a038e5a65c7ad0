/*
 * deleter.h: deletes objects of the bucket, up to 1,000 a request and several
 * requests at once, so that the catalog never believes in an object that may
 * be gone: each batch is noted there first, then deleted, then its outcomes
 * are recorded.
 *
 * Life cycle: deleter_new, deleter_give while there is room, deleter_wait
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
/* What has no answer yet counts as deleted for the catalog: it asks nobody,
 * and a later PUT uploads again. */
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
/* One turn: waits for an answer, one of the descriptors (up to 4, revents are
 * filled) or timeout_ms. */
void	 deleter_wait(struct deleter *, struct pollfd *, unsigned count,
	    int timeout_ms);

/* Of a dry run, on standard output: what would be deleted. */
void	 deleter_print(const struct job *, struct str key, uint64_t size);

#endif
