/*
 * html.c: a report as a page: a single file that loads nothing from elsewhere,
 * HTML that is well-formed XML too, no script.
 */
#include "base/units.h"
#include "report/html.h"
#include "report/text.h"

static void
add_head(const struct report *r, struct buf *b)
{
	buf_addstr(b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
	    "<meta charset=\"utf-8\"/>\n<meta name=\"viewport\" "
	    "content=\"width=device-width,initial-scale=1\"/>\n<title>");
	html_text(b, r->run.operation);
	buf_addf(b, " run %jd - datamover</title>\n<style>\n",
	    (intmax_t)r->run.run);
	for (const char *const *s = html_style; *s != NULL; s++)
		buf_addstr(b, *s);
	buf_addstr(b, "</style>\n</head>\n<body><main>\n");
}

/* Who gave the command, and where. */
static void
add_who(const struct report_run *u, struct buf *b)
{
	if (u->user == NULL && u->host == NULL)
		return;
	buf_addstr(b, "<p class=\"soft\">By <b>");
	html_text(b, u->user == NULL ? "?" : u->user);
	buf_addstr(b, "</b>");
	if (u->sudo_user != NULL) {
		buf_addstr(b, " (sudo by <b>");
		html_text(b, u->sudo_user);
		buf_addstr(b, "</b>)");
	}
	buf_addstr(b, " on <b>");
	html_text(b, u->host == NULL ? "?" : u->host);
	buf_addstr(b, "</b>");
	if (u->version != NULL) {
		buf_addstr(b, ", datamover ");
		html_text(b, u->version);
	}
	if (u->command != NULL) {
		buf_addstr(b, ": <code>");
		html_text(b, u->command);
		buf_addstr(b, "</code>");
	}
	buf_addstr(b, "</p>\n");
}

static void
add_title(const struct report *r, struct buf *b)
{
	const struct report_run *u = &r->run;
	const char *class, *verdict = report_verdict(u, &class);

	buf_addf(b, "<header><p id=\"verdict\" class=\"badge %s\">", class);
	html_text(b, verdict);
	buf_addstr(b, "</p>\n<h1>");
	html_text(b, u->operation);
	buf_addf(b, " run %jd</h1>\n", (intmax_t)u->run);
	if (u->reason != NULL && u->reason[0] != '\0') {
		buf_addf(b, "<p class=\"%s\" id=\"reason\">", class);
		html_text(b, u->reason);
		buf_addstr(b, "</p>\n");
	}
	buf_addstr(b, "<p>Target <b>");
	html_text(b, u->target);
	buf_addstr(b, "</b></p>\n<p class=\"soft\">");
	html_time(b, u->started);
	buf_addstr(b, " to ");
	if (u->ended == NULL)
		buf_addstr(b, "now");
	else
		html_time(b, u->ended);
	buf_addstr(b, " UTC");
	if (u->crawl < u->run)
		buf_addf(b, ". Continues run %jd, which was cut.",
		    (intmax_t)u->crawl);
	buf_addstr(b, "</p>\n");
	add_who(u, b);
	buf_addstr(b, "</header>\n");
}

static void
add_tile(struct buf *b, const char *class, const char *value,
    const char *what)
{
	buf_addf(b, "<li%s%s%s><b>%s</b><span>%s</span></li>\n",
	    class[0] != '\0' ? " class=\"" : "", class,
	    class[0] != '\0' ? "\"" : "", value, what);
}

/* What "moved" means for the operation. */
static const char *
done_word(const char *operation)
{
	static const char *const words[][2] = {
		{ "GET", "fetched" }, { "DEL", "deleted" },
		{ "TEST", "found equal" },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(operation, words[i][0]) == 0)
			return words[i][1];
	return "moved";
}

static void
add_tiles(const struct report *r, struct buf *b)
{
	const struct totals *t = &r->run.totals;
	char text[48], count[32];

	buf_addstr(b, "<ul class=\"tiles\">\n");
	add_tile(b, "", text_count(t->moved, count),
	    done_word(r->run.operation));
	add_tile(b, "", units_format(t->bytes, text), "their size");
	add_tile(b, "", text_duration(r->run.seconds, text), "run time");
	add_tile(b, "", text_byte_rate(report_rate(&r->run, t->bytes), text),
	    "on average");
	add_tile(b, t->failed > 0 ? "bad" : "", text_count(t->failed, count),
	    "failed");
	add_tile(b, "", !r->run.held ? "not recorded" :
	    units_format(r->run.stored_bytes, text), "at the target then");
	buf_addstr(b, "</ul>\n");
}

static void
add_totals(const struct report *r, struct buf *b)
{
	const struct totals *t = &r->run.totals;
	const uint64_t n[] = { t->moved, t->unchanged, t->excluded, t->failed,
	    t->pending };
	struct chart_row v[] = { { done_word(r->run.operation), 0, "c1" },
	    { "unchanged", 0, "c2" }, { "excluded", 0, "idle" },
	    { "failed", 0, "bad" }, { "pending", 0, "warn" } };
	/* Only a cut run has pending objects: leave out an empty row. */
	size_t count = ARRAY_LEN(v) - (t->pending == 0);
	struct chart c = { .id = "totals", .title = "What became of the files",
	    .unit = "", .number = chart_count };

	for (size_t i = 0; i < count; i++)
		v[i].value = (double)n[i];
	buf_addstr(b, "<section><h2>What became of the files</h2>\n"
	    "<p class=\"note\">Found ");
	html_count(b, t->found);
	buf_addf(b, " file%s, ", t->found == 1 ? "" : "s");
	html_bytes(b, t->found_bytes);
	/* A run that goes on with another may have read none. */
	if (t->dirs > 0) {
		buf_addstr(b, ", in ");
		html_count(b, t->dirs);
		buf_addf(b, " director%s", t->dirs == 1 ? "y" : "ies");
	}
	buf_addch(b, '.');
	if (t->gone > 0) {
		buf_addstr(b, " Gone from the source since the last run: ");
		html_count(b, t->gone);
		buf_addch(b, '.');
	}
	buf_addstr(b, "</p>\n<div class=\"stack\">");
	chart_stack(b, &c, v, count);
	buf_addstr(b, "</div>");
	html_key(b, "parts", v, n, count, t->found);
	buf_addstr(b, "</section>\n");
}

static void
add_time_table(const struct report *r, struct buf *b)
{
	static const char *const names[] = { "After", "#Moved", "#Failed",
	    "#Bytes" };
	struct html_table t;
	char after[48];

	buf_addstr(b, "<details><summary>The figures</summary>\n");
	html_table_begin(&t, b, "times", "Each step of time", names,
	    ARRAY_LEN(names));
	for (size_t i = 0; i < r->time_count; i++) {
		html_cell_text(&t, chart_time(r->times[i].after, after));
		html_cell_count(&t, r->times[i].moved);
		html_cell_count(&t, r->times[i].failed);
		html_cell_bytes(&t, r->times[i].bytes);
	}
	html_table_end(&t);
	buf_addstr(b, "</details>\n");
}

static void
add_times(const struct report *r, struct buf *b)
{
	struct chart bytes = { .id = "bytes", .title = "Bytes a second",
	    .unit = "/s", .number = chart_bytes, .binary = true };
	struct chart objects = { .id = "objects", .title = "Files a second",
	    .unit = "/s", .number = chart_count };
	struct chart_column v[REPORT_TIMES], w[REPORT_TIMES];
	bool any = false;
	char step[48];

	for (size_t i = 0; i < r->time_count; i++) {
		const struct report_time *t = &r->times[i];

		any |= t->moved + t->failed > 0;
		v[i] = (struct chart_column){ .after = t->after,
		    .value = (double)t->bytes / r->step };
		w[i] = (struct chart_column){ .after = t->after,
		    .value = (double)t->moved / r->step,
		    .second = (double)t->failed / r->step };
	}
	if (!any)
		return;
	buf_addf(b, "<section><h2>How fast it was</h2>\n<p class=\"note\">"
	    "A column is %s; a file counts when its transfer ended.</p>\n"
	    "<div class=\"pair\"><div><h3>Bytes a second</h3>\n",
	    chart_time(r->step, step));
	chart_columns(b, &bytes, v, r->time_count, r->step);
	buf_addstr(b, "</div><div><h3>Files a second, those that failed in "
	    "red</h3>\n");
	chart_columns(b, &objects, w, r->time_count, r->step);
	buf_addstr(b, "</div></div>\n");
	add_time_table(r, b);
	buf_addstr(b, "</section>\n");
}

static void
add_foot(const struct report *r, struct buf *b)
{
	buf_addstr(b, "<footer><p>Made by datamover at ");
	html_time(b, r->made);
	buf_addstr(b, " from the catalog <code>");
	html_text(b, r->catalog);
	buf_addstr(b, "</code>. Times are UTC; KiB, MiB and GiB are powers "
	    "of 1024.");
	buf_addf(b, " The same figures: <code>datamover sql &quot;SELECT * "
	    "FROM runs WHERE run = %jd&quot;</code>; the other views are in "
	    "datamover-catalog(5).</p></footer>\n</main></body>\n</html>\n",
	    (intmax_t)r->run.run);
}

void
report_html(const struct report *r, struct buf *b)
{
	add_head(r, b);
	add_title(r, b);
	add_tiles(r, b);
	html_found(r, b);
	add_totals(r, b);
	html_failed(r, b);
	html_deleted(r, b);
	add_times(r, b);
	html_held(r, b);
	html_growth(r, b);
	html_clients(r, b);
	html_compactions(r, b);
	html_slowest(r, b);
	html_runs(r, b);
	html_now(r, b);
	add_foot(r, b);
}
