#include "cmd/options.h"
#include "model/filter.h"

#define HELP_COLUMN	30
#define HELP_WIDTH	79
#define MAX_DELETE_PERCENT 10

/* '_' and '-' are the same in names: name_len bytes of name. */
static bool
same_name(const char *name, size_t name_len, const char *want)
{
	if (strlen(want) != name_len)
		return false;
	for (size_t i = 0; i < name_len; i++)
		if (name[i] != want[i] && !(strchr("-_", name[i]) != NULL &&
		    strchr("-_", want[i]) != NULL))
			return false;
	return true;
}

/* name: without its dashes. */
static const struct option *
find(enum verb verb, const char *name, size_t len, bool is_long)
{
	for (size_t i = 0; i < options_count; i++) {
		const struct option *o = &options_table[i];

		if ((o->verbs & (unsigned)verb) == 0)
			continue;
		if (is_long && same_name(name, len, o->name))
			return o;
		if (!is_long && o->brief != NULL &&
		    strlen(o->brief) == len && memcmp(o->brief, name, len) == 0)
			return o;
	}
	return NULL;
}

/* Parse argv[i]; return the number of arguments taken, or -1. */
static int
parse_one(struct options *o, int argc, char **argv, int i, struct err *err)
{
	const char *arg = argv[i];
	bool is_long = arg[1] == '-';
	const char *name = arg + (is_long ? 2 : 1);
	size_t len = strcspn(name, "=");
	const char *value = name[len] == '=' ? name + len + 1 : NULL;
	const struct option *opt = find(o->verb, name, len, is_long);
	bool own = value != NULL;

	if (opt == NULL)
		return err_set(err, ERR_USAGE, 0, "unknown option %.*s",
		    (int)(name + len - arg), arg);
	if (opt->arg == NULL && own)
		return err_set(err, ERR_USAGE, 0, "--%s takes no value",
		    opt->name);
	if (opt->arg != NULL && !own) {
		if (i + 1 == argc)
			return err_set(err, ERR_USAGE, 0,
			    "--%s needs a value", opt->name);
		value = argv[i + 1];
		/* Most likely the value was forgotten. */
		if (value[0] == '-' && value[1] != '\0')
			return err_set(err, ERR_USAGE, 0, "--%s needs a value "
			    "(if it is \"%s\", write --%s=%s)", opt->name,
			    value, opt->name, value);
	}
	if (opt->set(o, opt, value, err) == -1)
		return -1;
	return opt->arg != NULL && !own ? 2 : 1;
}

/* Return the command line of the user, quoted for a shell. */
static char *
command_line(int argc, char **argv)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+,./:@%";
	struct buf b;
	char *line;

	buf_init(&b, SIZE_MAX >> 1);
	buf_addstr(&b, "datamover");
	for (int i = 0; i < argc; i++) {
		const char *p = argv[i];

		buf_addch(&b, ' ');
		if (p[0] != '\0' && p[strspn(p, plain)] == '\0') {
			buf_addstr(&b, p);
			continue;
		}
		buf_addch(&b, '\'');
		for (; *p != '\0'; p++) {
			if (*p == '\'')
				buf_addstr(&b, "'\\'");
			buf_addch(&b, *p);
		}
		buf_addch(&b, '\'');
	}
	line = xstrdup(b.data);
	buf_release(&b);
	return line;
}

static int
take_run(struct options *o, struct err *err)
{
	if (o->verb != VERB_UNDO || (o->word_count == 1 &&
	    options_parse_run(o->words[0], &o->job.run) == 0))
		return 0;
	return err_set(err, ERR_USAGE, 0, "the number of one run is needed: "
	    "datamover undo RUN");
}

static int
check_words(const struct options *o, struct err *err)
{
	bool words = o->verb == VERB_SQL || o->verb == VERB_UNDO ||
	    o->verb == VERB_DIFF || o->verb == VERB_CATALOG;

	if (o->verb == VERB_CATALOG && o->word_count == 0)
		return err_set(err, ERR_USAGE, 0,
		    "backup, check, restore, move or prune?");
	if (o->verb == VERB_DIFF && o->word_count != 2)
		return err_set(err, ERR_USAGE, 0, "two runs, times, targets or "
		    "catalogs are needed: datamover diff A B");
	if (!words && o->word_count > 0)
		return err_set(err, ERR_USAGE, 0,
		    "\"%s\" is no option and has no place here", o->words[0]);
	if (o->verb == VERB_SQL && o->word_count + (o->file != NULL) > 1)
		return err_set(err, ERR_USAGE, 0, "one query is possible, "
		    "quoted: datamover sql 'SELECT ...'");
	if (o->verb == VERB_GET && o->job.dest_path == NULL)
		return err_set(err, ERR_USAGE, 0, "--dest_path is needed: the "
		    "directory that the files come back to");
	if (o->max_delete_given && !o->job.mirror)
		return err_set(err, ERR_USAGE, 0,
		    "--max-delete means nothing without --delete");
	if (o->job.delete_excluded && !o->job.mirror)
		return err_set(err, ERR_USAGE, 0,
		    "--delete-excluded means nothing without --delete");
	if ((o->nfs_server == NULL) != (o->nfs_share == NULL))
		return err_set(err, ERR_USAGE, 0,
		    "--nfs-server and --nfs-share need each other");
	if (o->nfs_share != NULL && o->nfs_share[0] != '/')
		return err_set(err, ERR_USAGE, 0, "--nfs-share \"%s\" must "
		    "begin with /", o->nfs_share);
	if (o->verb == VERB_TEST && !o->job.data_integrity)
		return err_set(err, ERR_USAGE, 0, "what is to be tested? "
		    "--data_integrity is what there is");
	return 0;
}

/* Refuse pairs of options that make each other meaningless. */
static int
check_pairs(const struct job *j, struct err *err)
{
	const struct {
		bool	 both;
		const char *what;
	} pairs[] = {
		{ j->files_from != NULL && j->retry_failed,
		    "--files-from and --retry-failed" },
		{ j->files_from != NULL && j->prefix != NULL,
		    "--files-from and --prefix" },
		{ j->dryrun && j->retry_failed, "--dryrun and --retry-failed" },
		{ j->dryrun && j->adopt, "--dryrun and --adopt" },
		{ j->all && j->prefix != NULL, "--all and --prefix" },
		{ j->mirror && j->files_from != NULL,
		    "--delete and --files-from" },
		{ j->mirror && j->retry_failed,
		    "--delete and --retry-failed" },
		{ j->print0 && j->json, "--print0 and --json" },
		{ j->print0 && j->dest_path != NULL,
		    "--print0 and --dest_path" },
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		if (pairs[i].both)
			return err_set(err, ERR_USAGE, 0,
			    "%s exclude each other", pairs[i].what);
	if (j->min_size > j->max_size)
		return err_set(err, ERR_USAGE, 0,
		    "--min-size is above --max-size: no file is left");
	return 0;
}

int
options_parse(struct options *o, enum verb verb, int argc, char **argv,
    struct err *err)
{
	int i = 1;

	memset(o, 0, sizeof(*o));
	o->verb = verb;
	o->job.op = verb == VERB_PUT ? OP_PUT :
	    verb == VERB_LIST ? OP_LIST :
	    verb == VERB_GET ? OP_GET :
	    verb == VERB_DEL ? OP_DEL :
	    verb == VERB_TEST ? OP_TEST :
	    verb == VERB_UNDO ? OP_UNDO : OP_NONE;
	o->job.max_size = UINT64_MAX;
	o->job.max_delete = MAX_DELETE_PERCENT;
	o->job.max_delete_percent = true;
	o->job.command_line = command_line(argc, argv);
	o->words = xcalloc((size_t)argc, sizeof(*o->words));
	while (i < argc) {
		int took = 1;

		if (strcmp(argv[i], "--") == 0) {
			for (i++; i < argc; i++)
				o->words[o->word_count++] = argv[i];
			break;
		}
		if (argv[i][0] != '-' || argv[i][1] == '\0')
			o->words[o->word_count++] = argv[i];
		else
			took = parse_one(o, argc, argv, i, err);
		if (took == -1)
			return -1;
		i += took;
	}
	if (o->help || o->version)
		return 0;
	return take_run(o, err) == -1 || check_words(o, err) == -1 ? -1 :
	    check_pairs(&o->job, err);
}

void
options_release(struct options *o)
{
	free(o->job.prefix);
	free(o->job.dest_path);
	free(o->job.as_of);
	free(o->job.files_from);
	free(o->job.command_line);
	filter_free(&o->job.filter);
	free(o->config);
	free(o->catalog);
	free(o->format);
	free(o->keep);
	free(o->target);
	free(o->file);
	free(o->attach);
	free(o->output);
	free(o->join);
	free(o->key_file);
	free(o->operation);
	free(o->nfs_server);
	free(o->nfs_share);
	for (size_t i = 0; i < o->override_count; i++) {
		free(o->overrides[i].value);
		free(o->overrides[i].where);
	}
	free(o->overrides);
	free(o->words);
	memset(o, 0, sizeof(*o));
}

/* Print the words of text from the help column on, wrapped. */
static void
print_wrapped(FILE *f, const char *text)
{
	size_t column = HELP_COLUMN;

	while (*text != '\0') {
		size_t len = strcspn(text, " ");
		bool first = column == HELP_COLUMN;

		if (!first && column + 1 + len > HELP_WIDTH) {
			fprintf(f, "\n%*s", HELP_COLUMN, "");
			column = HELP_COLUMN;
			first = true;
		}
		column += (size_t)fprintf(f, "%s%.*s", first ? "" : " ",
		    (int)len, text);
		text += len + strspn(text + len, " ");
	}
	fputc('\n', f);
}

void
options_help(FILE *f, enum verb verb)
{
	for (size_t i = 0; i < options_count; i++) {
		const struct option *o = &options_table[i];
		char left[80];
		int n;

		if ((o->verbs & (unsigned)verb) == 0)
			continue;
		n = snprintf(left, sizeof(left), "  %s%s%s--%s%s%s",
		    o->brief != NULL ? "-" : "",
		    o->brief != NULL ? o->brief : "",
		    o->brief != NULL ? ", " : "", o->name,
		    o->arg != NULL ? " " : "", o->arg != NULL ? o->arg : "");
		if (n + 2 > HELP_COLUMN)
			fprintf(f, "%s\n%*s", left, HELP_COLUMN, "");
		else
			fprintf(f, "%-*s", HELP_COLUMN, left);
		print_wrapped(f, o->help);
	}
}
