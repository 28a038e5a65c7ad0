/*
 * catalog.h: the SQLite catalog. One writer thread owns the only connection
 * that writes; everybody else posts messages to it, and readers have
 * connections of their own that are read-only.
 *
 * What is in the tables, and what the views promise to people who query
 * them, is in datamover-catalog(5) and schema/. What GET, DEL and TEST need
 * is in outcome.h and reader/stored.h, PUT --delete in mirror.h and doubt.h.
 *
 * Life cycle of a run:
 *	catalog_open            lock, check, migrate, start the thread
 *	catalog_begin_attempt   the row of the attempt, before any check
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
#include "base/mailbox.h"
#include "model/attrs.h"
#include "model/client.h"
#include "model/compaction.h"
#include "model/item.h"
#include "model/job.h"
#include "model/mail.h"
#include "model/upload_note.h"
#include "reader/reader.h"
#include "writer/page.h"

struct catalog;

/* Mail: MAIL_CATALOG_FAILED. */
struct catalog_failure {
	struct mail mail;
	struct err err;
};

/* path NULL: open a temporary catalog, removed at close (dry runs). The
 * directory must exist. A missing file is created with mode 0640. events must
 * live until catalog_close returned. */
int	 catalog_open(struct catalog **, const char *path,
	    struct mailbox *events, struct err *) MUST_USE;
/* Open a temporary catalog as a copy of the catalog at path, if path exists.
 * The changes of a dry run stay in the copy. The original may be in use. */
int	 catalog_open_copy(struct catalog **, const char *path,
	    struct mailbox *events, struct err *) MUST_USE;
/* 0, or the last run of the catalog that was here before: the catalog is an
 * older copy of that one, and counts as restored from now on. */
int64_t	 catalog_older_than(const struct catalog *);
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
/* Who runs the program, where, and with which settings. */
struct run_who {
	const char *user;	/* name, or number */
	const char *sudo_user;	/* what sudo says, or NULL */
	const char *host;
	const char *version;	/* of the program */
	uint8_t	 settings[32];	/* SHA-256 of the settings in force */
};
struct run_spec {
	enum op	 op;
	const struct run_who *who; /* or NULL: not recorded */
	const char *endpoint;	/* with bucket: the target */
	const char *const *also; /* other endpoints of the same store: a target
				    known by any of these endpoints is the same
				    target */
	size_t	 also_count;
	const char *bucket;
	const char *name;	/* of the store; NULL: known by its endpoints */
	bool	 new_target;	/* --new-target: a bucket of the same name at
				   another endpoint is another bucket */
	bool	 server_as_prefix; /* key = path, or path without server */
	const char *scope;	/* text of exports, prefix and filters: a cut
				   crawl is continued only if the text is
				   equal */
	const char *command_line;
	const struct run_export *exports;
	size_t	 export_count;
	bool	 no_crawl;	/* --files-from, --retry-failed: the frontier
				   starts empty */
	bool	 retry_failed;	/* queue the files that failed before at this
				   target, and failed directories as frontier */
	bool	 accept_filesystem; /* accept a directory in another file system
				       than before, and a vanished file
				       system */
	bool	 fresh;		/* --fresh: no cut crawl is continued */
	int64_t	 resume_within_ns; /* a continued crawl reads a directory again
				      if the last reading is older */
	unsigned ignore;	/* a change doesn't show in these: attrs_same */
	int64_t	 clock_skew_ns;	/* between a server's clock and ours */
	bool	 no_backlog;	/* GET, DEL, TEST: neither crawl nor leases;
				   see catalog/outcome.h */
	uint64_t late_ms;	/* the run has clients: after the death of the
				   master the clients may change something for
				   this long */
};
struct run_info {
	int64_t	 run;
	int64_t	 crawl;		/* first run of this crawl: <= run */
	bool	 continued;
	int64_t	 since_ns;	/* if continued: when the crawl's first run
				   began */
	uint64_t dirs_kept;	/* if continued: directories not read again */
	int64_t	 target;
	uint64_t late_ms;	/* the master of an earlier run has died: the
				   clients of the dead master may change
				   something for this long; 0: no */
	unsigned known;		/* of the store; see model/proved.h */
};
/* Write the row of an attempt to run, before it is known whether the run can
 * begin. The row changes nothing for later runs: catalog_begin_run makes it the
 * row of the run, catalog_end_run ends it without that. Of spec only op, who,
 * target and command line matter. Waits. */
int	 catalog_begin_attempt(struct catalog *, const struct run_spec *,
	    int64_t *ret_run, struct err *) MUST_USE;
/* Begin a run. A cut run (killed, interrupted) with the same operation, target
 * and scope is continued: its frontier and backlog stay; objects of open leases
 * get ITEM_SETTLE; directories read too long ago are read again, after the
 * rest. Else frontier and backlog start afresh. Runs without a backlog do not
 * come between: directories of a cut crawl with objects deleted by such runs
 * are read again. Waits. */
int	 catalog_begin_run(struct catalog *, const struct run_spec *,
	    struct run_info *, struct err *) MUST_USE;
/* The time late_ms of run_info is over: later runs need not wait for the
 * clients of earlier runs. Waits. */
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
	uint64_t unknown;	/* objects that a DEL has deleted, and that the
				   catalog did not know */
	struct run_failure failures[10];
	size_t	 failure_count;	/* of those filled */
};
#define RUN_REASON_MAX	232
/* What the run's row says of its end. Called when the closing is filled, in the
 * catalog's thread, while the caller of catalog_end_run waits: the row is
 * written in the transaction that ends the run. reason: empty at first, and
 * stays so if there is nothing to say. Return the exit status. */
typedef int run_judge_fn(void *arg, const struct run_closing *,
	    char reason[RUN_REASON_MAX]);
/* End the run, or the attempt that has not begun one, after all posted messages
 * are handled. With RUN_COMPLETE vanished directories (their parent was read
 * cleanly and no longer has them) become tombstones together with everything
 * below, and the backlog is emptied. judge NULL: neither exit status nor reason
 * is recorded. */
int	 catalog_end_run(struct catalog *, enum run_end, run_judge_fn *judge,
	    void *arg, struct run_closing *, struct err *) MUST_USE;

/* Copy the counters of the run so far; cheap, any thread. */
void	 catalog_totals(struct catalog *, struct totals *);
/* No directory is left to read and none is being read. Any thread. */
bool	 catalog_crawl_done(struct catalog *);

/* --- crawl threads --- */

/* Ask for up to max directories. The answer comes with at least a directory as
 * soon as any is ready, or with end. */
void	 catalog_want_dirs(struct catalog *, size_t max, struct mailbox *reply);
/* Drop the requests of a mailbox for directories or a lease, before the mailbox
 * is freed. Waits; afterwards no more mail comes. The end of a run does the
 * same for all waiting mailboxes. */
void	 catalog_forget(struct catalog *, struct mailbox *reply);

/* Takes ownership of the page. An entry received twice (same path in the same
 * crawl of the directory) is counted once. */
void	 catalog_put_page(struct catalog *, struct dir_page *);

/* Note the root of an export, at each opening and once more after the crawl;
 * attrs NULL: the root can't be looked at, for the reason err. If the root is
 * not the directory seen first by the crawl, in any run of the crawl, nothing
 * of the export is taken for gone, and a failure is recorded. Copies its
 * arguments. */
void	 catalog_note_root(struct catalog *, unsigned export,
	    const struct attrs *, bool ignore_inode, const struct err *);

/* A reader for the comparisons of a crawl thread (reader/reader.h). */
int	 catalog_reader_open(struct catalog *, struct catalog_reader **,
	    struct err *) MUST_USE;
/* Open a reader without a master, for dry runs: nothing is written, and a run
 * may be going on. Of spec only the target matters: its endpoints, bucket and
 * server_as_prefix; a target unknown to the catalog holds nothing. */
int	 catalog_look(struct catalog_reader **, const char *path,
	    const struct run_spec *, struct err *) MUST_USE;

/* Find out, before a run, whether the catalog is a restored one that doesn't
 * know what its target got since: no PUT has asked the target for all objects
 * of one of the exports of spec, and completed. Of spec the exports and the
 * target matter. A missing catalog is none. */
int	 catalog_unasked(const char *path, const struct run_spec *, bool *ret,
	    struct err *) MUST_USE;

/* CONFIG: the reader's catalog doesn't know the target of spec, or a run with
 * spec would not begin. For questions to the past of the target: of a target
 * that nothing is known of "nothing" would be a wrong answer. */
int	 catalog_know_target(struct catalog_reader *, const struct run_spec *,
	    struct err *) MUST_USE;
/* The id of the target of spec in the reader's catalog; 0: it isn't known. */
int64_t	 catalog_target_id(struct catalog_reader *, const struct run_spec *);
/* CONFIG: a run would not begin, because it isn't certain which target is
 * meant. The endpoint is new, and the catalog knows a bucket of that name at
 * another one; or the store has another name in the catalog. A missing catalog
 * knows no target. */
int	 catalog_check_target(const char *path, const struct run_spec *,
	    struct err *) MUST_USE;

/* --- the master --- */

/* Ask for a lease of up to max_count items and about max_bytes, with at least
 * an item. The answer comes as soon as there is work, or with end when no item
 * is left and the crawl is over. */
void	 catalog_want_lease(struct catalog *, size_t max_count,
	    uint64_t max_bytes, struct mailbox *reply);
/* Takes ownership of the results. Items without a result stay in the backlog;
 * so do items with OUTCOME_LEFT, and all further items of the same export
 * (catalog_put_lost). */
void	 catalog_put_results(struct catalog *, struct results *);

/* The export is out of reach for good, because of err: write a single failure
 * row, and hand out no more directories or items of the export. The rest stays
 * for the next run (totals.lost), so this run can't end RUN_COMPLETE. */
void	 catalog_put_lost(struct catalog *, unsigned export,
	    const struct err *);

/* Takes ownership of the note. An INTENT note comes back to reply after the
 * commit; notes of other events don't come back (reply may be NULL). */
void	 catalog_put_upload(struct catalog *, struct upload_note *,
	    struct mailbox *reply);

/* Record the state of the run's clients; rows of clients not named here stay
 * unchanged. Copies. For people: call at most once a second. */
void	 catalog_put_clients(struct catalog *, const struct client_line *,
	    size_t count);

/* Record the state of a subsystem's compaction; a later call replaces the row.
 * Copies. */
void	 catalog_put_compaction(struct catalog *, const struct compaction *);

/* List the uploads recorded for this run's bucket, with or without the server
 * in their keys. Before a complete run ends, abort the uploads that no run will
 * continue. Waits. The caller frees the array and its strings. */
struct open_upload {
	int64_t	 object;
	int64_t	 target;
	bool	 server_as_prefix;	/* in its key */
	char	*path;		/* catalog path */
	char	*upload_id;	/* or NULL: its answer was not seen */
	int64_t	 intent_sec;
	bool	 left;		/* the file has changed or is gone, or its key
				   has changed */
	bool	 ended;		/* for the caller */
};
int	 catalog_open_uploads(struct catalog *, struct open_upload **,
	    size_t *ret_count, struct err *) MUST_USE;
/* Forget those that are ended. Waits. */
int	 catalog_uploads_ended(struct catalog *, const struct open_upload *,
	    size_t n, struct err *) MUST_USE;

#endif
