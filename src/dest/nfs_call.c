/*
 * Run NFS calls to their end, and keep the connections for the calls.
 */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/random.h>

#include "dest/nfs_internal.h"

#include "base/clock.h"

#define LOOK_MS		100	/* how often stop_at_ms is looked at */
#define PAUSE_MS	100	/* before a call is made again ... */
#define PAUSE_MAX_MS	2000	/* ... doubled up to this */
#define LAST_MS		1000	/* after stop_at_ms, for the last calls of
				   files */
#define IO_TRIES	3	/* of a call failed by the server's disk */
#define STATE_TRIES	4	/* of a new client id or owner */

#define NFSERR_IO	5

/* May this process still write? See valid_until_ms of struct tree_spec. */
static bool
is_valid(const struct dest_nfs *d)
{
	uint64_t until = d->spec.valid_until_ms == NULL ? 0 :
	    atomic_load(d->spec.valid_until_ms);

	return until == 0 || clock_mono_ms() < until;
}

/* Wait until this process may write; return false if the process must stop. */
static bool
await_valid(struct dest_nfs *d)
{
	while (!is_valid(d)) {
		if (atomic_load(&d->stopping))
			return false;
		poll(NULL, 0, LOOK_MS);
	}
	return true;
}

/* --- connections --- */

static void
conn_free(struct dnfs_conn *c)
{
	tnfs_free(c->nfs);
	free(c);
}

static int
conn_open(struct dest_nfs *d, struct dnfs_conn **ret, struct err *err)
{
	struct dnfs_conn *c;
	struct nfs *nfs;

	if (atomic_load(&d->stopping))
		return err_set(err, ERR_STOPPED, 0, "stopped");
	if (tnfs_open(&nfs, &d->spec, err) == -1)
		return -1;
	c = xcalloc(1, sizeof(*c));
	c->nfs = nfs;
	while (getrandom(&c->open.instance, sizeof(c->open.instance), 0) !=
	    (ssize_t)sizeof(c->open.instance))
		continue;
	*ret = c;
	return 0;
}

static int
conn_take(struct dest_nfs *d, struct dnfs_conn **ret, struct err *err)
{
	struct dnfs_conn *c;

	if (!await_valid(d))
		return err_set(err, ERR_STOPPED, 0, "stopped");
	pthread_mutex_lock(&d->lock);
	c = d->locked.idle;
	if (c != NULL)
		d->locked.idle = c->next;
	pthread_mutex_unlock(&d->lock);
	if (c == NULL)
		return conn_open(d, ret, err);
	/* Handle events received while idle, such as the end of the
	 * connection. */
	tnfs_service(c->nfs, NULL, 0);
	*ret = c;
	return 0;
}

static void
conn_put(struct dest_nfs *d, struct dnfs_conn *c)
{
	if (c->stopped) {
		conn_free(c);
		return;
	}
	pthread_mutex_lock(&d->lock);
	c->next = d->locked.idle;
	d->locked.idle = c;
	pthread_mutex_unlock(&d->lock);
}

void
dnfs_drop_idle(struct dest_nfs *d)
{
	struct dnfs_conn *c;

	while ((c = d->locked.idle) != NULL) {
		d->locked.idle = c->next;
		conn_free(c);
	}
}

int
dnfs_first(struct dest_nfs *d, struct err *err)
{
	struct dnfs_conn *c;

	if (conn_open(d, &c, err) == -1)
		return -1;
	dnfs_set_root(d, &c->nfs->root.fh);
	d->read_max = c->nfs->root.read_max;
	d->write_max = c->nfs->write_max;
	conn_put(d, c);
	return 0;
}

int
dnfs_export_again(struct dest_nfs *d, struct handle *root, struct err *err)
{
	struct dnfs_conn *c;

	if (conn_open(d, &c, err) == -1)
		return -1;
	handle_copy(root, &c->nfs->root.fh);
	conn_put(d, c);
	return 0;
}

void
dnfs_root(struct dest_nfs *d, struct handle *root)
{
	pthread_mutex_lock(&d->lock);
	handle_copy(root, &d->locked.root);
	pthread_mutex_unlock(&d->lock);
}

void
dnfs_set_root(struct dest_nfs *d, const struct handle *root)
{
	pthread_mutex_lock(&d->lock);
	handle_copy(&d->locked.root, root);
	pthread_mutex_unlock(&d->lock);
}

/* --- calls --- */

static void
on_done(struct nfs_call *call, const struct nfs_reply *reply,
    const struct err *err)
{
	struct dnfs_call *k = (struct dnfs_call *)(void *)call;

	k->done = true;
	k->failed = err != NULL;
	if (err != NULL)
		k->err = *err;
	else
		k->reply = *reply;
}

static bool
all_done(const struct dnfs_call *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!calls[i].done)
			return false;
	return true;
}

/* Run the calls until all have ended, or must end. */
static void
conn_run(struct dest_nfs *d, struct dnfs_conn *c, struct dnfs_call *calls,
    size_t n)
{
	for (size_t i = 0; i < n; i++) {
		calls[i].done = calls[i].failed = false;
		calls[i].call.done = on_done;
		calls[i].call.change = &calls[i].change;
		tnfs_begin(c->nfs, &calls[i].call);
	}
	while (!all_done(calls, n)) {
		struct pollfd fd;
		int count = tnfs_fds(c->nfs, &fd, 1);
		int ms = tnfs_timeout(c->nfs);
		uint64_t end = atomic_load(&d->stop_at_ms);

		poll(&fd, (nfds_t)count, ms < 0 ? LOOK_MS : MIN(ms, LOOK_MS));
		tnfs_service(c->nfs, NULL, 0);
		if (calls[0].last && end != UINT64_MAX)
			end += LAST_MS;
		/* Bytes in the kernel's send queue must not arrive while
		 * another client writes: freeing the libnfs context resets the
		 * connection. */
		if ((clock_mono_ms() >= end || !is_valid(d)) &&
		    !all_done(calls, n)) {
			c->stopped = true;
			tnfs_stop(c->nfs);
		}
	}
}

/* Return true if the same call may succeed later. */
static bool
passes(const struct err *err)
{
	return (err->kind == ERR_RETRY && !tnfs_is_stale(err)) ||
	    err->kind == ERR_UNREACHABLE;
}

/* Translate an NFS status for a destination. */
static int
explain(struct err *err)
{
	switch (err->code) {
	case 20:	/* NOTDIR */
	case 21:	/* ISDIR */
	case 10029:	/* SYMLINK */
		err->kind = ERR_INVALID;
		break;
	case 27:	/* FBIG */
		err->kind = ERR_RESOURCE;
		break;
	case 70:	/* STALE */
	case 10001:	/* BADHANDLE */
	case 10014:	/* FHEXPIRED */
		err->code = ESTALE;
		break;
	default:
		break;
	}
	return -1;
}

/* The time limit for the tries of a call, and the number of tries so far. */
struct patience {
	uint64_t end_ms;
	unsigned tries;
	bool	 last;
};

static bool
stopped(struct dest_nfs *d)
{
	return clock_mono_ms() >= atomic_load(&d->stop_at_ms);
}

/* Wait before the next try; return false if no try is left. */
static bool
wait_again(struct dest_nfs *d, struct patience *p, const struct err *err)
{
	uint64_t now = clock_mono_ms(), until;

	/* No failure: the calls ended because the right to write ended. */
	if (err->kind == ERR_STOPPED && !atomic_load(&d->stopping))
		return await_valid(d);
	p->tries++;
	if (!passes(err) || p->last || now >= p->end_ms || stopped(d) ||
	    (err->code == NFSERR_IO && p->tries >= IO_TRIES))
		return false;
	until = now + MIN((uint64_t)PAUSE_MS << MIN(p->tries, 8U),
	    (uint64_t)PAUSE_MAX_MS);
	while (now < until && !stopped(d)) {
		poll(NULL, 0, (int)MIN(until - now, (uint64_t)LOOK_MS));
		now = clock_mono_ms();
	}
	return true;
}

static struct patience
begin_patience(struct dest_nfs *d, bool last)
{
	return (struct patience){ .last = last,
	    .end_ms = clock_mono_ms() + d->retry_for_ms };
}

int
dnfs_run_all(struct dest_nfs *d, struct dnfs_call *calls, size_t n,
    struct err *err)
{
	struct patience p = begin_patience(d, calls[0].last);
	struct dnfs_conn *c;

	for (;;) {
		struct err fault = ERR_INIT;
		const struct err *worst = &fault;

		if (conn_take(d, &c, &fault) == 0) {
			conn_run(d, c, calls, n);
			conn_put(d, c);
			worst = NULL;
			for (size_t i = 0; i < n; i++)
				if (calls[i].failed && (worst == NULL ||
				    passes(worst)))
					worst = &calls[i].err;
			if (worst == NULL)
				return 0;
		}
		/* Repeat all calls of the batch: a call may run twice on the
		 * server. */
		if (!wait_again(d, &p, worst)) {
			*err = *worst;
			return explain(err);
		}
	}
}

int
dnfs_run(struct dest_nfs *d, struct dnfs_call *k, struct err *err)
{
	return dnfs_run_all(d, k, 1, err);
}

/* --- single calls --- */

int
dnfs_getattr(struct dest_nfs *d, const struct handle *fh, struct attrs *ret,
    struct err *err)
{
	struct dnfs_call k = { .call.proc = NFS_GETATTR };

	handle_copy(&k.call.fh, fh);
	if (dnfs_run(d, &k, err) == -1)
		return -1;
	*ret = k.reply.attrs;
	return 0;
}

int
dnfs_setattr(struct dest_nfs *d, const struct handle *fh,
    const struct attrs_set *set, struct err *err)
{
	struct dnfs_call k = { .call.proc = NFS_SETATTR, .change.set = *set };

	handle_copy(&k.call.fh, fh);
	return dnfs_run(d, &k, err);
}

int
dnfs_lookup(struct dest_nfs *d, const struct handle *dir, struct str name,
    struct dnfs_entry *e, struct err *err)
{
	struct dnfs_call k = { .call.proc = NFS_LOOKUP, .call.name = name };

	handle_copy(&k.call.fh, dir);
	if (dnfs_run(d, &k, err) == -1)
		return err->kind == ERR_GONE ? err_set(err, ERR_GONE,
		    err->code, "nothing is there") : -1;
	handle_copy(&e->fh, &k.reply.fh);
	if (k.reply.attrs.kind == ENTRY_UNKNOWN) {
		k.call.proc = NFS_GETATTR;
		handle_copy(&k.call.fh, &e->fh);
		if (dnfs_run(d, &k, err) == -1)
			return -1;
	}
	e->attrs = k.reply.attrs;
	e->nlink = k.reply.nlink;
	return 0;
}

int
dnfs_remove(struct dest_nfs *d, const struct handle *dir, struct str name,
    bool last, struct err *err)
{
	struct dnfs_call k = { .call.proc = NFS_REMOVE, .call.name = name,
	    .last = last };

	handle_copy(&k.call.fh, dir);
	/* GONE: the call was perhaps sent twice. */
	if (dnfs_run(d, &k, err) == -1 && err->kind != ERR_GONE)
		return -1;
	return 0;
}

/* --- making files --- */

static int
conn_call(struct dest_nfs *d, struct dnfs_conn *c, struct dnfs_call *k,
    enum nfs_proc proc, struct err *err)
{
	k->call.proc = proc;
	k->change.open = &c->open;
	conn_run(d, c, k, 1);
	if (!k->failed)
		return 0;
	*err = k->err;
	return -1;
}

static void
take_entry(struct dnfs_entry *e, const struct nfs_reply *r)
{
	e->fh.len = r->fh.len;
	memcpy(e->fh.data, r->fh.data, r->fh.len);
	e->attrs = r->attrs;
	e->nlink = 1;
}

/* The server no longer knows the client id, the owner or the open. */
static bool
lost_state(const struct err *err)
{
	return err->code == 10011 || err->code == 10017 ||
	    err->code == 10022 || err->code == 10023 || err->code == 10025 ||
	    err->code == 10026;
}

/*
 * Open and close. An open-owner counts its calls with a seqid. After any
 * failure the seqid is unknown, so use a new owner. A remaining open on the
 * server ends with the lease.
 */
static int
open4(struct dest_nfs *d, struct dnfs_conn *c, struct dnfs_call *k,
    struct dnfs_entry *e, struct err *err)
{
	struct dnfs_call close = { .last = k->last };
	struct err unused = ERR_INIT;

	if (!c->has_clientid) {
		if (conn_call(d, c, k, NFS4_CLIENTID, err) == -1 ||
		    conn_call(d, c, k, NFS4_CLIENTID_CONFIRM, err) == -1)
			return -1;
		c->has_clientid = true;
	}
	if (conn_call(d, c, k, NFS4_OPEN, err) == -1) {
		c->open.owner++;
		c->open.seqid = 0;
		if (lost_state(err))
			c->has_clientid = false;
		return -1;
	}
	take_entry(e, &k->reply);
	close.call.fh.len = e->fh.len;
	memcpy(close.call.fh.data, e->fh.data, e->fh.len);
	c->open.seqid++;
	if (c->open.must_confirm) {
		if (conn_call(d, c, &close, NFS4_OPEN_CONFIRM, &unused) == -1)
			goto out;
		c->open.seqid++;
	}
	if (conn_call(d, c, &close, NFS4_CLOSE, &unused) == 0) {
		c->open.seqid++;
		return 0;
	}
out:
	/* The file exists nevertheless. */
	c->open.owner++;
	c->open.seqid = 0;
	return 0;
}

static int
create_once(struct dest_nfs *d, struct dnfs_call *k, struct dnfs_entry *e,
    struct err *err)
{
	struct dnfs_conn *c;
	int rc = -1;

	if (conn_take(d, &c, err) == -1)
		return -1;
	if (c->nfs->version->version == 3) {
		rc = conn_call(d, c, k, NFS_CREATE, err);
		if (rc == 0)
			take_entry(e, &k->reply);
	} else {
		for (int i = 0; rc == -1 && i < STATE_TRIES; i++) {
			rc = open4(d, c, k, e, err);
			if (rc == -1 && !lost_state(err))
				break;
		}
	}
	conn_put(d, c);
	return rc;
}

int
dnfs_create(struct dest_nfs *d, const struct handle *dir, struct str name,
    struct dnfs_entry *e, struct err *err)
{
	struct patience p = begin_patience(d, false);
	struct dnfs_call k = { .call.name = name };

	handle_copy(&k.call.fh, dir);
	k.change.set.has_mode = true;
	k.change.set.mode = 0600;
	while (create_once(d, &k, e, err) == -1)
		if (!wait_again(d, &p, err))
			return explain(err);
	if (e->fh.len > 0 && e->attrs.kind != ENTRY_UNKNOWN)
		return 0;
	/* An NFSv3 answer may lack the handle and the attributes. */
	return dnfs_lookup(d, dir, name, e, err);
}
