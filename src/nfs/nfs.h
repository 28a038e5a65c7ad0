/*
 * nfs.h: inside of the NFS trees.
 *
 * conn.c holds the connection: conn.c sends calls, times them, and builds the
 * connection anew after a fault. v3.c and v4.c encode a call and decode the
 * answer. tree/nfs_list.c and tree/nfs_file.c make the operations of tree.h out
 * of calls. v3_write.c and v4_write.c have the calls that change something, for
 * dest/nfs.c.
 *
 * A call lives in the memory of an operation. A call is in exactly one list of
 * struct nfs: waiting (no connection yet), sent, or failed. done runs from
 * tree_service, once.
 *
 * Functions begin with tnfs_: libnfs exports an nfs_open and many more.
 *
 * libnfs must not be destroyed or given new calls while libnfs reports a broken
 * connection. Therefore failures are put aside (failed) and told after libnfs
 * has returned.
 */
#ifndef NFS_NFS_H
#define NFS_NFS_H

/* Include these before base.h, which bans calls declared in time.h. */
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
	NFS_EXPORTS,		/* likewise: does the server list name? */
	NFS_ROOT,		/* v4: the root of the server */
	NFS_FSINFO,
	NFS_GETATTR,
	NFS_LOOKUP,
	NFS_READLINK,
	NFS_READ,
	NFS_READDIR,		/* with attributes and handles */
	NFS_READDIR_NAMES,	/* names only */
	NFS_CREATE,		/* v3; a regular file, which must not exist
				   yet */
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

/* The state that NFSv4.0 needs in order to create a file. */
struct nfs4_open {
	uint64_t clientid;
	uint8_t	 confirm[8];	/* of CLIENTID */
	uint64_t instance;	/* of this client: unique for each instance */
	uint32_t owner;		/* of the open file; a new number after a
				   fault */
	uint32_t seqid;
	uint32_t stateid_seqid;
	uint8_t	 stateid[12];
	bool	 must_confirm;
};

/* The arguments of a changing call. */
struct nfs_change {
	struct attrs_set set;	/* CREATE, OPEN, MKDIR, SETATTR */
	const void *data;	/* WRITE: len bytes at offset */
	bool	 stable;	/* ... on the disk before the answer */
	struct handle to;	/* RENAME: the directory */
	struct str to_name;
	struct nfs4_open *open;	/* the NFS4_ procedures */
};

/* The results of an answer; each procedure fills the fields marked with its
 * name. */
struct nfs_reply {
	struct handle fh;	/* MNT, ROOT, LOOKUP */
	struct attrs attrs;	/* kind UNKNOWN: not given */
	struct str link;	/* READLINK; lent */
	uint64_t cookie;	/* READDIR: of the last entry */
	uint8_t	 verf[8];	/* READDIR, WRITE, COMMIT */
	size_t	 entries;	/* READDIR: how many came, dots included */
	uint32_t len;		/* READ: copied into the call's buf; WRITE */
	bool	 stable;	/* WRITE: data are on the disk */
	uint32_t read_max;	/* FSINFO */
	uint32_t write_max;	/* likewise */
	int64_t	 time_delta_ns;	/* likewise; 0: not said */
	uint32_t nlink;		/* where attrs are; v3, and v4's LOOKUP */
	bool	 eof;
	bool	 listed;	/* EXPORTS */
};

/* err is NULL on success. If an NFS status made the call fail, err->code is the
 * NFS status. */
typedef void nfs_done_fn(struct nfs_call *, const struct nfs_reply *,
	    const struct err *);

/* An entry of a READDIR answer, lent. */
struct nfs_entry {
	struct str name;
	struct attrs attrs;
	const void *fh;
	size_t	 fh_len;
	int	 status;	/* why attrs are missing (v4), or 0 */
};
typedef int nfs_entry_fn(struct nfs_call *, const struct nfs_entry *,
	    struct err *);

struct nfs_call {
	TAILQ_ENTRY(nfs_call) link;
	struct nfs *nfs;
	nfs_done_fn *done;
	nfs_entry_fn *entry;	/* READDIR: for each entry, before done */
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

/* Encode and queue a call in libnfs; return 0, or another value on failure. */
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
/* Bytes that a READDIR asks for at a time; the second value is for a brief
 * tree. */
#define NFS_DIR_BYTES	(256 * 1024)
#define NFS_BRIEF_BYTES	(4 * 1024)
/* Largest WRITE that libnfs can send over v4: libnfs encodes a call, with all
 * headers, into 4096 bytes. */
#define NFS4_WRITE_MAX	3584

enum nfs_state {
	NFS_DOWN = 0,		/* waits for retry_ms */
	NFS_ASKING,		/* asks rpcbind for the port */
	NFS_CONNECTING,
	NFS_UP
};

/* The addresses of the server's name. */
struct nfs_addresses {
	char	**v;		/* numeric */
	unsigned count;
	unsigned at;		/* index of the address in use */
};

/* Waits for the export to be mounted again. */
struct nfs_waiter {
	TAILQ_ENTRY(nfs_waiter) link;
	void	 (*fn)(void *arg, const struct err *);	/* NULL: mounted */
	void	*arg;
};
TAILQ_HEAD(nfs_waiters, nfs_waiter);

/* An export below the export. */
struct nfs_nested {
	char	*path;		/* raw, below the root */
	size_t	 path_len;
	struct handle fh;	/* len 0: see err */
	struct attrs attrs;
	struct err err;		/* why the mount failed */
};

struct nfs {
	struct tree_root root;
	bool	 brief;		/* see tree_spec */
	const struct nfs_version *version;
	uint32_t write_max;
	char	*server;
	char	*share;
	struct nfs_addresses addresses;
	struct nfs_access access;
	uint32_t timeout_ms;
	uint64_t root_ino;	/* see tree_spec */
	uint64_t root_fsid;
	uint64_t unacked_ms;
	/* where to connect to */
	int	 program;
	int	 program_version;
	unsigned port;		/* 0: ask rpcbind */
	/* only while opening */
	const _Atomic bool *stop;	/* or NULL */
	uint64_t open_end_ms;		/* of the attempt at hand */
	/* the connection */
	struct rpc_context *rpc;
	enum nfs_state state;
	unsigned asked_port;	/* rpcbind's answer; 0: none yet */
	bool	 opening;	/* a failure is final, no reconnect */
	bool	 broken;	/* set in a callback: take the connection
				   down */
	bool	 stopping;
	enum err_kind broken_kind;
	char	 broken_text[160];
	uint64_t connect_deadline_ms;
	uint64_t retry_ms;
	unsigned attempts;	/* failures since the last answer */
	struct silence *silence;	/* of the server */
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
/* Return 0 if the attributes are those of the root in the spec; else fail with
 * DENIED. */
int	 tnfs_check_root(const struct nfs *, const struct attrs *, struct err *)
	    MUST_USE;
int	 tnfs_mount(struct nfs *, const struct tree_spec *, struct err *)
	    MUST_USE;

/* nested.c */
/* dir is the path of an export of the server: keep dir if the path lies below
 * the tree's export. */
void	 tnfs_nested_add(struct nfs *, struct str dir);
void	 tnfs_nested_free(struct nfs *);
/* Return the nested export at the raw path, or NULL. */
const struct nfs_nested *tnfs_nested_at(const struct nfs *, struct str path);
/* Return true if dir is the parent of the nested export; *ret_name is then the
 * export's name in dir. */
bool	 tnfs_nested_is_in(const struct nfs_nested *, struct str dir,
	    struct str *ret_name);

/* address.c */
/* Resolve all addresses of the server and choose an address to use. The choice
 * rotates from call to call, so that connections spread over the addresses;
 * lately lost addresses come last. Waits for the resolver. */
int	 tnfs_addresses_resolve(struct nfs_addresses *, const char *server,
	    struct err *) MUST_USE;
void	 tnfs_addresses_copy(struct nfs_addresses *,
	    const struct nfs_addresses *);
void	 tnfs_addresses_release(struct nfs_addresses *);
const char *tnfs_address(const struct nfs_addresses *);
/* Use the next address. lost: the current address does not answer; all trees of
 * the process avoid a lost address. */
void	 tnfs_address_next(struct nfs_addresses *, bool lost);

/* again.c */
/* The root's handle is stale: mount the export again, unless a new mount is
 * under way. tnfs_again_service calls the waiter, once. */
void	 tnfs_mount_again(struct nfs *, struct nfs_waiter *);
void	 tnfs_again_service(struct nfs *, const struct pollfd *, int n);
int	 tnfs_again_fds(struct nfs *, struct pollfd *, int max);
/* Return the milliseconds until tnfs_again_service is due, if sooner than
 * timeout_ms (-1: never); else timeout_ms. */
int	 tnfs_again_timeout(const struct nfs *, int timeout_ms);
/* End the new mount; call all waiters. */
void	 tnfs_again_stop(struct nfs *);

/* conn.c */
/* Connect and mount; see tree_open. Freeing the connection ends all outstanding
 * calls with STOPPED. */
int	 tnfs_open(struct nfs **, const struct tree_spec *, struct err *)
	    MUST_USE;
void	 tnfs_free(struct nfs *);
void	 tnfs_service(struct nfs *, const struct pollfd *, int n);
int	 tnfs_fds(struct nfs *, struct pollfd *, int max);
int	 tnfs_timeout(const struct nfs *);
/* Begin to connect to program at port (0: ask rpcbind); give up any earlier
 * connection. */
void	 tnfs_connect(struct nfs *, int program, int version, unsigned port);
/* Take the connection down; all sent calls fail. */
void	 tnfs_disconnect(struct nfs *, enum err_kind, const char *text);
/* While opening: fail the call that mount.c waits for. */
void	 tnfs_give_up(struct nfs *, enum err_kind, const char *text);
/* End all outstanding calls with STOPPED; only tree_free may follow. */
void	 tnfs_stop(struct nfs *);

/* Begin a call whose arguments are filled in. done always comes later, never
 * from inside tnfs_begin. */
void	 tnfs_begin(struct nfs *, struct nfs_call *);
/* From a libnfs callback: the server answered. May begin calls. */
void	 tnfs_end(struct nfs_call *, const struct nfs_reply *,
	    const struct err *);
/* From a libnfs callback: if no answer came, put the call aside and return
 * true. */
bool	 tnfs_no_answer(struct nfs_call *, int rpc_status, const void *data);
/* End the call with the error of an NFS status other than OK. */
void	 tnfs_end_status(struct nfs_call *, int status);

/* Set err from a status; return -1 always. what names the call: "read". */
int	 tnfs_status_err(struct err *, const char *what, int status);
int	 tnfs_mount_status_err(struct err *, int status);
/* Return true if the handle is useless now: look the path up again. A stale
 * handle does not prove that the file is gone. */
bool	 tnfs_is_stale(const struct err *);
bool	 tnfs_is_bad_cookie(const struct err *);
bool	 tnfs_is_unsupported(const struct err *);
/* From a libnfs callback: the answer makes no sense. */
void	 tnfs_end_protocol(struct nfs_call *, const char *text);
const char *tnfs_proc_name(enum nfs_proc);
/* Return the kind of a failure from libnfs' text. */
enum err_kind tnfs_rpc_fault(const char *text);
#define NFS_UNSUPPORTED 10004	/* NFS3ERR_NOTSUPP; also PROC_UNAVAIL */

/* Copy the handle; return false if the length is 0 or above HANDLE_MAX. */
bool	 tnfs_handle_set(struct handle *, const void *, size_t);

#endif
