/*
 * frame.h: the frame of the verbs PUT, GET, TEST and DEL: open, loop, stop,
 * close, summary, exit status. A verb's file holds where the objects of the
 * verb come from and what an answer means.
 *
 * A verb has a struct that begins with a struct run, with conf, job and ops
 * filled in and zeros behind, and calls run_verb. Everything here is called in
 * the main thread.
 *
 * SIGINT and SIGTERM stop a run: no new work is begun, and the work under way
 * may end within 5 s. A second signal, or an error, stops the
 * work under way at once.
 */
#ifndef FRAME_FRAME_H
#define FRAME_FRAME_H

#include "catalog/catalog.h"
#include "catalog/outcome.h"
#include "reader/stored.h"
#include "compact/compact.h"
#include "crew/crew.h"
#include "crew/setup.h"
#include "frame/monitor.h"
#include "report/summary.h"
#include "source/source.h"
#include "target/plan.h"

#define RUN_TICK_MS	200	/* how often a loop looks around, at least */

struct run;

struct run_ops {
	/* Check what the run needs, begin the run, start crew and source. After
	 * an error nothing was moved. */
	int	 (*prepare)(struct run *, struct err *);
	/* Do the work of the run, by run_loop and run_turn. */
	void	 (*go)(struct run *);
	/* Take a mail of the verb; false: the verb does not know the mail. */
	bool	 (*mail)(struct run *, struct mail *);
	/* Count the progress; true: nothing more will be found. */
	bool	 (*progress)(struct run *, struct totals *);
	/* A signal or an error stops the run: stop the verb's own threads. Or
	 * NULL. */
	void	 (*stop)(struct run *);
	/* The run has ended: add the verb's own counts and status to the
	 * closing of the run. Or NULL. */
	void	 (*closing)(struct run *);
};

struct run {
	const struct conf *conf;
	const struct job *job;
	const struct run_ops *ops;
	struct run_plan plan;		/* PUT, TEST; the verb releases it */
	struct mailbox *in;		/* of catalog, crew, source and crawl */
	int	 signals;		/* signalfd */
	struct monitor *monitor;	/* or NULL */
	struct catalog *catalog;	/* NULL: a dry run, or not yet begun */
	struct catalog_reader *reader;	/* or NULL */
	int64_t	 attempt;	/* its row; 0: it has none */
	bool	 tried;		/* to get the catalog */
	struct run_info info;
	struct crew *crew;		/* or NULL */
	uint64_t out;			/* items that crew or deleter has */
	struct s3 *s3;			/* of the main thread; or NULL */
	struct source *source;		/* GET, DEL: the listing */
	struct source_page *pages;	/* linked by mail.next; not yet used */
	bool	 listed;		/* the last page was used */
	struct outcomes *batch;		/* not yet given to the catalog */
	struct outcomes *deleting;	/* linked by mail.next: batches that the
					   crew deletes */
	int	 stop_signal;		/* SIGINT or SIGTERM came; or 0 */
	bool	 lost;			/* an export is out of reach for good:
					   the rest stays for the next run */
	bool	 failed;		/* err ends the run */
	struct err err;
	struct compact_end compacted;
	struct run_closing closing;
	int	 status;		/* the verb's; EXIT_DONE: the closing
					   tells the status */
	char	 reason[RUN_REASON_MAX]; /* of the verb's status; or "" */
	bool	 judged;		/* ops->closing was called */
	struct {			/* refused.c: results in a row */
		unsigned refused;	/* by the store, as a whole */
		unsigned denied;	/* by the store, of a key */
		bool	 asked;		/* a write decides about denied ones */
	} row;
	struct summary summary;		/* of the end */
	struct crew_stats stats;	/* of the crews that have ended */
};

/* Run the verb from its checks to the last line of output; return the exit
 * status. */
int	 run_verb(struct run *);

/* --- to prepare --- */

/* Open the catalog and write the row of the attempt, before anything out of
 * reach can end the attempt. Nothing happens in a dry run, or if the attempt
 * has its row. */
int	 run_attempt(struct run *, struct err *) MUST_USE;
/* Begin the run as spec says, where the frame fills in what every verb has.
 * The master of an earlier
 * run may have died while requests of its clients could arrive after the
 * requests of this run: wait until no such request can arrive (crew/fence.h).
 * STOPPED: a signal came. */
int	 run_begin(struct run *, struct run_spec *, struct err *) MUST_USE;
/* Start the crew of a run: clients on other hosts if crew_wants_team returns
 * true for the job, else threads of this process. The crew takes the setup. */
int	 run_crew(struct run *, const struct job *, struct setup *,
	    struct err *) MUST_USE;
/* Make the S3 client of the main thread, run->s3, unless it is there. */
int	 run_s3(struct run *, struct err *) MUST_USE;
/* Start a listing of the bucket; run_page gives its pages. */
int	 run_list_bucket(struct run *, bool ordered, struct err *) MUST_USE;

/* --- to go --- */

/* A signal or an error has stopped the run. */
bool	 run_stopped(const struct run *);
/* End the run with this error; only the first error counts. */
void	 run_fail(struct run *, const struct err *);
/* Say why the verb's status is not EXIT_DONE; only the first reason counts. */
void	 run_reason(struct run *, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Wait for mail, a signal, or an answer to the requests of run->s3, for
 * timeout_ms at most; handle what came, and show the progress. */
void	 run_turn(struct run *, int timeout_ms);
/* Take turns until the requests of run->s3 have their answers. False: the run
 * was stopped first; a request without an answer was called back with
 * STOPPED, and run->s3 is NULL. */
bool	 run_s3_wait(struct run *);
/* Call step, then take a turn, until step returns true (nothing is left to be
 * given) with no item out, or the run stops. Then free source and crew: every
 * answer was handled. */
void	 run_loop(struct run *, bool (*step)(void *arg), void *arg);
/* How many items more keep every worker of the crew busy. */
size_t	 run_room(const struct run *);
/* The page at hand, NULL if none is here; run_page_used frees the page. A
 * listing that broke off fails the run. */
struct source_page *run_page(struct run *);
void	 run_page_used(struct run *);
/* The result of a request that changes or reads an object: NONE, or why it
 * failed. The run ends when the store has refused 20 in a row as it refuses
 * everything (REFUSED). A PUT that is denied 20 in a row writes one object, as
 * check does: if that is denied too, the run ends. */
void	 run_saw(struct run *, const struct err *);
/* Record an outcome. Takes what the row owns. */
void	 run_outcome(struct run *, const struct outcome_row *);

#endif
