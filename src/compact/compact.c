#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/signals.h"
#include "compact/compact_internal.h"
#include "report/text.h"

#define LOOK_MS		200	/* for signals */
#define TELL_MS		30000	/* people, that it goes on */

struct all {
	const struct conf *conf;
	const struct job *job;
	struct catalog *catalog;
	struct compact_end *end;
	struct compact_target *v;
	struct mailbox *in;
	_Atomic bool stop;
	size_t	 begun;		/* subsystems */
	size_t	 left;		/* targets */
	uint64_t start_ms;
	uint64_t told_ms;
};

static void
tell(const struct all *a, const struct compaction *c)
{
	static const char *const names[] = { "running", "done", "failed" };
	char target[300], nqn[300], reason[500], duration[32];

	str_escape(str_of(c->target), target, sizeof(target));
	str_escape(str_of(c->nqn), nqn, sizeof(nqn));
	log_event(c->state == COMPACTION_FAILED ? LOG_ERROR : LOG_INFO,
	    EVENT_COMPACTION,
	    LOG_WITH(LOG_SHOW_TEXT("target", c->target),
		LOG_SHOW_TEXT("nqn", c->nqn),
		LOG_SHOW_TEXT("state", names[c->state]),
		LOG_TEXT("reason", c->reason[0] == '\0' ? NULL : c->reason)),
	    "%s", c->reason);
	if (a->job->quiet || c->state == COMPACTION_FAILED)
		return;		/* the log has the failure already; --quiet
				   prints nothing */
	str_escape(str_of(c->reason), reason, sizeof(reason));
	if (c->state == COMPACTION_RUNNING)
		fprintf(stderr, "compaction of %s %s begins\n", target, nqn);
	else
		fprintf(stderr, "compaction of %s %s is done after %s\n",
		    target, nqn, text_duration(c->seconds, duration));
}

static void
take(struct all *a, const struct compaction *c)
{
	if (c->state == COMPACTION_RUNNING)
		a->begun++;
	else if (c->state == COMPACTION_DONE)
		a->end->done++;
	else
		a->end->failed++;
	catalog_put_compaction(a->catalog, c);
	tell(a, c);
}

static void
take_mail(struct all *a, struct mail *m)
{
	struct mail *next;

	for (; m != NULL; m = next) {
		next = m->next;
		if (m->type == MAIL_COMPACTED)
			a->left--;
		else
			take(a, &((struct compaction_mail *)m)->c);
		free(m);
	}
}

static void
tell_that_it_goes_on(struct all *a)
{
	uint64_t now = clock_mono_ms();
	char duration[32];

	if (a->job->quiet || now - a->told_ms < TELL_MS)
		return;
	a->told_ms = now;
	fprintf(stderr, "compaction: %zu of %zu subsystems are done after "
	    "%s\n", a->end->done, a->begun, text_duration(
	    (double)(now - a->start_ms) / 1000, duration));
}

static void
start(struct all *a, size_t i)
{
	struct compact_target *t = &a->v[i];
	struct compaction failed = { .state = COMPACTION_FAILED };
	int no;

	*t = (struct compact_target){ .conf = a->conf,
	    .t = &a->conf->dss_targets[i], .up = a->in, .stop = &a->stop };
	no = pthread_create(&t->thread, NULL, compact_target_main, t);
	t->started = no == 0;
	if (t->started) {
		a->left++;
		return;
	}
	snprintf(failed.target, sizeof(failed.target), "%s", t->t->host);
	snprintf(failed.reason, sizeof(failed.reason), "no thread: %s",
	    strerrordesc_np(no));
	take(a, &failed);
}

void
compact_run(const struct conf *conf, const struct job *job,
    struct catalog *catalog, struct compact_end *ret)
{
	struct all a = { .conf = conf, .job = job, .catalog = catalog,
	    .end = ret, .start_ms = clock_mono_ms() };

	*ret = (struct compact_end){ .done = 0 };
	if (!conf->general.compaction || conf->dss_target_count == 0 ||
	    job->dryrun) {
		log_event(LOG_DEBUG, EVENT_COMPACTION_PLAN,
		    LOG_WITH(LOG_SHOW_NUMBER("targets", conf->dss_target_count),
			LOG_SHOW_TEXT(
			    "wanted", conf->general.compaction ? "yes" : "no"),
			LOG_SHOW_TEXT("dryrun", job->dryrun ? "yes" : "no")),
		    "compaction of DSS targets");
		return;
	}
	a.told_ms = a.start_ms;
	a.in = mailbox_new(0);
	a.v = xcalloc(conf->dss_target_count, sizeof(*a.v));
	for (size_t i = 0; i < conf->dss_target_count; i++)
		start(&a, i);
	while (a.left > 0) {
		take_mail(&a, mailbox_wait(a.in, LOOK_MS));
		a.stop = a.stop || signals_waiting();
		tell_that_it_goes_on(&a);
	}
	for (size_t i = 0; i < conf->dss_target_count; i++)
		if (a.v[i].started)
			pthread_join(a.v[i].thread, NULL);
	free(a.v);
	mailbox_free(&a.in);
}
