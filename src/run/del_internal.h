/*
 * del_internal.h: inside DEL.
 */
#ifndef RUN_DEL_INTERNAL_H
#define RUN_DEL_INTERNAL_H

#include "crew/crew.h"
#include "model/job.h"
#include "run/deleter.h"
#include "run/monitor.h"
#include "source/source.h"

/* Goes over the keys of a DEL. Main thread. */
struct del_pass {
	const struct conf *conf;
	const struct job *job;
	struct mailbox *in;	/* pages, and the catalog's failure */
	int	 signals;
	struct monitor *monitor;	/* or NULL */
	struct catalog *catalog;	/* or NULL: nothing is deleted */
	bool	 print;		/* each key */
	/* out, from here on; zeros before */
	uint64_t count;
	uint64_t bytes;
	int	 stop_signal;
	bool	 failed;	/* err ends the run */
	struct err err;
	/* inside */
	struct source *source;
	struct deleter *deleter;
	struct mail *first;	/* pages there is no room for yet */
	struct mail **last;
	bool	 listed;
	uint64_t stop_at_ms;
};
/* List all keys and, if the pass has a catalog, delete the objects. */
void	 del_pass(struct del_pass *);

#endif
