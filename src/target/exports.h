/*
 * exports.h: conclusions of a PUT about its exports, compared with the catalog.
 */
#ifndef TARGET_EXPORTS_H
#define TARGET_EXPORTS_H

#include "catalog/export.h"
#include "target/plan.h"

/* Call after plan_check_exports, before the run begins. An empty export whose
 * files the catalog knows is out of reach, unless the export may be empty. Warn
 * of an export on a different file system than before. The reader is a reader
 * of the catalog. An error if no export is left. */
int	 exports_compare(struct run_plan *, const struct conf *,
	    const struct job *, struct catalog_reader *, struct err *)
	    MUST_USE;
/* After catalog_begin_run: tell the catalog the state of each export in the
 * run. */
void	 exports_tell(const struct run_plan *, const struct conf *,
	    const struct job *, struct catalog *);

#endif
