#include "rest/fault.h"

#define FULL	"the store is full: make room, or raise the quota"

static const struct {
	const char *code;
	enum err_kind kind;
	unsigned flags;
	const char *hint;
} by_code[] = {
	/* Passing. */
	{ "SlowDown", ERR_RETRY, S3_FAULT_RETRY | S3_FAULT_SLOW, NULL },
	{ "ServiceUnavailable", ERR_RETRY, S3_FAULT_RETRY | S3_FAULT_SLOW,
	    NULL },
	{ "Busy", ERR_RETRY, S3_FAULT_RETRY | S3_FAULT_SLOW, NULL },
	{ "TooManyRequests", ERR_RETRY, S3_FAULT_RETRY | S3_FAULT_SLOW,
	    NULL },
	{ "RequestLimitExceeded", ERR_RETRY, S3_FAULT_RETRY | S3_FAULT_SLOW,
	    NULL },
	{ "InternalError", ERR_RETRY, S3_FAULT_RETRY, NULL },
	{ "OperationAborted", ERR_RETRY, S3_FAULT_RETRY, NULL },
	{ "RequestTimeout", ERR_RETRY, S3_FAULT_RETRY, NULL },
	{ "IncompleteBody", ERR_RETRY, S3_FAULT_RETRY, NULL },
	/* The bytes changed on the wire: send the bytes again. */
	{ "BadDigest", ERR_CORRUPT, S3_FAULT_RETRY | S3_FAULT_BRIEF, NULL },
	{ "XAmzContentSHA256Mismatch", ERR_CORRUPT,
	    S3_FAULT_RETRY | S3_FAULT_BRIEF, NULL },
	{ "RequestTimeTooSkewed", ERR_DENIED, S3_FAULT_SKEW,
	    "the clocks of this machine and of the server differ" },
	/* Credentials and permissions. REFUSED: not for this key alone. */
	{ "AccessDenied", ERR_DENIED, 0, NULL },
	{ "AllAccessDisabled", ERR_REFUSED, 0, NULL },
	{ "AccountProblem", ERR_REFUSED, 0, NULL },
	{ "InvalidAccessKeyId", ERR_REFUSED, 0, "is access_key right?" },
	{ "SignatureDoesNotMatch", ERR_REFUSED, 0, "is secret_key right?" },
	{ "ExpiredToken", ERR_REFUSED, 0, NULL },
	{ "InvalidToken", ERR_REFUSED, 0, NULL },
	{ "TokenRefreshRequired", ERR_REFUSED, 0, NULL },
	{ "UserSuspended", ERR_REFUSED, 0, NULL },
	{ "NotSignedUp", ERR_REFUSED, 0, NULL },
	{ "InvalidObjectState", ERR_DENIED, 0, "archived object" },
	/* Not there. */
	{ "NoSuchKey", ERR_GONE, 0, NULL },
	{ "NoSuchVersion", ERR_GONE, 0, NULL },
	{ "NoSuchUpload", ERR_GONE, 0, NULL },
	{ "InvalidRange", ERR_GONE, 0, "the object is shorter now" },
	{ "PreconditionFailed", ERR_GONE, 0, "the object is another now" },
	{ "NoSuchBucket", ERR_REFUSED, 0, NULL },
	/* The body does not match the agreed parts: parts are missing or too
	 * small. */
	{ "InvalidPart", ERR_CORRUPT, 0, NULL },
	{ "InvalidPartOrder", ERR_CORRUPT, 0, NULL },
	{ "EntityTooSmall", ERR_CORRUPT, 0, NULL },
	/* The server can't store an object with this key, size or metadata. */
	{ "KeyTooLongError", ERR_INVALID, 0, NULL },
	{ "KeyTooLong", ERR_INVALID, 0, NULL },
	{ "InvalidObjectName", ERR_INVALID, 0, NULL },
	{ "InvalidURI", ERR_INVALID, 0, NULL },
	{ "EntityTooLarge", ERR_INVALID, 0, NULL },
	{ "MetadataTooLarge", ERR_INVALID, 0, NULL },
	{ "QuotaExceeded", ERR_REFUSED, 0, FULL },
	{ "InsufficientStorage", ERR_REFUSED, 0, FULL },
	{ "XMinioStorageFull", ERR_REFUSED, 0, FULL },
	/* Settings. */
	{ "PermanentRedirect", ERR_CONFIG, S3_FAULT_REGION,
	    "the bucket lives elsewhere: set endpoint and region" },
	{ "TemporaryRedirect", ERR_CONFIG, S3_FAULT_REGION,
	    "the bucket lives elsewhere: set endpoint and region" },
	{ "Redirect", ERR_CONFIG, S3_FAULT_REGION,
	    "the bucket lives elsewhere: set endpoint and region" },
	{ "AuthorizationHeaderMalformed", ERR_CONFIG, S3_FAULT_REGION,
	    "is region right?" },
	{ "IllegalLocationConstraintException", ERR_CONFIG, S3_FAULT_REGION,
	    "is region right?" },
	{ "InvalidBucketName", ERR_CONFIG, 0, NULL },
	{ "InvalidStorageClass", ERR_CONFIG, 0, NULL },
	{ "InvalidEncryptionAlgorithmError", ERR_CONFIG, 0, NULL },
	{ "NotImplemented", ERR_CONFIG, 0, "the server can't do this" },
	/* Ours. */
	{ "MalformedXML", ERR_BUG, 0, NULL },
	{ "InvalidDigest", ERR_BUG, 0, NULL },
};

/* For answers without an S3 code, such as every answer to HEAD. */
static const struct {
	int status;
	enum err_kind kind;
	unsigned flags;
	const char *hint;
} by_status[] = {
	{ 301, ERR_CONFIG, S3_FAULT_REGION,
	    "redirected: set endpoint and region" },
	{ 302, ERR_CONFIG, S3_FAULT_REGION,
	    "redirected: set endpoint and region" },
	{ 307, ERR_CONFIG, S3_FAULT_REGION,
	    "redirected: set endpoint and region" },
	{ 308, ERR_CONFIG, S3_FAULT_REGION,
	    "redirected: set endpoint and region" },
	{ 401, ERR_DENIED, 0, NULL },
	{ 403, ERR_DENIED, 0, NULL },
	{ 408, ERR_RETRY, S3_FAULT_RETRY, NULL },
	{ 412, ERR_GONE, 0, "the object is another now" },
	{ 413, ERR_INVALID, 0, NULL },
	{ 414, ERR_INVALID, 0, NULL },
	{ 416, ERR_GONE, 0, "the object is shorter now" },
	{ 429, ERR_RETRY, S3_FAULT_RETRY | S3_FAULT_SLOW, NULL },
	{ 501, ERR_CONFIG, 0, "the server can't do this" },
	{ 503, ERR_RETRY, S3_FAULT_RETRY | S3_FAULT_SLOW, NULL },
	{ 507, ERR_REFUSED, 0, FULL },
};

static struct s3_fault
by_class(int status, bool of_bucket)
{
	if (status == 404)
		return (struct s3_fault){
		    of_bucket ? ERR_UNREACHABLE : ERR_GONE, 0, NULL };
	if (status >= 500)
		return (struct s3_fault){ ERR_RETRY, S3_FAULT_RETRY, NULL };
	return (struct s3_fault){ ERR_PEER, 0, NULL };
}

struct s3_fault
s3_fault_http(int status, const char *code, bool of_bucket)
{
	for (size_t i = 0; i < ARRAY_LEN(by_code); i++)
		if (strcmp(code, by_code[i].code) == 0)
			return (struct s3_fault){ by_code[i].kind,
			    by_code[i].flags, by_code[i].hint };
	for (size_t i = 0; i < ARRAY_LEN(by_status); i++)
		if (status == by_status[i].status)
			return (struct s3_fault){ by_status[i].kind,
			    by_status[i].flags, by_status[i].hint };
	return by_class(status, of_bucket);
}
