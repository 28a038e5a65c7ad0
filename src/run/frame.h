/*
 * frame.h: what the verbs have in common at the beginning of a run.
 */
#ifndef RUN_FRAME_H
#define RUN_FRAME_H

#include "catalog/catalog.h"
#include "crew/setup.h"

/* Start the crew of a run: clients on other hosts if crew_wants_team returns
 * true, else threads of this process. The crew takes the setup. */
int	 run_crew(struct crew **, const struct conf *, const struct job *,
	    struct setup *, struct mailbox *up, struct err *) MUST_USE;
/* A run ends before any work was begun: write the reason into the row of the
 * run, if the run has a row. The catalog may be NULL. */
void	 run_not_begun(struct catalog *, const struct run_info *,
	    const struct err *);
/* The master of an earlier run has died, and requests of its clients could
 * arrive after the requests of this run: wait until no such request can arrive
 * (crew/fence.h). STOPPED: a signal came. */
int	 run_wait_late(struct catalog *, const struct run_info *,
	    struct err *) MUST_USE;

#endif
