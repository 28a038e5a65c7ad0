#include "nfs/nfs.h"

struct row {
	int	 status;
	enum err_kind kind;
	const char *name;
	const char *text;
};

/* RFC 1813, 2.6 and RFC 7530, 13.1: numbers used by both RFCs have the same
 * meaning. A stale handle proves nothing about the file: callers look the path
 * up again, and if the path still names the file, another try succeeds. */
static const struct row rows[] = {
	{ 1, ERR_DENIED, "PERM", "operation not permitted" },
	{ 2, ERR_GONE, "NOENT", "no such entry" },
	{ 5, ERR_RETRY, "IO", "input/output error on the server" },
	{ 6, ERR_RETRY, "NXIO", "device error on the server" },
	{ 13, ERR_DENIED, "ACCES", "permission denied" },
	{ 17, ERR_INVALID, "EXIST", "it is there already" },
	{ 18, ERR_INVALID, "XDEV", "other file system" },
	{ 19, ERR_INVALID, "NODEV", "no such device" },
	{ 20, ERR_GONE, "NOTDIR", "not a directory any more" },
	{ 21, ERR_GONE, "ISDIR", "a directory, not a file any more" },
	{ 22, ERR_INVALID, "INVAL", "invalid argument" },
	{ 27, ERR_INVALID, "FBIG", "file too large" },
	{ 28, ERR_RESOURCE, "NOSPC", "no space on the server" },
	{ 30, ERR_DENIED, "ROFS", "read-only file system" },
	{ 63, ERR_INVALID, "NAMETOOLONG", "name too long" },
	{ 66, ERR_INVALID, "NOTEMPTY", "directory not empty" },
	{ 69, ERR_RESOURCE, "DQUOT", "quota exceeded" },
	{ 70, ERR_RETRY, "STALE", "stale file handle" },
	{ 71, ERR_UNREACHABLE, "REMOTE", "too many levels of remote" },
	{ 10001, ERR_RETRY, "BADHANDLE", "invalid file handle" },
	{ 10003, ERR_RETRY, "BAD_COOKIE", "the directory changed" },
	{ 10004, ERR_PEER, "NOTSUPP", "not supported by the server" },
	{ 10005, ERR_PEER, "TOOSMALL", "answer too small" },
	{ 10006, ERR_RETRY, "SERVERFAULT", "fault of the server" },
	{ 10007, ERR_PEER, "BADTYPE", "type not supported" },
	{ 10008, ERR_RETRY, "DELAY", "the server asks to wait" },
	{ 10011, ERR_RETRY, "EXPIRED", "the lease has expired" },
	{ 10012, ERR_RETRY, "LOCKED", "locked by another client" },
	{ 10013, ERR_RETRY, "GRACE", "the server has just started" },
	{ 10014, ERR_RETRY, "FHEXPIRED", "file handle expired" },
	{ 10015, ERR_RETRY, "SHARE_DENIED", "open by another client" },
	{ 10016, ERR_DENIED, "WRONGSEC", "wrong security flavor" },
	{ 10017, ERR_RETRY, "CLID_INUSE", "the client id is in use" },
	{ 10018, ERR_RETRY, "RESOURCE", "the server lacks resources" },
	{ 10019, ERR_UNREACHABLE, "MOVED", "file system moved away" },
	{ 10021, ERR_UNREACHABLE, "MINOR_VERS_MISMATCH",
	    "minor version not supported" },
	{ 10020, ERR_PEER, "NOFILEHANDLE", "no current file handle" },
	{ 10022, ERR_RETRY, "STALE_CLIENTID", "the server has restarted" },
	{ 10023, ERR_RETRY, "STALE_STATEID", "the server has restarted" },
	{ 10025, ERR_RETRY, "BAD_STATEID", "state not known to the server" },
	{ 10026, ERR_RETRY, "BAD_SEQID", "calls out of order" },
	{ 10027, ERR_RETRY, "NOT_SAME", "the directory changed" },
	{ 10029, ERR_GONE, "SYMLINK", "a symlink, not a file any more" },
	{ 10036, ERR_PEER, "BADXDR", "the server did not understand" },
	{ 10032, ERR_DENIED, "ATTRNOTSUPP", "attribute not supported" },
	{ 10039, ERR_DENIED, "BADOWNER",
	    "the server takes no numbers as owners" },
	{ 10040, ERR_INVALID, "BADCHAR", "character not supported" },
	{ 10041, ERR_INVALID, "BADNAME", "name not supported" },
	{ 10044, ERR_PEER, "OP_ILLEGAL", "operation unknown to the server" },
	{ 10046, ERR_RETRY, "FILE_OPEN", "open by another client" },
};

int
tnfs_status_err(struct err *err, const char *what, int status)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].status == status)
			return err_set(err, rows[i].kind, status,
			    "%s: %s (%s)", what, rows[i].text, rows[i].name);
	}
	return err_set(err, ERR_PEER, status, "%s: unknown NFS status %d",
	    what, status);
}

/* RFC 1813, 5.1.4. A missing export is a matter of configuration (UNREACHABLE),
 * not an entry that went away (GONE). */
int
tnfs_mount_status_err(struct err *err, int status)
{
	switch (status) {
	case 1:
	case 13:
		return err_set(err, ERR_DENIED, status,
		    "the server denies the mount");
	case 2:
		return err_set(err, ERR_UNREACHABLE, status, "no such export");
	case 20:
		return err_set(err, ERR_UNREACHABLE, status,
		    "the export is not a directory");
	case 5:
		return err_set(err, ERR_UNREACHABLE, status,
		    "input/output error on the server");
	default:
		return err_set(err, ERR_UNREACHABLE, status,
		    "mount failed with status %d", status);
	}
}

bool
tnfs_is_stale(const struct err *err)
{
	return err->kind == ERR_RETRY && (err->code == 70 ||
	    err->code == 10001 || err->code == 10014);
}

bool
tnfs_is_bad_cookie(const struct err *err)
{
	/* 10027 is NFS4ERR_NOT_SAME: the cookie verifier changed. */
	return err->code == 10003 || err->code == 10027;
}

bool
tnfs_is_unsupported(const struct err *err)
{
	return err->kind == ERR_PEER && err->code == NFS_UNSUPPORTED;
}

const char *
tnfs_proc_name(enum nfs_proc proc)
{
	static const char *const names[NFS_PROC__MAX] = {
		[NFS_MNT] = "mount",
		[NFS_EXPORTS] = "exports",
		[NFS_ROOT] = "root",
		[NFS_FSINFO] = "fsinfo",
		[NFS_GETATTR] = "getattr",
		[NFS_LOOKUP] = "lookup",
		[NFS_READLINK] = "readlink",
		[NFS_READ] = "read",
		[NFS_READDIR] = "readdir",
		[NFS_READDIR_NAMES] = "readdir",
		[NFS_CREATE] = "create",
		[NFS_MKDIR] = "mkdir",
		[NFS_REMOVE] = "remove",
		[NFS_RENAME] = "rename",
		[NFS_SETATTR] = "setattr",
		[NFS_WRITE] = "write",
		[NFS_COMMIT] = "commit",
		[NFS4_CLIENTID] = "setclientid",
		[NFS4_CLIENTID_CONFIRM] = "setclientid_confirm",
		[NFS4_OPEN] = "open",
		[NFS4_OPEN_CONFIRM] = "open_confirm",
		[NFS4_CLOSE] = "close",
	};

	return names[proc];
}

enum err_kind
tnfs_rpc_fault(const char *text)
{
	/* RFC 5531's accept_stat and reject_stat, in libnfs' words. */
	static const struct {
		const char *text;
		enum err_kind kind;
	} faults[] = {
		{ "Program not available", ERR_UNREACHABLE },
		{ "version mismatch", ERR_UNREACHABLE },
		{ "Procedure not available", ERR_PEER },
		{ "Garbage arguments", ERR_PEER },
		{ "Message rejected", ERR_PEER },
		{ "not accepted by the server", ERR_DENIED },
	};

	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		if (strstr(text, faults[i].text) != NULL)
			return faults[i].kind;
	}
	return ERR_RETRY;
}

bool
tnfs_handle_set(struct handle *fh, const void *data, size_t len)
{
	if (len == 0 || len > HANDLE_MAX)
		return false;
	fh->len = (uint8_t)len;
	memcpy(fh->data, data, len);
	return true;
}
