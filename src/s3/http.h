/*
 * http.h: a single small HTTP request, for services that give keys (creds/):
 * no redirects, no proxies of the environment, an answer of bounded size.
 *
 * Thread: any; the calling thread waits for the answer.
 */
#ifndef S3_HTTP_H
#define S3_HTTP_H

#include <stdatomic.h>

#include "base/buf.h"

#define HTTP_ANSWER_MAX	((size_t)(128 * KIB))
#define HTTP_HEADERS_MAX 8

struct http_ask {
	const char *method;
	const char *url;		/* http or https */
	const char *headers[HTTP_HEADERS_MAX]; /* "name: value"; ends with
						  NULL */
	const char *body;		/* or NULL */
	const char *ca_file;		/* NULL: the system's certificates */
	const char *proxy;		/* or NULL */
	uint64_t timeout_ms;		/* of each attempt */
	unsigned attempts;		/* after passing faults */
	const _Atomic bool *stop;	/* breaks off; or NULL */
};

/* Return the HTTP status, with the body in ret; or -1: RETRY (no answer, or a
 * status of 500 and more after the last attempt), PEER (an answer too long),
 * STOPPED, CONFIG (not a URL, a wrong certificate). Wipe the body if it holds a
 * secret: http_wipe. */
int	 http_ask(const struct http_ask *, struct buf *ret, struct err *)
	    MUST_USE;
/* Overwrite the bytes, and release the buffer. */
void	 http_wipe(struct buf *);

#endif
