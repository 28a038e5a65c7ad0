/*
 * doubts.h: a killed run or a lost answer leaves the state of some objects
 * unknown: of files that are gone, and of objects that were to be deleted or to
 * be brought back. The run asks S3 by HEAD for each such object
 * (catalog/doubt.h), makes up for a deletion that was not carried out, does not
 * repeat a deletion that was, and finds an object that the catalog did not
 * know. What an earlier run has done stands in the journal as that run's.
 */
#ifndef RUN_DOUBTS_H
#define RUN_DOUBTS_H

#include "frame/frame.h"

/* Asks for all of them; those that S3 gives no answer for are failures of the
 * run, and stay to be asked. Returns early when the run is stopped. -1: the
 * catalog failed, or no request can be made. Main thread, beside no crew. */
int	 doubts_settle(struct run *, struct err *) MUST_USE;
/* The same, and then also for files that exist, for which a PUT would ask: what
 * S3 gives no answer for is no failure then. Before a DEL, which must know of
 * the objects that it deletes. */
int	 doubts_settle_all(struct run *, struct err *) MUST_USE;
/* Before a PUT moves anything: asks for what an earlier run was about to delete
 * or to bring back. What S3 gives no answer for is no failure: the PUT asks
 * again when it comes to the file. */
int	 doubts_settle_noted(struct run *, struct err *) MUST_USE;

#endif
