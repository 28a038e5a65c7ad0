/*
 * report.h: a run as a report: its verdict, counts, speed over time, what the
 * target held when the run had ended, the slowest objects, failures,
 * deletions. Collected from the views of the catalog and from the journal, so
 * that the report of an earlier run says the same whenever it is made; what is
 * of the moment of the report stands in struct report_now. Written in a format
 * of the table in outputs.c.
 *
 * Life cycle: report_collect, report_write any number of times, report_release.
 * One thread.
 */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "base/buf.h"
#include "db/view.h"
#include "model/job.h"
#include "reader/span.h"

#define REPORT_TIMES	60	/* steps of time at most */
#define REPORT_SIZES	10	/* classes of size */
#define REPORT_SLOWEST	20
#define REPORT_FAILED	200
#define REPORT_KINDS	20
#define REPORT_RUNS	20
#define REPORT_DELETED	20
#define REPORT_CLIENTS	200
#define REPORT_COMPACTIONS 1000

struct report_run {
	int64_t	 run;
	int64_t	 crawl;		/* the first run of the crawl that this run
				   continues; or run */
	char	*operation;
	char	*state;
	char	*reason;	/* or NULL */
	char	*target;
	char	*command;	/* or NULL */
	char	*started;
	char	*ended;		/* or NULL */
	double	 seconds;
	struct totals totals;
	int64_t	 exit_status;	/* -1: not recorded */
	char	*user;		/* these may be NULL */
	char	*sudo_user;
	char	*host;
	char	*version;	/* of datamover */
	bool	 held;		/* what the target held when the run had ended
				   is recorded: */
	uint64_t stored;
	uint64_t stored_bytes;
};

/* A step of time, from after on. */
struct report_time {
	double	 after;		/* seconds since the run began */
	uint64_t moved;
	uint64_t failed;
	uint64_t bytes;		/* of the moved */
};

struct report_size {
	const char *name;	/* "1 - 16 KiB" */
	uint64_t moved;
	uint64_t moved_bytes;
	uint64_t stored;	/* held by the target after the run */
	uint64_t stored_bytes;
};

struct report_object {
	char	*path;
	uint64_t size;
	double	 seconds;
	uint64_t attempts;
};

struct report_failure {
	char	*path;
	char	*what;		/* object, directory */
	char	*kind;
	char	*reason;
	uint64_t attempts;
	char	*time;		/* NULL: not recorded */
};

struct report_count {
	char	*name;
	uint64_t count;
	uint64_t bytes;
};

struct report_client {
	int64_t	 number;
	char	*host;
	char	*state;
	char	*reason;	/* or NULL */
	char	*heard;
	uint64_t moved;
	uint64_t failed;
	uint64_t bytes;
	double	 items_per_s;	/* as measured last */
	double	 bytes_per_s;
};

struct report_compaction {
	char	*target;
	char	*nqn;		/* or NULL: the target as a whole */
	char	*state;		/* done, failed, running, unknown */
	char	*reason;	/* or NULL */
	double	 seconds;
};

/* Numbers of verdicts, and the bytes judged. */
struct report_verdicts {
	uint64_t count[VERDICT__MAX];
	uint64_t bytes[VERDICT__MAX];
};

/* How things are when the report is made, if a later run may have changed
 * them. */
struct report_now {
	int64_t	 run;		/* the last run of the target; 0: it is the
				   run of the report */
	uint64_t stored;
	uint64_t stored_bytes;
	uint64_t verified;	/* with the last verdict "ok" */
	uint64_t kept;		/* of what the run has stored, the target has
				   still */
};

struct report {
	char	*catalog;	/* its path */
	char	 made[32];	/* when the report was */
	struct report_run run;
	double	 step;		/* seconds of a step of time */
	struct report_time times[REPORT_TIMES];
	size_t	 time_count;
	struct report_size sizes[REPORT_SIZES];
	/* The journal tells what the run has done; else times, slowest and
	 * deleted are empty, and so is moved of sizes. */
	bool	 recorded;
	struct report_object slowest[REPORT_SLOWEST];
	size_t	 slowest_count;
	struct report_count kinds[REPORT_KINDS];
	size_t	 kind_count;	/* of failures */
	struct report_failure failed[REPORT_FAILED];
	size_t	 failed_count;	/* of those here */
	uint64_t failed_all;
	char	*pruned;	/* when and by whom failures of the run were
				   pruned; or NULL */
	uint64_t failed_again;	/* of those: later runs in a row met the same;
				   when this run did is not recorded, nor with
				   how many attempts */
	/* The last verdict until this run on each object held after it. */
	struct report_verdicts verdicts;
	uint64_t judged;	/* with any verdict */
	struct report_verdicts found;	/* the verdicts that the run gave */
	bool	 tested;	/* the run gave any */
	char	*deleted[REPORT_DELETED];	/* paths, in the order of the
						   deletions */
	size_t	 deleted_count;		/* of those here */
	uint64_t deleted_known;		/* those that the catalog knows */
	struct report_now now;
	struct report_client clients[REPORT_CLIENTS];	/* of the run */
	size_t	 client_count;
	struct report_compaction compactions[REPORT_COMPACTIONS];
	size_t	 compaction_count;
	struct report_run runs[REPORT_RUNS];	/* runs of the target up to
						   this run, the newest run
						   first */
	size_t	 run_count;
};

/* path: of the catalog, to be shown and to see whether a run is going on.
 * run 0: the last one. ERR_USAGE if there is no such run. */
int	 report_collect(struct report *, struct catalog_view *,
	    const char *path, int64_t run, struct err *) MUST_USE;
void	 report_release(struct report *);

struct report_output;
/* "text", "json", "csv", "html"; NULL if the program has no such format. */
const struct report_output *report_output_of(const char *format);
/* "text, json, csv or html" */
const char *report_outputs(void);
/* Write to a file, which appears whole or not at all; or, with file NULL, to
 * standard output. */
int	 report_write(const struct report *, const struct report_output *,
	    const char *file, struct err *) MUST_USE;

#endif
