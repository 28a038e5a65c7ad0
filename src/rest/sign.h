/*
 * sign.h: AWS Signature Version 4 as S3 wants it: the path is encoded once, the
 * query is sorted, the payload's hash or UNSIGNED-PAYLOAD stands in the
 * signature. Pure but for the signing key of the day, kept in the signer.
 *
 * Life cycle: s3_signer_init, s3_sign for each attempt, s3_signer_release. One
 * thread at a time.
 */
#ifndef REST_SIGN_H
#define REST_SIGN_H

#include "base/buf.h"
#include "model/keyring.h"

#define S3_UNSIGNED	"UNSIGNED-PAYLOAD"
/* SHA-256 of nothing. */
#define S3_EMPTY_SHA256	\
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct s3_signer {
	struct keys keys;
	char	*region;
	const char *service;	/* "s3"; lent */
	int64_t	 second;	/* second formatted in date */
	char	 date[17];	/* 20130524T000000Z */
	char	 day[9];	/* day of the signing key */
	uint8_t	 key[32];
	struct buf canonical;	/* room to work in */
};

struct s3_header {
	struct str name;	/* lower case */
	struct str value;
};

struct s3_to_sign {
	const char *method;
	struct str path;	/* encoded */
	struct str query;	/* encoded and sorted, without '?' */
	struct s3_header *headers;	/* will be sorted by name */
	size_t	 header_count;
	const char *payload;	/* hex of SHA-256, or S3_UNSIGNED */
	int64_t	 time;		/* seconds since 1970 */
};

struct s3_param {
	const char *name;	/* unreserved characters only */
	struct str value;	/* will be encoded */
};

/* Copies the keys and the region. */
void	 s3_signer_init(struct s3_signer *, const struct keys *,
	    const char *region, const char *service);
/* Sign with these keys from now on. */
void	 s3_signer_renew(struct s3_signer *, const struct keys *);
/* Sign for this region from now on. */
void	 s3_signer_move(struct s3_signer *, const char *region);
void	 s3_signer_release(struct s3_signer *);

/* The x-amz-date of a moment; valid until the next call. */
const char *s3_sign_date(struct s3_signer *, int64_t sec);
/* Append the value of the Authorization header. */
void	 s3_sign(struct s3_signer *, struct s3_to_sign *, struct buf *);

/* Append with percent-encoding: A-Z a-z 0-9 - . _ ~ stay, and '/' if asked. */
void	 s3_encode(struct buf *, struct str, bool keep_slash);
/* Append "a=b&c=d", sorted by name; sorts params. */
void	 s3_query(struct buf *, struct s3_param *params, size_t count);
/* A query of ListObjectsV2: does it ask for a page behind a key? Make it one of
 * ListObjects for the same page: the parameters have other names, their values
 * stay as they are encoded. */
bool	 s3_query_goes_on(const struct buf *);
void	 s3_query_v1(struct buf *);

#endif
