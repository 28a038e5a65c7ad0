/*
 * types.h: the facts about an object, a part or an upload in S3's answers and
 * headers.
 */
#ifndef REST_TYPES_H
#define REST_TYPES_H

#include "base/buf.h"
#include "model/attrs.h"

/* What is kept of the file with the object, as x-amz-meta-*: file-mtime
 * ("1595000000123456789ns", as AWS DataSync), file-permissions ("0644"),
 * file-owner, file-group (decimal), and mtime as rclone (seconds with
 * nanoseconds as a decimal fraction). What isn't known is left out. */
struct s3_meta {
	int64_t	 mtime_ns;	/* or MTIME_NONE */
	uint32_t mode;		/* permission bits */
	uint32_t uid;		/* or OWNER_NONE */
	uint32_t gid;
};

struct s3_listed {
	struct str key;		/* decoded bytes */
	uint64_t size;
	int64_t	 modified_sec;
	char	 etag[72];	/* in the form of s3_etag; or "" */
};
struct s3_part {
	unsigned number;	/* 1 to 10,000 */
	uint64_t size;
	char	 etag[72];	/* in the form of s3_etag */
	struct str given;	/* the ETag as the server writes it */
};
/* A version of a key in a bucket that keeps versions. */
struct s3_version {
	struct str key;
	struct str id;
	bool	 marker;	/* a delete marker; else data: */
	uint64_t size;
	char	 etag[72];	/* "": not told */
};
struct s3_upload {
	struct str key;
	struct str upload_id;
	int64_t	 initiated_sec;
};

#endif
