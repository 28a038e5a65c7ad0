/*
 * html_tables.c: the lists of the page.
 */
#include "base/units.h"
#include "report/html.h"
#include "report/text.h"

#define OPEN_MAX_ROWS	15	/* a longer list is folded */

void
html_count(struct buf *b, uint64_t n)
{
	char count[32];

	buf_addf(b, "<data value=\"%ju\">%s</data>", (uintmax_t)n,
	    text_count(n, count));
}

void
html_bytes(struct buf *b, uint64_t n)
{
	char size[16];

	buf_addf(b, "<data value=\"%ju\">%s</data>", (uintmax_t)n,
	    units_format(n, size));
}

/* Append a file name, set apart from the direction of the text around it. */
static void
add_path(struct buf *b, const char *path)
{
	buf_addstr(b, "<bdi>");
	html_text(b, path);
	buf_addstr(b, "</bdi>");
}

void
html_time(struct buf *b, const char *time)
{
	char text[24];

	snprintf(text, sizeof(text), "%s", time);
	if (strlen(text) == 20 && text[10] == 'T' && text[19] == 'Z') {
		text[10] = ' ';
		text[19] = '\0';
	}
	buf_addstr(b, "<time datetime=\"");
	html_text(b, time);
	buf_addstr(b, "\">");
	html_text(b, text);
	buf_addstr(b, "</time>");
}

/* The head of a table: names that begin with '#' are of columns of numbers. */
static void
begin(struct buf *b, const char *id, const char *caption,
    const char *const *names, size_t count)
{
	buf_addf(b, "<div class=\"scroll\"><table id=\"%s\"><caption>", id);
	html_text(b, caption);
	buf_addstr(b, "</caption>\n<thead><tr>");
	for (size_t i = 0; i < count; i++)
		buf_addf(b, "<th scope=\"col\"%s>%s</th>",
		    names[i][0] == '#' ? " class=\"n\"" : "",
		    names[i] + (names[i][0] == '#'));
	buf_addstr(b, "</tr></thead>\n<tbody>\n");
}

static void
end(struct buf *b)
{
	buf_addstr(b, "</tbody></table></div>\n");
}

void
html_clients(const struct report *r, struct buf *b)
{
	static const char *const names[] = { "Host", "State", "#Moved",
	    "#Failed", "#Bytes", "Last heard", "Reason" };

	if (r->client_count == 0)
		return;
	buf_addstr(b, "<section><h2>Clients</h2>\n");
	begin(b, "clients", "The hosts that moved the data of this run",
	    names, ARRAY_LEN(names));
	for (size_t i = 0; i < r->client_count; i++) {
		const struct report_client *c = &r->clients[i];

		buf_addstr(b, "<tr><th scope=\"row\">");
		add_path(b, c->host);
		buf_addstr(b, "</th><td>");
		html_text(b, c->state);
		buf_addstr(b, "</td><td class=\"n\">");
		html_count(b, c->moved);
		buf_addstr(b, "</td><td class=\"n\">");
		html_count(b, c->failed);
		buf_addstr(b, "</td><td class=\"n\">");
		html_bytes(b, c->bytes);
		buf_addstr(b, "</td><td class=\"soft\">");
		html_time(b, c->heard);
		buf_addstr(b, "</td><td class=\"path\">");
		html_text(b, c->reason == NULL ? "" : c->reason);
		buf_addstr(b, "</td></tr>\n");
	}
	end(b);
	buf_addstr(b, "</section>\n");
}

void
html_compactions(const struct report *r, struct buf *b)
{
	static const char *const names[] = { "Target", "Subsystem", "State",
	    "#Time", "Reason" };
	char duration[32];

	if (r->compaction_count == 0)
		return;
	buf_addstr(b, "<section><h2>Compaction</h2>\n");
	begin(b, "compactions", "The DSS targets that were compacted after "
	    "this run", names, ARRAY_LEN(names));
	for (size_t i = 0; i < r->compaction_count; i++) {
		const struct report_compaction *c = &r->compactions[i];

		buf_addstr(b, "<tr><th scope=\"row\">");
		add_path(b, c->target);
		buf_addstr(b, "</th><td class=\"path\">");
		html_text(b, c->nqn == NULL ? "" : c->nqn);
		buf_addstr(b, "</td><td>");
		html_text(b, c->state);
		buf_addstr(b, "</td><td class=\"n\">");
		html_text(b, text_duration(c->seconds, duration));
		buf_addstr(b, "</td><td class=\"path\">");
		html_text(b, c->reason == NULL ? "" : c->reason);
		buf_addstr(b, "</td></tr>\n");
	}
	end(b);
	buf_addstr(b, "</section>\n");
}

void
html_slowest(const struct report *r, struct buf *b)
{
	static const char *const names[] = { "File", "#Size", "#Time",
	    "#Rate", "#Requests" };
	char duration[32], rate[32];

	if (r->slowest_count == 0)
		return;
	buf_addstr(b, "<section><h2>Slowest files</h2>\n");
	begin(b, "slowest", "Of those that were moved, from the beginning of "
	    "the transfer to the store's answer", names, ARRAY_LEN(names));
	for (size_t i = 0; i < r->slowest_count; i++) {
		const struct report_object *o = &r->slowest[i];

		buf_addstr(b, "<tr><th scope=\"row\" class=\"path\">");
		add_path(b, o->path);
		buf_addstr(b, "</th><td class=\"n\">");
		html_bytes(b, o->size);
		buf_addf(b, "</td><td class=\"n\">%s</td><td class=\"n\">%s"
		    "</td><td class=\"n\">", text_duration(o->seconds,
		    duration), text_byte_rate(o->seconds > 0 ?
		    (double)o->size / o->seconds : 0, rate));
		html_count(b, o->attempts);
		buf_addstr(b, "</td></tr>\n");
	}
	end(b);
	buf_addstr(b, "</section>\n");
}

static void
add_kinds(const struct report *r, struct buf *b)
{
	struct chart c = { .id = "kinds", .title = "Failures by kind",
	    .unit = "", .number = chart_count };
	struct chart_row rows[REPORT_KINDS];

	for (size_t i = 0; i < r->kind_count; i++)
		rows[i] = (struct chart_row){ .name = r->kinds[i].name,
		    .value = (double)r->kinds[i].count, .class = "bad" };
	chart_rows(b, &c, rows, r->kind_count);
}

static void
add_failures(const struct report *r, struct buf *b)
{
	static const char *const names[] = { "Path", "Kind", "Reason",
	    "#Attempts", "When" };

	buf_addf(b, "<details%s><summary>Each path, and why</summary>\n",
	    r->failed_count <= OPEN_MAX_ROWS ? " open=\"open\"" : "");
	begin(b, "failures", "In the order of the paths", names,
	    ARRAY_LEN(names));
	for (size_t i = 0; i < r->failed_count; i++) {
		const struct report_failure *f = &r->failed[i];

		buf_addstr(b, "<tr><th scope=\"row\" class=\"path\">");
		add_path(b, f->path);
		if (strcmp(f->what, "directory") == 0)
			buf_addstr(b, " (directory)");
		buf_addstr(b, "</th><td>");
		html_text(b, f->kind);
		buf_addstr(b, "</td><td class=\"path\">");
		add_path(b, f->reason);
		buf_addstr(b, "</td><td class=\"n\">");
		html_count(b, f->attempts);
		buf_addstr(b, "</td><td class=\"soft\">");
		html_time(b, f->time);
		buf_addstr(b, "</td></tr>\n");
	}
	end(b);
	buf_addstr(b, "</details>\n");
}

void
html_failed(const struct report *r, struct buf *b)
{
	char shown[32];

	if (r->failed_all == 0)
		return;
	buf_addstr(b, "<section><h2>What failed</h2>\n<p class=\"note\">");
	html_count(b, r->failed_all);
	buf_addf(b, " path%s. The next run tries again what is still failed."
	    "</p>\n", r->failed_all == 1 ? "" : "s");
	add_kinds(r, b);
	add_failures(r, b);
	if (r->failed_all > r->failed_count)
		buf_addf(b, "<p class=\"note\">The first %s are shown. All "
		    "of them: <code>datamover sql &quot;SELECT * FROM "
		    "failure_log WHERE run BETWEEN %jd AND %jd&quot;</code>"
		    "</p>\n", text_count(r->failed_count, shown),
		    (intmax_t)r->run.crawl, (intmax_t)r->run.run);
	buf_addstr(b, "</section>\n");
}

static void
add_run(const struct report_run *u, bool this, struct buf *b)
{
	const uint64_t counts[] = { u->totals.found, u->totals.moved,
	    u->totals.unchanged, u->totals.failed };
	char duration[32];

	buf_addf(b, "<tr%s><th scope=\"row\">%jd</th><td>",
	    this ? " class=\"this\"" : "", (intmax_t)u->run);
	html_text(b, u->operation);
	buf_addstr(b, "</td><td>");
	html_time(b, u->started);
	buf_addstr(b, "</td><td>");
	html_text(b, u->state);
	buf_addf(b, "</td><td class=\"n\">%s</td>",
	    text_duration(u->seconds, duration));
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		buf_addstr(b, "<td class=\"n\">");
		html_count(b, counts[i]);
		buf_addstr(b, "</td>");
	}
	buf_addstr(b, "<td class=\"n\">");
	html_bytes(b, u->totals.bytes);
	buf_addstr(b, "</td></tr>\n");
}

void
html_runs(const struct report *r, struct buf *b)
{
	static const char *const names[] = { "Run", "Operation", "Started",
	    "State", "#Time", "#Found", "#Moved", "#Unchanged", "#Failed",
	    "#Bytes" };

	if (r->run_count < 2)
		return;
	buf_addstr(b, "<section><h2>This run and those before it</h2>\n");
	begin(b, "runs", "Of the same target, the newest first", names,
	    ARRAY_LEN(names));
	for (size_t i = 0; i < r->run_count; i++)
		add_run(&r->runs[i], i == 0, b);
	end(b);
	buf_addstr(b, "</section>\n");
}
