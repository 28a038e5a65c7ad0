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
#include "base/strlist.h"
#include "catalog/catalog.h"
#include "model/filter.h"
#include "model/job.h"
#include "model/mail.h"
#include "tree/tree.h"

struct crawl_config {
	struct catalog *catalog;
	const struct tree_spec *exports;
	const char *const *roots;	/* catalog path of each */
	const char *const *shares;	/* catalog paths of all configured
					   shares: a share inside another share
					   is crawled only by itself */
	size_t	 share_count;
	const char *const *starts;	/* of where its crawl begins */
	size_t	 export_count;
	const struct err *export_errs;	/* per export: kind is not NONE if the
					   export is known to be out of reach */
	const bool *may_be_empty;	/* per export; false: an empty export is
					   out of reach if the catalog knows
					   files below its path */
	bool	 server_as_prefix;
	bool	 follow_links;
	bool	 checksum;	/* queue unchanged files too */
	unsigned ignore;	/* of attrs_same */
	bool	 cross_mounts;	/* into other file systems below an export */
	bool	 accept_filesystem; /* accept a directory in another file system
				       than the catalog has noted */
	int64_t	 clock_skew_ns;	/* between a filer and us */
	uint64_t min_size;
	uint64_t max_size;
	const struct filter *filter;	/* or NULL */
	const struct strlist *skip_dirs; /* names of snapshot directories */
	uint64_t retry_for_ms;
	struct mailbox *up;
};

struct crawl;

/* Everything the config points to must live until crawl_free returns. */
int	 crawl_start(struct crawl **, const struct crawl_config *,
	    unsigned threads, struct err *) MUST_USE;
/* Open the list of --files-from; "-" means stdin. ERR_USAGE if the list can't
 * be read. */
int	 crawl_open_list(const char *path, int *ret_fd, struct err *) MUST_USE;
/* Start a single thread to look up the names of a list, instead of reading
 * directories. Each line is a key or, when a single export is configured, a
 * path below its root. Takes ownership of fd, even on failure. */
int	 crawl_start_list(struct crawl **, const struct crawl_config *, int fd,
	    struct err *) MUST_USE;
/* The threads end soon, with directories left. */
void	 crawl_stop(struct crawl *);
void	 crawl_free(struct crawl **);

#endif
