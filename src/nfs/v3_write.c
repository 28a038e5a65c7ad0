/*
 * NFSv3 (RFC 1813): the calls that change files or directories.
 */
#include "nfs/v3_internal.h"

/* Space for a name with a terminating NUL: libnfs takes C strings. */
struct name {
	char	 text[PATH_NAME_MAX + 1];
};

static bool
set_where(diropargs3 *to, const struct handle *dir, struct str name,
    struct name *space)
{
	/* No NFS server takes more; callers check. */
	if (name.len > PATH_NAME_MAX)
		return false;
	memcpy(space->text, name.p, name.len);
	space->text[name.len] = '\0';
	to->dir = tnfs3_fh(dir);
	to->name = space->text;
	return true;
}

static void
set_attributes(sattr3 *to, const struct attrs_set *set)
{
	int64_t rest = set->mtime_ns % 1000000000;
	nfstime3 *mtime = &to->mtime.set_mtime_u.mtime;

	memset(to, 0, sizeof(*to));
	to->mode.set_it = set->has_mode;
	to->mode.set_mode3_u.mode = set->mode;
	to->uid.set_it = to->gid.set_it = set->has_owner;
	to->uid.set_uid3_u.uid = set->uid;
	to->gid.set_gid3_u.gid = set->gid;
	to->size.set_it = set->has_size;
	to->size.set_size3_u.size = set->size;
	to->atime.set_it = DONT_CHANGE;
	to->mtime.set_it = set->has_mtime ? SET_TO_CLIENT_TIME : DONT_CHANGE;
	/* Seconds are unsigned in RFC 1813: callers must not pass a time out of
	 * range. */
	mtime->seconds = (u_int)(set->mtime_ns / 1000000000 - (rest < 0));
	mtime->nseconds = (u_int)(rest + (rest < 0 ? 1000000000 : 0));
}

/* The answers of CREATE and MKDIR: a handle and attributes, both optional. */
static void
end_made(struct nfs_call *call, const post_op_fh3 *obj,
    const post_op_attr *attrs)
{
	struct nfs_reply reply = { .len = 0 };

	tnfs3_post_attrs(&reply.attrs, attrs);
	if (obj->handle_follows && !tnfs_handle_set(&reply.fh,
	    obj->post_op_fh3_u.handle.data.data_val,
	    obj->post_op_fh3_u.handle.data.data_len))
		tnfs_end_protocol(call, "a handle of a wrong length");
	else
		tnfs_end(call, &reply, NULL);
}

static void
on_create(struct rpc_context *rpc UNUSED, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	const CREATE3res *res = tnfs3_answer(call, status, data);

	if (res != NULL)
		end_made(call, &res->CREATE3res_u.resok.obj,
		    &res->CREATE3res_u.resok.obj_attributes);
}

int
tnfs3_create(struct rpc_context *rpc, struct nfs_call *call)
{
	struct name name;
	CREATE3args args;

	if (!set_where(&args.where, &call->fh, call->name, &name))
		return -1;
	args.how.mode = GUARDED;
	set_attributes(&args.how.createhow3_u.g_obj_attributes,
	    &call->change->set);
	return rpc_nfs3_create_async(rpc, on_create, &args, call);
}

static void
on_mkdir(struct rpc_context *rpc UNUSED, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	const MKDIR3res *res = tnfs3_answer(call, status, data);

	if (res != NULL)
		end_made(call, &res->MKDIR3res_u.resok.obj,
		    &res->MKDIR3res_u.resok.obj_attributes);
}

int
tnfs3_mkdir(struct rpc_context *rpc, struct nfs_call *call)
{
	struct name name;
	MKDIR3args args;

	if (!set_where(&args.where, &call->fh, call->name, &name))
		return -1;
	set_attributes(&args.attributes, &call->change->set);
	return rpc_nfs3_mkdir_async(rpc, on_mkdir, &args, call);
}

/* Handle an answer with a status only. */
static void
on_status(struct rpc_context *rpc UNUSED, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	struct nfs_reply reply = { .len = 0 };

	if (tnfs3_answer(call, status, data) != NULL)
		tnfs_end(call, &reply, NULL);
}

int
tnfs3_remove(struct rpc_context *rpc, struct nfs_call *call)
{
	struct name name;
	REMOVE3args args;

	if (!set_where(&args.object, &call->fh, call->name, &name))
		return -1;
	return rpc_nfs3_remove_async(rpc, on_status, &args, call);
}

int
tnfs3_rename(struct rpc_context *rpc, struct nfs_call *call)
{
	const struct nfs_change *c = call->change;
	struct name from, to;
	RENAME3args args;

	if (!set_where(&args.from, &call->fh, call->name, &from) ||
	    !set_where(&args.to, &c->to, c->to_name, &to))
		return -1;
	return rpc_nfs3_rename_async(rpc, on_status, &args, call);
}

int
tnfs3_setattr(struct rpc_context *rpc, struct nfs_call *call)
{
	SETATTR3args args = { .object = tnfs3_fh(&call->fh) };

	set_attributes(&args.new_attributes, &call->change->set);
	return rpc_nfs3_setattr_async(rpc, on_status, &args, call);
}

static void
on_write(struct rpc_context *rpc UNUSED, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	struct nfs_reply reply = { .len = 0 };
	const WRITE3res *res = tnfs3_answer(call, status, data);
	const WRITE3resok *ok;

	if (res == NULL)
		return;
	ok = &res->WRITE3res_u.resok;
	if (ok->count == 0 || ok->count > call->len) {
		tnfs_end_protocol(call, "a wrong count of bytes");
		return;
	}
	reply.len = ok->count;
	reply.stable = ok->committed != UNSTABLE;
	memcpy(reply.verf, ok->verf, sizeof(reply.verf));
	tnfs_end(call, &reply, NULL);
}

int
tnfs3_write(struct rpc_context *rpc, struct nfs_call *call)
{
	WRITE3args args = {
		.file = tnfs3_fh(&call->fh),
		.offset = call->offset,
		.count = call->len,
		.stable = call->change->stable ? FILE_SYNC : UNSTABLE,
	};

	args.data.data_len = call->len;
	args.data.data_val = (char *)(uintptr_t)call->change->data;
	return rpc_nfs3_write_async(rpc, on_write, &args, call);
}

static void
on_commit(struct rpc_context *rpc UNUSED, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	struct nfs_reply reply = { .len = 0 };
	const COMMIT3res *res = tnfs3_answer(call, status, data);

	if (res == NULL)
		return;
	memcpy(reply.verf, res->COMMIT3res_u.resok.verf, sizeof(reply.verf));
	tnfs_end(call, &reply, NULL);
}

int
tnfs3_commit(struct rpc_context *rpc, struct nfs_call *call)
{
	COMMIT3args args = { .file = tnfs3_fh(&call->fh) };

	return rpc_nfs3_commit_async(rpc, on_commit, &args, call);
}
