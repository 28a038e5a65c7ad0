/*
 * progress.h: what a run looks like while it goes on. On a terminal an area
 * of two lines at its end and one more for each client, redrawn at most five
 * times a second; elsewhere one line every 30 seconds, and one that counts the
 * clients. Goes to standard error; log lines move out of its way
 * (log_set_hook).
 *
 * Life cycle: progress_new, progress_update as often as one likes,
 * progress_end. All take NULL (--quiet). There is one at a time; one thread
 * updates it, others may log meanwhile.
 */
#ifndef REPORT_PROGRESS_H
#define REPORT_PROGRESS_H

#include "model/client.h"
#include "model/job.h"

struct progress;

struct progress *progress_new(bool tty);
/* now_ms: of the monotonic clock. */
void	 progress_update(struct progress *, const struct totals *,
	    bool crawl_done, uint64_t now_ms);
/* The clients of the run, to be shown with the next update. Copies. */
void	 progress_clients(struct progress *, const struct client_line *,
	    size_t count);
/* Takes the area away; frees. */
void	 progress_end(struct progress **);

#endif
