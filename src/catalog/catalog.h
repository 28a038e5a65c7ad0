/*
 * catalog.h: the SQLite catalog. One writer thread owns the only connection
 * that writes; everybody else posts messages to it, and readers have
 * connections of their own that are read-only.
 *
 * What is in the tables, and what the views promise to people who query
 * them, is in datamover-catalog(5) and schema/. What GET, DEL and TEST need
 * is in outcome.h and stored.h, PUT --delete in mirror.h and doubt.h.
 *
 * Life cycle of a run:
 *	catalog_open            lock, check, migrate, start the thread
 *	catalog_begin_run       new run, or the continuation of a cut one
 *	crawl threads:          want_dirs -> dir_batch, put_page ...
 *	the master:             want_lease -> lease, put_results, put_upload
 *	catalog_end_run         closes the totals from rows
 *	catalog_close
 *
 * Results are committed at least every 200 ms or 1,000 objects. Posting
 * calls may be made by any thread and wait while the thread's mailbox is full
 * (back-pressure); replies come as mail to the mailbox given.
 *
 * Errors: CONFIG (damaged, too new, on a network file system, its directory
 * does not exist), RESOURCE (disk full), DENIED (a second master; no
 * permission). An error inside the thread is final: it is mailed once to the
 * events mailbox as MAIL_CATALOG_FAILED, and everything that waits is
 * answered with end set.
 */
#ifndef CATALOG_CATALOG_H
#define CATALOG_CATALOG_H

#include "base/buf.h"
#include "base/err.h"
#include "base/idset.h"
#include "base/mailbox.h"
#include "model/attrs.h"
#include "model/client.h"
#include "model/compaction.h"
#include "model/item.h"
#include "model/job.h"
#include "model/mail.h"

struct catalog;

/* Mail: MAIL_CATALOG_FAILED. */
struct catalog_failure {
	struct mail mail;
	struct err err;
};

/* path NULL: a temporary catalog, gone after close (dry runs). The directory
 * must exist. The file is created with mode 0640 if it is not there. events
 * must live until catalog_close returned. */
int	 catalog_open(struct catalog **, const char *path,
	    struct mailbox *events, struct err *) MUST_USE;
/* A temporary catalog that begins as a copy of the one at path, if there is
 * one: what a dry run does with it, nobody sees. That one may be in use. */
int	 catalog_open_copy(struct catalog **, const char *path,
	    struct mailbox *events, struct err *) MUST_USE;
/* Ends the thread after the messages already posted; commits; checkpoints. */
void	 catalog_close(struct catalog **);

/* --- the run --- */

struct run_export {
	const char *server;
	const char *share;
	const char *path;	/* catalog path of its root: "server/share" */
	const char *start;	/* where the crawl begins: path, or a directory
				   below it (--prefix); catalog path */
	const struct attrs *root; /* as it is now; NULL: it can't be seen */
};
struct run_spec {
	enum op	 op;
	const char *endpoint;	/* with bucket: the target */
	const char *const *also; /* other endpoints of the same store: a
				   target that is known by one is this one */
	size_t	 also_count;
	const char *bucket;
	bool	 server_as_prefix; /* key = path, or path without server */
	const char *scope;	/* text that is equal when a cut crawl may be
				   continued: exports, prefix, filters */
	const char *command_line;
	const struct run_export *exports;
	size_t	 export_count;
	bool	 no_crawl;	/* --files-from, --retry-failed: the frontier
				   starts empty */
	bool	 retry_failed;	/* queue what failed before at this target,
				   and failed directories as frontier */
	bool	 accept_filesystem; /* of a directory that is another file
				   system than it was, or was one of its own
				   and isn't there: it is right so */
	bool	 fresh;		/* --fresh: no cut crawl is continued */
	bool	 follow_links;	/* the crawl goes where links lead */
	int64_t	 resume_within_ns; /* a directory that was read longer ago is
				   read again by a crawl that goes on */
	bool	 ignore_inode;	/* a change doesn't show in them */
	bool	 ignore_ctime;
	int64_t	 clock_skew_ns;	/* between a server's clock and ours */
	bool	 no_backlog;	/* GET, DEL, TEST: neither crawl nor leases;
				   see catalog/outcome.h */
	uint64_t late_ms;	/* it has clients, which may change something
				   for so long after its master has died */
};
struct run_info {
	int64_t	 run;
	int64_t	 crawl;		/* first run of this crawl: <= run */
	bool	 continued;
	int64_t	 since_ns;	/* if so: when its first run began, and how */
	uint64_t dirs_kept;	/* many directories are not read again */
	int64_t	 target;
	uint64_t late_ms;	/* the master of an earlier run has died: its
				   clients may change something for so long;
				   0: no */
	char	 other[128];	/* the target is new, and this endpoint has a
				   target with the same bucket; or "" */
};
/* A cut run (killed, interrupted) with the same operation, target and scope
 * is continued: its frontier and backlog stay; objects of leases that were
 * open get ITEM_SETTLE; directories that it read too long ago are read again,
 * after the others. Else both start afresh. Runs without a backlog do not
 * come between: what they deleted of a cut crawl is read again. Waits. */
int	 catalog_begin_run(struct catalog *, const struct run_spec *,
	    struct run_info *, struct err *) MUST_USE;
/* That time is over: no later run waits for it. Waits. */
int	 catalog_late_over(struct catalog *, struct err *) MUST_USE;

enum run_end {
	RUN_COMPLETE = 0,	/* crawled everything and settled all items */
	RUN_INTERRUPTED,	/* stopped; resumable */
	RUN_FAILED		/* ended by an error; resumable */
};
struct run_failure {
	char	 path[256];	/* escaped */
	char	 kind[16];
	char	 reason[232];
};
struct run_closing {
	struct totals totals;	/* counted from rows */
	bool	 closes;	/* the identity holds */
	struct run_failure failures[10];
	size_t	 failure_count;	/* of those filled */
};
/* Waits until everything posted is handled. With RUN_COMPLETE directories
 * that are gone (their parent was read cleanly and no longer has them) become
 * tombstones with all below, and the backlog is emptied. */
int	 catalog_end_run(struct catalog *, enum run_end, const char *reason,
	    struct run_closing *, struct err *) MUST_USE;

/* What the run counted so far; cheap, any thread. */
void	 catalog_totals(struct catalog *, struct totals *);
/* No directory is left to read and none is being read. Any thread. */
bool	 catalog_crawl_done(struct catalog *);

/* --- crawl threads --- */

struct dir_job {
	int64_t	 dir;
	unsigned export;	/* index into run_spec.exports */
	char	*path;		/* catalog path, owned by the batch */
	struct handle fh;	/* len 0: not known */
	bool	 fresh;		/* new in this run: the catalog knows nothing
				   below it, no comparison is needed */
	bool	 fs_known;	/* it was read before, in the file system ... */
	uint64_t fsid;		/* ... (attrs.fsid) */
	bool	 fs_begins;	/* which is another one than around it: if
				   nothing is there it isn't mounted */
	bool	 fs_of_root;	/* which is that of the export's root */
};
struct dir_batch {
	struct mail mail;
	struct dir_job *v;
	size_t	 count;
	bool	 end;		/* the crawl is over (or the catalog failed) */
};
void	 dir_batch_free(struct dir_batch **);
/* Ask for up to max directories; answered with at least one as soon as there
 * is one, or with end. */
void	 catalog_want_dirs(struct catalog *, size_t max, struct mailbox *reply);
/* Before a mailbox goes whose owner may still wait for directories or a
 * lease: drops what was asked. Waits; afterwards no more mail comes. The end
 * of a run does the same for all who wait. */
void	 catalog_forget(struct catalog *, struct mailbox *reply);

enum page_action {
	PAGE_NEW = 0,	/* not in the catalog: row, queue */
	PAGE_CHANGED,	/* another version: old row to history, new row, queue
			   with prev = what the target holds of it */
	PAGE_QUEUE,	/* known and the same, but not stored at this target
			   (or --checksum): queue */
	PAGE_INCLUDED,	/* known, the same, and stored, but excluded by the
			   last run that came to it: the row's reason goes */
	PAGE_EXCLUDED,	/* row in state excluded with the reason (new or
			   changed; object 0 if new), not queued */
	PAGE_FAILED,	/* row and failure, not queued (key too long). Of
			   unknown kind: what is known below its path, should
			   it be a directory, stays */
	PAGE_REFUSED	/* of a list, not the name of an object: failure */
};
struct page_entry {
	enum page_action action;
	int64_t	 object;	/* as found, or 0 */
	char	*path;		/* catalog path; owned by the page */
	struct attrs attrs;
	struct handle fh;
	uint64_t listed_fsid;	/* of a list: the file system in which it lies
				   in its directory; 0: not told */
	uint32_t flags;		/* enum item_flag for the queue */
	char	*why;		/* EXCLUDED: reason; owned; else NULL */
	struct err err;		/* FAILED */
};
struct page_dir {
	char	*path;		/* owned by the page */
	struct handle fh;
};
/* What the times that a crawl meets say of the server's clock. */
struct dir_times {
	int64_t	 newest_ns;	/* ctime or atime, not in our future; 0: none */
	int64_t	 delta_ns;	/* of tree_time_delta */
};
struct dir_page {
	struct mail mail;
	int64_t	 dir;		/* 0: --files-from; the directory rows are
				   made from the paths, and last ends the
				   list */
	unsigned export;
	struct page_entry *entries;
	size_t	 entry_count;
	struct page_dir *dirs;	/* to be crawled: frontier rows */
	size_t	 dir_count;
	char	**kept_dirs;	/* excluded directories: not gone, not read */
	size_t	 kept_dir_count;
	int64_t	*gone;		/* objects that are no longer there */
	size_t	 gone_count;
	bool	 fs_seen;	/* its file system (attrs.fsid): from the
				   first page on */
	bool	 fs_other;	/* last: another one than it was. It wasn't
				   read, fsid is the one that it was */
	uint64_t fsid;
	uint64_t unchanged;	/* counts of what needs no row */
	uint64_t unchanged_bytes;
	uint64_t excluded;	/* excluded before with the same reason */
	struct dir_times times;
	bool	 last;		/* the directory is done */
	bool	 vanished;	/* last: it is not there any more. Nothing is
				   counted, if no page brought anything */
	struct err err;		/* last: it could not be read (whole): one
				   found, one failed, a failure row */
};
void	 dir_page_free(struct dir_page **);
/* Takes the page. Entries that came twice (same path in one crawl of the
 * directory) are counted once. */
void	 catalog_put_page(struct catalog *, struct dir_page *);

/* The root of an export, each time that it is opened and once more when the
 * crawl is over; attrs NULL: it can't be looked at. If it is not the directory
 * that the crawl saw first, in whichever run of it, nothing of the export is
 * taken for gone and there is a failure. Copies. */
void	 catalog_note_root(struct catalog *, unsigned export,
	    const struct attrs *, bool ignore_inode, const struct err *);

/* Lookups while a crawl thread compares; one reader, one thread. Close it
 * before the catalog. */
struct catalog_reader;
int	 catalog_reader_open(struct catalog *, struct catalog_reader **,
	    struct err *) MUST_USE;
void	 catalog_reader_close(struct catalog_reader **);
/* What is looked up between the two is looked up at one moment, and costs less:
 * the locks of one transaction serve all of it. Nothing happens if it is held
 * already, or is not. Whoever waits lets go: the -wal grows meanwhile. */
void	 catalog_reader_hold(struct catalog_reader *);
void	 catalog_reader_let_go(struct catalog_reader *);
struct known {
	int64_t	 object;
	struct attrs attrs;
	bool	 stored;	/* at this run's target, this version; also
				   of one that is excluded */
	bool	 fresh;		/* its bytes were read so shortly after a
				   change that its times may hide another */
	bool	 excluded;
	bool	 tombstone;	/* was gone: treat as new (PAGE_CHANGED) */
	bool	 ours;		/* there, and this run has counted it: it made
				   this version, or knows what came of it */
	char	 why[120];
};
/* 1 found, 0 not in the catalog, -1 error. */
int	 catalog_find(struct catalog_reader *, struct str path, struct known *,
	    struct err *) MUST_USE;
/* Calls fn for each live object directly in the directory that is not in
 * seen. */
int	 catalog_unseen(struct catalog_reader *, int64_t dir,
	    const struct idset *seen, void (*fn)(void *, int64_t object),
	    void *arg, struct err *) MUST_USE;

/* --- the master --- */

/* Ask for a lease of up to max_count items and about max_bytes (at least one
 * item); answered with one as soon as there is work, or with end when no item
 * is left and the crawl is over. */
void	 catalog_want_lease(struct catalog *, size_t max_count,
	    uint64_t max_bytes, struct mailbox *reply);
/* Takes the results. Items that have no result stay in the backlog; so do
 * those that are LEFT, and all others of their export (catalog_put_lost). */
void	 catalog_put_results(struct catalog *, struct results *);

/* The export is out of reach for good, because of this: one failure row, and
 * nothing of it is handed out any more, neither directories nor items. They
 * stay for the next run (totals.lost tells), so this one can't end
 * RUN_COMPLETE. */
void	 catalog_put_lost(struct catalog *, unsigned export,
	    const struct err *);

enum upload_event {
	UPLOAD_INTENT = 0,	/* before CreateMultipartUpload */
	UPLOAD_CREATED,		/* upload_id is known */
	UPLOAD_ENDED		/* completed or aborted: row goes */
};
struct upload_note {
	struct mail mail;	/* type MAIL_UPLOAD_NOTED when it comes back */
	enum upload_event event;
	int64_t	 object;
	char	*upload_id;	/* owned; or NULL */
	int64_t	 server_sec;	/* S3's clock at the intent */
	uint64_t part_size;
	unsigned worker;	/* the sender's; for routing the answer */
};
void	 upload_note_free(struct upload_note **);
/* Takes the note. INTENT comes back to reply after it is committed; the
 * others don't come back (reply may be NULL). */
void	 catalog_put_upload(struct catalog *, struct upload_note *,
	    struct mailbox *reply);

/* What the run's clients are doing; the rows of those that are not named stay
 * as they are. Copies. For people: not more often than once a second. */
void	 catalog_put_clients(struct catalog *, const struct client_line *,
	    size_t count);

/* What becomes of a subsystem; a later call replaces the row. Copies. */
void	 catalog_put_compaction(struct catalog *, const struct compaction *);

/* Uploads in this run's bucket that rows remember, with the server in their
 * keys or without: those that nothing will go on with are to be aborted before
 * a complete run ends. Waits. The array and its strings are the caller's to
 * free. */
struct open_upload {
	int64_t	 object;
	int64_t	 target;
	bool	 server_as_prefix;	/* in its key */
	char	*path;		/* catalog path */
	char	*upload_id;	/* or NULL: its answer was not seen */
	int64_t	 intent_sec;
	bool	 left;		/* the file changed, or is gone, or its key is
				   another one now */
	bool	 ended;		/* for the caller */
};
int	 catalog_open_uploads(struct catalog *, struct open_upload **,
	    size_t *ret_count, struct err *) MUST_USE;
/* Forget those that are ended. Waits. */
int	 catalog_uploads_ended(struct catalog *, const struct open_upload *,
	    size_t n, struct err *) MUST_USE;

/* --- looking at a catalog (status, sql, report) --- */

struct catalog_view;
/* Read-only, with an authorizer: no writes, no ATTACH, no PRAGMA that
 * changes; also for a user who may only read the files, also while a run is
 * going on. Never creates anything. */
int	 catalog_view_open(struct catalog_view **, const char *path,
	    struct err *) MUST_USE;
void	 catalog_view_close(struct catalog_view **);
/* One column's value. */
enum value_type { VALUE_NULL = 0, VALUE_INTEGER, VALUE_REAL, VALUE_TEXT,
	VALUE_BLOB };
struct value {
	enum value_type type;
	int64_t	 integer;
	double	 real;
	struct str bytes;	/* TEXT and BLOB */
};
/* Called once before the first row with row NULL and the column names, then
 * for each row; return false to stop. */
typedef bool catalog_row_fn(void *arg, size_t columns, const char *const *names,
	    const struct value *row);
/* One SELECT (or EXPLAIN, VALUES, WITH); anything else is ERR_USAGE. */
int	 catalog_query(struct catalog_view *, const char *sql,
	    catalog_row_fn *, void *arg, struct err *) MUST_USE;
/* True if a master holds the catalog's lock now; ret_pid is its pid or 0. */
bool	 catalog_in_use(const char *path, int64_t *ret_pid);
/* The same for somebody who wants to signal it: 1 and a pidfd of it, which is
 * the caller's; 0 if there is none. CONFIG: there is no such catalog. DENIED:
 * it is not ours to see. */
int	 catalog_holder(const char *path, int *ret_pidfd, int64_t *ret_pid,
	    struct err *) MUST_USE;

#endif
