/*
 * plan.h: what a run works on, made from settings and job: its exports, the
 * S3 target, and whether they can be reached.
 */
#ifndef TARGET_PLAN_H
#define TARGET_PLAN_H

#include "catalog/catalog.h"
#include "conf/conf.h"
#include "model/job.h"
#include "s3/s3.h"
#include "tree/tree.h"

struct run_plan {
	size_t	 count;		/* of exports */
	struct tree_spec *specs;
	struct strlist shares;	/* of the settings: catalog paths of all */
	char	**roots;	/* catalog path: "server/share" */
	char	**starts;	/* where the crawl begins */
	struct run_export *exports;
	struct err *errs;	/* why an export is out of reach, or NONE */
	struct attrs *seen;	/* its root at the start; kind UNKNOWN if it
				   was not reached */
	bool	*empty;		/* it has no entries but snapshots */
	bool	*may_be_empty;
	char	*scope;		/* what a cut crawl must have in common */
};

/* Exports that --prefix leaves out are not in it. Owns its strings, but
 * borrows from conf. */
int	 plan_make(struct run_plan *, const struct conf *, const struct job *,
	    struct err *) MUST_USE;
void	 plan_release(struct run_plan *);

/* What the catalog knows the target's bucket by: the bucket; for a DSS store,
 * whose discovery endpoint stays while clusters come, all its buckets. */
const char *plan_bucket(const struct conf *);
/* The target of a run: endpoints, bucket, server_as_prefix. */
void	 plan_target(struct run_spec *, const struct conf *);
/* Say so if the catalog knows the bucket by another endpoint: everything will
 * be sent again, and perhaps nobody wants that. */
void	 plan_warn_target(const struct run_spec *, const struct run_info *);

/* The settings of the S3 client; borrows from conf and, once it is fetched,
 * the cluster map. */
struct s3_config plan_s3(const struct conf *);
/* All that this process asks of S3 passes it: --tpslimit. */
struct s3_gate *plan_gate(void);

/* Objects that a batch of work may have, whoever has it. */
size_t	 plan_batch(const struct conf *);
/* Bytes for the buffers of files: what --limit-memory leaves beside code,
 * catalog and connections; unlimited if there is no limit. */
uint64_t plan_memory(const struct conf *, uint64_t unlimited);

/* One request at the start of a run. plan_wait_answer ends the client and
 * fills in err if there is no answer for 30 s, or a signal came. */
struct plan_answer {
	bool	 done;
	int64_t	 s3_boot_ms;	/* as the client knew it at its end */
	struct err err;
};
void	 plan_start_limits(struct s3_config *);
s3_done_fn plan_answered;
void	 plan_wait_answer(struct s3 **, struct plan_answer *,
	    const char *endpoint);

/* Can the bucket be reached, may we? An S3 that does not answer for 30 s is
 * an error (RETRY, UNREACHABLE, DENIED). boot_ms, if it isn't NULL, gets what
 * s3_boot_ms says then. */
int	 plan_check_s3(const struct conf *, int64_t *boot_ms,
	    struct err *) MUST_USE;
/* Mount each export once, and look whether it is empty. An error if none can
 * be reached; else errs says which, and a line of the log. */
int	 plan_check_exports(struct run_plan *, const struct conf *,
	    struct err *) MUST_USE;
/* An error if errs says of each export that it is out of reach. */
int	 plan_any_export(const struct run_plan *, struct err *) MUST_USE;

#endif
