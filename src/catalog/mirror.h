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
 *    struct mirror_rules);
 *  - it did not vanish between crawl and transfer just now (the next run
 *    will delete it);
 *  - this run would not leave it out, if it were there.
 *
 * Order: the notes of export.h while the crawl goes on; when the crawl
 * is done and all items are settled, catalog_mirror_begin, the doubts of
 * doubt.h, catalog_mirror_plan; compare with
 * --max-delete; then pages, the proof, catalog_doom, DeleteObjects,
 * catalog_put_outcomes; catalog_end_run.
 */
#ifndef CATALOG_MIRROR_H
#define CATALOG_MIRROR_H

#include "catalog/export.h"
#include "catalog/stored.h"
#include "model/outcome.h"

enum mirror_guard {
	MIRROR_OPEN = 0,
	MIRROR_UNSEEN,		/* the root was not looked at in this crawl */
	MIRROR_EMPTY,
	MIRROR_OTHER_FS,	/* than it is known by */
	MIRROR_NEW_FS		/* no earlier run has noted it */
};
/* For people: "the export's root is empty". */
const char *mirror_guard_text(enum mirror_guard);

/* True if this run leaves the file out (filters, limits): its object is kept.
 * The path is the catalog's; held is what the target holds of it, last how it
 * was seen last. */
typedef bool mirror_keep_fn(void *arg, struct str path,
	    const struct attrs *held, const struct attrs *last);

/* What the settings and options say of deletions; it lives as long as the
 * plan. */
struct mirror_rules {
	mirror_keep_fn *keep;
	void	*keep_arg;
	/* Catalog paths of the shares of the settings, also of those that the
	 * run leaves out: where server_as_prefix is no, a file in one of them
	 * keeps the object of its key. One in a share of before keeps it only
	 * if it was put later than ours, and if that share is in another file
	 * system: else it is ours, and the server had another name. */
	const char *const *shares;
	size_t	 share_count;
	/* Directories need not have been read: all that they had may go, if it
	 * is proven gone. */
	bool	 unread;
};

struct mirror_plan {
	uint64_t count;		/* objects to be deleted */
	uint64_t bytes;
	uint64_t guarded;	/* kept because of their export's guard */
	size_t	 first_guarded;	/* an export that has such; if guarded > 0 */
	uint64_t unproved;	/* kept because their directory was not read
				   cleanly, or another export has the key */
	uint64_t left_out;	/* kept because this run leaves them out */
	enum mirror_guard *exports;	/* by index; owned */
	uint64_t *fsids;	/* of those that are open or new; likewise */
	size_t	 export_count;
	/* for the calls below */
	int64_t	 crawl;
	int64_t	*ids;		/* of the exports */
	int64_t	*gone_starts;	/* likewise: the directory that its crawl was
				   to begin in, if that is gone; or 0 */
	char	**roots;	/* what was crawled, a slash behind, sorted */
	size_t	 root_count;
	char	**formers;	/* exports of before that are ours */
	size_t	 former_count;
	const struct mirror_rules *rules;	/* or NULL */
};
void	 mirror_plan_release(struct mirror_plan *);
/* Before it, and before doubt.h: objects that were put under a name of before
 * of an export of this run become its own, those of files that it doesn't have
 * as well. Nothing where the keys have a server. Waits; ERR_USAGE as below. */
int	 catalog_mirror_begin(struct catalog *, const struct mirror_rules *,
	    struct err *) MUST_USE;
/* Directories that are gone become tombstones now, and not at the end of the
 * run. Waits. ERR_USAGE if the crawl is not over, or the run has none
 * (no_crawl, retry_failed, no_backlog). The reader is one of this catalog.
 * rules may be NULL: nothing is left out, and every file keeps its key. */
int	 catalog_mirror_plan(struct catalog *, struct catalog_reader *,
	    const struct mirror_rules *rules, struct mirror_plan *,
	    struct err *) MUST_USE;
/* For --max-delete N%: objects stored at the target under what was crawled
 * (run_export.start of each export), those of the plan among them; stops at
 * enough unless that is 0: with count of the plan * 100 / N that is cheap. */
int	 catalog_mirror_stored(struct catalog_reader *,
	    const struct mirror_plan *, uint64_t enough,
	    const struct count_turn *, uint64_t *ret_count, struct err *)
	    MUST_USE;
struct mirror_row {
	struct stored stored;
	unsigned export;	/* index into run_spec.exports */
	uint64_t fsid;		/* the file system in which it was seen */
};
void	 mirror_row_release(struct mirror_row *);
/* The next n at most of the plan after the path given ("": from the begin),
 * in the order of paths; less than n: that was all. */
int	 catalog_mirror_page(struct catalog_reader *,
	    const struct mirror_plan *, struct str after,
	    struct mirror_row *, size_t n, size_t *ret_count, struct err *)
	    MUST_USE;

#endif
