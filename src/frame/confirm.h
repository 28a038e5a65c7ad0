/*
 * confirm.h: the question before something is changed that nobody else would
 * notice. Main thread.
 */
#ifndef FRAME_CONFIRM_H
#define FRAME_CONFIRM_H

#include "base/err.h"
#include "model/job.h"

/* Somebody can be asked, or nobody need be (--yes, a dry run); else ERR_USAGE
 * says that nothing is done. what: "nothing is deleted". */
int	 confirm_possible(const struct job *, const char *what, struct err *)
	    MUST_USE;
bool	 confirm_needed(const struct job *);
/* The question stands on standard error: read a line; true if the line is
 * "yes". A signal ends the waiting and stays unread. */
bool	 confirm_yes(int signals);

#endif
