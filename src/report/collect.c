/*
 * collect.c: the queries of a report and where their columns go.
 */
#include <math.h>

#include "base/clock.h"
#include "db/holder.h"
#include "report/report_internal.h"

static uint64_t
number(const struct value *v)
{
	if (v->type == VALUE_REAL)
		return v->real > 0 ? (uint64_t)v->real : 0;
	return v->type == VALUE_INTEGER && v->integer > 0 ?
	    (uint64_t)v->integer : 0;
}

static double
real(const struct value *v)
{
	return v->type == VALUE_REAL ? v->real :
	    v->type == VALUE_INTEGER ? (double)v->integer : 0;
}

static char *
text(const struct value *v)
{
	return v->type == VALUE_TEXT ? xstrndup(v->bytes.p, v->bytes.len) :
	    NULL;
}

static char *
text_or(const struct value *v, const char *otherwise)
{
	char *s = text(v);

	return s == NULL ? xstrdup(otherwise) : s;
}

/* --- rows --- */

static bool
take_run(void *arg, size_t columns UNUSED, const char *const *names UNUSED,
    const struct value *v)
{
	struct report *r = arg;
	struct report_run *u = &r->runs[r->run_count];

	if (v == NULL)
		return true;
	u->run = (int64_t)number(&v[0]);
	u->crawl = (int64_t)number(&v[1]);
	u->operation = text_or(&v[2], "?");
	u->state = text_or(&v[3], "?");
	u->reason = v[4].type == VALUE_TEXT && v[4].bytes.len > 0 ?
	    text(&v[4]) : NULL;	/* empty: a run that ended by itself */
	u->target = text_or(&v[5], "?");
	u->command = text(&v[6]);
	u->started = text_or(&v[7], "?");
	u->ended = text(&v[8]);
	u->seconds = real(&v[9]);
	u->totals = (struct totals){ .found = number(&v[10]),
	    .moved = number(&v[11]), .unchanged = number(&v[12]),
	    .failed = number(&v[13]), .excluded = number(&v[14]),
	    .gone = number(&v[15]), .pending = number(&v[16]),
	    .bytes = number(&v[17]), .found_bytes = number(&v[18]),
	    .dirs = number(&v[19]), .deleted = number(&v[20]) };
	u->exit_status = v[21].type == VALUE_INTEGER ? v[21].integer : -1;
	u->user = text(&v[22]);
	u->sudo_user = text(&v[23]);
	u->host = text(&v[24]);
	u->version = text(&v[25]);
	return ++r->run_count < REPORT_RUNS;
}

static bool
take_kind(void *arg, size_t columns UNUSED, const char *const *names UNUSED,
    const struct value *v)
{
	struct report *r = arg;
	struct report_count *k;

	if (v == NULL)
		return true;
	r->failed_all += number(&v[1]);
	r->failed_again += number(&v[2]);
	if (r->kind_count == REPORT_KINDS)
		return true;
	k = &r->kinds[r->kind_count++];
	k->name = text_or(&v[0], "?");
	k->count = number(&v[1]);
	return true;
}

static bool
take_failure(void *arg, size_t columns UNUSED,
    const char *const *names UNUSED, const struct value *v)
{
	struct report *r = arg;

	if (v == NULL)
		return true;
	r->failed[r->failed_count++] = (struct report_failure){
		.path = text_or(&v[0], ""), .what = text_or(&v[1], ""),
		.kind = text_or(&v[2], ""), .reason = text_or(&v[3], ""),
		.attempts = number(&v[4]), .time = text(&v[5]) };
	return r->failed_count < REPORT_FAILED;
}

static bool
take_client(void *arg, size_t columns UNUSED, const char *const *names UNUSED,
    const struct value *v)
{
	struct report *r = arg;

	if (v == NULL)
		return true;
	r->clients[r->client_count++] = (struct report_client){
		.number = (int64_t)number(&v[0]), .host = text_or(&v[1], "?"),
		.state = text_or(&v[2], "?"), .reason = text(&v[3]),
		.heard = text_or(&v[4], "?"), .moved = number(&v[5]),
		.failed = number(&v[6]), .bytes = number(&v[7]),
		.items_per_s = real(&v[8]), .bytes_per_s = real(&v[9]) };
	return r->client_count < REPORT_CLIENTS;
}

static bool
take_compaction(void *arg, size_t columns UNUSED,
    const char *const *names UNUSED, const struct value *v)
{
	struct report *r = arg;

	if (v == NULL)
		return true;
	r->compactions[r->compaction_count++] = (struct report_compaction){
		.target = text_or(&v[0], "?"), .nqn = text(&v[1]),
		.state = text_or(&v[2], "?"), .reason = text(&v[3]),
		.seconds = real(&v[4]) };
	return r->compaction_count < REPORT_COMPACTIONS;
}

/* --- queries --- */

static int
collect_runs(struct report *r, struct catalog_view *view, int64_t run,
    struct err *err)
{
	AUTOFREE char *sql = xasprintf("SELECT run, coalesce(crawl, run), "
	    "operation, state, reason, target, command, started, ended, "
	    "seconds, found, moved, unchanged, failed, excluded, gone, "
	    "pending, bytes, found_bytes, dirs, deleted, exit_status, user, "
	    "sudo_user, host, version FROM runs WHERE target IS "
	    "(SELECT target FROM runs WHERE run = %jd) AND run <= %jd "
	    "ORDER BY run DESC", (intmax_t)run, (intmax_t)run);

	return catalog_query(view, sql, take_run, r, err);
}

/* Choose a step that people count in, large enough for REPORT_TIMES steps. */
static void
choose_step(struct report *r)
{
	static const double nice[] = { 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60,
	    120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200,
	    86400 };
	double seconds = MAX(r->run.seconds, 0.1);
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(nice) &&
	    seconds / nice[i] > REPORT_TIMES)
		i++;
	r->step = nice[i];
	while (seconds / r->step > REPORT_TIMES)
		r->step *= 2;
	r->time_count = MIN((size_t)MAX(ceil(seconds / r->step), 1.0),
	    (size_t)REPORT_TIMES);
	for (size_t k = 0; k < r->time_count; k++)
		r->times[k].after = (double)k * r->step;
}

/* Collect the failures of the run and of the cut runs that this run
 * continues: the totals of the run count these failures too. A path that failed
 * several times counts once. */
static int
collect_failed(struct report *r, struct catalog_view *view, struct err *err)
{
	AUTOFREE char *from = xasprintf("(SELECT path, what, kind, reason, "
	    "attempts, max(time) AS time FROM failure_log WHERE run BETWEEN "
	    "%jd AND %jd AND target = (SELECT target FROM runs WHERE "
	    "run = %jd) GROUP BY path, what)", (intmax_t)r->run.crawl,
	    (intmax_t)r->run.run, (intmax_t)r->run.run);
	AUTOFREE char *kinds = xasprintf("SELECT kind, count(*), "
	    "sum(time IS NULL) FROM %s GROUP BY 1 ORDER BY 2 DESC, 1", from);
	AUTOFREE char *list = xasprintf("SELECT path, what, kind, reason, "
	    "attempts, time FROM %s ORDER BY path LIMIT %d", from,
	    REPORT_FAILED);

	if (catalog_query(view, kinds, take_kind, r, err) == -1)
		return -1;
	return catalog_query(view, list, take_failure, r, err);
}

static int
collect_clients(struct report *r, struct catalog_view *view,
    struct err *err)
{
	AUTOFREE char *sql = xasprintf("SELECT number, host, state, reason, "
	    "heard, moved, failed, bytes, items_per_s, bytes_per_s "
	    "FROM clients WHERE run = %jd ORDER BY number",
	    (intmax_t)r->run.run);

	return catalog_query(view, sql, take_client, r, err);
}

static int
collect_compactions(struct report *r, struct catalog_view *view,
    struct err *err)
{
	AUTOFREE char *sql = xasprintf("SELECT target, nqn, state, reason, "
	    "seconds FROM compactions WHERE run = %jd ORDER BY target, nqn",
	    (intmax_t)r->run.run);

	return catalog_query(view, sql, take_compaction, r, err);
}

static bool
take_id(void *arg, size_t columns UNUSED, const char *const *names UNUSED,
    const struct value *v)
{
	int64_t *id = arg;

	if (v != NULL)
		*id = (int64_t)number(&v[0]);
	return true;
}

static bool
take_pruned(void *arg, size_t columns UNUSED, const char *const *names UNUSED,
    const struct value *v)
{
	struct report *r = arg;

	if (v != NULL)
		r->pruned = text(&v[0]);
	return true;
}

/* Find out who has dropped the past of the run, if anybody has. */
static int
collect_pruned(struct report *r, struct catalog_view *view, struct err *err)
{
	AUTOFREE char *sql = xasprintf("SELECT time || coalesce(' by ' || "
	    "user, '') || coalesce(' (sudo by ' || sudo_user || ')', '') || "
	    "coalesce(' on ' || host, '') FROM prunes WHERE run > %jd "
	    "ORDER BY time LIMIT 1", (intmax_t)r->run.run);

	return catalog_query(view, sql, take_pruned, r, err);
}

/* Find the last run of the target, if another run than this one. */
static int
collect_now(struct report *r, struct catalog_view *view, struct err *err)
{
	AUTOFREE char *sql = xasprintf("SELECT coalesce(max(run), 0) FROM runs "
	    "WHERE begun = 1 AND run > %jd AND target = (SELECT target FROM "
	    "runs WHERE run = %jd)", (intmax_t)r->run.run,
	    (intmax_t)r->run.run);

	return catalog_query(view, sql, take_id, &r->now.run, err);
}

static int
find_run(struct catalog_view *view, const char *path, int64_t *run,
    struct err *err)
{
	int64_t last = 0;

	if (*run != 0)
		return 0;
	if (catalog_query(view, "SELECT max(run) FROM runs", take_id, &last,
	    err) == -1)
		return -1;
	*run = last;
	return last != 0 ? 0 : err_set(err, ERR_CONFIG, 0,
	    "catalog %s: there was no run yet", path);
}

/* A killed run could not record its own end: correct the state. */
static void
correct_state(char **state, bool in_use, const char *from, const char *to)
{
	if (in_use || strcmp(*state, from) != 0)
		return;
	free(*state);
	*state = xstrdup(to);
}

/* A killed run could not record the end of its clients and of its
 * compactions either. */
static void
end_parts(struct report *r, bool in_use)
{
	static const char *const going[] = { "launching", "joined",
	    "working" };

	for (size_t i = 0; i < r->client_count; i++)
		for (size_t k = 0; k < ARRAY_LEN(going); k++)
			correct_state(&r->clients[i].state, in_use, going[k],
			    "ended");
	for (size_t i = 0; i < r->compaction_count; i++)
		correct_state(&r->compactions[i].state, in_use, "running",
		    "unknown");
}

int
report_collect(struct report *r, struct catalog_view *view, const char *path,
    int64_t run, struct err *err)
{
	int64_t pid;
	bool in_use = catalog_in_use(path, &pid);

	memset(r, 0, sizeof(*r));
	r->catalog = xstrdup(path);
	clock_iso8601(clock_wall_ns() / 1000000000, r->made);
	if (find_run(view, path, &run, err) == -1 ||
	    collect_runs(r, view, run, err) == -1)
		return -1;
	if (r->run_count == 0 || r->runs[0].run != run)
		return err_set(err, ERR_USAGE, 0, "--run %jd: the catalog "
		    "has no such run", (intmax_t)run);
	for (size_t i = 0; i < r->run_count; i++)
		correct_state(&r->runs[i].state, in_use, "running", "dead");
	r->run = r->runs[0];	/* its strings are that one's */
	choose_step(r);
	if (report_state(r, catalog_view_db(view), err) == -1 ||
	    collect_now(r, view, err) == -1 ||
	    collect_pruned(r, view, err) == -1 ||
	    collect_clients(r, view, err) == -1 ||
	    collect_compactions(r, view, err) == -1 ||
	    collect_failed(r, view, err) == -1)
		return -1;
	end_parts(r, in_use);
	r->run = r->runs[0];
	return 0;
}

void
report_release(struct report *r)
{
	free(r->catalog);
	free(r->pruned);
	for (size_t i = 0; i < r->run_count; i++) {
		free(r->runs[i].operation);
		free(r->runs[i].state);
		free(r->runs[i].reason);
		free(r->runs[i].target);
		free(r->runs[i].command);
		free(r->runs[i].started);
		free(r->runs[i].ended);
		free(r->runs[i].user);
		free(r->runs[i].sudo_user);
		free(r->runs[i].host);
		free(r->runs[i].version);
	}
	for (size_t i = 0; i < r->client_count; i++) {
		free(r->clients[i].host);
		free(r->clients[i].state);
		free(r->clients[i].reason);
		free(r->clients[i].heard);
	}
	for (size_t i = 0; i < r->compaction_count; i++) {
		free(r->compactions[i].target);
		free(r->compactions[i].nqn);
		free(r->compactions[i].state);
		free(r->compactions[i].reason);
	}
	for (size_t i = 0; i < r->slowest_count; i++)
		free(r->slowest[i].path);
	for (size_t i = 0; i < r->kind_count; i++)
		free(r->kinds[i].name);
	for (size_t i = 0; i < r->failed_count; i++) {
		free(r->failed[i].path);
		free(r->failed[i].what);
		free(r->failed[i].kind);
		free(r->failed[i].reason);
		free(r->failed[i].time);
	}
	for (size_t i = 0; i < r->deleted_count; i++)
		free(r->deleted[i]);
	memset(r, 0, sizeof(*r));
}

double
report_rate(const struct report_run *u, uint64_t n)
{
	return u->seconds > 0 ? (double)n / u->seconds : 0;
}
