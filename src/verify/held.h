/*
 * held.h: is the object that S3 shows under a key the object that PUT put
 * there? Pure.
 *
 * The object is ours if it has the size that was put and, besides, either the
 * ETag that S3 gave for the upload, or all that PUT keeps with an object: the
 * file's mtime, mode and owner. The second counts where the answer to the
 * upload was lost, or where a copy of the object has an ETag of other parts.
 * An object of a foreign tool that keeps only a part (rclone: the mtime) is
 * known by the ETag alone. This says whose object it is; what proves its bytes
 * stands in verify/etag.h and verify/claim.h.
 */
#ifndef VERIFY_HELD_H
#define VERIFY_HELD_H

#include "base/err.h"
#include "model/attrs.h"

/* S3's answer about a key: to HEAD, or of a listing (without metadata). */
struct held_answer {
	struct err err;		/* NONE: an object exists; GONE: none does; any
				   other kind: S3 does not say */
	uint64_t size;
	char	 etag[72];
	int64_t	 modified_sec;	/* 0: not known */
	bool	 has_mode;	/* as PUT keeps it, and rclone does not */
	bool	 has_all;	/* every field of metadata written by PUT */
	struct attrs kept;	/* mtime, mode, owner; what is missing isn't
				   known */
};

/* What was put. */
struct held_record {
	const struct attrs *attrs;	/* of the file */
	const char *etag;	/* "": the answer was lost */
	/* If the answer to an upload of this run was lost, the object is that
	 * upload's only with an ETag other than before, and modified at
	 * since_sec or later. */
	const char *before;	/* the ETag of the object before; or NULL */
	int64_t	 since_sec;	/* by S3's clock; 0: at any time */
};

enum held_state {
	HELD_UNKNOWN = 0,	/* no conclusion is allowed */
	HELD_GONE,		/* no object exists */
	HELD_OURS,
	HELD_FOREIGN
};

/* Does the object look like the file: size, mtime, mode and owner? */
bool	 held_looks(const struct held_answer *, const struct attrs *);
enum held_state held_judge(const struct held_answer *,
	    const struct held_record *);

#endif
