/*
 * export.h: the conclusions a run may draw about an export: whether its root is
 * the known root, another file system, or empty.
 *
 * An export is known by the file system of its root (attrs.fsid), noted when a
 * crawl of the export is complete; before the first complete crawl, by the file
 * system in which an earlier run has read the root. Files of an export with
 * another file system move as ever, but nothing of the export becomes gone. The
 * new file system becomes the known file system when the user accepts the
 * change, or when a whole crawl found nine tenths of the known files again by
 * path, size and mtime.
 *
 * Order: catalog_export_noted and catalog_export_holds (reader/reader.h) before
 * the run begins,
 * to tell people; catalog_see_export for each export right after
 * catalog_begin_run; catalog_note_export while the crawl goes on.
 */
#ifndef CATALOG_EXPORT_H
#define CATALOG_EXPORT_H

#include "catalog/catalog.h"
#include "writer/sight.h"

/* Report the file system of an export's root before the crawl (export is an
 * index into run_spec.exports). Any thread. */
void	 catalog_see_export(struct catalog *, unsigned export,
	    enum export_sight, uint64_t fsid);
/* Report the crawl's view of an export: the file system of its root, and
 * whether the start directory is empty although files are expected. Two
 * different notes of the same crawl close the guard of a mirror. Any thread. */
void	 catalog_note_export(struct catalog *, unsigned export, uint64_t fsid,
	    bool empty);

#endif
