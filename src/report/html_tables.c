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

void
html_path(struct buf *b, const char *path)
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

void
html_key(struct buf *b, const char *id, const struct chart_row *v,
    const uint64_t *numbers, size_t count, uint64_t whole)
{
	char percent[16];

	buf_addf(b, "<ul class=\"key\" id=\"%s\">\n", id);
	for (size_t i = 0; i < count; i++) {
		buf_addf(b, "<li><i class=\"%s\"></i>", v[i].class);
		html_text(b, v[i].name);
		buf_addch(b, ' ');
		html_count(b, numbers[i]);
		buf_addf(b, " <span>%s</span></li>\n",
		    text_percent(numbers[i], whole, percent));
	}
	buf_addstr(b, "</ul>\n");
}

/* --- cells --- */

static const char *
name_of(const struct html_table *t, size_t column)
{
	const char *name = t->names[column];

	return name + (name[0] == '#' || name[0] == '/');
}

static const char *
class_of(const struct html_table *t, size_t column)
{
	return t->names[column][0] == '#' ? " class=\"n\"" :
	    t->names[column][0] == '/' ? " class=\"path\"" : "";
}

void
html_table_begin(struct html_table *t, struct buf *b, const char *id,
    const char *caption, const char *const *names, size_t count)
{
	*t = (struct html_table){ .b = b, .names = names, .count = count };
	buf_addf(b, "<table id=\"%s\"><caption>", id);
	html_text(b, caption);
	buf_addstr(b, "</caption>\n<thead><tr>");
	for (size_t i = 0; i < count; i++)
		buf_addf(b, "<th scope=\"col\"%s>%s</th>", class_of(t, i),
		    name_of(t, i));
	buf_addstr(b, "</tr></thead>\n<tbody>\n");
}

void
html_table_end(struct html_table *t)
{
	buf_addstr(t->b, "</tbody></table>\n");
}

static void
cell(struct html_table *t)
{
	if (t->column == 0)
		buf_addf(t->b, "<tr%s>",
		    t->marked ? " class=\"this\"" : "");
	buf_addf(t->b, "<%s data-n=\"%s\"%s>",
	    t->column == 0 ? "th scope=\"row\"" : "td",
	    name_of(t, t->column), class_of(t, t->column));
}

static void
cell_end(struct html_table *t)
{
	buf_addstr(t->b, t->column == 0 ? "</th>" : "</td>");
	t->column++;
	if (t->column < t->count)
		return;
	buf_addstr(t->b, "</tr>\n");
	t->column = 0;
}

void
html_cell_text(struct html_table *t, const char *text)
{
	cell(t);
	html_text(t->b, text == NULL ? "" : text);
	cell_end(t);
}

static void
cell_path(struct html_table *t, const char *path)
{
	cell(t);
	html_path(t->b, path);
	cell_end(t);
}

void
html_cell_count(struct html_table *t, uint64_t n)
{
	cell(t);
	html_count(t->b, n);
	cell_end(t);
}

void
html_cell_bytes(struct html_table *t, uint64_t n)
{
	cell(t);
	html_bytes(t->b, n);
	cell_end(t);
}

static void
cell_time(struct html_table *t, const char *time)
{
	cell(t);
	html_time(t->b, time);
	cell_end(t);
}

/* --- lists --- */

void
html_clients(const struct report *r, struct buf *b)
{
	static const char *const names[] = { "Host", "State", "#Moved",
	    "#Failed", "#Bytes", "Last heard", "/Reason" };
	struct html_table t;

	if (r->client_count == 0)
		return;
	buf_addstr(b, "<section><h2>Clients</h2>\n");
	html_table_begin(&t, b, "clients", "The hosts that moved the data of "
	    "this run", names, ARRAY_LEN(names));
	for (size_t i = 0; i < r->client_count; i++) {
		const struct report_client *c = &r->clients[i];

		cell_path(&t, c->host);
		html_cell_text(&t, c->state);
		html_cell_count(&t, c->moved);
		html_cell_count(&t, c->failed);
		html_cell_bytes(&t, c->bytes);
		cell_time(&t, c->heard);
		html_cell_text(&t, c->reason);
	}
	html_table_end(&t);
	buf_addstr(b, "</section>\n");
}

void
html_compactions(const struct report *r, struct buf *b)
{
	static const char *const names[] = { "Target", "/Subsystem", "State",
	    "#Time", "/Reason" };
	struct html_table t;
	char duration[32];

	if (r->compaction_count == 0)
		return;
	buf_addstr(b, "<section><h2>Compaction</h2>\n");
	html_table_begin(&t, b, "compactions", "The DSS targets that were "
	    "compacted after this run", names, ARRAY_LEN(names));
	for (size_t i = 0; i < r->compaction_count; i++) {
		const struct report_compaction *c = &r->compactions[i];

		cell_path(&t, c->target);
		html_cell_text(&t, c->nqn);
		html_cell_text(&t, c->state);
		html_cell_text(&t, text_duration(c->seconds, duration));
		html_cell_text(&t, c->reason);
	}
	html_table_end(&t);
	buf_addstr(b, "</section>\n");
}

void
html_slowest(const struct report *r, struct buf *b)
{
	static const char *const names[] = { "/File", "#Size", "#Time",
	    "#Rate", "#Requests" };
	struct html_table t;
	char text[32];

	if (r->slowest_count == 0)
		return;
	buf_addstr(b, "<section><h2>Slowest files</h2>\n");
	html_table_begin(&t, b, "slowest", "Of those that were moved, from "
	    "the beginning of the transfer to the store's answer", names,
	    ARRAY_LEN(names));
	for (size_t i = 0; i < r->slowest_count; i++) {
		const struct report_object *o = &r->slowest[i];

		cell_path(&t, o->path);
		html_cell_bytes(&t, o->size);
		html_cell_text(&t, text_took(o->seconds, text));
		html_cell_text(&t, o->seconds > 0 ?
		    text_byte_rate((double)o->size / o->seconds, text) : "");
		html_cell_count(&t, o->attempts);
	}
	html_table_end(&t);
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
	static const char *const names[] = { "/Path", "Kind", "/Reason",
	    "#Attempts", "When" };
	struct html_table t;

	buf_addf(b, "<details%s><summary>Each path, and why</summary>\n",
	    r->failed_count <= OPEN_MAX_ROWS ? " open=\"open\"" : "");
	html_table_begin(&t, b, "failures", "In the order of the paths",
	    names, ARRAY_LEN(names));
	for (size_t i = 0; i < r->failed_count; i++) {
		const struct report_failure *f = &r->failed[i];

		cell(&t);
		html_path(b, f->path);
		if (strcmp(f->what, "directory") == 0)
			buf_addstr(b, " (directory)");
		cell_end(&t);
		html_cell_text(&t, f->kind);
		cell_path(&t, f->reason);
		if (f->time == NULL) {
			html_cell_text(&t, NULL);
			html_cell_text(&t, "not recorded");
			continue;
		}
		html_cell_count(&t, f->attempts);
		cell_time(&t, f->time);
	}
	html_table_end(&t);
	buf_addstr(b, "</details>\n");
}

void
html_failed(const struct report *r, struct buf *b)
{
	char shown[32];

	if (report_lacks_failures(r)) {
		buf_addstr(b, "<section id=\"pruned\"><h2>What failed, and "
		    "was pruned</h2>\n<p class=\"note\">");
		html_count(b, r->run.totals.failed - r->failed_all);
		buf_addstr(b, " of what failed is not told any more: it was "
		    "pruned from the catalog ");
		html_text(b, r->pruned);
		buf_addstr(b, ".</p></section>\n");
	}
	if (r->failed_all == 0)
		return;
	buf_addstr(b, "<section><h2>What failed</h2>\n<p class=\"note\">");
	html_count(b, r->failed_all);
	buf_addf(b, " path%s. The next run tries again what is still failed."
	    "</p>\n", r->failed_all == 1 ? "" : "s");
	if (r->failed_again > 0) {
		buf_addstr(b, "<p class=\"note\">Of ");
		html_count(b, r->failed_again);
		buf_addstr(b, " it is not recorded when they failed in this "
		    "run: the next run met the same.</p>\n");
	}
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
add_run(const struct report_run *u, struct html_table *t)
{
	char duration[32];

	cell(t);
	buf_addf(t->b, "%jd", (intmax_t)u->run);
	cell_end(t);
	html_cell_text(t, u->operation);
	cell_time(t, u->started);
	html_cell_text(t, report_verdict(u, NULL));
	html_cell_text(t, text_duration(u->seconds, duration));
	html_cell_count(t, u->totals.found);
	html_cell_count(t, u->totals.moved);
	html_cell_count(t, u->totals.unchanged);
	html_cell_count(t, u->totals.failed);
	html_cell_bytes(t, u->totals.bytes);
	if (u->held)
		html_cell_bytes(t, u->stored_bytes);
	else
		html_cell_text(t, "not recorded");
}

void
html_runs(const struct report *r, struct buf *b)
{
	static const char *const names[] = { "Run", "Operation", "Started",
	    "Verdict", "#Time", "#Found", "#Moved", "#Unchanged",
	    "#Failed", "#Bytes", "#Held" };
	struct html_table t;

	if (r->run_count < 2)
		return;
	buf_addstr(b, "<section><h2>This run and those before it</h2>\n");
	html_table_begin(&t, b, "runs", "Of the same target, the newest "
	    "first", names, ARRAY_LEN(names));
	for (size_t i = 0; i < r->run_count; i++) {
		t.marked = i == 0;
		add_run(&r->runs[i], &t);
	}
	html_table_end(&t);
	buf_addstr(b, "</section>\n");
}
