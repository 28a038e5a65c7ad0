#include <errno.h>
#include <fcntl.h>
#include <strings.h>

#include "base/exit_status.h"
#include "cmd/cmd.h"
#include "cmd/conf.h"

static const struct {
	const char *name;
	int	 (*run)(int argc, char **argv);
	const char *what;
} verbs[] = {
	{ "PUT", cmd_put, "upload files of NFS exports to the bucket" },
	{ "LIST", cmd_list, "print the keys that the bucket holds" },
	{ "GET", cmd_get, "bring objects back as files" },
	{ "DEL", cmd_del, "delete objects of the bucket" },
	{ "TEST", cmd_test,
	    "verify that the bucket holds what the files held" },
	{ "undo", cmd_undo, "bring back what a run has deleted" },
	{ "status", cmd_status, "show the last run" },
	{ "stop", cmd_stop, "end the run that is going on" },
	{ "diff", cmd_diff, "what differs between two states of a bucket" },
	{ "sql", cmd_sql, "ask the catalog" },
	{ "report", cmd_report, "report a run: text, json, csv, html" },
	{ "catalog", cmd_catalog,
	    "back up, check, restore, move or prune the catalog" },
	{ "check", cmd_check, "try all that a run needs" },
	{ "client", cmd_client, "work for a master on another host" },
	{ "conf", cmd_conf, "print, validate or convert the settings" },
};

static void
usage(FILE *f)
{
	fputs("usage: datamover VERB [options]\n\n", f);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		fprintf(f, "  %-8s  %s\n", verbs[i].name, verbs[i].what);
	fputs("\ndatamover VERB --help shows the options of a verb; "
	    "see also datamover(1).\n", f);
}

static int
dispatch(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";
	char shown[80];

	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 ||
	    strcasecmp(word, "help") == 0) {
		usage(stdout);
		return EXIT_DONE;
	}
	if (strcmp(word, "--version") == 0) {
		puts("datamover " DATAMOVER_VERSION);
		return EXIT_DONE;
	}
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcasecmp(word, verbs[i].name) == 0)
			return verbs[i].run(argc - 1, argv + 1);
	if (argc < 2)
		usage(stderr);
	else if (word[0] == '-')
		fprintf(stderr, "datamover: \"%s\" stands where the verb must "
		    "be: datamover VERB [options]\nsee datamover --help\n",
		    str_escape(str_of(word), shown, sizeof(shown)));
	else
		fprintf(stderr, "datamover: unknown verb \"%s\"\n"
		    "see datamover --help\n",
		    str_escape(str_of(word), shown, sizeof(shown)));
	return EXIT_CONFIG;
}

/* Open /dev/null for each closed standard descriptor. Otherwise the next
 * opened file, the lock of the catalog or the log, would get the number of a
 * closed descriptor, and output for people would go into that file. A standard
 * output that was closed can't be written; main reports the failure at the
 * end. */
static bool
open_standard_files(void)
{
	static const int flags[] = { O_RDONLY, O_RDONLY, O_WRONLY };

	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) == -1 && errno == EBADF &&
		    open("/dev/null", flags[fd]) != fd)
			return false;
	return true;
}

int
main(int argc, char **argv)
{
	int status;

	if (!open_standard_files())
		return EXIT_FAILED;
	status = dispatch(argc, argv);

	/* A command whose output could not be printed has failed. */
	if ((fflush(stdout) != 0 || ferror(stdout) != 0) &&
	    status == EXIT_DONE) {
		fputs("datamover: standard output can't be written\n", stderr);
		status = EXIT_FAILED;
	}
	return status;
}
