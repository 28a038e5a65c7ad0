/*
 * integrity.h: chooses the objects that a TEST verifies (a listing merged with
 * the catalog in the order of keys, or a sample of the catalog), gives objects
 * whose bytes must be read to the crew, and writes the verdicts into the
 * catalog. Main thread only.
 */
#ifndef RUN_INTEGRITY_H
#define RUN_INTEGRITY_H

#include "frame/frame.h"

struct integrity {
	struct run r;			/* crew NULL: --mode head; s3 has the
					   listings */
	bool	 put_failed;		/* the PUT before the verification */
	uint64_t verdicts[VERDICT__MAX];
	uint64_t *verified;		/* by export: objects that were
					   compared */
	bool	*told;			/* by export: why its files can't be
					   compared */
	struct {			/* the last directory asked for */
		char	*path;		/* catalog path; owned, or NULL */
		unsigned export;
		bool	 known;
		uint64_t fsid;		/* if known; as in a fetch_item */
	} dir;
	size_t	 heads;			/* questions to S3 on the way */
	uint64_t not_ours;		/* objects that the catalog does not
					   know */
};

/* Take every object of every export of the plan, from the listing and from the
 * catalog: give a verdict on the object, or have the object read. */
void	 integrity_walk(struct integrity *);
/* Read a sample of the objects: job->sample_percent of the objects of each
 * export, at least one object where an export has any, and the objects that
 * were found lost before. */
void	 integrity_sample(struct integrity *);
/* Take the item of an object that the crew has read, and record the verdict as
 * a row. */
void	 integrity_take(struct integrity *, struct fetch_item *);

#endif
