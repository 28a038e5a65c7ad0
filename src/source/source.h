/*
 * source.h: where GET, DEL and TEST get their objects from: the keys of the
 * bucket, under --prefix, or under the configured shares, or all of them.
 *
 * A thread of its own lists them and sends pages to a mailbox. No more than
 * SOURCE_PAGES pages are out at once: the listing waits until one of them is
 * freed, so that memory stays flat however large the bucket is.
 *
 * Life cycle: source_start, a MAIL_SOURCE_PAGE for each page (the last one has
 * end set, and err if the listing broke off), source_page_free for each, then
 * source_free. One thread starts, frees pages, and frees the source.
 */
#ifndef SOURCE_SOURCE_H
#define SOURCE_SOURCE_H

#include "base/mailbox.h"
#include "catalog/catalog.h"
#include "conf/conf.h"
#include "model/job.h"
#include "model/mail.h"
#include "s3/s3.h"

#define SOURCE_PAGES	8	/* of up to 1,000 keys */

struct source;

struct source_key {
	const char *key;	/* key text, ended by NUL; len also covers a NUL
				   inside the key */
	size_t	 len;
	uint64_t size;
	int64_t	 modified_sec;
	char	 etag[72];	/* without quotes */
};
struct source_page {
	struct mail mail;	/* MAIL_SOURCE_PAGE */
	struct source_key *keys;
	size_t	 count;
	char	*text;		/* the keys' bytes */
	bool	 end;		/* no page follows */
	struct err err;		/* end: ERR_NONE if all keys were given */
};

struct source_config {
	const struct conf *conf;
	const struct job *job;		/* prefix, all */
	struct catalog_reader *reader;	/* source_start finds the keys to cut
					   the listing at in this catalog; not
					   used later. Or NULL */
	bool	 ordered;		/* keys come in the order of bytes */
	struct mailbox *up;
};

/* Fill an empty list with the prefixes to list, sorted by bytes; no prefix
 * begins with another. With a prefix in the job, only this prefix (the prefix
 * must lie under a share unless all is set: ERR_USAGE); with all, ""; else the
 * shares. The caller clears the list, also after an error. */
int	 source_prefixes(const struct conf *, const struct job *,
	    struct strlist *, struct err *) MUST_USE;

/* Objects pointed to by the config must live until source_free. */
int	 source_start(struct source **, const struct source_config *,
	    struct err *) MUST_USE;
/* Free a page after use; the source may then send another page. NULL-safe, sets
 * NULL. Pass NULL as the source for pages left after source_free. */
void	 source_page_free(struct source *, struct source_page **);
/* After this call no further page comes, not even the end page. Pages in the
 * mailbox stay. */
void	 source_free(struct source **);

#endif
