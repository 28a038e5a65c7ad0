/*
 * export.h: what a run may conclude of an export: whether its root is what
 * the catalog knows, or another file system, or nothing at all.
 *
 * An export is known by the file system of its root (attrs.fsid), noted when
 * a crawl of it is complete; before the first one, by that in which an earlier
 * run has read its root. One that is another file system now moves
 * as ever, but nothing of it becomes gone. It becomes the known one when
 * somebody says so, or when a whole crawl found nine tenths of the files that
 * were known again by path, size and mtime.
 *
 * Order: catalog_export_noted and catalog_export_holds before the run begins,
 * to tell people; catalog_see_export for each export right after
 * catalog_begin_run; catalog_note_export while the crawl goes on.
 */
#ifndef CATALOG_EXPORT_H
#define CATALOG_EXPORT_H

#include "catalog/catalog.h"

enum export_sight {
	EXPORT_THERE = 0,
	EXPORT_ACCEPTED,	/* whatever file system it is: it is right */
	EXPORT_AWAY		/* out of reach, or empty where files should
				   be: nothing of it becomes gone */
};
/* What the run sees of an export (index into run_spec.exports) before it
 * crawls: the file system of its root. Any thread. */
void	 catalog_see_export(struct catalog *, unsigned export,
	    enum export_sight, uint64_t fsid);
/* What the crawl saw of it: the file system of its root, and whether the
 * directory that the crawl begins in is empty although it should not be. Two
 * notes of one crawl that differ close the guard of a mirror. Any thread. */
void	 catalog_note_export(struct catalog *, unsigned export, uint64_t fsid,
	    bool empty);

/* The file system by which the export of that catalog path is known: 1; none
 * is: 0. */
int	 catalog_export_noted(struct catalog_reader *, const char *path,
	    uint64_t *ret_fsid, struct err *) MUST_USE;
/* 1 if the catalog knows files of it that were there when they were looked
 * for last, or (also_gone) any: else 0. */
int	 catalog_export_holds(struct catalog_reader *, const char *path,
	    bool also_gone, struct err *) MUST_USE;
/* 1 if a directory of that path is known to have been there: else 0. */
int	 catalog_knew_dir(struct catalog_reader *, const char *path,
	    struct err *) MUST_USE;
/* 1 if it knows files below that path which were there when they were looked
 * for last, or which a target holds: else 0. */
int	 catalog_knows_below(struct catalog_reader *, const char *path,
	    struct err *) MUST_USE;

#endif
