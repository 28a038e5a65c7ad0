/*
 * probe.h: look whether a run could use a catalog, without making or changing
 * anything: for datamover check.
 */
#ifndef DB_PROBE_H
#define DB_PROBE_H

#include "base/err.h"

struct catalog_probe {
	bool	 exists;	/* false: a run would make it */
	uint64_t bytes;		/* of the file */
	int	 version;	/* its schema; 0: none yet */
	int	 newest;	/* what this program knows */
	bool	 older;		/* a copy of before: see stand.h */
	bool	 in_use;	/* a master holds it */
	int64_t	 pid;		/* which one, or 0 */
};

/* Return -1 if a run could not use the catalog, because of its place,
 * permissions or content. A catalog in use is no error. */
int	 catalog_probe(const char *path, struct catalog_probe *,
	    struct err *) MUST_USE;

#endif
