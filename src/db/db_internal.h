/*
 * db_internal.h: the inside of a connection; included only by the files of
 * this folder.
 */
#ifndef DB_DB_INTERNAL_H
#define DB_DB_INTERNAL_H

#include "db/db.h"
#include "db/keep.h"

struct keeper;
struct stat;

bool	 db_failed(const struct db *);
/* Connect to the file; name is a path or a URI, path is for people. flags are
 * SQLite's. After an error the connection is closed. */
int	 db_connect(struct db *, const char *name, const char *path, int flags,
	    struct err *) MUST_USE;
/* The end of opening: -1, and the connection is closed, if any step failed. */
int	 db_opened(struct db *, struct err *);
/* Statements without a name, outside of the hot path. */
void	 db_exec(struct db *, const char *sql);
/* Write an event of the catalog as a whole (EVENT_PRUNED, EVENT_RESTORED) into
 * the journal; return its id, or 0 if the schema, or the lack of a run, has no
 * place for the event. */
int64_t	 db_event(struct db *, enum stmt);
/* The first column of the first row. */
int64_t	 db_number(struct db *, const char *sql);

/* file.c */
bool	 file_is_same(const char *, const char *);
/* A -wal without content counts as none: a run leaves such a -wal. */
bool	 file_has_wal(const char *);
/* Does the head of the file say that the file is a catalog? */
bool	 file_is_catalog(const char *);
/* Give a file owner and mode of another one. */
int	 file_give(const char *name, const struct stat *, struct err *)
	    MUST_USE;
/* Give a file its name, once it is on the disk. Without replace, an existing
 * file is an error. */
int	 db_rename(const char *from, const char *to, bool replace,
	    struct err *) MUST_USE;

/* foreign.c */
/* Tell each table, index, view and trigger that is not what this program makes:
 * of the newest schema only. -1: they could not be read. */
int	 foreign_find(struct db *, catalog_finding_fn *, void *arg,
	    struct err *) MUST_USE;
/* Triggers would run with the statements of a run: they are an error. */
void	 foreign_refuse(struct db *);

/* note.c */
/* Return the place that the note names, to be freed by the caller; NULL: the
 * file is no note. */
char	*note_read(const char *path) MUST_USE;
int	 note_write(const char *name, const char *to, struct err *) MUST_USE;

/* open.c */
/* Bring all of the -wal into the file and empty the -wal; a reader may prevent
 * that, which is no error. */
int	 db_checkpoint(const char *path, struct err *) MUST_USE;

/* As db_copy, without free space: in new pages. */
int	 db_vacuum(const char *from, const char *to, struct err *) MUST_USE;

/* prune_verdicts.c */
/* Drop verdicts of runs before this one, whose events have ids up to event, but
 * the last of them on each object; return how many. */
uint64_t prune_verdicts(struct db *, int64_t run, int64_t event);

/* verify.c */
/* Check the structure of a whole file without a -wal. */
int	 db_quick_check(const char *path, struct err *) MUST_USE;

/* schema.c */
/* The number of the last rung. */
int	 schema_newest(void);
/* Note in a copy that it is put in the place of the catalog: what the target
 * got since isn't known. NULL: by whom, or from which file, isn't
 * known. */
void	 schema_restored(struct db *, const struct keeper *, const char *);
/* The rungs above a version, and all views anew; 0: an empty file. Does nothing
 * for the newest version. */
void	 schema_climb(struct db *, int version);
/* Check that the file is a catalog known to this program. */
void	 schema_check(struct db *, bool may_be_older);

#endif
