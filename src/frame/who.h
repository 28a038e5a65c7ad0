/*
 * who.h: who runs the program, where and with which settings, for the row of
 * the run.
 */
#ifndef FRAME_WHO_H
#define FRAME_WHO_H

#include "catalog/catalog.h"
#include "conf/conf.h"

struct who {
	struct run_who row;	/* points into this struct: do not copy it */
	char	 user[64];
	char	 sudo_user[64];
	char	 host[256];
};

/* The settings become the SHA-256 of what "datamover conf" prints of them,
 * where the secrets are not; NULL: they aren't known. */
void	 who_is_it(struct who *, const struct conf *);

#endif
