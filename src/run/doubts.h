/*
 * doubts.h: what a killed run, or a lost answer, left unknown of files that
 * are gone and of objects that were to be deleted is asked for by HEAD
 * (catalog/doubt.h). So a deletion that was not carried out is made up for,
 * one that was is not repeated, and an object that nobody knew of is found.
 */
#ifndef RUN_DOUBTS_H
#define RUN_DOUBTS_H

#include "catalog/catalog.h"
#include "conf/conf.h"

/* Asks for all of them; those that S3 gives no answer for are failures of the
 * run, and stay to be asked. Returns early when a signal waits. -1: the
 * catalog failed, or no request can be made. Main thread, beside no crew. */
int	 doubts_settle(const struct conf *, struct catalog *, struct err *)
	    MUST_USE;

#endif
