/*
 * filter.h: --include and --exclude with rsync's rules (rsync(1), FILTER
 * RULES, INCLUDE/EXCLUDE PATTERN RULES): the first pattern that matches
 * decides; none: included. A trailing '/' matches directories only, a
 * leading '/' anchors at the root of the share, "**" crosses slashes, a
 * pattern with a slash matches the path, one without the last component, one
 * that ends in a slash and three stars a directory and all that is in it. A
 * backslash escapes a wildcard. Pure; any thread may match.
 */
#ifndef MODEL_FILTER_H
#define MODEL_FILTER_H

#include "base/buf.h"
#include "base/err.h"

struct filter;

struct filter *filter_new(void);
void	 filter_free(struct filter **);
int	 filter_add(struct filter *, bool include, const char *pattern,
	    struct err *) MUST_USE;
/* path is relative to the share's root, without leading slash. Only the path
 * itself is judged: the crawler asks for each directory on the way. Returns
 * the deciding pattern if the path is excluded, else NULL. */
const char *filter_excludes(const struct filter *, struct str path,
	    bool is_dir);
/* One line that names the rules, the same for equal rules; caller frees. */
char	*filter_describe(const struct filter *);

#endif
