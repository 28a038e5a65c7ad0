/*
 * integrity.h: the objects of a TEST: where they come from (a listing merged
 * with the catalog in the order of keys, or a sample), and where their
 * verdicts go. Main thread only.
 */
#ifndef RUN_INTEGRITY_H
#define RUN_INTEGRITY_H

#include "catalog/outcome.h"
#include "catalog/stored.h"
#include "crew/crew.h"
#include "run/monitor.h"
#include "s3/s3.h"
#include "target/plan.h"
#include "verify/verdict.h"

struct integrity {
	const struct conf *conf;
	const struct job *job;
	struct run_plan plan;
	struct catalog *catalog;
	struct catalog_reader *reader;
	struct run_info run;
	struct s3 *s3;			/* listings */
	struct mailbox *in;
	struct crew *crew;		/* NULL: --mode head */
	uint64_t out;			/* items that it has */
	int	 signals;
	struct monitor *monitor;
	struct outcomes *batch;		/* verdicts not yet given away */
	uint64_t verdicts[VERDICT__MAX];
	uint64_t *verified;		/* by export: objects that were
					   compared */
	uint64_t not_ours;		/* objects that the catalog does not
					   know */
	int	 stop_signal;
	bool	 failed;
	struct err err;
};

/* Every object of every export of the plan: verdicts, or items to be read. */
void	 integrity_walk(struct integrity *);
/* Read a sample of the objects: job->sample_percent of the objects of each
 * export, at least one object where an export has any, and the objects that
 * were found lost before. */
void	 integrity_sample(struct integrity *);

/* --- for them --- */

bool	 integrity_stopped(const struct integrity *);
void	 integrity_fail(struct integrity *, const struct err *);
/* The verdict becomes a row. Path: catalog path, or key with is_key; object
 * 0: not known. */
void	 integrity_verdict(struct integrity *, unsigned export,
	    const char *path, bool is_key, int64_t object, uint64_t size,
	    enum verify_method, const struct judged *);
/* Read an object. Takes what stored owns; stored->path NULL: the catalog
 * does not know the key. listed: the entry of S3's listing, or NULL: the object
 * must be as the catalog recorded. */
void	 integrity_read(struct integrity *, unsigned export, struct str key,
	    struct stored *, const struct s3_listed *listed);
/* One turn: results, signals, what S3 answers. */
void	 integrity_turn(struct integrity *, int timeout_ms);
/* The readers have enough to do. */
bool	 integrity_full(const struct integrity *);

#endif
