/*
 * dest.h: the write side of a tree of files, for GET: a local or mounted
 * directory, or a directory on an NFS server (nfs_internal.h explains the
 * differences), into which objects come back as files.
 *
 * dest_begin creates a file under a temporary name beside the final name, and
 * dest_commit renames the file to the final name, so no reader ever sees half a
 * file. The temporary name is derived from the final name, so a later run finds
 * the temporary file. A file of several ranges keeps a record behind the data:
 * which ranges are whole, and the size, ETag and range size. After a kill,
 * dest_begin takes up the recorded ranges (dest_have). The order of the writes
 * keeps the record true after a kill at any point. After a power loss the
 * record may be ahead of the data, so callers must hash the recorded ranges
 * (dest_read) before the commit.
 *
 * Paths are name bytes relative to the root. No path leaves the root: a path
 * with a leading slash or an empty, "." or ".." component is refused, and
 * symlinks in the destination aren't followed, except for the root itself.
 *
 * Life cycle: dest_open, any number of files, dest_free. Of a file: dest_begin,
 * for each range dest_write and dest_range_done, then dest_commit; dest_abort
 * in any case (after the commit dest_abort only frees).
 *
 * Several processes, also on different hosts, can write a file of several
 * ranges together. The first process begins the file with a token and closes
 * the file (dest_abort, kept). Each process then joins the file for its ranges.
 * After the last range, a process joins the file to commit. Joined processes
 * must not write the same range at the same time.
 *
 * Threads: any threads may use a dest at the same time, for different files. A
 * file belongs to a single thread, but dest_write, dest_read, dest_have and
 * dest_range_done for different ranges may run at the same time. Calls wait for
 * the disk or the server.
 *
 * Errors: RESOURCE (no space, over quota, too large for the file system),
 * DENIED, INVALID (the file can't exist here: the name is invalid, or something
 * else is in the place of the file or of a parent), GONE, RETRY. Over NFS also
 * UNREACHABLE (the server, for too long), PEER and STOPPED (after dest_stop).
 */
#ifndef DEST_DEST_H
#define DEST_DEST_H

#include "base/buf.h"
#include "base/err.h"
#include "model/attrs.h"
#include "tree/tree.h"

struct dest;
struct dest_file;

/* The root must exist. The umask is read here. */
int	 dest_open(struct dest **, const char *dir, struct err *) MUST_USE;
/*
 * Open a directory on an NFS server, without a mount. spec names the server and
 * the settings; spec's share is the export at the beginning of path (absolute),
 * or NULL: dest_open_nfs finds the export. Calls without an answer are repeated
 * for retry_for_ms. Errors: USAGE if the directory does not exist, UNREACHABLE,
 * DENIED.
 */
int	 dest_open_nfs(struct dest **, const struct tree_spec *spec,
	    const char *path, uint64_t retry_for_ms, struct err *) MUST_USE;
void	 dest_free(struct dest **);
/* Calls waiting for a server end soon after limit_ms with STOPPED. */
void	 dest_stop(struct dest *, uint64_t limit_ms);

/* nfs://SERVER[:PORT]/PATH, as in RFC 2224: %XX are bytes, an IPv6 address
 * stands in brackets. */
struct dest_url {
	char	*server;
	char	*path;		/* absolute and plain, decoded */
	unsigned port;		/* of the NFS service; 0: not given */
};
/* Return 1 for a valid URL, 0 for text not beginning with "nfs://", -1 (USAGE)
 * for an invalid URL. Pure. */
int	 dest_url(const char *text, struct dest_url *, struct err *) MUST_USE;
void	 dest_url_release(struct dest_url *);

/* Append the path below the root for this key text; INVALID with the reason if
 * the key can't be a path. Two keys must not meet in one file: a key that is
 * not the key of its path (key_is_of_path) is accepted only if it is the path
 * itself, and the caller then sees to it that no object has the path's key.
 * Pure. */
int	 dest_path(struct buf *, struct str key, struct err *) MUST_USE;
/* Only check an existing path, as dest_path checks paths. Pure. */
int	 dest_path_check(struct str rel, struct err *) MUST_USE;

/* Get the attributes of the entry at rel (of a symlink itself), or GONE.
 * INVALID if something else stands in place of a parent directory: dest_begin
 * would fail the same way. */
int	 dest_look(struct dest *, struct str rel, struct attrs *,
	    struct err *) MUST_USE;

/* Open the existing regular file, for dest_read and dest_restore. */
int	 dest_existing(struct dest *, struct str rel, struct dest_file **,
	    struct attrs *, struct err *) MUST_USE;

struct dest_want {
	uint64_t size;
	const char *etag;	/* "" or NULL: nothing to resume by */
	uint64_t range;		/* bytes per range; 0: a single range */
	const char *token;	/* DEST_TOKEN_LEN unguessable characters: more
				   processes will join; or NULL */
	bool	 whole;		/* dest_join: the caller knows all ranges
				   done */
};
#define DEST_TOKEN_LEN 32
/* Ranges of a shared file are whole multiples of DEST_ALIGN: no page of a file
 * system's cache belongs to two ranges. */
#define DEST_ALIGN	((uint64_t)(64 * KIB))

/*
 * Begin to write, with the parent directories made. RETRY while somebody
 * else writes the same file of several ranges. A temporary file of another
 * ETag, size or range size starts anew.
 */
int	 dest_begin(struct dest *, struct str rel, const struct dest_want *,
	    struct dest_file **, struct err *) MUST_USE;

/*
 * Join a file that another process has begun with the same wants, token
 * included. GONE, ENOENT, if the temporary file is missing or differs; RETRY
 * while a process holds the file for itself alone.
 */
int	 dest_join(struct dest *, struct str rel, const struct dest_want *,
	    struct dest_file **, struct err *) MUST_USE;
/* After dest_join with whole set: does the record also say that all ranges are
 * done? */
bool	 dest_is_recorded(const struct dest_file *);
/* Make the written bytes stable, and visible to processes that join later;
 * RETRY if the server may have lost bytes. */
int	 dest_flush(struct dest_file *, struct err *) MUST_USE;

/* Is the range whole? */
bool	 dest_have(const struct dest_file *, uint32_t index);
/* Write all of buf, inside the size (PEER if buf ends behind the size: the
 * store sent too much). RETRY, ESTALE: the server no longer knows the file by
 * the handle, as after a failover; begin the file again. RETRY, EBUSY, here and
 * below: another process began the file later, or finished the file; beginning
 * again would take the file from that process. */
int	 dest_write(struct dest_file *, uint64_t offset, const void *buf,
	    size_t len, struct err *) MUST_USE;
/* The range was written; record the range if the file has several. */
int	 dest_range_done(struct dest_file *, uint32_t index, struct err *)
	    MUST_USE;
/* Read all of len; GONE if the file ends earlier. */
int	 dest_read(struct dest_file *, uint64_t offset, void *buf, size_t len,
	    struct err *) MUST_USE;

/* The attributes to restore; an absent attribute stays as in a new file. */
struct dest_meta {
	int64_t	 mtime_ns;
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	bool	 has_mtime;
	bool	 has_mode;
	bool	 has_owner;	/* uid and gid */
};

/*
 * Cut to size, set mode, mtime and, if as_root, the owner, then rename over any
 * existing file. Set-id and sticky bits come back only with the owner. sync:
 * the file and the name are on the disk on return. BUG unless all ranges are
 * done. After an error the caller may call dest_commit again, also with as_root
 * false (DENIED: owners can't be set here), or begin anew if RETRY and not
 * EBUSY.
 */
int	 dest_commit(struct dest_file *, const struct dest_meta *, bool as_root,
	    bool sync, struct err *) MUST_USE;
/* Set the mode, mtime and owner of an existing file where they differ. */
int	 dest_restore(struct dest_file *, const struct dest_meta *,
	    bool as_root, struct err *) MUST_USE;
/* After dest_commit or dest_restore: true if the file system can't hold this
 * mtime (32 bits of seconds, for example); the file then keeps the former
 * mtime. */
bool	 dest_refused_mtime(const struct dest_file *);

/* Close and free. The temporary file goes, unless keep and there is a record
 * to resume by. NULL-safe, sets NULL. */
void	 dest_abort(struct dest_file **, bool keep);

#endif
