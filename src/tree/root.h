/*
 * root.h: the directory that a mounted share is.
 */
#ifndef TREE_ROOT_H
#define TREE_ROOT_H

#include <sys/stat.h>

#include "base/err.h"

/* Its descriptor, or -1: DENIED or UNREACHABLE. */
int	 root_open(const char *dir, struct stat *ret_stat, struct err *);
/* True also if nobody knows. */
bool	 root_is_filled(int fd);

#endif
