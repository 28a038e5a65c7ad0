/*
 * tree.h: a tree of files as one thread sees it: list a directory as a
 * stream, read a file in a window. nfs/conn.c speaks NFSv3 and NFSv4 through
 * libnfs' raw calls (RFC 1813, RFC 7530), posix.c reads a local or
 * mounted path.
 *
 * Life cycle: tree_open, then a loop of tree_fds / poll / tree_service, then
 * tree_free. Calls are asynchronous: callbacks come from tree_service only,
 * never from inside the call that began the work, and each call that was
 * begun gets its last callback exactly once (tree_free gives the ones that
 * are left an ERR_STOPPED). Calls may be made from callbacks, but tree_free.
 *
 * Thread: one, from open to free.
 *
 * Errors: RETRY (the server does not answer within the limit, or broke the
 * connection: the tree reconnects by itself, with its own backoff, and the
 * call may be begun again; a handle that is stale), GONE (no such entry, which
 * err_is_absence tells from a path that names something else), DENIED,
 * UNREACHABLE, PEER (answers that break the protocol), RESOURCE.
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

/* What must be the same on all hosts that share the directory. Waits for the
 * disk. */
int	 tree_peek(const char *dir, uint64_t *ret_ino, bool *ret_filled,
	    struct err *) MUST_USE;

/* Connect and mount; waits (bounded by timeout_ms, and by that of the resolver
 * of names). The spec's strings are copied; stop is not looked at later.
 * ERR_STOPPED if it was true. */
int	 tree_open(struct tree **, const struct tree_spec *, struct err *)
	    MUST_USE;
void	 tree_free(struct tree **);

/* The root directory of the export. */
void	 tree_root(const struct tree *, struct handle *, struct attrs *);
/* "nfs3", "nfs4" or "posix", for logs. */
const char *tree_protocol(const struct tree *);
/* Does the server answer now? False: its last answer came before the last
 * fault of the connection. Waits for a local path only. */
bool	 tree_answers(const struct tree *);
/* The step of its times, as the server says; 0: it doesn't. */
int64_t	 tree_time_delta(const struct tree *);
/* Largest READ worth asking for, in bytes (a power of two, at most 1 MiB). */
uint32_t tree_read_max(const struct tree *);

/* Ask, then wait: fill up to max descriptors (at most 2 are used); returns
 * how many. Ask anew before each wait. */
int	 tree_fds(struct tree *, struct pollfd *, int max);
/* Milliseconds until tree_service must be called although no descriptor is
 * ready; 0: at once; -1: no need. */
int	 tree_timeout_ms(const struct tree *);
/* Do what can be done, without waiting; runs callbacks. Give it the pollfds
 * of tree_fds with their revents, or NULL and 0 when no event is known. */
void	 tree_service(struct tree *, const struct pollfd *, int n);

struct tree_entry {
	struct str name;	/* bytes; never "." or "..", never with '/' */
	struct attrs attrs;	/* kind ENTRY_UNKNOWN: see err */
	struct handle fh;	/* len 0 over POSIX */
	struct err err;		/* why there are no attributes; else NONE */
};

/* A page of entries; lent for the time of the call. The next page is asked
 * for after the callback returns, so a slow callback is back-pressure. */
typedef void tree_page_fn(void *arg, const struct tree_entry *, size_t n);
/* The end: err is NULL if the whole directory was listed; it may be another
 * one than what the path names by now. */
typedef void tree_end_fn(void *arg, const struct err *);

/*
 * List a directory. path is relative to the root ("" for the root), bytes,
 * without slashes at its ends; it is used when the handle is stale or empty.
 * An entry can come twice if the server made us begin again. attrs of
 * symlinks are the link's own. A list that ends in "no such entry" says
 * nothing of its directory: servers end lists so while entries come and go.
 */
void	 tree_list(struct tree *, const struct handle *, struct str path,
	    tree_page_fn *, tree_end_fn *, void *arg);

/* In a callback of tree_list that brings a page or a good end: the directory
 * itself, as it was when its listing began. */
const struct attrs *tree_listed(const struct tree *);

/* Look one path up, from the root, without following a last symlink. */
typedef void tree_lookup_fn(void *arg, const struct tree_entry *,
	    const struct err *);
void	 tree_lookup(struct tree *, struct str path, tree_lookup_fn *,
	    void *arg);
/* The same, following symlinks (also in the middle) inside the export; a
 * target outside of it or a loop is ERR_GONE. For --links follow. */
void	 tree_lookup_follow(struct tree *, struct str path, tree_lookup_fn *,
	    void *arg);

/* Look up one entry of a directory that tree_lookup has just found: path is
 * the entry's, dir the directory's handle. A symlink is not followed. "No such
 * entry" (GONE, code ENOENT) is said of the entry alone: a directory that is
 * not there any more is RETRY, and must be looked up again by its path. */
void	 tree_lookup_in(struct tree *, const struct handle *dir,
	    struct str path, tree_lookup_fn *, void *arg);

/* A file to read. Costs no request; handle and path as in tree_list. */
struct tree_file *tree_file_open(struct tree *, const struct handle *,
	    struct str path);
/* No read of this file may be outstanding; its tree may be gone already. */
void	 tree_file_close(struct tree_file **);

struct tree_read {
	uint32_t len;		/* bytes read; fewer than asked only at EOF */
	bool	 eof;
	struct attrs attrs;	/* after the read; kind UNKNOWN: not given */
};
typedef void tree_read_fn(void *arg, const struct tree_read *,
	    const struct err *);
/* Read up to len bytes (at most tree_read_max) at offset into buf, which must
 * stay until the callback. Several may be outstanding. */
void	 tree_file_read(struct tree_file *, uint64_t offset, uint32_t len,
	    void *buf, tree_read_fn *, void *arg);
/* The attributes now. */
void	 tree_file_stat(struct tree_file *, tree_lookup_fn *, void *arg);

#endif
