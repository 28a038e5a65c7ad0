/*
 * pace.h: how many requests at once, and which endpoint takes the next.
 * Pure: the time comes from the caller.
 */
#ifndef S3_PACE_H
#define S3_PACE_H

#include "base/base.h"
#include "base/err.h"

/* Requests in flight: halved when the server asks for less (at most once a
 * second, as one overload makes many answers), plus one after each window of
 * successes. */
struct s3_window {
	unsigned max;
	unsigned now;
	unsigned successes;	/* since the last change of now */
	uint64_t cut_ms;	/* when it was last halved; 0: never */
};
void	 s3_window_init(struct s3_window *, unsigned max);
void	 s3_window_ok(struct s3_window *);
void	 s3_window_slow(struct s3_window *, uint64_t now_ms);

struct s3_endpoint {
	char	*name;		/* scheme://host[:port][/path], for people */
	char	*base;		/* URL in front of each path */
	char	*host;		/* the Host header as curl sends it */
	bool	 tls;
	struct silence *silence;
	uint64_t rest_until_ms;	/* after a failure: try further
				   endpoints first */
};
/* bucket becomes the first label of the host, or of the path: with
 * path_style, with an address as the host, or if its name makes no label. */
int	 s3_endpoint_init(struct s3_endpoint *, const char *url,
	    const char *bucket, bool path_style, struct err *) MUST_USE;
void	 s3_endpoint_release(struct s3_endpoint *);
/* Return the next endpoint in turn not at rest; if every endpoint rests, return
 * the endpoint with the earliest end of rest. */
size_t	 s3_endpoint_pick(const struct s3_endpoint *, size_t count,
	    size_t *turn, uint64_t now_ms);

#endif
