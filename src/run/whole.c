/*
 * whole.c: PUT and TEST as wholes, of one run or two: a PUT with a restored
 * catalog verifies first, a TEST puts first.
 */
#include "base/exit_status.h"
#include "base/log.h"
#include "catalog/catalog.h"
#include "report/summary.h"
#include "run/run.h"
#include "target/plan.h"

/* Ask the target what it holds of the exports, as TEST --mode head does, and
 * write into the catalog what differs. What differs is an error of that run,
 * and none of the PUT. */
static int
compare(const struct conf *conf, const struct job *job)
{
	struct job test = {
		.op = OP_TEST,
		.prefix = job->prefix,
		.command_line = job->command_line,
		.debug = job->debug,
		.new_target = job->new_target,
		.data_integrity = true,
		.test_head = true,
		.skip_upload = true,
		.quiet = true,
		.silent = true,
		.threads = job->threads,
		.max_size = UINT64_MAX,
	};

	return verify_objects(conf, &test, false);
}

/* 1: the target must be asked first; 0; -1. */
static int
must_ask(const struct conf *conf, const struct job *job, struct err *err)
{
	struct run_plan plan;
	struct run_spec spec = { .op = OP_PUT };
	bool unasked = false;
	int rc;

	rc = plan_make(&plan, conf, job, err);
	if (rc == 0) {
		spec.exports = plan.exports;
		spec.export_count = plan.count;
		plan_target(&spec, conf);
		rc = catalog_unasked(conf->catalog.path, &spec, &unasked, err);
	}
	plan_release(&plan);
	return rc == -1 ? -1 : unasked;
}

/* Ask the bucket for what was put since the state that was restored. Objects
 * that differ are taken for lost; each file that would be sent is compared with
 * its object first. Deletions come after that. */
static int
put_restored(const struct conf *conf, const struct job *job)
{
	struct job with = *job;
	int status = EXIT_DONE;

	log_event(LOG_WARN, EVENT_RESTORED_CATALOG, NULL, "the catalog was "
	    "restored: the bucket is asked first; what it has got since is "
	    "taken over, and is not sent again");
	with.adopt = true;
	if (job->files_from == NULL && !job->retry_failed)
		status = compare(conf, job);
	if (status == EXIT_DONE)
		return put_files(conf, &with);
	if (job->json)
		summary_json(stdout, &(struct summary){ .op = job->op,
		    .status = status },
		    "the bucket could not be asked");
	return status;
}

int
run_put(const struct conf *conf, const struct job *job)
{
	struct err err = ERR_INIT;
	/* An error comes again, as the run's. */
	bool restored = must_ask(conf, job, &err) == 1;

	if (restored && !job->dryrun)
		return put_restored(conf, job);
	if (restored)
		log_event(LOG_WARN, EVENT_RESTORED_CATALOG, NULL, "the "
		    "catalog was restored: PUT asks the bucket first, and "
		    "sends what is missing there; a dry run does not ask, and "
		    "tells more than will be sent");
	return put_files(conf, job);
}

int
run_test(const struct conf *conf, const struct job *job)
{
	struct job put = *job;
	int status = EXIT_DONE;

	if (!job->skip_upload) {
		put.op = OP_PUT;
		put.json = false;
		put.more_follows = true;
		status = run_put(conf, &put);
		if (status != EXIT_DONE && status != EXIT_FAILED) {
			if (job->json)
				summary_json(stdout, &(struct summary){
				    .op = OP_TEST, .status = status },
				    "what was missing could not be put");
			return status;
		}
	}
	return verify_objects(conf, job, status != EXIT_DONE);
}
