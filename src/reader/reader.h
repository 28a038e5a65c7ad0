/*
 * reader.h: questions to a catalog, asked through a read-only connection: what
 * the catalog knows of a path, a directory, an export. stored.h has the
 * questions about the objects of the target.
 *
 * Life cycle: catalog_reader_open or catalog_look (catalog.h), questions,
 * catalog_reader_close; close a reader before its catalog. Use a reader in a
 * single thread. Every question is about the target of the present run, or the
 * target of catalog_look.
 *
 * The catalog has the struct readers, the place where its thread tells the
 * readers what run is going on.
 */
#ifndef READER_READER_H
#define READER_READER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/idset.h"
#include "model/attrs.h"

struct catalog_reader;
void	 catalog_reader_close(struct catalog_reader **);
/* Look-ups between hold and let_go see the same snapshot and cost less, because
 * a single transaction locks for all look-ups. A second hold, or a let_go
 * without hold, does nothing. Let go before waiting: the -wal grows while a
 * reader holds a snapshot. */
void	 catalog_reader_hold(struct catalog_reader *);
void	 catalog_reader_let_go(struct catalog_reader *);

/* --- the crawl --- */

struct known {
	int64_t	 object;
	struct attrs attrs;
	bool	 stored;	/* at this run's target, in this version; also
				   set for an excluded file */
	bool	 fresh;		/* the bytes were read so soon after a change
				   that an equal time may hide a later change */
	bool	 excluded;
	bool	 tombstone;	/* was gone: treat as new (PAGE_CHANGED) */
	bool	 ours;		/* present, and already counted by this run: the
				   run made this version, or knows its result */
	char	 why[120];
};
/* 1 found, 0 not in the catalog, -1 error. */
int	 catalog_find(struct catalog_reader *, struct str path, struct known *,
	    struct err *) MUST_USE;
/* Calls fn for each live object of the directory (not of subdirectories)
 * missing in seen. */
int	 catalog_unseen(struct catalog_reader *, int64_t dir,
	    const struct idset *seen, void (*fn)(void *, int64_t object),
	    void *arg, struct err *) MUST_USE;
/* Return 1 if the catalog has known a directory of the path; else 0. */
int	 catalog_knew_dir(struct catalog_reader *, const char *path,
	    struct err *) MUST_USE;
/* Return 1 if the catalog knows files below the path, by whichever of its
 * names, that were present at the last look or are held by a target; else 0.
 * here: files below a directory with a file system of its own do not count. */
int	 catalog_knows_below(struct catalog_reader *, const char *path,
	    bool here, struct err *) MUST_USE;

/* Find the file system in which the crawl saw the directory with the catalog
 * path; 0: that of the export's root. Return 1, or 0 if no file system is
 * known. */
int	 catalog_dir_fs(struct catalog_reader *, struct str dir,
	    const char *root, uint64_t *ret_fsid, struct err *) MUST_USE;

/* --- exports, before the run begins --- */

/* Find the known file system of the place with the catalog path, known as an
 * export or as a directory of another export. Return 1, or 0 if no file system
 * is known. */
int	 catalog_export_noted(struct catalog_reader *, const char *path,
	    uint64_t *ret_fsid, struct err *) MUST_USE;
/* Find the file system in which the newest crawl has read the export with the
 * catalog path: the one that its files were put from. Return 1, or 0 if no
 * crawl has noted one. */
int	 catalog_export_seen(struct catalog_reader *, const char *path,
	    uint64_t *ret_fsid, struct err *) MUST_USE;
/* Return 1 if the catalog knows files below the path, put by whichever export,
 * that were present at the last look or (also_gone) any files at all; else
 * 0. */
int	 catalog_export_holds(struct catalog_reader *, const char *path,
	    bool also_gone, struct err *) MUST_USE;
/* For keys without a server: return 1 if files were put by another name of the
 * export, and the export was not crawled by its name of today since; else
 * 0. */
int	 catalog_former_holds(struct catalog_reader *, const char *path,
	    struct err *) MUST_USE;

/* --- for the catalog --- */

/* What the readers know of the run that is going on. */
struct reader_run {
	int64_t	 run;		/* 0: none */
	int64_t	 target;
	bool	 server_as_prefix;
	int64_t	 first_object;	/* objects from this id on were made by the
				   run */
};

/* The readers of one catalog. */
struct readers;
struct readers *readers_new(const char *path);
/* Call when every reader is closed, before the writer's connection is. */
void	 readers_free(struct readers **);
/* Any thread. */
void	 readers_tell(struct readers *, const struct reader_run *);
int	 readers_open(struct readers *, struct catalog_reader **, struct err *)
	    MUST_USE;

/* Open a reader of a catalog without a master. reader_aim, before the first
 * question: its target, 0 if the catalog does not know the target. */
int	 reader_look(struct catalog_reader **, const char *path, struct err *)
	    MUST_USE;
void	 reader_aim(struct catalog_reader *, int64_t target,
	    bool server_as_prefix);

struct db;
/* The connection, for statements of the caller. */
struct db *reader_db(struct catalog_reader *);
int64_t	 reader_target(const struct catalog_reader *,
	    bool *ret_server_as_prefix);
/* -1 and the error if a statement of the reader has failed, else 0. */
int	 reader_fault(const struct catalog_reader *, struct err *);

#endif
