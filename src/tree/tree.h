/*
 * tree.h: a tree of files as seen by one thread: list a directory as a stream,
 * read a file in a window. nfs/conn.c speaks NFSv3 and NFSv4 through libnfs'
 * raw calls (RFC 1813, RFC 7530), posix.c reads a local or mounted path.
 *
 * Life cycle: tree_open, then a loop of tree_fds / poll / tree_service, then
 * tree_free. Calls are asynchronous: callbacks come from tree_service only,
 * never from inside the call that began the work. Each call begun gets its last
 * callback exactly once (tree_free ends the remaining calls with ERR_STOPPED).
 * A callback may make any call except tree_free.
 *
 * Thread: one, from open to free.
 *
 * Errors: RETRY (the server does not answer within the limit, or broke the
 * connection: the tree reconnects by itself, with its own backoff, and the
 * caller may begin the call again; or a stale handle), GONE (no such entry;
 * err_is_absence distinguishes an absent entry from a path that names something
 * else), DENIED, UNREACHABLE, PEER (answers that break the protocol), RESOURCE.
 */
#ifndef TREE_TREE_H
#define TREE_TREE_H

#include <poll.h>

#include "base/buf.h"
#include "base/err.h"
#include "model/attrs.h"
#include "model/tree_spec.h"

struct tree;
struct tree_file;

/* Read the inode number of the directory and whether the directory has entries:
 * both must be the same on all hosts that share the directory. Waits for the
 * disk. */
int	 tree_peek(const char *dir, uint64_t *ret_ino, bool *ret_filled,
	    struct err *) MUST_USE;

/* Connect and mount. Waits at most timeout_ms, and the time limit of the name
 * resolver. Copies the strings of the spec; does not look at stop later. Fails
 * with ERR_STOPPED if stop was true. */
int	 tree_open(struct tree **, const struct tree_spec *, struct err *)
	    MUST_USE;
void	 tree_free(struct tree **);

/* The root directory of the export. */
void	 tree_root(const struct tree *, struct handle *, struct attrs *);
/* "nfs3", "nfs4" or "posix", for logs. */
const char *tree_protocol(const struct tree *);
/* Does the server answer now? False if the last answer came before the last
 * fault of the connection. Waits for a local path only. */
bool	 tree_answers(const struct tree *);
/* The step of the server's time stamps, as the server says; 0: unknown. */
int64_t	 tree_time_delta(const struct tree *);
/* Largest READ worth asking for, in bytes (a power of two, at most 1 MiB). */
uint32_t tree_read_max(const struct tree *);

/* Ask, then wait: fill up to max descriptors (at most 2 are used); returns
 * how many. Ask anew before each wait. */
int	 tree_fds(struct tree *, struct pollfd *, int max);
/* Milliseconds until tree_service must be called although no descriptor is
 * ready; 0: at once; -1: no need. */
int	 tree_timeout_ms(const struct tree *);
/* Do the work that is possible without waiting; runs callbacks. Pass the
 * pollfds of tree_fds with their revents, or NULL and 0 when no event is
 * known. */
void	 tree_service(struct tree *, const struct pollfd *, int n);

struct tree_entry {
	struct str name;	/* bytes; never "." or "..", never with '/' */
	struct attrs attrs;	/* kind ENTRY_UNKNOWN: see err */
	struct handle fh;	/* len 0 over POSIX */
	struct err err;		/* why attrs are missing; else NONE */
};

/* A page of entries; lent for the time of the call. The next page is asked
 * for after the callback returns, so a slow callback is back-pressure. */
typedef void tree_page_fn(void *arg, const struct tree_entry *, size_t n);
/* The end: err is NULL if the whole directory was listed. By now the path may
 * name another directory than the listed directory. */
typedef void tree_end_fn(void *arg, const struct err *);

/*
 * List a directory. path is relative to the root ("" for the root), bytes,
 * without slashes at its ends; path is used when the handle is stale or empty.
 * An entry can come twice if the server forced a restart. attrs of symlinks are
 * the link's own. A list that ends in "no such entry" proves nothing about the
 * directory: servers end lists with that error while entries come and go.
 */
void	 tree_list(struct tree *, const struct handle *, struct str path,
	    tree_page_fn *, tree_end_fn *, void *arg);

/* Only in a tree_list callback that brings a page or a good end: return the
 * attributes of the directory itself, read when the listing began. */
const struct attrs *tree_listed(const struct tree *);

/* Look up a path from the root, without following a last symlink. */
typedef void tree_lookup_fn(void *arg, const struct tree_entry *,
	    const struct err *);
void	 tree_lookup(struct tree *, struct str path, tree_lookup_fn *,
	    void *arg);
/* Like tree_lookup, but follow symlinks (also in the middle) inside the export;
 * a target outside of the export or a loop is ERR_GONE. For --links follow. */
void	 tree_lookup_follow(struct tree *, struct str path, tree_lookup_fn *,
	    void *arg);

/* Look up an entry of a directory that tree_lookup has just found: path is the
 * entry's, dir the directory's handle. A symlink is not followed. "No such
 * entry" (GONE, code ENOENT) refers to the entry alone. If the directory itself
 * is absent, the error is RETRY, and the caller must look up the directory
 * again by path. */
void	 tree_lookup_in(struct tree *, const struct handle *dir,
	    struct str path, tree_lookup_fn *, void *arg);

/* A file to read. Costs no request; handle and path as in tree_list. */
struct tree_file *tree_file_open(struct tree *, const struct handle *,
	    struct str path);
/* The file must have no read outstanding; the tree may be freed already. */
void	 tree_file_close(struct tree_file **);

struct tree_read {
	uint32_t len;		/* bytes read; fewer than asked only at EOF */
	bool	 eof;
	struct attrs attrs;	/* after the read; kind UNKNOWN: not given */
};
typedef void tree_read_fn(void *arg, const struct tree_read *,
	    const struct err *);
/* Read up to len bytes (at most tree_read_max) at offset into buf. buf must
 * stay valid until the callback. Several reads may be outstanding. */
void	 tree_file_read(struct tree_file *, uint64_t offset, uint32_t len,
	    void *buf, tree_read_fn *, void *arg);
/* The attributes now. */
void	 tree_file_stat(struct tree_file *, tree_lookup_fn *, void *arg);

#endif
