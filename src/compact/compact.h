/*
 * compact.h: after PUT and DEL the DSS targets that are configured compact
 * what they hold. Each is told over SSH, all at the same time: for each of
 * its subsystems (NQN) the compaction is started, and asked after until it is
 * idle. What became of each is a row of the catalog.
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

/* Waits until all have ended, the time limit is over or a signal comes (which
 * it leaves where it is). Does nothing without targets, where the settings
 * say so, and after a dry run. The run must not have ended in the catalog. */
void	 compact_run(const struct conf *, const struct job *,
	    struct catalog *, struct compact_end *ret);

#endif
