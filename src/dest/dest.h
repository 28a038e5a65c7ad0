/*
 * dest.h: the write side of a tree of files, for GET: a local or mounted
 * directory, or one on an NFS server (see nfs_internal.h for what is different
 * there), into which objects come back as files.
 *
 * A file is written under a temporary name beside its final one and renamed
 * over it by dest_commit, so nobody ever sees half of it. The temporary name
 * follows from the final one, so that a later run finds it. A file of
 * several ranges keeps behind its data which ranges are whole, and of which
 * size, ETag and range size: after a kill, dest_begin takes up what is there
 * (dest_have). The order of the writes makes that true after a kill at any
 * point; after a power loss the record may be ahead of the data, so hash
 * what was there (dest_read) before the commit.
 *
 * Paths are name bytes relative to the root. None leaves it: a path that is
 * absolute or has an empty, "." or ".." component is refused, and symlinks
 * in the destination aren't followed, but for the root itself.
 *
 * Life cycle: dest_open, any number of files, dest_free.
 * Of a file: dest_begin, for each range dest_write and dest_range_done, then
 * dest_commit; dest_abort in any case (after the commit it only frees).
 *
 * Several processes, also on different hosts, can write one file of several
 * ranges together: one begins it with a token and ends that (dest_abort,
 * kept), each then joins it for its ranges, and when all are done one joins
 * it to commit. What joins does not write to the same range at once.
 *
 * Threads: any may use one dest at once, for different files. One file
 * belongs to one thread, but dest_write, dest_read, dest_have and
 * dest_range_done for different ranges may run at once. Calls wait for the
 * disk or the server.
 *
 * Errors: RESOURCE (no space, over quota, too large for the file system),
 * DENIED, INVALID (this file can't be here: its name, or something else in
 * its place or its parents'), GONE, RETRY. Over NFS also UNREACHABLE (the
 * server, for too long), PEER and STOPPED (after dest_stop).
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
 * A directory on an NFS server, nothing mounted: spec says which server, and
 * how; share is the export that path (absolute) begins with, or NULL: it is
 * found. Calls that the server doesn't answer are made again for so long.
 * USAGE if there is no such directory, UNREACHABLE, DENIED.
 */
int	 dest_open_nfs(struct dest **, const struct tree_spec *spec,
	    const char *path, uint64_t retry_for_ms, struct err *) MUST_USE;
void	 dest_free(struct dest **);
/* Calls that wait for a server end soon after limit_ms, STOPPED. */
void	 dest_stop(struct dest *, uint64_t limit_ms);

/* nfs://SERVER[:PORT]/PATH, as in RFC 2224: %XX are bytes, an IPv6 address
 * stands in brackets. */
struct dest_url {
	char	*server;
	char	*path;		/* absolute and plain, decoded */
	unsigned port;		/* of the NFS service; 0: not given */
};
/* 1: it is one; 0: it is no URL; -1: one that can't be (USAGE). Pure. */
int	 dest_url(const char *text, struct dest_url *, struct err *) MUST_USE;
void	 dest_url_release(struct dest_url *);

/* Append the path below the root for this key text; INVALID with the reason
 * if it can't be one. Pure. */
int	 dest_path(struct buf *, struct str key, struct err *) MUST_USE;
/* Only the check, for a path that is there already. Pure. */
int	 dest_path_check(struct str rel, struct err *) MUST_USE;

/* What is there (a symlink is itself), or GONE. INVALID where something else
 * stands in place of a parent directory: dest_begin would say the same. */
int	 dest_look(struct dest *, struct str rel, struct attrs *,
	    struct err *) MUST_USE;

/* Open the regular file that is there, for dest_read and dest_restore. */
int	 dest_existing(struct dest *, struct str rel, struct dest_file **,
	    struct attrs *, struct err *) MUST_USE;

struct dest_want {
	uint64_t size;
	const char *etag;	/* "" or NULL: nothing to resume by */
	uint64_t range;		/* bytes a range has; 0: all in one */
	const char *token;	/* DEST_TOKEN_LEN characters that nobody can
				   guess: others will join; or NULL */
	bool	 whole;		/* dest_join: all ranges are known to be done */
};
#define DEST_TOKEN_LEN 32
/* Ranges that several write are whole multiples of this: no page of a file
 * system's cache belongs to two. */
#define DEST_ALIGN	((uint64_t)(64 * KIB))

/*
 * Begin to write, with the parent directories made. RETRY while somebody
 * else writes the same file of several ranges. A temporary file of another
 * ETag, size or range size starts anew.
 */
int	 dest_begin(struct dest *, struct str rel, const struct dest_want *,
	    struct dest_file **, struct err *) MUST_USE;

/*
 * Write to what another has begun with the same wants, the token too: GONE,
 * ENOENT, if it is not there or is another, RETRY while somebody has it for
 * himself.
 */
int	 dest_join(struct dest *, struct str rel, const struct dest_want *,
	    struct dest_file **, struct err *) MUST_USE;
/* Of what was joined as the last one: does its record say too that all ranges
 * are done? */
bool	 dest_is_recorded(const struct dest_file *);
/* What was written is stable, and those who join later see it; RETRY if the
 * server may have lost some. */
int	 dest_flush(struct dest_file *, struct err *) MUST_USE;

/* Is the range whole? */
bool	 dest_have(const struct dest_file *, uint32_t index);
/* All of buf, inside the size (PEER if it isn't: the store sent too much).
 * RETRY, ESTALE: the server knows the file no more by its handle, as after a
 * failover; it is to be begun again. RETRY, EBUSY, here and below: another
 * process began the file later, or finished it; begun again, it would be taken
 * from that process. */
int	 dest_write(struct dest_file *, uint64_t offset, const void *buf,
	    size_t len, struct err *) MUST_USE;
/* The range was written; recorded if there are several. */
int	 dest_range_done(struct dest_file *, uint32_t index, struct err *)
	    MUST_USE;
/* All of len; GONE if the file ends before. */
int	 dest_read(struct dest_file *, uint64_t offset, void *buf, size_t len,
	    struct err *) MUST_USE;

/* What to give back; what isn't there stays as a new file has it. */
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
 * Cut to size, give mode, mtime and, as_root, the owner, then rename over
 * what is there. Set-id and sticky bits come back only with the owner. sync:
 * on the disk, name included, when this returns. BUG unless all ranges are
 * done. After an error it may be called again, also with as_root false
 * (DENIED: owners can't be set here), or begun anew if RETRY and not EBUSY.
 */
int	 dest_commit(struct dest_file *, const struct dest_meta *, bool as_root,
	    bool sync, struct err *) MUST_USE;
/* Give an existing file what differs of mode, mtime and owner. */
int	 dest_restore(struct dest_file *, const struct dest_meta *,
	    bool as_root, struct err *) MUST_USE;
/* After dest_commit or dest_restore: the place can't hold this mtime (32 bits
 * of seconds, for example), and the file keeps the one that it had. */
bool	 dest_refused_mtime(const struct dest_file *);

/* Close and free. The temporary file goes, unless keep and there is a record
 * to resume by. NULL-safe, sets NULL. */
void	 dest_abort(struct dest_file **, bool keep);

#endif
