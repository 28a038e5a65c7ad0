/*
 * check_internal.h: what the parts of check share.
 */
#ifndef CHECK_CHECK_INTERNAL_H
#define CHECK_CHECK_INTERNAL_H

#include "target/plan.h"

enum check_result { CHECK_OK = 0, CHECK_WARN, CHECK_FAIL, CHECK__MAX };

struct check {
	const struct conf *conf;
	bool	 json;
	unsigned counts[CHECK__MAX];
};

/* Print one line. area: "s3"; subject: the thing looked at; todo: the advice
 * to the user, or NULL. */
void	 check_say(struct check *, enum check_result, const char *area,
	    const char *subject, const char *todo, const char *fmt, ...)
	    PRINTF_LIKE(6, 7);

/* Check catalog and log, and the space of their file systems. */
void	 check_local(struct check *);
/* Check each export: mount the export, list the root, read a file. */
void	 check_exports(struct check *, const struct run_plan *);
/* Check each endpoint, and the rights of the key in the bucket. */
void	 check_s3(struct check *);

/* What a run on several hosts needs: ports, key, clients, DSS targets. */
void	 check_hosts(struct check *);

#endif
