/*
 * report_internal.h: what the formats of a report share. Each writes a whole
 * report into a buffer.
 */
#ifndef REPORT_REPORT_INTERNAL_H
#define REPORT_REPORT_INTERNAL_H

#include "report/report.h"

void	 report_text(const struct report *, struct buf *);
void	 report_json(const struct report *, struct buf *);
void	 report_csv(const struct report *, struct buf *);
void	 report_html(const struct report *, struct buf *);

/* Per second of the run; 0 for a run that took no time. */
double	 report_rate(const struct report_run *, uint64_t);

#endif
