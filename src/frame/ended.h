/*
 * ended.h: what follows the end of a run: the file of figures for a collector
 * (metrics_file), and the program that gets the summary (after_run). Neither
 * changes the exit status: a failure is a warning.
 */
#ifndef FRAME_ENDED_H
#define FRAME_ENDED_H

#include "conf/conf.h"
#include "crew/crew.h"
#include "report/summary.h"

struct ended {
	const struct summary *summary;
	const char *error;		/* what ended the run; or NULL */
	int64_t	 started_sec;
	struct crew_stats stats;
};

/* Write the file, then run the program and wait for its end, for
 * after_run_timeout at most. The catalog must be closed: the program may use
 * it. Main thread. */
void	 run_ended(const struct conf *, const struct ended *);

#endif
