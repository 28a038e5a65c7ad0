/*
 * names.h: the lines of --files-from. Pure.
 */
#ifndef CRAWL_NAMES_H
#define CRAWL_NAMES_H

#include "crawl/crawl.h"

/*
 * The export that a line names, and the path below its root: a key or, when
 * one export is configured, a path below it. As find prints them is fine:
 * "./", "//" and a slash at the end mean nothing. path is filled, rel lies in
 * it. ERR_INVALID if the line can name no file of an export.
 */
int	 names_find(const struct crawl_config *, struct str line,
	    struct buf *path, unsigned *ret_export, struct str *ret_rel,
	    struct err *) MUST_USE;

#endif
