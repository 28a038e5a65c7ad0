/*
 * crew.h: those who move what a run gives them: worker threads of this
 * process (a local crew; also all that a client process is), or the clients
 * of a master (a team). Work is given by calls that never wait, and comes
 * back as mail, in any order, each thing once:
 *
 *	struct lease (PUT)		MAIL_RESULTS, MAIL_UPLOAD on the way
 *	struct fetch_item (GET, TEST)	MAIL_FETCHED
 *	struct erase_batch (DEL)	MAIL_ERASED
 *
 * and MAIL_CREW_FAILED, once, if nobody is left to do anything.
 *
 * After crew_stop, what could not be ended within the limit does not come
 * back. Thread: one gives, stops and frees.
 */
#ifndef CREW_CREW_H
#define CREW_CREW_H

#include "base/err.h"
#include "base/mailbox.h"
#include "model/client.h"
#include "model/erase.h"
#include "model/fetch_item.h"
#include "model/item.h"
#include "model/mail.h"
#include "model/note.h"
#include "model/setup.h"
#include "s3/s3.h"

struct crew;
struct conf;

struct crew_failure {
	struct mail mail;
	struct err err;
};

/* Worker threads here. Takes the setup. Threads start at the first work of
 * their kind; an error then is a failure of the crew. */
int	 crew_local(struct crew **, struct setup *, struct mailbox *up,
	    struct err *) MUST_USE;
void	 crew_free(struct crew **);

/* Each takes what it is given. */
void	 crew_lease(struct crew *, struct lease *);
void	 crew_fetch(struct crew *, struct fetch_item *);
void	 crew_erase(struct crew *, struct erase_batch *);
/* The intent of this object's upload is on disk; worker as in the note. */
void	 crew_noted(struct crew *, unsigned worker, int64_t object);
/* Of a local crew: fetch items that were given and not begun, the last ones, so
 * many at most; they don't come back by mail. */
struct mail *crew_fetch_back(struct crew *, size_t most);
/* Nothing more will be given: what is slow may be done twice. */
void	 crew_no_more(struct crew *);

/* Items given and not yet begun (of a team: not leased to anybody), and as
 * many as keep all busy. */
size_t	 crew_backlog(struct crew *);
size_t	 crew_enough(struct crew *);

struct crew_stats {
	struct s3_stats s3;	/* summed */
	uint64_t bytes_read;	/* of files */
};
void	 crew_stats(struct crew *, struct crew_stats *);

/* One line for each client, for people; a local crew has none. Up to max;
 * returns how many there are. Any thread. */
size_t	 crew_clients(struct crew *, struct client_line *, size_t max);

/* Begin nothing new; end what can be ended within limit_ms. A second call may
 * shorten it. */
void	 crew_stop(struct crew *, uint64_t limit_ms);
/* After crew_stop: all have ended. */
bool	 crew_idle(struct crew *);
/* bytes a second and requests in 1,000 seconds, of this crew; 0: none. */
void	 crew_limits(struct crew *, uint64_t bwlimit, uint64_t tpslimit);
/* Of a local crew: no request begins at or after this moment, until it is
 * moved on (clock_mono_ms; 0: no such moment). */
void	 crew_valid_until(struct crew *, uint64_t mono_ms);

#endif
