/*
 * run.h: the verbs that move data, as whole runs: a run joins the stages.
 */
#ifndef RUN_RUN_H
#define RUN_RUN_H

#include "conf/conf.h"
#include "model/job.h"

/* Each prints what people see (stderr, stdout) and returns the exit status
 * (see datamover(1)). The settings and the job are only read. */
int	 run_put(const struct conf *, const struct job *);
int	 run_test(const struct conf *, const struct job *);
int	 run_list(const struct conf *, const struct job *);
int	 run_del(const struct conf *, const struct job *);
int	 run_get(const struct conf *, const struct job *);
int	 run_undo(const struct conf *, const struct job *);

/* The runs of which run_put and run_test are made (whole.c): one run each. The
 * verification of a silent job fails only if not all was looked at. */
int	 put_files(const struct conf *, const struct job *);
int	 verify_objects(const struct conf *, const struct job *,
	    bool put_failed);

#endif
