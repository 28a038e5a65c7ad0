/*
 * root.h: the root directory of a mounted share.
 */
#ifndef TREE_ROOT_H
#define TREE_ROOT_H

#include <sys/stat.h>

#include "base/err.h"

/* Return the descriptor, or -1 with DENIED or UNREACHABLE. */
int	 root_open(const char *dir, struct stat *ret_stat, struct err *);
/* Return true if the directory has an entry, or can't be read. */
bool	 root_is_filled(int fd);

#endif
