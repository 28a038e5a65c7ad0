/*
 * put.c: the verb PUT, from the parsed options to the last line of output.
 */
#include <unistd.h>

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/log.h"
#include "base/signals.h"
#include "catalog/stored.h"
#include "compact/compact.h"
#include "crew/setup.h"
#include "report/summary.h"
#include "run/frame.h"
#include "run/leftovers.h"
#include "run/master.h"
#include "run/mirror.h"
#include "run/run.h"
#include "target/cluster_map.h"
#include "target/exports.h"

/* Compare the exports with the exports that the catalog knows. A dry run
 * with a new catalog of its own looks into the real catalog, if the real
 * catalog can be read. */
static int
compare_exports(struct master *m, const struct run_spec *spec,
    struct err *err)
{
	struct catalog_reader *r = NULL;
	struct err ignored;
	int rc = 0;

	if (!m->job->dryrun || m->job->mirror)
		rc = catalog_reader_open(m->catalog, &r, err);
	else if (catalog_look(&r, m->conf->catalog.path, spec,
	    &ignored) == -1)
		return 0;
	if (rc == 0)
		rc = exports_compare(m->plan, m->job, r, err);
	catalog_reader_close(&r);
	return rc;
}

static int
open_catalog(struct master *m, struct err *err)
{
	const struct conf *c = m->conf;
	struct run_spec spec = {
		.op = OP_PUT,
		.scope = m->plan->scope,
		.command_line = m->job->command_line,
		.exports = m->plan->exports,
		.export_count = m->plan->count,
		.no_crawl = m->job->files_from != NULL ||
		    m->job->retry_failed,
		.retry_failed = m->job->retry_failed,
		.fresh = m->job->fresh,
		.follow_links = m->job->follow_links,
		.ignore_inode = c->fs_config.ignore_inode,
		.ignore_ctime = c->fs_config.ignore_ctime,
		.clock_skew_ns = (int64_t)c->fs_config.clock_skew * 1000000000,
		.resume_within_ns = (int64_t)c->resume_within * 1000000000,
		.accept_filesystem = m->job->accept_filesystem,
		.late_ms = crew_late_ms(c, m->job),
	};
	int rc;

	plan_target(&spec, c);
	/* A dry run leaves the catalog alone and has a catalog of its own;
	 * with --delete a copy of the real catalog, since deletions depend on
	 * the record of earlier uploads. */
	if (m->job->dryrun && m->job->mirror)
		rc = catalog_open_copy(&m->catalog, c->catalog.path, m->in,
		    err);
	else
		rc = catalog_open(&m->catalog, m->job->dryrun ? NULL :
		    c->catalog.path, m->in, err);
	if (rc == -1 || compare_exports(m, &spec, err) == -1 ||
	    catalog_begin_run(m->catalog, &spec, &m->run, err) == -1)
		return -1;
	exports_tell(m->plan, c, m->job, m->catalog);
	plan_warn_target(&spec, &m->run);
	return m->job->dryrun ? 0 : run_wait_late(m->catalog, &m->run, err);
}

static int
start_crawl(struct master *m, struct err *err)
{
	const struct conf *c = m->conf;
	struct crawl_config cc = {
		.catalog = m->catalog,
		.exports = m->plan->specs,
		.roots = (const char *const *)m->plan->roots,
		.shares = (const char *const *)m->plan->shares.v,
		.share_count = m->plan->shares.n,
		.starts = (const char *const *)m->plan->starts,
		.export_count = m->plan->count,
		.export_errs = m->plan->errs,
		.may_be_empty = m->plan->may_be_empty,
		.server_as_prefix = c->fs_config.server_as_prefix,
		.follow_links = m->job->follow_links,
		.checksum = m->job->checksum,
		.ignore_inode = c->fs_config.ignore_inode,
		.cross_mounts = c->fs_config.cross_mounts,
		.accept_filesystem = m->job->accept_filesystem,
		.ignore_ctime = c->fs_config.ignore_ctime,
		.clock_skew_ns = (int64_t)c->fs_config.clock_skew * 1000000000,
		.min_size = m->job->min_size,
		.max_size = m->job->max_size,
		.filter = m->job->filter,
		.skip_dirs = &c->fs_config.skip_dirs,
		.retry_for_ms = (uint64_t)c->s3_storage.retry_for * 1000,
		.up = m->in,
	};

	if (m->job->files_from != NULL) {
		int fd = m->list_fd;

		m->list_fd = -1;
		m->crawlers_left = 1;
		return crawl_start_list(&m->crawl, &cc, fd, err);
	}
	m->crawlers_left = MAX(c->master.workers, 1U);
	return crawl_start(&m->crawl, &cc, m->crawlers_left, err);
}

static int
prepare(struct master *m, struct err *err)
{
	CLEANUP(setup_release) struct setup setup = { .op = OP_PUT };

	if (plan_make(m->plan, m->conf, m->job, err) == -1 ||
	    setup_make(&setup, m->conf, m->job, m->plan, err) == -1)
		return -1;
	/* Open the list before the catalog forgets the rest of a cut run. */
	if (m->job->files_from != NULL && crawl_open_list(m->job->files_from,
	    &m->list_fd, err) == -1)
		return -1;
	/* A dry run sends nothing, but a DSS store has no bucket without its
	 * map. */
	if ((m->job->dryrun ? cluster_map_fetch(m->conf, err) :
	    plan_check_s3(m->conf, &setup.s3_clock_ms, err)) == -1)
		return -1;
	if (plan_check_exports(m->plan, m->conf, err) == -1 ||
	    open_catalog(m, err) == -1)
		return -1;
	setup_see_roots(&setup, m->plan, crew_wants_team(m->conf, m->job));
	if (run_crew(&m->crew, m->conf, m->job, &setup, m->in, err) == -1)
		return -1;
	if (start_crawl(m, err) == -1) {
		crew_stop(m->crew, 0);
		crew_free(&m->crew);
		return -1;
	}
	return 0;
}

static int
status_of(const struct master *m, const struct run_closing *closing,
    const struct mirror_end *mirror)
{
	if (m->stop_signal != 0)
		return exit_status_signal(m->stop_signal);
	if (m->failed)
		return exit_status_of(&m->err);
	if (mirror->guarded)
		return EXIT_GUARD;
	if (closing->totals.failed > 0 || !closing->closes ||
	    closing->totals.not_compacted > 0)
		return EXIT_FAILED;
	return EXIT_DONE;
}

/* Close the totals, say how it went. */
static int
finish(struct master *m, const struct mirror_end *mirror, uint64_t start_ms,
    struct err *err)
{
	enum run_end end = m->failed ? RUN_FAILED : m->stop_signal != 0 ||
	    m->lost ? RUN_INTERRUPTED : RUN_COMPLETE;
	struct compact_end compacted = { .done = 0 };
	struct run_closing closing;
	struct summary s = { .op = OP_PUT, .dryrun = m->job->dryrun,
	    .interrupted = m->stop_signal != 0, .run = m->run.run,
	    .crawl = m->run.crawl, .since_ns = m->run.since_ns,
	    .dirs_kept = m->run.dirs_kept };

	memset(&closing, 0, sizeof(closing));
	if (end == RUN_COMPLETE && !m->job->dryrun)
		leftovers_abort(m->conf, m->catalog, NULL, 0);
	/* A TEST is no reason for it. */
	if (end == RUN_COMPLETE && !m->job->more_follows)
		compact_run(m->conf, m->job, m->catalog, &compacted);
	if (end == RUN_COMPLETE && master_take_signal(m)) {
		end = RUN_INTERRUPTED;
		s.interrupted = true;
	}
	if (catalog_end_run(m->catalog, end, m->failed ? m->err.msg : "",
	    &closing, err) == -1 && !m->failed) {
		m->failed = true;
		m->err = *err;
	}
	if (m->job->dryrun)
		closing.totals.deleted = mirror->planned;
	closing.totals.compacted = compacted.done;
	closing.totals.not_compacted = compacted.failed;
	s.broken = m->failed;
	s.seconds = (double)(clock_mono_ms() - start_ms) / 1000;
	summary_take(&s, &closing, end != RUN_COMPLETE);
	if (!m->job->quiet || closing.totals.failed > 0)
		summary_print(stderr, &s);
	summary_end(m->job, &s, m->failed ? m->err.msg : NULL);
	return status_of(m, &closing, mirror);
}

static void
drop_mail(struct mailbox *in)
{
	struct mail *mail = mailbox_take(in), *next;

	for (; mail != NULL; mail = next) {
		void *msg = mail;

		next = mail->next;
		if (mail->type == MAIL_LEASE) {
			struct lease *l = msg;

			lease_free(&l);
		} else if (mail->type == MAIL_UPLOAD_NOTED) {
			struct upload_note *u = msg;

			upload_note_free(&u);
		} else {
			free(msg);
		}
	}
}

/* Tell at once if this run goes on with an earlier crawl: the run won't see
 * later changes in directories that are not read again. */
static void
tell_begin(const struct master *m)
{
	const struct run_info *run = &m->run;
	const char *command = m->job->command_line;
	char since[32], text[160];

	log_event(LOG_INFO, "run", "%jd begins: %s", (intmax_t)run->run,
	    command == NULL ? "" : command);
	if (!run->continued)
		return;
	clock_iso8601(run->since_ns / 1000000000, since);
	snprintf(text, sizeof(text), "goes on with run %jd, which was cut, "
	    "begun %s: %ju directories are not read again (--fresh reads all)",
	    (intmax_t)run->crawl, since, (uintmax_t)run->dirs_kept);
	if (!m->job->quiet)
		fprintf(stderr, "%s\n", text);
	log_event(LOG_INFO, "run", "%jd %s", (intmax_t)run->run, text);
}

int
run_put(const struct conf *conf, const struct job *job)
{
	struct run_plan plan = { .count = 0 };
	struct master m = { .conf = conf, .job = job, .plan = &plan,
	    .signals = -1, .list_fd = -1 };
	uint64_t start_ms = clock_mono_ms();
	struct mirror_end mirror = { .guarded = false };
	struct err err = ERR_INIT;
	int status;

	m.in = mailbox_new(0);
	m.signals = signals_block(&err);
	if (m.signals != -1 &&
	    monitor_open(&m.monitor, conf, job, &err) == 0 &&
	    prepare(&m, &err) == 0) {
		tell_begin(&m);
		master_loop(&m);
		if (job->mirror && m.stop_signal == 0 && !m.failed && !m.lost)
			mirror_run(&m, &mirror);
		monitor_end(&m.monitor);
		status = finish(&m, &mirror, start_ms, &err);
	} else {
		monitor_end(&m.monitor);
		run_not_begun(m.catalog, &m.run, &err);
		status = summary_error(job, &err);
		if (master_take_signal(&m))
			status = exit_status_signal(m.stop_signal);
	}
	catalog_close(&m.catalog);
	drop_mail(m.in);
	mailbox_free(&m.in);
	plan_release(&plan);
	close_fd(&m.signals);
	close_fd(&m.list_fd);
	return status;
}
