/*
 * mirror.h: PUT --delete: which objects may be deleted at the target if their
 * files are proven gone from the source (absence/asker.h): a plan proposes, it
 * proves nothing.
 *
 * In the plan is what this catalog put at this target and still holds, whose
 * file was no longer there in this run or an earlier one, if
 *  - its directory was read cleanly in this crawl, or where the directory is
 *    gone too, the nearest directory above it that is there was; or the crawl
 *    was to begin in one of those that are gone (--prefix);
 *  - the root of its export was looked at in this crawl, is not empty, and is
 *    of the file system that the export is known by;
 *  - no other export has a file with the same key (server_as_prefix no, see
 *    struct mirror_rules; or by the other mode of server_as_prefix);
 *  - it did not vanish between crawl and transfer just now (the next run
 *    will delete it);
 *  - this run would not leave it out, if it were there.
 *
 * Order: the notes of export.h while the crawl goes on; when the crawl
 * is done and all items are settled, with rules.unread a plan for
 * catalog_mirror_unread and catalog_mirror_bury; catalog_mirror_begin; the
 * doubts of doubt.h, catalog_mirror_plan; compare with
 * --max-delete; then pages, the proof, catalog_intend_delete, DeleteObjects,
 * catalog_put_outcomes; catalog_end_run.
 */
#ifndef CATALOG_MIRROR_H
#define CATALOG_MIRROR_H

#include "base/strlist.h"
#include "catalog/export.h"
#include "reader/stored.h"
#include "model/outcome.h"

enum mirror_guard {
	MIRROR_OPEN = 0,
	MIRROR_UNSEEN,		/* the crawl did not look at the root of the
				   export */
	MIRROR_EMPTY,
	MIRROR_OTHER_FS,	/* than it is known by */
	MIRROR_NEW_FS		/* no earlier run has noted it */
};
/* For people: "the export's root is empty". */
const char *mirror_guard_text(enum mirror_guard);

/* True if this run leaves the file out (filters, limits): keep the file's
 * object. path is the catalog path; held describes the file as held by the
 * target, last as seen last. */
typedef bool mirror_keep_fn(void *arg, struct str path,
	    const struct attrs *held, const struct attrs *last);

/* The settings and options for deletions; must live as long as the plan. */
struct mirror_rules {
	mirror_keep_fn *keep;
	void	*keep_arg;
	/* Catalog paths of the shares in the settings, even of shares left out
	 * by the run: if server_as_prefix is no, a file in such a share keeps
	 * the object of its key. A file in a share of former settings keeps the
	 * object only if put later than ours, and if the former share is in
	 * another file system: in the same file system the share is ours, under
	 * a former name of the server. */
	const char *const *shares;
	size_t	 share_count;
	/* Delete below directories that were not read, too, if the files are
	 * proven gone; see catalog_mirror_unread. */
	bool	 unread;
};

struct mirror_plan {
	uint64_t count;		/* objects to be deleted */
	uint64_t bytes;
	uint64_t guarded;	/* kept because of their export's guard */
	size_t	 first_guarded;	/* an export that has such; if guarded > 0 */
	uint64_t unproved;	/* kept because the directory was not read
				   cleanly, or another export has the key */
	uint64_t left_out;	/* kept because this run leaves them out */
	enum mirror_guard *exports;	/* by index; owned */
	uint64_t *fsids;	/* file systems of the exports, if open or new;
				   owned */
	size_t	 export_count;
	/* for the calls below */
	int64_t	 crawl;
	char	**paths;	/* of the exports; owned */
	int64_t	*gone_starts;	/* per export, owned: the start directory of the
				   export's crawl, if the directory is gone; or
				   0 */
	struct strlist roots;	/* what was crawled, a slash behind, sorted */
	int64_t	 other_target;	/* struct writer */
	struct strlist formers;	/* exports of before that are ours */
	const struct mirror_rules *rules;	/* or NULL */
};
void	 mirror_plan_release(struct mirror_plan *);
/* Call before doubt.h and catalog_mirror_plan. Objects put under a former name
 * of an export of this run become objects of the export, even objects of files
 * the export doesn't have. Does nothing for keys with a server. Waits;
 * ERR_USAGE as in catalog_mirror_plan. */
int	 catalog_mirror_begin(struct catalog *, const struct mirror_rules *,
	    struct err *) MUST_USE;
/* Make the plan. Vanished directories become tombstones now, and not at the end
 * of the run. Waits. ERR_USAGE if the crawl is not over, or the run has no
 * crawl (no_crawl, retry_failed, no_backlog). The reader must belong to this
 * catalog. rules NULL: no file is left out, and every file keeps its key. */
int	 catalog_mirror_plan(struct catalog *, struct catalog_reader *,
	    const struct mirror_rules *rules, struct mirror_plan *,
	    struct err *) MUST_USE;
/* For --max-delete N%: count the objects stored at the target below the crawled
 * paths (run_export.start of each export), objects of the plan included. Stops
 * at enough unless enough is 0: count of the plan * 100 / N is enough, and
 * cheap. */
int	 catalog_mirror_stored(struct catalog_reader *,
	    const struct mirror_plan *, uint64_t enough,
	    const struct count_turn *, uint64_t *ret_count, struct err *)
	    MUST_USE;
struct mirror_row {
	struct stored stored;
	unsigned export;	/* index into run_spec.exports */
	uint64_t fsid;		/* the file system in which the file was seen */
};
void	 mirror_row_release(struct mirror_row *);
/* Read up to n objects of the plan after the path given ("": from the
 * beginning), in the order of paths. *ret_count less than n means the end of
 * the plan. */
int	 catalog_mirror_page(struct catalog_reader *,
	    const struct mirror_plan *, struct str after,
	    struct mirror_row *, size_t n, size_t *ret_count, struct err *)
	    MUST_USE;

/* Read up to n files below the directories that this crawl left out, or once in
 * the place of such a directory, in exports without a guard: the crawl did not
 * look for the files, and the target holds, or may hold, an object of each,
 * perhaps under a former name.
 * stored.object is the newest version; path and size are filled in, no more.
 * Begin with a cursor of zeros, and release it. *ret_count less than n means
 * the end. */
struct unread_cursor {
	char	*dir;		/* the directory left out at hand */
	char	*after;		/* the last file below it; or NULL */
};
void	 unread_cursor_release(struct unread_cursor *);
int	 catalog_mirror_unread(struct catalog_reader *,
	    const struct mirror_plan *, struct unread_cursor *,
	    struct mirror_row *, size_t n, size_t *ret_count, struct err *)
	    MUST_USE;
/* Make tombstones for n files proven gone (stored.object): the next plan has
 * their objects. Files of which nobody knows whether they are gone have failed,
 * as the rows say. Waits. */
int	 catalog_mirror_bury(struct catalog *, const int64_t *gone, size_t n,
	    const struct outcomes *unknown, struct err *) MUST_USE;

#endif
