/*
 * nfs_internal.h: inside of the destination that is a directory on an NFS
 * server, with nothing mounted. nfs_call.c has the connections and waits for
 * answers, nfs.c opens and looks, nfs_part.c makes and fills the temporary
 * file, nfs_commit.c puts it in its place.
 *
 * Directories and files are known by their handles, which mean the same on
 * every connection and after a restart of the server. A path is walked by
 * LOOKUP, which follows no symlink: the handle of one is of that kind and is
 * refused. So nothing is resolved here, and nothing outside the root reached.
 *
 * Connections: a call takes one that is free, or opens another; so there are
 * as many as threads that wait at once.
 *
 * Faults: a call that gets no answer, or "later" (a grace period), is made
 * again for as long as the settings say. What a server made before its answer
 * was lost is recognised.
 *
 * Locks aren't to be had without state on the server, so two processes may
 * write one temporary file of several ranges. If they fetch the same object,
 * they write the same bytes to the same places; if not, the later one makes a
 * new file of that name, and the former's commit finds that the name isn't
 * its file's any more; or a call before finds that the file is gone. It leaves
 * the name to the later one. Before each entry into the record that is looked
 * at too, as the other may have committed: but for the moment between the look
 * and the write, in which a byte behind the end of a file in its place would
 * be found by the next run, by its size.
 *
 * Bytes are sent UNSTABLE, and COMMIT puts them on the server's disk before
 * the rename. A server that restarted in between says so by another verifier:
 * then the commit is RETRY, and nothing was renamed.
 */
#ifndef DEST_NFS_INTERNAL_H
#define DEST_NFS_INTERNAL_H

#include "nfs/nfs.h"

#include <pthread.h>

#include "dest/dest_internal.h"

/* One connection, used by one thread at a time. */
struct dnfs_conn {
	struct dnfs_conn *next;
	struct nfs *nfs;
	struct nfs4_open open;
	bool	 has_clientid;
	bool	 stopped;	/* of no use any more */
};

struct dest_nfs {
	struct dest dest;
	/* These don't change after it was opened. */
	struct tree_spec spec;
	char	*server;
	char	*share;
	char	*path;		/* of the root, as it was asked for ... */
	char	*rest;		/* ... and what of it is below the export */
	uint64_t retry_for_ms;
	uint32_t read_max;	/* bytes of a READ and a WRITE */
	uint32_t write_max;
	/* Of all threads. */
	_Atomic uint64_t stop_at_ms;
	_Atomic bool stopping;	/* no connection is opened any more */
	pthread_mutex_t lock;
	struct {
		struct dnfs_conn *idle;
		struct handle root;
	} locked;
	pthread_mutex_t again_lock;	/* one thread looks for a new root */
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
	struct handle fh;	/* len 0: not there yet */
	struct attrs attrs;	/* ino and fsid: which file it is */
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

/* One call and what it brought. proc, fh, name, offset, len of call and what
 * the procedure needs of change are to be filled in. */
struct dnfs_call {
	struct nfs_call call;
	struct nfs_change change;
	struct nfs_reply reply;
	struct err err;
	bool	 done;
	bool	 failed;
	bool	 last;		/* of a file: no patience, even when stopped */
};

/* Make it, again if need be. */
int	 dnfs_run(struct dest_nfs *, struct dnfs_call *, struct err *)
	    MUST_USE;
/* Make a regular file that isn't there yet, mode 0600. */
int	 dnfs_create(struct dest_nfs *, const struct handle *dir,
	    struct str name, struct dnfs_entry *, struct err *) MUST_USE;
/* All n at once, on one connection; each may end in its own err, none of them
 * RETRY or UNREACHABLE while there is patience. */
int	 dnfs_run_all(struct dest_nfs *, struct dnfs_call *, size_t n,
	    struct err *) MUST_USE;
/* Open the first connection, which tells root, read_max and write_max. */
int	 dnfs_first(struct dest_nfs *, struct err *) MUST_USE;
/* Mount the export again; the root's handle, on a new connection. */
int	 dnfs_export_again(struct dest_nfs *, struct handle *root, struct err *)
	    MUST_USE;
void	 dnfs_root(struct dest_nfs *, struct handle *);
void	 dnfs_set_root(struct dest_nfs *, const struct handle *);
/* Close those that nobody uses. */
void	 dnfs_drop_idle(struct dest_nfs *);

/* --- nfs.c --- */

/* GONE if there is no such name. */
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
 * 1 or 0. Different handles may be of one file (RFC 1813, nfs_fh3); but a new
 * file may have the inode number of a removed one, whose handle is stale. */
int	 dnfs_is_file(struct dnfs_file *, const struct handle *,
	    const struct attrs *, bool last, struct err *) MUST_USE;
/* Does its temporary name stand for this file? RETRY if not. */
int	 dnfs_part_check(struct dnfs_file *, struct err *) MUST_USE;
/* A call on the file that we made failed: -1, with the error that stands for
 * it. A stale handle is left only where the file is to be begun again: after a
 * failover. Where the server still knows the directory, and there the name
 * stands for something else, another process took the file away. */
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
