/*
 * prune.h: drop what was over before a horizon: failures, verdicts but the last
 * on each object by then, events that a later event had superseded by then, and
 * versions of which nothing is left. What a target held at the horizon, and
 * since when, stays for ever.
 */
#ifndef DB_PRUNE_H
#define DB_PRUNE_H

#include "base/err.h"

struct prune {
	int64_t	 horizon_ns;
	const char *user;	/* who prunes; or NULL */
	const char *sudo_user;
	const char *host;
	/* what came of it */
	uint64_t events;
	uint64_t versions;
	uint64_t failures;
	uint64_t verdicts;
	bool	 nothing;	/* no run began before the horizon */
	bool	 kept_space;	/* somebody reads: the space is given back by
				   the next prune */
};

/* Drop, note in the catalog what was dropped and by whom, and make the file
 * smaller, by a copy of what is left that takes its name. No master may hold
 * the catalog. */
int	 catalog_prune(const char *path, struct prune *, struct err *)
	    MUST_USE;

#endif
