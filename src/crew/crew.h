/*
 * crew.h: the movers of a run's work: worker threads of this process (a local
 * crew; also the whole of a client process), or the clients of a master (a
 * team). Work is given by calls that never wait, and comes back as mail, in any
 * order, each piece of work once:
 *
 *	struct lease (PUT)		MAIL_RESULTS, MAIL_UPLOAD on the way
 *	struct fetch_item (GET, TEST)	MAIL_FETCHED
 *	struct delete_batch (DEL)	MAIL_DELETED
 *
 * and MAIL_CREW_FAILED, once, if no worker or client is left.
 *
 * Work that could not be ended within the limit after crew_stop does not come
 * back. Thread: a single thread gives, stops and frees.
 */
#ifndef CREW_CREW_H
#define CREW_CREW_H

#include "base/err.h"
#include "base/mailbox.h"
#include "model/client.h"
#include "model/delete.h"
#include "model/fetch_item.h"
#include "model/item.h"
#include "model/mail.h"
#include "model/upload_note.h"
#include "model/setup.h"
#include "s3/s3.h"

struct crew;
struct conf;

struct crew_failure {
	struct mail mail;
	struct err err;
};

/* Worker threads here. Takes the setup. Threads start at the first work of
 * their kind; a failed start then is a failure of the crew. */
int	 crew_local(struct crew **, struct setup *, struct mailbox *up,
	    struct err *) MUST_USE;
void	 crew_free(struct crew **);

/* Each call takes the given work. */
void	 crew_lease(struct crew *, struct lease *);
void	 crew_fetch(struct crew *, struct fetch_item *);
void	 crew_delete(struct crew *, struct delete_batch *);
/* The intent of this object's upload is on disk; worker is the note's. */
void	 crew_noted(struct crew *, unsigned worker, int64_t object);
/* For a local crew: take back up to most fetch items, the last of those given
 * but not begun; the items don't come back by mail. */
struct mail *crew_fetch_back(struct crew *, size_t most);
/* No more work will be given: a team may give slow work to a second client. */
void	 crew_no_more(struct crew *);

/* Number of items given and not yet begun (for a team: not yet leased), and the
 * number of items that keeps every worker busy. */
size_t	 crew_backlog(struct crew *);
size_t	 crew_enough(struct crew *);

struct crew_stats {
	struct s3_stats s3;	/* summed */
	uint64_t bytes_read;	/* of files */
};
void	 crew_stats(struct crew *, struct crew_stats *);

/* Fill a line for each client, for people, up to max lines; return the number
 * of clients. A local crew has no clients. Any thread. */
size_t	 crew_clients(struct crew *, struct client_line *, size_t max);

/* Begin no new work; end the begun work within limit_ms if possible. A second
 * call may shorten the limit. */
void	 crew_stop(struct crew *, uint64_t limit_ms);
/* After crew_stop: every thread has ended. */
bool	 crew_idle(struct crew *);
/* Limit this crew to bytes a second and requests in 1,000 seconds; 0: no
 * limit. */
void	 crew_limits(struct crew *, uint64_t bwlimit, uint64_t tpslimit);
/* For a local crew: begin no request at or after this moment, until a call
 * moves the moment on (clock_mono_ms; 0: no such moment). */
void	 crew_valid_until(struct crew *, uint64_t mono_ms);

#endif
