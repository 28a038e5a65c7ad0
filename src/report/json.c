/*
 * json.c: a report as one JSON object.
 */
#include "json/jwrite.h"
#include "report/report_internal.h"

/* null: it is not recorded. */
static void
write_count(struct jwrite *w, const char *key, bool recorded, uint64_t n)
{
	if (recorded)
		jwrite_uint(w, key, n);
	else
		jwrite_null(w, key);
}

static void
write_run(struct jwrite *w, const struct report_run *u)
{
	const struct totals *t = &u->totals;

	jwrite_int(w, "run", u->run);
	jwrite_int(w, "crawl", u->crawl);
	jwrite_cstr(w, "operation", u->operation);
	jwrite_cstr(w, "state", u->state);
	if (u->reason != NULL)
		jwrite_cstr(w, "reason", u->reason);
	jwrite_cstr(w, "target", u->target);
	if (u->command != NULL)
		jwrite_cstr(w, "command", u->command);
	jwrite_cstr(w, "started", u->started);
	if (u->ended != NULL)
		jwrite_cstr(w, "ended", u->ended);
	jwrite_real(w, "seconds", u->seconds);
	jwrite_uint(w, "found", t->found);
	jwrite_uint(w, "moved", t->moved);
	jwrite_uint(w, "unchanged", t->unchanged);
	jwrite_uint(w, "failed", t->failed);
	jwrite_uint(w, "excluded", t->excluded);
	jwrite_uint(w, "gone", t->gone);
	jwrite_uint(w, "pending", t->pending);
	jwrite_uint(w, "bytes", t->bytes);
	jwrite_uint(w, "found_bytes", t->found_bytes);
	jwrite_uint(w, "dirs", t->dirs);
	jwrite_uint(w, "deleted", report_deleted(u));
	jwrite_cstr(w, "verdict", report_verdict(u, NULL));
	if (u->exit_status != -1)
		jwrite_int(w, "exit_status", u->exit_status);
	if (u->user != NULL)
		jwrite_cstr(w, "user", u->user);
	if (u->sudo_user != NULL)
		jwrite_cstr(w, "sudo_user", u->sudo_user);
	if (u->host != NULL)
		jwrite_cstr(w, "host", u->host);
	if (u->version != NULL)
		jwrite_cstr(w, "version", u->version);
	write_count(w, "stored", u->held, u->stored);
	write_count(w, "stored_bytes", u->held, u->stored_bytes);
}

static void
write_rates(struct jwrite *w, const struct report *r)
{
	jwrite_object(w, "rates");
	jwrite_real(w, "objects_per_second",
	    report_rate(&r->run, r->run.totals.moved));
	jwrite_real(w, "bytes_per_second",
	    report_rate(&r->run, r->run.totals.bytes));
	jwrite_real(w, "step_seconds", r->step);
	jwrite_array(w, "steps");
	for (size_t i = 0; i < r->time_count; i++) {
		jwrite_object(w, NULL);
		jwrite_real(w, "after", r->times[i].after);
		jwrite_uint(w, "moved", r->times[i].moved);
		jwrite_uint(w, "failed", r->times[i].failed);
		jwrite_uint(w, "bytes", r->times[i].bytes);
		jwrite_end(w);
	}
	jwrite_end(w);
	jwrite_end(w);
}

static void
write_sizes(struct jwrite *w, const struct report *r)
{
	jwrite_array(w, "sizes");
	for (size_t i = 0; i < REPORT_SIZES; i++) {
		const struct report_size *s = &r->sizes[i];

		jwrite_object(w, NULL);
		jwrite_cstr(w, "size", s->name);
		jwrite_uint(w, "moved", s->moved);
		jwrite_uint(w, "moved_bytes", s->moved_bytes);
		jwrite_uint(w, "stored", s->stored);
		jwrite_uint(w, "stored_bytes", s->stored_bytes);
		jwrite_end(w);
	}
	jwrite_end(w);
}

static void
write_objects(struct jwrite *w, const struct report *r)
{
	jwrite_array(w, "slowest");
	for (size_t i = 0; i < r->slowest_count; i++) {
		jwrite_object(w, NULL);
		jwrite_cstr(w, "path", r->slowest[i].path);
		jwrite_uint(w, "size", r->slowest[i].size);
		jwrite_real(w, "seconds", r->slowest[i].seconds);
		jwrite_uint(w, "attempts", r->slowest[i].attempts);
		jwrite_end(w);
	}
	jwrite_end(w);
	jwrite_array(w, "failures");
	for (size_t i = 0; i < r->failed_count; i++) {
		jwrite_object(w, NULL);
		jwrite_cstr(w, "path", r->failed[i].path);
		jwrite_cstr(w, "what", r->failed[i].what);
		jwrite_cstr(w, "kind", r->failed[i].kind);
		jwrite_cstr(w, "reason", r->failed[i].reason);
		write_count(w, "attempts", r->failed[i].time != NULL,
		    r->failed[i].attempts);
		if (r->failed[i].time == NULL)
			jwrite_null(w, "time");
		else
			jwrite_cstr(w, "time", r->failed[i].time);
		jwrite_end(w);
	}
	jwrite_end(w);
	jwrite_uint(w, "failures_all", r->failed_all);
	if (report_lacks_failures(r))
		jwrite_cstr(w, "failures_pruned", r->pruned);
	jwrite_object(w, "failures_by_kind");
	for (size_t i = 0; i < r->kind_count; i++)
		jwrite_uint(w, r->kinds[i].name, r->kinds[i].count);
	jwrite_end(w);
}

static void
write_clients(struct jwrite *w, const struct report *r)
{
	jwrite_array(w, "clients");
	for (size_t i = 0; i < r->client_count; i++) {
		const struct report_client *c = &r->clients[i];

		jwrite_object(w, NULL);
		jwrite_int(w, "number", c->number);
		jwrite_cstr(w, "host", c->host);
		jwrite_cstr(w, "state", c->state);
		if (c->reason != NULL)
			jwrite_cstr(w, "reason", c->reason);
		jwrite_uint(w, "moved", c->moved);
		jwrite_uint(w, "failed", c->failed);
		jwrite_uint(w, "bytes", c->bytes);
		jwrite_real(w, "items_per_second", c->items_per_s);
		jwrite_real(w, "bytes_per_second", c->bytes_per_s);
		jwrite_cstr(w, "heard", c->heard);
		jwrite_end(w);
	}
	jwrite_end(w);
}

static void
write_compactions(struct jwrite *w, const struct report *r)
{
	jwrite_array(w, "compactions");
	for (size_t i = 0; i < r->compaction_count; i++) {
		const struct report_compaction *c = &r->compactions[i];

		jwrite_object(w, NULL);
		jwrite_cstr(w, "target", c->target);
		if (c->nqn != NULL)
			jwrite_cstr(w, "nqn", c->nqn);
		jwrite_cstr(w, "state", c->state);
		if (c->reason != NULL)
			jwrite_cstr(w, "reason", c->reason);
		jwrite_real(w, "seconds", c->seconds);
		jwrite_end(w);
	}
	jwrite_end(w);
}

static void
write_verdicts(struct jwrite *w, const char *key,
    const struct report_verdicts *verdicts)
{
	jwrite_object(w, key);
	for (enum verdict v = VERDICT_OK; v < VERDICT__MAX; v++)
		if (verdicts->count[v] > 0)
			jwrite_uint(w, verdict_name(v), verdicts->count[v]);
	jwrite_end(w);
}

static void
write_verified(struct jwrite *w, const struct report *r)
{
	const struct report_run *u = &r->run;

	jwrite_object(w, "verification");
	write_count(w, "stored", u->held, u->stored);
	write_count(w, "stored_bytes", u->held, u->stored_bytes);
	write_count(w, "verified", u->held, r->verdicts.count[VERDICT_OK]);
	write_count(w, "verified_bytes", u->held,
	    r->verdicts.bytes[VERDICT_OK]);
	write_verdicts(w, "verdicts", &r->verdicts);
	write_verdicts(w, "found", &r->found);
	jwrite_end(w);
}

static void
write_deletions(struct jwrite *w, const struct report *r)
{
	jwrite_array(w, "deletions");
	for (size_t i = 0; i < r->deleted_count; i++)
		jwrite_cstr(w, NULL, r->deleted[i]);
	jwrite_end(w);
	jwrite_uint(w, "deletions_known", r->deleted_known);
}

static void
write_now(struct jwrite *w, const struct report *r)
{
	const struct report_now *now = &r->now;

	if (now->run == 0)
		return;
	jwrite_object(w, "now");
	jwrite_int(w, "run", now->run);
	jwrite_uint(w, "stored", now->stored);
	jwrite_uint(w, "stored_bytes", now->stored_bytes);
	jwrite_uint(w, "verified", now->verified);
	jwrite_uint(w, "kept", now->kept);
	jwrite_end(w);
}

void
report_json(const struct report *r, struct buf *b)
{
	struct jwrite w = jwrite_begin(b);

	jwrite_object(&w, NULL);
	jwrite_cstr(&w, "catalog", r->catalog);
	jwrite_cstr(&w, "made", r->made);
	write_run(&w, &r->run);
	write_rates(&w, r);
	write_sizes(&w, r);
	write_clients(&w, r);
	write_compactions(&w, r);
	write_objects(&w, r);
	write_verified(&w, r);
	write_deletions(&w, r);
	write_now(&w, r);
	jwrite_array(&w, "runs");
	for (size_t i = 0; i < r->run_count; i++) {
		jwrite_object(&w, NULL);
		write_run(&w, &r->runs[i]);
		jwrite_end(&w);
	}
	jwrite_end(&w);
	jwrite_end(&w);
	buf_addch(b, '\n');
}
