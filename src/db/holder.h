/*
 * holder.h: the master that holds a catalog, for status, stop and check.
 */
#ifndef DB_HOLDER_H
#define DB_HOLDER_H

#include "base/err.h"

/* True if a master holds the catalog's lock now; ret_pid is its pid or 0. */
bool	 catalog_in_use(const char *path, int64_t *ret_pid);
/* Find the master, for a caller who wants to signal the process. Return 1 and a
 * pidfd, to be closed by the caller; 0 if no master holds the lock. CONFIG: no
 * such catalog. DENIED: the caller may not see the process. */
int	 catalog_holder(const char *path, int *ret_pidfd, int64_t *ret_pid,
	    struct err *) MUST_USE;

#endif
