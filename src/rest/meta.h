/*
 * meta.h: a file's attributes as user metadata of the object, written in one
 * form and read in the forms of several tools. Pure.
 */
#ifndef REST_META_H
#define REST_META_H

#include "base/err.h"
#include "rest/types.h"

struct s3_meta_text {
	char	 mtime_ns[32];	/* file-mtime: 1595002920123456789ns */
	char	 mtime[32];	/* mtime: 1595002920.123456789 (rclone) */
	char	 mode[8];	/* file-permissions: 0644 */
	char	 uid[12];	/* file-owner */
	char	 gid[12];	/* file-group */
};
void	 s3_meta_format(const struct s3_meta *, struct s3_meta_text *);

/* Metadata seen in an answer so far; callers start with zeros. */
struct s3_meta_seen {
	struct s3_meta meta;
	bool	 mtime, mode, uid, gid;
	bool	 mtime_is_ns;	/* file-mtime, preferred to mtime */
};
/* name: the rest of the header name after x-amz-meta-, in any case. Skip
 * unknown names and malformed values. */
void	 s3_meta_see(struct s3_meta_seen *, struct str name, struct str value);
bool	 s3_meta_complete(const struct s3_meta_seen *);

/* Convert "Fri, 24 May 2013 00:00:00 GMT" to seconds since 1970; return false
 * for any malformed date. */
bool	 s3_http_date(struct str, int64_t *ret_sec);
/* "2009-10-12T17:50:30.000Z" likewise. */
bool	 s3_iso_date(struct str, int64_t *ret_sec);
/*
 * Write the ETag in a form that can be compared: without W/, quotes and white
 * space at the ends; digits of a digest in lower case; in place of an ETag of
 * more than 71 bytes "long:" and the MD5 of the ETag.
 */
void	 s3_etag(struct str, char out[72]);

#endif
