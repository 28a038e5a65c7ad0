/*
 * nfs_internal.h: inside of the destination on an NFS server, without a mount.
 * nfs_call.c has the connections and waits for answers, nfs.c opens and looks,
 * nfs_part.c makes and fills the temporary file, nfs_commit.c renames the
 * temporary file to the final name.
 *
 * Directories and files are known by handles, which mean the same on every
 * connection and after a restart of the server. A path is walked by LOOKUP,
 * which follows no symlink: a symlink's handle has the kind LINK and is
 * refused. So the client resolves no symlink, and reaches nothing outside the
 * root.
 *
 * Connections: a call takes a free connection, or opens a new connection. So
 * there are as many connections as threads waiting at the same time.
 *
 * Faults: a call without an answer, or with the answer "later" (a grace
 * period), is repeated for as long as the settings say. If the server made a
 * change before the answer was lost, the client recognises the change.
 *
 * Locks need state on the server, so the client takes none, and two processes
 * may write a temporary file of several ranges. If both processes fetch the
 * same object, both write the same bytes to the same places. If not, the later
 * process makes a new file of that name, and the earlier process finds at the
 * commit that the name belongs to another file; or an earlier call finds the
 * file gone. The earlier process then leaves the name to the later process.
 * Before each entry into the record, the client checks the name too, because
 * the later process may have committed. A moment remains between the check and
 * the write, in which a byte may land behind the end of a committed file; the
 * next run would find such a file by size.
 *
 * Bytes are sent UNSTABLE, and COMMIT puts the bytes on the server's disk
 * before the rename. After a restart in between, the server sends another
 * verifier: then the commit is RETRY, and nothing was renamed.
 */
#ifndef DEST_NFS_INTERNAL_H
#define DEST_NFS_INTERNAL_H

#include "nfs/nfs.h"

#include <pthread.h>

#include "dest/dest_internal.h"

/* A connection, used by at most a single thread at a time. */
struct dnfs_conn {
	struct dnfs_conn *next;
	struct nfs *nfs;
	struct nfs4_open open;
	bool	 has_clientid;
	bool	 stopped;	/* useless from now on */
};

struct dest_nfs {
	struct dest dest;
	/* Constant after dest_open_nfs. */
	struct tree_spec spec;
	char	*server;
	char	*share;
	char	*path;		/* of the root, as given by the caller ... */
	char	*rest;		/* ... and the part of path below the export */
	uint64_t retry_for_ms;
	uint32_t read_max;	/* bytes of a READ and a WRITE */
	uint32_t write_max;
	/* Shared by all threads. */
	_Atomic uint64_t stop_at_ms;
	_Atomic bool stopping;	/* no connection is opened any more */
	pthread_mutex_t lock;
	struct {
		struct dnfs_conn *idle;
		struct handle root;
	} locked;
	pthread_mutex_t again_lock;	/* only the holder looks for a new
					   root */
};

/* A name in a directory, found or made. */
struct dnfs_entry {
	struct handle fh;
	struct attrs attrs;
	uint32_t nlink;
};

struct dnfs_file {
	struct dest_file file;
	struct handle dir;	/* len 0: existing */
	struct handle fh;	/* len 0: no file yet */
	struct attrs attrs;	/* ino and fsid identify the file */
	bool	 fresh;		/* made by us, still empty */
	pthread_mutex_t lock;
	struct {
		bool	 unstable;	/* some bytes want a COMMIT */
		bool	 lost;		/* the verifier changed */
		uint8_t	 verf[8];
	} locked;
};

static inline struct dest_nfs *
dnfs_of(const struct dest *d)
{
	return (struct dest_nfs *)(void *)(uintptr_t)d;
}

static inline struct dnfs_file *
dnfs_file_of(struct dest_file *f)
{
	return (struct dnfs_file *)(void *)f;
}

/* --- nfs_call.c --- */

/* A call and its results. The caller fills in proc, fh, name, offset, len of
 * call and the fields of change that the procedure needs. */
struct dnfs_call {
	struct nfs_call call;
	struct nfs_change change;
	struct nfs_reply reply;
	struct err err;
	bool	 done;
	bool	 failed;
	bool	 last;		/* of a file: no patience, even when stopped */
};

/* Run the call, repeatedly if needed. */
int	 dnfs_run(struct dest_nfs *, struct dnfs_call *, struct err *)
	    MUST_USE;
/* Make a regular file of mode 0600; the name must be free. */
int	 dnfs_create(struct dest_nfs *, const struct handle *dir,
	    struct str name, struct dnfs_entry *, struct err *) MUST_USE;
/* Run all n calls side by side on a single connection. Each call may end with
 * its own err, but with RETRY or UNREACHABLE only when patience has run out. */
int	 dnfs_run_all(struct dest_nfs *, struct dnfs_call *, size_t n,
	    struct err *) MUST_USE;
/* Open the first connection, and keep its root, read_max and write_max. */
int	 dnfs_first(struct dest_nfs *, struct err *) MUST_USE;
/* Mount the export again on a new connection; return the new root's handle. */
int	 dnfs_export_again(struct dest_nfs *, struct handle *root, struct err *)
	    MUST_USE;
void	 dnfs_root(struct dest_nfs *, struct handle *);
void	 dnfs_set_root(struct dest_nfs *, const struct handle *);
/* Close the idle connections. */
void	 dnfs_drop_idle(struct dest_nfs *);

/* GONE if the name does not exist. */
int	 dnfs_lookup(struct dest_nfs *, const struct handle *dir, struct str,
	    struct dnfs_entry *, struct err *) MUST_USE;
int	 dnfs_remove(struct dest_nfs *, const struct handle *dir, struct str,
	    bool last, struct err *) MUST_USE;
int	 dnfs_getattr(struct dest_nfs *, const struct handle *,
	    struct attrs *, struct err *) MUST_USE;
int	 dnfs_setattr(struct dest_nfs *, const struct handle *,
	    const struct attrs_set *, struct err *) MUST_USE;

/* --- nfs_part.c --- */

int	 dnfs_part_new(struct dest_file *, struct err *) MUST_USE;
int	 dnfs_part_shared(struct dest_file *, struct err *) MUST_USE;
int	 dnfs_part_join(struct dest_file *, struct err *) MUST_USE;
/* Is an entry of a directory, with this handle and these attributes, our file?
 * Return 1, 0 or -1. Different handles may name the same file (RFC 1813,
 * nfs_fh3); but a new file may have the inode number of a removed file, whose
 * handle is stale. */
int	 dnfs_is_file(struct dnfs_file *, const struct handle *,
	    const struct attrs *, bool last, struct err *) MUST_USE;
/* Check that the temporary name still names this file; RETRY if not. */
int	 dnfs_part_check(struct dnfs_file *, struct err *) MUST_USE;
/* A call on our temporary file failed: replace err by the error to report,
 * return -1. ESTALE remains only where the caller must begin the file again:
 * after a failover. If the server still knows the directory, but the name names
 * another file or none, another process took the file away. */
int	 dnfs_file_fault(struct dnfs_file *, struct err *);
int	 dnfs_size(struct dest_file *, uint64_t *, struct err *) MUST_USE;
int	 dnfs_clear(struct dest_file *, uint64_t, struct err *) MUST_USE;
int	 dnfs_pwrite(struct dest_file *, uint64_t, const void *, size_t,
	    struct err *) MUST_USE;
int	 dnfs_note(struct dest_file *, uint64_t, const void *, size_t,
	    struct err *) MUST_USE;
ssize_t	 dnfs_pread(struct dest_file *, uint64_t, void *, size_t,
	    struct err *) MUST_USE;

/* --- nfs_commit.c --- */

int	 dnfs_flush(struct dest_file *, struct err *) MUST_USE;
int	 dnfs_restore(struct dest_file *, const struct dest_meta *,
	    bool as_root, struct err *) MUST_USE;
int	 dnfs_commit(struct dest_file *, const struct dest_meta *,
	    bool as_root, bool sync, struct err *) MUST_USE;
void	 dnfs_close(struct dest_file *, bool remove);

#endif
