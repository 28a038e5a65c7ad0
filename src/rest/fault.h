/*
 * fault.h: the meaning of a failure, from a table: the S3 error code and the
 * HTTP status become the error kind for the caller, and flags tell whether
 * trying again can help. Pure.
 */
#ifndef REST_FAULT_H
#define REST_FAULT_H

#include "base/err.h"

enum {
	S3_FAULT_RETRY = 1,	/* trying again may help */
	S3_FAULT_SLOW = 2,	/* the window shrinks */
	S3_FAULT_SKEW = 4,	/* the clocks differ */
	S3_FAULT_ENDPOINT = 8,	/* this endpoint should rest */
	S3_FAULT_REGION = 16,	/* the answer names another region */
	S3_FAULT_BRIEF = 32,	/* give up after a few tries, with the fault's
				   kind */
	/* never in the table: */
	S3_FAULT_EXPIRED = 64,	/* the keys have ended */
	S3_FAULT_WHY = 128	/* a HEAD was refused: ask why */
};

struct s3_fault {
	enum err_kind kind;
	unsigned flags;
	const char *hint;	/* or NULL */
};

/*
 * Judge an answer by status and the code of the XML body ("" without a body).
 * of_bucket: the request named no object, so 404 means the bucket.
 */
struct s3_fault s3_fault_http(int status, const char *code, bool of_bucket);

#endif
