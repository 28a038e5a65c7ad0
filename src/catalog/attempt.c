/*
 * The row of an attempt to run, which begins before the run does.
 */
#include <unistd.h>

#include "base/clock.h"
#include "catalog/catalog_internal.h"

struct attempt {
	const struct run_spec *spec;
	int64_t	 run;
};

void
catalog_insert_attempt(struct writer *w, const struct run_spec *spec)
{
	static const struct run_who nobody = { .user = NULL };
	const struct run_who *who = spec->who != NULL ? spec->who : &nobody;

	/* A target that no run has used is not made known: the settings may
	 * be a mistake. */
	DB_RUN(&w->db, ATTEMPT_INSERT, TEXT(op_name(spec->op)),
	    INT(catalog_find_target(&w->db, spec)), TEXT(spec->command_line),
	    INT(getpid()), INT(clock_wall_ns()), TEXT(who->user),
	    TEXT(who->sudo_user), TEXT(who->host), TEXT(who->version),
	    spec->who == NULL ? NOTHING :
	    BLOB(who->settings, sizeof(who->settings)));
	w->attempt = db_last_id(&w->db);
}

static void
begin_attempt(struct catalog *c, void *arg)
{
	struct attempt *a = arg;

	writer_verified_dead(&c->writer);
	DB_RUN(&c->writer.db, RUNS_DIED, INT(0));
	catalog_insert_attempt(&c->writer, a->spec);
	a->run = c->writer.attempt;
}

int
catalog_begin_attempt(struct catalog *c, const struct run_spec *spec,
    int64_t *ret_run, struct err *err)
{
	struct attempt a = { .spec = spec };

	if (catalog_call(c, begin_attempt, &a, err) == -1)
		return -1;
	*ret_run = a.run;
	return 0;
}
