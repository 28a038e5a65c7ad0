/*
 * keep.h: copies of a catalog, and its place: the verb datamover catalog. No
 * other way is safe: a copy of the file alone lacks what is in the -wal, and
 * SQLite would replay a -wal into whatever file stands beside it.
 *
 * Whatever ends these functions at any moment, the catalog is whole under its
 * name, or under that of its copy, or pair.h refuses it with what to do.
 */
#ifndef DB_KEEP_H
#define DB_KEEP_H

#include "base/err.h"

/* Write a copy of the state of now; a run may be going on. The copy has its
 * name when it is whole and on the disk. Without replace, an existing file is
 * an error; with it, one that is not a copy of a catalog. */
int	 catalog_backup(const char *path, const char *to, bool replace,
	    struct err *) MUST_USE;
/* The next master brings a catalog of an earlier version up to date: write a
 * copy of such a catalog beside it, under its name with .vN, N being the number
 * of its schema; a copy that is there already stays. ret_name is the name of
 * the new copy, for the caller to free, or NULL. A catalog that can't be read
 * is none of these. */
int	 catalog_keep_former(const char *path, char **ret_name,
	    struct err *) MUST_USE;
/* Who acts on the catalog: names, or NULL. */
struct keeper {
	const char *user;
	const char *sudo_user;	/* what sudo says */
	const char *host;
};
/* Put a copy of a copy in the place of the catalog, which no master may hold
 * meanwhile; an event says who did that. ret_former is the name that the former
 * catalog has now, or NULL if there was none; the caller frees it. A copy
 * without what a restored catalog must know is left where it is. from may be
 * the catalog's own file, if another program has put it there: then the -wal
 * that isn't its own goes with the former catalog. */
int	 catalog_restore(const char *path, const char *from,
	    const struct keeper *, char **ret_former, struct err *) MUST_USE;
/* Give the catalog another place and name. A note stays in the old place, and a
 * run with the old setting is told where the catalog is. */
int	 catalog_move(const char *path, const char *to, struct err *)
	    MUST_USE;
/* Return -1, with the error, if the file is such a note. */
int	 catalog_moved(const char *path, struct err *) MUST_USE;

/* Check all of a catalog: SQLite's structures, that no row speaks of a row that
 * isn't there, and that tables and views are those of this program. Each
 * finding is told; -1: it could not be checked, or something was found. */
typedef void catalog_finding_fn(void *arg, const char *finding);
int	 catalog_verify(const char *path, catalog_finding_fn *, void *arg,
	    struct err *) MUST_USE;

#endif
