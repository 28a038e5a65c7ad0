/*
 * model.h: histories that are played against the real program.
 *
 * A history is a seed, or a list of steps read from a file. A step changes the
 * tree, the store or the catalog, or runs the program, with faults or without;
 * each means something after any others, so that any part of a history is one.
 * After each run judge.c says whether what must hold does; the first breach
 * ends the history. Everything belongs to one process and one thread, but for
 * the threads of the store and of the NFS server, which meet it in the
 * functions that say so.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <sys/stat.h>
#include <sys/types.h>

#include "base/backoff.h"
#include "base/buf.h"

#define STEPS_MAX	40
#define FIELDS_MAX	16
#define FILES_MAX	256
#define HUGE_SIZE	(1 << 30)	/* what is larger is never read */
#define STUB_SIZE	12	/* of files in the place of the volume, and of
				   no others */
#define STUB_DIR	4	/* v */
#define STUB_BELOW	5	/* v/w */

/* --- steps (steps.c) --- */

struct step {
	int	 kind;		/* row of the table */
	int	 v[FIELDS_MAX];	/* as the row names them */
};

/* What stays the same in a history. */
struct setting {
	int	 nfs;		/* read over NFS 3 */
	int	 coarse;	/* times of files have full seconds */
	int	 volume;	/* something is mounted at v */
	int	 fsids;		/* NFS 4 gives file systems other numbers */
	int	 versioned;	/* the buckets keep versions */
	int	 unshown;	/* HEAD doesn't show delete markers */
};

struct history {
	char	 name[128];	/* its seed or its file */
	struct setting set;
	size_t	 count;
	struct step steps[STEPS_MAX];
};

struct field {
	const char *name;
	int	 count;		/* values 0 .. count - 1 */
	int	 chance;	/* of any but 0, in percent */
	const char *const *words;	/* for its values; NULL: numbers */
};

enum step_type {
	STEP_OTHER = 0,
	STEP_TREE,		/* nothing, where the tree is another one */
	STEP_BEND		/* something goes wrong in the next run */
};

struct step_kind {
	const char *name;
	int	 weight;
	void	 (*play)(const int *v);
	struct field fields[FIELDS_MAX];
	enum step_type type;
	const char *off;	/* why it isn't drawn; NULL: it is */
};

const struct step_kind *kind_of(const struct step *);
void	 history_draw(struct history *, uint64_t seed);
/* One line a step. */
void	 history_text(const struct history *, struct buf *);
/* -1: a line that is no step was found, and said so. */
int	 history_read(struct history *, const char *file);

/* --- what went wrong --- */

/* The first breach of the history that is being played. Any thread. */
void	 breach(int invariant, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool	 breached(void);
const char *breach_text(void);
int	 breach_invariant(void);
void	 breach_clear(void);

/* --- the world (world.c) --- */

/* A file of the tree as it is, whoever may read it. */
struct file {
	char	 rel[128];	/* below the share */
	struct stat st;		/* of what a link points to, where followed */
	uint64_t hash;		/* of its bytes */
	bool	 hidden;	/* no run can get there (a mode, a mount) */
	bool	 link;		/* reached through a symlink */
};

struct files {
	size_t	 count;
	struct file f[FILES_MAX];
};

struct world {
	/* of the process */
	char	*dir;
	char	*tree;
	char	*program;
	char	*preload;
	uid_t	 uid;		/* the program runs as */
	bool	 root;		/* chmod bites, as the program isn't root */
	bool	 mounts;	/* a mount namespace of our own */
	bool	 verbose;
	unsigned port;		/* of the store */
	unsigned nfs_port;
	/* of the history */
	struct setting set;
	int	 conf;		/* which settings are in use */
	int	 memory_mib;	/* that a run may take; 0: any */
	int	 part_mib;	/* size of a part */
	long	 clock_s;	/* how much later the wall clock is */
	uint64_t serial;	/* of contents */
	int	 inner;		/* a share of its own too: that directory */
	bool	 renumbered;	/* it was the volume's, by its path */
	bool	 skip;		/* skip_dir names a/b */
	bool	 ctime;		/* is ignored */
	int	 version;	/* of NFS, as a row in world.c */
	bool	 versions;	/* it was another one before */
	bool	 away;		/* the volume isn't mounted now */
	bool	 stubs;		/* there were files in its place */
	bool	 accepted;	/* the file systems of now are the right ones */
	bool	 root_away;	/* another tree is where the share was */
	bool	 root_counts;	/* the files of the old one still exist */
	bool	 root_empty;	/* the new one is */
	bool	 root_fs;	/* it is a file system of its own */
	bool	 adopted;	/* a run was told to adopt, and takes over what
				   others put */
	bool	 moved;		/* it had other settings before */
	bool	 restored;	/* the catalog was one of before */
	bool	 unasked;	/* and no run has asked the bucket since */
};

extern struct world w;

void	 world_init(const char *program, const char *preload);
void	 world_end(void);
/* A new tree, an empty store, no catalog. */
void	 world_begin(const struct setting *);
void	 world_clear(void);
/* The tree and the volume that is away, as root sees them. With follow,
 * links stand for what they point to. */
void	 world_look(struct files *, bool follow);
/* What is left is what a look that doesn't follow finds. */
void	 files_drop_links(struct files *);
const struct file *files_find(const struct files *, const char *rel);
uint64_t bytes_hash(const void *, size_t);
/* "a/b/f0" below the share; valid until the next call but three. */
const char *rel_name(int dir, int name);
const char *rel_dir(int dir);
int	 dir_count(void);
int	 name_count(void);
/* The same as an absolute path. */
char	*tree_path(const char *rel) MUST_USE;
/* The beginning of all keys of the share, under these settings. */
char	*key_prefix(int conf) MUST_USE;
const char *conf_bucket(int conf);
/* With the server in its keys or without it, a bucket is another target. */
bool	 is_same_target(int conf, int other);
const char *server_of(int conf);
/* As the settings name them; NULL ends it. */
extern const char *const nfs_versions[];
void	 write_conf(void);
/* A file with keys of the store, and a token that was not in it before. */
void	 write_keys(void);
void	 remove_all(const char *path);
/* A directory beside the tree. */
void	 clear_dir(const char *name);
void	 copy_file(const char *from, const char *to, mode_t);
/* Call it for all below path, directories first. */
void	 tree_each(const char *path, void (*)(const char *,
	    const struct stat *));

/* --- steps on files (fsops.c) --- */

/* True if play_times gives files this time. */
bool	 is_time_given(int64_t sec);
void	 play_create(const int *v);
void	 play_rewrite(const int *v);
void	 play_truncate(const int *v);
void	 play_huge(const int *v);
void	 play_rename(const int *v);
void	 play_rename_dir(const int *v);
void	 play_swap(const int *v);
void	 play_remove(const int *v);
void	 play_remove_dir(const int *v);
void	 play_stash(const int *v);
void	 play_unstash(const int *v);
void	 play_chmod(const int *v);
void	 play_link(const int *v);
void	 play_symlink(const int *v);
void	 play_times(const int *v);
void	 play_mount(const int *v);
void	 play_stub(const int *v);
void	 play_umount(const int *v);
void	 play_root_away(const int *v);
void	 play_root_back(const int *v);
/* Modes as a run needs them; what is away comes back. */
void	 fs_repair(void);
/* It is below the place of what isn't mounted. */
bool	 is_away(int dir);
/* A change while a run goes on; this one exchanges the share. */
#define DURING_SHARE	6
void	 play_during(const int *v);

/* --- runs (run.c) --- */

enum op {
	OP_PUT = 0, OP_MIRROR, OP_GET, OP_DEL, OP_LIST, OP_TEST, OP_VERIFY,
	OP_ASK,			/* sql --as-of */
	OP_UNDO
};

struct totals {
	bool	 given;
	long	 found, moved, unchanged, failed, excluded, gone, deleted,
		 pending, run;
};

/* A run of the program, what it was asked and what it answered. */
struct run {
	enum op	 op;
	bool	 dry;
	int	 prefix;	/* a directory; 0: none */
	int	 filter;	/* a row in filter.c; 0: none */
	int	 from;		/* --files-from with its files; 0: none */
	bool	 checksum, retry, adopt, follow;
	bool	 excluded;	/* --delete-excluded */
	bool	 accept;	/* --accept-filesystem */
	int	 mode;		/* of TEST */
	char	 as_of[32];	/* a moment; or "" */
	long	 undone;	/* run of which OP_UNDO is; else 0 */
	bool	 quiet;		/* of the end of a history */
	/* what came */
	bool	 bent;		/* something was to go wrong */
	bool	 lied_to;	/* a listing wasn't whole and didn't say so */
	int	 status;	/* exit status, or 256 + the signal */
	bool	 killed;	/* by us */
	bool	 full;		/* the disk of the catalog */
	struct totals totals;
	struct buf out, err;
};

/* The program is loaded, once. */
void	 nursery_begin(void);
void	 nursery_end(void);
void	 play_run(const int *v);
void	 play_quiet(void);
/* For people: what was run. */
char	*run_text(const struct run *) MUST_USE;
void	 run_init(struct run *);
void	 run_release(struct run *);
/* It is about the past; judged by past.c. */
bool	 run_asks_past(const struct run *);
/* Run the program with these words and the settings; the exit status. */
int	 run_verb(const char *const *words);
/* Run the program; judge what it does and did. */
void	 run_go(struct run *);

/* What goes wrong in the next run; see preload.c. */
void	 play_bend(const int *v);
void	 play_kill(const int *v);
void	 play_errno(const int *v);
void	 play_full(const int *v);
void	 play_nfs(const int *v);
void	 play_meanwhile(const int *v);
void	 bends_clear(void);

/* Which files a filter leaves out (filter.c). */
int	 filter_count(void);
const char *const *filter_options(int filter);
bool	 filter_hides(int filter, const char *rel, uint64_t size);

/* --- other steps --- */

void	 play_conf(const int *v);
void	 play_turn(const int *v);
void	 play_settings(const int *v);
void	 play_inner(const int *v);
void	 play_clock(const int *v);
void	 play_save(const int *v);
void	 play_restore(const int *v);
void	 play_prune(const int *v);
void	 play_versioning(const int *v);
void	 play_foreign(const int *v);
void	 play_tamper(const int *v);
void	 others_begin(void);

/* --- the store (store.c) --- */

struct held {			/* an object of the bucket */
	const char *key;
	uint64_t hash;
	uint64_t size;
	const char *etag;
	const char *meta;
	uint64_t put_at;	/* store_now() then */
	uint64_t version;	/* 0: none, or null */
	bool	 foreign;	/* not put by the program */
};

unsigned store_start(void);	/* its port */
void	 store_clear(void);
/* All connections have ended; nothing is bent any more. */
void	 store_settle(void);
void	 store_begin_run(void);
void	 store_set_run(pid_t);
uint64_t store_now(void);	/* counts changes */
/* Each object in the order of keys. */
void	 store_each(const char *bucket, void (*)(void *, const struct held *),
	    void *);
bool	 store_find(const char *bucket, const char *key, struct held *);
/* A key that isn't foreign begins so. */
bool	 store_holds_below(const char *bucket, const char *start);
void	 store_put_foreign(const char *bucket, const char *key,
	    const void *, size_t);
void	 store_remove_foreign(const char *bucket, const char *key);
/* Those that are open. */
size_t	 store_uploads(const char *bucket);
unsigned long store_requests(void);
unsigned long store_bucket_requests(void);
unsigned long store_heads(void);
/* Buckets keep versions from now on, or (suspended) one that is null; how HEAD
 * answers for a deletion. */
void	 store_versioning(bool on);
void	 store_show_markers(bool);
/* What the next run finds: the nth request of a kind, so many times, ends
 * so (enum trouble); kind 0: any. */
void	 store_bend(int kind, int nth, int times, int how);
/* During the next run, at its nth request, this happens once. */
void	 store_during(int nth, void (*)(void));

/* --- judgement (judge.c) --- */

void	 judge_reset(void);
void	 judge_begin(const struct run *);
void	 judge_tree_changed(void);	/* while a run goes on */
void	 judge_end(struct run *);
/* Called by the store, under its lock. */
void	 judge_stored(const char *bucket, const char *key, uint64_t hash,
	    bool copied);
void	 judge_removed(const char *bucket, const char *key, uint64_t size,
	    bool foreign);
/* The files as they were when the run began. */
const struct files *judge_before(void);
/* After quiet: the bucket has no object of a file that is gone; bucket and tree
 * are equal; and nothing more to do, nor (hash; 0: it may be) to write into the
 * catalog. */
void	 judge_no_more(const struct run *);
void	 judge_equal(const struct run *);
void	 judge_idle(const struct run *, uint64_t hash_before);

/* Keys and names: bytes that aren't UTF-8 become U+FFFD and two digits. */
char	*key_of(const char *rel) MUST_USE;
/* NULL: it isn't one of the share. */
char	*rel_of(const char *key) MUST_USE;
/* The file of an object of that size exists now, also where nobody can get at
 * it. In the place of the volume there are two trees: the size tells whose file
 * was put. */
bool	 file_exists(const char *rel, uint64_t size);
/* An object of that size was put from the one of the two that can't be seen. */
bool	 is_covered(const char *rel, uint64_t size);
bool	 below_link(const char *rel);

/* What the operations but PUT promised (judge_ops.c). */
void	 judge_op(const struct run *);
void	 judge_meta(const struct file *, const struct held *);
/* Before it: how much of what is stored, by the catalog, is there. */
void	 judge_count(const struct run *);
bool	 in_prefix(const struct run *, const char *key);

/* --- what others have changed (touched.c) --- */

/* Somebody else changed this object (bucket/key): what the catalog says of it
 * may be wrong. */
void	 judge_touched(const char *name);
/* So may what it says of all objects that changed since then. */
void	 judge_touched_since(uint64_t store_time);
/* The program changed it. */
void	 judge_changed(const char *name);
bool	 is_touched(const char *bucket, const char *key);
bool	 is_touched_name(const char *name);
bool	 any_touched(void);
void	 touched_each(void (*)(void *, const char *name), void *);
/* The program stored it once, in this history. */
bool	 ever_ours(const char *name);
void	 touched_forget(void);

/* --- the past (past.c, undone.c) --- */

void	 play_as_of(const int *v);
void	 play_undo(const int *v);
void	 past_forget(void);
/* The catalog has dropped what was over. */
void	 past_pruned(void);
/* The wall clock was put back: a time means more than one moment. */
void	 past_clock_back(void);
void	 past_begin(void);
/* At the end of each run: what the buckets hold. */
void	 past_remember(const struct run *);
void	 past_judge(const struct run *);
/* Has a run gone to the target, so that there can be an answer? */
bool	 past_target_known(void);

void	 undone_forget(void);
/* The past of runs before this one is dropped. */
void	 undone_pruned(long run);
void	 undone_begin(const struct run *);
/* The run had this number; sure: the catalog has no doubts. */
void	 undone_remember(long run, bool sure);
void	 undone_judge(const struct run *);
/* Called by the store, under its lock: a name ("bucket/key") has changed (by
 * the program: ours); the
 * program is about to delete it (kept: it stays as a version); it is there
 * again; a version of it with bytes goes for ever. */
void	 past_change(const char *name, bool ours);
void	 past_deleted(const char *name, uint64_t hash, bool kept,
	    bool foreign);
void	 past_came(const char *name, uint64_t hash);
void	 past_dropped(const char *name);

/* --- the journal (journal.c) --- */

/* Where answers are missing, the journal may not know yet. */
long	 journal_doubts(void);

/* At the end of each run: its events are those of before and more, they agree
 * with the bucket, and say of each earlier run what they said then. */
void	 judge_journal(const struct run *);
/* The catalog is another one. */
void	 journal_forget(void);

/* --- the catalog (catalog.c) --- */

struct row {
	const char *bucket;
	const char *key;
	const char *state;
	const char *etag;
	const char *reason;
	int64_t	 size;
};

char	*catalog_file(void) MUST_USE;
/* Before the file is written by others: a run, or a copy. */
void	 catalog_close(void);
bool	 catalog_exists(void);
/* A breach if it isn't whole. */
void	 catalog_check(void);
/* Rows of a query with the columns of struct row, in that order. */
extern const char catalog_objects[];	/* such a query, of the view */
void	 catalog_rows(const char *sql, void (*)(void *, const struct row *),
	    void *);
/* The first column of the first row; -1: there is none. */
long	 catalog_number(const char *sql);
/* A hash of the rows of a query. */
uint64_t catalog_hash_of(const char *sql);
/* A hash of all it says but of its runs. */
uint64_t catalog_hash(void);

/* --- the NFS server (nfs.c) --- */

/* How a call ends that isn't answered as it should be; or a status. */
enum nfs_how {
	NFS_CUT = -3,		/* a listing ends early */
	NFS_NO_ATTRS,		/* a listing has names alone */
	NFS_CLOSE		/* the connection ends */
};

unsigned nfs_start(void);	/* its port */
/* The nth call of a procedure (0: any), so many times. */
void	 nfs_bend(int proc, int nth, int times, int how);
/* At the nth call of the next run this happens, once. */
void	 nfs_during(int nth, void (*)(void));
void	 nfs_settle(void);

#endif
