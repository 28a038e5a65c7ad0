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

/* One line. area: "s3"; subject: what was looked at; todo: what to do about
 * it, or NULL. */
void	 check_say(struct check *, enum check_result, const char *area,
	    const char *subject, const char *todo, const char *fmt, ...)
	    PRINTF_LIKE(6, 7);

/* Catalog, log, and the space where they live. */
void	 check_local(struct check *);
/* Each export: mount it, list its root, read a file of it. */
void	 check_exports(struct check *, const struct run_plan *);
/* Each endpoint, and what we may do in the bucket. */
void	 check_s3(struct check *);

/* What a run on several hosts needs: ports, key, clients, DSS targets. */
void	 check_hosts(struct check *);

#endif
