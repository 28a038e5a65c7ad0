/*
 * crawl.h: crawl threads: read directories of the exports as streams, compare
 * each entry with the catalog, and send pages of differences to it.
 *
 * A crawl ends by itself when the catalog has no directory left; each thread
 * then sends MAIL_CRAWLED to the mailbox given.
 */
#ifndef CRAWL_CRAWL_H
#define CRAWL_CRAWL_H

#include "base/err.h"
#include "base/mailbox.h"
#include "catalog/catalog.h"
#include "conf/conf.h"
#include "model/filter.h"
#include "model/job.h"
#include "model/mail.h"
#include "tree/tree.h"

struct crawl_config {
	struct catalog *catalog;
	const struct tree_spec *exports;
	const char *const *roots;	/* catalog path of each */
	const char *const *shares;	/* catalog paths of all that are
					   configured: one inside another is
					   left to itself */
	size_t	 share_count;
	const char *const *starts;	/* of where its crawl begins */
	size_t	 export_count;
	const struct err *export_errs;	/* an export that is known to be out
					   of reach: kind is not NONE */
	const bool *may_be_empty;	/* each export: else it is out of
					   reach if it is empty, and the
					   catalog knows files there */
	bool	 server_as_prefix;
	bool	 follow_links;
	bool	 checksum;	/* queue unchanged files too */
	bool	 ignore_inode;
	bool	 cross_mounts;	/* into other file systems below an export */
	bool	 accept_filesystem; /* of a directory that is another file
				   system than it was: it is right so */
	bool	 ignore_ctime;
	int64_t	 clock_skew_ns;	/* between a filer and us */
	uint64_t min_size;
	uint64_t max_size;
	const struct filter *filter;	/* or NULL */
	const struct strlist *skip_dirs; /* names of snapshot directories */
	uint64_t retry_for_ms;
	struct mailbox *up;
};

struct crawl;

/* What the config points to must live until crawl_free. */
int	 crawl_start(struct crawl **, const struct crawl_config *,
	    unsigned threads, struct err *) MUST_USE;
/* The list of --files-from; "-": stdin. One that can't be read is ERR_USAGE. */
int	 crawl_open_list(const char *path, int *ret_fd, struct err *) MUST_USE;
/* One thread that looks up the names of a list instead: a key or, when one
 * export is configured, a path below it, one a line. Owns fd from now on, also
 * when it fails. */
int	 crawl_start_list(struct crawl **, const struct crawl_config *, int fd,
	    struct err *) MUST_USE;
/* The threads end soon, with directories left. */
void	 crawl_stop(struct crawl *);
void	 crawl_free(struct crawl **);

#endif
