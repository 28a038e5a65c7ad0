/*
 * as_of.h: the objects that the bucket held at a moment of the past, from the
 * catalog: those under --prefix, or under the configured shares, or all. The
 * bucket is not asked.
 *
 * One thread.
 */
#ifndef SOURCE_AS_OF_H
#define SOURCE_AS_OF_H

#include "conf/conf.h"
#include "model/job.h"
#include "reader/past.h"

struct as_of;

/* The moment is job->as_of. The reader must live until as_of_free. USAGE: the
 * moment is none, or is not recorded. */
int	 as_of_open(struct as_of **, const struct conf *, const struct job *,
	    struct catalog_reader *, struct err *) MUST_USE;
/* Return the next object, valid until the next call; NULL at the end, or with
 * err set. */
struct past_row *as_of_next(struct as_of *, struct err *);
void	 as_of_free(struct as_of **);

#endif
