#include "frame/frame.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/log.h"
#include "base/silence.h"
#include "base/signals.h"
#include "db/keep.h"
#include "report/summary.h"
#include "frame/ended.h"
#include "frame/who.h"
#include "target/cluster_map.h"
#include "team/team.h"

#define STOP_LIMIT_MS	5000	/* time for work under way to end after a
				   stop */
#define BATCH		500	/* outcomes in one message */

/* --- the stop --- */

bool
run_stopped(const struct run *r)
{
	return r->failed || r->stop_signal != 0;
}

static void
stop(struct run *r, uint64_t limit_ms)
{
	if (r->ops->stop != NULL)
		r->ops->stop(r);
	if (r->crew != NULL)
		crew_stop(r->crew, limit_ms);
}

void
run_fail(struct run *r, const struct err *err)
{
	if (r->failed)
		return;
	r->failed = true;
	r->err = *err;
	stop(r, 0);
}

void
run_reason(struct run *r, const char *fmt, ...)
{
	va_list ap;

	if (r->reason[0] != '\0')
		return;
	va_start(ap, fmt);
	vsnprintf(r->reason, sizeof(r->reason), fmt, ap);
	va_end(ap);
}

static void
read_signals(struct run *r)
{
	for (int no; (no = signals_next(r->signals)) != 0;) {
		/* A second signal does not wait for the work under way. */
		bool again = r->stop_signal != 0;

		r->stop_signal = no;
		log_event(LOG_WARN, EVENT_STOPPING, NULL, "%s",
		    again ? "at once" :
			    "what is on the way may end within 5 s");
		stop(r, again ? 0 : STOP_LIMIT_MS);
	}
}

/* --- begin --- */

int
run_crew(struct run *r, const struct job *job, struct setup *s,
    struct err *err)
{
	/* The cluster map was fetched after the setup was made. */
	if (cluster_map() != NULL && s->cluster_map == NULL)
		s->cluster_map = xstrdup(cluster_map()->json);
	return crew_wants_team(r->conf, job) ?
	    crew_team(&r->crew, s, r->in, err) :
	    crew_local(&r->crew, s, r->in, err);
}

static int
wait_late(const struct run *r, struct err *err)
{
	uint64_t until = clock_mono_ms() + r->info.late_ms;

	if (r->info.late_ms == 0)
		return 0;
	log_event(LOG_WARN, EVENT_LATE_CLIENTS,
	    LOG_WITH(LOG_NUMBER("seconds", r->info.late_ms / 1000)),
	    "the master of an earlier run has "
	    "died: this run begins in %ju s, when nothing that its clients "
	    "have sent can arrive any more",
	    (uintmax_t)r->info.late_ms / 1000);
	while (clock_mono_ms() < until)
		if (signals_wait(RUN_TICK_MS))
			return err_set(err, ERR_STOPPED, 0, "interrupted");
	return catalog_late_over(r->catalog, err);
}

/* Tell at once if this run goes on with an earlier crawl: the run won't see
 * later changes in directories that are not read again. */
static void
tell_begin(const struct run *r)
{
	const struct run_info *run = &r->info;
	const char *command = r->job->command_line;
	char since[32], text[160];

	log_event(LOG_INFO, EVENT_RUN_BEGIN,
	    LOG_WITH(LOG_TEXT("operation", op_name(r->job->op)),
		LOG_TEXT("command", command)),
	    "%" PRId64 " begins: %s", run->run, command == NULL ? "" : command);
	if (!run->continued)
		return;
	clock_iso8601(run->since_ns / 1000000000, since);
	snprintf(text, sizeof(text), "goes on with run %" PRId64 ", which was "
	    "cut, begun %s: %" PRIu64 " director%s not read again "
	    "(--fresh reads all)", run->crawl, since, run->dirs_kept,
	    run->dirs_kept == 1 ? "y is" : "ies are");
	if (!r->job->quiet)
		fprintf(stderr, "%s\n", text);
	log_event(LOG_INFO, EVENT_RUN_CONTINUES,
	    LOG_WITH(LOG_NUMBER("crawl", run->crawl), LOG_TEXT("since", since),
		LOG_NUMBER("dirs", run->dirs_kept)),
	    "%" PRId64 " %s", run->run, text);
}

static int
keep_former(const struct run *r, struct err *err)
{
	AUTOFREE char *name = NULL;

	if (r->job->no_keep)
		return 0;
	if (catalog_keep_former(r->conf->catalog.path, &name, err) == -1)
		return -1;
	if (name == NULL)
		return 0;
	if (!r->job->quiet)
		fprintf(stderr, "the catalog is of an earlier version: it is "
		    "brought up to date, and kept as %s\n", name);
	log_event(LOG_INFO, EVENT_FORMER_CATALOG,
	    LOG_WITH(LOG_TEXT("path", name)), "the catalog of before is kept "
	    "as %s", name);
	return 0;
}

/* An older catalog is told from the one that was here last. */
static void
tell_older(const struct run *r)
{
	int64_t run = catalog_older_than(r->catalog);

	if (run != 0)
		log_event(LOG_WARN, EVENT_OLDER_CATALOG,
		    LOG_WITH(LOG_TEXT("path", r->conf->catalog.path),
			LOG_NUMBER("last", (uint64_t)run)),
		    "catalog %s is an older copy, or another one: the catalog "
		    "that was here had come as far as run %jd; this one "
		    "counts as restored, and before PUT sends or deletes "
		    "anything, it asks the bucket what it has got since",
		    r->conf->catalog.path, (intmax_t)run);
}

int
run_attempt(struct run *r, struct err *err)
{
	struct run_spec spec = { .op = r->job->op,
	    .command_line = r->job->command_line };
	struct who who;

	if (r->job->dryrun || r->tried)
		return 0;
	r->tried = true;
	who_is_it(&who, r->conf);
	spec.who = &who.row;
	plan_target(&spec, r->conf);
	if (keep_former(r, err) == -1 ||
	    catalog_open(&r->catalog, r->conf->catalog.path, r->in,
	    err) == -1)
		return -1;
	tell_older(r);
	if (catalog_begin_attempt(r->catalog, &spec, &r->attempt, err) == -1)
		return -1;
	log_set_run(r->attempt);
	return 0;
}

int
run_begin(struct run *r, struct run_spec *spec, struct err *err)
{
	spec->op = r->job->op;
	spec->command_line = r->job->command_line;
	spec->late_ms = crew_late_ms(r->conf, r->job);
	plan_target(spec, r->conf);
	spec->new_target = r->job->new_target;
	if (run_attempt(r, err) == -1 ||
	    catalog_begin_run(r->catalog, spec, &r->info, err) == -1)
		return -1;
	tell_begin(r);
	return r->job->dryrun ? 0 : wait_late(r, err);
}

/* --- the bucket --- */

int
run_s3(struct run *r, struct err *err)
{
	struct s3_config c = plan_s3(r->conf);

	return r->s3 != NULL ? 0 : s3_new(&r->s3, &c, err);
}

int
run_list_bucket(struct run *r, bool ordered, struct err *err)
{
	struct source_config c = { .conf = r->conf, .job = r->job,
	    .reader = r->reader, .ordered = ordered, .up = r->in };

	r->listed = false;
	return source_start(&r->source, &c, err);
}

static void
add_page(struct run *r, struct source_page *p)
{
	struct source_page **tail = &r->pages;

	while (*tail != NULL)
		tail = (struct source_page **)(void *)&(*tail)->mail.next;
	p->mail.next = NULL;
	*tail = p;
}

struct source_page *
run_page(struct run *r)
{
	return run_stopped(r) ? NULL : r->pages;
}

void
run_page_used(struct run *r)
{
	struct source_page *p = r->pages;

	r->pages = (struct source_page *)(void *)p->mail.next;
	r->listed = p->end;
	if (p->end && p->err.kind != ERR_NONE)
		run_fail(r, &p->err);
	source_page_free(r->source, &p);
}

static void
stop_listing(struct run *r)
{
	source_free(&r->source);
	for (struct source_page *p; (p = r->pages) != NULL;) {
		r->pages = (struct source_page *)(void *)p->mail.next;
		source_page_free(NULL, &p);
	}
}

/* --- outcomes --- */

static void
flush(struct run *r)
{
	struct outcomes *b = STEAL(r->batch);

	if (b == NULL)
		return;
	if (r->catalog == NULL)
		outcomes_free(&b);
	else
		catalog_put_outcomes(r->catalog, b);
}

void
run_outcome(struct run *r, const struct outcome_row *row)
{
	if (r->batch == NULL) {
		r->batch = xcalloc(1, sizeof(*r->batch));
		r->batch->v = xcalloc(BATCH, sizeof(*r->batch->v));
	}
	r->batch->v[r->batch->count++] = *row;
	if (r->batch->count == BATCH)
		flush(r);
}

/* --- the loop --- */

/* Mail that nobody waits for any more. */
static void
drop(struct mail *mail)
{
	void *msg = mail;

	switch (mail->type) {
	case MAIL_LEASE:
		lease_free(&(struct lease *){ msg });
		break;
	case MAIL_UPLOAD:
	case MAIL_UPLOAD_NOTED:
		upload_note_free(&(struct upload_note *){ msg });
		break;
	case MAIL_DELETE_NOTED:
		outcomes_free(&(struct outcomes *){ msg });
		break;
	case MAIL_FETCHED:
		fetch_item_free(&(struct fetch_item *){ msg });
		break;
	case MAIL_SOURCE_PAGE:
		source_page_free(NULL, &(struct source_page *){ msg });
		break;
	default:
		free(msg);
	}
}

static void
take_mail(struct run *r)
{
	struct mail *mail = mailbox_take(r->in), *next;

	for (; mail != NULL; mail = next) {
		void *msg = mail;

		next = mail->next;
		if (mail->type == MAIL_SOURCE_PAGE && r->source != NULL) {
			add_page(r, msg);
			continue;
		}
		if (r->ops->mail(r, mail))
			continue;
		if (mail->type == MAIL_CATALOG_FAILED)
			run_fail(r, &((struct catalog_failure *)msg)->err);
		else if (mail->type == MAIL_CREW_FAILED)
			run_fail(r, &((struct crew_failure *)msg)->err);
		drop(mail);
	}
	flush(r);
}

static void
show(struct run *r)
{
	struct totals t = { .found = 0 };
	bool done;

	if (r->monitor == NULL)
		return;
	done = r->ops->progress(r, &t);
	monitor_update(r->monitor, r->crew, r->catalog, &t, done,
	    clock_mono_ms());
}

void
run_turn(struct run *r, int timeout_ms)
{
	struct pollfd fds[2] = {
		{ .fd = mailbox_fd(r->in), .events = POLLIN },
		{ .fd = r->signals, .events = POLLIN },
	};

	if (r->s3 != NULL)
		s3_wait(r->s3, fds, ARRAY_LEN(fds), timeout_ms);
	else
		(void)poll(fds, ARRAY_LEN(fds), timeout_ms);
	take_mail(r);
	read_signals(r);
	show(r);
	silence_watch(clock_mono_ms());
}

bool
run_s3_wait(struct run *r)
{
	while (s3_pending(r->s3) > 0 && !run_stopped(r))
		run_turn(r, RUN_TICK_MS);
	if (run_stopped(r))
		s3_free(&r->s3);
	return !run_stopped(r);
}

/* A run may have several crews, one after the other. */
static void
keep_stats(struct run *r)
{
	struct crew_stats s = { .bytes_read = 0 };

	if (r->crew == NULL)
		return;
	crew_stats(r->crew, &s);
	r->stats.s3.requests += s.s3.requests;
	r->stats.s3.retries += s.s3.retries;
	r->stats.s3.slowdowns += s.s3.slowdowns;
	r->stats.s3.bytes_sent += s.s3.bytes_sent;
	r->stats.s3.bytes_received += s.s3.bytes_received;
	r->stats.bytes_read += s.bytes_read;
}

void
run_loop(struct run *r, bool (*step)(void *arg), void *arg)
{
	while (!run_stopped(r) && !(step(arg) && r->out == 0))
		run_turn(r, RUN_TICK_MS);
	/* Stopped by a signal: a second signal must be seen meanwhile. */
	while (r->stop_signal != 0 && !r->failed && r->crew != NULL &&
	    !crew_idle(r->crew))
		run_turn(r, RUN_TICK_MS);
	stop_listing(r);
	monitor_clients(r->monitor, r->crew, r->catalog);
	keep_stats(r);
	crew_free(&r->crew);
	take_mail(r);
}

size_t
run_room(const struct run *r)
{
	size_t backlog, enough;

	if (r->crew == NULL)
		return SIZE_MAX;
	backlog = crew_backlog(r->crew);
	enough = crew_enough(r->crew);
	return backlog < enough ? enough - backlog : 0;
}

/* --- the end --- */

static int
status_of(const struct run *r)
{
	const struct run_closing *c = &r->closing;

	if (r->stop_signal != 0)
		return exit_status_signal(r->stop_signal);
	if (r->failed)
		return exit_status_of(&r->err);
	if (r->status != EXIT_DONE)
		return r->status;
	return c->totals.failed > 0 || !c->closes ||
	    c->totals.not_compacted > 0 ? EXIT_FAILED : EXIT_DONE;
}

/* Why the run's exit status is not EXIT_DONE. */
static void
explain(const struct run *r, int status, char out[RUN_REASON_MAX])
{
	const struct totals *t = &r->closing.totals;

	if (status == EXIT_DONE)
		return;
	if (r->failed)
		snprintf(out, RUN_REASON_MAX, "%s", r->err.msg);
	else if (r->stop_signal != 0)
		snprintf(out, RUN_REASON_MAX, "interrupted");
	else if (r->reason[0] != '\0')
		snprintf(out, RUN_REASON_MAX, "%s", r->reason);
	else if (t->failed > 0)
		snprintf(out, RUN_REASON_MAX, "%" PRIu64 " failed%s",
		    t->failed, t->lost > 0 ? ", and an export went out of "
		    "reach: the rest of it is left" : "");
	else if (!r->closing.closes)
		snprintf(out, RUN_REASON_MAX, "the totals do not close");
	else if (t->not_compacted > 0)
		snprintf(out, RUN_REASON_MAX, "%" PRIu64 " subsystems could "
		    "not be compacted", t->not_compacted);
}

/* The catalog has closed the totals: the exit status, and its reason. */
static int
judge(void *arg, const struct run_closing *c UNUSED,
    char reason[RUN_REASON_MAX])
{
	struct run *r = arg;
	int status;

	r->judged = true;
	r->closing.totals.compacted = r->compacted.done;
	r->closing.totals.not_compacted = r->compacted.failed;
	if (r->ops->closing != NULL)
		r->ops->closing(r);
	status = status_of(r);
	explain(r, status, reason);
	return status;
}

/* Close the totals, say how it went. */
static int
finish(struct run *r, uint64_t start_ms)
{
	struct summary *s = &r->summary;
	char reason[RUN_REASON_MAX] = "";
	struct err err = ERR_INIT;
	enum run_end end;

	*s = (struct summary){ .op = r->job->op, .dryrun = r->job->dryrun,
	    .run = r->info.run, .crawl = r->info.crawl,
	    .since_ns = r->info.since_ns, .dirs_kept = r->info.dirs_kept };

	read_signals(r);
	end = r->failed ? RUN_FAILED : r->stop_signal != 0 || r->lost ?
	    RUN_INTERRUPTED : RUN_COMPLETE;
	if (r->catalog != NULL && catalog_end_run(r->catalog, end, judge, r,
	    &r->closing, &err) == -1)
		run_fail(r, &err);
	if (!r->judged)
		judge(r, &r->closing, reason);
	s->interrupted = r->stop_signal != 0;
	s->broken = r->failed;
	s->seconds = (double)(clock_mono_ms() - start_ms) / 1000;
	summary_take(s, &r->closing, end != RUN_COMPLETE);
	s->status = status_of(r);
	explain(r, s->status, reason);
	snprintf(r->reason, sizeof(r->reason), "%s", reason);
	s->reason = reason[0] == '\0' ? NULL : r->reason;
	summary_log(s);
	if (!r->job->silent && (!r->job->quiet || s->status != EXIT_DONE))
		summary_print(stderr, s);
	summary_end(r->job, s, r->failed ? r->err.msg : NULL);
	return s->status;
}

static int
given_up_status(const struct run *r)
{
	return r->stop_signal != 0 ? exit_status_signal(r->stop_signal) :
	    r->status != EXIT_DONE ? r->status : exit_status_of(&r->err);
}

static int
judge_given_up(void *arg, const struct run_closing *c UNUSED,
    char reason[RUN_REASON_MAX])
{
	const struct run *r = arg;

	snprintf(reason, RUN_REASON_MAX, "%s", r->err.msg);
	return given_up_status(r);
}

/* The run has ended before any work was begun: write the reason into the row
 * of the run, or of the attempt. A DEL that asks somebody has no row until it
 * is told to delete. */
static int
give_up(struct run *r, const struct err *err, uint64_t start_ms)
{
	int status;

	run_fail(r, err);
	keep_stats(r);
	crew_free(&r->crew);
	read_signals(r);
	status = given_up_status(r);
	if ((!r->tried && status != EXIT_CONFIG &&
	    run_attempt(r, NULL) == -1) || (r->attempt != 0 &&
	    catalog_end_run(r->catalog, r->stop_signal != 0 ?
	    RUN_INTERRUPTED : RUN_FAILED, judge_given_up, r, &r->closing,
	    NULL) == -1))
		log_event(LOG_WARN, EVENT_CATALOG, NULL,
		    "the run's end could not be "
		    "recorded");
	r->summary = (struct summary){ .op = r->job->op, .run = r->attempt,
	    .status = status, .reason = r->err.msg,
	    .seconds = (double)(clock_mono_ms() - start_ms) / 1000 };
	summary_log(&r->summary);
	summary_gave_up(r->job, err, status);
	return status;
}

/* Nothing follows a dry run, options that are refused, nor the first of two
 * runs if the second one will begin. */
static void
tell_ended(const struct run *r, int64_t started_sec)
{
	const struct ended e = { .summary = &r->summary,
	    .error = r->failed ? r->err.msg : NULL,
	    .started_sec = started_sec, .stats = r->stats };
	int status = r->summary.status;
	bool first = (r->job->silent && !run_stopped(r)) ||
	    (r->job->more_follows && (status == EXIT_DONE ||
	    status == EXIT_FAILED));
	bool refused = r->attempt == 0 && r->err.kind == ERR_USAGE;

	if (!r->job->dryrun && !first && !refused)
		run_ended(r->conf, &e);
}

static void
release(struct run *r)
{
	struct mail *mail, *next;

	stop_listing(r);
	catalog_reader_close(&r->reader);
	catalog_close(&r->catalog);
	s3_free(&r->s3);
	outcomes_free(&r->batch);
	for (struct outcomes *rows; (rows = r->deleting) != NULL;) {
		r->deleting = (struct outcomes *)(void *)rows->mail.next;
		outcomes_free(&rows);
	}
	for (mail = mailbox_take(r->in); mail != NULL; mail = next) {
		next = mail->next;
		drop(mail);
	}
	mailbox_free(&r->in);
}

int
run_verb(struct run *r)
{
	int64_t started_sec = clock_wall_ns() / 1000000000;
	uint64_t start_ms = clock_mono_ms();
	struct err err = ERR_INIT;
	int status;

	r->in = mailbox_new(0);
	r->signals = signals_block(&err);
	if (r->signals != -1 &&
	    monitor_open(&r->monitor, r->conf, r->job, &err) == 0 &&
	    r->ops->prepare(r, &err) == 0) {
		r->ops->go(r);
		monitor_end(&r->monitor);
		status = finish(r, start_ms);
	} else {
		monitor_end(&r->monitor);
		status = give_up(r, &err, start_ms);
	}
	release(r);
	tell_ended(r, started_sec);
	close_fd(&r->signals);
	log_set_run(0);
	return status;
}
