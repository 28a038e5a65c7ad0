/*
 * setup.h: from settings and job to the setup for the movers of a run, and from
 * the setup to the trees that they open.
 */
#ifndef CREW_SETUP_H
#define CREW_SETUP_H

#include "crew/crew.h"
#include "dest/dest.h"
#include "model/setup.h"
#include "target/plan.h"

/* Borrows the settings, which must outlive the setup, and copies the exports of
 * the plan if that is not NULL. CONFIG: limit_memory has no room for a part
 * (PUT). USAGE: an impossible dest_path. */
int	 setup_make(struct setup *, const struct conf *, const struct job *,
	    const struct run_plan *, struct err *) MUST_USE;
/* Give the exports' roots, as seen by plan_check_exports, to the readers of the
 * files. A client of a team that lacks the mount, or whose name leads to a
 * different server, would call each file gone; so would this process if a
 * different directory replaced the share. */
void	 setup_see_roots(struct setup *, const struct run_plan *, bool team);
/* The same where only the file system of the root is known. */
void	 setup_see_fs(struct setup *, size_t export, uint64_t fsid, bool team);
/* Borrows from the setup; the caller frees the array. */
struct tree_spec *setup_trees(const struct setup *);
/* Open the destination of dest_path; NULL if the setup has no dest_path.
 * valid_until_ms as in struct tree_spec. */
int	 setup_dest(struct dest **, const struct setup *,
	    const _Atomic uint64_t *valid_until_ms, struct err *) MUST_USE;
/* May this process set owners at the destination? */
bool	 setup_as_root(const struct setup *);
/* Return the number of worker threads on this machine. */
unsigned setup_workers(const struct setup *);

/* Does a team of clients do the work? */
bool	 crew_wants_team(const struct conf *, const struct job *);
/* How long clients may change something after the death of this master; 0: the
 * run has no clients. */
uint64_t crew_late_ms(const struct conf *, const struct job *);

#endif
