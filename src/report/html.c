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

static const char *
badge_of(const struct report_run *u)
{
	if (strcmp(u->state, "complete") == 0)
		return u->totals.failed > 0 ? "warn" : "good";
	return strcmp(u->state, "failed") == 0 ? "bad" : "warn";
}

static void
add_title(const struct report *r, struct buf *b)
{
	const struct report_run *u = &r->run;
	bool but = strcmp(u->state, "complete") == 0 && u->totals.failed > 0;

	buf_addstr(b, "<header><h1>");
	html_text(b, u->operation);
	buf_addf(b, " run %jd <span class=\"badge %s\">",
	    (intmax_t)u->run, badge_of(u));
	html_text(b, u->state);
	buf_addf(b, "%s</span></h1>\n<p>Into <b>", but ? ", with failures" :
	    "");
	html_text(b, u->target);
	buf_addstr(b, "</b></p>\n<p class=\"soft\">");
	html_time(b, u->started);
	buf_addstr(b, " to ");
	html_time(b, u->ended == NULL ? "now" : u->ended);
	buf_addstr(b, " UTC");
	if (u->crawl < u->run)
		buf_addf(b, ". Continues run %jd, which was cut.",
		    (intmax_t)u->crawl);
	buf_addstr(b, "</p>\n");
	if (u->reason != NULL && u->reason[0] != '\0') {
		buf_addstr(b, "<p>Ended by: ");
		html_text(b, u->reason);
		buf_addstr(b, "</p>\n");
	}
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
		{ "GET", "files fetched" }, { "DEL", "objects deleted" },
		{ "TEST", "files found equal" },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(operation, words[i][0]) == 0)
			return words[i][1];
	return "files moved";
}

static void
add_tiles(const struct report *r, struct buf *b)
{
	const struct totals *t = &r->run.totals;
	char text[48], count[32], percent[16];

	buf_addstr(b, "<ul class=\"tiles\">\n");
	add_tile(b, "", text_count(t->moved, count),
	    done_word(r->run.operation));
	add_tile(b, "", units_format(t->bytes, text), "their size");
	add_tile(b, "", text_duration(r->run.seconds, text), "run time");
	add_tile(b, "", text_byte_rate(report_rate(&r->run, t->bytes), text),
	    "on average");
	add_tile(b, t->failed > 0 ? "bad" : "", text_count(t->failed, count),
	    "failed");
	add_tile(b, "", text_percent(r->verified, r->stored, percent),
	    "verified");
	buf_addstr(b, "</ul>\n");
}

/* The meaning of each colour of a chart, with its number. */
static void
add_key(struct buf *b, const char *id, const struct chart_row *v,
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

static void
add_totals(const struct report *r, struct buf *b)
{
	const struct totals *t = &r->run.totals;
	const uint64_t n[] = { t->moved, t->unchanged, t->excluded, t->failed,
	    t->pending };
	struct chart_row v[] = { { "moved", 0, "c1" }, { "unchanged", 0, "c2" },
	    { "excluded", 0, "idle" }, { "failed", 0, "bad" },
	    { "pending", 0, "warn" } };
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
	add_key(b, "parts", v, n, count, t->found);
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
add_sizes(const struct report *r, struct buf *b)
{
	struct chart files = { .id = "files-by-size",
	    .title = "Stored files by size", .unit = "",
	    .number = chart_count };
	struct chart bytes = { .id = "bytes-by-size",
	    .title = "Stored bytes by size of file", .unit = "",
	    .number = chart_bytes };
	struct chart_row v[REPORT_SIZES], w[REPORT_SIZES];

	if (r->stored == 0)
		return;
	for (size_t i = 0; i < REPORT_SIZES; i++) {
		const struct report_size *s = &r->sizes[i];

		v[i] = (struct chart_row){ .name = s->name,
		    .value = (double)s->stored, .class = "c1" };
		w[i] = (struct chart_row){ .name = s->name,
		    .value = (double)s->stored_bytes, .class = "c3" };
	}
	buf_addstr(b, "<section><h2>Sizes</h2>\n<p class=\"note\">The target "
	    "holds ");
	html_count(b, r->stored);
	buf_addstr(b, " files, ");
	html_bytes(b, r->stored_bytes);
	buf_addstr(b, ", from this run and those before it.</p>\n"
	    "<div class=\"pair\"><div><h3>Files</h3>\n");
	chart_rows(b, &files, v, REPORT_SIZES);
	buf_addstr(b, "</div><div><h3>Bytes</h3>\n");
	chart_rows(b, &bytes, w, REPORT_SIZES);
	buf_addstr(b, "</div></div></section>\n");
}

static const char *
verdict_class(const char *verdict)
{
	if (strcmp(verdict, "ok") == 0)
		return "good";
	/* Of these the store is not to blame. */
	if (strcmp(verdict, "changed") == 0 ||
	    strcmp(verdict, "unreadable") == 0)
		return "warn";
	return "bad";
}

static void
add_verified(const struct report *r, struct buf *b)
{
	struct chart_row v[REPORT_VERDICTS + 1];
	uint64_t n[REPORT_VERDICTS + 1];
	size_t count = 0;
	struct chart c = { .id = "verified", .title = "Verification of what "
	    "the target holds", .unit = "", .number = chart_count };

	for (; count < r->verdict_count; count++) {
		n[count] = r->verdicts[count].count;
		v[count] = (struct chart_row){ .name =
		    r->verdicts[count].name, .value = (double)n[count],
		    .class = verdict_class(r->verdicts[count].name) };
	}
	n[count] = r->stored > r->judged ? r->stored - r->judged : 0;
	v[count] = (struct chart_row){ .name = "not verified yet",
	    .value = (double)n[count], .class = "empty" };
	count++;
	buf_addstr(b, "<section><h2>Verification</h2>\n<p class=\"note\">"
	    "Every stored file was acknowledged by the store with the digest "
	    "of the bytes that were read. Verified are those that TEST "
	    "compared since with what the store holds, and found equal: ");
	html_count(b, r->verified);
	buf_addstr(b, " of ");
	html_count(b, r->stored);
	buf_addstr(b, ".</p>\n<div class=\"stack\">");
	chart_stack(b, &c, v, count);
	buf_addstr(b, "</div>");
	add_key(b, "verdicts", v, n, count, r->stored);
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
	if (r->run.command != NULL) {
		buf_addstr(b, " The command was <code>");
		html_text(b, r->run.command);
		buf_addstr(b, "</code>.");
	}
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
	add_totals(r, b);
	html_failed(r, b);
	add_times(r, b);
	add_sizes(r, b);
	html_clients(r, b);
	html_compactions(r, b);
	html_slowest(r, b);
	add_verified(r, b);
	html_runs(r, b);
	add_foot(r, b);
}
