/*
 * The verbs that move or list data: options, settings, checks, log, and then
 * the run itself.
 */
#include "base/log.h"
#include "cmd/cmd.h"
#include "creds/creds.h"
#include "report/summary.h"
#include "run/run.h"
#include "target/cluster_map.h"

typedef int run_fn(const struct conf *, const struct job *);

static int
prepare(const struct options *o, struct conf *c, struct creds **creds,
    struct err *err)
{
	bool needs_nfs = !o->job.all;

	if (conf_load(c, o->config, err) == -1 ||
	    options_apply(o, c, err) == -1 ||
	    conf_finish(c, true, needs_nfs, err) == -1 ||
	    options_check(o, c, err) == -1 ||
	    cmd_open_log(c, &o->job, err) == -1)
		return -1;
	return creds_start(creds, c, err);
}

static int
cmd_run(enum verb verb, run_fn *run, int argc, char **argv)
{
	struct creds *creds = NULL;
	struct err err = ERR_INIT;
	struct options o;
	struct conf c;
	int status;

	if (cmd_begin(&o, verb, argc, argv, &status)) {
		if (prepare(&o, &c, &creds, &err) == -1) {
			status = summary_error(&o.job, &err);
		} else {
			log_event(LOG_INFO, EVENT_BEGIN,
			    LOG_WITH(LOG_TEXT("operation", op_name(o.job.op)),
				LOG_SHOW_TEXT("version", DATAMOVER_VERSION),
				LOG_TEXT("command", o.job.command_line)),
			    "%s", o.job.command_line);
			status = run(&c, &o.job);
			cluster_map_end();
		}
		log_event(LOG_INFO, EVENT_END,
		    LOG_WITH(LOG_SHOW_TEXT("operation", op_name(o.job.op)),
			LOG_SHOW_NUMBER("status", status)),
		    "the command has ended");
		creds_stop(&creds);
		conf_release(&c);
		log_close();
	}
	options_release(&o);
	return status;
}

int
cmd_put(int argc, char **argv)
{
	return cmd_run(VERB_PUT, run_put, argc, argv);
}

int
cmd_undo(int argc, char **argv)
{
	return cmd_run(VERB_UNDO, run_undo, argc, argv);
}

int
cmd_list(int argc, char **argv)
{
	return cmd_run(VERB_LIST, run_list, argc, argv);
}

int
cmd_get(int argc, char **argv)
{
	return cmd_run(VERB_GET, run_get, argc, argv);
}

int
cmd_del(int argc, char **argv)
{
	return cmd_run(VERB_DEL, run_del, argc, argv);
}

int
cmd_test(int argc, char **argv)
{
	return cmd_run(VERB_TEST, run_test, argc, argv);
}
