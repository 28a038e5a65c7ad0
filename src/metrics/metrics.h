/*
 * metrics.h: the figures of a run for Prometheus (text format 0.0.4), over
 * HTTP/1.0 at /metrics. A thread of its own answers, one connection at a
 * time, each within a limit of bytes and of time; whoever connects learns
 * figures and names of hosts, nothing else.
 *
 * Life cycle: metrics_open, metrics_set as often as one likes, metrics_close.
 * All but metrics_open take NULL.
 */
#ifndef METRICS_METRICS_H
#define METRICS_METRICS_H

#include "base/buf.h"
#include "base/err.h"
#include "model/client.h"
#include "model/job.h"

struct metrics_values {
	const char *operation;	/* lives as long as it is shown */
	int64_t	 started_sec;	/* since 1970 */
	struct totals totals;
	bool	 crawl_done;
	/* of S3, all movers together */
	uint64_t requests;
	uint64_t retries;
	uint64_t slowdowns;
	uint64_t bytes_sent;
	uint64_t bytes_received;
	uint64_t bytes_read;	/* of files */
	const struct client_line *clients;
	size_t	 client_count;
};

/* The last attempt of an operation that has ended, and its last success. */
#define METRICS_LAST_MAX 8
struct metrics_last {
	char	 operation[16];
	int64_t	 attempt_sec;	/* since 1970 */
	int64_t	 success_sec;	/* 0: there is none */
	int	 status;	/* exit status; -1: it was killed */
};
/* Write the page of a run that has ended, and the last attempts, to a file,
 * which appears whole: under another name first, then renamed. */
int	 metrics_write(const char *path, const struct metrics_values *,
	    double seconds, const struct metrics_last *, size_t count,
	    struct err *) MUST_USE;

/* Appends the page. Pure. */
void	 metrics_text(struct buf *, const struct metrics_values *);

struct metrics;
/* at: "PORT" (of the loopback address), "HOST:PORT", "[ADDRESS]:PORT" or
 * "*:PORT" (all addresses). A name with several addresses means each address
 * that this host has. Port 0: any free port, of the first such address.
 * ERR_CONFIG if at has no such form, or an address is in use. */
int	 metrics_open(struct metrics **, const char *at, struct err *) MUST_USE;
unsigned metrics_port(const struct metrics *);
/* Copy the values. A counter never goes down, even if the new value is
 * lower. */
void	 metrics_set(struct metrics *, const struct metrics_values *);
void	 metrics_close(struct metrics **);

#endif
