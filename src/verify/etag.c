#include <strings.h>

#include "verify/etag.h"

bool
etag_is_digest(const char *sse)
{
	return sse == NULL || strncmp(sse, "aws:kms", 7) != 0;
}

int
etag_check(const char *expected, const char *got, const char *sse,
    struct err *err)
{
	if (!etag_is_digest(sse))
		return 0;
	if (strcasecmp(expected, got) == 0)
		return 0;
	return err_set(err, ERR_CORRUPT, 0, "S3 holds something else: its "
	    "ETag is \"%.71s\", the bytes read give \"%.71s\"", got, expected);
}
