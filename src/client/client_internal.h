/*
 * client_internal.h: inside the client: one session with a master, from the
 * first connection to the last.
 */
#ifndef CLIENT_CLIENT_INTERNAL_H
#define CLIENT_CLIENT_INTERNAL_H

#include "client/client.h"
#include "conf/conf.h"
#include "crew/crew.h"
#include "launch/launch.h"
#include "wire/wire.h"

enum {
	CHANNEL_INDEX = 0,
	CHANNEL_STATUS,
	CHANNELS
};

struct client {
	struct invite invite;	/* address and key of the master; wiped at the
				   end */
	bool	 joined;	/* started by --join: comes back when the master
				   is lost */
	int	 input;		/* standard input; -1: not watched */
	int	 signals;
	int	 stop_signal;	/* SIGINT or SIGTERM, if received; or 0 */
	uint64_t pid;		/* process id below, random bits above: each
				   container may have a process 1 */
	uint32_t number;	/* the number that the master gave us; 0: none
				   yet */
	bool	 met;		/* the last session received its SETUP */
	bool	 whole;		/* the last session had both connections */
};

enum session_end {
	SESSION_GOES_ON = 0,
	SESSION_DONE,		/* the master said stop; all results are sent */
	SESSION_LOST,		/* another attempt may succeed */
	SESSION_FAILED		/* another attempt would fail too */
};

/* A lease that this client holds: lease frames add items, results remove
 * items. */
struct held {
	int64_t	 lease;
	size_t	 items;		/* items without a result */
	uint64_t bytes;		/* bytes of these items, about */
};

/* Results of fetched items that are not yet sent. */
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
	struct mailbox *in;	/* mail from the crew */
	struct crew *crew;	/* NULL: no SETUP came yet */
	struct conf conf;	/* settings of the master; zeros before SETUP */
	enum op	 op;
	size_t	 export_count;
	uint64_t keys_asked;	/* number of the keys in the last EXPIRED */
	bool	 more_follows;	/* flag of the setup */
	unsigned capacity;	/* number of items to have in hand, at least */
	struct held *held;
	size_t	 held_count;
	size_t	 items;		/* in hand: sum over all leases */
	uint64_t bytes;
	size_t	 largest_items;	/* largest number of items in a lease so far */
	uint64_t largest_bytes;
	size_t	 wanted;	/* number of items in the last WANT */
	struct fetched *fetched;
	struct origin *origins;	/* origins of fetch items and batches in hand */
	/* When the client sent the last message that the master has confirmed:
	 * see crew/fence.h. */
	uint64_t acked_ms;
	uint64_t hello_ms[CHANNELS];	/* when HELLO was sent */
	uint64_t silence_ms;
	uint64_t beat_ms;	/* when the last heartbeat was sent */
	bool	 stopping;
	bool	 told;		/* the master sent STOP */
	bool	 deaf;		/* the master is lost: send nothing more */
	uint64_t stop_at_ms;
	enum session_end end;
	struct err err;		/* the reason for end */
};

/* Run a session, from the attempt to connect until its end. */
enum session_end session_run(struct client *, struct err *);

/* RESOURCE if the limits of this process are too low for the work. */
int	 client_limits_check(const struct setup *, struct err *) MUST_USE;

/* --- work.c: between wire and crew --- */

/* Take a message with work. Return false and set s->err if the work is not
 * valid. */
bool	 session_work(struct session *, struct wire_msg *);
/* Return to the master at most this number of tasks that the crew has not
 * begun. */
void	 session_give_back(struct session *, size_t most);
/* Take all mail of the crew and send the mail to the master as messages. */
void	 session_take_mail(struct session *);
/* Send results that wait to be sent together: all results, or only rows that
 * have waited FETCHED_MS. */
void	 session_flush(struct session *, bool all);
/* Send WANT if there is room for more items than the last WANT said; or
 * anyway. */
void	 session_want(struct session *, bool anyway);
void	 session_work_release(struct session *);

#endif
