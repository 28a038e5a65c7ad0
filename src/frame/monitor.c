#include "frame/monitor.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "metrics/metrics.h"
#include "report/progress.h"

#define CLIENTS_EVERY_MS 1000	/* their rows, and the metrics */

struct monitor {
	const struct job *job;
	int64_t	 started_sec;
	struct progress *progress;	/* or NULL */
	struct metrics *metrics;	/* or NULL */
	uint64_t told_ms;
	struct client_line *clients;
	size_t	 client_count;
	size_t	 client_cap;
};

/* A terminal that says what it is, and can move its cursor. */
static bool
can_draw(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) == 1 && term != NULL &&
	    term[0] != '\0' && strcmp(term, "dumb") != 0;
}

int
monitor_open(struct monitor **ret, const struct conf *c, const struct job *job,
    struct err *err)
{
	struct monitor *m = xcalloc(1, sizeof(*m));

	m->job = job;
	m->started_sec = clock_wall_ns() / 1000000000;
	if (c->general.metrics != NULL &&
	    metrics_open(&m->metrics, c->general.metrics, err) == -1) {
		free(m);
		return -1;
	}
	if (m->metrics != NULL)
		log_event(LOG_INFO, EVENT_METRICS,
		    LOG_WITH(LOG_SHOW_NUMBER("port", metrics_port(m->metrics))),
		    "figures for Prometheus");
	if (!job->quiet)
		m->progress = progress_new(can_draw());
	*ret = m;
	return 0;
}

static void
read_clients(struct monitor *m, struct crew *crew)
{
	size_t n = crew == NULL ? 0 : crew_clients(crew, m->clients,
	    m->client_cap);

	if (n > m->client_cap && m->client_cap < CLIENTS_SHOWN_MAX) {
		m->client_cap = MIN(n + 16, (size_t)CLIENTS_SHOWN_MAX);
		m->clients = xreallocarray(m->clients, m->client_cap,
		    sizeof(*m->clients));
		n = crew_clients(crew, m->clients, m->client_cap);
	}
	m->client_count = MIN(n, m->client_cap);
}

static void
tell_metrics(const struct monitor *m, struct crew *crew,
    const struct totals *t, bool crawl_done)
{
	struct crew_stats s = { .bytes_read = 0 };
	struct metrics_values v;

	if (m->metrics == NULL)
		return;
	if (crew != NULL)
		crew_stats(crew, &s);
	v = (struct metrics_values){
		.operation = op_name(m->job->op),
		.started_sec = m->started_sec,
		.totals = *t,
		.crawl_done = crawl_done,
		.requests = s.s3.requests,
		.retries = s.s3.retries,
		.slowdowns = s.s3.slowdowns,
		.bytes_sent = s.s3.bytes_sent,
		.bytes_received = s.s3.bytes_received,
		.bytes_read = s.bytes_read,
		.clients = m->clients,
		.client_count = m->client_count,
	};
	metrics_set(m->metrics, &v);
}

void
monitor_update(struct monitor *m, struct crew *crew, struct catalog *catalog,
    const struct totals *t, bool crawl_done, uint64_t now_ms)
{
	if (m == NULL)
		return;
	if (now_ms >= m->told_ms + CLIENTS_EVERY_MS || m->told_ms == 0) {
		m->told_ms = now_ms;
		read_clients(m, crew);
		progress_clients(m->progress, m->clients, m->client_count);
		if (catalog != NULL && m->client_count > 0)
			catalog_put_clients(catalog, m->clients,
			    m->client_count);
		tell_metrics(m, crew, t, crawl_done);
	}
	progress_update(m->progress, t, crawl_done, now_ms);
}

void
monitor_clients(struct monitor *m, struct crew *crew, struct catalog *catalog)
{
	if (m == NULL)
		return;
	read_clients(m, crew);
	if (catalog != NULL && m->client_count > 0)
		catalog_put_clients(catalog, m->clients, m->client_count);
}

void
monitor_end(struct monitor **mp)
{
	struct monitor *m = *mp;

	if (m == NULL)
		return;
	progress_end(&m->progress);
	metrics_close(&m->metrics);
	free(m->clients);
	free(m);
	*mp = NULL;
}
