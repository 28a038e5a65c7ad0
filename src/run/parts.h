/*
 * parts.h: the runs of which the verbs PUT and TEST are made (run/whole.c).
 */
#ifndef RUN_PARTS_H
#define RUN_PARTS_H

#include "conf/conf.h"
#include "model/job.h"

/* As run_put and run_test of run.h; one run each. The verification of a silent
 * job fails only if not all was looked at. */
int	 put_files(const struct conf *, const struct job *);
int	 verify_objects(const struct conf *, const struct job *,
	    bool put_failed);

#endif
