/*
 * csv.c: a report as CSV (RFC 4180, but lines end in a newline), a figure a
 * line: section, item, measure, value. The pivot table of a spreadsheet takes
 * this form as the file is.
 */
#include "report/report_internal.h"

static void
add_field(struct buf *b, const char *s)
{
	if (s[strcspn(s, ",\"\r\n")] == '\0') {
		buf_addstr(b, s);
		return;
	}
	buf_addch(b, '"');
	for (; *s != '\0'; s++) {
		if (*s == '"')
			buf_addch(b, '"');
		buf_addch(b, *s);
	}
	buf_addch(b, '"');
}

static void
add_text(struct buf *b, const char *section, const char *item,
    const char *measure, const char *value)
{
	buf_addf(b, "%s,", section);
	add_field(b, item);
	buf_addf(b, ",%s,", measure);
	add_field(b, value == NULL ? "" : value);
	buf_addch(b, '\n');
}

static void
add_count(struct buf *b, const char *section, const char *item,
    const char *measure, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%ju", (uintmax_t)n);
	add_text(b, section, item, measure, text);
}

static void
add_known(struct buf *b, const char *section, const char *item,
    const char *measure, bool known, uint64_t n)
{
	if (known)
		add_count(b, section, item, measure, n);
	else
		add_text(b, section, item, measure, "not recorded");
}

static void
add_real(struct buf *b, const char *section, const char *item,
    const char *measure, double x)
{
	char text[40];

	snprintf(text, sizeof(text), "%.3f", MIN(x, 1e18));
	add_text(b, section, item, measure, text);
}

static void
add_run(const struct report_run *u, struct buf *b, const char *section)
{
	const struct totals *t = &u->totals;
	char item[24];

	snprintf(item, sizeof(item), "%jd", (intmax_t)u->run);
	add_text(b, section, item, "operation", u->operation);
	add_text(b, section, item, "state", u->state);
	add_text(b, section, item, "reason", u->reason);
	add_text(b, section, item, "target", u->target);
	add_text(b, section, item, "started", u->started);
	add_text(b, section, item, "ended", u->ended);
	add_real(b, section, item, "seconds", u->seconds);
	add_count(b, section, item, "found", t->found);
	add_count(b, section, item, "moved", t->moved);
	add_count(b, section, item, "unchanged", t->unchanged);
	add_count(b, section, item, "failed", t->failed);
	add_count(b, section, item, "excluded", t->excluded);
	add_count(b, section, item, "gone", t->gone);
	add_count(b, section, item, "pending", t->pending);
	add_count(b, section, item, "bytes", t->bytes);
	add_count(b, section, item, "found_bytes", t->found_bytes);
	add_count(b, section, item, "dirs", t->dirs);
	add_count(b, section, item, "deleted", report_deleted(u));
	add_text(b, section, item, "verdict", report_verdict(u, NULL));
	if (u->exit_status != -1)
		add_count(b, section, item, "exit_status",
		    (uint64_t)u->exit_status);
	add_text(b, section, item, "user", u->user);
	add_text(b, section, item, "sudo_user", u->sudo_user);
	add_text(b, section, item, "host", u->host);
	add_text(b, section, item, "version", u->version);
	add_known(b, section, item, "stored", u->held, u->stored);
	add_known(b, section, item, "stored_bytes", u->held, u->stored_bytes);
}

static void
add_series(const struct report *r, struct buf *b)
{
	for (size_t i = 0; i < r->time_count; i++) {
		char after[32];

		snprintf(after, sizeof(after), "%.1f", r->times[i].after);
		add_count(b, "time", after, "moved", r->times[i].moved);
		add_count(b, "time", after, "failed", r->times[i].failed);
		add_count(b, "time", after, "bytes", r->times[i].bytes);
	}
	for (size_t i = 0; i < REPORT_SIZES; i++) {
		const struct report_size *s = &r->sizes[i];

		add_count(b, "size", s->name, "moved", s->moved);
		add_count(b, "size", s->name, "moved_bytes", s->moved_bytes);
		add_count(b, "size", s->name, "stored", s->stored);
		add_count(b, "size", s->name, "stored_bytes",
		    s->stored_bytes);
	}
}

static void
add_clients(const struct report *r, struct buf *b)
{
	for (size_t i = 0; i < r->client_count; i++) {
		const struct report_client *c = &r->clients[i];
		char item[24];

		snprintf(item, sizeof(item), "%jd", (intmax_t)c->number);
		add_text(b, "client", item, "host", c->host);
		add_text(b, "client", item, "state", c->state);
		add_text(b, "client", item, "reason", c->reason);
		add_count(b, "client", item, "moved", c->moved);
		add_count(b, "client", item, "failed", c->failed);
		add_count(b, "client", item, "bytes", c->bytes);
		add_real(b, "client", item, "items_per_second",
		    c->items_per_s);
		add_real(b, "client", item, "bytes_per_second",
		    c->bytes_per_s);
		add_text(b, "client", item, "heard", c->heard);
	}
}

static void
add_compactions(const struct report *r, struct buf *b)
{
	for (size_t i = 0; i < r->compaction_count; i++) {
		const struct report_compaction *c = &r->compactions[i];
		AUTOFREE char *item = c->nqn == NULL ? xstrdup(c->target) :
		    xasprintf("%s %s", c->target, c->nqn);

		add_text(b, "compaction", item, "state", c->state);
		add_text(b, "compaction", item, "reason", c->reason);
		add_real(b, "compaction", item, "seconds", c->seconds);
	}
}

static void
add_objects(const struct report *r, struct buf *b)
{
	for (size_t i = 0; i < r->slowest_count; i++) {
		const struct report_object *o = &r->slowest[i];

		add_real(b, "slowest", o->path, "seconds", o->seconds);
		add_count(b, "slowest", o->path, "size", o->size);
		add_count(b, "slowest", o->path, "attempts", o->attempts);
	}
	for (size_t i = 0; i < r->kind_count; i++)
		add_count(b, "failures", r->kinds[i].name, "count",
		    r->kinds[i].count);
	if (report_lacks_failures(r))
		add_text(b, "failures", "all", "pruned", r->pruned);
	for (size_t i = 0; i < r->failed_count; i++) {
		const struct report_failure *f = &r->failed[i];

		add_text(b, "failed", f->path, "what", f->what);
		add_text(b, "failed", f->path, "kind", f->kind);
		add_text(b, "failed", f->path, "reason", f->reason);
		add_known(b, "failed", f->path, "attempts", f->time != NULL,
		    f->attempts);
		add_text(b, "failed", f->path, "time", f->time == NULL ?
		    "not recorded" : f->time);
	}
}

static void
add_verdicts(struct buf *b, const char *section,
    const struct report_verdicts *verdicts)
{
	for (enum verdict v = VERDICT_OK; v < VERDICT__MAX; v++) {
		if (verdicts->count[v] == 0)
			continue;
		add_count(b, section, verdict_name(v), "count",
		    verdicts->count[v]);
		add_count(b, section, verdict_name(v), "bytes",
		    verdicts->bytes[v]);
	}
}

static void
add_verified(const struct report *r, struct buf *b)
{
	const struct report_run *u = &r->run;

	add_known(b, "verification", "stored", "count", u->held, u->stored);
	add_known(b, "verification", "stored", "bytes", u->held,
	    u->stored_bytes);
	add_known(b, "verification", "verified", "count", u->held,
	    r->verdicts.count[VERDICT_OK]);
	add_known(b, "verification", "verified", "bytes", u->held,
	    r->verdicts.bytes[VERDICT_OK]);
	add_verdicts(b, "verdict", &r->verdicts);
	add_verdicts(b, "found", &r->found);
}

static void
add_deletions(const struct report *r, struct buf *b)
{
	char item[24];

	for (size_t i = 0; i < r->deleted_count; i++) {
		snprintf(item, sizeof(item), "%zu", i + 1);
		add_text(b, "deleted", item, "path", r->deleted[i]);
	}
}

static void
add_now(const struct report *r, struct buf *b)
{
	const struct report_now *now = &r->now;

	if (now->run == 0)
		return;
	add_count(b, "now", "run", "number", (uint64_t)now->run);
	add_count(b, "now", "stored", "count", now->stored);
	add_count(b, "now", "stored", "bytes", now->stored_bytes);
	add_count(b, "now", "verified", "count", now->verified);
	add_count(b, "now", "kept", "count", now->kept);
}

void
report_csv(const struct report *r, struct buf *b)
{
	buf_addstr(b, "section,item,measure,value\n");
	add_run(&r->run, b, "run");
	add_real(b, "rate", "run", "objects_per_second",
	    report_rate(&r->run, r->run.totals.moved));
	add_real(b, "rate", "run", "bytes_per_second",
	    report_rate(&r->run, r->run.totals.bytes));
	add_series(r, b);
	add_clients(r, b);
	add_compactions(r, b);
	add_objects(r, b);
	add_verified(r, b);
	add_deletions(r, b);
	add_now(r, b);
	for (size_t i = 1; i < r->run_count; i++)
		add_run(&r->runs[i], b, "earlier run");
}
