/*
 * item.h: the messages between master and client: a lease of items to the
 * client, results back to the master.
 */
#ifndef MODEL_ITEM_H
#define MODEL_ITEM_H

#include "base/err.h"
#include "base/mailbox.h"
#include "model/attrs.h"
#include "model/event.h"
#include "model/mail.h"
#include "model/outcome.h"
#include "model/proved.h"

enum item_flag {
	ITEM_SETTLE = 1,	/* a lease of it was open when a run died: look
				   at S3 before sending */
	ITEM_CHECKSUM = 2,	/* stat says unchanged: hash and compare */
	ITEM_ANY_FS = 4		/* the file may lie in any file system */
};

/* A file that is found changed more often than this while it is moved fails. */
#define ITEM_CHANGES_MAX	5

/*
 * A large file is split among clients, which move the file in three steps; each
 * step is an item.
 *
 * An upload: BEGIN creates the upload, or finds the one to go on with; the
 * result has upload_id and part_size. RANGE sends parts part_first ... of
 * upload_id; the result has their part_md5s, proved. END completes upload_id,
 * whose parts have part_md5s. The file must match attrs before and after each
 * step. FAILED with ERR_GONE: the file differs, or the upload is gone, or
 * (BEGIN with SETTLE) the object may exist already: the master then gives the
 * file as a whole item, with the upload if known. A failed END has aborted the
 * upload, unless the error is ERR_RETRY; the other steps never abort the
 * upload.
 *
 * An object fetched into one file (fetch_item.h): BEGIN creates the file; MOVED
 * with unit 0: the object was fetched as a whole instead. RANGE brings a range
 * of bytes. END proves the whole file and renames the file into place.
 */
enum split_step {
	SPLIT_WHOLE = 0,	/* not split */
	SPLIT_BEGIN,
	SPLIT_RANGE,
	SPLIT_END,
	SPLIT__MAX
};

/* An object to be moved by a client. Owned by the lease. */
struct item {
	int64_t	 object;	/* id in the catalog: a single version of a
				   single file */
	unsigned export;	/* index into the run's exports */
	uint32_t flags;		/* enum item_flag */
	enum split_step step;
	char	*path;		/* catalog path: server/share/dir/name, escaped
				   as keys are (model/key.h) */
	char	*raw;		/* name bytes relative to the export's root */
	struct handle fh;
	/* As crawled, or as the master saw the file later. fsid is that of the
	 * directory; 0: the file system of the export's root. */
	struct attrs attrs;
	/* stored at this target: an earlier version of the file, or has_prev
	 * false */
	bool	 has_prev;
	uint8_t	 prev_md5[16];
	bool	 prev_has_md5;
	char	 prev_etag[72];
	struct attrs prev_attrs;
	uint64_t prev_part_size;
	/* a multipart upload that an earlier run began; upload_id NULL with
	 * upload_intent_sec > 0: began perhaps, the answer was not seen */
	char	*upload_id;
	int64_t	 upload_intent_sec;
	uint64_t upload_part_size;
	char	*upload_parts;	/* of the upload: lines as in struct
				   upload_note; owned, or NULL */
	unsigned part_first;	/* SPLIT_RANGE: from 0 */
	unsigned part_count;	/* SPLIT_RANGE: of the range; SPLIT_END: of the
				   whole file */
	uint8_t	*part_md5s;	/* SPLIT_END: 16 bytes each, owned; else
				   NULL */
	char	*part_etags;	/* SPLIT_END: as in struct result; owned */
};
void	 item_release(struct item *);
/* The upload has ended. */
void	 item_forget_upload(struct item *);
/* A part of the upload is there: see struct upload_note. */
void	 item_keep_part(struct item *, const char *part);

struct lease {
	struct mail mail;
	int64_t	 id;
	struct item *items;
	size_t	 count;
	uint64_t bytes;
	bool	 end;		/* no item is left and none will come */
};
void	 lease_free(struct lease **);

struct result {
	int64_t	 object;
	enum outcome outcome;
	enum event_kind event;	/* MOVED, UNCHANGED: what became true. NONE of
				   UNCHANGED: the target holds what it held */
	struct attrs attrs;	/* as read: may be newer than the item's.
				   CHANGED: as found */
	bool	 has_md5;
	uint8_t	 md5[16];	/* of the whole file */
	bool	 has_crc64;
	uint64_t crc64;		/* CRC-64/NVME of the whole file; SPLIT_RANGE:
				   of the range */
	char	 etag[72];
	enum proved proved;	/* MOVED, UNCHANGED */
	uint64_t part_size;	/* 0: not multipart */
	uint8_t	*part_md5s;	/* 16 bytes a part, owned; or NULL */
	unsigned part_count;
	char	*part_etags;	/* SPLIT_RANGE: a line for each part, with its
				   ETag as S3 wrote it, or empty: the MD5 in
				   quotes. NULL: all lines are empty. Owned */
	char	*upload_id;	/* SPLIT_BEGIN: owned; else NULL */
	uint64_t bytes_sent;
	uint64_t took_ms;	/* since the transfer began */
	unsigned attempts;
	char	*version_id;	/* owned; or NULL */
	struct err err;		/* when FAILED, GONE or LEFT */
};
void	 result_release(struct result *);

struct results {
	struct mail mail;
	int64_t	 lease;
	size_t	 count;
	struct result *v;
};
void	 results_free(struct results **);

#endif
