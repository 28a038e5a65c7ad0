/*
 * fault.h: the meaning of a failure of curl, from a table as that of an answer
 * (rest/fault.h). Pure.
 */
#ifndef S3_FAULT_H
#define S3_FAULT_H

#include "rest/fault.h"

/* Judge a CURLcode, passed as int to keep curl's header out of this header. */
struct s3_fault s3_fault_curl(int code);

#endif
