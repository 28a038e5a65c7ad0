/*
 * NFSv4.0 (RFC 7530): each call is a single COMPOUND. Reads use the anonymous
 * stateid, so the server holds no state: the client has nothing to renew and
 * nothing to claim again after a reconnect.
 */
#include "nfs/v4_internal.h"


bool
tnfs4_result(struct nfs_call *call, const COMPOUND4res *res, unsigned i,
    int op, nfs_resop4 *ret_op)
{
	const char *ops = (const char *)res->resarray.resarray_val;

	if (i < res->resarray.resarray_len) {
		memcpy(ret_op, ops + i * sizeof(*ret_op), sizeof(*ret_op));
		if ((int)ret_op->resop == op)
			return true;
	}
	tnfs_end_protocol(call, "the server left out a result");
	return false;
}

const COMPOUND4res *
tnfs4_answer(struct nfs_call *call, int status, const void *data)
{
	const COMPOUND4res *res = data;

	if (tnfs_no_answer(call, status, data))
		return NULL;
	if (res->status != NFS4_OK) {
		tnfs_end_status(call, (int)res->status);
		return NULL;
	}
	return res;
}

static int
decode_attrs(const fattr4 *from, struct nfs4_attrs *to, struct err *err)
{
	return nfs4_attrs_decode(from->attrmask.bitmap4_val,
	    from->attrmask.bitmap4_len, from->attr_vals.attrlist4_val,
	    from->attr_vals.attrlist4_len, to, err);
}

/* The GETATTR at number i of the answer; false: the call has ended. */
static bool
take_attrs(struct nfs_call *call, const COMPOUND4res *res, unsigned i,
    struct nfs4_attrs *ret_attrs)
{
	struct err err = ERR_INIT;
	nfs_resop4 r;

	if (!tnfs4_result(call, res, i, OP_GETATTR, &r))
		return false;
	if (decode_attrs(&r.nfs_resop4_u.opgetattr.GETATTR4res_u.resok4
	    .obj_attributes, ret_attrs, &err) == -1) {
		tnfs_end(call, NULL, &err);
		return false;
	}
	return true;
}

void
tnfs4_putfh(nfs_argop4 *op, const struct handle *fh)
{
	op->argop = OP_PUTFH;
	op->nfs_argop4_u.opputfh.object.nfs_fh4_len = fh->len;
	op->nfs_argop4_u.opputfh.object.nfs_fh4_val =
	    (char *)(uintptr_t)fh->data;
}

static void
set_mask(bitmap4 *to, const uint32_t *mask)
{
	to->bitmap4_len = NFS4_MASK_WORDS;
	to->bitmap4_val = (uint32_t *)(uintptr_t)mask;
}

void
tnfs4_getattr(nfs_argop4 *op, const uint32_t *mask)
{
	op->argop = OP_GETATTR;
	set_mask(&op->nfs_argop4_u.opgetattr.attr_request, mask);
}

int
tnfs4_send(struct rpc_context *rpc, struct nfs_call *call, rpc_cb cb,
    nfs_argop4 *ops, unsigned n)
{
	COMPOUND4args args;

	memset(&args, 0, sizeof(args));
	args.argarray.argarray_len = n;
	args.argarray.argarray_val = ops;
	return rpc_nfs4_compound_async(rpc, cb, &args, call);
}

void
tnfs4_end_entry(struct nfs_call *call, const COMPOUND4res *res, unsigned at)
{
	struct nfs4_attrs attrs;
	struct nfs_reply reply;
	nfs_resop4 r;
	const nfs_fh4 *fh;

	if (!tnfs4_result(call, res, at, OP_GETFH, &r) ||
	    !take_attrs(call, res, at + 1, &attrs))
		return;
	fh = &r.nfs_resop4_u.opgetfh.GETFH4res_u.resok4.object;
	reply.attrs = attrs.attrs;
	reply.nlink = attrs.nlink;
	if (!tnfs_handle_set(&reply.fh, fh->nfs_fh4_val, fh->nfs_fh4_len))
		tnfs_end_protocol(call, "a handle of a wrong length");
	else
		tnfs_end(call, &reply, NULL);
}

/* PUTFH or PUTROOTFH, LOOKUP or nothing, GETFH, GETATTR: LOOKUP and ROOT. */
static void
on_entry(struct rpc_context *rpc UNUSED, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	const COMPOUND4res *res = tnfs4_answer(call, status, data);

	if (res != NULL)
		tnfs4_end_entry(call, res, call->proc == NFS_LOOKUP ? 2 : 1);
}

static int
send_root(struct rpc_context *rpc, struct nfs_call *call)
{
	nfs_argop4 ops[3];

	memset(ops, 0, sizeof(ops));
	ops[0].argop = OP_PUTROOTFH;
	ops[1].argop = OP_GETFH;
	tnfs4_getattr(&ops[2], nfs4_mask_attrs);
	return tnfs4_send(rpc, call, on_entry, ops, 3);
}

static int
send_lookup(struct rpc_context *rpc, struct nfs_call *call)
{
	nfs_argop4 ops[4];
	component4 *name = &ops[1].nfs_argop4_u.oplookup.objname;

	memset(ops, 0, sizeof(ops));
	tnfs4_putfh(&ops[0], &call->fh);
	ops[1].argop = OP_LOOKUP;
	name->utf8string_len = (u_int)call->name.len;
	name->utf8string_val = (char *)(uintptr_t)call->name.p;
	ops[2].argop = OP_GETFH;
	tnfs4_getattr(&ops[3], nfs4_mask_attrs);
	return tnfs4_send(rpc, call, on_entry, ops, 4);
}

static void
on_getattr(struct rpc_context *rpc UNUSED, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	const COMPOUND4res *res = tnfs4_answer(call, status, data);
	struct nfs4_attrs attrs;
	struct nfs_reply reply;

	if (res == NULL || !take_attrs(call, res, 1, &attrs))
		return;
	reply.attrs = attrs.attrs;
	reply.read_max = attrs.max_read == 0 ? TREE_READ_MAX :
	    (uint32_t)MIN(attrs.max_read, TREE_READ_MAX);
	reply.write_max = NFS4_WRITE_MAX;
	reply.time_delta_ns = attrs.time_delta_ns;
	reply.nlink = attrs.nlink;
	tnfs_end(call, &reply, NULL);
}

static int
send_getattr(struct rpc_context *rpc, struct nfs_call *call)
{
	nfs_argop4 ops[2];

	memset(ops, 0, sizeof(ops));
	tnfs4_putfh(&ops[0], &call->fh);
	tnfs4_getattr(&ops[1], call->proc == NFS_FSINFO ? nfs4_mask_limits :
	    nfs4_mask_attrs);
	return tnfs4_send(rpc, call, on_getattr, ops, 2);
}

static void
on_readlink(struct rpc_context *rpc UNUSED, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	const COMPOUND4res *res = tnfs4_answer(call, status, data);
	nfs_resop4 r;
	const linktext4 *link;
	struct nfs_reply reply;

	if (res == NULL)
		return;
	if (!tnfs4_result(call, res, 1, OP_READLINK, &r))
		return;
	link = &r.nfs_resop4_u.opreadlink.READLINK4res_u.resok4.link;
	reply.link = (struct str){ link->utf8string_val,
	    link->utf8string_len };
	tnfs_end(call, &reply, NULL);
}

static int
send_readlink(struct rpc_context *rpc, struct nfs_call *call)
{
	nfs_argop4 ops[2];

	memset(ops, 0, sizeof(ops));
	tnfs4_putfh(&ops[0], &call->fh);
	ops[1].argop = OP_READLINK;
	return tnfs4_send(rpc, call, on_readlink, ops, 2);
}

static void
on_read(struct rpc_context *rpc UNUSED, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	const COMPOUND4res *res = tnfs4_answer(call, status, data);
	struct nfs4_attrs attrs;
	struct nfs_reply reply;
	nfs_resop4 r;
	const READ4resok *ok;

	if (res == NULL)
		return;
	if (!tnfs4_result(call, res, 1, OP_READ, &r) ||
	    !take_attrs(call, res, 2, &attrs))
		return;
	ok = &r.nfs_resop4_u.opread.READ4res_u.resok4;
	if (ok->data.data_len > call->len) {
		tnfs_end_protocol(call, "more bytes than asked for");
		return;
	}
	memcpy(call->buf, ok->data.data_val, ok->data.data_len);
	reply.len = ok->data.data_len;
	reply.eof = ok->eof != 0;
	reply.attrs = attrs.attrs;
	tnfs_end(call, &reply, NULL);
}

static int
send_read(struct rpc_context *rpc, struct nfs_call *call)
{
	nfs_argop4 ops[3];

	/* The anonymous stateid is all zeros (RFC 7530, 9.1.4.3). */
	memset(ops, 0, sizeof(ops));
	tnfs4_putfh(&ops[0], &call->fh);
	ops[1].argop = OP_READ;
	ops[1].nfs_argop4_u.opread.offset = call->offset;
	ops[1].nfs_argop4_u.opread.count = call->len;
	tnfs4_getattr(&ops[2], nfs4_mask_attrs);
	return tnfs4_send(rpc, call, on_read, ops, 3);
}

static int
give_entry(struct nfs_call *call, const entry4 *e, struct err *err)
{
	struct nfs4_attrs attrs;
	struct nfs_entry entry = { .name = { e->name.utf8string_val,
	    e->name.utf8string_len } };

	if (decode_attrs(&e->attrs, &attrs, err) == -1)
		return err_wrap(err, "readdir");
	entry.attrs = attrs.attrs;
	entry.status = attrs.rdattr_error;
	entry.fh = attrs.fh;
	entry.fh_len = attrs.fh_len;
	return call->entry(call, &entry, err);
}

static void
on_readdir(struct rpc_context *rpc UNUSED, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	const COMPOUND4res *res = tnfs4_answer(call, status, data);
	struct nfs_reply reply = { .len = 0 };
	struct nfs4_attrs dir;
	struct err err = ERR_INIT;
	nfs_resop4 r;
	const READDIR4resok *ok;
	entry4 e;

	if (res == NULL)
		return;
	if (!take_attrs(call, res, 1, &dir) ||
	    !tnfs4_result(call, res, 2, OP_READDIR, &r))
		return;
	call->dir = dir.attrs;
	reply.cookie = call->offset;
	ok = &r.nfs_resop4_u.opreaddir.READDIR4res_u.resok4;
	memcpy(reply.verf, ok->cookieverf, sizeof(reply.verf));
	reply.eof = ok->reply.eof != 0;
	for (const void *p = ok->reply.entries; p != NULL;
	    p = e.nextentry) {
		memcpy(&e, p, sizeof(e));
		reply.cookie = e.cookie;
		reply.entries++;
		if (give_entry(call, &e, &err) == -1) {
			tnfs_end(call, NULL, &err);
			return;
		}
	}
	tnfs_end(call, &reply, NULL);
}

static int
send_readdir(struct rpc_context *rpc, struct nfs_call *call)
{
	nfs_argop4 ops[3];
	READDIR4args *args = &ops[2].nfs_argop4_u.opreaddir;

	memset(ops, 0, sizeof(ops));
	tnfs4_putfh(&ops[0], &call->fh);
	tnfs4_getattr(&ops[1], nfs4_mask_attrs);
	ops[2].argop = OP_READDIR;
	args->cookie = call->offset;
	memcpy(args->cookieverf, call->verf, sizeof(args->cookieverf));
	args->dircount = call->nfs->brief ? NFS_BRIEF_BYTES :
	    NFS_DIR_BYTES;
	args->maxcount = args->dircount;
	set_mask(&args->attr_request, nfs4_mask_readdir);
	return tnfs4_send(rpc, call, on_readdir, ops, 3);
}

const struct nfs_version tnfs_version4 = {
	.name = "nfs4",
	.version = 4,
	.send = {
		[NFS_ROOT] = send_root,
		[NFS_FSINFO] = send_getattr,
		[NFS_GETATTR] = send_getattr,
		[NFS_LOOKUP] = send_lookup,
		[NFS_READLINK] = send_readlink,
		[NFS_READ] = send_read,
		[NFS_READDIR] = send_readdir,
		[NFS_MKDIR] = tnfs4_mkdir,
		[NFS_REMOVE] = tnfs4_remove,
		[NFS_RENAME] = tnfs4_rename,
		[NFS_SETATTR] = tnfs4_setattr,
		[NFS_WRITE] = tnfs4_write,
		[NFS_COMMIT] = tnfs4_commit,
		[NFS4_CLIENTID] = tnfs4_clientid,
		[NFS4_CLIENTID_CONFIRM] = tnfs4_clientid_confirm,
		[NFS4_OPEN] = tnfs4_open,
		[NFS4_OPEN_CONFIRM] = tnfs4_open_confirm,
		[NFS4_CLOSE] = tnfs4_close,
	},
};
