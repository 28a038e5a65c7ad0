/*
 * xml.h: S3's XML answers, read by expat with limits on depth, text,
 * entries and size; document types (and so entities) are refused. Pure.
 *
 * Life cycle: s3_xml_init, s3_xml_parse, use the fields, s3_xml_release. The
 * strings belong to the answer.
 */
#ifndef REST_XML_H
#define REST_XML_H

#include "base/err.h"
#include "rest/types.h"

#define S3_XML_MAX	(8 * 1024 * 1024)	/* of one answer */

enum s3_xml_kind {
	S3_XML_LIST = 0,	/* ListBucketResult */
	S3_XML_PARTS,		/* ListPartsResult */
	S3_XML_UPLOADS,		/* ListMultipartUploadsResult */
	S3_XML_VERSIONS,	/* ListVersionsResult */
	S3_XML_CREATE,		/* InitiateMultipartUploadResult */
	S3_XML_COMPLETE,	/* CompleteMultipartUploadResult */
	S3_XML_COPY,		/* CopyObjectResult */
	S3_XML_DELETED,		/* DeleteResult */
	S3_XML_ERROR,
	S3_XML__MAX
};

/* The result of DeleteObjects for a single key. */
struct s3_xml_deleted {
	struct str key;
	bool	 failed;	/* code and message tell why */
	struct str code;
	struct str message;
	struct str version_id;
	struct str marker_id;	/* version of the delete marker */
	bool	 marker;
};

struct s3_xml {
	enum s3_xml_kind kind;	/* of what came */
	struct s3_listed *listed;
	size_t	 listed_count;
	struct str *prefixes;
	size_t	 prefix_count;
	struct s3_part *parts;
	size_t	 part_count;
	struct s3_upload *uploads;
	size_t	 upload_count;
	struct s3_version *versions;
	size_t	 version_count;
	struct s3_xml_deleted *deleted;
	size_t	 deleted_count;
	bool	 truncated;
	bool	 is_v1;		/* ListObjects: next is a key */
	struct str next;	/* token, part number or upload-id marker */
	char	 etag[72];	/* complete, copy */
	struct str upload_id;	/* create */
	char	 code[64];	/* error */
	struct str message;
	struct str region;
	/* private */
	bool	 url_encoded;
	bool	 marked;	/* control characters stand as marks */
	struct s3_xml_block *blocks;	/* the strings */
};

void	 s3_xml_init(struct s3_xml *);
void	 s3_xml_release(struct s3_xml *);
/*
 * Parse a whole answer. An <Error> is read for any wanted kind; a root of an
 * unwanted kind, or an answer without a required element, is an error (kind
 * PEER).
 */
int	 s3_xml_parse(struct s3_xml *, enum s3_xml_kind wanted, struct str,
	    struct err *) MUST_USE;

/* The body of CompleteMultipartUpload: for each part the ETag as the server
 * wrote it, or NULL: the part's MD5. */
void	 s3_xml_complete(struct buf *, const uint8_t *md5s,
	    char *const *given, unsigned count);
/* Append as character data; a parser gets back exactly the same text, newlines
 * included. */
void	 s3_xml_text(struct buf *, struct str);

/* Return true if XML 1.0 can carry this key. Keys with control characters or
 * invalid UTF-8 don't fit: s3_delete_many refuses such keys (ERR_INVALID),
 * s3_delete takes such keys. */
bool	 s3_key_fits_xml(struct str key);

#endif
