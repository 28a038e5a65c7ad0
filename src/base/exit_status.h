/*
 * exit_status.h: the exit statuses of datamover(1), as promised by the manual.
 */
#ifndef BASE_EXIT_STATUS_H
#define BASE_EXIT_STATUS_H

#include "base/err.h"

enum exit_status {
	EXIT_DONE = 0,		/* all done */
	EXIT_FAILED = 1,	/* finished, with failed objects */
	EXIT_CONFIG = 2,	/* usage or configuration */
	EXIT_UNREACHABLE = 3,	/* out of reach, or refuses us */
	EXIT_CORRUPT = 4,	/* integrity: something differs */
	EXIT_GUARD = 5,		/* a guard stopped a deletion */
	EXIT_INTERRUPTED = 130,	/* SIGINT, resumable */
	EXIT_TERMINATED = 143	/* SIGTERM, resumable */
};

/* Return the exit status of a run ended by this error. */
int	 exit_status_of(const struct err *);
/* Return the exit status of a run ended by this signal. */
int	 exit_status_signal(int number);

#endif
