/*
 * html.h: the parts of the HTML page written by report_html.
 */
#ifndef REPORT_HTML_H
#define REPORT_HTML_H

#include "report/charts.h"
#include "report/report_internal.h"

/* The text of <style> in pieces, NULL after the last: the text holds no '<' and
 * no '&'. */
extern const char *const html_style[];

/* A number with its exact value for machines: <data
 * value="1234">1,234</data>. */
void	 html_count(struct buf *, uint64_t);
void	 html_bytes(struct buf *, uint64_t);

/* "2026-11-22T12:00:00Z" as 2026-11-22 12:00:00. */
void	 html_time(struct buf *, const char *);

/* A file name, set apart from the direction of the text around it. */
void	 html_path(struct buf *, const char *);

/* A table: after begin the cells of its rows, left to right. Names that begin
 * with '#' are of columns of numbers, with '/' of long texts. On a narrow page
 * each row is a paragraph, and the name stands before the cell. */
struct html_table {
	struct buf *b;
	const char *const *names;
	size_t	 count;
	size_t	 column;	/* of the next cell */
	bool	 marked;	/* the next row is the one that matters */
};
void	 html_table_begin(struct html_table *, struct buf *, const char *id,
	    const char *caption, const char *const *names, size_t count);
void	 html_table_end(struct html_table *);
/* text may be NULL: an empty cell. */
void	 html_cell_text(struct html_table *, const char *text);
void	 html_cell_count(struct html_table *, uint64_t);
void	 html_cell_bytes(struct html_table *, uint64_t);

/* The meaning of each colour of a chart, with its number. */
void	 html_key(struct buf *, const char *id, const struct chart_row *,
	    const uint64_t *numbers, size_t count, uint64_t whole);

/* What the journal tells (html_past.c): the verdicts that the run gave, what it
 * has deleted, what the target held then, after each of the last runs, and
 * now. */
void	 html_found(const struct report *, struct buf *);
void	 html_deleted(const struct report *, struct buf *);
void	 html_held(const struct report *, struct buf *);
void	 html_growth(const struct report *, struct buf *);
void	 html_now(const struct report *, struct buf *);

/* Tables: clients, compactions, slowest, failed, runs. */
void	 html_clients(const struct report *, struct buf *);
void	 html_compactions(const struct report *, struct buf *);
void	 html_slowest(const struct report *, struct buf *);
void	 html_failed(const struct report *, struct buf *);
void	 html_runs(const struct report *, struct buf *);

#endif
