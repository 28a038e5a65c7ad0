/*
 * exports.h: what a PUT may conclude of its exports, seen against what the
 * catalog knows of them.
 */
#ifndef TARGET_EXPORTS_H
#define TARGET_EXPORTS_H

#include "catalog/export.h"
#include "target/plan.h"

/* After plan_check_exports, before the run begins. An export that is empty
 * although the catalog knows files there is out of reach, unless it may be
 * empty; of one that is another file system than before people are told. The
 * reader is one of the catalog. An error if no export is left. */
int	 exports_compare(struct run_plan *, const struct job *,
	    struct catalog_reader *, struct err *) MUST_USE;
/* After catalog_begin_run: tell the catalog what its run sees. */
void	 exports_tell(const struct run_plan *, const struct conf *,
	    const struct job *, struct catalog *);

#endif
