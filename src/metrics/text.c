/*
 * text.c: the page that Prometheus reads, and the file for a collector.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/version.h"
#include "metrics/metrics.h"

static void
begin(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_addf(b, "# HELP datamover_%s %s\n# TYPE datamover_%s %s\n", name,
	    help, name, type);
}

static void
counter(struct buf *b, const char *name, uint64_t n, const char *help)
{
	begin(b, name, "counter", help);
	buf_addf(b, "datamover_%s %ju\n", name, (uintmax_t)n);
}

/* The text between the quotes: for people first, then as the format asks. */
static void
add_label(struct buf *b, const char *name, const char *text)
{
	struct buf escaped CLEANUP(buf_release);

	buf_init(&escaped, 4 * KIB);
	buf_add_escaped(&escaped, str_of(text));
	buf_addf(b, "%s=\"", name);
	for (size_t i = 0; i < escaped.len; i++) {
		if (escaped.data[i] == '\\' || escaped.data[i] == '"')
			buf_addch(b, '\\');
		buf_addch(b, escaped.data[i]);
	}
	buf_addch(b, '"');
}

static void
add_run(struct buf *b, const struct metrics_values *v)
{
	begin(b, "build_info", "gauge", "The version of the program.");
	buf_addstr(b, "datamover_build_info{version=\"" DATAMOVER_VERSION
	    "\"} 1\n");
	begin(b, "run_info", "gauge", "The operation that is going on.");
	buf_addstr(b, "datamover_run_info{");
	add_label(b, "operation", v->operation);
	buf_addstr(b, "} 1\n");
	begin(b, "run_start_time_seconds", "gauge",
	    "When it began, since 1970.");
	buf_addf(b, "datamover_run_start_time_seconds %jd\n",
	    (intmax_t)v->started_sec);
	begin(b, "crawl_done", "gauge",
	    "1 if nothing is left to be looked for.");
	buf_addf(b, "datamover_crawl_done %d\n", v->crawl_done);
}

static void
add_totals(struct buf *b, const struct metrics_values *v)
{
	const struct totals *t = &v->totals;

	counter(b, "objects_found_total", t->found,
	    "Objects that the run found so far.");
	counter(b, "objects_moved_total", t->moved,
	    "Objects moved, by DEL: deleted.");
	counter(b, "objects_unchanged_total", t->unchanged,
	    "Objects that were there already.");
	counter(b, "objects_failed_total", t->failed, "Objects that failed.");
	counter(b, "objects_excluded_total", t->excluded,
	    "Objects left out on purpose.");
	counter(b, "objects_deleted_total", t->deleted,
	    "Objects deleted at the target.");
	counter(b, "found_bytes_total", t->found_bytes,
	    "Bytes of the objects found.");
	counter(b, "moved_bytes_total", t->bytes,
	    "Bytes moved, those under way too.");
	counter(b, "directories_total", t->dirs, "Directories read.");
	counter(b, "s3_requests_total", v->requests, "Requests to S3.");
	counter(b, "s3_retries_total", v->retries,
	    "Requests to S3 that were tried again.");
	counter(b, "s3_slowdowns_total", v->slowdowns,
	    "Answers of S3 that asked for less.");
	counter(b, "s3_sent_bytes_total", v->bytes_sent, "Bytes sent to S3.");
	counter(b, "s3_received_bytes_total", v->bytes_received,
	    "Bytes received from S3.");
	counter(b, "source_read_bytes_total", v->bytes_read,
	    "Bytes read of files.");
}

/* --- clients --- */

enum of_client { UP, LEASES, ITEMS, MOVED, FAILED, BYTES, OBJECT_RATE,
	BYTE_RATE, HEARD };

static const struct {
	enum of_client what;
	const char *name;
	const char *type;
	const char *help;
} client_metrics[] = {
	{ UP, "client_up", "gauge", "1 if the client is in the run." },
	{ LEASES, "client_leases", "gauge", "Leases that it has in hand." },
	{ ITEMS, "client_items", "gauge", "Objects that it has in hand." },
	{ MOVED, "client_objects_moved_total", "counter",
	    "Objects that it moved." },
	{ FAILED, "client_objects_failed_total", "counter",
	    "Objects that failed there." },
	{ BYTES, "client_bytes_total", "counter",
	    "Bytes that it sent to S3 and received from it." },
	{ OBJECT_RATE, "client_objects_per_second", "gauge",
	    "Objects a second, lately." },
	{ BYTE_RATE, "client_bytes_per_second", "gauge",
	    "Bytes a second, lately." },
	{ HEARD, "client_last_heard_seconds", "gauge",
	    "How long ago it was heard." },
};

static double
value(const struct client_line *c, enum of_client what)
{
	switch (what) {
	case UP:
		return strcmp(c->state, "working") == 0 ||
		    strcmp(c->state, "joined") == 0;
	case LEASES:
		return (double)c->leases;
	case ITEMS:
		return (double)c->items;
	case MOVED:
		return (double)c->moved;
	case FAILED:
		return (double)c->failed;
	case BYTES:
		return (double)c->bytes;
	case OBJECT_RATE:
		return c->items_per_s;
	case BYTE_RATE:
		return c->bytes_per_s;
	case HEARD:
		return (double)c->heard_ms / 1000;
	}
	return 0;
}

static void
add_number(struct buf *b, double x)
{
	if (!isfinite(x))
		buf_addstr(b, "NaN\n");
	else if (x == floor(x) && fabs(x) < 1e15)
		buf_addf(b, "%.0f\n", x);
	else
		buf_addf(b, "%.6g\n", x);
}

static void
add_clients(struct buf *b, const struct metrics_values *v)
{
	for (size_t i = 0; i < ARRAY_LEN(client_metrics) &&
	    v->client_count > 0; i++) {
		begin(b, client_metrics[i].name, client_metrics[i].type,
		    client_metrics[i].help);
		for (size_t k = 0; k < v->client_count; k++) {
			const struct client_line *c = &v->clients[k];

			buf_addf(b, "datamover_%s{client=\"%u\",",
			    client_metrics[i].name, c->number);
			add_label(b, "host", c->host);
			buf_addstr(b, "} ");
			add_number(b, value(c, client_metrics[i].what));
		}
	}
}

void
metrics_text(struct buf *b, const struct metrics_values *v)
{
	add_run(b, v);
	add_totals(b, v);
	add_clients(b, v);
}

/* --- the file --- */

static void
add_last(struct buf *b, const struct metrics_last *v, size_t count)
{
	static const struct {
		const char *name;
		const char *help;
	} rows[] = {
		{ "last_attempt_timestamp_seconds",
		    "When the last attempt ended, since 1970." },
		{ "last_success_timestamp_seconds",
		    "When the last attempt with exit status 0 ended; 0: none "
		    "is known." },
		{ "last_exit_status",
		    "The exit status of the last attempt; -1: killed." },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		begin(b, rows[i].name, "gauge", rows[i].help);
		for (size_t k = 0; k < count; k++) {
			int64_t n = i == 0 ? v[k].attempt_sec :
			    i == 1 ? v[k].success_sec : v[k].status;

			buf_addf(b, "datamover_%s{", rows[i].name);
			add_label(b, "operation", v[k].operation);
			buf_addf(b, "} %jd\n", (intmax_t)n);
		}
	}
}

static int
write_file(const char *path, struct str text, struct err *err)
{
	AUTOFREE char *new = xasprintf("%s.%jd.new", path,
	    (intmax_t)getpid());
	CLEANUP(close_fd) int fd = -1;
	ssize_t n;

	/* One of a killed run that had our number. */
	(void)unlink(new);
	fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    0644);
	if (fd == -1)
		return err_errno(err, ERR_RESOURCE, errno, "metrics_file %s",
		    new);
	/* The collector is another user, whatever our umask is. */
	n = fchmod(fd, 0644) == -1 ? -1 : write(fd, text.p, text.len);
	if (n == (ssize_t)text.len && rename(new, path) == 0)
		return 0;
	err_errno(err, ERR_RESOURCE, n >= 0 && n < (ssize_t)text.len ?
	    ENOSPC : errno, "metrics_file %s", path);
	(void)unlink(new);
	return -1;
}

int
metrics_write(const char *path, const struct metrics_values *v,
    double seconds, const struct metrics_last *last, size_t count,
    struct err *err)
{
	CLEANUP(buf_release) struct buf b;

	buf_init(&b, MIB);
	metrics_text(&b, v);
	begin(&b, "run_duration_seconds", "gauge", "How long it took.");
	buf_addstr(&b, "datamover_run_duration_seconds ");
	add_number(&b, seconds);
	add_last(&b, last, count);
	return write_file(path, buf_str(&b), err);
}
