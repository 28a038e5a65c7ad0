/*
 * The connection of an NFS tree: a single libnfs context at a time, made anew
 * after every fault. libnfs' own reconnect stays off: libnfs would resend
 * outstanding calls without end and hold the old descriptor back.
 */
#include <assert.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "nfs/nfs.h"

#include <nfsc/libnfs-raw-mount.h>
#include <nfsc/libnfs-raw-portmap.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/silence.h"
#include "base/sock.h"

#define RETRY_BASE_MS	100
#define RETRY_CAP_MS	5000
#define LOOK_MS		1000	/* how often a silence is looked at */

static void start_connect(struct nfs *);

/* Callable from anywhere: mark the connection broken; tnfs_service takes the
 * connection down. */
static void
mark_broken(struct nfs *nfs, enum err_kind kind, const char *text)
{
	if (nfs->broken)
		return;
	nfs->broken = true;
	nfs->broken_kind = kind;
	snprintf(nfs->broken_text, sizeof(nfs->broken_text), "%s", text);
}

static void
put_aside(struct nfs_call *call, enum err_kind kind, const char *text)
{
	call->fail_kind = kind;
	call->fail_text = text;
	TAILQ_INSERT_TAIL(&call->nfs->failed, call, link);
}

static void
send_now(struct nfs_call *call)
{
	struct nfs *nfs = call->nfs;

	assert(nfs->version->send[call->proc] != NULL);
	if (nfs->version->send[call->proc](nfs->rpc, call) != 0) {
		put_aside(call, ERR_RESOURCE, "libnfs cannot send the call");
		return;
	}
	TAILQ_INSERT_TAIL(&nfs->sent, call, link);
}

void
tnfs_begin(struct nfs *nfs, struct nfs_call *call)
{
	uint64_t now = clock_mono_ms();

	call->nfs = nfs;
	call->deadline_ms = now + nfs->timeout_ms;
	silence_begin(nfs->silence, now);
	if (nfs->stopping)
		put_aside(call, ERR_STOPPED, "the tree is closed");
	else if (nfs->state == NFS_UP && !nfs->broken)
		send_now(call);
	else
		TAILQ_INSERT_TAIL(&nfs->waiting, call, link);
}

void
tnfs_end(struct nfs_call *call, const struct nfs_reply *reply,
    const struct err *err)
{
	TAILQ_REMOVE(&call->nfs->sent, call, link);
	call->nfs->attempts = 0;
	silence_end(call->nfs->silence, true, clock_mono_ms());
	call->done(call, reply, err);
}

void
tnfs_end_status(struct nfs_call *call, int status)
{
	struct err err = ERR_INIT;

	if (call->proc == NFS_MNT)
		tnfs_mount_status_err(&err, status);
	else
		tnfs_status_err(&err, tnfs_proc_name(call->proc), status);
	tnfs_end(call, NULL, &err);
}

void
tnfs_end_protocol(struct nfs_call *call, const char *text)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_PEER, 0, "%s: %s", tnfs_proc_name(call->proc), text);
	tnfs_end(call, NULL, &err);
}

bool
tnfs_no_answer(struct nfs_call *call, int rpc_status, const void *data)
{
	const char *text = data;
	struct nfs *nfs = call->nfs;
	enum err_kind kind;

	if (rpc_status == RPC_STATUS_SUCCESS && data != NULL)
		return false;
	TAILQ_REMOVE(&nfs->sent, call, link);
	if (rpc_status != RPC_STATUS_ERROR || text == NULL) {
		put_aside(call, ERR_RETRY, NULL);
		return true;
	}
	kind = tnfs_rpc_fault(text);
	if (kind == ERR_RETRY)
		mark_broken(nfs, ERR_RETRY, "the connection broke");
	put_aside(call, kind, kind == ERR_RETRY ? NULL :
	    kind == ERR_DENIED ? "the server does not accept AUTH_SYS" :
	    kind == ERR_UNREACHABLE ?
	    "the server does not offer this version of NFS" :
	    "the server rejects the call");
	return true;
}

/* Call the callbacks of the failed calls. */
static void
run_failed(struct nfs *nfs)
{
	struct nfs_calls calls = TAILQ_HEAD_INITIALIZER(calls);
	struct nfs_call *call;

	TAILQ_CONCAT(&calls, &nfs->failed, link);
	while ((call = TAILQ_FIRST(&calls)) != NULL) {
		struct err err = ERR_INIT;
		enum err_kind kind = call->fail_kind;
		const char *text = call->fail_text;
		/* Report a procedure missing on the server like NOTSUPP. */
		int code = kind == ERR_PEER ? NFS_UNSUPPORTED : 0;

		if (text == NULL) {
			text = nfs->broken_text;
			if (nfs->opening)
				kind = nfs->broken_kind;
		}
		if (nfs->stopping) {
			kind = ERR_STOPPED;
			text = "the tree is closed";
		}
		TAILQ_REMOVE(&calls, call, link);
		err_set(&err, kind, code, "%s: %s",
		    tnfs_proc_name(call->proc), text);
		if (!nfs->opening)
			err_wrap(&err, "%s", nfs->server);
		silence_end(nfs->silence, false, clock_mono_ms());
		call->done(call, NULL, &err);
	}
}

static void
drop_connection(struct nfs *nfs)
{
	/* libnfs cancels every call; the callbacks put the calls into
	 * nfs->failed. */
	if (nfs->rpc != NULL)
		rpc_destroy_context(nfs->rpc);
	nfs->rpc = NULL;
	nfs->state = NFS_DOWN;
	nfs->broken = false;
}

void
tnfs_disconnect(struct nfs *nfs, enum err_kind kind, const char *text)
{
	mark_broken(nfs, kind, text);
	drop_connection(nfs);
}

/* Down, and up again later; while opening, for good. */
static void
fail_connection(struct nfs *nfs)
{
	/* A connection that only broke may come back at once, as after a
	 * restart of the server: keep the address. A server that is absent or
	 * mute loses its turn: use the next address. */
	bool unreachable = nfs->state != NFS_UP ||
	    nfs->broken_kind == ERR_UNREACHABLE;
	uint64_t delay;

	drop_connection(nfs);
	if (nfs->opening) {
		struct nfs_call *call;

		while ((call = TAILQ_FIRST(&nfs->waiting)) != NULL) {
			TAILQ_REMOVE(&nfs->waiting, call, link);
			put_aside(call, nfs->broken_kind, NULL);
		}
		nfs->retry_ms = UINT64_MAX;
		return;
	}
	if (unreachable)
		tnfs_address_next(&nfs->addresses, true);
	nfs->attempts++;
	delay = backoff_ms(nfs->attempts, RETRY_BASE_MS, RETRY_CAP_MS,
	    rng_next(&nfs->rng));
	nfs->retry_ms = clock_mono_ms() + delay;
	log_event(LOG_DEBUG, EVENT_RECONNECT,
	    LOG_WITH(LOG_TEXT("server", nfs->server),
		LOG_TEXT("reason", nfs->broken_text), LOG_NUMBER("ms", delay)),
	    "%s in %ju ms: %s", nfs->server, (uintmax_t)delay,
	    nfs->broken_text);
}

void
tnfs_give_up(struct nfs *nfs, enum err_kind kind, const char *text)
{
	mark_broken(nfs, kind, text);
	fail_connection(nfs);
	run_failed(nfs);
}

static void
on_port(struct rpc_context *rpc UNUSED, int status, void *data, void *arg)
{
	struct nfs *nfs = arg;
	uint32_t port = 0;

	if (status == RPC_STATUS_CANCEL)
		return;
	if (status != RPC_STATUS_SUCCESS || data == NULL) {
		mark_broken(nfs, ERR_UNREACHABLE, "rpcbind does not answer");
		return;
	}
	memcpy(&port, data, sizeof(port));
	if (port == 0 || port > UINT16_MAX) {
		mark_broken(nfs, ERR_UNREACHABLE,
		    nfs->program == MOUNT_PROGRAM ?
		    "rpcbind knows no mount service" :
		    "rpcbind knows no NFS service of this version");
		return;
	}
	nfs->asked_port = port;
}

static unsigned
connect_port(const struct nfs *nfs)
{
	return nfs->state == NFS_ASKING ? PMAP_PORT : nfs->asked_port;
}

static void
cannot_connect(struct nfs *nfs, int code)
{
	char text[160], reason[96];

	snprintf(text, sizeof(text), "port %u: %s", connect_port(nfs),
	    code == 0 ? "cannot connect" :
	    strerror_r(code, reason, sizeof(reason)));
	mark_broken(nfs, ERR_UNREACHABLE, text);
}

static void
on_connect(struct rpc_context *rpc, int status, void *data UNUSED, void *arg)
{
	struct nfs *nfs = arg;

	if (status == RPC_STATUS_CANCEL)
		return;
	if (status != RPC_STATUS_SUCCESS) {
		cannot_connect(nfs, 0);
		return;
	}
	sock_forget_unsent(rpc_get_fd(rpc), nfs->unacked_ms);
	if (nfs->state == NFS_CONNECTING)
		nfs->state = NFS_UP;
	else if (rpc_pmap2_getport_async(rpc, nfs->program,
	    nfs->program_version, IPPROTO_TCP, on_port, nfs) != 0)
		mark_broken(nfs, ERR_RESOURCE, "libnfs cannot ask rpcbind");
}

/* Connect to rpcbind, or to the port if known. */
static void
start_connect(struct nfs *nfs)
{
	char text[160];
	unsigned port;

	nfs->broken = false;
	nfs->state = nfs->asked_port == 0 ? NFS_ASKING : NFS_CONNECTING;
	port = connect_port(nfs);
	nfs->connect_deadline_ms = clock_mono_ms() + nfs->timeout_ms;
	nfs->rpc = rpc_init_context();
	if (nfs->rpc == NULL) {
		mark_broken(nfs, ERR_RESOURCE, "libnfs: out of memory");
		return;
	}
	rpc_set_uid(nfs->rpc, (int)nfs->access.uid);
	rpc_set_gid(nfs->rpc, (int)nfs->access.gid);
	if (rpc_connect_async(nfs->rpc, tnfs_address(&nfs->addresses),
	    (int)port, on_connect, nfs) != 0) {
		snprintf(text, sizeof(text), "port %u: %.120s", port,
		    rpc_get_error(nfs->rpc));
		mark_broken(nfs, ERR_UNREACHABLE, text);
	}
}

void
tnfs_connect(struct nfs *nfs, int program, int version, unsigned port)
{
	tnfs_disconnect(nfs, ERR_RETRY, "another connection");
	nfs->program = program;
	nfs->program_version = version;
	nfs->port = port;
	nfs->asked_port = port;
	start_connect(nfs);
}

int
tnfs_fds(struct nfs *nfs, struct pollfd *fds, int max)
{
	if (nfs->rpc == NULL || max < 1 || rpc_get_fd(nfs->rpc) < 0)
		return 0;
	fds[0] = (struct pollfd){ .fd = rpc_get_fd(nfs->rpc),
	    .events = (short)rpc_which_events(nfs->rpc) };
	return 1;
}

static bool
is_asking(const struct nfs *nfs)
{
	return !TAILQ_EMPTY(&nfs->sent) || !TAILQ_EMPTY(&nfs->waiting);
}

int
tnfs_timeout(const struct nfs *nfs)
{
	uint64_t now = clock_mono_ms(), at = UINT64_MAX;
	const struct nfs_call *call;

	if (!TAILQ_EMPTY(&nfs->failed) || nfs->broken)
		return 0;
	if (nfs->state == NFS_DOWN)
		at = nfs->retry_ms;
	else if (nfs->state != NFS_UP)
		at = nfs->connect_deadline_ms;
	call = TAILQ_FIRST(&nfs->sent);
	if (call != NULL)
		at = MIN(at, call->deadline_ms);
	call = TAILQ_FIRST(&nfs->waiting);
	if (call != NULL)
		at = MIN(at, call->deadline_ms);
	if (is_asking(nfs))
		at = MIN(at, now + LOOK_MS);
	if (at == UINT64_MAX)
		return -1;
	return at <= now ? 0 : (int)MIN(at - now, 60000);
}

/* Return the poll events of the connection: from the caller's pollfds, or from
 * a poll here. */
static int
events_of(struct nfs *nfs, const struct pollfd *fds, int n)
{
	struct pollfd own;
	int fd = rpc_get_fd(nfs->rpc);

	for (int i = 0; i < n; i++) {
		if (fds[i].fd == fd)
			return fds[i].revents;
	}
	if (n > 0 || tnfs_fds(nfs, &own, 1) == 0 || poll(&own, 1, 0) != 1)
		return 0;
	return own.revents;
}

/* Let libnfs work on revents; then send the calls begun by the callbacks. */
static void
work(struct nfs *nfs, int revents)
{
	/* Here, because libnfs forgets the reason over the hang-up. */
	if ((revents & POLLERR) != 0 && nfs->state != NFS_UP) {
		int code = 0;
		socklen_t len = sizeof(code);

		getsockopt(rpc_get_fd(nfs->rpc), SOL_SOCKET, SO_ERROR, &code,
		    &len);
		cannot_connect(nfs, code);
		return;
	}
	/* A last answer may wait in front of the end of the connection. */
	if ((revents & POLLIN) != 0 && nfs->state == NFS_UP)
		revents &= ~(POLLERR | POLLHUP);
	if (revents != 0 && rpc_service(nfs->rpc, revents) != 0)
		mark_broken(nfs, ERR_RETRY, "the connection broke");
	if (!nfs->broken && nfs->state == NFS_UP &&
	    (rpc_which_events(nfs->rpc) & POLLOUT) != 0 &&
	    rpc_service(nfs->rpc, POLLOUT) != 0)
		mark_broken(nfs, ERR_RETRY, "the connection broke");
}

static void
send_waiting(struct nfs *nfs)
{
	struct nfs_call *call;

	while ((call = TAILQ_FIRST(&nfs->waiting)) != NULL) {
		TAILQ_REMOVE(&nfs->waiting, call, link);
		/* The wait was not the server's time to answer. */
		call->deadline_ms = clock_mono_ms() + nfs->timeout_ms;
		send_now(call);
	}
}

static void
check_limits(struct nfs *nfs)
{
	uint64_t now = clock_mono_ms();
	struct nfs_call *call = TAILQ_FIRST(&nfs->sent);
	char text[160];

	if (call != NULL && call->deadline_ms <= now && !nfs->broken) {
		/* The caller may have been late itself. */
		work(nfs, events_of(nfs, NULL, 0));
		call = TAILQ_FIRST(&nfs->sent);
	}
	if ((call != NULL && call->deadline_ms <= now) ||
	    ((nfs->state == NFS_ASKING || nfs->state == NFS_CONNECTING) &&
	    nfs->connect_deadline_ms <= now)) {
		snprintf(text, sizeof(text), "port %u: no answer within %u s",
		    connect_port(nfs), (nfs->timeout_ms + 999) / 1000);
		mark_broken(nfs, ERR_UNREACHABLE, text);
	}
	while ((call = TAILQ_FIRST(&nfs->waiting)) != NULL &&
	    call->deadline_ms <= now) {
		TAILQ_REMOVE(&nfs->waiting, call, link);
		put_aside(call, ERR_RETRY, nfs->broken_text[0] == '\0' ?
		    "no connection" : NULL);
	}
	if (is_asking(nfs))
		silence_look(nfs->silence, now);
}

void
tnfs_service(struct nfs *nfs, const struct pollfd *fds, int n)
{
	if (nfs->state == NFS_DOWN && nfs->retry_ms <= clock_mono_ms()) {
		nfs->asked_port = nfs->port;
		start_connect(nfs);
	} else if (nfs->rpc != NULL && !nfs->broken) {
		bool asking = nfs->state == NFS_ASKING;

		work(nfs, events_of(nfs, fds, n));
		if (asking && nfs->asked_port != 0 && !nfs->broken) {
			tnfs_disconnect(nfs, ERR_RETRY, "rpcbind has answered");
			start_connect(nfs);
		}
	}
	check_limits(nfs);
	if (nfs->broken)
		fail_connection(nfs);
	if (nfs->state == NFS_UP && !TAILQ_EMPTY(&nfs->waiting)) {
		send_waiting(nfs);
		work(nfs, 0);
		if (nfs->broken)
			fail_connection(nfs);
	}
	run_failed(nfs);
}

void
tnfs_stop(struct nfs *nfs)
{
	nfs->stopping = true;
	tnfs_disconnect(nfs, ERR_STOPPED, "the tree is closed");
	TAILQ_CONCAT(&nfs->failed, &nfs->waiting, link);
	/* A callback may begin more calls. */
	while (!TAILQ_EMPTY(&nfs->failed) || nfs->again != NULL) {
		run_failed(nfs);
		if (nfs->again != NULL)
			tnfs_again_stop(nfs);
	}
}

void
tnfs_free(struct nfs *nfs)
{
	tnfs_stop(nfs);
	free(nfs->server);
	free(nfs->share);
	tnfs_addresses_release(&nfs->addresses);
	tnfs_nested_free(nfs);
	free(nfs);
}

int
tnfs_check_root(const struct nfs *nfs, const struct attrs *a, struct err *err)
{
	if ((nfs->root_ino == 0 || a->ino == nfs->root_ino) &&
	    (nfs->root_fsid == 0 || a->fsid == nfs->root_fsid))
		return 0;
	return err_set(err, ERR_DENIED, 0, "%s:%s: this is another directory "
	    "or file system than PUT has seen (inode = ignore, if it is not; "
	    "it may have another number over another nfs_version)",
	    nfs->server, nfs->share);
}

int
tnfs_open(struct nfs **ret_nfs, const struct tree_spec *spec, struct err *err)
{
	struct nfs *nfs = xcalloc(1, sizeof(*nfs));
	AUTOFREE char *named = NULL;

	nfs->brief = spec->brief;
	nfs->server = xstrdup(spec->server);
	named = xasprintf("NFS server %s", nfs->server);
	nfs->silence = silence_of(named);
	nfs->share = xstrdup(spec->share);
	nfs->access = spec->access;
	nfs->timeout_ms = spec->timeout_ms == 0 ? 30000 : spec->timeout_ms;
	nfs->unacked_ms = spec->unacked_ms == 0 ? nfs->timeout_ms :
	    spec->unacked_ms;
	nfs->opening = true;
	nfs->stop = spec->stop;
	rng_seed(&nfs->rng, clock_mono_ns() ^ (uintptr_t)nfs);
	TAILQ_INIT(&nfs->waiting);
	TAILQ_INIT(&nfs->sent);
	TAILQ_INIT(&nfs->failed);
	TAILQ_INIT(&nfs->again_waiters);
	nfs->root_ino = spec->root_ino;
	nfs->root_fsid = spec->root_fsid;
	if (tnfs_mount(nfs, spec, err) == -1 ||
	    tnfs_check_root(nfs, &nfs->root.attrs, err) == -1) {
		tnfs_free(nfs);
		return -1;
	}
	nfs->opening = false;
	nfs->stop = NULL;
	*ret_nfs = nfs;
	return 0;
}
