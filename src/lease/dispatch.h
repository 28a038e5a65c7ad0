/*
 * dispatch.h: hands work out to several clients and takes work back. Pure: no
 * I/O, no clock of its own (now_ms is the caller's monotonic clock).
 *
 * A task is queued, leased, or resolved. A lease is some tasks given to one
 * holder. A lease aims at some seconds of the holder's work, within a limit of
 * tasks and bytes. The id of a lease is never used twice: the id is the fencing
 * token.
 *
 * A lease ends when all its tasks are resolved, or when the caller says that
 * its holder is lost (dispatch_lost). Then its unresolved tasks go back to the
 * head of the queue, unless they are out under a second lease too.
 *
 * A task is marked careful if the task may kill its holders, or must be begun
 * as soon as it is leased. A careful task comes after all other tasks, alone,
 * to a holder that has no other task in hand and has proved itself.
 *
 * The dispatcher accepts the first result of a task if the result names a lease
 * that the task is out under. The dispatcher also accepts a late result, whose
 * lease has ended, if the task is queued (no holder has the task). The
 * dispatcher rejects all other results.
 *
 * When few tasks are left, no holder gets more than its share of all open
 * tasks, so that all holders work until the end. At the tail, when no task is
 * queued and dispatch_no_more was called, a holder with nothing in hand gets
 * tasks that other holders have and that may be done twice. The tasks come from
 * late leases, the oldest lease first, and from the end of a lease. A task is
 * never out under more than two leases.
 *
 * Cost: dispatch_lease grows with the tasks given (at the tail, also with the
 * leases that are out); dispatch_result costs the same however many tasks are
 * open; dispatch_lost grows with the tasks of the leases that end.
 */
#ifndef LEASE_DISPATCH_H
#define LEASE_DISPATCH_H

#include "base/base.h"

struct dispatch_limits {
	size_t	 max_count;	/* tasks of a lease, at most */
	uint64_t max_bytes;
	uint64_t target_ms;	/* time that the work of a lease should take */
};

/* The caller embeds a task at the start of its own structure. The dispatcher
 * owns the task until dispatch_result or dispatch_take returns the task. */
struct task {
	int64_t	 id;		/* set by the caller; unique among open tasks */
	uint64_t bytes;
	bool	 twice;		/* two holders may do the task at once */
	unsigned leased;	/* how often the dispatcher gave the task out */
	bool	 careful;	/* may change during dispatch_lost, in its fn */
	/* private to the dispatcher */
	struct task *next, *prev;
	int64_t	 lease[2];	/* leases that the task is out under; 0: none */
	int64_t	 born;		/* id of the last lease before dispatch_add */
};

struct dispatcher;
struct dispatcher *dispatch_new(const struct dispatch_limits *);
/* Callers must take out all open tasks before (dispatch_take). */
void	 dispatch_free(struct dispatcher **);

/* Add the task at the end of the queue. */
void	 dispatch_add(struct dispatcher *, struct task *);
/* Nothing more will be added (false: more tasks may be added). */
void	 dispatch_no_more(struct dispatcher *, bool);
/* Make a lease for this holder, proven or not, of at most room and at most cap
 * tasks. Fill v and return the number of tasks; return 0 if there is no task
 * for the holder now. A lease may be smaller than room: call again. Holders are
 * small numbers, used as indexes. */
size_t	 dispatch_lease(struct dispatcher *, unsigned holder, bool proven,
	    size_t room, uint64_t now_ms, int64_t *ret_lease, struct task **v,
	    size_t cap);
/* A result of this task came under this lease. Remove the task from the
 * dispatcher and return it to the caller; return NULL if the result must be
 * ignored. */
struct task *dispatch_result(struct dispatcher *, int64_t lease, int64_t task,
	    uint64_t now_ms) MUST_USE;
/* The holder of this lease is done with the task, but a second holder has the
 * task too: the second holder keeps the task, and no third holder gets the
 * task. Return false if no second holder has the task. */
bool	 dispatch_let_go(struct dispatcher *, int64_t lease, int64_t task);
/* The holder of this lease has not begun the task and will not begin: queue the
 * task again, unless a second holder has the task. Return false if the task is
 * not out under this lease. */
bool	 dispatch_give_back(struct dispatcher *, int64_t lease, int64_t task);
/* Return the number of unresolved tasks in the holder's late leases. */
size_t	 dispatch_late(const struct dispatcher *, unsigned holder);
/* Return the task that a result under this lease would resolve, or NULL; do not
 * remove the task. Used for notes, which need the same fencing as results. */
struct task *dispatch_find(struct dispatcher *, int64_t lease, int64_t task);
void	 dispatch_heard(struct dispatcher *, unsigned holder, uint64_t now_ms);
/* End all leases of the holder, and call fn (unless NULL) for each of the
 * holder's tasks. The dispatcher does not count the holder again until the
 * holder is heard. */
void	 dispatch_lost(struct dispatcher *, unsigned holder,
	    void (*fn)(void *arg, struct task *), void *arg);

size_t	 dispatch_queued(const struct dispatcher *);
size_t	 dispatch_open(const struct dispatcher *);	/* queued or leased */
/* Return the number of leases and of unresolved tasks of a holder. */
void	 dispatch_holding(const struct dispatcher *, unsigned holder,
	    size_t *ret_leases, size_t *ret_tasks);
/* Since the holder was last lost, has the holder shared a task with a second
 * holder? Then the holder may still be doing a task that is resolved
 * already. */
bool	 dispatch_shares(const struct dispatcher *, unsigned holder);
/* Remove any open task from the dispatcher and return the task; NULL: none is
 * left. Used at the end. */
struct task *dispatch_take(struct dispatcher *);

#endif
