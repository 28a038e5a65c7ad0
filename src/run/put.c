/*
 * put.c: the run of a PUT, which joins crawl, catalog and crew by messages.
 */
#include <unistd.h>

#include "base/exit_status.h"
#include "crawl/crawl.h"
#include "run/deleter.h"
#include "run/doubts.h"
#include "run/leftovers.h"
#include "run/mirror.h"
#include "run/run.h"
#include "target/exports.h"

struct put {
	struct run r;
	struct crawl *crawl;
	int	 list_fd;	/* --files-from, until the crawl has it */
	unsigned crawlers_left;
	bool	 asked;		/* for a lease; the answer is to come */
	bool	 no_more;	/* the catalog has no more leases */
	struct mirror_end mirror;
};

static struct put *
put_of(struct run *r)
{
	return (struct put *)(void *)r;
}

/* --- begin --- */

/* Compare the exports with the exports that the catalog knows. A dry run
 * with a new catalog of its own looks into the real catalog, if the real
 * catalog can be read. */
static int
compare_exports(struct put *p, const struct run_spec *spec,
    struct err *err)
{
	struct catalog_reader *r = NULL;
	struct err ignored;
	int rc = 0;

	if (!p->r.job->dryrun || p->r.job->mirror)
		rc = catalog_reader_open(p->r.catalog, &r, err);
	else if (catalog_look(&r, p->r.conf->catalog.path, spec,
	    &ignored) == -1)
		return 0;
	if (rc == 0)
		rc = exports_compare(&p->r.plan, p->r.conf, p->r.job, r,
		    err);
	catalog_reader_close(&r);
	return rc;
}

static int
open_catalog(struct put *p, struct err *err)
{
	const struct conf *c = p->r.conf;
	const struct job *job = p->r.job;
	struct run_spec spec = {
		.op = OP_PUT,
		.scope = p->r.plan.scope,
		.exports = p->r.plan.exports,
		.export_count = p->r.plan.count,
		.no_crawl = job->files_from != NULL || job->retry_failed,
		.retry_failed = job->retry_failed,
		.fresh = job->fresh,
		.ignore = conf_ignored(c),
		.clock_skew_ns = (int64_t)c->fs_config.clock_skew * 1000000000,
		.resume_within_ns = (int64_t)c->resume_within * 1000000000,
		.accept_filesystem = job->accept_filesystem,
	};
	int rc = 0;

	plan_target(&spec, c);
	spec.new_target = job->new_target;
	if (job->dryrun && access(c->catalog.path, R_OK) == 0 &&
	    catalog_check_target(c->catalog.path, &spec, err) == -1)
		return -1;
	/* A dry run leaves the catalog alone and has a catalog of its own;
	 * with --delete a copy of the real catalog, since deletions depend on
	 * the record of earlier uploads. */
	if (job->dryrun && job->mirror)
		rc = catalog_open_copy(&p->r.catalog, c->catalog.path,
		    p->r.in, err);
	else if (job->dryrun)
		rc = catalog_open(&p->r.catalog, NULL, p->r.in, err);
	if (rc == -1 || compare_exports(p, &spec, err) == -1 ||
	    run_begin(&p->r, &spec, err) == -1)
		return -1;
	exports_tell(&p->r.plan, c, job, p->r.catalog);
	return 0;
}

static int
start_crawl(struct put *p, struct err *err)
{
	const struct conf *c = p->r.conf;
	struct crawl_config cc = {
		.catalog = p->r.catalog,
		.exports = p->r.plan.specs,
		.roots = (const char *const *)p->r.plan.roots,
		.shares = (const char *const *)p->r.plan.shares.v,
		.share_count = p->r.plan.shares.n,
		.starts = (const char *const *)p->r.plan.starts,
		.export_count = p->r.plan.count,
		.export_errs = p->r.plan.errs,
		.may_be_empty = p->r.plan.may_be_empty,
		.server_as_prefix = c->fs_config.server_as_prefix,
		.follow_links = p->r.job->follow_links,
		.checksum = p->r.job->checksum,
		.ignore = conf_ignored(c),
		.cross_mounts = c->fs_config.cross_mounts,
		.accept_filesystem = p->r.job->accept_filesystem,
		.clock_skew_ns = (int64_t)c->fs_config.clock_skew * 1000000000,
		.min_size = p->r.job->min_size,
		.max_size = p->r.job->max_size,
		.filter = p->r.job->filter,
		.skip_dirs = &c->fs_config.skip_dirs,
		.retry_for_ms = plan_retry_ms(c),
		.up = p->r.in,
	};

	if (p->r.job->files_from != NULL) {
		int fd = p->list_fd;

		p->list_fd = -1;
		p->crawlers_left = 1;
		return crawl_start_list(&p->crawl, &cc, fd, err);
	}
	p->crawlers_left = MAX(c->master.workers, 1U);
	return crawl_start(&p->crawl, &cc, p->crawlers_left, err);
}

static int
prepare(struct run *r, struct err *err)
{
	CLEANUP(setup_release) struct setup setup = { .op = OP_PUT };
	struct put *p = put_of(r);

	if (plan_make(&r->plan, r->conf, r->job, err) == -1 ||
	    setup_make(&setup, r->conf, r->job, &r->plan, err) == -1)
		return -1;
	/* Open the list before the catalog forgets the rest of a cut run. */
	if (r->job->files_from != NULL && crawl_open_list(r->job->files_from,
	    &p->list_fd, err) == -1)
		return -1;
	if (run_attempt(r, err) == -1)
		return -1;
	/* A dry run sends nothing, but a DSS store has no bucket without its
	 * map. */
	if ((r->job->dryrun ? plan_fetch_map(r->conf, err) :
	    plan_check_s3_writes(r->conf, &setup.s3_clock_ms,
	    err)) == -1)
		return -1;
	if (plan_check_exports(&r->plan, r->conf, err) == -1 ||
	    open_catalog(p, err) == -1)
		return -1;
	if (!r->job->dryrun && doubts_settle_noted(r, err) == -1)
		return -1;
	setup.known = p->r.info.known;
	setup_see_roots(&setup, &r->plan, crew_wants_team(r->conf, r->job));
	return run_crew(r, r->job, &setup, err) == -1 ? -1 :
	    start_crawl(p, err);
}

/* --- the loop --- */

static void
take_lease(struct put *p, struct lease *l)
{
	p->asked = false;
	if (l->end && !p->no_more && p->r.crew != NULL)
		crew_no_more(p->r.crew);
	p->no_more = p->no_more || l->end;
	/* What comes when the crew has gone stays open in the catalog. */
	if (l->count == 0 || p->r.crew == NULL) {
		lease_free(&l);
		return;
	}
	p->r.out += l->count;
	crew_lease(p->r.crew, l);
}

static void
take_results(struct put *p, struct results *r)
{
	p->r.out -= r->count;
	for (size_t i = 0; i < r->count; i++)
		if (r->v[i].outcome != OUTCOME_UNCHANGED)
			run_saw(&p->r, &r->v[i].err);
	catalog_put_results(p->r.catalog, r);
}

static void
take_noted(struct put *p, struct upload_note *u)
{
	if (p->r.crew != NULL)
		crew_noted(p->r.crew, u->worker, u->object);
	upload_note_free(&u);
}

static bool
take_mail(struct run *r, struct mail *mail)
{
	struct put *p = put_of(r);
	void *msg = mail;

	switch (mail->type) {
	case MAIL_LEASE:
		take_lease(p, msg);
		return true;
	case MAIL_RESULTS:
		take_results(p, msg);
		return true;
	case MAIL_UPLOAD:
		catalog_put_upload(p->r.catalog, msg, p->r.in);
		return true;
	case MAIL_UPLOAD_NOTED:
		take_noted(p, msg);
		return true;
	case MAIL_CRAWLED:
		p->crawlers_left--;
		free(msg);
		return true;
	default:
		return deleter_mail(r, mail);
	}
}

/* Keep enough items at hand that no worker waits for the catalog. */
static bool
ask_lease(void *arg)
{
	struct put *p = arg;

	if (!p->asked && !p->no_more && run_room(&p->r) > 0) {
		p->asked = true;
		catalog_want_lease(p->r.catalog, plan_batch(p->r.conf),
		    p->r.conf->master.size, p->r.in);
	}
	return p->no_more && p->crawlers_left == 0;
}

static bool
progress(struct run *r, struct totals *t)
{
	struct crew_stats s;

	catalog_totals(r->catalog, t);
	/* Bytes that are under way count too: a large file takes long. */
	if (put_of(r)->crawl != NULL) {
		crew_stats(r->crew, &s);
		t->bytes = MAX(t->bytes, r->job->dryrun ? s.bytes_read :
		    s.s3.bytes_sent);
	}
	return catalog_crawl_done(r->catalog);
}

static void
stop(struct run *r)
{
	if (put_of(r)->crawl != NULL)
		crawl_stop(put_of(r)->crawl);
}

static void
go(struct run *r)
{
	struct put *p = put_of(r);
	struct totals t;

	run_loop(r, ask_lease, p);
	crawl_free(&p->crawl);
	catalog_totals(r->catalog, &t);
	r->lost = t.lost > 0;
	if (r->job->mirror && !run_stopped(r) && !r->lost)
		mirror_run(r, &p->mirror);
	if (p->mirror.guarded)
		r->status = EXIT_GUARD;
	monitor_end(&r->monitor);
	if (run_stopped(r) || r->lost)
		return;
	if (!r->job->dryrun)
		leftovers_abort(r, NULL);
	/* A TEST is no reason for it. */
	if (!r->job->more_follows && !run_stopped(r))
		compact_run(r->conf, r->job, r->catalog, &r->compacted);
}

static void
closing(struct run *r)
{
	if (r->job->dryrun)
		r->closing.totals.deleted = put_of(r)->mirror.planned;
}

int
put_files(const struct conf *conf, const struct job *job)
{
	static const struct run_ops ops = {
		.prepare = prepare,
		.go = go,
		.mail = take_mail,
		.progress = progress,
		.stop = stop,
		.closing = closing,
	};
	struct put p = { .r = { .conf = conf, .job = job, .ops = &ops },
	    .list_fd = -1 };
	int status = run_verb(&p.r);

	crawl_free(&p.crawl);
	plan_release(&p.r.plan);
	close_fd(&p.list_fd);
	return status;
}
