/*
 * Open an NFS tree: resolve the name, mount (v3) or walk to the export (v4),
 * ask for the limits. Only this code of the tree waits.
 */
#include <stdatomic.h>

#include "nfs/nfs.h"

#include <nfsc/libnfs-raw-mount.h>
#include <nfsc/libnfs-raw-nfs.h>
#include <nfsc/libnfs-raw-nfs4.h>

#include "base/clock.h"

#define STOP_LOOK_MS	100	/* how often stop is looked at */

/* A call to wait for. */
struct wait {
	struct nfs_call call;
	struct nfs_reply reply;
	struct err err;
	bool	 done;
	bool	 failed;
};

static void
on_done(struct nfs_call *call, const struct nfs_reply *reply,
    const struct err *err)
{
	struct wait *w = (struct wait *)call;

	w->done = true;
	if (err != NULL) {
		w->failed = true;
		w->err = *err;
	} else {
		w->reply = *reply;
	}
}

static void
check_end(struct nfs *nfs)
{
	char text[80];

	if (nfs->stop != NULL && atomic_load(nfs->stop)) {
		tnfs_give_up(nfs, ERR_STOPPED, "stopped");
	} else if (clock_mono_ms() >= nfs->open_end_ms) {
		snprintf(text, sizeof(text), "port %u: no answer in time",
		    nfs->asked_port == 0 ? nfs->port : nfs->asked_port);
		tnfs_give_up(nfs, ERR_UNREACHABLE, text);
	}
}

static int
wait_ms(const struct nfs *nfs)
{
	uint64_t now = clock_mono_ms();
	int timeout = tnfs_timeout(nfs);
	int left = nfs->open_end_ms <= now ? 0 :
	    (int)MIN(nfs->open_end_ms - now, (uint64_t)60000);

	if (nfs->stop != NULL)
		left = MIN(left, STOP_LOOK_MS);
	return timeout < 0 ? left : MIN(timeout, left);
}

/* Ends: the attempt has a limit. */
static int
wait_for(struct nfs *nfs, struct wait *w, enum nfs_proc proc,
    struct err *err)
{
	w->done = w->failed = false;
	w->call.proc = proc;
	w->call.done = on_done;
	tnfs_begin(nfs, &w->call);
	while (!w->done) {
		struct pollfd fd;
		int n = tnfs_fds(nfs, &fd, 1);

		poll(&fd, (nfds_t)n, wait_ms(nfs));
		tnfs_service(nfs, NULL, 0);
		if (!w->done)
			check_end(nfs);
	}
	if (!w->failed)
		return 0;
	/* A server that needs more time is unreachable for now. */
	if (w->err.kind == ERR_RETRY)
		w->err.kind = ERR_UNREACHABLE;
	*err = w->err;
	return -1;
}

/* Servers also deny a mount of paths that are not exported: ask whether the
 * server lists the export. */
static void
explain_denied(struct nfs *nfs, struct err *err)
{
	struct wait w = { .call.name = str_of(nfs->share) };
	struct err unused = ERR_INIT;

	if (wait_for(nfs, &w, NFS_EXPORTS, &unused) == 0 && !w.reply.listed)
		err_set(err, ERR_UNREACHABLE, err->code, "the server denies "
		    "the mount and lists no such export");
}

/* Mount the nested exports. A nested export that refuses the mount is no fault
 * of the export itself. */
static void
mount_nested(struct nfs *nfs)
{
	struct wait w = { .call.name = str_of(nfs->share) };
	struct err unused = ERR_INIT;

	tnfs_nested_free(nfs);
	if (wait_for(nfs, &w, NFS_EXPORTS, &unused) == -1)
		return;
	for (size_t i = 0; i < nfs->nested_count; i++) {
		struct nfs_nested *n = &nfs->nested[i];
		AUTOFREE char *path = xasprintf("%s/%s",
		    strcmp(nfs->share, "/") == 0 ? "" : nfs->share, n->path);

		w.call.name = str_of(path);
		if (wait_for(nfs, &w, NFS_MNT, &n->err) == 0)
			handle_copy(&n->fh, &w.reply.fh);
		else if (n->err.kind == ERR_GONE)
			n->err.kind = ERR_UNREACHABLE;
		if (n->err.kind != ERR_NONE)
			err_wrap(&n->err, "export %.80s", path);
	}
}

/* Get the attributes of the nested exports' roots. */
static void
ask_nested(struct nfs *nfs)
{
	struct wait w = { .done = false };

	for (size_t i = 0; i < nfs->nested_count; i++) {
		struct nfs_nested *n = &nfs->nested[i];

		if (n->fh.len == 0)
			continue;
		handle_copy(&w.call.fh, &n->fh);
		if (wait_for(nfs, &w, NFS_GETATTR, &n->err) == 0) {
			n->attrs = w.reply.attrs;
			continue;
		}
		n->fh.len = 0;
		if (n->err.kind == ERR_GONE)
			n->err.kind = ERR_UNREACHABLE;
		err_wrap(&n->err, "export %.80s below it", n->path);
	}
}

static int
mount3(struct nfs *nfs, const struct tree_spec *spec, struct err *err)
{
	struct wait w = { .call.name = str_of(nfs->share) };

	nfs->version = &tnfs_version3;
	tnfs_connect(nfs, MOUNT_PROGRAM, MOUNT_V3, spec->access.mountport);
	if (wait_for(nfs, &w, NFS_MNT, err) == -1) {
		if (err->kind == ERR_DENIED)
			explain_denied(nfs, err);
		return -1;
	}
	handle_copy(&nfs->root.fh, &w.reply.fh);
	mount_nested(nfs);
	tnfs_connect(nfs, NFS_PROGRAM, NFS_V3, spec->access.nfsport);
	return 0;
}

/* The error came on the way to the export: nothing in the export is "gone". */
static int
no_export(struct err *err)
{
	if (err->kind == ERR_GONE)
		err->kind = ERR_UNREACHABLE;
	return -1;
}

static int
mount4(struct nfs *nfs, const struct tree_spec *spec, struct err *err)
{
	struct wait w = { .done = false };
	const char *p = nfs->share;

	nfs->version = &tnfs_version4;
	tnfs_connect(nfs, NFS4_PROGRAM, NFS_V4,
	    spec->access.nfsport == 0 ? 2049 : spec->access.nfsport);
	if (wait_for(nfs, &w, NFS_ROOT, err) == -1)
		return no_export(err);
	handle_copy(&w.call.fh, &w.reply.fh);
	for (;;) {
		p += strspn(p, "/");
		if (*p == '\0')
			break;
		w.call.name = (struct str){ p, strcspn(p, "/") };
		p += w.call.name.len;
		if (wait_for(nfs, &w, NFS_LOOKUP, err) == -1)
			return no_export(err);
		handle_copy(&w.call.fh, &w.reply.fh);
	}
	handle_copy(&nfs->root.fh, &w.call.fh);
	return 0;
}

static uint32_t
read_max(uint32_t server_max)
{
	uint32_t max = TREE_READ_MAX;

	while (max > 4096 && max > server_max)
		max /= 2;
	return max;
}

/* Ask for the limits and the attributes of the root, in both versions. */
static int
ask_root(struct nfs *nfs, struct err *err)
{
	struct wait w = { .done = false };

	handle_copy(&w.call.fh, &nfs->root.fh);
	if (wait_for(nfs, &w, NFS_FSINFO, err) == -1)
		return no_export(err);
	nfs->root.read_max = read_max(w.reply.read_max);
	nfs->root.time_delta_ns = w.reply.time_delta_ns;
	nfs->write_max = MIN(MAX(w.reply.write_max, 512U), TREE_READ_MAX);
	if (wait_for(nfs, &w, NFS_GETATTR, err) == -1)
		return no_export(err);
	nfs->root.attrs = w.reply.attrs;
	if (w.reply.attrs.kind != ENTRY_DIR)
		return err_set(err, ERR_UNREACHABLE, 0, "%s: not a directory",
		    nfs->server);
	ask_nested(nfs);
	return 0;
}

/* Mount with a given version at the current address. */
static int
mount_version(struct nfs *nfs, const struct tree_spec *spec, int version,
    struct err *err)
{
	int r = version == 3 ? mount3(nfs, spec, err) :
	    mount4(nfs, spec, err);

	if (r == 0)
		r = ask_root(nfs, err);
	if (r == -1)
		tnfs_disconnect(nfs, ERR_STOPPED, "not mounted");
	return r;
}

/* Use a part of the remaining time: the remaining attempts need the rest. */
static void
set_limit(struct nfs *nfs, uint64_t end_ms, unsigned attempts)
{
	uint64_t now = clock_mono_ms();

	nfs->open_end_ms = end_ms <= now ? now :
	    now + (end_ms - now) / attempts;
}

static int
mount_address(struct nfs *nfs, const struct tree_spec *spec, uint64_t end_ms,
    unsigned addresses, struct err *err)
{
	struct err err3 = ERR_INIT;

	if (spec->access.nfs_version != 0) {
		set_limit(nfs, end_ms, addresses);
		return mount_version(nfs, spec,
		    (int)spec->access.nfs_version, err);
	}
	set_limit(nfs, end_ms, addresses * 2);
	if (mount_version(nfs, spec, 3, &err3) == 0)
		return 0;
	if (err3.kind != ERR_STOPPED) {
		set_limit(nfs, end_ms, addresses * 2 - 1);
		if (mount_version(nfs, spec, 4, err) == 0)
			return 0;
	}
	/* "Denied" says more than the error of a missing second protocol. */
	if (err3.kind == ERR_DENIED || err3.kind == ERR_STOPPED)
		*err = err3;
	else
		err_wrap(err, "NFSv3: %.90s; NFSv4", err3.msg);
	return -1;
}

int
tnfs_mount(struct nfs *nfs, const struct tree_spec *spec, struct err *err)
{
	uint64_t end_ms = clock_mono_ms() + nfs->timeout_ms;
	struct err worst = ERR_INIT;

	if (tnfs_addresses_resolve(&nfs->addresses, nfs->server, err) == -1)
		return -1;
	for (unsigned left = nfs->addresses.count; left > 0; left--) {
		struct err fault = ERR_INIT;

		if (mount_address(nfs, spec, end_ms, left, &fault) == 0)
			return 0;
		if (nfs->addresses.count > 1)
			err_wrap(&fault, "%s", tnfs_address(&nfs->addresses));
		/* Denied says more than an address where nobody is. */
		if (worst.kind == ERR_NONE || fault.kind == ERR_STOPPED ||
		    (fault.kind == ERR_DENIED && worst.kind != ERR_DENIED))
			worst = fault;
		if (fault.kind == ERR_STOPPED)
			break;
		tnfs_address_next(&nfs->addresses,
		    fault.kind == ERR_UNREACHABLE && fault.code == 0);
	}
	*err = worst;
	return err_wrap(err, "%s:%s", nfs->server, nfs->share);
}
