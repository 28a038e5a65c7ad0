/*
 * fetch_item.h: an object to be read back, by GET into a file, by TEST for a
 * comparison; and the result of the fetch.
 */
#ifndef MODEL_FETCH_ITEM_H
#define MODEL_FETCH_ITEM_H

#include "base/buf.h"
#include "model/item.h"
#include "model/mail.h"
#include "model/outcome.h"

enum fetch_proof {
	PROOF_NONE = 0,		/* nothing was proved */
	PROOF_CATALOG,		/* by what the catalog knows */
	PROOF_ETAG		/* by the object's own ETag alone */
};

#define FETCH_TOKEN_LEN		32
#define FETCH_RANGES_MAX	8192	/* of one object */
#define FETCH_PARTS_MAX		10000	/* likewise: S3 has no more */

struct fetch_result {
	/*
	 * The outcome of the fetch. MOVED: the object was read, proved and,
	 * with a destination, written. UNCHANGED: the file existed with the
	 * right content. GONE: the object does not exist any more. FAILED: see
	 * err; ERR_CORRUPT if the bytes differ from the proof.
	 */
	enum outcome outcome;
	struct err err;
	enum fetch_proof proof;
	bool	 hashed;	/* md5 is that of the whole object; else, of an
				   object that was only read, of the MD5s of
				   parts as large as those in stored */
	uint8_t	 md5[16];
	char	 etag_computed[72]; /* from the bytes, in the form of etag; "":
				   not known */
	uint64_t bytes;		/* read from S3 in this run */
	unsigned attempts;
	/* of the file; file_attrs as before the file was read */
	struct err file_err;
	struct attrs file_attrs;
	bool	 file_torn;	/* it changed meanwhile */
	bool	 file_hashed;	/* false if file_attrs show a version other
				   than the version in stored */
	uint8_t	 file_md5[16];	/* made as the object's */
};

struct fetch_item {
	struct mail mail;
	char	*key;		/* key text; owned */
	char	*path;		/* below the destination; owned. NULL: only
				   read the object, even if the run has a
				   destination */
	uint64_t size;		/* as listed; then as found */
	char	 etag[72];	/* likewise */
	bool	 has_stored;	/* the catalog knows the key */
	struct stored stored;	/* owned */
	bool	 of_version;	/* no other object will do than what stored
				   tells of; its version_id, if not NULL, is
				   that of an earlier version, perhaps. The
				   file gets the attributes in stored */
	bool	 only_check;	/* say what would be done: MOVED means that a
				   run would fetch the object; fetch nothing */
	/* The file too, where raw is not NULL (TEST): it is read and hashed
	 * after the object. */
	char	*raw;		/* name bytes below the export's root; owned */
	unsigned export;
	/* The file system in which the crawl saw the file's directory; 0: that
	 * of the export's root. */
	uint64_t fsid;
	bool	 any_fs;	/* it is not known: any will do */
	int64_t	 modified_sec;	/* of the object, as listed; or 0 */
	enum split_step step;	/* if not WHOLE: */
	char	 token[FETCH_TOKEN_LEN + 1]; /* of the clients that may join */
	uint64_t unit;		/* bytes of a range */
	uint32_t range;		/* which one, from 0 */
	uint64_t part_size;	/* of the parts to be hashed; 0: no parts are
				   hashed */
	unsigned part_count;	/* result: number of parts of the range; at
				   END: of the whole object */
	uint8_t	*part_md5s;	/* 16 bytes each; owned; or NULL */
	void	*user;		/* the caller's */
	struct fetch_result result;
};
void	 fetch_item_free(struct fetch_item **);

/* The version id to ask S3 for; "": the newest version. */
struct str fetch_item_version(const struct fetch_item *);

/* Bytes that are to be moved. */
uint64_t fetch_item_bytes(const struct fetch_item *);
/* Return true if lengths, ranges and counts of the step are consistent. */
bool	 fetch_step_is_sound(const struct fetch_item *);
/* Return the number of parts in the range of this step; part_size > 0. */
unsigned fetch_range_parts(const struct fetch_item *);

#endif
