/*
 * strlist.h: a list of strings, which the list owns. A list of zeros is empty.
 */
#ifndef BASE_STRLIST_H
#define BASE_STRLIST_H

#include "base/base.h"

struct strlist {
	char	**v;
	size_t	 n;
};
void	 strlist_add(struct strlist *, const char *);
/* Add a string that becomes the list's. */
void	 strlist_take(struct strlist *, char *);
void	 strlist_addf(struct strlist *, const char *fmt, ...)
	    PRINTF_LIKE(2, 3);
void	 strlist_clear(struct strlist *);

#endif
