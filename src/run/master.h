/*
 * master.h: the master of one run: the master joins crawl, catalog and crew by
 * messages. Main thread only.
 */
#ifndef RUN_MASTER_H
#define RUN_MASTER_H

#include "catalog/catalog.h"
#include "crawl/crawl.h"
#include "crew/crew.h"
#include "run/monitor.h"
#include "target/plan.h"

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
	bool	 lost;		/* an export is out of reach for good: the
				   rest of its files stays for the next run */
	bool	 failed;	/* err ends the run */
	struct err err;
};

/* Read a signal into stop_signal; false if none waits. */
bool	 master_take_signal(struct master *);
/* Go until everything is moved, or until the run must stop. On return the
 * threads of crawl and crew have ended, and the catalog has all of their
 * messages. */
void	 master_loop(struct master *);

#endif
