/*
 * desk.h: where work is handed out to several clients and taken back. Pure:
 * no I/O, no clock of its own (now_ms is the caller's monotonic clock).
 *
 * A task is queued, leased, or resolved. A lease is some tasks given to one
 * holder. It aims at some seconds of that holder's work, within a limit of
 * tasks and bytes. Its id is never used twice: it is the fencing token.
 *
 * A lease ends when all its tasks are resolved, or when the caller says that
 * its holder is lost (desk_lost). Then its unresolved tasks go back to the
 * head of the queue, unless they are out under another lease too.
 *
 * A task that is marked careful, as it may be what its holders die of, comes
 * after all others, alone, to a holder that has nothing else in hand and has
 * proved itself.
 *
 * Which result counts: the first one of a task, if it names a lease that the
 * task is out under; or, late, if its lease has ended but the task is queued
 * (nobody else has it). All others count nowhere.
 *
 * When little is left no holder takes more than its share of all that is
 * open, so that all work until the end. At the tail, when nothing is queued
 * and desk_no_more was said, a holder with nothing in hand gets tasks that
 * others have and that may be done twice: those of leases that are late, the
 * oldest first, from its end. A task is never out under more than two leases.
 *
 * Cost: desk_lease by the tasks given (at the tail, also by the leases that
 * are out); desk_result the same however many tasks are open; desk_lost by
 * the tasks of the leases that end.
 */
#ifndef LEASE_DESK_H
#define LEASE_DESK_H

#include "base/base.h"

struct desk_limits {
	size_t	 max_count;	/* tasks of a lease */
	uint64_t max_bytes;
	uint64_t target_ms;	/* work that one lease should be */
};

/* Embedded at the start of what the caller wants done; the caller's again
 * when desk_result or desk_take gives it back. */
struct task {
	int64_t	 id;		/* the caller's; unique among open tasks */
	uint64_t bytes;
	bool	 twice;		/* may be done by two holders at once */
	unsigned leased;	/* how often it was given out */
	bool	 careful;	/* may change while desk_lost calls */
	/* the desk's */
	struct task *next, *prev;
	int64_t	 lease[2];	/* out under these; 0: none */
	int64_t	 born;		/* the last lease before it was added */
};

struct desk;
struct desk *desk_new(const struct desk_limits *);
/* Tasks that are still open must have been taken out (desk_take). */
void	 desk_free(struct desk **);

/* At the end of the queue. */
void	 desk_add(struct desk *, struct task *);
/* Nothing more will be added (or, false, it may). */
void	 desk_no_more(struct desk *, bool);
/* A lease for this holder, proven or not, of at most room tasks, cap at most:
 * fills v, returns how many; 0: there is nothing for it now. May be less than
 * the room: ask again. Holders are small numbers: they are indexes. */
size_t	 desk_lease(struct desk *, unsigned holder, bool proven, size_t room,
	    uint64_t now_ms, int64_t *ret_lease, struct task **v, size_t cap);
/* A result of this task came under this lease. The task, out of the desk and
 * the caller's; NULL: it counts nowhere. */
struct task *desk_result(struct desk *, int64_t lease, int64_t task,
	    uint64_t now_ms) MUST_USE;
/* The holder of this lease has done with the task, but another one has it too
 * and keeps it, alone; nobody else gets it. False: nobody else has it. */
bool	 desk_let_go(struct desk *, int64_t lease, int64_t task);
/* The holder of this lease has not begun the task, and will not: it is queued
 * again, if nobody else has it. False: it is not out under that lease. */
bool	 desk_give_back(struct desk *, int64_t lease, int64_t task);
/* Unresolved tasks of those of the holder's leases that are late. */
size_t	 desk_late(const struct desk *, unsigned holder);
/* The task that a result under this lease would resolve, left where it is; or
 * NULL. For notes on the way, which must be fenced as results are. */
struct task *desk_find(struct desk *, int64_t lease, int64_t task);
void	 desk_heard(struct desk *, unsigned holder, uint64_t now_ms);
/* All of the holder's leases end; it is not counted among the holders until
 * it is heard again. Calls fn, if there is one, for each task that it had. */
void	 desk_lost(struct desk *, unsigned holder,
	    void (*fn)(void *arg, struct task *), void *arg);

size_t	 desk_queued(const struct desk *);
size_t	 desk_open(const struct desk *);	/* queued or leased */
/* Leases and unresolved tasks of one holder. */
void	 desk_holding(const struct desk *, unsigned holder, size_t *ret_leases,
	    size_t *ret_tasks);
/* Since it was last lost, has it had a task that another holder had at the
 * same time? Then it may still do what has its result already. */
bool	 desk_shares(const struct desk *, unsigned holder);
/* Any open task, out of the desk; NULL: none is left. For the end. */
struct task *desk_take(struct desk *);

#endif
