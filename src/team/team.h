/*
 * team.h: the crew of clients on other hosts. See crew/crew.h.
 */
#ifndef TEAM_TEAM_H
#define TEAM_TEAM_H

#include "crew/crew.h"

/* Make a crew of the clients that the settings name, without waiting for the
 * clients. Takes the setup. */
int	 crew_team(struct crew **, struct setup *, struct mailbox *up,
	    struct err *) MUST_USE;

#endif
