/* datamover conf: print, check and convert settings, print the example. */
#include <getopt.h>

#include "cmd/conf.h"
#include "conf/conf.h"

enum action { ACTION_PRINT = 0, ACTION_CHECK, ACTION_CONVERT,
	ACTION_EXAMPLE };

static void
usage(FILE *f)
{
	fputs("usage: datamover conf [--config FILE] "
	    "[--check | --convert | --example]\n"
	    "\n"
	    "Prints the settings in force, secrets as (set).\n"
	    "  --config FILE  read FILE; *.json is the original's format\n"
	    "  --check        say whether the settings are complete and right\n"
	    "  --convert      print FILE as datamover.conf, secrets included\n"
	    "  --example      print an example of datamover.conf\n"
	    "  --help         print this\n", f);
}

/* Print a text escaped: every text here holds names of files. */
static void
say(FILE *f, const char *before, const char *text, const char *after)
{
	char shown[4096];

	fprintf(f, "%s%s%s\n", before, str_escape(str_of(text), shown,
	    sizeof(shown)), after);
}

static int
complain(const struct err *err)
{
	say(stderr, "datamover: ", err->msg, "");
	return 2;
}

static void
print_notices(const struct conf *c)
{
	for (size_t i = 0; i < c->notices.n; i++)
		say(stderr, "datamover: ", c->notices.v[i], "");
}

static int
print(struct conf *c)
{
	struct err err = ERR_INIT;

	/* An incomplete file may be printed; --check complains. */
	if (conf_finish(c, false, false, &err) == -1)
		return complain(&err);
	conf_print(c, stdout, false, false);
	return 0;
}

static int
check(struct conf *c)
{
	struct err err = ERR_INIT;

	if (conf_finish(c, true, true, &err) == -1)
		return complain(&err);
	say(stdout, "", c->file, ": the settings are right");
	return 0;
}

static int
convert(const struct conf *c)
{
	say(stdout, "# Made from ", c->file, "\n");
	conf_print(c, stdout, true, true);
	if (c->s3_storage.secret_key != NULL || c->client.password != NULL ||
	    c->s3_storage.session_token != NULL)
		fputs("datamover: the output holds secrets: chmod o= the "
		    "file, or move them to secret_key_file and "
		    "password_file\n", stderr);
	return 0;
}

static int
with_file(enum action action, const char *file)
{
	CLEANUP(conf_release) struct conf c;
	struct err err = ERR_INIT;

	if (conf_load(&c, file, &err) == -1)
		return complain(&err);
	/* The reader of a JSON file has advised already. */
	if (!str_ends(str_of(c.file), STR(".json")))
		conf_advise(&c, &c.notices);
	print_notices(&c);
	if (action == ACTION_CHECK)
		return check(&c);
	return action == ACTION_CONVERT ? convert(&c) : print(&c);
}

int
cmd_conf(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'k' },
		{ "convert", no_argument, NULL, 'v' },
		{ "example", no_argument, NULL, 'e' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	enum action action = ACTION_PRINT;
	const char *file = NULL;
	int ch, actions = 0, rc = 0;

	optind = 0;	/* start again: main may have used getopt */
	opterr = 0;
	while ((ch = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		switch (ch) {
		case 'c':
			file = optarg;
			break;
		case 'k':
			action = ACTION_CHECK;
			actions++;
			break;
		case 'v':
			action = ACTION_CONVERT;
			actions++;
			break;
		case 'e':
			action = ACTION_EXAMPLE;
			actions++;
			break;
		case 'h':
			usage(stdout);
			return 0;
		case ':':
			say(stderr, "datamover: ", argv[optind - 1],
			    " needs a value");
			return 2;
		default:
			say(stderr, "datamover: conf has no option ",
			    argv[optind - 1],
			    "; see datamover conf --help");
			return 2;
		}
	}
	if (optind == argc - 1 && file == NULL)
		file = argv[optind++];
	if (optind != argc || actions > 1) {
		fputs("datamover: conf takes one file and one of --check, "
		    "--convert and --example\n", stderr);
		return 2;
	}
	if (action == ACTION_EXAMPLE)
		conf_print_example(stdout);
	else
		rc = with_file(action, file);
	return rc;
}
