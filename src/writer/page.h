/*
 * page.h: the directories that a crawl is to read, and the pages that the crawl
 * brings of them.
 */
#ifndef WRITER_PAGE_H
#define WRITER_PAGE_H

#include "base/err.h"
#include "base/mailbox.h"
#include "model/attrs.h"
#include "model/item.h"

struct dir_job {
	int64_t	 dir;
	unsigned export;	/* index into run_spec.exports */
	char	*path;		/* catalog path, owned by the batch */
	struct handle fh;	/* len 0: not known */
	bool	 fresh;		/* new in this run: the catalog knows nothing
				   below the directory, so no comparison is
				   needed */
	bool	 fs_known;	/* what is known below the directory was seen in
				   file system fsid */
	bool	 fs_own;	/* noted for the directory itself */
	bool	 fs_noted;	/* fsid is noted for the directory, or for the
				   nearest noted directory above */
	uint64_t fsid;		/* attrs.fsid, if fs_known or fs_noted */
	bool	 fs_begins;	/* fsid differs from the file system around the
				   directory: if the path is absent, the file
				   system isn't mounted */
	bool	 fs_of_root;	/* fsid is the file system of the export's
				   root */
};
struct dir_batch {
	struct mail mail;
	struct dir_job *v;
	size_t	 count;
	bool	 end;		/* the crawl is over (or the catalog failed) */
};
void	 dir_batch_free(struct dir_batch **);
enum page_action {
	PAGE_NEW = 0,	/* not in the catalog: row, queue */
	PAGE_CHANGED,	/* new version: move the old row to history, insert a
			   new row, queue with prev = the version held by the
			   target */
	PAGE_QUEUE,	/* known and unchanged, but not stored at this target
			   (or --checksum): queue */
	PAGE_INCLUDED,	/* known, unchanged, and stored, but excluded by the
			   last run that met the file: remove the row's
			   reason */
	PAGE_EXCLUDED,	/* row in state excluded with the reason (new or
			   changed; object 0 if new), not queued */
	PAGE_FAILED,	/* row and failure, not queued (key too long). For an
			   entry of unknown kind, rows below its path stay, in
			   case the entry is a directory */
	PAGE_REFUSED	/* of a list, not the name of an object: failure */
};
struct page_entry {
	enum page_action action;
	int64_t	 object;	/* as found, or 0 */
	char	*path;		/* catalog path; owned by the page */
	struct attrs attrs;
	struct handle fh;
	uint64_t listed_fsid;	/* for an entry of a list: the file system of
				   the entry as seen from its directory; 0: not
				   told */
	uint32_t flags;		/* enum item_flag for the queue */
	char	*why;		/* EXCLUDED: reason; owned; else NULL */
	struct err err;		/* FAILED */
};
struct page_dir {
	char	*path;		/* owned by the page */
	struct handle fh;
};
/* Times met by a crawl, as evidence of the server's clock. */
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
	bool	 fs_seen;	/* fsid is the directory's file system
				   (attrs.fsid): from the first page on */
	bool	 fs_other;	/* last: the directory lies in another file
				   system than before and wasn't read; fsid is
				   the former file system */
	uint64_t fsid;
	uint64_t unchanged;	/* counts of what needs no row */
	uint64_t unchanged_bytes;
	uint64_t excluded;	/* excluded before with the same reason */
	struct dir_times times;
	bool	 last;		/* the directory is done */
	bool	 vanished;	/* last: the directory has vanished. Nothing is
				   counted if no page brought an entry */
	struct err err;		/* last: the directory could not be read
				   completely: count a file found and failed,
				   with a failure row */
};
void	 dir_page_free(struct dir_page **);

#endif
