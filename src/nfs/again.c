/*
 * Mount again while a tree is in use. After a failover, or when the server was
 * told another export id, the handle of the root is stale, and with the root
 * all handles below. again.c looks the export up by path, as at the beginning,
 * on a separate connection. Each look-up that found the root stale waits for
 * the new root, and then begins again from the new root.
 */
#include "nfs/nfs.h"

#include <nfsc/libnfs-raw-mount.h>
#include <nfsc/libnfs-raw-nfs4.h>

enum step {
	STEP_ROOT = 0,		/* MNT, or the root of the server (v4) */
	STEP_DOWN,		/* v4: a directory of the path */
	STEP_ATTRS
};

struct nfs_again {
	struct nfs_call call;
	struct nfs *of;
	struct nfs *conn;
	const char *rest;	/* v4: of the path */
	enum step step;
	struct handle root;
	bool	 done;
	struct err err;		/* ... so */
};

static void on_step(struct nfs_call *, const struct nfs_reply *,
    const struct err *);

static void
begin_step(struct nfs_again *a, enum nfs_proc proc, enum step step)
{
	bool mount = a->conn->program == MOUNT_PROGRAM && proc != NFS_MNT;

	a->step = step;
	a->call.proc = proc;
	a->call.done = on_step;
	/* The mount service knows no attributes. */
	tnfs_begin(mount ? a->of : a->conn, &a->call);
}

/* Look up the next directory of the path; at the end of the path, get the
 * attributes. */
static void
go_down(struct nfs_again *a)
{
	handle_copy(&a->call.fh, &a->root);
	a->rest += strspn(a->rest, "/");
	if (*a->rest == '\0') {
		begin_step(a, NFS_GETATTR, STEP_ATTRS);
		return;
	}
	a->call.name = (struct str){ a->rest, strcspn(a->rest, "/") };
	a->rest += a->call.name.len;
	begin_step(a, NFS_LOOKUP, STEP_DOWN);
}

static void
on_step(struct nfs_call *call, const struct nfs_reply *reply,
    const struct err *err)
{
	struct nfs_again *a = (struct nfs_again *)call;

	if (err == NULL && a->step != STEP_ATTRS) {
		handle_copy(&a->root, &reply->fh);
		go_down(a);
		return;
	}
	a->done = true;
	if (err != NULL) {
		a->err = *err;
	} else if (reply->attrs.kind != ENTRY_DIR) {
		err_set(&a->err, ERR_RETRY, 0, "not a directory");
	} else if (tnfs_check_root(a->of, &reply->attrs, &a->err) == 0) {
		handle_copy(&a->of->root.fh, &a->root);
		a->of->root.attrs = reply->attrs;
	}
}

static struct nfs *
new_connection(const struct nfs *of)
{
	struct nfs *nfs = xcalloc(1, sizeof(*nfs));

	nfs->version = of->version;
	nfs->server = xstrdup(of->server);
	nfs->silence = of->silence;
	nfs->share = xstrdup(of->share);
	nfs->access = of->access;
	nfs->timeout_ms = of->timeout_ms;
	nfs->opening = true;
	tnfs_addresses_copy(&nfs->addresses, &of->addresses);
	TAILQ_INIT(&nfs->waiting);
	TAILQ_INIT(&nfs->sent);
	TAILQ_INIT(&nfs->failed);
	TAILQ_INIT(&nfs->again_waiters);
	return nfs;
}

static void
begin(struct nfs *nfs)
{
	struct nfs_again *a = nfs->again = xcalloc(1, sizeof(*a));

	a->of = nfs;
	a->conn = new_connection(nfs);
	a->rest = nfs->version->version == 3 ? "" : nfs->share;
	if (nfs->version->version == 3) {
		tnfs_connect(a->conn, MOUNT_PROGRAM, MOUNT_V3,
		    nfs->access.mountport);
		a->call.name = str_of(nfs->share);
		begin_step(a, NFS_MNT, STEP_ROOT);
	} else {
		tnfs_connect(a->conn, NFS4_PROGRAM, NFS_V4, nfs->port);
		begin_step(a, NFS_ROOT, STEP_ROOT);
	}
}

void
tnfs_mount_again(struct nfs *nfs, struct nfs_waiter *w)
{
	TAILQ_INSERT_TAIL(&nfs->again_waiters, w, link);
	if (nfs->again == NULL)
		begin(nfs);
}

static void
end(struct nfs *nfs)
{
	struct nfs_waiters waiters = TAILQ_HEAD_INITIALIZER(waiters);
	struct nfs_again *a = STEAL(nfs->again);
	struct nfs_waiter *w;
	struct err err = ERR_INIT;

	/* A server starts service by service: a refusal may pass. */
	if (a->err.kind != ERR_NONE)
		err_set(&err, nfs->stopping ? ERR_STOPPED : ERR_RETRY, 0,
		    "%s: the root of the export is stale, and it can't be "
		    "mounted again: %.120s", nfs->server, a->err.msg);
	tnfs_free(a->conn);
	free(a);
	TAILQ_CONCAT(&waiters, &nfs->again_waiters, link);
	while ((w = TAILQ_FIRST(&waiters)) != NULL) {
		TAILQ_REMOVE(&waiters, w, link);
		w->fn(w->arg, err.kind == ERR_NONE ? NULL : &err);
	}
}

void
tnfs_again_service(struct nfs *nfs, const struct pollfd *fds, int n)
{
	if (nfs->again == NULL)
		return;
	tnfs_service(nfs->again->conn, fds, n);
	if (nfs->again->done)
		end(nfs);
}

int
tnfs_again_fds(struct nfs *nfs, struct pollfd *fds, int max)
{
	return nfs->again == NULL ? 0 :
	    tnfs_fds(nfs->again->conn, fds, max);
}

int
tnfs_again_timeout(const struct nfs *nfs, int timeout_ms)
{
	int own = nfs->again == NULL ? -1 : tnfs_timeout(nfs->again->conn);

	return own < 0 ? timeout_ms : timeout_ms < 0 ? own :
	    MIN(own, timeout_ms);
}

void
tnfs_again_stop(struct nfs *nfs)
{
	tnfs_stop(nfs->again->conn);
	end(nfs);
}
