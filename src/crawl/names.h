/*
 * names.h: the lines of --files-from. Pure.
 */
#ifndef CRAWL_NAMES_H
#define CRAWL_NAMES_H

#include "crawl/crawl.h"

/*
 * Find the export named by a line, and the path below its root. A line is a key
 * or, when a single export is configured, a path below its root. Paths as
 * printed by find are fine: "./", "//" and a slash at the end mean nothing.
 * path is filled, and rel points into path. ERR_INVALID if the line can't name
 * a file of an export.
 */
int	 names_find(const struct crawl_config *, struct str line,
	    struct buf *path, unsigned *ret_export, struct str *ret_rel,
	    struct err *) MUST_USE;

#endif
