/*
 * writer.h: what the catalog's thread knows of the run that is going on, and
 * the rows that it writes. catalog/ has the thread, its messages and its
 * transactions; a function of this room runs in that thread, inside a
 * transaction, and does no more than rows and counters.
 *
 * Life cycle: catalog_begin_run fills struct writer, catalog_reset_run clears
 * it.
 * An error of the connection stays in db.err: the thread looks for it at the
 * commit.
 */
#ifndef WRITER_WRITER_H
#define WRITER_WRITER_H

#include "base/idset.h"
#include "db/db.h"
#include "model/client.h"
#include "model/compaction.h"
#include "model/event.h"
#include "model/item.h"
#include "model/job.h"
#include "model/upload_note.h"
#include "reader/rows.h"
#include "writer/page.h"
#include "writer/sight.h"
#include "writer/slowest.h"

/* The file system noted for a directory, while a run goes on. */
struct fs_note {
	char	*path;
	int64_t	 dir;
	uint64_t fsid;
	int64_t	 run;		/* that noted it */
	bool	 told;		/* this run has reported the file system as
				   missing */
};
/* What the notes say of a directory. */
struct fs_place {
	bool	 has_own;	/* a note of its own */
	bool	 has_above;	/* the nearest note above */
	bool	 noted;		/* by this reading */
	uint64_t own;
	uint64_t above;
};

/* A directory in the hands of a crawl thread; id 0: a list. */
struct open_dir {
	struct open_dir *next;
	int64_t	 id;
	int64_t	 frontier;
	int64_t	 export;	/* id, not index */
	int64_t	 since_ns;	/* when it was handed out */
	bool	 again;		/* this crawl has read it before */
	bool	 started;	/* the frontier row says so */
	bool	 left;		/* the export is lost: the directory no longer
				   counts as left */
	struct idset seen;	/* objects of its pages so far */
	struct totals counts;
	struct fs_place fs;
};

struct open_item {
	int64_t	 object;
	int64_t	 todo;		/* its backlog row */
	int64_t	 prev;		/* version that the target may hold, or 0 */
	unsigned export;	/* index */
	int64_t	 newest_ns;	/* newest time of the server met by the crawl
				   when the item was leased; 0: none */
	struct attrs attrs;
	bool	 done;
};
/* A lease given out and not yet closed. items are sorted by object. */
struct open_lease {
	struct open_lease *next;
	int64_t	 id;
	int64_t	 first;
	int64_t	 last;
	int64_t	 since_ns;	/* its items were read after this */
	size_t	 count;
	size_t	 left;		/* without a result */
	struct open_item *items;
};

/* An upload that is about to begin, or objects that are about to be deleted;
 * they go back to the sender when their rows are on disk. */
struct intent {
	struct mail mail;
	struct intent *next;	/* of those that wait for the commit */
	struct upload_note *upload; /* any news of an upload; or NULL */
	struct outcomes *deletes; /* or NULL */
	struct mailbox *reply;
};

struct lost_note {
	struct mail mail;
	unsigned export;
	struct err err;
};

struct export_note {
	struct mail mail;
	unsigned export;
	bool	 by_crawl;	/* else: before it, as sight says */
	enum export_sight sight;
	uint64_t fsid;
	bool	 empty;
};

struct root_note {
	struct mail mail;
	unsigned export;
	uint64_t ino;
	uint64_t fsid;
	bool	 ignore_inode;
	struct err err;		/* it can't be looked at */
};

struct client_note {
	struct mail mail;
	size_t	 count;
	struct client_line v[];
};

struct compaction_note {
	struct mail mail;
	struct compaction c;
};

struct run_export_row {
	int64_t	 id;
	size_t	 path_len;	/* of the catalog path of its root */
	char	*start;		/* where the crawl begins */
	int64_t	 gone_start;	/* the start directory, if the directory is
				   gone; or 0 */
	struct err doubt;	/* reason why the crawl of the export proves
				   nothing */
	bool	 doubted;	/* that has been recorded */
	bool	 lost;		/* out of reach for good */
	bool	 accepted;	/* its file system is right, whichever */
	bool	 away;		/* EXPORT_AWAY */
	uint64_t fsid;		/* as seen before the crawl */
	bool	 has_known;	/* a file system is known that may be lost */
	uint64_t known;		/* by which the export is known */
	bool	 start_known;	/* likewise, of the start */
	uint64_t start_fsid;
	bool	 other;		/* another file system than is known */
	uint64_t unseen;	/* if other: files not found by this run in the
				   directories read */
	struct dir_times times;	/* met by this run's crawl */
};

/* Used by the catalog's thread alone. */
struct writer {
	struct db db;
	bool	 failed;	/* told everybody */
	size_t	 results;	/* in the open transaction */
	struct intent *intents;	/* wait for the commit */
	bool	 must_sync;	/* likewise, the caller of catalog_call */

	/* The row of an attempt that has not begun its run; or 0. */
	int64_t	 attempt;
	/* the run; run 0: none is going on */
	int64_t	 run;
	int64_t	 began_ns;
	int64_t	 crawl;
	int64_t	 target;
	unsigned known;		/* of its store; see model/proved.h */
	int64_t	 other_target;	/* the same bucket, with the server in the keys
				   if target is without, and without if with;
				   0: no such target */
	bool	 server_as_prefix;
	bool	 no_backlog;
	unsigned ignore;	/* of attrs_same */
	int64_t	 clock_skew_ns;
	bool	 crawls;	/* from the exports' starts */
	bool	 over;		/* the run has ended: nothing will come */
	bool	 list_open;	/* --files-from: more pages come */
	struct run_export_row *exports;
	char	**roots;	/* of exports: the catalog paths of their
				   roots */
	size_t	 export_count;
	struct fs_note *fs;	/* by path */
	size_t	 fs_count;
	bool	 accept_fs;	/* accept a directory in another file system,
				   and a file system gone with its mount */
	struct idset settle;	/* objects to be settled */
	struct idset uploads;	/* objects that may have upload rows */
	struct idset retried;	/* --retry-failed: queued at the beginning */
	bool	 has_names;	/* a key of the target may have several paths */
	bool	 has_history;
	bool	 has_verified;	/* verdicts are there */
	int64_t	 verdict_ns;	/* of the run's last verdict */
	int64_t	 ranges_ns;	/* verdicts up to this one are events */
	uint64_t ranges_ms;	/* when that was so */
	bool	 has_notes;	/* rows may be there of what is about to be
				   deleted, or brought back */
	bool	 has_doubts;	/* likewise, of settle */
	uint64_t delete_failed;	/* of a run with a backlog */
	uint64_t unknown;	/* objects deleted that the catalog did not
				   know */
	int64_t	 next_object;
	int64_t	 next_todo;
	int64_t	 next_event;
	int64_t	 next_dir;
	int64_t	 next_frontier;
	int64_t	 first_object;	/* objects from this id on were made by this
				   run */
	int64_t	 first_new_dir;	/* directories from this id on were made by this
				   run */
	int64_t	 first_frontier; /* frontier rows from this id on, and their
				    handles, belong to this run */
	int64_t	 first_todo;	/* backlog rows from this id on, and their
				   handles, belong to this run */
	int64_t	 dir_cursor;	/* frontier rows up to this row are handed
				   out */
	int64_t	 again_cursor;	/* likewise, of those to be read again */
	int64_t	 todo_cursor;	/* backlog rows up to it are leased */
	int64_t	 trimmed;	/* backlog rows up to it are deleted */
	int64_t	 first_left;	/* first row perhaps left for the next run, as
				   may be later rows; 0: none */
	int64_t	 frontier_left;
	int64_t	 again_left;	/* of those, read by this crawl before */
	int64_t	 dirs_out;	/* of frontier_left, being read */
	int64_t	 again_out;	/* of again_left, being read */
	struct open_dir *dirs;
	struct open_lease *leases;
	struct totals totals;
	struct slowest slowest;
};

/* record.c */
/* Record the counts of a directory after its reading, successful or not;
 * since_ns: when the reading began. */
void	 writer_dir_done(struct writer *, int64_t dir, int64_t export,
	    int64_t since_ns, bool clean, const struct totals *);
/* Return the directory's row; make a missing row, and missing rows of the
 * directories above. */
int64_t	 writer_dir(struct writer *, struct str path, int64_t export);
void	 writer_queue(struct writer *, int64_t object, int64_t export,
	    uint32_t flags, int64_t prev, const struct handle *);
/* The newest earlier version held by the target, or 0. */
int64_t	 writer_held_before(struct writer *, struct str path);
void	 writer_failure(struct writer *, int64_t object, int64_t dir,
	    struct str path, const struct err *, unsigned attempts);
/* Call fn for each version of the path that the catalog knows: the newest,
 * then those of before. fn must not call this function. */
void	 writer_each_version(struct writer *, struct str path,
	    void (*fn)(void *, int64_t version), void *arg);
/* Nothing is in doubt any more about the version: neither whether the target
 * holds its object nor whether that was deleted. arg: the struct writer. */
void	 writer_version_settled(void *arg, int64_t version);
/* Move the row to history; false if the row does not exist. */
bool	 writer_retire(struct writer *, int64_t object);
/* Make a tombstone. A row of an excluded entry, or of anything but a file, is
 * not counted as gone: the row was no object. */
void	 writer_object_gone(struct writer *, int64_t object);
/* Insert a row with a new id; 0 if the path already has a row. */
int64_t	 writer_insert(struct writer *, int64_t dir, struct str path,
	    const struct attrs *, const char *why);
void	 writer_stat(struct writer *, int64_t object, const struct attrs *);
/* Add counts to the row for the entries of a list. */
void	 writer_add_list(struct writer *, const struct totals *);
/* Add what a page, a directory or a list counted. */
void	 writer_add_counts(struct totals *, const struct totals *);
/* Some target has this version. */
bool	 writer_held(struct writer *, int64_t object);
/* Nothing that stat tells differs. */
bool	 writer_same(const struct attrs *, const struct attrs *);
/* The counters into the run's row. */
void	 writer_count_run(struct writer *);

/* event.c */
/* Milliseconds since the run began. */
int64_t	 writer_ms(const struct writer *);
/* Add an event to the journal, at the run's target; version_id may be NULL.
 * Return the number of the event. */
int64_t	 writer_event(struct writer *, enum event_kind, int64_t object,
	    const char *version_id);
/* The target holds the version no longer, by its result: add the event of this
 * kind, unless the journal says so already. */
void	 writer_version_ends(struct writer *, int64_t object, enum event_kind,
	    const char *version_id);
/* The same for each version of the path. */
void	 writer_path_ends(struct writer *, struct str path, enum event_kind);
/* Add an event for each range of objects that the run has found to be what was
 * put, since the last call. What it found otherwise has events and verdicts of
 * its own. */
void	 writer_verified(struct writer *);
/* The same before a commit, if the last call is some time ago. */
void	 writer_verified_now_and_then(struct writer *);
/* The same for runs that died, before anything else is verified. */
void	 writer_verified_dead(struct writer *);
/* The time of a verdict: after that of all others of the run. */
int64_t	 writer_verdict_ns(struct writer *);
/* The version was found at the target, by its result. */
void	 writer_adopted(struct writer *, int64_t object);
/* An earlier run noted that it was about to delete the version, and the target
 * holds the version no longer, by its result: add the event, of that run.
 * False: no run noted it. marker: the delete marker that S3 shows, or NULL. */
bool	 writer_was_deleted(struct writer *, int64_t object,
	    const char *marker);
/* Likewise of a version that was about to be brought back, and was found: the
 * target holds it now. */
bool	 writer_was_restored(struct writer *, int64_t object,
	    const char *version_id);
/* The key has the bytes of this version, the newest of its path: the target
 * holds no earlier version any more. */
void	 writer_replaced(struct writer *, int64_t object);

/* slowest.c */
/* The list into its rows, before a commit. */
void	 writer_note_slowest(struct writer *);

/* page.c */
void	 writer_page(struct writer *, struct dir_page *);
void	 writer_open_dirs_free(struct writer *);

/* lease.c */
bool	 writer_crawl_done(const struct writer *);
/* Take up to max directories of the frontier; fewer, or none, if the next rows
 * belong to lost exports. */
struct dir_batch *writer_take_dirs(struct writer *, size_t max, bool again);
/* Take the next rows of the backlog, inside a transaction. NULL if none of
 * these rows is left. */
struct lease *writer_take_lease(struct writer *, size_t max_count,
	    uint64_t max_bytes);
void	 writer_trim(struct writer *);

/* lost.c */
/* The export (index) is out of reach for good, because of err. */
void	 writer_lost(struct writer *, unsigned export, const struct err *);
bool	 writer_is_lost(const struct writer *, int64_t export);
/* Leave this row of the backlog to the next run. */
void	 writer_leave_todo(struct writer *, int64_t todo);

/* fresh.c */
/* Add the times met by the crawl of an export. */
void	 writer_note_times(struct writer *, int64_t export,
	    const struct dir_times *);
/* Return the value of result.fresh for bytes read under this lease, from a file
 * with these attributes. */
int	 writer_fresh(const struct writer *, const struct open_lease *,
	    const struct open_item *, const struct attrs *);

/* result.c */
void	 writer_results(struct writer *, struct results *);
/* An INTENT note waits for the commit. */
void	 writer_upload(struct writer *, struct intent *);
/* The intent waits for the commit. */
void	 writer_intend(struct writer *, struct intent *);
void	 writer_leases_free(struct writer *);

/* fs.c: file systems at and below the exports. */
void	 writer_fs_load(struct writer *);
void	 writer_fs_free(struct writer *);
/* Fill a job from the frontier row at hand: the known file system of the
 * directory. */
void	 writer_fs_place(struct writer *, struct open_dir *, struct dir_job *);
/* Note the file system of the page's directory, if new. No note is made where
 * the run concludes nothing. */
void	 writer_fs_note(struct writer *, struct open_dir *,
	    const struct dir_page *);
/* Get the noted file system of the file's directory, for an item; false if none
 * was noted. */
bool	 writer_fs_of_file(const struct writer *, const struct run_export_row *,
	    struct str path, uint64_t *ret_fsid);
/* A list has a file of the directory, in this file system: note the file system
 * if none was noted. False: the directory was in another file system, with
 * files. */
bool	 writer_fs_listed(struct writer *, const struct run_export_row *,
	    int64_t dir, struct str path, uint64_t fsid);
/* The note of the directory itself, or NULL. */
struct fs_note *writer_fs_own(const struct writer *, struct str path);
/* Keep a note in memory; owns the path. */
void	 writer_fs_keep(struct writer *, int64_t dir, uint64_t fsid,
	    char *path);
/* True unless the path lies in a file system below the start of the export
 * which this crawl has not read. */
bool	 writer_fs_stands(struct writer *, const struct run_export_row *,
	    struct str path);
/* The file system noted at the path or nearest above it, or else the one
 * given. */
uint64_t writer_fs_at(const struct writer *, struct str path, uint64_t fsid);
/* fs_names.c */
/* Before the crawl: take over what is noted below other names of the export. */
void	 writer_fs_take_over(struct writer *, const struct export_note *);
/* True if file systems mounted at the path or below have vanished: nothing of
 * them is taken for gone. Each is recorded as a failure. */
bool	 writer_fs_missing(struct writer *, const char *path);

/* outcome.c */
void	 writer_outcomes(struct writer *, struct outcomes *);
void	 writer_deletes(struct writer *, struct intent *);
/* Objects that a killed run was deleting may be gone, or not: put them in
 * doubt. */
void	 writer_settle_deletes(struct writer *);

/* twins.c */
/* Calls fn for each further catalog path with the same key in the run's bucket.
 * For a path with that key at the other target, w->target is the other target
 * during the call. Looks nothing up if no such path can exist. */
void	 writer_other_names(struct writer *, const char *path,
	    void (*fn)(void *, struct str path), void *arg);
/* The same for the paths at the other target alone. */
void	 writer_names_beyond(struct writer *, struct str key,
	    void (*fn)(void *, struct str path), void *arg);
/* The object now at the target, under the key of a path. */
struct there {
	const char *etag;	/* NULL: no object, or an object with unknown
				   ETag */
	const struct attrs *attrs; /* attributes of the file last put; NULL: any
				      attributes */
	const char *reason;	/* for the rows that end */
	enum event_kind event;	/* likewise */
};
/* The rows of the key's remaining names no longer hold the object, except rows
 * with the same content. A run asks S3 when coming to the files of such
 * names. */
void	 writer_names_end(struct writer *, const char *path,
	    const struct there *);
/* The object of the key is about to be changed. */
void	 writer_names_doubt(struct writer *, const char *path);
/* The same for the paths at the other target alone. */
void	 writer_key_doubt(struct writer *, struct str key);

/* client.c */
void	 writer_clients(struct writer *, struct client_note *);

/* compaction.c */
void	 writer_compaction(struct writer *, struct compaction_note *);

/* root.c */
void	 writer_note_root(struct writer *, struct root_note *);
/* True if this crawl has noted a root directory of the export with a different
 * inode number or file system. */
bool	 writer_root_differs(struct writer *, const struct run_export_row *,
	    uint64_t ino, uint64_t fsid, bool ignore_inode);
/* Call before taking anything for gone: doubt each export with a changed
 * root. */
void	 writer_doubt_roots(struct writer *);

/* export.c */
void	 writer_note_export(struct writer *, struct export_note *);
/* Return NULL if the export has no part in the run. */
struct run_export_row *writer_export(const struct writer *, int64_t id);
/* Count files of the export that were not found. True: the files stay, because
 * nothing of the export becomes gone in this run. */
bool	 writer_export_stays(struct writer *, int64_t id, uint64_t unseen);
/* The crawl is complete: the file systems seen by the crawl become the known
 * file systems. */
void	 writer_keep_exports(struct writer *);
/* Return the index of the run's export with the path inside: if exports are
 * nested, the inner export. No export: their count. */
size_t	 writer_export_of(const struct writer *, struct str path);
/* True if the root of an export lies at the path or below. */
bool	 writer_holds_export(const struct writer *, const char *path);

#endif
