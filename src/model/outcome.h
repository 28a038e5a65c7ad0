/*
 * outcome.h: what became of files and objects, and the rows that operations
 * without a backlog give to the catalog: GET, DEL, TEST, and the deletions of
 * PUT --delete. Also the record of a file at a target; GET and TEST compare
 * with this record.
 */
#ifndef MODEL_OUTCOME_H
#define MODEL_OUTCOME_H

#include "base/err.h"
#include "base/mailbox.h"
#include "model/attrs.h"

/* What became of a file or an object. The catalog stores the numbers of PUT and
 * of deletions, 0 to 3 and 5, in result.outcome (schema/001_tables.sql). There
 * 4 is a failure of the crawl, and none of the others is stored. */
enum outcome {
	OUTCOME_MOVED = 0,	/* acknowledged, proof equal; TEST: verified and
				   equal */
	OUTCOME_UNCHANGED,	/* the bytes are there already */
	OUTCOME_FAILED,
	OUTCOME_GONE,		/* vanished before it was read: outside the
				   sum */
	OUTCOME_CHANGED,	/* PUT, from a client to the master: the file
				   is another version than the item describes:
				   nothing was stored */
	OUTCOME_DELETED,	/* the target has it no longer */
	OUTCOME_EXCLUDED,	/* GET, TEST, --delete: not to be moved */
	OUTCOME_LEFT		/* PUT: the export is out of reach for good
				   (err): the item stays for the next run */
};

enum verdict {
	VERDICT_NONE = 0,	/* nothing was verified: no row */
	VERDICT_OK,
	VERDICT_MISSING,	/* the target does not have it */
	VERDICT_CORRUPT,	/* the target has other bytes */
	VERDICT_CHANGED,	/* the file changed since it was put */
	VERDICT_BITROT,		/* stat says unchanged, the file's bytes
				   differ from the uploaded bytes */
	VERDICT_UNREADABLE,	/* it could not be looked at */
	VERDICT_DOUBT,		/* the object differs from the record, and
				   the answer to a later request is not known:
				   nothing is proven */
	VERDICT__MAX
};
/* "ok", "missing", ...; stored in the catalog. NULL for VERDICT_NONE. */
const char *verdict_name(enum verdict);
/* Return VERDICT_NONE if name is not the name of a verdict. */
enum verdict verdict_of(const char *name, size_t len);

enum verify_method {
	METHOD_FULL = 0,	/* all its bytes were read */
	METHOD_HEAD,		/* size and ETag */
	METHOD_SAMPLE,		/* all bytes were read, the object was in a
				   sample */
	METHOD__MAX
};
const char *verify_method_name(enum verify_method);

struct outcome_row {
	char	*path;		/* catalog path, or key with is_key; owned.
				   May be NULL if object is given */
	bool	 is_key;
	int64_t	 object;	/* as in struct stored; or 0: the catalog
				   looks the object up by path where needed */
	enum outcome outcome;
	uint64_t size;
	char	 etag[72];	/* of an object to delete, as S3 has shown the
				   object; or "" */
	unsigned attempts;
	struct err err;		/* FAILED: a failure row. With a verdict: the
				   detail */
	enum verdict verdict;
	enum verify_method method;
	bool	 lost;		/* the target does not hold the object as
				   recorded: a later PUT uploads the file
				   again */
	bool	 restored;	/* MOVED: the target has this version again;
				   FAILED: another object is back */
	char	*version_id;	/* DELETED: of the delete marker; restored: of
				   the object; owned */
};
void	 outcome_row_release(struct outcome_row *);

struct outcomes {
	struct mail mail;
	bool	 intended;	/* to be deleted: the intent is on disk */
	size_t	 count;
	struct outcome_row *v;
};
void	 outcomes_free(struct outcomes **);

/* A file as stored at a target, with the means of proof. */
struct stored {
	int64_t	 object;	/* the version that the target holds */
	char	*path;		/* catalog path */
	struct attrs attrs;	/* of that version */
	bool	 has_md5;
	uint8_t	 md5[16];	/* of the whole file, as the mover read the
				   bytes */
	char	 etag[72];
	uint64_t part_size;	/* 0: not multipart */
	uint8_t	*part_md5s;	/* 16 bytes each, or NULL */
	size_t	 part_count;
	char	*version_id;	/* or NULL */
	int64_t	 stored_ns;	/* when the catalog recorded the object */
	bool	 newest;	/* this version is the version last seen at
				   the source */
	bool	 gone;		/* the source has the file no longer */
	bool	 fresh;		/* the bytes were read so soon after the last
				   change of the file that a later change could
				   leave the same times: the next PUT reads the
				   file again */
	int64_t	 verified_ns;	/* last verification; 0: never */
	enum verdict verdict;	/* of the last verification */
};
void	 stored_release(struct stored *);

#endif
