/*
 * rows.h: columns as structs, ranges of paths, and the names of a key: for the
 * rooms that read the catalog and for the rooms that write it.
 */
#ifndef READER_ROWS_H
#define READER_ROWS_H

#include "db/db.h"
#include "model/outcome.h"

/* Read attrs from eight columns, starting at column: kind, size, mtime, ctime,
 * ino, mode, uid, gid. */
void	 row_attrs(const struct db *, enum stmt, int column, struct attrs *);
/* The columns of stored_find, stored_page, gone_page and past_newest. */
void	 row_stored(const struct db *, enum stmt, struct stored *);

/* The range of paths under a prefix, from the prefix itself or after a path. */
struct range {
	struct buf from;
	struct buf end;
	struct value bind_from;
	struct value bind_end;
};
void	 range_init(struct range *, struct str prefix, struct str after);
void	 range_release(struct range *);

/* True if the catalog knows files below the path that were present at the last
 * look or are held by a target. */
enum {
	BELOW_NAMES = 1,	/* also by other names of the path */
	BELOW_HERE = 2,		/* not those below a directory with a file
				   system of its own noted */
	BELOW_NEWER = 4		/* of the other names only those of exports
				   crawled later than the one of this path */
};
bool	 rows_below(struct db *, const char *path, unsigned which);
/* Find the file system of the directory at its last reading; false if no file
 * system is noted. */
bool	 rows_fs_of_dir(struct db *, int64_t dir, uint64_t *ret_fsid);
/* Find the file system by which a place is known: as an export, by its own
 * note, or by the nearest note above. */
bool	 rows_fs_noted(struct db *, const char *path, uint64_t *ret_fsid);

/* names.c */
/* Calls fn for each catalog path with this key, as far as the exports tell. */
void	 names_of_key(struct db *, bool server_as_prefix, struct str key,
	    void (*fn)(void *, struct str path), void *arg);
/* True if files below two exports ("server/share") of different servers can
 * have the same key, in a target without the server in the keys. */
bool	 names_meet(struct str a, struct str b);
/* True if any two known exports meet in this way, and the catalog knows a
 * target without the server in the keys. */
bool	 names_meet_any(struct db *);
/* The path that the place named by path, or the part of the place inside root,
 * has by the server of another export. The caller frees it. */
char	*names_place(struct str root, struct str path) MUST_USE;
/* rows_below, by the other names of a directory (which as there). A file with
 * a row under its name of today is not asked for. */
bool	 names_hold(struct db *, const char *path, unsigned which);

#endif
