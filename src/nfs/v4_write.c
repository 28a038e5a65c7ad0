/*
 * NFSv4.0 (RFC 7530): the calls that change something. Only the creation of a
 * file needs state on the server: OPEN creates the file, and CLOSE follows at
 * once. WRITE and SETATTR use the anonymous stateid, as READ does, so the
 * client has nothing to renew and nothing to claim again.
 */
#include "nfs/v4_internal.h"

static void
set_name(component4 *to, struct str name)
{
	to->utf8string_len = (u_int)name.len;
	to->utf8string_val = (char *)(uintptr_t)name.p;
}

/* Space for the encoded attributes to set. */
struct encoded {
	uint32_t mask[NFS4_MASK_WORDS];
	uint8_t	 values[NFS4_SET_MAX];
};

static void
set_attributes(fattr4 *to, const struct attrs_set *set, struct encoded *space)
{
	size_t len = nfs4_attrs_encode(set, space->mask, space->values);

	to->attrmask.bitmap4_len = NFS4_MASK_WORDS;
	to->attrmask.bitmap4_val = space->mask;
	to->attr_vals.attrlist4_len = (u_int)len;
	to->attr_vals.attrlist4_val = (char *)space->values;
}

static void
on_nothing(struct rpc_context *rpc UNUSED, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	struct nfs_reply reply = { .len = 0 };

	if (tnfs4_answer(call, status, data) != NULL)
		tnfs_end(call, &reply, NULL);
}

/* --- making a file --- */

static void
on_clientid(struct rpc_context *rpc UNUSED, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	const COMPOUND4res *res = tnfs4_answer(call, status, data);
	struct nfs_reply reply = { .len = 0 };
	const SETCLIENTID4resok *ok;
	nfs_resop4 r;

	if (res == NULL || !tnfs4_result(call, res, 0, OP_SETCLIENTID, &r))
		return;
	ok = &r.nfs_resop4_u.opsetclientid.SETCLIENTID4res_u.resok4;
	call->change->open->clientid = ok->clientid;
	memcpy(call->change->open->confirm, ok->setclientid_confirm,
	    sizeof(call->change->open->confirm));
	tnfs_end(call, &reply, NULL);
}

int
tnfs4_clientid(struct rpc_context *rpc, struct nfs_call *call)
{
	nfs_argop4 ops[1];
	SETCLIENTID4args *args = &ops[0].nfs_argop4_u.opsetclientid;
	char id[48], netid[] = "tcp", nowhere[] = "0.0.0.0.0.0";

	memset(ops, 0, sizeof(ops));
	snprintf(id, sizeof(id), "datamover %016jx",
	    (uintmax_t)call->change->open->instance);
	ops[0].argop = OP_SETCLIENTID;
	memcpy(args->client.verifier, &call->change->open->instance,
	    sizeof(args->client.verifier));
	args->client.id.id_len = (u_int)strlen(id);
	args->client.id.id_val = id;
	/* The server can't call the client back, so the server delegates
	 * nothing. */
	args->callback.cb_program = 0x40000000;
	args->callback.cb_location.r_netid = netid;
	args->callback.cb_location.r_addr = nowhere;
	return tnfs4_send(rpc, call, on_clientid, ops, 1);
}

int
tnfs4_clientid_confirm(struct rpc_context *rpc, struct nfs_call *call)
{
	nfs_argop4 ops[1];
	SETCLIENTID_CONFIRM4args *args =
	    &ops[0].nfs_argop4_u.opsetclientid_confirm;

	memset(ops, 0, sizeof(ops));
	ops[0].argop = OP_SETCLIENTID_CONFIRM;
	args->clientid = call->change->open->clientid;
	memcpy(args->setclientid_confirm, call->change->open->confirm,
	    sizeof(args->setclientid_confirm));
	return tnfs4_send(rpc, call, on_nothing, ops, 1);
}

static void
keep_stateid(struct nfs4_open *o, const stateid4 *from)
{
	o->stateid_seqid = from->seqid;
	memcpy(o->stateid, from->other, sizeof(o->stateid));
}

static void
give_stateid(stateid4 *to, const struct nfs4_open *o)
{
	to->seqid = o->stateid_seqid;
	memcpy(to->other, o->stateid, sizeof(to->other));
}

static void
on_open(struct rpc_context *rpc UNUSED, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	const COMPOUND4res *res = tnfs4_answer(call, status, data);
	const OPEN4resok *ok;
	nfs_resop4 r;

	if (res == NULL || !tnfs4_result(call, res, 1, OP_OPEN, &r))
		return;
	ok = &r.nfs_resop4_u.opopen.OPEN4res_u.resok4;
	keep_stateid(call->change->open, &ok->stateid);
	call->change->open->must_confirm =
	    (ok->rflags & OPEN4_RESULT_CONFIRM) != 0;
	tnfs4_end_entry(call, res, 2);
}

int
tnfs4_open(struct rpc_context *rpc, struct nfs_call *call)
{
	struct nfs4_open *o = call->change->open;
	struct encoded space;
	nfs_argop4 ops[4];
	OPEN4args *args = &ops[1].nfs_argop4_u.opopen;
	createhow4 *how = &args->openhow.openflag4_u.how;

	memset(ops, 0, sizeof(ops));
	tnfs4_putfh(&ops[0], &call->fh);
	ops[1].argop = OP_OPEN;
	args->seqid = o->seqid;
	args->share_access = OPEN4_SHARE_ACCESS_BOTH;
	args->owner.clientid = o->clientid;
	args->owner.owner.owner_len = sizeof(o->owner);
	args->owner.owner.owner_val = (char *)&o->owner;
	args->openhow.opentype = OPEN4_CREATE;
	how->mode = GUARDED4;
	set_attributes(&how->createhow4_u.createattrs, &call->change->set,
	    &space);
	args->claim.claim = CLAIM_NULL;
	set_name(&args->claim.open_claim4_u.file, call->name);
	ops[2].argop = OP_GETFH;
	tnfs4_getattr(&ops[3], nfs4_mask_attrs);
	return tnfs4_send(rpc, call, on_open, ops, 4);
}

static void
on_open_confirm(struct rpc_context *rpc UNUSED, int status, void *data,
    void *arg)
{
	struct nfs_call *call = arg;
	const COMPOUND4res *res = tnfs4_answer(call, status, data);
	struct nfs_reply reply = { .len = 0 };
	nfs_resop4 r;

	if (res == NULL || !tnfs4_result(call, res, 1, OP_OPEN_CONFIRM, &r))
		return;
	keep_stateid(call->change->open, &r.nfs_resop4_u.opopen_confirm
	    .OPEN_CONFIRM4res_u.resok4.open_stateid);
	tnfs_end(call, &reply, NULL);
}

int
tnfs4_open_confirm(struct rpc_context *rpc, struct nfs_call *call)
{
	nfs_argop4 ops[2];
	OPEN_CONFIRM4args *args = &ops[1].nfs_argop4_u.opopen_confirm;

	memset(ops, 0, sizeof(ops));
	tnfs4_putfh(&ops[0], &call->fh);
	ops[1].argop = OP_OPEN_CONFIRM;
	args->seqid = call->change->open->seqid;
	give_stateid(&args->open_stateid, call->change->open);
	return tnfs4_send(rpc, call, on_open_confirm, ops, 2);
}

int
tnfs4_close(struct rpc_context *rpc, struct nfs_call *call)
{
	nfs_argop4 ops[2];
	CLOSE4args *args = &ops[1].nfs_argop4_u.opclose;

	memset(ops, 0, sizeof(ops));
	tnfs4_putfh(&ops[0], &call->fh);
	ops[1].argop = OP_CLOSE;
	args->seqid = call->change->open->seqid;
	give_stateid(&args->open_stateid, call->change->open);
	return tnfs4_send(rpc, call, on_nothing, ops, 2);
}

/* --- the others --- */

static void
on_mkdir(struct rpc_context *rpc UNUSED, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	const COMPOUND4res *res = tnfs4_answer(call, status, data);

	if (res != NULL)
		tnfs4_end_entry(call, res, 2);
}

int
tnfs4_mkdir(struct rpc_context *rpc, struct nfs_call *call)
{
	struct encoded space;
	nfs_argop4 ops[4];
	CREATE4args *args = &ops[1].nfs_argop4_u.opcreate;

	memset(ops, 0, sizeof(ops));
	tnfs4_putfh(&ops[0], &call->fh);
	ops[1].argop = OP_CREATE;
	args->objtype.type = NF4DIR;
	set_name(&args->objname, call->name);
	set_attributes(&args->createattrs, &call->change->set, &space);
	ops[2].argop = OP_GETFH;
	tnfs4_getattr(&ops[3], nfs4_mask_attrs);
	return tnfs4_send(rpc, call, on_mkdir, ops, 4);
}

int
tnfs4_remove(struct rpc_context *rpc, struct nfs_call *call)
{
	nfs_argop4 ops[2];

	memset(ops, 0, sizeof(ops));
	tnfs4_putfh(&ops[0], &call->fh);
	ops[1].argop = OP_REMOVE;
	set_name(&ops[1].nfs_argop4_u.opremove.target, call->name);
	return tnfs4_send(rpc, call, on_nothing, ops, 2);
}

int
tnfs4_rename(struct rpc_context *rpc, struct nfs_call *call)
{
	nfs_argop4 ops[4];

	memset(ops, 0, sizeof(ops));
	tnfs4_putfh(&ops[0], &call->fh);
	ops[1].argop = OP_SAVEFH;
	tnfs4_putfh(&ops[2], &call->change->to);
	ops[3].argop = OP_RENAME;
	set_name(&ops[3].nfs_argop4_u.oprename.oldname, call->name);
	set_name(&ops[3].nfs_argop4_u.oprename.newname,
	    call->change->to_name);
	return tnfs4_send(rpc, call, on_nothing, ops, 4);
}

int
tnfs4_setattr(struct rpc_context *rpc, struct nfs_call *call)
{
	struct encoded space;
	nfs_argop4 ops[2];

	memset(ops, 0, sizeof(ops));
	tnfs4_putfh(&ops[0], &call->fh);
	ops[1].argop = OP_SETATTR;
	set_attributes(&ops[1].nfs_argop4_u.opsetattr.obj_attributes,
	    &call->change->set, &space);
	return tnfs4_send(rpc, call, on_nothing, ops, 2);
}

static void
on_write(struct rpc_context *rpc UNUSED, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	const COMPOUND4res *res = tnfs4_answer(call, status, data);
	struct nfs_reply reply = { .len = 0 };
	const WRITE4resok *ok;
	nfs_resop4 r;

	if (res == NULL || !tnfs4_result(call, res, 1, OP_WRITE, &r))
		return;
	ok = &r.nfs_resop4_u.opwrite.WRITE4res_u.resok4;
	if (ok->count == 0 || ok->count > call->len) {
		tnfs_end_protocol(call, "a wrong count of bytes");
		return;
	}
	reply.len = ok->count;
	reply.stable = ok->committed != UNSTABLE4;
	memcpy(reply.verf, ok->writeverf, sizeof(reply.verf));
	tnfs_end(call, &reply, NULL);
}

int
tnfs4_write(struct rpc_context *rpc, struct nfs_call *call)
{
	nfs_argop4 ops[2];
	WRITE4args *args = &ops[1].nfs_argop4_u.opwrite;

	if (call->len > NFS4_WRITE_MAX)
		return -1;
	memset(ops, 0, sizeof(ops));
	tnfs4_putfh(&ops[0], &call->fh);
	ops[1].argop = OP_WRITE;
	args->offset = call->offset;
	args->stable = call->change->stable ? FILE_SYNC4 : UNSTABLE4;
	args->data.data_len = call->len;
	args->data.data_val = (char *)(uintptr_t)call->change->data;
	return tnfs4_send(rpc, call, on_write, ops, 2);
}

static void
on_commit(struct rpc_context *rpc UNUSED, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	const COMPOUND4res *res = tnfs4_answer(call, status, data);
	struct nfs_reply reply = { .len = 0 };
	nfs_resop4 r;

	if (res == NULL || !tnfs4_result(call, res, 1, OP_COMMIT, &r))
		return;
	memcpy(reply.verf, r.nfs_resop4_u.opcommit.COMMIT4res_u.resok4
	    .writeverf, sizeof(reply.verf));
	tnfs_end(call, &reply, NULL);
}

int
tnfs4_commit(struct rpc_context *rpc, struct nfs_call *call)
{
	nfs_argop4 ops[2];

	memset(ops, 0, sizeof(ops));
	tnfs4_putfh(&ops[0], &call->fh);
	ops[1].argop = OP_COMMIT;
	return tnfs4_send(rpc, call, on_commit, ops, 2);
}
