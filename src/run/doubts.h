/*
 * doubts.h: a killed run or a lost answer leaves the state of some objects
 * unknown: of files that are gone, and of objects that were to be deleted. The
 * run asks S3 by HEAD for each such object (catalog/doubt.h), makes up for a
 * deletion that was not carried out, does not repeat a deletion that was, and
 * finds an object that the catalog did not know.
 */
#ifndef RUN_DOUBTS_H
#define RUN_DOUBTS_H

#include "frame/frame.h"

/* Asks for all of them; those that S3 gives no answer for are failures of the
 * run, and stay to be asked. Returns early when the run is stopped. -1: the
 * catalog failed, or no request can be made. Main thread, beside no crew. */
int	 doubts_settle(struct run *, struct err *) MUST_USE;

#endif
