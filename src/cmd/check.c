#include "check/check.h"
#include "cmd/cmd.h"
#include "creds/creds.h"

static int
check(const struct options *o)
{
	CLEANUP(conf_release) struct conf c;
	CLEANUP(creds_stop) struct creds *creds = NULL;
	struct err err = ERR_INIT;
	char keys[80];

	if (conf_load(&c, o->config, &err) == -1 ||
	    options_apply(o, &c, &err) == -1 ||
	    conf_finish(&c, true, true, &err) == -1 ||
	    creds_start(&creds, &c, &err) == -1)
		return check_no_conf(&err, o->job.json);
	/* The reader of a JSON file has advised already. */
	if (!str_ends(str_of(c.file), STR(".json")))
		conf_advise(&c, &c.notices);
	return check_run(&c, creds_describe(creds, keys), o->job.json);
}

int
cmd_check(int argc, char **argv)
{
	struct options o;
	int status;

	if (cmd_begin(&o, VERB_CHECK, argc, argv, &status))
		status = check(&o);
	options_release(&o);
	return status;
}
