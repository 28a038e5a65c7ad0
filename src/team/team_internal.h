/*
 * team_internal.h: the inside of a team (crew/crew.h): the master's side of its
 * clients. A single thread owns all data except "locked". The thread polls the
 * listeners, the clients' connections and its mailbox, through which the run's
 * thread and the launch threads send orders.
 */
#ifndef TEAM_TEAM_INTERNAL_H
#define TEAM_TEAM_INTERNAL_H

#include <pthread.h>

#include "absence/asker.h"
#include "conf/conf.h"
#include "crew/crew_internal.h"
#include "launch/launch.h"
#include "lease/dispatch.h"
#include "lease/split_plan.h"
#include "model/mail.h"
#include "s3/s3.h"
#include "team/team.h"
#include "wire/wire.h"

#define TEAM_CLIENTS_MAX 10000	/* clients of a run, at most */
#define TEAM_SPLITS_MAX	64	/* at a time; further large files stay whole */

/* --- work --- */

enum task_kind {
	TASK_PUT = 0,
	TASK_FETCH,
	TASK_DELETE
};

/* The stored values of an object: TEST asks clients to compute these values. */
struct secret {
	struct stored stored;
	char	 etag[sizeof(((struct fetch_item *)0)->etag)];
};

struct team_task {
	struct task task;	/* must be the first member: the dispatcher's */
	enum task_kind kind;
	/* PUT: lease and object in the catalog; item.object is the number of
	 * the task */
	int64_t	 lease;
	int64_t	 object;
	struct item item;	/* TEST: the file, once the master looks */
	bool	 alone;		/* a single client must do the whole task */
	int64_t	 unheard_sec;	/* time of an upload intent whose client was
				   lost before it reported the upload; or 0 */
	unsigned changes;	/* how often clients found the file changed */
	unsigned failers[3];	/* numbers of clients that failed; 0: unused */
	unsigned elsewhere;	/* number of a client that met a wrong file
				   system at the path of the file; 0: none */
	/* Losses of clients that had the task in hand: does the task kill its
	 * clients? */
	struct {
		unsigned all;
		unsigned counted;	/* losses counted by host and by kind */
		unsigned host[2];	/* client numbers, for the hosts; 0:
					   unused */
		bool	 harmless;	/* a loss by good-bye or by silence was
					   counted */
		unsigned alone;		/* losses with the task as the only
					   task */
		unsigned killed_alone;	/* ... in which the connection broke */
	} lost;
	struct split *split;	/* of a large file; set in the tasks of its
				   ranges too */
	struct fetch_item *fetch;
	struct secret *secret;	/* TEST: values that the client must not know */
	struct delete_batch *batch;
	struct delete_batch *rest; /* rows for a second client to retry; or
				     NULL */
	size_t	*rest_at;	/* for each row of rest: its index in batch */
};

/* A large file whose ranges several clients move. */
struct split {
	struct split *next;
	struct split_plan plan;
	struct team_task *whole;
	size_t	 open;		/* number of open tasks of its ranges */
	bool	 failed;
	struct err err;		/* why it failed */
	uint64_t began_ms;
};

/* Destination of the answer to a note. */
struct route {
	unsigned client;	/* client number; 0: unused */
	uint64_t session;
	int64_t	 task;
	uint32_t worker;
};

/* The result of a task came; a note on the end of its upload follows. */
struct closing {
	uint64_t session;
	int64_t	 lease;		/* the team's lease */
	int64_t	 task;
	int64_t	 catalog_lease;
	int64_t	 object;
};

/* --- clients --- */

enum client_state {
	CLIENT_LAUNCHING = 0,	/* invited; the program does not run yet */
	CLIENT_AWAITED,		/* the program runs and has not called yet */
	CLIENT_JOINED,		/* the client has called */
	CLIENT_WORKING,		/* the client has sent READY */
	CLIENT_LOST,
	CLIENT_FAILED,		/* the launch failed, or the client gave up */
	CLIENT_ENDED		/* the client said good-bye */
};

struct team_client {
	struct team *team;
	unsigned number;	/* 1 + index in team.clients */
	enum client_state state;
	bool	 invited;	/* launched by the master */
	bool	 running;	/* launched, and not seen to end */
	char	 host[64];
	uint64_t pid;
	uint64_t session;	/* number of the session; never used twice */
	struct wire_peer *index;
	struct wire_peer *status;
	bool	 ready;
	bool	 leave;		/* close at the end of this turn; err says
				   why */
	bool	 idle;		/* the client said that no work is under way */
	bool	 harmless;	/* lost by good-bye or by silence, so not killed
				   by a task in hand */
	bool	 brought;	/* a result came in this session */
	bool	 elsewhere;	/* the log says that the client meets a wrong
				   file system below an export */
	bool	 barred;	/* the client sees a different tree */
	unsigned fruitless;	/* lost sessions of the host in a row without a
				   result */
	struct err err;		/* reason of LOST or FAILED */
	bool	 said_why;	/* err is the best reason known: keep err */
	uint64_t keys_number;	/* of the keys that the client has */
	uint64_t keys_given_up;	/* number of the keys that, as the client
				   knows, can't be renewed; 0: none */
	uint32_t want_items;
	uint64_t want_bytes;
	unsigned misses;	/* failures in a row that the client may
				   cause */
	uint64_t probe_ms;	/* give no work before, if misses are too
				   many */
	uint64_t since_ms;	/* when the state was entered */
	uint64_t heard_ms;
	uint64_t lapse_ms;	/* after a loss: the tasks stay with the client
				   until then, see crew/fence.h; 0: no */
	uint64_t stamp_ms;	/* sent_ms of the last heartbeat, by the
				   client's clock */
	uint64_t beat_ms;
	uint64_t busy_ms;	/* when the client last had work; 0: never */
	bool	 limit_busy;	/* was busy when the limits were divided */
	uint64_t signs;		/* number of messages that report work */
	struct {
		uint64_t sum;	/* sum of signs and bytes */
		uint64_t since_ms; /* no change of sum since, with work in
				      hand */
		bool	 worked; /* sum has grown in this session */
	} stall;
	/* for people */
	uint64_t moved;
	uint64_t failed;
	uint64_t bytes;		/* bytes in results: heartbeats come later */
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

/* Types of mail to the team's thread. */
enum {
	TEAM_LEASE = MAIL__OWN, /* struct lease */
	TEAM_FETCH,		/* struct fetch_item */
	TEAM_DELETE,		/* struct delete_batch */
	TEAM_NOTED,		/* struct team_order: a is the worker */
	TEAM_LOOKED,		/* struct look: see look.c */
	TEAM_NO_MORE,
	TEAM_STOP,		/* struct team_order: a is limit_ms */
	TEAM_LIMITS,		/* struct team_order: a is bwlimit, b is
				   tpslimit */
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
	uint8_t	 key[TLS_KEY_LEN];
	bool	 open;		/* clients may join: a key file is configured */
	bool	 dest_shared;	/* all clients write to the same destination */
	uint64_t silence_ms;
	pthread_t thread;
	bool	 has_thread;

	uint64_t began_ms;	/* clock_boot_ms */

	/* private to the thread */
	uint64_t now_ms;
	uint64_t turn_ms;	/* time of the last turn */
	struct wire_listener *listen_index;
	struct wire_listener *listen_status;
	struct launch *launch;
	bool	 launch_stopped;
	struct team_client **clients;
	size_t	 client_count;
	uint64_t recall_ms;	/* when RECALL was last sent */
	size_t	 first_served;	/* first index to serve: gives every client its
				   turn */
	uint64_t sessions;
	struct pollfd *fds;
	size_t	 fd_cap;
	struct dispatcher *dispatcher;
	int64_t	 last_task;
	size_t	 deletions;	/* open batches */
	struct {
		struct mailbox *in;	/* struct look; NULL: no thread */
		pthread_t thread;
		_Atomic bool stop;
	} look;
	struct task **taken;	/* tasks of the lease being made */
	size_t	 taken_cap;
	struct results *batch;	/* results to go up, of a single catalog
				   lease */
	struct route *routes;
	size_t	 route_count;
	struct split *splits;
	size_t	 split_count;
	struct closing *closing;
	size_t	 closing_count;
	uint64_t bwlimit;	/* bytes a second of all clients together */
	uint64_t tpslimit;
	size_t	 limited;	/* number of clients that the limits were
				   divided by; 0: not divided yet */
	uint64_t limited_ms;
	bool	 stopping;
	uint64_t stop_ms;	/* when all clients must have gone */
	bool	 ending;	/* crew_free waits for the thread */
	bool	 failed;	/* the crew has failed, and the run was told */
	uint64_t first_ms;	/* when the first client came; 0: none yet */
	uint64_t alone_ms;	/* since when no client is here; 0: clients are
				   here */
	bool	 waiting_said;
	uint64_t given_in;	/* items given to the crew that the thread has
				   seen */
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

/* --- clients.c --- */

#define MISSES_MAX	16	/* failures in a row; then distrust */
#define PROBE_MS	5000	/* time until a distrusted client gets a task */

const char *team_state_name(enum client_state);
struct team_client *team_client_new(struct team *, const char *host);
/* Return the client of this number, or NULL. */
struct team_client *team_client(struct team *, uint64_t number);
size_t	 team_clients_up(const struct team *);
/* hoped: clients that are up or may still come. soon: clients that are up or
 * are likely to come within a moment. */
size_t	 team_clients_hoped(const struct team *);
size_t	 team_clients_soon(const struct team *);
/* May the client get tasks like any other? */
bool	 team_is_able(const struct team_client *);
/* Give the client only a single task now and then, as long as clients without
 * failures are up. */
void	 team_distrust(struct team_client *);
void	 team_say_stop(struct team *, uint64_t limit_ms);
/* Does a lost client still hold tasks, as it might still change files? */
bool	 team_lapsing(const struct team *);
void	 team_clients_free(struct team *);

/* --- client.c --- */

void	 team_hello(void *team, struct wire_peer *, struct wire_hello *);
/* Fill in the descriptors to poll; serve the connections that poll reported. */
size_t	 team_clients_fds(struct team *, struct pollfd *);
void	 team_clients_service(struct team *, const struct pollfd *);
/* Send heartbeats; lose clients that are silent. */
void	 team_clients_turn(struct team *);
/* A client of this host sees another tree: all of the host's are sent away. */
bool	 team_is_barred(const struct team *, const struct team_client *);

/* --- leave.c --- */

/* Close the connections of the client. Other clients get its tasks as soon as
 * the lost client can change nothing any more. err NULL: the client ended as
 * intended. */
void	 team_lost(struct team *, struct team_client *, const struct err *);
/* Release the tasks of a lost client. Call only if the client can change
 * nothing any more: its process has ended, or its time is over. */
void	 team_lapse(struct team *, struct team_client *);

/* --- publish.c --- */

/* Publish sums and lines for crew_stats and crew_clients: now, or only when
 * PUBLISH_MS is over. */
void	 team_publish(struct team *, bool now);

/* --- keys.c --- */

/* The store calls the keys of this number expired, which the client has. */
void	 team_expired(struct team_client *, uint64_t number);
/* Send the keys in force to clients that have others. */
void	 team_keys_turn(struct team *);

/* --- stall.c --- */

/* The client has joined: begin to watch its work. */
void	 team_stall_begin(struct team_client *);
/* Lose clients without progress. was_away: the master's process was stopped: do
 * not blame the clients. */
void	 team_stalls(struct team *, bool was_away);

/* --- limits.c --- */

void	 team_limits_first(const struct team *, struct setup *);
/* Divide the limits anew if clients came, went, or changed between busy and
 * idle; again: divide in any case. */
void	 team_divide_limits(struct team *, bool again);

/* --- task.c --- */

struct team_task *team_task_new(struct team *, enum task_kind,
	    uint64_t bytes);
void	 team_task_free(struct team_task *);
/* The client was lost with this task in hand. */
void	 team_task_lost(struct team_client *, struct team_task *);
/* Return the rows that a client is asked to delete. */
struct delete_batch *team_asked(const struct team_task *);
/* Return the result of a file that failed. */
struct result team_failed(const struct team_task *, const struct err *,
	    unsigned attempts);
/* Count an outcome in the figures for people. */
void	 team_count(struct team_client *, enum outcome);
/* Pass a result to the run: of a file; of an object, or of deletions, which is
 * in the task. The task must be out of the dispatcher; the functions take the
 * task and the content of the result. */
void	 team_put_result(struct team *, struct team_task *, struct result *);
void	 team_put_fetched(struct team *, struct team_task *);
void	 team_put_deleted(struct team *, struct team_task *);
/* Make the client's answer the result of the task, and pass it to the run. */
void	 team_take_answer(struct team_client *, struct team_task *,
	    const struct fetch_item *answer);
/* Send up the results that wait for more results of their lease. */
void	 team_flush(struct team *);

/* --- results.c --- */

void	 team_results(struct team_client *, struct wire_results *);
void	 team_fetched(struct team_client *, struct wire_fetched *);
/* Return -1 if the answer does not fit the request. */
int	 team_deleted(struct team_client *, struct wire_deleted *, struct err *)
	    MUST_USE;
/* End a task of deletions; like team_put_deleted. */
void	 team_deletions_failed(struct team *, struct team_task *,
	    const struct err *);

/* --- work.c --- */

void	 team_take_lease(struct team *, struct lease *);
void	 team_take_fetch(struct team *, struct fetch_item *);
void	 team_take_delete(struct team *, struct delete_batch *);
/* Give leases to clients in want of work. */
void	 team_serve(struct team *);
size_t	 team_enough(struct team *);
void	 team_work_free(struct team *);

/* --- trust.c --- */

/* team_hide moves the values that TEST asks a client for into the task's
 * secret; team_reveal moves the values back. */
void	 team_hide(struct team *, struct team_task *);
void	 team_reveal(struct team_task *);
/* Turn an impossible result into a failure of its client, and log the name of
 * the client. */
void	 team_believe(struct team_client *, const struct team_task *,
	    struct result *);

/* --- look.c --- */

/* A result that the master checks by looking at the file. */
struct look {
	struct mail mail;
	struct team_task *task;
	struct result result;	/* TEST: what the answer says of the file */
	struct fetch_item *answer; /* TEST: owned; else NULL */
	unsigned client;	/* client that sent the result; 0: the file is
				   given up */
	uint64_t due_ms;	/* look not before */
	struct absence_question q;
	struct {		/* given up: reply of the store for its key */
		struct held_answer answer;
		char	*version_id;
	} store;
};

/* Must the master look at the file? */
bool	 team_needs_look(const struct result *);
/* Look if the master must: take the result and the task, which must be out of
 * the dispatcher; the decision comes later, by mail. Return false if the
 * result, perhaps now a failure, is final. */
bool	 team_look(struct team_client *, struct team_task *, struct result *);
/* Like team_needs_look and team_look, for an answer to a task of TEST; takes
 * the answer, too, which is then NULL. */
bool	 team_needs_look_fetched(const struct team *, const struct team_task *,
	    const struct fetch_item *answer);
bool	 team_look_fetched(struct team_client *, struct team_task *,
	    struct fetch_item **answer);
/* Like team_look, for a file given up with this result. */
bool	 team_look_last(struct team *, struct team_task *, struct result *);
void	 team_looked(struct team *, struct mail *);
/* Log that the client sees another tree: what follows the path says why, and
 * what the client gets from now on. */
void	 team_other_tree(const struct team_client *, const char *path,
	    const char *what);
/* End the thread of the looks. Call only when the team's thread has ended. */
void	 team_looks_end(struct team *);

/* --- last.c --- */

/* Ask the store for the files in v that are given up. Called in the thread that
 * looks; makes the S3 client on first use. */
void	 team_last_ask(struct team *, struct s3 **, struct look **, size_t);
/* Decide the result of a file that is given up: stored if the store's reply
 * proves the file, else a failure. */
void	 team_last_decide(const struct team *, struct look *);

/* --- split.c --- */

/* Call before a task is leased: make a large file's first step if other clients
 * can move ranges of the file. */
void	 team_split_begin(struct team *, struct team_task *);
/* Does the upload go on after this result? */
bool	 team_split_goes_on(const struct team_task *, const struct result *);
/* Has the file of this range failed meanwhile? Then drop the range instead of
 * leasing it. */
bool	 team_split_over(const struct team_task *);
void	 team_split_drop(struct team *, struct team_task *);
/* Take the result of a task that is out of the dispatcher. Return true for a
 * result of a step: the function takes the task. Return false for the result of
 * the whole file. */
bool	 team_split_put(struct team *, struct team_task *, struct result *);
bool	 team_split_get(struct team *, struct team_task *,
	    struct fetch_item *);
/* Call before the tasks of the dispatcher are freed. */
void	 team_splits_free(struct team *);

/* --- recall.c --- */

/* Send RECALL to slow clients, if the time has come. */
void	 team_recall(struct team *);
void	 team_returned(struct team_client *, const struct wire_returned *);

/* --- notes.c --- */

void	 team_note(struct team_client *, struct wire_note *);
void	 team_noted(struct team *, uint64_t worker);
/* The client resolved the task; a note on the end of the upload may follow. */
void	 team_note_ends(struct team_client *, const struct team_task *,
	    int64_t lease);
/* Forget the notes expected from a session that has ended. */
void	 team_notes_forget(struct team *, uint64_t session);

/* --- launch.c --- */

int	 team_launch(struct team *, struct err *) MUST_USE;
void	 team_launch_mail(struct team *, struct launch_mail *);
/* Fail the crew when no client is left and no client can come. */
void	 team_watch(struct team *);

#endif
