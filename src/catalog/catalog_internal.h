/*
 * catalog_internal.h: the inside of the catalog's thread. Only the files of
 * this folder include it. What is in struct own belongs to that thread; struct
 * shared is for everybody, under its lock.
 */
#ifndef CATALOG_CATALOG_INTERNAL_H
#define CATALOG_CATALOG_INTERNAL_H

#include <pthread.h>

#include "catalog/catalog.h"
#include "catalog/db.h"
#include "catalog/export.h"
#include "catalog/mirror.h"
#include "catalog/outcome.h"
#include "catalog/stored.h"

/* Numbers of a page, a directory, a run. */
struct counts {
	uint64_t found;
	uint64_t found_bytes;
	uint64_t unchanged;
	uint64_t excluded;
	uint64_t failed;
	uint64_t queued;
	uint64_t queued_bytes;
};

/* A file system that is noted at a directory, while a run goes on. */
struct fs_note {
	char	*path;
	int64_t	 dir;
	uint64_t fsid;
	int64_t	 run;		/* that noted it */
	bool	 told;		/* this run has said that it is missing */
};
/* What the notes say of a directory. */
struct fs_place {
	bool	 has_own;	/* a note of its own */
	bool	 has_above;	/* the nearest note above */
	bool	 noted;		/* by this reading */
	uint64_t own;
	uint64_t above;
};

/* A directory that a crawl thread is reading; id 0: a list. */
struct open_dir {
	struct open_dir *next;
	int64_t	 id;
	int64_t	 frontier;
	int64_t	 export;	/* id, not index */
	int64_t	 since_ns;	/* when it was handed out */
	bool	 again;		/* this crawl has read it before */
	bool	 started;	/* the frontier row says so */
	bool	 left;		/* its export is lost: it counts no more */
	struct idset seen;	/* objects of its pages so far */
	struct counts counts;
	struct fs_place fs;
};

struct open_item {
	int64_t	 object;
	int64_t	 todo;		/* its backlog row */
	unsigned export;	/* index */
	int64_t	 newest_ns;	/* what the crawl had met of its server's times
				   when it was leased; 0: nothing */
	struct attrs attrs;
	bool	 done;
};
/* A lease that is out. items are sorted by object. */
struct open_lease {
	struct open_lease *next;
	int64_t	 id;
	int64_t	 first;
	int64_t	 last;
	uint32_t epoch;
	int64_t	 since_ns;	/* its items were read after this */
	size_t	 count;
	size_t	 left;		/* without a result */
	struct open_item *items;
};

/* Somebody waits for directories or for a lease. */
struct want {
	struct mail mail;
	struct mailbox *reply;
	size_t	 max_count;
	uint64_t max_bytes;
};
struct want_list {
	struct mail *head;	/* struct want, linked by mail.next */
	struct mail **tail;
};

/* A function to be run by the thread while the caller waits. */
struct call {
	struct mail mail;
	void	 (*fn)(struct catalog *, void *arg);
	void	*arg;
	bool	 done;		/* under shared.lock */
};

/* An upload note on its way, with where it comes back to. */
struct noted {
	struct mail mail;
	struct noted *next;	/* of those that wait for the commit */
	struct upload_note *note;
	struct mailbox *reply;
};

/* Objects that are about to be deleted, on their way back. */
struct dooming {
	struct mail mail;
	struct dooming *next;	/* of those that wait for the commit */
	struct doomed *doomed;
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
	int64_t	 gone_start;	/* the directory there, if it is gone; or 0 */
	struct err doubt;	/* what the crawl read of it proves nothing */
	bool	 doubted;	/* that has been recorded */
	bool	 lost;		/* out of reach for good */
	bool	 accepted;	/* its file system is right, whichever */
	bool	 away;		/* EXPORT_AWAY */
	uint64_t fsid;		/* as seen before the crawl */
	bool	 other;		/* another file system than is known */
	uint64_t unseen;	/* if so: what this run did not find in the
				   directories that it read */
	struct dir_times times;	/* met by this run's crawl */
};

struct catalog_reader {
	struct catalog *catalog; /* NULL: without a master */
	struct db db;
	int64_t	 target;	/* if so */
	bool	 server_as_prefix;
	bool	 held;		/* a transaction is open */
	bool	 has_fresh;	/* fresh is read */
	struct idset fresh;	/* objects whose result is fresh: few */
};

struct own {
	struct db db;
	bool	 failed;	/* told everybody */
	bool	 stopping;
	uint64_t began_ms;	/* of the open transaction */
	size_t	 results;	/* in it */
	struct noted *acks;	/* wait for the commit */
	struct dooming *doomings; /* likewise */
	struct want_list want_dirs;
	struct want_list want_lease;

	/* the run; run 0: none is going on */
	int64_t	 run;
	int64_t	 crawl;
	int64_t	 target;
	int64_t	 other_target;	/* the same bucket, with the server in the keys
				   where target is without; 0: there is none */
	bool	 server_as_prefix;
	bool	 no_backlog;
	unsigned ignore;	/* of attrs_same */
	int64_t	 clock_skew_ns;
	bool	 crawls;	/* from the exports' starts */
	bool	 follow_links;	/* run_spec.follow_links */
	bool	 over;		/* the run has ended: nothing will come */
	bool	 list_open;	/* --files-from: more pages come */
	struct run_export_row *exports;
	size_t	 export_count;
	struct fs_note *fs;	/* by path */
	size_t	 fs_count;
	bool	 accept_fs;	/* what is another file system now, or gone
				   with its mount, is right so */
	struct idset settle;	/* objects to be settled */
	struct idset uploads;	/* objects that may have upload rows */
	struct idset retried;	/* --retry-failed: queued at the beginning */
	bool	 has_names;	/* a key of the target may have several paths */
	bool	 has_history;
	bool	 has_verified;	/* verdicts are there */
	bool	 has_doomed;	/* rows may be there */
	bool	 has_doubts;	/* likewise, of settle */
	uint64_t delete_failed;	/* of a run with a backlog */
	int64_t	 next_object;
	int64_t	 next_todo;
	int64_t	 next_result;
	int64_t	 next_dir;
	int64_t	 next_frontier;
	int64_t	 first_object;	/* this and larger: made by this run */
	int64_t	 first_new_dir;	/* this and larger: made by this run */
	int64_t	 first_frontier; /* this and larger: of this run, as are */
	int64_t	 first_todo;	/* ... their handles */
	int64_t	 dir_cursor;	/* frontier rows up to it are handed out */
	int64_t	 again_cursor;	/* likewise, of those to be read again */
	int64_t	 todo_cursor;	/* backlog rows up to it are leased */
	int64_t	 trimmed;	/* backlog rows up to it are deleted */
	int64_t	 first_left;	/* this one and later ones may be left for the
				   next run; 0: none is */
	int64_t	 frontier_left;
	int64_t	 again_left;	/* of those, read by this crawl before */
	int64_t	 dirs_out;	/* of frontier_left, being read */
	int64_t	 again_out;	/* of again_left, being read */
	struct open_dir *dirs;
	struct open_lease *leases;
	struct totals totals;
};

struct catalog {
	char	*path;
	char	*temporary;	/* directory that goes at close; or NULL */
	int	 lock_fd;	/* of the lock file */
	int	 own_fd;	/* of the catalog, locked */
	pthread_t thread;
	struct mailbox *in;
	struct mailbox *events;
	struct own own;
	struct {
		pthread_mutex_t lock;
		pthread_cond_t changed;
		struct totals totals;
		struct err err;
		bool	 crawl_done;
		int64_t	 target;	/* of the run */
		bool	 server_as_prefix;
		int64_t	 first_object;
		int64_t	 run;
		struct catalog_reader *idle; /* used by nobody; or NULL */
	} shared;
};

enum {
	MSG_CALL = 1,
	MSG_WANT_DIRS,
	MSG_WANT_LEASE,
	MSG_PAGE,
	MSG_RESULTS,
	MSG_UPLOAD,
	MSG_OUTCOMES,
	MSG_DOOM,
	MSG_CLIENTS,
	MSG_COMPACTION,
	MSG_EXPORT,
	MSG_ROOT,
	MSG_LOST,
	MSG_STOP
};

/* Runs fn in the thread, in a transaction of its own; -1: the catalog has
 * failed. */
int	 core_call(struct catalog *, void (*fn)(struct catalog *, void *),
	    void *arg, struct err *);
void	 core_begin(struct own *);
void	 core_commit(struct catalog *);
/* The counters into the run's row. */
void	 core_count_run(struct own *);

/* guard.c: is this a place for a catalog, and is it ours alone? */
int	 guard_place(const char *path, struct err *) MUST_USE;
int	 guard_lock(const char *path, int *ret_fd, struct err *) MUST_USE;
/* The name of the lock file: beside the file that the path leads to. */
char	*guard_lock_name(const char *path);
/* The same for the file itself, by whatever names others have opened it. The
 * descriptor is to be closed when SQLite has closed the catalog, and not
 * before. */
int	 guard_own(const char *path, int *ret_fd, struct err *) MUST_USE;
/* -1, the error being that a catalog is there and has nothing in it. */
int	 guard_empty(const char *path, struct err *);
struct stat;
int	 guard_not_empty(const char *path, const struct stat *, struct err *)
	    MUST_USE;
/* Makes the file if there is none. */
int	 guard_file(const char *path, struct err *) MUST_USE;

/* page.c */
/* The counts of a directory that was read, or could not be; since_ns: when
 * the reading began. */
void	 core_dir_done(struct own *, int64_t dir, int64_t export,
	    int64_t since_ns, bool clean, const struct counts *);
void	 core_page(struct catalog *, struct dir_page *);
void	 core_open_dirs_free(struct own *);
/* The directory's row, made with those above it if it is not there. */
int64_t	 core_dir(struct own *, struct str path, int64_t export);
void	 core_queue(struct own *, int64_t object, int64_t export,
	    uint32_t flags, int64_t prev, const struct handle *);
/* The newest earlier version that the target holds, or 0. */
int64_t	 core_held_before(struct own *, struct str path);
void	 core_failure(struct own *, int64_t object, int64_t dir,
	    struct str path, const struct err *, unsigned attempts);
/* Move the row to history; false if there is none. */
bool	 core_retire(struct own *, int64_t object);
/* A row with a new id; 0 if the path has one. */
int64_t	 core_insert(struct own *, int64_t dir, struct str path,
	    const struct attrs *, const char *why);
void	 core_stat(struct own *, int64_t object, const struct attrs *);
/* Adds to the row of what came from a list. */
void	 core_add_list(struct own *, const struct counts *);
void	 core_add_counts(struct totals *, const struct counts *);

/* lease.c */
void	 core_serve_dirs(struct catalog *);
/* Drop those who wait with this mailbox, or all (NULL), unanswered. */
void	 core_forget(struct want_list *, const struct mailbox *reply);
void	 core_serve_leases(struct catalog *);
bool	 core_crawl_done(const struct own *);
void	 core_trim(struct own *);

/* lost.c */
/* The export (index) is out of reach for good, because of this. */
void	 core_lost(struct own *, unsigned export, const struct err *);
bool	 core_is_lost(const struct own *, int64_t export);
/* This row of the backlog stays for the next run. */
void	 core_leave_todo(struct own *, int64_t todo);

/* fresh.c */
/* What the crawl of an export has met. */
void	 core_note_times(struct own *, int64_t export,
	    const struct dir_times *);
/* The value of result.fresh for bytes that were read under this lease, of a
 * file that was so. */
int	 core_fresh(const struct own *, const struct open_lease *,
	    const struct open_item *, const struct attrs *);

/* result.c */
/* Some target has this version. */
bool	 core_held(struct own *, int64_t object);
/* Nothing that stat tells differs. */
bool	 core_same(const struct attrs *, const struct attrs *);
void	 core_results(struct catalog *, struct results *);
void	 core_upload(struct catalog *, struct noted *);
void	 core_leases_free(struct own *);

/* fs.c: file systems at and below the exports. */
void	 core_fs_load(struct own *);
void	 core_fs_free(struct own *);
/* The frontier row at hand becomes a job: what is known of its file system. */
void	 core_fs_place(struct own *, struct open_dir *, struct dir_job *);
/* A page tells the file system of its directory. */
void	 core_fs_note(struct own *, struct open_dir *, const struct dir_page *);
/* A list has a file of that directory, in this file system: noted, where
 * nothing was. False: the directory was in another one, with files. */
bool	 core_fs_listed(struct own *, const struct run_export_row *,
	    int64_t dir, struct str path, uint64_t fsid);
/* True if file systems were mounted at the path or below that are no longer
 * there: nothing of them is gone. Each is a failure, unless a link that the run
 * doesn't follow is in the place of the path. */
bool	 core_fs_missing(struct own *, const char *path);
/* The file system in which the directory was when it was read last; false if
 * nothing is noted. */
bool	 core_fs_of_dir(struct db *, int64_t dir, uint64_t *ret_fsid);

/* outcome.c */
void	 core_outcomes(struct catalog *, struct outcomes *);
void	 core_doom(struct own *, struct dooming *);
/* Send back those that wait; the commit is made, or the catalog failed. */
void	 core_doomed(struct own *);
/* What a killed run was about to delete may be gone, or not. */
void	 core_settle_doomed(struct own *);

/* names.c */
/* Calls fn for each catalog path that may have this key. */
void	 core_names_of_key(struct db *, bool server_as_prefix, struct str key,
	    void (*fn)(void *, struct str path), void *arg);
/* True if files below these two ("server/share"), of different servers, can
 * have the same key without the server. */
bool	 core_names_meet(struct str a, struct str b);
/* The same of any two exports that the catalog knows, if it knows a target
 * whose keys have no server. */
bool	 core_any_names_meet(struct db *);
/* Calls fn for each other catalog path that has the key of this one at the
 * run's target. Nothing is looked up where there can be none. */
void	 core_other_names(struct own *, const char *path,
	    void (*fn)(void *, struct str path), void *arg);
/* What is at the target under the key of a path. */
struct there {
	const char *etag;	/* NULL: nothing, or it is not known what */
	const struct attrs *attrs; /* of the file that was put; NULL: any */
	const char *reason;	/* for the rows that end */
};
/* Other names of the path's key hold it no longer, but for those whose row says
 * the same. S3 is asked when a run comes to their files. */
void	 core_names_end(struct own *, const char *path, const struct there *);
/* The object of the key is about to be changed. */
void	 core_names_doubt(struct own *, const char *path);

/* former.c */
struct mirror_plan;
/* Names of before whose keys are those of the run's exports: into the plan,
 * whose guards are known. */
void	 core_formers(struct own *, struct mirror_plan *);
/* What is known of their objects goes to paths of today. */
void	 core_take_formers(struct own *, const struct mirror_plan *);

/* client.c */
void	 core_clients(struct own *, struct client_note *);

/* compaction.c */
void	 core_compaction(struct own *, struct compaction_note *);

/* root.c */
void	 core_note_root(struct own *, struct root_note *);
/* Has this crawl noted another directory than this one? */
bool	 core_root_differs(struct own *, const struct run_export_row *,
	    uint64_t ino, uint64_t fsid, bool ignore_inode);
/* Before anything is called gone: exports whose root is not what it was. */
void	 core_doubt_roots(struct own *);

/* export.c */
void	 core_note_export(struct own *, struct export_note *);
/* NULL: it has no part in the run. */
struct run_export_row *core_export(const struct own *, int64_t id);
/* So many of its files were not found. True: they stay, as nothing of the
 * export becomes gone in this run. */
bool	 core_export_stays(struct own *, int64_t id, uint64_t unseen);
/* The crawl is complete: the file systems that it saw are the known ones. */
void	 core_keep_exports(struct own *);

/* begin.c */
/* The index of the run's export in which the path lies: of two, one inside
 * the other, the inner one. None: their count. */
size_t	 core_export_of(const struct own *, struct str path);
/* True if the root of one is at the path or below. */
bool	 core_holds_export(const struct own *, const char *path);
/* 0 if the catalog does not know it. */
int64_t	 core_find_target(struct db *, const struct run_spec *);

/* reader.c */
int64_t	 core_reader_target(const struct catalog_reader *,
	    bool *ret_server_as_prefix);
int	 core_reader_fault(const struct catalog_reader *, struct err *);
/* Before the writer's connection is closed. */
void	 core_reader_close_idle(struct catalog *);

/* view.c: as catalog_view_open looks at it. */
int	 core_open_look(struct db *, const char *path, struct err *) MUST_USE;

/* stored.c */
/* The path range of a prefix from a path on, or from the one after it. */
struct range {
	struct buf from;
	struct buf end;
	struct value bind_from;
	struct value bind_end;
};
void	 core_range(struct range *, struct str prefix, struct str after);
void	 core_range_release(struct range *);
/* The columns of stored_find, stored_page and gone_page. */
void	 core_read_stored(const struct db *, enum stmt, struct stored *);

/* end.c */
void	 core_reset_run(struct own *);
/* Tombstones for directories that their parents no longer have. */
void	 core_bury(struct own *);
/* Over the directories that this crawl has read. */
void	 core_sum_dirs(struct own *, struct counts *);

/* attrs of eight columns from the given one on: kind, size, mtime, ctime,
 * ino, mode, uid, gid. */
void	 core_attrs(const struct db *, enum stmt, int column, struct attrs *);

#endif
