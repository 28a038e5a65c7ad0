/*
 * summary.h: the last words of a run: lines for people on standard error, and
 * with --json an object as the last line of standard output. Pure formatting;
 * one thread.
 */
#ifndef REPORT_SUMMARY_H
#define REPORT_SUMMARY_H

#include "base/buf.h"
#include "base/err.h"
#include "catalog/catalog.h"
#include "model/job.h"

struct summary {
	enum op	 op;
	bool	 dryrun;
	bool	 interrupted;	/* the run can be resumed */
	bool	 broken;	/* an error ended the run; interrupted may be
				   true too */
	int64_t	 run;		/* its number in the catalog; 0: none */
	int64_t	 crawl;		/* the run that began the crawl, whose
				   failures count here too; 0: this run */
	int64_t	 since_ns;	/* start of the crawl's first run, if this
				   run continues the crawl */
	uint64_t dirs_kept;	/* and takes over so many directories */
	double	 seconds;
	struct totals totals;
	bool	 closes;	/* found is the sum of its parts */
	int	 status;	/* exit status */
	const char *reason;	/* why that is not EXIT_DONE; or NULL */
	const struct run_failure *failures;	/* the first ones */
	size_t	 failure_count;
};
void	 summary_print(FILE *, const struct summary *);

/* Take the catalog's closing of a run; the closing must live as long as the
 * summary. The totals of a run that was cut need not close. */
void	 summary_take(struct summary *, const struct run_closing *, bool cut);
/* Write the last words: in the log if the run is broken, and with --json.
 * error: the error that ended the run, or NULL. */
void	 summary_end(const struct job *, const struct summary *,
	    const char *error);

/* The last line of --json. error: what ended the run, or NULL. */
void	 summary_json(FILE *, const struct summary *, const char *error);
/* Append that line. */
void	 summary_add_json(struct buf *, const struct summary *,
	    const char *error);

/* The end of a run, with its totals, as a line of the log. */
void	 summary_log(const struct summary *);

/* Report a run that ended before any work was begun: write the reason to
 * standard error (and to the log) and the last line of --json. */
void	 summary_gave_up(const struct job *, const struct err *, int status);
/* The same with the exit status of the error, which is returned. */
int	 summary_error(const struct job *, const struct err *);

#endif
