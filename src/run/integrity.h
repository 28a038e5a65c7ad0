/*
 * integrity.h: the objects of a TEST: where they come from (a listing merged
 * with the catalog in the order of keys, or a sample), and where their
 * verdicts go. Main thread only.
 */
#ifndef RUN_INTEGRITY_H
#define RUN_INTEGRITY_H

#include "run/frame.h"

struct integrity {
	struct run r;			/* crew NULL: --mode head; s3 has the
					   listings */
	bool	 put_failed;		/* the PUT before it */
	uint64_t verdicts[VERDICT__MAX];
	uint64_t *verified;		/* by export: objects that were
					   compared */
	uint64_t not_ours;		/* objects that the catalog does not
					   know */
};

/* Every object of every export of the plan: verdicts, or items to be read. */
void	 integrity_walk(struct integrity *);
/* Read a sample of the objects: job->sample_percent of the objects of each
 * export, at least one object where an export has any, and the objects that
 * were found lost before. */
void	 integrity_sample(struct integrity *);
/* An object was read; the verdict becomes a row. Takes the item. */
void	 integrity_take(struct integrity *, struct fetch_item *);

#endif
