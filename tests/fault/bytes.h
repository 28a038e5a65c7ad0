/*
 * What the proxy finds in the bytes of a message, and changes there.
 */
#ifndef FAULT_BYTES_H
#define FAULT_BYTES_H

#include <string.h>
#include <strings.h>

#include "base/base.h"

static const char *
find_header(const char *head, const char *name)
{
	const char *p = strcasestr(head, name);

	return p == NULL ? NULL : p + strlen(name);
}

/* Flip a bit when byte `at` lies in the n bytes that begin at `from`. */
static void
corrupt(char *data, uint64_t from, size_t n, uint64_t at)
{
	if (at >= from && at < from + n)
		data[at - from] = (char)(data[at - from] ^ 1);
}

static void
corrupt_etag(char *p, size_t n)
{
	static const char name[] = "\nETag: \"";
	size_t len = sizeof(name) - 1;

	for (size_t i = 0; i + len < n; i++)
		if (strncasecmp(p + i, name, len) == 0)
			p[i + len] = p[i + len] == '0' ? '1' : '0';
}

#endif
