/*
 * s3_bucket.h: a server that lists a bucket, for the tests of the lister: it
 * knows prefix, start-after, token and delimiter, on any number of
 * connections, and can be told to misbehave.
 */
#ifndef KIT_S3_BUCKET_H
#define KIT_S3_BUCKET_H

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rest/sign.h"

#define CONNS	32

struct bucket {
	/* Set before bucket_start. */
	char	(*keys)[64];	/* in the order in which they are listed */
	size_t	 count;
	size_t	 page;		/* keys of one answer */
	bool	 ignores_start_after;
	bool	 ignores_prefix;
	bool	 ignores_token;	/* but sends a new one with each page */
	bool	 same_token;
	bool	 out_of_order;	/* in pages behind the first request */
	unsigned fail_at;	/* 403 to this request, from 1 */
	/* own */
	char	 url[64];
	pthread_t thread;
	struct pollfd fds[CONNS];	/* first the listener, then a pipe */
	struct buf in[CONNS];
	int	 stop[2];
	unsigned requests;
};

void bucket_start(struct bucket *b);
void bucket_stop(struct bucket *b);

#endif
