#include "run/frame.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/signals.h"
#include "target/cluster_map.h"
#include "team/team.h"

#define TICK_MS		200

int
run_crew(struct crew **ret, const struct conf *c, const struct job *job,
    struct setup *s, struct mailbox *up, struct err *err)
{
	/* The cluster map was fetched after the setup was made. */
	if (cluster_map() != NULL && s->cluster_map == NULL)
		s->cluster_map = xstrdup(cluster_map()->json);
	return crew_wants_team(c, job) ? crew_team(ret, c, s, up, err) :
	    crew_local(ret, s, up, err);
}

void
run_not_begun(struct catalog *catalog, const struct run_info *run,
    const struct err *err)
{
	struct run_closing closing;

	if (catalog != NULL && run->run != 0 && catalog_end_run(catalog,
	    RUN_FAILED, err->msg, &closing, NULL) == -1)
		log_event(LOG_WARN, "catalog", "the run's end could not be "
		    "recorded");
}

int
run_wait_late(struct catalog *catalog, const struct run_info *run,
    struct err *err)
{
	uint64_t until = clock_mono_ms() + run->late_ms;

	if (run->late_ms == 0)
		return 0;
	log_event(LOG_WARN, "late_clients", "the master of an earlier run has "
	    "died: this run begins in %ju s, when nothing that its clients "
	    "have sent can arrive any more", (uintmax_t)run->late_ms / 1000);
	while (clock_mono_ms() < until)
		if (signals_wait(TICK_MS))
			return err_set(err, ERR_STOPPED, 0, "interrupted");
	return catalog_late_over(catalog, err);
}
