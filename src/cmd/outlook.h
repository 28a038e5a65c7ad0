/*
 * outlook.h: the last success and the last failure of the attempts to run, and
 * what monitoring makes of them (status --max-age).
 */
#ifndef CMD_OUTLOOK_H
#define CMD_OUTLOOK_H

#include "base/buf.h"
#include "db/view.h"

/* The exit statuses of status --max-age, as promised by datamover(1). */
enum outlook_verdict {
	OUTLOOK_FINE = 0,
	OUTLOOK_OLD,		/* the last success is too old, or there is
				   none */
	OUTLOOK_FAILED		/* the last attempt that has ended failed */
};

struct outlook_run {
	int64_t	 run;		/* 0: there is none */
	int64_t	 ended_sec;	/* since 1970 */
	char	*text;		/* for people */
	char	*json;		/* an object */
};
struct outlook {
	struct outlook_run success;
	struct outlook_run failure;
};

/* operation: one of those of op_name, or NULL for all. in_use: a master holds
 * the catalog: the attempt that shows as running has not ended. */
int	 outlook_read(struct outlook *, struct catalog_view *,
	    const char *operation, bool in_use, struct err *) MUST_USE;
void	 outlook_release(struct outlook *);
enum outlook_verdict outlook_judge(const struct outlook *, int64_t now_sec,
	    uint64_t max_age_sec);
/* "fine", "old", "failed" */
const char *outlook_word(enum outlook_verdict);

#endif
