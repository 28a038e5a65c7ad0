/*
 * charts.h: figures as inline SVG for a page that has the style of
 * html_style.c. Colours are classes ("c1", "good"): the style of the page
 * defines each colour. Each chart has a title and a description for readers who
 * don't see the drawing, and each mark has a text of its own that shows when
 * the mouse points at the mark.
 *
 * Pure: bytes into a buffer. Texts are escaped here.
 */
#ifndef REPORT_CHARTS_H
#define REPORT_CHARTS_H

#include "base/buf.h"

/* Text of a page: escaped for people first (control characters), then for
 * HTML and XML, attributes included. */
void	 html_text(struct buf *, const char *);

/* A number as a person reads it, without a unit of time. */
typedef const char *chart_number_fn(double, char out[48]);
const char *chart_count(double, char out[48]);
const char *chart_bytes(double, char out[48]);
/* Seconds as "30 s", "16 min", "1 h 04 min". */
const char *chart_time(double, char out[48]);

struct chart {
	const char *id;		/* of the page's ids: unique */
	const char *title;
	const char *unit;	/* behind the numbers: " a second" */
	chart_number_fn *number;
	bool	 binary;	/* steps of the axis are powers of 1024 */
};

/* Columns over time, the second value upon the first. */
struct chart_column {
	const char *label;	/* below the column; NULL: the time */
	double	 after;		/* seconds */
	double	 value;
	double	 second;	/* what failed; 0: none */
};
void	 chart_columns(struct buf *, const struct chart *,
	    const struct chart_column *, size_t count, double step);

/* Bars from the left, a line each. */
struct chart_row {
	const char *name;
	double	 value;
	const char *class;
};
void	 chart_rows(struct buf *, const struct chart *,
	    const struct chart_row *, size_t count);

/* One bar made of its parts, in the order of the rows. A part with a value
 * above 0 is always visible, however small. */
void	 chart_stack(struct buf *, const struct chart *,
	    const struct chart_row *, size_t count);

#endif
