/*
 * setup.h: from settings and job to what the movers of a run must know, and
 * from that to what the engines ask for.
 */
#ifndef CREW_SETUP_H
#define CREW_SETUP_H

#include "crew/crew.h"
#include "dest/dest.h"
#include "model/setup.h"
#include "target/plan.h"

/* Everything is copied. The exports are those of the plan, if there is one.
 * CONFIG: the memory that is allowed does not hold a part (PUT). USAGE: a
 * dest_path that can't be. */
int	 setup_make(struct setup *, const struct conf *, const struct job *,
	    const struct run_plan *, struct err *) MUST_USE;
/* What plan_check_exports has seen of the exports' roots goes to those who read
 * the files. A client of a team that lacks the mount, or whose name leads to
 * another server, would say of each file that it is gone; and so would this
 * process, when another directory came in the place of the share. */
void	 setup_see_roots(struct setup *, const struct run_plan *, bool team);
/* Both borrow from the setup; the array is the caller's. */
struct s3_config setup_s3(const struct setup *);
struct tree_spec *setup_trees(const struct setup *);
/* Open what dest_path says; NULL if it is none. valid_until_ms as in
 * struct tree_spec. */
int	 setup_dest(struct dest **, const struct setup *,
	    const _Atomic uint64_t *valid_until_ms, struct err *) MUST_USE;
/* May owners be given there? */
bool	 setup_as_root(const struct setup *);
/* Worker threads on this machine. */
unsigned setup_workers(const struct setup *);

/* Clients on other hosts do the work. */
bool	 crew_wants_team(const struct conf *, const struct job *);
/* How long they may change something after this master has died; 0: there are
 * none. */
uint64_t crew_late_ms(const struct conf *, const struct job *);

#endif
