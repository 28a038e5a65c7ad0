/*
 * html_past.c: what the journal tells, as parts of the page.
 */
#include "report/html.h"
#include "report/text.h"

static const char *
class_of(enum verdict v)
{
	/* Of the last two the store is not to blame. */
	return v == VERDICT_OK ? "good" : v == VERDICT_CHANGED ||
	    v == VERDICT_UNREADABLE ? "warn" : "bad";
}

/* A bar of the verdicts, and their numbers; rest, if not NULL, is the name of
 * what has none. */
static void
add_verdicts(struct buf *b, const char *id, const char *title,
    const struct report_verdicts *verdicts, const char *rest, uint64_t whole)
{
	struct chart c = { .id = title, .title = "Verdicts", .unit = "",
	    .number = chart_count };
	struct chart_row v[VERDICT__MAX];
	uint64_t n[VERDICT__MAX], sum = 0;
	size_t count = 0;

	for (enum verdict k = VERDICT_OK; k < VERDICT__MAX; k++) {
		if (verdicts->count[k] == 0)
			continue;
		n[count] = verdicts->count[k];
		sum += n[count];
		v[count] = (struct chart_row){ .name = verdict_name(k),
		    .value = (double)n[count], .class = class_of(k) };
		count++;
	}
	if (rest != NULL) {
		n[count] = whole > sum ? whole - sum : 0;
		v[count] = (struct chart_row){ .name = rest,
		    .value = (double)n[count], .class = "empty" };
		count++;
	}
	buf_addstr(b, "<div class=\"stack\">");
	chart_stack(b, &c, v, count);
	buf_addstr(b, "</div>");
	html_key(b, id, v, n, count, whole);
}

void
html_found(const struct report *r, struct buf *b)
{
	uint64_t sum = 0;

	if (!r->tested)
		return;
	for (enum verdict v = VERDICT_OK; v < VERDICT__MAX; v++)
		sum += r->found.count[v];
	buf_addstr(b, "<section><h2>What this run found</h2>\n"
	    "<p class=\"note\">It looked at ");
	html_count(b, sum);
	buf_addf(b, " object%s. A verdict on an object whose file is to be put "
	    "again stays here.</p>\n", sum == 1 ? "" : "s");
	add_verdicts(b, "found", "found-chart", &r->found, NULL, sum);
	buf_addstr(b, "</section>\n");
}

void
html_deleted(const struct report *r, struct buf *b)
{
	uint64_t count = report_deleted(&r->run);

	if (count == 0)
		return;
	buf_addstr(b, "<section id=\"deleted\"><h2>What was deleted</h2>\n"
	    "<p class=\"note\">");
	html_count(b, count);
	buf_addf(b, " object%s at the target, by <b>", count == 1 ? "" : "s");
	html_text(b, r->run.user == NULL ? "a user who is not recorded" :
	    r->run.user);
	buf_addstr(b, "</b>");
	if (r->run.sudo_user != NULL) {
		buf_addstr(b, " (sudo by <b>");
		html_text(b, r->run.sudo_user);
		buf_addstr(b, "</b>)");
	}
	if (r->run.host != NULL) {
		buf_addstr(b, " on <b>");
		html_text(b, r->run.host);
		buf_addstr(b, "</b>");
	}
	if (r->run.command != NULL) {
		buf_addstr(b, " with <code>");
		html_text(b, r->run.command);
		buf_addstr(b, "</code>");
	}
	buf_addstr(b, ".</p>\n");
	if (r->deleted_count > 0)
		buf_addstr(b, "<ul class=\"paths\">\n");
	for (size_t i = 0; i < r->deleted_count; i++) {
		buf_addstr(b, "<li>");
		html_path(b, r->deleted[i]);
		buf_addstr(b, "</li>\n");
	}
	if (r->deleted_count > 0)
		buf_addstr(b, "</ul>\n");
	if (r->deleted_known > r->deleted_count)
		buf_addf(b, "<p class=\"note\">All that the catalog knew: "
		    "<code>datamover sql &quot;SELECT path FROM events WHERE "
		    "run = %jd AND kind = &#39;deleted&#39;&quot;</code></p>\n",
		    (intmax_t)r->run.run);
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

	for (size_t i = 0; i < REPORT_SIZES; i++) {
		const struct report_size *s = &r->sizes[i];

		v[i] = (struct chart_row){ .name = s->name,
		    .value = (double)s->stored, .class = "c1" };
		w[i] = (struct chart_row){ .name = s->name,
		    .value = (double)s->stored_bytes, .class = "c3" };
	}
	buf_addstr(b, "<div class=\"pair\"><div><h3>Files by size</h3>\n");
	chart_rows(b, &files, v, REPORT_SIZES);
	buf_addstr(b, "</div><div><h3>Bytes by size of file</h3>\n");
	chart_rows(b, &bytes, w, REPORT_SIZES);
	buf_addstr(b, "</div></div>\n");
}

void
html_held(const struct report *r, struct buf *b)
{
	const struct report_run *u = &r->run;

	buf_addstr(b, "<section id=\"held\"><h2>What the target held then"
	    "</h2>\n<p class=\"note\">");
	if (!u->held) {
		buf_addstr(b, "Not recorded: the journal of the catalog "
		    "began later, or has been pruned.</p></section>\n");
		return;
	}
	buf_addstr(b, u->ended == NULL ? "So far: " :
	    "When the run had ended: ");
	html_count(b, u->stored);
	buf_addf(b, " file%s, ", u->stored == 1 ? "" : "s");
	html_bytes(b, u->stored_bytes);
	buf_addstr(b, ", from this run and those before it.</p>\n");
	if (u->stored > 0)
		add_sizes(r, b);
	buf_addstr(b, "<h3>Verification</h3>\n<p class=\"note\">"
	    "Every stored file was acknowledged by the store with the digest "
	    "of the bytes that were read. Verified are those that TEST or GET "
	    "compared until then with what the store held, and found equal: ");
	html_count(b, r->verdicts.count[VERDICT_OK]);
	buf_addstr(b, " of ");
	html_count(b, u->stored);
	buf_addstr(b, ".</p>\n");
	add_verdicts(b, "verdicts", "verified", &r->verdicts,
	    "not verified yet", u->stored);
	buf_addstr(b, "</section>\n");
}

/* --- the runs before, and after --- */

void
html_growth(const struct report *r, struct buf *b)
{
	struct chart files = { .id = "growth-files",
	    .title = "Files at the target after each run", .unit = "",
	    .number = chart_count };
	struct chart bytes = { .id = "growth-bytes",
	    .title = "Bytes at the target after each run", .unit = "",
	    .number = chart_bytes, .binary = true };
	struct chart_column v[REPORT_RUNS], w[REPORT_RUNS];
	char labels[REPORT_RUNS][32];
	size_t n = 0;

	for (size_t i = r->run_count; i-- > 0; ) {
		const struct report_run *u = &r->runs[i];

		if (!u->held)
			continue;
		snprintf(labels[n], sizeof(labels[n]), "%jd",
		    (intmax_t)u->run);
		v[n] = (struct chart_column){ .label = labels[n],
		    .value = (double)u->stored };
		w[n] = (struct chart_column){ .label = labels[n],
		    .value = (double)u->stored_bytes };
		n++;
	}
	if (n < 2)
		return;
	buf_addf(b, "<section id=\"growth\"><h2>Growth</h2>\n"
	    "<p class=\"note\">What the target held after each of the last "
	    "%zu runs, by their numbers.</p>\n<div class=\"pair\"><div>"
	    "<h3>Files</h3>\n", n);
	chart_columns(b, &files, v, n, 1);
	buf_addstr(b, "</div><div><h3>Bytes</h3>\n");
	chart_columns(b, &bytes, w, n, 1);
	buf_addstr(b, "</div></div></section>\n");
}

void
html_now(const struct report *r, struct buf *b)
{
	const struct report_now *now = &r->now;
	char percent[16];

	if (now->run == 0)
		return;
	buf_addf(b, "<section id=\"now\"><h2>Now</h2>\n<p class=\"note\">"
	    "This run is not the last one of the target: that is run %jd. "
	    "When this page was made, the target held ", (intmax_t)now->run);
	html_count(b, now->stored);
	buf_addf(b, " file%s, ", now->stored == 1 ? "" : "s");
	html_bytes(b, now->stored_bytes);
	buf_addstr(b, ", of which ");
	html_count(b, now->verified);
	buf_addf(b, " (%s) are verified.", text_percent(now->verified,
	    now->stored, percent));
	if (now->kept > 0) {
		buf_addstr(b, " Of what this run has stored, ");
		html_count(b, now->kept);
		buf_addf(b, " file%s there still.", now->kept == 1 ? " is" :
		    "s are");
	}
	buf_addstr(b, "</p></section>\n");
}
