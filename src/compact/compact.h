/*
 * compact.h: after PUT and DEL the configured DSS targets compact their stored
 * data. The run tells every target over SSH, all targets at the same time:
 * start the compaction of each subsystem (NQN) of the target, then ask for the
 * status until the subsystem is idle. The end of each compaction is a row of
 * the catalog.
 */
#ifndef COMPACT_COMPACT_H
#define COMPACT_COMPACT_H

#include "catalog/catalog.h"
#include "conf/conf.h"
#include "model/job.h"

struct compact_end {
	size_t	 done;		/* subsystems */
	size_t	 failed;	/* and targets of which none is known */
};

/* Wait until all compactions have ended, the time limit is over or a signal
 * comes (the signal stays unread in the descriptor). Do nothing without
 * targets, if the settings say so, and after a dry run. Callers must not have
 * ended the run in the catalog yet. */
void	 compact_run(const struct conf *, const struct job *,
	    struct catalog *, struct compact_end *ret);

#endif
