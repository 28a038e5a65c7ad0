#include <curl/curl.h>

#include "s3/fault.h"

static const struct {
	CURLcode code;
	enum err_kind kind;
	unsigned flags;
	const char *hint;
} by_curl[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, ERR_RETRY,
	    S3_FAULT_RETRY | S3_FAULT_ENDPOINT, NULL },
	{ CURLE_COULDNT_CONNECT, ERR_RETRY,
	    S3_FAULT_RETRY | S3_FAULT_ENDPOINT, NULL },
	{ CURLE_OPERATION_TIMEDOUT, ERR_RETRY,
	    S3_FAULT_RETRY | S3_FAULT_SLOW | S3_FAULT_ENDPOINT, NULL },
	{ CURLE_SSL_CONNECT_ERROR, ERR_RETRY,
	    S3_FAULT_RETRY | S3_FAULT_ENDPOINT,
	    "does the endpoint speak http?" },
	{ CURLE_SEND_ERROR, ERR_RETRY, S3_FAULT_RETRY, NULL },
	{ CURLE_RECV_ERROR, ERR_RETRY, S3_FAULT_RETRY, NULL },
	{ CURLE_GOT_NOTHING, ERR_RETRY, S3_FAULT_RETRY, NULL },
	{ CURLE_PARTIAL_FILE, ERR_RETRY, S3_FAULT_RETRY, NULL },
	{ CURLE_WEIRD_SERVER_REPLY, ERR_RETRY, S3_FAULT_RETRY,
	    "the answer is not HTTP: does the endpoint speak https?" },
	/* An answer that is not HTTP/1. */
	{ CURLE_UNSUPPORTED_PROTOCOL, ERR_RETRY, S3_FAULT_RETRY,
	    "the answer is not HTTP: does the endpoint speak https?" },
	{ CURLE_SEND_FAIL_REWIND, ERR_RETRY, S3_FAULT_RETRY, NULL },
	{ CURLE_AGAIN, ERR_RETRY, S3_FAULT_RETRY, NULL },
	{ CURLE_PEER_FAILED_VERIFICATION, ERR_CONFIG, 0, "see ca_file" },
	{ CURLE_SSL_CACERT_BADFILE, ERR_CONFIG, 0, "see ca_file" },
	{ CURLE_SSL_ISSUER_ERROR, ERR_CONFIG, 0, "see ca_file" },
	{ CURLE_URL_MALFORMAT, ERR_CONFIG, 0, "see endpoint" },
	{ CURLE_OUT_OF_MEMORY, ERR_RESOURCE, 0, NULL },
	{ CURLE_ABORTED_BY_CALLBACK, ERR_STOPPED, 0, NULL },
	{ CURLE_WRITE_ERROR, ERR_STOPPED, 0, NULL },
};

struct s3_fault
s3_fault_curl(int code)
{
	for (size_t i = 0; i < ARRAY_LEN(by_curl); i++)
		if (code == (int)by_curl[i].code)
			return (struct s3_fault){ by_curl[i].kind,
			    by_curl[i].flags, by_curl[i].hint };
	/* Any further error of curl lies between this host and the server. */
	return (struct s3_fault){ ERR_RETRY, S3_FAULT_RETRY, NULL };
}
