/*
 * progress.h: shows a run while the run goes on. On a terminal: an area at the
 * bottom with two lines for the run and a line for each client, redrawn at most
 * five times a second; elsewhere a line every 30 seconds, and a line that
 * counts the clients. Writes to standard error; log lines move out of the way
 * of the area (log_set_hook).
 *
 * Life cycle: progress_new, progress_update any number of times, progress_end.
 * All take NULL (--quiet). A process has at most a single progress, updated by
 * a single thread; any thread may log meanwhile.
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
