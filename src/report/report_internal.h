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

/* How the run has ended, in a word or some: "PASSED", "complete, with
 * failures". *ret_class: "good", "warn" or "bad"; ret_class may be NULL. */
const char *report_verdict(const struct report_run *,
	    const char **ret_class);
/* How many objects the run has deleted at the target. */
uint64_t report_deleted(const struct report_run *);
/* True if failures of the run were pruned, and are not told. */
bool	 report_lacks_failures(const struct report *);
/* Collect what the journal tells; the run and those before it, and the steps of
 * time, are there. */
int	 report_state(struct report *, struct db *, struct err *) MUST_USE;

/* Per second of the run; 0 for a run that took no time. */
double	 report_rate(const struct report_run *, uint64_t);

#endif
