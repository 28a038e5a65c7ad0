/*
 * nfs.h: inside of the NFS trees.
 *
 * conn.c holds the connection: it sends calls, times them, and builds
 * the connection anew when it breaks. v3.c and v4.c encode a
 * call and decode its answer. tree/nfs_list.c and tree/nfs_file.c make the
 * operations of tree.h out of calls. v3_write.c and v4_write.c
 * have the calls that change something, for dest/nfs.c.
 *
 * A call lives in its operation's memory. It is in exactly one list of
 * struct nfs: waiting (no connection yet), sent, or failed. done runs from
 * tree_service, once.
 *
 * Functions begin with tnfs_: libnfs exports an nfs_open and many more.
 *
 * libnfs must not be destroyed or given new calls while it reports a broken
 * connection, so failures are put aside (failed) and told after libnfs has
 * returned.
 */
#ifndef NFS_NFS_H
#define NFS_NFS_H

/* Before base.h, which bans calls that time.h declares. */
#include <poll.h>
#include <sys/queue.h>
#include <time.h>

#include <nfsc/libnfs-zdr.h>
#include <nfsc/libnfs.h>
#include <nfsc/libnfs-raw.h>

#include "base/backoff.h"
#include "base/buf.h"
#include "base/err.h"
#include "model/attrs.h"
#include "model/path.h"
#include "model/tree_spec.h"
#include "nfs/v4_attrs.h"

enum nfs_proc {
	NFS_MNT = 0,		/* v3, on the mount connection; name: path */
	NFS_EXPORTS,		/* the same: is name among them? */
	NFS_ROOT,		/* v4: the root of the server */
	NFS_FSINFO,
	NFS_GETATTR,
	NFS_LOOKUP,
	NFS_READLINK,
	NFS_READ,
	NFS_READDIR,		/* with attributes and handles */
	NFS_READDIR_NAMES,	/* names only */
	NFS_CREATE,		/* v3; a regular file that isn't there yet */
	NFS_MKDIR,
	NFS_REMOVE,
	NFS_RENAME,
	NFS_SETATTR,
	NFS_WRITE,
	NFS_COMMIT,
	NFS4_CLIENTID,		/* v4: CREATE takes these four */
	NFS4_CLIENTID_CONFIRM,
	NFS4_OPEN,
	NFS4_OPEN_CONFIRM,
	NFS4_CLOSE,
	NFS_PROC__MAX
};

struct nfs;
struct nfs_again;
struct nfs_call;

/* What NFSv4.0 wants to be told so that it makes a file. */
struct nfs4_open {
	uint64_t clientid;
	uint8_t	 confirm[8];	/* of CLIENTID */
	uint64_t instance;	/* of this client: no two are the same */
	uint32_t owner;		/* of the open file; a new one after a fault */
	uint32_t seqid;
	uint32_t stateid_seqid;
	uint8_t	 stateid[12];
	bool	 must_confirm;
};

/* What a call changes. */
struct nfs_change {
	struct attrs_set set;	/* CREATE, OPEN, MKDIR, SETATTR */
	const void *data;	/* WRITE: len bytes at offset */
	bool	 stable;	/* ... on the disk when it is answered */
	struct handle to;	/* RENAME: the directory */
	struct str to_name;
	struct nfs4_open *open;	/* the NFS4_ ones */
};

/* What an answer brought; each procedure fills its part. */
struct nfs_reply {
	struct handle fh;	/* MNT, ROOT, LOOKUP */
	struct attrs attrs;	/* kind UNKNOWN: not given */
	struct str link;	/* READLINK; lent */
	uint64_t cookie;	/* READDIR: of the last entry */
	uint8_t	 verf[8];	/* READDIR, WRITE, COMMIT */
	size_t	 entries;	/* READDIR: how many came, dots included */
	uint32_t len;		/* READ: copied into the call's buf; WRITE */
	bool	 stable;	/* WRITE: it is on the disk */
	uint32_t read_max;	/* FSINFO */
	uint32_t write_max;	/* likewise */
	int64_t	 time_delta_ns;	/* likewise; 0: not said */
	uint32_t nlink;		/* where attrs are; v3, and v4's LOOKUP */
	bool	 eof;
	bool	 listed;	/* EXPORTS */
};

/* err is NULL if all went well; its code is the NFS status, if that is what
 * failed. */
typedef void nfs_done_fn(struct nfs_call *, const struct nfs_reply *,
	    const struct err *);

/* One entry of a READDIR answer, lent. */
struct nfs_entry {
	struct str name;
	struct attrs attrs;
	const void *fh;
	size_t	 fh_len;
	int	 status;	/* why there are no attributes (v4), or 0 */
};
typedef int nfs_entry_fn(struct nfs_call *, const struct nfs_entry *,
	    struct err *);

struct nfs_call {
	TAILQ_ENTRY(nfs_call) link;
	struct nfs *nfs;
	nfs_done_fn *done;
	nfs_entry_fn *entry;	/* READDIR: one by one, before done */
	void	*buf;		/* READ */
	const struct nfs_change *change;
	struct attrs dir;	/* READDIR: of the directory; set before the
				   entries come. kind UNKNOWN: not given */
	struct str name;	/* of an entry, or MNT's; stays until done */
	uint64_t deadline_ms;
	uint64_t offset;	/* READ, WRITE; READDIR: cookie */
	uint32_t len;		/* READ, WRITE */
	enum nfs_proc proc;
	enum err_kind fail_kind; /* in the failed list: why */
	const char *fail_text;	/* static */
	uint8_t	 verf[8];	/* READDIR */
	struct handle fh;
};
TAILQ_HEAD(nfs_calls, nfs_call);

/* Encode and queue one call in libnfs; 0, or another value if it can't. */
typedef int nfs_send_fn(struct rpc_context *, struct nfs_call *);

struct nfs_version {
	const char *name;	/* "nfs3" */
	int	 version;
	nfs_send_fn *send[NFS_PROC__MAX];
};
extern const struct nfs_version tnfs_version3;
extern const struct nfs_version tnfs_version4;

/* v3_write.c, v4_write.c */
nfs_send_fn tnfs3_create, tnfs3_mkdir, tnfs3_remove, tnfs3_rename,
	    tnfs3_setattr, tnfs3_write, tnfs3_commit;
nfs_send_fn tnfs4_clientid, tnfs4_clientid_confirm, tnfs4_open,
	    tnfs4_open_confirm, tnfs4_close, tnfs4_mkdir, tnfs4_remove,
	    tnfs4_rename, tnfs4_setattr, tnfs4_write, tnfs4_commit;
/* What a listing asks for at a time, in bytes; of a tree that is brief. */
#define NFS_DIR_BYTES	(256 * 1024)
#define NFS_BRIEF_BYTES	(4 * 1024)
/* Largest WRITE that libnfs can send over v4: it encodes a call into 4096
 * bytes, with everything around. */
#define NFS4_WRITE_MAX	3584

enum nfs_state {
	NFS_DOWN = 0,		/* waits for retry_ms */
	NFS_ASKING,		/* rpcbind: which port */
	NFS_CONNECTING,
	NFS_UP
};

/* The addresses that the server's name has. */
struct nfs_addresses {
	char	**v;		/* numeric */
	unsigned count;
	unsigned at;		/* the one in use */
};

/* Waits for the export to be mounted again. */
struct nfs_waiter {
	TAILQ_ENTRY(nfs_waiter) link;
	void	 (*fn)(void *arg, const struct err *);	/* NULL: it is */
	void	*arg;
};
TAILQ_HEAD(nfs_waiters, nfs_waiter);

/* An export below the export. */
struct nfs_nested {
	char	*path;		/* raw, below the root */
	size_t	 path_len;
	struct handle fh;	/* len 0: see err */
	struct attrs attrs;
	struct err err;		/* why it can't be mounted */
};

struct nfs {
	struct tree_root root;
	bool	 brief;		/* see tree_spec */
	const struct nfs_version *version;
	uint32_t write_max;
	char	*server;
	char	*share;
	struct nfs_addresses addresses;
	uint32_t uid;
	uint32_t gid;
	uint32_t timeout_ms;
	uint64_t root_ino;	/* see tree_spec */
	uint64_t root_fsid;
	uint64_t unacked_ms;
	/* where to connect to */
	int	 program;
	int	 program_version;
	unsigned port;		/* 0: ask rpcbind */
	unsigned mountport;	/* v3; likewise */
	/* while it is opened */
	const _Atomic bool *stop;	/* or NULL */
	uint64_t open_end_ms;		/* of the attempt at hand */
	/* the connection */
	struct rpc_context *rpc;
	enum nfs_state state;
	unsigned asked_port;	/* rpcbind's answer; 0: none yet */
	bool	 opening;	/* a failure is final, no reconnect */
	bool	 broken;	/* seen in a callback: take it down */
	bool	 stopping;
	enum err_kind broken_kind;
	char	 broken_text[160];
	uint64_t connect_deadline_ms;
	uint64_t retry_ms;
	unsigned attempts;	/* failed ones since the last answer */
	struct rng rng;
	struct nfs_calls waiting;
	struct nfs_calls sent;
	struct nfs_calls failed;
	struct nfs_nested *nested;	/* v3 */
	size_t	 nested_count;
	struct nfs_again *again;	/* the export is mounted again */
	struct nfs_waiters again_waiters;
};

/* mount.c: resolve, mount, ask for the limits; waits. */
/* Is this the root that the spec asked for? Else DENIED. */
int	 tnfs_check_root(const struct nfs *, const struct attrs *, struct err *)
	    MUST_USE;
int	 tnfs_mount(struct nfs *, const struct tree_spec *, struct err *)
	    MUST_USE;

/* nested.c */
/* dir is the path of an export of the server: one below ours is kept. */
void	 tnfs_nested_add(struct nfs *, struct str dir);
void	 tnfs_nested_free(struct nfs *);
/* The export with this raw path, or NULL. */
const struct nfs_nested *tnfs_nested_at(const struct nfs *, struct str path);
/* True if its parent is the directory; the name that it has there. */
bool	 tnfs_nested_is_in(const struct nfs_nested *, struct str dir,
	    struct str *ret_name);

/* address.c */
/* All addresses of the server. The one in use is not the same for all that
 * ask, so that connections spread over them; those that were lost lately come
 * last. Waits for the resolver. */
int	 tnfs_addresses_resolve(struct nfs_addresses *, const char *server,
	    struct err *) MUST_USE;
void	 tnfs_addresses_copy(struct nfs_addresses *,
	    const struct nfs_addresses *);
void	 tnfs_addresses_release(struct nfs_addresses *);
const char *tnfs_address(const struct nfs_addresses *);
/* Use the next one; lost: the one in use doesn't answer, for everybody. */
void	 tnfs_address_next(struct nfs_addresses *, bool lost);

/* again.c */
/* The root's handle is stale: mount the export again, if that isn't under
 * way. The waiter is called from tnfs_again_service, once. */
void	 tnfs_mount_again(struct nfs *, struct nfs_waiter *);
void	 tnfs_again_service(struct nfs *, const struct pollfd *, int n);
int	 tnfs_again_fds(struct nfs *, struct pollfd *, int max);
/* When it must be served, if that is before timeout_ms (-1: never). */
int	 tnfs_again_timeout(const struct nfs *, int timeout_ms);
/* End it; all waiters are called. */
void	 tnfs_again_stop(struct nfs *);

/* conn.c */
/* Connect and mount; see tree_open. All that is outstanding ends, STOPPED,
 * when the connection is freed. */
int	 tnfs_open(struct nfs **, const struct tree_spec *, struct err *)
	    MUST_USE;
void	 tnfs_free(struct nfs *);
void	 tnfs_service(struct nfs *, const struct pollfd *, int n);
int	 tnfs_fds(struct nfs *, struct pollfd *, int max);
int	 tnfs_timeout(const struct nfs *);
/* Begin to connect to program at port (0: ask rpcbind); any connection that
 * was there is given up. */
void	 tnfs_connect(struct nfs *, int program, int version, unsigned port);
/* Take the connection down; what is outstanding fails. */
void	 tnfs_disconnect(struct nfs *, enum err_kind, const char *text);
/* While opening: end the call that is waited for. */
void	 tnfs_give_up(struct nfs *, enum err_kind, const char *text);
/* All that is outstanding ends, STOPPED; only tree_free may follow. */
void	 tnfs_stop(struct nfs *);

/* Begin a call; its arguments are filled in. done comes later, always. */
void	 tnfs_begin(struct nfs *, struct nfs_call *);
/* From a libnfs callback: the server answered. May begin calls. */
void	 tnfs_end(struct nfs_call *, const struct nfs_reply *,
	    const struct err *);
/* From a libnfs callback: if there is no answer, put the call aside. */
bool	 tnfs_no_answer(struct nfs_call *, int rpc_status, const void *data);
/* The answer is an NFS status other than OK. */
void	 tnfs_end_status(struct nfs_call *, int status);

/* err from a status; always -1. what is the call: "read". */
int	 tnfs_status_err(struct err *, const char *what, int status);
int	 tnfs_mount_status_err(struct err *, int status);
/* The handle is of no use any more: look the path up again. It doesn't say
 * that the file is gone. */
bool	 tnfs_is_stale(const struct err *);
bool	 tnfs_is_bad_cookie(const struct err *);
bool	 tnfs_is_unsupported(const struct err *);
/* From a libnfs callback: the answer makes no sense. */
void	 tnfs_end_protocol(struct nfs_call *, const char *text);
const char *tnfs_proc_name(enum nfs_proc);
/* Kind of failure that libnfs tells of in words. */
enum err_kind tnfs_rpc_fault(const char *text);
#define NFS_UNSUPPORTED 10004	/* NFS3ERR_NOTSUPP; also PROC_UNAVAIL */

/* Room for a handle? Copies it, or false. */
bool	 tnfs_handle_set(struct handle *, const void *, size_t);

#endif
