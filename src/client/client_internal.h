/*
 * client_internal.h: inside the client: one session with a master, from the
 * first connection to the last.
 */
#ifndef CLIENT_CLIENT_INTERNAL_H
#define CLIENT_CLIENT_INTERNAL_H

#include "client/client.h"
#include "crew/crew.h"
#include "launch/launch.h"
#include "wire/wire.h"

enum {
	CHANNEL_INDEX = 0,
	CHANNEL_STATUS,
	CHANNELS
};

struct client {
	struct invite invite;	/* who the master is; wiped at the end */
	bool	 joined;	/* comes back when the master is lost */
	int	 input;		/* standard input; -1: nobody holds us by it */
	int	 signals;
	int	 stop_signal;	/* SIGINT or SIGTERM came; or 0 */
	uint64_t pid;		/* and chance above it: each container may
				   have a process 1 */
	uint32_t number;	/* as the master knows us; 0: not yet */
	bool	 met;		/* the last session had its setup */
	bool	 whole;		/* ... both its connections */
};

enum session_end {
	SESSION_GOES_ON = 0,
	SESSION_DONE,		/* the master said stop; all is told */
	SESSION_LOST,		/* another attempt may do better */
	SESSION_FAILED		/* it would not */
};

/* A lease that we have: frames add to it, results take from it. */
struct held {
	int64_t	 lease;
	size_t	 items;		/* without result */
	uint64_t bytes;		/* of these, about */
};

/* What became of fetched items, not yet sent. */
struct fetched {
	struct fetched *next;
	int64_t	 lease;
	struct wire_fetch *v;
	size_t	 count;
	uint64_t since_ms;
};

struct session {
	struct client *c;
	struct wire_peer *peer[CHANNELS];
	bool	 welcome[CHANNELS];
	struct mailbox *in;	/* from the crew */
	struct crew *crew;	/* NULL: no SETUP came yet */
	enum op	 op;
	size_t	 export_count;
	bool	 more_follows;	/* as the setup said */
	unsigned capacity;	/* items in hand, at least */
	struct held *held;
	size_t	 held_count;
	size_t	 items;		/* in hand: the sum */
	uint64_t bytes;
	size_t	 largest_items;	/* of a lease */
	uint64_t largest_bytes;
	size_t	 wanted;	/* room in the last WANT */
	struct fetched *fetched;
	struct origin *origins;	/* of fetch items and batches in hand */
	/* The master has heard what we sent at this moment: crew/fence.h. */
	uint64_t acked_ms;
	uint64_t hello_ms[CHANNELS];	/* when HELLO was sent */
	uint64_t silence_ms;
	uint64_t beat_ms;	/* our last heartbeat */
	bool	 stopping;
	bool	 told;		/* ... by the master */
	bool	 deaf;		/* the master is lost */
	uint64_t stop_at_ms;
	enum session_end end;
	struct err err;		/* why */
};

/* One session: the attempt to connect, and all until its end. */
enum session_end session_run(struct client *, struct err *);

/* RESOURCE if the limits of this process are too low for the work. */
int	 client_limits_check(const struct setup *, struct err *) MUST_USE;

/* --- work.c: between wire and crew --- */

/* A message with work; or false and s->err: it is none. */
bool	 session_work(struct session *, struct wire_msg *);
/* Tasks that were not begun, so many at most. */
void	 session_give_back(struct session *, size_t most);
/* All mail of the crew, as messages. */
void	 session_take_mail(struct session *);
/* Send what waits to be sent together; all of it, or what has waited for long
 * enough. */
void	 session_flush(struct session *, bool all);
/* Ask for work if there is room for more than the master knows. */
void	 session_want(struct session *, bool anyway);
void	 session_work_release(struct session *);

#endif
