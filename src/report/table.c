/*
 * table.c: a report for a terminal or a mail.
 */
#include "base/units.h"
#include "report/report_internal.h"
#include "report/text.h"

#define BAR		30	/* characters at most */
#define LIST_MAX	10	/* lines of a list; others have more */

static void
add_bar(struct buf *b, uint64_t n, uint64_t most)
{
	size_t len = most == 0 ? 0 : (size_t)((double)n / (double)most * BAR);

	if (n > 0)
		len = MAX(len, (size_t)1);
	for (size_t i = 0; i < len; i++)
		buf_addch(b, '#');
	buf_addch(b, '\n');
}

static void
add_count(struct buf *b, const char *name, uint64_t n, const char *note)
{
	char count[32];

	buf_addf(b, "  %-10s %15s%s%s\n", name, text_count(n, count),
	    note[0] == '\0' ? "" : "   ", note);
}

static void
add_who(const struct report_run *u, struct buf *b)
{
	if (u->user == NULL && u->host == NULL)
		return;
	buf_addstr(b, "  by ");
	buf_add_escaped(b, str_of(u->user == NULL ? "?" : u->user));
	if (u->sudo_user != NULL) {
		buf_addstr(b, " (sudo by ");
		buf_add_escaped(b, str_of(u->sudo_user));
		buf_addstr(b, ")");
	}
	buf_addstr(b, " on ");
	buf_add_escaped(b, str_of(u->host == NULL ? "?" : u->host));
	if (u->command != NULL) {
		buf_addstr(b, ": ");
		buf_add_escaped(b, str_of(u->command));
	}
	buf_addch(b, '\n');
}

static void
add_head(const struct report *r, struct buf *b)
{
	const struct report_run *u = &r->run;
	char duration[32];

	buf_addf(b, "%s run %jd: %s, %s\n", u->operation, (intmax_t)u->run,
	    report_verdict(u, NULL), text_duration(u->seconds, duration));
	if (u->crawl < u->run)
		buf_addf(b, "  continues run %jd\n", (intmax_t)u->crawl);
	buf_addf(b, "  from %s to %s\n  into ", u->started,
	    u->ended != NULL ? u->ended :
	    strcmp(u->state, "dead") == 0 ? "an end that nobody saw" : "now");
	buf_add_escaped(b, str_of(u->target));
	if (u->reason != NULL) {
		buf_addstr(b, "\n  ended by: ");
		buf_add_escaped(b, str_of(u->reason));
	}
	buf_addch(b, '\n');
	add_who(u, b);
}

static void
add_totals(const struct report *r, struct buf *b)
{
	const struct totals *t = &r->run.totals;
	char note[160], size[16], bytes[32], objects[48];

	snprintf(note, sizeof(note), "%s, %s, %s",
	    units_format(t->bytes, size),
	    text_byte_rate(report_rate(&r->run, t->bytes), bytes),
	    text_object_rate(report_rate(&r->run, t->moved), objects));
	buf_addstr(b, "\ntotals\n");
	add_count(b, "found", t->found, units_format(t->found_bytes, size));
	add_count(b, "moved", t->moved, note);
	add_count(b, "unchanged", t->unchanged, "");
	add_count(b, "failed", t->failed, "");
	add_count(b, "excluded", t->excluded, "");
	if (t->pending > 0)
		add_count(b, "pending", t->pending, "left for the next run");
	if (t->gone > 0)
		add_count(b, "gone", t->gone, "outside the sum");
}

static void
add_times(const struct report *r, struct buf *b)
{
	uint64_t most = 0;
	char rate[32], after[32];

	for (size_t i = 0; i < r->time_count; i++)
		most = MAX(most, r->times[i].bytes);
	if (most == 0)
		return;
	buf_addf(b, "\nbytes a second, in steps of %s\n",
	    text_duration(r->step, after));
	for (size_t i = 0; i < r->time_count; i++) {
		const struct report_time *t = &r->times[i];

		buf_addf(b, "  %12s %15s   ", text_duration(t->after, after),
		    text_byte_rate((double)t->bytes / r->step, rate));
		add_bar(b, t->bytes, most);
	}
}

static void
add_sizes(const struct report *r, struct buf *b)
{
	uint64_t most = 0;
	char moved[32], stored[32], size[16];

	if (!r->run.held) {
		buf_addstr(b, "\nwhat the target held then is not recorded: "
		    "the journal began later, or has been pruned\n");
		return;
	}
	for (size_t i = 0; i < REPORT_SIZES; i++)
		most = MAX(most, r->sizes[i].stored);
	if (most == 0)
		return;
	buf_addf(b, "\nsizes            %12s %12s %12s\n", "moved", "held then",
	    "bytes");
	for (size_t i = 0; i < REPORT_SIZES; i++) {
		const struct report_size *s = &r->sizes[i];

		buf_addf(b, "  %-15s%12s %12s %12s   ", s->name,
		    text_count(s->moved, moved), text_count(s->stored, stored),
		    units_format(s->stored_bytes, size));
		add_bar(b, s->stored, most);
	}
}

/* End the line with the reason of a state, if reason is not NULL. */
static void
end_line(struct buf *b, const char *reason)
{
	if (reason != NULL) {
		buf_addstr(b, "   ");
		buf_add_escaped(b, str_of(reason));
	}
	buf_addch(b, '\n');
}

static void
add_clients(const struct report *r, struct buf *b)
{
	char moved[32], failed[32], size[16], host[64];

	if (r->client_count == 0)
		return;
	buf_addf(b, "\nclients\n  %3s %-20s %-9s %12s %10s %10s\n", "",
	    "host", "state", "moved", "failed", "bytes");
	for (size_t i = 0; i < r->client_count; i++) {
		const struct report_client *c = &r->clients[i];

		str_escape(str_of(c->host), host, sizeof(host));
		buf_addf(b, "  %3jd %s%*s %-9s %12s %10s %10s",
		    (intmax_t)c->number, host, text_pad(host, 20), "", c->state,
		    text_count(c->moved, moved), text_count(c->failed, failed),
		    units_format(c->bytes, size));
		end_line(b, c->reason);
	}
}

static void
add_compactions(const struct report *r, struct buf *b)
{
	char target[64], nqn[128], duration[32];

	if (r->compaction_count == 0)
		return;
	buf_addf(b, "\ncompaction\n  %-20s %-8s %9s   %s\n", "target",
	    "state", "took", "subsystem");
	for (size_t i = 0; i < r->compaction_count; i++) {
		const struct report_compaction *c = &r->compactions[i];

		str_escape(str_of(c->target), target, sizeof(target));
		buf_addf(b, "  %s%*s %-8s %9s   %s",
		    target, text_pad(target, 20), "", c->state,
		    text_duration(c->seconds, duration),
		    str_escape(str_of(c->nqn == NULL ? "" : c->nqn), nqn,
		    sizeof(nqn)));
		end_line(b, c->reason);
	}
}

static void
add_slowest(const struct report *r, struct buf *b)
{
	char duration[32], size[16];

	if (r->slowest_count == 0)
		return;
	buf_addstr(b, "\nslowest\n");
	for (size_t i = 0; i < MIN(r->slowest_count, (size_t)LIST_MAX); i++) {
		const struct report_object *o = &r->slowest[i];

		buf_addf(b, "  %10s %10s   ",
		    text_took(o->seconds, duration),
		    units_format(o->size, size));
		buf_add_escaped(b, str_of(o->path));
		buf_addch(b, '\n');
	}
}

static void
add_failed(const struct report *r, struct buf *b)
{
	size_t shown = MIN(r->failed_count, (size_t)LIST_MAX);
	char count[32];

	if (report_lacks_failures(r)) {
		buf_addf(b, "\nfailed, and pruned from the catalog: %s, ",
		    text_count(r->run.totals.failed - r->failed_all, count));
		buf_add_escaped(b, str_of(r->pruned));
		buf_addch(b, '\n');
	}
	if (r->failed_all == 0)
		return;
	buf_addstr(b, "\nfailed\n");
	for (size_t i = 0; i < shown; i++) {
		const struct report_failure *f = &r->failed[i];

		buf_addf(b, "  %-11s ", f->kind);
		buf_add_escaped(b, str_of(f->path));
		buf_addstr(b, ": ");
		buf_add_escaped(b, str_of(f->reason));
		buf_addch(b, '\n');
	}
	if (r->failed_all > shown)
		buf_addf(b, "  and %s more: datamover sql 'SELECT * FROM "
		    "failure_log WHERE run BETWEEN %jd AND %jd'\n",
		    text_count(r->failed_all - shown, count),
		    (intmax_t)r->run.crawl, (intmax_t)r->run.run);
}

static void
add_deleted(const struct report *r, struct buf *b)
{
	size_t shown = MIN(r->deleted_count, (size_t)LIST_MAX);
	char count[32];

	if (report_deleted(&r->run) == 0)
		return;
	buf_addf(b, "\ndeleted at the target: %s\n",
	    text_count(report_deleted(&r->run), count));
	for (size_t i = 0; i < shown; i++) {
		buf_addstr(b, "  ");
		buf_add_escaped(b, str_of(r->deleted[i]));
		buf_addch(b, '\n');
	}
	if (r->deleted_known > shown)
		buf_addf(b, "  all: datamover sql \"SELECT path FROM events "
		    "WHERE run = %jd AND kind = 'deleted'\"\n",
		    (intmax_t)r->run.run);
}

static void
add_verdicts(struct buf *b, const struct report_verdicts *verdicts,
    enum verdict from)
{
	for (enum verdict v = from; v < VERDICT__MAX; v++)
		if (verdicts->count[v] > 0)
			add_count(b, verdict_name(v), verdicts->count[v], "");
}

static void
add_verified(const struct report *r, struct buf *b)
{
	const struct report_run *u = &r->run;
	uint64_t ok = r->verdicts.count[VERDICT_OK];
	char percent[16], size[16];

	if (r->tested) {
		buf_addstr(b, "\nverdicts of this run\n");
		add_verdicts(b, &r->found, VERDICT_OK);
	}
	if (!u->held)
		return;
	buf_addstr(b, "\nverification of what the target held then\n");
	add_count(b, "stored", u->stored,
	    units_format(u->stored_bytes, size));
	add_count(b, "verified", ok, text_percent(ok, u->stored, percent));
	add_verdicts(b, &r->verdicts, VERDICT_MISSING);
}

static void
add_growth(const struct report *r, struct buf *b)
{
	uint64_t most = 0;
	char stored[32], size[16];

	for (size_t i = 0; i < r->run_count; i++)
		most = MAX(most, r->runs[i].stored_bytes);
	if (r->run_count < 2)
		return;
	buf_addf(b, "\nheld after run    %12s %12s\n", "files", "bytes");
	for (size_t i = r->run_count; i-- > 0; ) {
		const struct report_run *u = &r->runs[i];

		buf_addf(b, "  %-15jd ", (intmax_t)u->run);
		if (!u->held) {
			buf_addstr(b, "not recorded\n");
			continue;
		}
		buf_addf(b, "%12s %12s   ", text_count(u->stored, stored),
		    units_format(u->stored_bytes, size));
		add_bar(b, u->stored_bytes, most);
	}
}

static void
add_now(const struct report *r, struct buf *b)
{
	const struct report_now *now = &r->now;
	char percent[16], size[16];

	if (now->run == 0)
		return;
	buf_addf(b, "\nnow, after run %jd\n", (intmax_t)now->run);
	add_count(b, "stored", now->stored,
	    units_format(now->stored_bytes, size));
	add_count(b, "verified", now->verified,
	    text_percent(now->verified, now->stored, percent));
	add_count(b, "kept", now->kept, "as this run has stored them");
}

void
report_text(const struct report *r, struct buf *b)
{
	add_head(r, b);
	add_totals(r, b);
	add_times(r, b);
	add_sizes(r, b);
	add_clients(r, b);
	add_compactions(r, b);
	add_slowest(r, b);
	add_failed(r, b);
	add_deleted(r, b);
	add_verified(r, b);
	add_growth(r, b);
	add_now(r, b);
}
