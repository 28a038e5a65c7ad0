/*
 * sight.h: what a run sees of an export before its crawl.
 */
#ifndef WRITER_SIGHT_H
#define WRITER_SIGHT_H

enum export_sight {
	EXPORT_THERE = 0,
	EXPORT_ACCEPTED,	/* the user accepts the export in any file
				   system */
	EXPORT_AWAY		/* out of reach, or empty though the catalog
				   knows files: nothing of the export becomes
				   gone */
};

#endif
