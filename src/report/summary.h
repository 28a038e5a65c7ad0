/*
 * summary.h: what a run says when it ends: lines for people on standard
 * error, and with --json one object as the last line of standard output.
 * Pure formatting; one thread.
 */
#ifndef REPORT_SUMMARY_H
#define REPORT_SUMMARY_H

#include "base/err.h"
#include "catalog/catalog.h"
#include "model/job.h"

struct summary {
	enum op	 op;
	bool	 dryrun;
	bool	 interrupted;	/* the run can be resumed */
	bool	 broken;	/* an error ended it: it can be, too */
	int64_t	 run;		/* its number in the catalog; 0: none */
	int64_t	 crawl;		/* the run that began the crawl, whose failures
				   count here too; 0: this one */
	int64_t	 since_ns;	/* of that run, if this one goes on with it */
	uint64_t dirs_kept;	/* and takes over so many directories */
	double	 seconds;
	struct totals totals;
	bool	 closes;	/* found is the sum of its parts */
	const struct run_failure *failures;	/* the first ones */
	size_t	 failure_count;
};
void	 summary_print(FILE *, const struct summary *);

/* Take in what the catalog says of the run, which must live as long. The
 * totals of one that was cut need not close. */
void	 summary_take(struct summary *, const struct run_closing *, bool cut);
/* The last words: in the log if the run is broken, and with --json. error:
 * what ended it, or NULL. */
void	 summary_end(const struct job *, const struct summary *,
	    const char *error);

/* The last line of --json. error: what ended the run, or NULL. */
void	 summary_json(FILE *, const struct summary *, const char *error);

/* A run that ended before it began: the reason on standard error (and in the
 * log), the last line of --json, and the exit status, which is returned. */
int	 summary_error(const struct job *, const struct err *);

#endif
