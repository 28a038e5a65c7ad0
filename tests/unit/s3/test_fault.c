/* The fault table, one row of the test for each row of it. */
#include <curl/curl.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "s3/fault.h"

#define RETRY	S3_FAULT_RETRY
#define SLOW	(S3_FAULT_RETRY | S3_FAULT_SLOW)
#define BRIEF	(S3_FAULT_RETRY | S3_FAULT_BRIEF)
#define AWAY	(S3_FAULT_RETRY | S3_FAULT_ENDPOINT)
#define REGION	S3_FAULT_REGION

static const struct {
	int status;
	const char *code;
	enum err_kind kind;
	unsigned flags;
} http[] = {
	{ 503, "SlowDown", ERR_RETRY, SLOW },
	{ 503, "ServiceUnavailable", ERR_RETRY, SLOW },
	{ 503, "Busy", ERR_RETRY, SLOW },
	{ 429, "TooManyRequests", ERR_RETRY, SLOW },
	{ 503, "RequestLimitExceeded", ERR_RETRY, SLOW },
	{ 500, "InternalError", ERR_RETRY, RETRY },
	{ 200, "InternalError", ERR_RETRY, RETRY },
	{ 200, "SlowDown", ERR_RETRY, SLOW },
	{ 409, "OperationAborted", ERR_RETRY, RETRY },
	{ 400, "RequestTimeout", ERR_RETRY, RETRY },
	{ 400, "IncompleteBody", ERR_RETRY, RETRY },
	{ 400, "BadDigest", ERR_CORRUPT, BRIEF },
	{ 400, "XAmzContentSHA256Mismatch", ERR_CORRUPT, BRIEF },
	{ 403, "RequestTimeTooSkewed", ERR_DENIED, S3_FAULT_SKEW },
	{ 403, "AccessDenied", ERR_DENIED, 0 },
	{ 403, "AllAccessDisabled", ERR_REFUSED, 0 },
	{ 403, "AccountProblem", ERR_REFUSED, 0 },
	{ 403, "InvalidAccessKeyId", ERR_REFUSED, 0 },
	{ 403, "SignatureDoesNotMatch", ERR_REFUSED, 0 },
	{ 400, "ExpiredToken", ERR_REFUSED, 0 },
	{ 400, "InvalidToken", ERR_REFUSED, 0 },
	{ 400, "TokenRefreshRequired", ERR_REFUSED, 0 },
	{ 403, "UserSuspended", ERR_REFUSED, 0 },
	{ 403, "NotSignedUp", ERR_REFUSED, 0 },
	{ 403, "InvalidObjectState", ERR_DENIED, 0 },
	{ 404, "NoSuchKey", ERR_GONE, 0 },
	{ 404, "NoSuchVersion", ERR_GONE, 0 },
	{ 404, "NoSuchUpload", ERR_GONE, 0 },
	{ 416, "InvalidRange", ERR_GONE, 0 },
	{ 412, "PreconditionFailed", ERR_GONE, 0 },
	{ 404, "NoSuchBucket", ERR_REFUSED, 0 },
	{ 400, "InvalidPart", ERR_CORRUPT, 0 },
	{ 400, "InvalidPartOrder", ERR_CORRUPT, 0 },
	{ 400, "EntityTooSmall", ERR_CORRUPT, 0 },
	{ 400, "KeyTooLongError", ERR_INVALID, 0 },
	{ 400, "KeyTooLong", ERR_INVALID, 0 },
	{ 400, "InvalidObjectName", ERR_INVALID, 0 },
	{ 400, "InvalidURI", ERR_INVALID, 0 },
	{ 400, "EntityTooLarge", ERR_INVALID, 0 },
	{ 400, "MetadataTooLarge", ERR_INVALID, 0 },
	{ 403, "QuotaExceeded", ERR_REFUSED, 0 },
	{ 507, "InsufficientStorage", ERR_REFUSED, 0 },
	{ 507, "XMinioStorageFull", ERR_REFUSED, 0 },
	{ 301, "PermanentRedirect", ERR_CONFIG, REGION },
	{ 307, "TemporaryRedirect", ERR_CONFIG, REGION },
	{ 307, "Redirect", ERR_CONFIG, REGION },
	{ 400, "AuthorizationHeaderMalformed", ERR_CONFIG, REGION },
	{ 400, "IllegalLocationConstraintException", ERR_CONFIG, REGION },
	{ 400, "InvalidBucketName", ERR_CONFIG, 0 },
	{ 400, "InvalidStorageClass", ERR_CONFIG, 0 },
	{ 400, "InvalidEncryptionAlgorithmError", ERR_CONFIG, 0 },
	{ 501, "NotImplemented", ERR_CONFIG, 0 },
	{ 400, "MalformedXML", ERR_BUG, 0 },
	{ 400, "InvalidDigest", ERR_BUG, 0 },
	/* by status */
	{ 301, "", ERR_CONFIG, REGION },
	{ 302, "", ERR_CONFIG, REGION },
	{ 307, "", ERR_CONFIG, REGION },
	{ 308, "", ERR_CONFIG, REGION },
	{ 401, "", ERR_DENIED, 0 },
	{ 403, "", ERR_DENIED, 0 },
	{ 408, "", ERR_RETRY, RETRY },
	{ 412, "", ERR_GONE, 0 },
	{ 413, "", ERR_INVALID, 0 },
	{ 414, "", ERR_INVALID, 0 },
	{ 416, "", ERR_GONE, 0 },
	{ 429, "", ERR_RETRY, SLOW },
	{ 501, "", ERR_CONFIG, 0 },
	{ 503, "", ERR_RETRY, SLOW },
	{ 507, "", ERR_REFUSED, 0 },
	/* by class, also with a code that nobody knows */
	{ 404, "", ERR_GONE, 0 },
	{ 500, "", ERR_RETRY, RETRY },
	{ 502, "Unheard", ERR_RETRY, RETRY },
	{ 504, "", ERR_RETRY, RETRY },
	{ 400, "Unheard", ERR_PEER, 0 },
	{ 418, "", ERR_PEER, 0 },
	{ 0, "", ERR_PEER, 0 },
	{ 304, "", ERR_PEER, 0 },
};

static const struct {
	CURLcode code;
	enum err_kind kind;
	unsigned flags;
} curl[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, ERR_RETRY, AWAY },
	{ CURLE_COULDNT_CONNECT, ERR_RETRY, AWAY },
	{ CURLE_OPERATION_TIMEDOUT, ERR_RETRY, AWAY | SLOW },
	{ CURLE_SSL_CONNECT_ERROR, ERR_RETRY, AWAY },
	{ CURLE_SEND_ERROR, ERR_RETRY, RETRY },
	{ CURLE_RECV_ERROR, ERR_RETRY, RETRY },
	{ CURLE_GOT_NOTHING, ERR_RETRY, RETRY },
	{ CURLE_PARTIAL_FILE, ERR_RETRY, RETRY },
	{ CURLE_WEIRD_SERVER_REPLY, ERR_RETRY, RETRY },
	{ CURLE_UNSUPPORTED_PROTOCOL, ERR_RETRY, RETRY },
	{ CURLE_SEND_FAIL_REWIND, ERR_RETRY, RETRY },
	{ CURLE_AGAIN, ERR_RETRY, RETRY },
	{ CURLE_PEER_FAILED_VERIFICATION, ERR_CONFIG, 0 },
	{ CURLE_SSL_CACERT_BADFILE, ERR_CONFIG, 0 },
	{ CURLE_SSL_ISSUER_ERROR, ERR_CONFIG, 0 },
	{ CURLE_URL_MALFORMAT, ERR_CONFIG, 0 },
	{ CURLE_OUT_OF_MEMORY, ERR_RESOURCE, 0 },
	{ CURLE_ABORTED_BY_CALLBACK, ERR_STOPPED, 0 },
	{ CURLE_WRITE_ERROR, ERR_STOPPED, 0 },
	{ CURLE_HTTP2, ERR_RETRY, RETRY },
};

static void
test_http(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(http); i++) {
		struct s3_fault f = s3_fault_http(http[i].status,
		    http[i].code, false);

		if (f.kind != http[i].kind || f.flags != http[i].flags)
			fail_msg("%d %s: %s, %u", http[i].status,
			    http[i].code, err_kind_name(f.kind), f.flags);
	}
}

/* Where no object was named, it is the bucket that isn't there. */
static void
test_bucket(void **state)
{
	(void)state;
	assert_int_equal(s3_fault_http(404, "", true).kind, ERR_UNREACHABLE);
	assert_int_equal(s3_fault_http(403, "", true).kind, ERR_DENIED);
}

static void
test_curl(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(curl); i++) {
		struct s3_fault f = s3_fault_curl((int)curl[i].code);

		if (f.kind != curl[i].kind || f.flags != curl[i].flags)
			fail_msg("%d: %s, %u", (int)curl[i].code,
			    err_kind_name(f.kind), f.flags);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http),
		cmocka_unit_test(test_bucket),
		cmocka_unit_test(test_curl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
