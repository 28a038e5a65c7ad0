/*
 * master.h: the master of one run: it joins crawl, catalog and the crew by
 * messages. Main thread only.
 */
#ifndef RUN_MASTER_H
#define RUN_MASTER_H

#include "catalog/catalog.h"
#include "crawl/crawl.h"
#include "run/crew.h"
#include "run/monitor.h"
#include "run/plan.h"

struct master {
	const struct conf *conf;
	const struct job *job;
	struct run_plan *plan;
	struct run_info run;
	struct catalog *catalog;
	struct crawl *crawl;
	struct crew *crew;
	uint64_t open;		/* items that the crew has, without result */
	struct mailbox *in;	/* from all of them */
	struct monitor *monitor;
	int	 signals;	/* signalfd */
	int	 list_fd;	/* --files-from, until the crawl has it */
	unsigned crawlers_left;
	bool	 asked;		/* for a lease; the answer is to come */
	bool	 no_more;	/* the catalog has no more leases */
	int	 stop_signal;	/* SIGINT or SIGTERM came; or 0 */
	bool	 lost;		/* an export is out of reach for good: what is
				   left of it stays for the next run */
	bool	 failed;	/* err ends the run */
	struct err err;
};

/* Block the signals that stop a run; they arrive at the descriptor. Before
 * any thread starts, and once for the process. */
int	 master_signals(struct err *) MUST_USE;
/* One has arrived and waits to be read. For those who wait for a server while
 * no master_loop runs; they end with ERR_STOPPED. */
bool	 master_interrupted(void);
/* Read it into stop_signal; false if there is none. */
bool	 master_take_signal(struct master *);
/* The next signal that waits at the descriptor, or 0. */
int	 master_signal(int fd);

/* A run ends before anything was begun: its row, if it has one, says why. The
 * catalog may be NULL. */
void	 master_not_begun(struct catalog *, const struct run_info *,
	    const struct err *);

/* The master of an earlier run has died, and what its clients are sending could
 * arrive after what this run sends: wait until it can't (run/fence.h). STOPPED:
 * a signal came. */
int	 master_wait_late(struct catalog *, const struct run_info *,
	    struct err *) MUST_USE;

/* Go until everything is moved, or until it must stop. On return the threads
 * of crawl and crew have ended and all they said is with the catalog. */
void	 master_loop(struct master *);

#endif
