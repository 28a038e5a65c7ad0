/*
 * html.h: the parts of the HTML page written by report_html.
 */
#ifndef REPORT_HTML_H
#define REPORT_HTML_H

#include "report/charts.h"
#include "report/report_internal.h"

/* The text of <style>: the text holds no '<' and no '&'. */
extern const char html_style[];

/* A number with its exact value for machines: <data
 * value="1234">1,234</data>. */
void	 html_count(struct buf *, uint64_t);
void	 html_bytes(struct buf *, uint64_t);

/* "2026-11-22T12:00:00Z" as 2026-11-22 12:00:00. */
void	 html_time(struct buf *, const char *);

/* Tables: clients, compactions, slowest, failed, runs. */
void	 html_clients(const struct report *, struct buf *);
void	 html_compactions(const struct report *, struct buf *);
void	 html_slowest(const struct report *, struct buf *);
void	 html_failed(const struct report *, struct buf *);
void	 html_runs(const struct report *, struct buf *);

#endif
