/*
 * del.c: the verb DEL, from the parsed options to the last line of output.
 */
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/units.h"
#include "compact/compact.h"
#include "crew/setup.h"
#include "report/summary.h"
#include "report/text.h"
#include "run/ask.h"
#include "run/del_internal.h"
#include "run/doubts.h"
#include "run/frame.h"
#include "run/leftovers.h"
#include "run/run.h"
#include "target/cluster_map.h"
#include "target/plan.h"

#define PREFIXES_SHOWN	5

struct del {
	const struct conf *conf;
	const struct job *job;
	char	**prefixes;
	size_t	 prefix_count;
	struct mailbox *in;
	int	 signals;
	struct catalog *catalog;
	struct run_info run;
	bool	 refused;	/* the question was answered with no */
	struct del_pass pass;	/* the last one */
	uint64_t start_ms;
};

/* A share that is the whole bucket: the bucket may hold more than ours. */
static int
check_prefixes(struct del *d, struct err *err)
{
	if (source_prefixes(d->conf, d->job, &d->prefixes, &d->prefix_count,
	    err) == -1)
		return -1;
	for (size_t i = 0; i < d->prefix_count && !d->job->all; i++)
		if (d->prefixes[i][0] == '\0')
			return err_set(err, ERR_USAGE, 0, "the keys of a "
			    "configured share are all keys of the bucket; if "
			    "that is meant, use --all");
	return 0;
}

static void
pass(struct del *d, bool print, struct monitor *monitor)
{
	d->pass = (struct del_pass){
		.conf = d->conf,
		.job = d->job,
		.in = d->in,
		.signals = d->signals,
		.monitor = monitor,
		.catalog = d->catalog,
		.print = print,
	};
	del_pass(&d->pass);
}

/* --- the question --- */

static char *
question(const struct del *d)
{
	char text[400], count[32], size[16];
	struct buf b;
	char *q;

	buf_init(&b, 64 * KIB);
	buf_addf(&b, "DEL deletes %s objects (%s) of bucket %s",
	    text_count(d->pass.count, count),
	    units_format(d->pass.bytes, size), plan_bucket(d->conf));
	if (d->prefix_count == 1 && d->prefixes[0][0] == '\0') {
		buf_addstr(&b, ", all that it holds.\n");
	} else {
		buf_addstr(&b, ", all with the prefix\n");
		for (size_t i = 0; i < MIN(d->prefix_count,
		    (size_t)PREFIXES_SHOWN); i++)
			buf_addf(&b, "  %s\n", str_escape(
			    str_of(d->prefixes[i]), text, sizeof(text)));
		if (d->prefix_count > PREFIXES_SHOWN)
			buf_addf(&b, "  and %zu more prefixes\n",
			    d->prefix_count - PREFIXES_SHOWN);
	}
	buf_addstr(&b, "Type \"yes\" to delete them: ");
	q = xstrdup(b.data);
	buf_release(&b);
	return q;
}

/* Open the monitor for a single pass; the question between two passes needs
 * the terminal. */
static bool
watch(struct del *d, struct monitor **ret)
{
	struct err err = ERR_INIT;

	if (monitor_open(ret, d->conf, d->job, &err) == 0)
		return true;
	d->pass.failed = true;
	d->pass.err = err;
	return false;
}

/* Count, show, ask: true if the answer is yes, or nothing is there. */
static bool
ask(struct del *d)
{
	struct monitor *monitor = NULL;
	char *text AUTOFREE = NULL;

	if (!watch(d, &monitor))
		return false;
	pass(d, false, monitor);
	monitor_end(&monitor);
	if (d->pass.failed || d->pass.stop_signal != 0)
		return false;
	if (d->pass.count == 0)
		return true;
	text = question(d);
	if (ask_yes(text, d->signals))
		return true;
	d->pass.stop_signal = signals_next(d->signals);
	d->refused = d->pass.stop_signal == 0;
	return false;
}

/* --- the run --- */

static int
open_catalog(struct del *d, struct err *err)
{
	const struct conf *c = d->conf;
	struct run_spec spec = {
		.op = OP_DEL,
		.scope = "",
		.command_line = d->job->command_line,
		.no_backlog = true,
		.late_ms = crew_late_ms(c, d->job),
	};

	plan_target(&spec, c);
	if (catalog_open(&d->catalog, c->catalog.path, d->in, err) == -1 ||
	    catalog_begin_run(d->catalog, &spec, &d->run, err) == -1)
		return -1;
	plan_warn_target(&spec, &d->run);
	log_event(LOG_INFO, "run", "%ju begins: %s", (uintmax_t)d->run.run,
	    d->job->command_line == NULL ? "" : d->job->command_line);
	return run_wait_late(d->catalog, &d->run, err);
}

static int
status_of(const struct del *d, const struct run_closing *closing)
{
	if (d->pass.stop_signal != 0)
		return exit_status_signal(d->pass.stop_signal);
	if (d->pass.failed)
		return exit_status_of(&d->pass.err);
	if (d->refused)
		return EXIT_GUARD;
	if (closing->totals.failed > 0 || !closing->closes ||
	    closing->totals.not_compacted > 0)
		return EXIT_FAILED;
	return EXIT_DONE;
}

static void
close_run(struct del *d, struct run_closing *closing)
{
	struct del_pass *p = &d->pass;
	struct compact_end compacted = { .done = 0 };
	struct err err = ERR_INIT;
	enum run_end end;

	if (!p->failed && p->stop_signal == 0 &&
	    doubts_settle(d->conf, d->catalog, &err) == -1) {
		p->failed = true;
		p->err = err;
	}
	if (!p->failed && p->stop_signal == 0) {
		leftovers_abort(d->conf, d->catalog, d->prefixes,
		    d->prefix_count);
		compact_run(d->conf, d->job, d->catalog, &compacted);
		p->stop_signal = signals_next(d->signals);
	}
	end = p->failed ? RUN_FAILED : p->stop_signal != 0 ?
	    RUN_INTERRUPTED : RUN_COMPLETE;
	if (catalog_end_run(d->catalog, end, p->failed ? p->err.msg : "",
	    closing, &err) == -1 && !p->failed) {
		p->failed = true;
		p->err = err;
	}
	closing->totals.compacted = compacted.done;
	closing->totals.not_compacted = compacted.failed;
}

/* Fill the closing of a dry run, or of a run that ends before the first
 * deletion. */
static void
close_without_run(const struct del *d, struct run_closing *closing)
{
	closing->closes = true;
	if (!d->job->dryrun)
		return;
	closing->totals = (struct totals){ .found = d->pass.count,
	    .moved = d->pass.count, .bytes = d->pass.bytes,
	    .found_bytes = d->pass.bytes, .deleted = d->pass.count };
}

static int
finish(struct del *d)
{
	struct run_closing closing;
	struct summary s = { .op = OP_DEL, .dryrun = d->job->dryrun };
	const char *error;

	if (d->pass.failed && d->run.run == 0 && !d->job->dryrun)
		return summary_error(d->job, &d->pass.err);
	memset(&closing, 0, sizeof(closing));
	if (d->catalog != NULL)
		close_run(d, &closing);
	else
		close_without_run(d, &closing);
	s.interrupted = d->pass.stop_signal != 0;
	s.broken = d->pass.failed;
	s.run = d->run.run;
	s.seconds = (double)(clock_mono_ms() - d->start_ms) / 1000;
	summary_take(&s, &closing, d->pass.failed);
	error = d->pass.failed ? d->pass.err.msg : d->refused ?
	    "not confirmed: nothing was deleted" : NULL;
	if (d->refused)
		fputs("nothing was deleted\n", stderr);
	else if (!d->job->quiet || closing.totals.failed > 0)
		summary_print(stderr, &s);
	summary_end(d->job, &s, error);
	return status_of(d, &closing);
}

static void
go(struct del *d)
{
	struct monitor *monitor = NULL;
	struct err err = ERR_INIT;

	if (d->job->dryrun) {
		pass(d, true, NULL);
		return;
	}
	if (!d->job->yes && !ask(d))
		return;
	if (open_catalog(d, &err) == -1) {
		d->pass.stop_signal = signals_next(d->signals);
		d->pass.failed = true;
		d->pass.err = err;
		return;
	}
	cluster_map_deletes_listed();
	if (!watch(d, &monitor))
		return;
	pass(d, false, monitor);
	monitor_end(&monitor);
}

int
run_del(const struct conf *conf, const struct job *job)
{
	struct del d = { .conf = conf, .job = job, .signals = -1,
	    .start_ms = clock_mono_ms() };
	struct err err = ERR_INIT;
	int status;

	d.in = mailbox_new(0);
	if (!job->yes && !job->dryrun && !ask_can())
		err_set(&err, ERR_USAGE, 0, "nothing is deleted without "
		    "--yes where nobody can be asked: standard input is no "
		    "terminal");
	else if (check_prefixes(&d, &err) == 0)
		d.signals = signals_block(&err);
	if (d.signals == -1 || plan_check_s3(conf, NULL, &err) == -1) {
		status = summary_error(job, &err);
		if (d.signals != -1 && signals_next(d.signals) == SIGTERM)
			status = EXIT_TERMINATED;
	} else {
		go(&d);
		status = finish(&d);
	}
	catalog_close(&d.catalog);
	for (struct mail *m = mailbox_take(d.in), *next; m != NULL; m = next) {
		next = m->next;
		free(m);	/* m is the failure of the catalog: the
				   catalog failed at its end */
	}
	mailbox_free(&d.in);
	source_prefixes_free(&d.prefixes, &d.prefix_count);
	close_fd(&d.signals);
	return status;
}
