/*
 * deleter.h: deletes objects of the bucket, up to 1,000 objects a request and
 * several requests at once. The catalog must never count an object as stored
 * that may be gone: each batch is noted in the catalog first, then deleted,
 * then the outcomes are recorded.
 *
 * Life cycle: deleter_start, then run_loop with a step that calls deleter_give
 * while deleter_room allows, and with deleter_mail as a part of the verb's
 * mail. A batch of a stopped run without an answer counts as deleted for the
 * catalog until a later run has asked S3 (run/doubts.h).
 */
#ifndef RUN_DELETER_H
#define RUN_DELETER_H

#include "frame/frame.h"

#define DELETER_KEYS	1000	/* that a batch may have */

/* Start the crew of the run: clients delete, or this process, as the job
 * says. */
int	 deleter_start(struct run *, const struct job *, struct err *)
	    MUST_USE;
/* Takes a batch: rows with path (or key), size and etag, object where it is
 * known. Never blocks long: see deleter_room. */
void	 deleter_give(struct run *, struct outcomes *);
bool	 deleter_room(const struct run *);
/* Take the answers of catalog and crew; false: the mail is another. */
bool	 deleter_mail(struct run *, struct mail *);

/* In a dry run: print the object that would be deleted, or brought back, to
 * standard output. type: of the object with --json. */
void	 deleter_print(const struct job *, const char *type, struct str key,
	    uint64_t size);

#endif
