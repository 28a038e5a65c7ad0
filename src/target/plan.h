/*
 * plan.h: the plan of a run, made from settings and job: the exports, the S3
 * target, and whether exports and target can be reached.
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
	struct strlist shares;	/* of the settings: every share's catalog
				   path */
	char	**roots;	/* catalog path: "server/share" */
	char	**starts;	/* where the crawl begins */
	struct run_export *exports;
	struct err *errs;	/* why an export is out of reach, or NONE */
	struct attrs *seen;	/* the export's root at the start; kind UNKNOWN
				   if the root was not reached */
	bool	*empty;		/* the root has no entries but snapshots */
	bool	*may_be_empty;
	char	*scope;		/* describes paths and filters: a cut crawl
				   continues only with an equal scope */
};

/* Leaves out the exports excluded by --prefix. The plan owns its strings, but
 * borrows from conf. */
int	 plan_make(struct run_plan *, const struct conf *, const struct job *,
	    struct err *) MUST_USE;
void	 plan_release(struct run_plan *);

/* The catalog's name of the target's bucket: the bucket; for a DSS store a name
 * for the buckets of every cluster, because the discovery endpoint stays while
 * clusters come. */
const char *plan_bucket(const struct conf *);
/* The target of a run: endpoints, bucket, name, server_as_prefix. */
void	 plan_target(struct run_spec *, const struct conf *);

/* How an export, or a destination, is opened; borrows the texts. */
struct tree_spec plan_spec(const struct conf *, enum tree_type,
	    const char *server, const char *share, bool follow_links);
/* The setting retry_for, at least 1 ms: the S3 client takes 0 for its
 * default. */
uint64_t plan_retry_ms(const struct conf *);
/* The settings of the S3 client; borrows from conf and, once fetched, from the
 * cluster map. */
struct s3_config plan_s3(const struct conf *);

/* The most objects in a batch of work, for the master and for a client
 * alike. */
size_t	 plan_batch(const struct conf *);
/* Bytes for the buffers of files: --limit-memory less the memory for code,
 * catalog and connections; unlimited if --limit-memory is not set. */
uint64_t plan_memory(const struct conf *, uint64_t unlimited);

/* Fetch the cluster map of a DSS store, once; do nothing for any other kind of
 * store. Errors as of plan_check_s3, or CONFIG where the map is wrong. */
int	 plan_fetch_map(const struct conf *, struct err *) MUST_USE;
/* Check that S3 can be reached and allows access to the bucket. An S3 that does
 * not answer for 30 s is an error (RETRY, UNREACHABLE, DENIED). boot_ms, if not
 * NULL, gets the value of s3_boot_ms. */
int	 plan_check_s3(const struct conf *, int64_t *boot_ms,
	    struct err *) MUST_USE;
/* What a run writes to learn whether the store takes anything. */
#define PROBE_KEY PROBE_PREFIX "probe"
/* Begin to write that object. Whoever gets a good answer deletes the object. */
void	 plan_probe(struct s3 *, s3_done_fn *, void *arg);
/* For a PUT: as plan_check_s3, but keys that may only write are good: if the
 * bucket may not be looked at, the answer to the probe decides. */
int	 plan_check_s3_writes(const struct conf *, int64_t *boot_ms,
	    struct err *) MUST_USE;
/* Mount each export once, and look whether the export is empty. An error if no
 * export can be reached; else errs and a line of the log name each unreachable
 * export. */
int	 plan_check_exports(struct run_plan *, const struct conf *,
	    struct err *) MUST_USE;
/* An error if errs says of each export that the export is out of reach. */
int	 plan_any_export(const struct run_plan *, struct err *) MUST_USE;

#endif
