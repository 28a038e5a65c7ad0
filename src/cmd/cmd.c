#include <errno.h>
#include <sys/stat.h>

#include "base/exit_status.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "report/summary.h"

static const struct {
	enum verb verb;
	const char *name;
	const char *usage;
	const char *what;
} verbs[] = {
	{ VERB_PUT, "PUT", "PUT [options]",
	    "Upload what the bucket doesn't hold yet of the configured NFS "
	    "exports.\nAfter a kill or Ctrl-C the same command goes on." },
	{ VERB_LIST, "LIST", "LIST [options]",
	    "Print the keys of the configured shares that the bucket holds, "
	    "one a line." },
	{ VERB_GET, "GET", "GET --dest_path DIR|nfs://... [options]",
	    "Bring objects back as files below DIR, each under the path that "
	    "its key names.\nA file that is there and right is left alone. "
	    "After a kill or Ctrl-C the same\ncommand goes on." },
	{ VERB_DEL, "DEL", "DEL [options]",
	    "Delete the objects of the configured shares, of one prefix of "
	    "them, or of the\nwhole bucket. Asks first." },
	{ VERB_TEST, "TEST", "TEST --data_integrity [options]",
	    "Upload what is missing, then verify that the bucket holds what "
	    "the files held.\nExit status 0 and PASSED, or 4 and FAILED; "
	    "nothing is written to disk." },
	{ VERB_UNDO, "undo", "undo [options] RUN",
	    "Bring back the objects that a run has deleted, from a bucket "
	    "that keeps\nversions. Asks first." },
	{ VERB_DIFF, "diff", "diff [options] A B",
	    "Say what differs between two states: A and B are runs, times "
	    "(2026-11-30),\ntargets (ENDPOINT/BUCKET) or files of catalogs. "
	    "Exit status 4 if\nanything differs." },
	{ VERB_STATUS, "status", "status [options]",
	    "Show the last run: its state, what it counted, and whether it "
	    "is going on;\nand how the last attempts succeeded and failed. For "
	    "monitoring: --max-age." },
	{ VERB_STOP, "stop", "stop [options]",
	    "End the run that is going on, as Ctrl-C does, and wait until it "
	    "has ended.\nThe next run goes on where it was." },
	{ VERB_SQL, "sql", "sql [options] ['SELECT ...']",
	    "Ask the catalog, also while a run is going on; without a query, "
	    "list what can\nbe asked. See datamover-catalog(5)." },
	{ VERB_REPORT, "report", "report [options]",
	    "Report a run: its totals, how fast it was when, sizes, what was "
	    "slowest,\nwhat failed, and what has been verified." },
	{ VERB_CATALOG, "catalog", "catalog backup|check|restore|move|prune "
	    "[options] [FILE]",
	    "backup FILE: write a copy, also while a run is going on.\n"
	    "check [FILE]: read all of the catalog, or of a copy, for "
	    "damage.\n"
	    "restore FILE: put a copy in the place of the catalog, which "
	    "stays beside it.\n"
	    "move FILE: give the catalog another place.\n"
	    "prune --keep AGE: drop what was over before that time." },
	{ VERB_CHECK, "check", "check [options]",
	    "Try all that a run needs - settings, catalog, exports, S3, "
	    "free space - and\nsay each in a line." },
	{ VERB_CLIENT, "client", "client --join HOST --key-file FILE",
	    "Work for a master on another host, until its run is over. The "
	    "master starts\nthis itself, over SSH, on the hosts of [client]; "
	    "--join is for hosts that\nsomething else starts." },
};

static size_t
find(enum verb verb)
{
	size_t i = 0;

	while (verbs[i].verb != verb)
		i++;
	return i;
}

static void
print_help(enum verb verb)
{
	size_t i = find(verb);

	printf("usage: datamover %s\n\n%s\n\n", verbs[i].usage,
	    verbs[i].what);
	options_help(stdout, verb);
	if (verb == VERB_PUT || verb == VERB_GET || verb == VERB_TEST)
		fputs("\nSIZE is bytes, or 64K, 1.5GiB (powers of 1024), "
		    "10MB (of 1000).\n", stdout);
	fputs("\nMore is in datamover(1).\n", stdout);
}

int
cmd_error(const char *verb, const struct err *err)
{
	char text[4 * sizeof(err->msg)];

	fprintf(stderr, "datamover: %s: %s\n", verb,
	    str_escape(str_of(err->msg), text, sizeof(text)));
	if (err->kind == ERR_USAGE)
		fprintf(stderr, "see datamover %s --help\n", verb);
	return exit_status_of(err);
}

bool
cmd_begin(struct options *o, enum verb verb, int argc, char **argv,
    int *ret_status)
{
	struct err err = ERR_INIT;

	if (options_parse(o, verb, argc, argv, &err) == -1) {
		if (o->job.op != OP_NONE)
			*ret_status = summary_error(&o->job, &err);
		else
			*ret_status = cmd_error(verbs[find(verb)].name, &err);
		return false;
	}
	*ret_status = 0;
	if (o->help)
		print_help(verb);
	else if (o->version)
		puts("datamover " DATAMOVER_VERSION);
	return !o->help && !o->version;
}

int
cmd_look(enum verb verb, int (*look)(const struct options *, struct err *),
    int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct options o;
	int status;

	if (cmd_begin(&o, verb, argc, argv, &status) && look(&o, &err) == -1)
		status = cmd_error(verbs[find(verb)].name, &err);
	options_release(&o);
	return status;
}

/* The directory and those above it. */
static int
make_directory(const char *path)
{
	AUTOFREE char *part = xstrdup(path);
	struct stat st;

	for (char *p = part + 1; *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(part, 0755) == -1 && errno != EEXIST)
			return -1;
		*p = '/';
	}
	if (mkdir(part, 0750) == 0)
		return 0;
	if (errno != EEXIST)
		return -1;
	if (stat(part, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	errno = ENOTDIR;
	return -1;
}

static enum log_level
level_of(const char *name)
{
	if (strcmp(name, "DEBUG") == 0)
		return LOG_DEBUG;
	if (strcmp(name, "INFO") == 0)
		return LOG_INFO;
	if (strcmp(name, "WARNING") == 0)
		return LOG_WARN;
	return LOG_ERROR;
}

int
cmd_open_log(const struct conf *c, const struct job *j, struct err *err)
{
	AUTOFREE char *path = xasprintf("%s/datamover.log", c->logging.path);
	struct log_config lc = {
		.file_level = j->debug ? LOG_DEBUG :
		    level_of(c->logging.level),
		.stderr_level = j->debug ? LOG_DEBUG : LOG_WARN,
		.path = path,
		.max_bytes = c->logging.max_log_file_size,
		.backup_count = c->logging.log_file_backup_count,
	};
	int rc = make_directory(c->logging.path);

	if (rc == -1)
		err_errno(err, ERR_CONFIG, errno, "log directory %s",
		    c->logging.path);
	else
		rc = log_open(&lc, err);
	if (rc == -1) {
		if (conf_origin_of(c, "logging", "path") != CONF_DEFAULT)
			return -1;
		lc.path = NULL;
		if (log_open(&lc, NULL) == -1)
			return -1;
		log_event(LOG_WARN, EVENT_NO_LOG_FILE,
		    LOG_WITH(LOG_TEXT("reason", err->msg)),
		    "%s (set path in [logging])", err->msg);
		err_clear(err);
	}
	for (size_t i = 0; i < c->notices.n; i++)
		log_event(LOG_WARN, EVENT_CONFIG, NULL, "%s", c->notices.v[i]);
	return 0;
}

int
cmd_find_catalog(const struct options *o, char **ret_path, struct err *err)
{
	struct conf c;
	int rc;

	if (o->catalog != NULL) {
		*ret_path = xstrdup(o->catalog);
		return 0;
	}
	rc = conf_load(&c, o->config, err);
	if (rc == 0)
		rc = conf_finish(&c, false, false, err);
	if (rc == 0)
		*ret_path = xstrdup(c.catalog.path);
	else
		err_wrap(err, "no --catalog is given");
	conf_release(&c);
	return rc;
}
