/*
 * path.h: paths and names of files and directories, as bytes. Pure.
 */
#ifndef MODEL_PATH_H
#define MODEL_PATH_H

#include "base/buf.h"

#define PATH_NAME_MAX	255

/* True for a path that the calls of tree.h take: relative, no empty, "." or
 * ".." component, no NUL. "" is the root. */
bool	 path_valid(struct str);
/* A copy with a NUL behind it, whatever bytes the path has; the caller frees
 * the copy. */
char	*path_copy(struct str) MUST_USE;
/* True if the path is the directory or lies below the directory, both written
 * the same way and without a slash at the end. */
bool	 path_lies_in(struct str path, struct str dir);
/* The index of the root that holds the path; of roots inside each other, that
 * of the innermost. Return count if no root holds the path. */
size_t	 path_innermost(struct str path, const char *const *roots,
	    size_t count);
/* The part after the last slash; the whole path if it has no slash. */
struct str path_name(struct str);
/* The part before the last slash; "" if the path has no slash. */
struct str path_dir(struct str);
/* True for "." and "..". */
bool	 path_name_is_dot(struct str);
/* Why a name that a directory gave cannot be a name, or NULL. */
const char *path_name_fault(struct str);

#endif
