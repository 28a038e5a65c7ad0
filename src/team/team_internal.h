/*
 * team_internal.h: the inside of a team (crew/crew.h): the master's side of its
 * clients. One thread owns everything but what stands in "locked": it polls
 * the listeners, the clients' connections and its mailbox, through which the
 * run's thread and the launch threads speak to it.
 *
 *	team.c		the crew's functions and the thread
 *	member.c	clients come, speak and go
 *	publish.c	what people see of them
 *	stall.c	clients that bring nothing
 *	limits.c	the limits of the run, divided among them
 *	work.c	tasks: given, leased, resolved
 *	trust.c	what they are not told, and not believed
 *	look.c	what they say of files, looked at
 *	last.c	files that are given up: does the store have them?
 *	joint.c	large files that several clients upload together
 *	ranges.c	large objects that several clients fetch together
 *	recall.c	what slow ones have not begun
 *	notes.c	notes on uploads, and their answers
 *	launch.c	clients brought up over SSH; is anybody left?
 *
 * The numbers of tasks on the wire are the team's own: a client sees neither
 * the catalog's objects nor its leases.
 */
#ifndef TEAM_TEAM_INTERNAL_H
#define TEAM_TEAM_INTERNAL_H

#include <pthread.h>

#include "absence/asker.h"
#include "conf/conf.h"
#include "crew/crew_internal.h"
#include "launch/launch.h"
#include "lease/desk.h"
#include "model/mail.h"
#include "s3/s3.h"
#include "team/split_get.h"
#include "team/split_put.h"
#include "team/team.h"
#include "wire/wire.h"

#define TEAM_MEMBERS_MAX 10000	/* clients that a run has seen */
#define TEAM_JOINTS_MAX	64	/* at a time; other large files are whole */

/* --- work --- */

enum task_kind {
	TASK_PUT = 0,
	TASK_FETCH,
	TASK_ERASE
};

/* What an object must give: the answer that TEST asks its clients for. */
struct secret {
	struct stored stored;
	char	 etag[sizeof(((struct fetch_item *)0)->etag)];
};

struct team_task {
	struct task task;	/* first: the desk's */
	enum task_kind kind;
	/* PUT: its lease in the catalog, and what it is there; item.object
	 * is the task's number */
	int64_t	 lease;
	uint32_t epoch;
	int64_t	 object;
	struct item item;
	bool	 alone;		/* one client must do all of it */
	bool	 doubt;		/* two sent it, perhaps not the same bytes */
	int64_t	 unheard_sec;	/* who meant to create an upload then was lost
				   before it said that it did; or 0 */
	unsigned looks;		/* how often another version was found */
	unsigned failers[3];	/* members that could not do it; 0: none */
	/* Those that were lost with it in hand: is it what they die of? */
	struct {
		unsigned all;
		unsigned counted;	/* by host and kind */
		unsigned host[2];	/* members of those hosts; 0: none */
		bool	 harmless;	/* a good-bye, a silence */
		unsigned alone;		/* it was the only one in hand, */
		unsigned killed_alone;	/* ... and they broke off */
	} lost;
	struct team_joint *joint; /* a file of several, or parts of it */
	struct fetch_item *fetch;
	struct secret *secret;	/* TEST: what its client is not told */
	struct erase_batch *batch;
	struct erase_batch *rest; /* what another client tries again, or NULL */
	size_t	*rest_at;	/* rows of the batch, for each of those */
};

/* One large file that several move: an upload, or an object to be fetched. */
struct team_joint {
	struct team_joint *next;
	struct joint *joint;	/* one of these two */
	struct ranges *ranges;
	struct team_task *whole;
	size_t	 open;		/* tasks of its parts */
	bool	 failed;
	struct err err;
	uint64_t began_ms;
};

/* Where the answer to a note goes. */
struct route {
	unsigned member;	/* number; 0: unused */
	uint64_t session;
	int64_t	 task;
	uint32_t worker;
};

/* A result came; that its upload is over is said after it. */
struct closing {
	uint64_t session;
	int64_t	 lease;		/* the team's */
	int64_t	 task;
	int64_t	 catalog_lease;
	int64_t	 object;
};

/* --- clients --- */

enum member_state {
	MEMBER_LAUNCHING = 0,	/* invited; its program does not run yet */
	MEMBER_AWAITED,		/* it runs, and has not called */
	MEMBER_JOINED,		/* has called, and has its setup */
	MEMBER_WORKING,		/* has said that it is ready */
	MEMBER_LOST,
	MEMBER_FAILED,		/* could not be launched, or gave up */
	MEMBER_ENDED		/* said good-bye */
};

struct member {
	struct team *team;
	unsigned number;	/* 1 + index in team.members */
	enum member_state state;
	bool	 invited;	/* launched by us */
	bool	 running;	/* launched, and not seen to end */
	char	 host[64];
	uint64_t pid;
	uint64_t session;	/* of the connections; never twice */
	struct wire_peer *index;
	struct wire_peer *status;
	bool	 ready;
	bool	 leave;		/* err says why; at the end of this turn */
	bool	 idle;		/* it has said that nothing is under way */
	bool	 harmless;	/* lost, and not by what it had in hand: it
				   said good-bye, or was silent */
	bool	 brought;	/* a result, in this session */
	bool	 barred;	/* it sees another tree */
	unsigned fruitless;	/* sessions of its host that brought none,
				   one after another, and were lost */
	struct err err;		/* lost, failed */
	bool	 said_why;	/* nothing says more than err */
	bool	 has_credentials;
	uint32_t want_items;
	uint64_t want_bytes;
	unsigned misses;	/* failures in a row that may be its own */
	uint64_t probe_ms;	/* no work before, if there are too many */
	uint64_t since_ms;	/* in this state */
	uint64_t heard_ms;
	uint64_t lapse_ms;	/* lost, but what it had is its own until then:
				   see crew/fence.h; 0: not so */
	uint64_t stamp_ms;	/* of its last heartbeat, by its own clock */
	uint64_t beat_ms;
	uint64_t busy_ms;	/* it last had work; 0: never */
	bool	 limit_busy;	/* when the limits were divided */
	uint64_t signs;		/* messages with something that it did */
	struct {
		uint64_t sum;	/* of signs and bytes */
		uint64_t since_ms; /* it is the same, with work in hand */
		bool	 worked; /* in this session */
	} stall;
	/* for people */
	uint64_t moved;
	uint64_t failed;
	uint64_t bytes;		/* that results tell of: heartbeats are late */
	struct wire_heartbeat now;
	struct wire_heartbeat before;	/* sums of earlier sessions */
	struct {
		uint64_t at_ms;
		uint64_t items;
		uint64_t bytes;
	} sample;
	double	 items_per_s;
	double	 bytes_per_s;
};

/* --- the team --- */

/* Mail to its thread. */
enum {
	TEAM_LEASE = MAIL__OWN, /* struct lease */
	TEAM_FETCH,		/* struct fetch_item */
	TEAM_ERASE,		/* struct erase_batch */
	TEAM_NOTED,		/* struct team_order: a worker */
	TEAM_LOOKED,		/* a look: look.c */
	TEAM_NO_MORE,
	TEAM_STOP,		/* a limit_ms */
	TEAM_LIMITS,		/* a bwlimit, b tpslimit */
	TEAM_END
};
struct team_order {
	struct mail mail;
	uint64_t a;
	uint64_t b;
};

struct team {
	struct crew crew;
	const struct conf *conf;
	struct setup setup;
	struct mailbox *up;
	struct mailbox *in;
	uint8_t	 key[WIRE_KEY_LEN];
	bool	 open;		/* others may join: there is a key file */
	bool	 dest_shared;	/* all write to one destination */
	uint64_t silence_ms;
	pthread_t thread;
	bool	 has_thread;

	uint64_t began_ms;	/* clock_boot_ms */

	/* the thread's */
	uint64_t now_ms;
	uint64_t turn_ms;	/* of the last turn */
	struct wire_listener *listen_index;
	struct wire_listener *listen_status;
	struct launch *launch;
	bool	 launch_stopped;
	struct member **members;
	size_t	 member_count;
	uint64_t recall_ms;	/* when tasks were last asked back */
	size_t	 first_served;	/* so that all get their turn */
	uint64_t sessions;
	struct pollfd *fds;
	size_t	 fd_cap;
	struct desk *desk;
	int64_t	 last_task;
	size_t	 erases;	/* erase batches that are open */
	struct {
		struct mailbox *in;	/* struct look; NULL: no thread */
		pthread_t thread;
		_Atomic bool stop;
	} look;
	struct task **taken;	/* one lease */
	size_t	 taken_cap;
	struct results *batch;	/* to go up; of one lease of the catalog */
	struct route *routes;
	size_t	 route_count;
	struct team_joint *joints;
	size_t	 joint_count;
	struct closing *closing;
	size_t	 closing_count;
	uint64_t bwlimit;	/* of all together */
	uint64_t tpslimit;
	size_t	 limited;	/* divided by so many; 0: not yet */
	uint64_t limited_ms;
	bool	 stopping;
	uint64_t stop_ms;	/* when all must have gone */
	bool	 ending;	/* crew_free waits */
	bool	 failed;	/* and said so */
	uint64_t first_ms;	/* when the first client came; 0: none yet */
	uint64_t alone_ms;	/* since when there is nobody; 0: not so */
	bool	 waiting_said;
	uint64_t given_in;	/* given, and seen by the thread */
	uint64_t publish_ms;

	pthread_mutex_t lock;
	struct {
		uint64_t given;
		uint64_t given_in;
		size_t	 queued;
		size_t	 enough;
		bool	 idle;
		struct crew_stats stats;
		struct client_line *clients;
		size_t	 client_count;
		size_t	 client_cap;
	} locked;
};

/* --- member.c --- */

const char *team_state_name(enum member_state);
struct member *team_member_new(struct team *, const char *host);
/* NULL: there is none of this number. */
struct member *team_member(struct team *, uint64_t number);
void	 team_hello(void *team, struct wire_peer *, struct wire_hello *);
/* Its connections are at their end: what it had goes to others, once it can
 * change nothing any more. err NULL: it has ended as it should. */
void	 team_lost(struct team *, struct member *, const struct err *);
/* A lost one can change nothing any more: its process has ended. */
void	 team_lapse(struct team *, struct member *);
/* Is there a lost one that might? */
bool	 team_lapsing(const struct team *);
/* Descriptors to poll, and what to do when they speak. */
size_t	 team_members_fds(struct team *, struct pollfd *);
void	 team_members_service(struct team *, const struct pollfd *);
/* Heartbeats out, silent ones lost. */
void	 team_members_turn(struct team *);
size_t	 team_members_up(const struct team *);
/* They, and those who may still come; only those who are likely to be here in
 * a moment. */
size_t	 team_members_hoped(const struct team *);
size_t	 team_members_soon(const struct team *);
void	 team_say_stop(struct team *, uint64_t limit_ms);
void	 team_members_free(struct team *);

/* --- publish.c --- */

/* Sums and lines for crew_stats and crew_clients; now, or when it is time. */
void	 team_publish(struct team *, bool now);

/* --- stall.c --- */

/* It has joined. */
void	 team_stall_begin(struct member *);
/* Those who bring nothing are lost; not if it was us who were away. */
void	 team_stalls(struct team *, bool was_away);

/* --- limits.c --- */

void	 team_limits_first(const struct team *, struct setup *);
/* Divide the limits, if those have changed who are there, or who have work;
 * again: in any case. */
void	 team_divide_limits(struct team *, bool again);

/* --- work.c --- */

struct team_task *team_task_new(struct team *, enum task_kind,
	    uint64_t bytes);
void	 team_task_free(struct team_task *);
void	 team_take_lease(struct team *, struct lease *);
void	 team_take_fetch(struct team *, struct fetch_item *);
void	 team_take_erase(struct team *, struct erase_batch *);
/* Leases for all who want some. */
void	 team_serve(struct team *);
void	 team_results(struct member *, struct wire_results *);
void	 team_fetched(struct member *, struct wire_fetched *);
/* -1: it doesn't fit what was asked. */
int	 team_erased(struct member *, struct wire_erased *, struct err *)
	    MUST_USE;
/* One more outcome, for people. */
void	 team_count(struct member *, enum outcome);
/* This one was lost with the task in hand. */
void	 team_task_lost(struct member *, struct team_task *);
/* The result of a file, for the catalog. Takes its content, and the task,
 * which is out of the desk. */
void	 team_put_result(struct team *, struct team_task *, struct result *);
/* What it gets is tried with one task, as long as there are others. */
void	 team_distrust(struct member *);
/* The result of an object is in the task, which is out of the desk: takes
 * it. */
void	 team_put_fetched(struct team *, struct team_task *);
/* Results that wait for more of their lease go up. */
void	 team_flush(struct team *);
size_t	 team_enough(struct team *);
void	 team_work_free(struct team *);

/* --- trust.c --- */

/* What TEST asks of a client goes into the task's secret, and back. */
void	 team_hide(struct team *, struct team_task *);
void	 team_reveal(struct team_task *);
/* A result that can't be becomes a failure of its client, which is named. */
void	 team_believe(struct member *, const struct team_task *,
	    struct result *);

/* --- look.c --- */

/* A result that the master looks at itself. */
struct look {
	struct mail mail;
	struct team_task *task;
	struct result result;
	unsigned member;	/* that it is of; 0: the file is given up */
	struct absence_question q;
	struct {		/* given up: what the store says of its key */
		struct err err;
		uint64_t size;
		int64_t	 modified_sec;
		bool	 ours;	/* it has all the metadata that PUT writes */
		struct attrs told;
		char	 etag[72];
		char	*version_id;
	} store;
};

/* Must the master look itself? Then it takes the result, and the task, which is
 * out of the desk; what comes of it comes later. */
bool	 team_look(struct member *, struct team_task *, struct result *);
/* A file is given up, and this would be its result. Likewise. */
bool	 team_look_last(struct team *, struct team_task *, struct result *);
void	 team_looked(struct team *, struct mail *);
/* Nobody looks any more; without the team's thread. */
void	 team_looks_end(struct team *);

/* --- last.c --- */

/* Ask the store for those of these that are given up; in the thread that
 * looks. The client is made when it is needed first. */
void	 team_last_ask(struct team *, struct s3 **, struct look **, size_t);
/* Its result: stored, if what the store holds is proved; else a failure. */
void	 team_last_decide(const struct team *, struct look *);

/* --- joint.c --- */

struct team_joint *team_joint_new(struct team *, struct team_task *whole);
void	 team_joint_forget(struct team *, struct team_joint *);
/* The task of a step, or of the whole again, is to be leased. */
void	 team_queue(struct team *, struct team_task *);
/* Is this failure of a step perhaps not one of the whole? */
bool	 team_is_worth_another(const struct err *);
/* About to be leased: a large file is opened first, if there are others to
 * send parts of it. */
void	 team_joint_begin(struct team *, struct team_task *);
bool	 team_joint_goes_on(const struct team_task *, const struct result *);
/* Parts of a file that has failed meanwhile need not be sent. */
bool	 team_joint_over(const struct team_task *);
void	 team_joint_drop(struct team *, struct team_task *);
/* The result of a task that is out of the desk. True: it was that of a step,
 * and the task is taken; false: it is the result of the whole file. */
bool	 team_joint_result(struct team *, struct team_task *,
	    struct result *);
/* Before the desk's tasks are freed. */
void	 team_joints_free(struct team *);

/* --- ranges.c --- */

/* About to be leased: the file of a large object is begun first, if there are
 * others to bring ranges of it. */
void	 team_ranges_begin(struct team *, struct team_task *);
/* Its ranges have all come to an end. */
void	 team_ranges_over(struct team *, struct team_joint *);
/* As team_joint_result. */
bool	 team_ranges_result(struct team *, struct team_task *,
	    struct fetch_item *);

/* --- recall.c --- */

/* Ask for it, if it is time. */
void	 team_recall(struct team *);
void	 team_returned(struct member *, const struct wire_returned *);

/* --- notes.c --- */

void	 team_note(struct member *, struct wire_note *);
void	 team_noted(struct team *, uint64_t worker);
/* The task is resolved by this member; a last note may follow. */
void	 team_note_ends(struct member *, const struct team_task *,
	    int64_t lease);
/* The result of this task went up, and an upload of which nobody knows may be
 * open: the run is to look for it when it ends. */
void	 team_note_unheard(struct team *, const struct team_task *);
/* Nothing more will come from this session. */
void	 team_notes_forget(struct team *, uint64_t session);

/* --- launch.c --- */

int	 team_launch(struct team *, struct err *) MUST_USE;
void	 team_launch_mail(struct team *, struct launch_mail *);
/* Fails the crew when nobody is left and nobody can come. */
void	 team_watch(struct team *);

#endif
