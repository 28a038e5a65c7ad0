/*
 * NFSv3 (RFC 1813): each call is sent as a single request with a single answer.
 * Bytes of READ are copied once, from libnfs' receive buffer into the caller's
 * buffer; names of directory entries are handed on in place.
 *
 * Memory allocated by libnfs while decoding (links of lists) is not aligned for
 * its type. Copy each structure out before use.
 */
#include "nfs/v3_internal.h"

#include <nfsc/libnfs-raw-mount.h>

/* Plain READDIR: the answer is small because each name costs a LOOKUP and
 * memory. */
#define NAMES_BYTES	(32 * 1024)

/*
 * Seconds are unsigned 32-bit numbers (RFC 1813, 2.5), so the range ends in
 * 2106. Servers send the low 32 bits of a time before 1970, and a time from
 * 2038 on has the same bits: return MTIME_NONE for both, because the two times
 * can't be distinguished. (Servers also send the low 32 bits of a time from
 * 2106 on; the client can't detect that case at all.)
 */
static int64_t
mtime_ns(const nfstime3 *t)
{
	return t->seconds > INT32_MAX ? MTIME_NONE :
	    attrs_time_ns(t->seconds, t->nseconds);
}

static void
attrs_of(struct attrs *to, const fattr3 *from)
{
	static const enum entry_kind kinds[] = {
		[NF3REG] = ENTRY_FILE,
		[NF3DIR] = ENTRY_DIR,
		[NF3BLK] = ENTRY_BLOCK,
		[NF3CHR] = ENTRY_CHAR,
		[NF3LNK] = ENTRY_LINK,
		[NF3SOCK] = ENTRY_SOCKET,
		[NF3FIFO] = ENTRY_FIFO,
	};

	to->kind = (size_t)from->type < ARRAY_LEN(kinds) ?
	    kinds[from->type] : ENTRY_UNKNOWN;
	to->mode = from->mode & 07777;
	to->uid = from->uid;
	to->gid = from->gid;
	to->size = from->size;
	to->mtime_ns = mtime_ns(&from->mtime);
	to->ctime_ns = attrs_time_ns(from->ctime.seconds,
	    from->ctime.nseconds);
	to->atime_ns = attrs_time_ns(from->atime.seconds,
	    from->atime.nseconds);
	to->ino = from->fileid;
	to->fsid = from->fsid;
}

void
tnfs3_post_attrs(struct attrs *to, const post_op_attr *from)
{
	to->kind = ENTRY_UNKNOWN;
	if (from->attributes_follow)
		attrs_of(to, &from->post_op_attr_u.attributes);
}

nfs_fh3
tnfs3_fh(const struct handle *from)
{
	nfs_fh3 fh;

	fh.data.data_len = from->len;
	fh.data.data_val = (char *)(uintptr_t)from->data;
	return fh;
}

const void *
tnfs3_answer(struct nfs_call *call, int rpc_status, const void *data)
{
	nfsstat3 code;

	if (tnfs_no_answer(call, rpc_status, data))
		return NULL;
	memcpy(&code, data, sizeof(code));
	if (code == NFS3_OK)
		return data;
	tnfs_end_status(call, (int)code);
	return NULL;
}

static nfs_fh3
fh3(const struct nfs_call *call)
{
	return tnfs3_fh(&call->fh);
}

/* AUTH_NONE is 0, AUTH_SYS is 1 (RFC 5531, 8.2). Old servers send an empty
 * list; an empty list means AUTH_SYS. */
static bool
allows_sys(const mountres3_ok *ok)
{
	for (u_int i = 0; i < ok->auth_flavors.auth_flavors_len; i++) {
		int flavor = ok->auth_flavors.auth_flavors_val[i];

		if (flavor == 0 || flavor == 1)
			return true;
	}
	return ok->auth_flavors.auth_flavors_len == 0;
}

static void
on_mnt(struct rpc_context *rpc UNUSED, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	struct nfs_reply reply = { .len = 0 };
	const mountres3 *res = tnfs3_answer(call, status, data);
	const mountres3_ok *ok;
	struct err err = ERR_INIT;

	if (res == NULL)
		return;
	ok = &res->mountres3_u.mountinfo;
	if (!allows_sys(ok)) {
		err_set(&err, ERR_DENIED, 0, "the export wants another "
		    "security flavor than AUTH_SYS (Kerberos?)");
		tnfs_end(call, NULL, &err);
		return;
	}
	if (!tnfs_handle_set(&reply.fh, ok->fhandle.fhandle3_val,
	    ok->fhandle.fhandle3_len))
		tnfs_end_protocol(call, "a handle of a wrong length");
	else
		tnfs_end(call, &reply, NULL);
}

static int
send_mnt(struct rpc_context *rpc, struct nfs_call *call)
{
	/* name is the share, a C string. */
	return rpc_mount3_mnt_async(rpc, on_mnt,
	    (char *)(uintptr_t)call->name.p, call);
}

static void
on_exports(struct rpc_context *rpc UNUSED, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	struct nfs_reply reply = { .len = 0 };
	exportnode e;

	if (tnfs_no_answer(call, status, data))
		return;
	for (const void *p = *(exports *)data; p != NULL; p = e.ex_next) {
		struct str dir;

		memcpy(&e, p, sizeof(e));
		dir = str_of(e.ex_dir);
		/* A directory below an export may be mounted as well. */
		while (dir.len > 0 && dir.p[dir.len - 1] == '/')
			dir.len--;
		if (path_lies_in(call->name, dir))
			reply.listed = true;
		tnfs_nested_add(call->nfs, dir);
	}
	tnfs_end(call, &reply, NULL);
}

static int
send_exports(struct rpc_context *rpc, struct nfs_call *call)
{
	return rpc_mount3_export_async(rpc, on_exports, call);
}

static int64_t
time_delta_ns(const nfstime3 *t)
{
	int64_t ns = attrs_time_ns(t->seconds, t->nseconds);

	return ns == MTIME_NONE ? 0 : ns;
}

static void
on_fsinfo(struct rpc_context *rpc UNUSED, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	struct nfs_reply reply = { .len = 0 };
	const FSINFO3res *res = tnfs3_answer(call, status, data);

	if (res == NULL)
		return;
	reply.read_max = res->FSINFO3res_u.resok.rtmax;
	reply.write_max = res->FSINFO3res_u.resok.wtmax;
	reply.time_delta_ns = time_delta_ns(
	    &res->FSINFO3res_u.resok.time_delta);
	tnfs_end(call, &reply, NULL);
}

static int
send_fsinfo(struct rpc_context *rpc, struct nfs_call *call)
{
	FSINFO3args args = { .fsroot = fh3(call) };

	return rpc_nfs3_fsinfo_async(rpc, on_fsinfo, &args, call);
}

static void
on_getattr(struct rpc_context *rpc UNUSED, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	struct nfs_reply reply;
	const GETATTR3res *res = tnfs3_answer(call, status, data);

	if (res == NULL)
		return;
	attrs_of(&reply.attrs, &res->GETATTR3res_u.resok.obj_attributes);
	reply.nlink = res->GETATTR3res_u.resok.obj_attributes.nlink;
	tnfs_end(call, &reply, NULL);
}

static int
send_getattr(struct rpc_context *rpc, struct nfs_call *call)
{
	GETATTR3args args = { .object = fh3(call) };

	return rpc_nfs3_getattr_async(rpc, on_getattr, &args, call);
}

static void
on_lookup(struct rpc_context *rpc UNUSED, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	struct nfs_reply reply;
	const LOOKUP3res *res = tnfs3_answer(call, status, data);
	const LOOKUP3resok *ok;

	if (res == NULL)
		return;
	ok = &res->LOOKUP3res_u.resok;
	tnfs3_post_attrs(&reply.attrs, &ok->obj_attributes);
	if (reply.attrs.kind != ENTRY_UNKNOWN)
		reply.nlink = ok->obj_attributes.post_op_attr_u.attributes
		    .nlink;
	if (!tnfs_handle_set(&reply.fh, ok->object.data.data_val,
	    ok->object.data.data_len))
		tnfs_end_protocol(call, "a handle of a wrong length");
	else
		tnfs_end(call, &reply, NULL);
}

static int
send_lookup(struct rpc_context *rpc, struct nfs_call *call)
{
	char name[PATH_NAME_MAX + 1];
	LOOKUP3args args;

	/* No NFS server takes more; callers check. */
	if (call->name.len > PATH_NAME_MAX)
		return -1;
	memcpy(name, call->name.p, call->name.len);
	name[call->name.len] = '\0';
	args.what.dir = fh3(call);
	args.what.name = name;
	return rpc_nfs3_lookup_async(rpc, on_lookup, &args, call);
}

static void
on_readlink(struct rpc_context *rpc UNUSED, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	struct nfs_reply reply;
	const READLINK3res *res = tnfs3_answer(call, status, data);

	if (res == NULL)
		return;
	reply.link = str_of(res->READLINK3res_u.resok.data);
	tnfs_end(call, &reply, NULL);
}

static int
send_readlink(struct rpc_context *rpc, struct nfs_call *call)
{
	READLINK3args args = { .symlink = fh3(call) };

	return rpc_nfs3_readlink_async(rpc, on_readlink, &args, call);
}

static void
on_read(struct rpc_context *rpc UNUSED, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	struct nfs_reply reply;
	const READ3res *res = tnfs3_answer(call, status, data);
	const READ3resok *ok;

	if (res == NULL)
		return;
	ok = &res->READ3res_u.resok;
	if (ok->data.data_len > call->len || ok->count != ok->data.data_len) {
		tnfs_end_protocol(call, "a wrong count of bytes");
		return;
	}
	memcpy(call->buf, ok->data.data_val, ok->data.data_len);
	reply.len = ok->data.data_len;
	reply.eof = ok->eof != 0;
	tnfs3_post_attrs(&reply.attrs, &ok->file_attributes);
	tnfs_end(call, &reply, NULL);
}

static int
send_read(struct rpc_context *rpc, struct nfs_call *call)
{
	READ3args args = { .file = fh3(call), .offset = call->offset,
	    .count = call->len };

	return rpc_nfs3_read_async(rpc, on_read, &args, call);
}

/* The error of the first invalid entry is the error of the whole call. */
static void
end_readdir(struct nfs_call *call, struct nfs_reply *reply,
    const struct err *err)
{
	tnfs_end(call, err->kind == ERR_NONE ? reply : NULL,
	    err->kind == ERR_NONE ? NULL : err);
}

static void
on_readdirplus(struct rpc_context *rpc UNUSED, int status, void *data,
    void *arg)
{
	struct nfs_call *call = arg;
	struct nfs_reply reply = { .cookie = call->offset };
	const READDIRPLUS3res *res = tnfs3_answer(call, status, data);
	const READDIRPLUS3resok *ok;
	entryplus3 e;
	struct err err = ERR_INIT;

	if (res == NULL)
		return;
	ok = &res->READDIRPLUS3res_u.resok;
	tnfs3_post_attrs(&call->dir, &ok->dir_attributes);
	memcpy(reply.verf, ok->cookieverf, sizeof(reply.verf));
	reply.eof = ok->reply.eof != 0;
	for (const void *p = ok->reply.entries; p != NULL;
	    p = e.nextentry) {
		struct nfs_entry entry = { .fh = NULL };
		const nfs_fh3 *fh = &e.name_handle.post_op_fh3_u.handle;

		memcpy(&e, p, sizeof(e));
		entry.name = str_of(e.name);
		tnfs3_post_attrs(&entry.attrs, &e.name_attributes);
		if (e.name_handle.handle_follows) {
			entry.fh = fh->data.data_val;
			entry.fh_len = fh->data.data_len;
		}
		reply.cookie = e.cookie;
		reply.entries++;
		if (call->entry(call, &entry, &err) == -1)
			break;
	}
	end_readdir(call, &reply, &err);
}

static int
send_readdirplus(struct rpc_context *rpc, struct nfs_call *call)
{
	u_int bytes = call->nfs->brief ? NFS_BRIEF_BYTES : NFS_DIR_BYTES;
	READDIRPLUS3args args = { .dir = fh3(call), .cookie = call->offset,
	    .dircount = bytes, .maxcount = bytes };

	memcpy(args.cookieverf, call->verf, sizeof(args.cookieverf));
	return rpc_nfs3_readdirplus_async(rpc, on_readdirplus, &args, call);
}

static void
on_readdir(struct rpc_context *rpc UNUSED, int status, void *data, void *arg)
{
	struct nfs_call *call = arg;
	struct nfs_reply reply = { .cookie = call->offset };
	const READDIR3res *res = tnfs3_answer(call, status, data);
	const READDIR3resok *ok;
	entry3 e;
	struct err err = ERR_INIT;

	if (res == NULL)
		return;
	ok = &res->READDIR3res_u.resok;
	tnfs3_post_attrs(&call->dir, &ok->dir_attributes);
	memcpy(reply.verf, ok->cookieverf, sizeof(reply.verf));
	reply.eof = ok->reply.eof != 0;
	for (const void *p = ok->reply.entries; p != NULL;
	    p = e.nextentry) {
		struct nfs_entry entry = { .fh = NULL };

		memcpy(&e, p, sizeof(e));
		entry.name = str_of(e.name);
		reply.cookie = e.cookie;
		reply.entries++;
		if (call->entry(call, &entry, &err) == -1)
			break;
	}
	end_readdir(call, &reply, &err);
}

static int
send_readdir(struct rpc_context *rpc, struct nfs_call *call)
{
	READDIR3args args = { .dir = fh3(call), .cookie = call->offset,
	    .count = NAMES_BYTES };

	memcpy(args.cookieverf, call->verf, sizeof(args.cookieverf));
	return rpc_nfs3_readdir_async(rpc, on_readdir, &args, call);
}

const struct nfs_version tnfs_version3 = {
	.name = "nfs3",
	.version = 3,
	.send = {
		[NFS_MNT] = send_mnt,
		[NFS_EXPORTS] = send_exports,
		[NFS_FSINFO] = send_fsinfo,
		[NFS_GETATTR] = send_getattr,
		[NFS_LOOKUP] = send_lookup,
		[NFS_READLINK] = send_readlink,
		[NFS_READ] = send_read,
		[NFS_READDIR] = send_readdirplus,
		[NFS_READDIR_NAMES] = send_readdir,
		[NFS_CREATE] = tnfs3_create,
		[NFS_MKDIR] = tnfs3_mkdir,
		[NFS_REMOVE] = tnfs3_remove,
		[NFS_RENAME] = tnfs3_rename,
		[NFS_SETATTR] = tnfs3_setattr,
		[NFS_WRITE] = tnfs3_write,
		[NFS_COMMIT] = tnfs3_commit,
	},
};
