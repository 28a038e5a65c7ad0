/*
 * slowest.h: the slowest transfers of the run that is going on. The rows of the
 * run in the table of that name are written anew when the list has changed.
 */
#ifndef WRITER_SLOWEST_H
#define WRITER_SLOWEST_H

#include "base/base.h"

#define SLOWEST_MAX	20

struct slowest {
	struct slow_transfer {
		int64_t	 object;
		uint64_t took_ms;
		unsigned attempts;
	} v[SLOWEST_MAX];	/* the slowest first */
	size_t	 count;
	bool	 changed;	/* since the rows were written */
};
/* A file was stored. */
void	 slowest_add(struct slowest *, int64_t object, uint64_t took_ms,
	    unsigned attempts);

#endif
