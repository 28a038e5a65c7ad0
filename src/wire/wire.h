/*
 * wire.h: messages between master and client, over TCP and TLS 1.3 with the
 * run's key (an external PSK). See datamover-wire(5) for the bytes on the wire,
 * and wire.def, which the structs, tables and codec follow.
 *
 * A peer is a connection. No function here waits: poll the descriptor for
 * wire_events, then call wire_service. Messages to send wait in a queue; the
 * caller bounds the queue by looking at wire_queued. Input is bounded: a frame
 * by WIRE_FRAME_MAX (WIRE_HELLO_MAX before wire_accept), lists and texts by the
 * bytes of the frame.
 *
 * A stranger gets nothing: without the key the handshake fails, and a
 * connection without a HELLO is closed after WIRE_HELLO_MS. At most
 * WIRE_STRANGERS_MAX strangers are kept at once (the oldest is closed).
 *
 * Thread: only one thread at a time may use a peer.
 */
#ifndef WIRE_WIRE_H
#define WIRE_WIRE_H

#include <poll.h>

#include "base/buf.h"
#include "base/err.h"
#include "crypto/tls.h"
#include "model/delete.h"
#include "model/fetch_item.h"
#include "model/keyring.h"
#include "model/upload_note.h"
#include "model/setup.h"

#define WIRE_PROTOCOL	10
#define WIRE_FRAME_MAX	(8U << 20)
#define WIRE_HELLO_MAX	(4U << 10)
#define WIRE_HELLO_MS	10000
#define WIRE_STRANGERS_MAX 64

enum wire_type {
	WIRE_HELLO = 1,
	WIRE_WELCOME,
	WIRE_REFUSED,
	WIRE_SETUP,
	WIRE_READY,
	WIRE_WANT,
	WIRE_LEASE_PUT,
	WIRE_LEASE_FETCH,
	WIRE_LEASE_DELETE,
	WIRE_NOTED,
	WIRE_LIMITS,
	WIRE_BEAT,
	WIRE_STOP,
	WIRE_RESULTS,
	WIRE_FETCHED,
	WIRE_DELETED,
	WIRE_NOTE,
	WIRE_HEARTBEAT,
	WIRE_BYE,
	WIRE_RECALL,
	WIRE_RETURNED,
	WIRE_KEYS,
	WIRE_EXPIRED,
	WIRE__MAX
};

struct wire_hello {
	uint32_t protocol;
	char	*version;	/* version of the program */
	char	*host;
	uint64_t pid;
	uint32_t client;	/* number from the invitation; 0: joins by
				   itself */
	uint8_t	 channel;	/* 0: index, 1: status */
};
struct wire_welcome {
	uint32_t client;
	uint64_t silence_ms;	/* a peer silent for so long is lost */
};
struct wire_refused {
	char	*reason;
};
struct wire_ready {
	uint32_t workers;
	uint32_t slots;		/* requests that the client can have under
				   way */
};
struct wire_want {
	uint32_t items;
	uint64_t bytes;
};
struct wire_lease_put {
	int64_t	 lease;
	struct item *items;
	size_t	 count;
};
struct wire_fetch {		/* an item of WIRE_LEASE_FETCH */
	int64_t	 id;
	struct fetch_item *item; /* what to fetch */
};
struct wire_lease_fetch {
	int64_t	 lease;
	struct wire_fetch *v;
	size_t	 count;
};
struct wire_lease_delete {
	int64_t	 lease;
	int64_t	 id;
	struct delete_batch *batch; /* keys */
};
struct wire_noted {
	int64_t	 object;
	uint32_t worker;
};
struct wire_limits {
	uint64_t bwlimit;	/* bytes a second; 0: no limit */
	uint64_t tpslimit;	/* requests in 1,000 seconds; 0: no limit */
};
struct wire_beat {
	uint64_t heard_ms;	/* sent_ms of the last heartbeat; 0: no
				   heartbeat */
};
struct wire_stop {
	uint64_t limit_ms;	/* work under way may end in this time */
};
struct wire_results {
	int64_t	 lease;
	struct result *v;
	size_t	 count;
};
struct wire_fetched {		/* results of fetched items */
	int64_t	 lease;
	struct wire_fetch *v;
	size_t	 count;
};
struct wire_deleted {
	int64_t	 lease;
	int64_t	 id;
	struct delete_batch *batch; /* errors and version ids, without keys */
};
struct wire_note {
	int64_t	 lease;
	struct upload_note *note;
};
struct wire_heartbeat {
	uint64_t requests;
	uint64_t retries;
	uint64_t slowdowns;
	uint64_t bytes_sent;
	uint64_t bytes_received;
	uint64_t bytes_read;	/* bytes read from files */
	uint64_t in_hand;	/* items without a result */
	uint64_t sent_ms;	/* by the client's clock; BEAT repeats it */
};
struct wire_bye {
	struct err err;		/* the reason; NONE: no work is left */
	bool	 idle;		/* no work that the client began is under way */
};

struct wire_recall {
	uint32_t items;		/* items not yet begun, at most */
};
struct wire_task_id {
	int64_t	 id;
};
struct wire_returned {		/* items returned without any work done */
	int64_t	 lease;
	struct wire_task_id *v;
	size_t	 count;
};

struct wire_keys {
	uint64_t number;	/* of the keys; see model/keyring.h */
	struct err err;		/* NONE: the keys follow; else the keys of this
				   number can't be renewed */
	struct keys keys;
};
struct wire_expired {
	uint64_t number;	/* of keys that the store calls expired */
};

/* A message; its type selects the member of the union. */
struct wire_msg {
	enum wire_type type;
	union {
		struct wire_hello hello;
		struct wire_welcome welcome;
		struct wire_refused refused;
		struct setup setup;
		struct wire_ready ready;
		struct wire_want want;
		struct wire_lease_put lease_put;
		struct wire_lease_fetch lease_fetch;
		struct wire_lease_delete lease_delete;
		struct wire_noted noted;
		struct wire_limits limits;
		struct wire_beat beat;
		struct wire_stop stop;
		struct wire_results results;
		struct wire_fetched fetched;
		struct wire_deleted deleted;
		struct wire_note note;
		struct wire_heartbeat heartbeat;
		struct wire_bye bye;
		struct wire_recall recall;
		struct wire_returned returned;
		struct wire_keys keys;
		struct wire_expired expired;
	} u;
};
/* Free everything that the message owns. A decoded message owns all its
 * content; take pieces with STEAL. */
void	 wire_msg_release(struct wire_msg *);

/* The codec alone; pure. wire_encode appends a whole frame. wire_decode reads
 * the payload of a frame: ERR_PEER unless the payload is exactly a message of
 * the type. */
void	 wire_encode(struct buf *, const struct wire_msg *);
int	 wire_decode(struct wire_msg *, unsigned type, struct str payload,
	    struct err *) MUST_USE;
/* Return the greatest number of bytes that the encoded message takes; used to
 * cut leases to size. */
size_t	 wire_size(const struct wire_msg *);
const char *wire_type_name(enum wire_type);	/* "HELLO" */

/* --- a connection --- */

struct wire_peer;
/* Begin to connect; wire_service may report errors later. Looking up a name may
 * wait (as long as the system's resolver does); an address does not wait. All
 * addresses of a name are tried in turn: callers must ask for the descriptor
 * before each poll. The system waits for minutes on an address that does not
 * answer: callers must set a limit of their own. The key proves the host, so
 * large frames are accepted at once. The first message must be a HELLO; send
 * nothing more before the answer. */
int	 wire_dial(struct wire_peer **, const char *host, unsigned port,
	    const uint8_t key[TLS_KEY_LEN], struct err *) MUST_USE;
/* Close the connection; send queued messages if that is possible without
 * waiting. */
void	 wire_close(struct wire_peer **);
int	 wire_fd(const struct wire_peer *);
short	 wire_events(const struct wire_peer *);	/* for poll(2) */
/* Queue a message; the caller keeps the message. A message larger than
 * WIRE_FRAME_MAX ends the connection with ERR_BUG. */
void	 wire_send(struct wire_peer *, const struct wire_msg *);
size_t	 wire_queued(const struct wire_peer *);	/* bytes not yet sent */
/* Call after a HELLO: accept large frames from now on. */
void	 wire_accept(struct wire_peer *);
/* Return "address:port" of the remote end, for messages to people. */
const char *wire_name(const struct wire_peer *);
/* Do everything that needs no waiting. fn is called for each message; fn may
 * take pieces of the message with STEAL (the rest is released) and may queue
 * messages, but must not close the peer. Return -1 if the connection has ended:
 * UNREACHABLE (closed, reset, refused), DENIED (wrong key), PEER (not our
 * protocol), STOPPED (fn returned false). */
typedef bool wire_msg_fn(void *arg, struct wire_msg *);
int	 wire_service(struct wire_peer *, wire_msg_fn *, void *arg,
	    struct err *) MUST_USE;

/* --- the master's side --- */

struct wire_listener;
/* Listen. host NULL: all addresses. port 0: any free port; see wire_port. */
int	 wire_listen(struct wire_listener **, const char *host, unsigned port,
	    const uint8_t key[TLS_KEY_LEN], struct err *) MUST_USE;
void	 wire_listen_free(struct wire_listener **);
unsigned wire_port(const struct wire_listener *);
/* Return the descriptors to poll: the listener's and the strangers'. */
size_t	 wire_listen_fds(const struct wire_listener *, struct pollfd *,
	    size_t max);
/* Accept connections, continue handshakes, close strangers that are late. Call
 * this function after each poll, and at least once a second. fn gets each peer
 * that has sent its HELLO, and owns the peer; the HELLO is released afterwards.
 * If the protocol is foreign, only its number is known: answer with REFUSED,
 * and close. */
typedef void wire_hello_fn(void *arg, struct wire_peer *,
	    struct wire_hello *);
void	 wire_listen_service(struct wire_listener *, uint64_t now_ms,
	    wire_hello_fn *, void *arg);

#endif
