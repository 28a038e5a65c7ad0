#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "cmd/options.h"
#include "model/filter.h"

static char text[64 * 1024];

/* A command line as one text; words are divided by single blanks. */
static int
parse(struct options *o, enum verb verb, const char *line, struct err *err)
{
	static char words[1024];
	char *argv[32], *p = words, *word;
	int argc = 0;

	snprintf(words, sizeof(words), "%s", line);
	while ((word = strsep(&p, " ")) != NULL)
		argv[argc++] = word;
	return options_parse(o, verb, argc, argv, err);
}

static void
good(struct options *o, enum verb verb, const char *line)
{
	struct err err = ERR_INIT;

	if (parse(o, verb, line, &err) == -1)
		fail_msg("%s: %s", line, err.msg);
}

static void
bad(enum verb verb, const char *line, const char *part)
{
	struct err err = ERR_INIT;
	struct options o;

	if (parse(&o, verb, line, &err) != -1)
		fail_msg("\"%s\" was taken", line);
	assert_int_equal(err.kind, ERR_USAGE);
	if (strstr(err.msg, part) == NULL)
		fail_msg("\"%s\" says \"%s\"", line, err.msg);
	options_release(&o);
}

static void
short_forms_are_the_originals(void **state)
{
	struct options o;

	(void)state;
	good(&o, VERB_PUT, "PUT -cfg /c.json -p h/s/ -dr -d -sa -com no "
	    "-sp yes -ns h -nsh /S -np 20049 -t 4 -b Bucket");
	assert_string_equal(o.config, "/c.json");
	assert_string_equal(o.job.prefix, "h/s/");
	assert_true(o.job.dryrun);
	assert_true(o.job.debug);
	assert_true(o.job.standalone);
	assert_string_equal(o.nfs_server, "h");
	assert_string_equal(o.nfs_share, "/S");
	assert_int_equal(o.job.threads, 4);
	assert_int_equal(o.override_count, 4);
	assert_string_equal(o.overrides[0].section, "general");
	assert_string_equal(o.overrides[0].key, "compaction");
	assert_string_equal(o.overrides[0].value, "no");
	assert_string_equal(o.overrides[1].key, "server_as_prefix");
	assert_string_equal(o.overrides[2].key, "nfsport");
	assert_string_equal(o.overrides[2].value, "20049");
	assert_string_equal(o.overrides[2].where, "--nfs-port");
	assert_string_equal(o.overrides[3].value, "Bucket");
	options_release(&o);
	good(&o, VERB_LIST, "LIST -dp /tmp/X -p=h/s/");
	assert_int_equal(o.job.op, OP_LIST);
	assert_string_equal(o.job.dest_path, "/tmp/X");
	assert_string_equal(o.job.prefix, "h/s/");
	options_release(&o);
}

/* A command line of the original, whatever its operation, is taken. */
static void
all_options_of_the_original_are_there(void **state)
{
	enum { P = VERB_PUT, L = VERB_LIST, G = VERB_GET, D = VERB_DEL,
	    T = VERB_TEST };
	static const struct {
		const char *name, *letters, *value;
		unsigned verbs;
	} v[] = {
		{ "config", "cfg", "/c.json", P | L | G | D | T },
		{ "prefix", "p", "h/s/", P | L | G | D | T },
		{ "dest_path", "dp", "/d", L | G | T },
		{ "dryrun", "dr", NULL, P | L | G | D },
		{ "debug", "d", NULL, P | L | G | D | T },
		{ "compaction", "com", "no", P | D },
		{ "server-as-prefix", "sp", "yes", P | L | G | D },
		{ "nfs-server", "ns", "h", P | D },
		{ "nfs-share", "nsh", "/s", P | D },
		{ "nfs-port", "np", "2049", P | D },
		{ "distributed", "dist", NULL, L },
		{ "standalone", "sa", NULL, P },
		{ "data_integrity", "di", NULL, T },
		{ "skip_upload", "su", NULL, T },
		{ "thread", "t", "1", P | L | G | D },
		{ "bucket", "b", "bkt", P | L | G | D },
		{ "profile", "pro", NULL, P | L | G | D },
	};

	static const unsigned verbs[] = { P, L, G, D, T };

	(void)state;
	for (unsigned way = 0; way < 2; way++)
		for (size_t k = 0; k < ARRAY_LEN(verbs); k++) {
			struct buf line CLEANUP(buf_release);
			unsigned verb = verbs[k];
			struct options o;

			buf_init(&line, 1024);
			buf_addstr(&line, "OP");
			for (size_t i = 0; i < ARRAY_LEN(v); i++) {
				if ((v[i].verbs & verb) == 0)
					continue;
				buf_addf(&line, way == 0 ? " --%s" : " -%s",
				    way == 0 ? v[i].name : v[i].letters);
				if (v[i].value != NULL)
					buf_addf(&line, " %s", v[i].value);
			}
			good(&o, (enum verb)verb, line.data);
			assert_string_equal(o.job.prefix, "h/s/");
			assert_true(o.job.debug);
			assert_int_equal(o.job.dryrun, verb != VERB_TEST);
			assert_int_equal(o.job.threads, verb != VERB_TEST);
			options_release(&o);
		}
}

static void
spellings_mean_the_same(void **state)
{
	static const char *const lines[] = {
		"LIST --dest_path /D --server_as_prefix no",
		"LIST --dest-path /D --server-as-prefix no",
		"LIST --dest_path=/D --server-as_prefix=no",
		"LIST -dp=/D -sp=no",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct options o;

		good(&o, VERB_LIST, lines[i]);
		assert_string_equal(o.job.dest_path, "/D");
		assert_int_equal(o.override_count, 1);
		assert_string_equal(o.overrides[0].value, "no");
		options_release(&o);
	}
}

static void
put_has_its_options(void **state)
{
	struct options o;

	(void)state;
	good(&o, VERB_PUT, "PUT");
	assert_int_equal(o.job.op, OP_PUT);
	assert_true(o.job.max_size == UINT64_MAX);
	assert_null(o.job.filter);
	options_release(&o);
	good(&o, VERB_PUT, "put --min-size 4K --max-size=1.5MiB --links follow "
	    "--files-from - --checksum --quiet --json "
	    "--bwlimit 10M --limit-memory 64M --storage-class STANDARD_IA "
	    "--sse aws:kms");
	assert_int_equal(o.job.min_size, 4096);
	assert_int_equal(o.job.max_size, 1572864);
	assert_true(o.job.follow_links);
	assert_string_equal(o.job.files_from, "-");
	assert_true(o.job.checksum);
	assert_true(o.job.quiet);
	assert_true(o.job.json);
	assert_int_equal(o.override_count, 4);
	assert_string_equal(o.overrides[1].key, "limit_memory");
	assert_string_equal(o.overrides[1].where, "--limit-memory");
	options_release(&o);
	good(&o, VERB_PUT, "PUT --retry-failed");
	assert_true(o.job.retry_failed);
	options_release(&o);
	good(&o, VERB_PUT, "PUT --delete");
	assert_true(o.job.mirror);
	assert_int_equal(o.job.max_delete, 10);
	assert_true(o.job.max_delete_percent);
	options_release(&o);
	good(&o, VERB_PUT, "PUT --delete --max_delete 0");
	assert_int_equal(o.job.max_delete, 0);
	assert_false(o.job.max_delete_percent);
	options_release(&o);
	/* The last one of a kind counts; no leak of the first. */
	good(&o, VERB_PUT, "PUT --prefix a/ --prefix b/ --links follow "
	    "--links skip");
	assert_string_equal(o.job.prefix, "b/");
	assert_false(o.job.follow_links);
	options_release(&o);
}

static void
filters_keep_their_order(void **state)
{
	struct options o;
	char *line;

	(void)state;
	good(&o, VERB_PUT, "PUT --include=*.c --exclude=* --include=x");
	line = filter_describe(o.job.filter);
	assert_string_equal(line, "+ *.c, - *, + x");
	free(line);
	options_release(&o);
	bad(VERB_PUT, "PUT --exclude=[a", "--exclude: ");
}

static void
test_has_its_options(void **state)
{
	struct options o;

	(void)state;
	good(&o, VERB_TEST, "TEST -di -su -dp /tmp/x -t 2 --json");
	assert_int_equal(o.job.op, OP_TEST);
	assert_true(o.job.data_integrity);
	assert_true(o.job.skip_upload);
	assert_false(o.job.test_head);
	assert_true(o.job.sample_percent <= 0);
	options_release(&o);
	good(&o, VERB_TEST, "TEST --data-integrity --mode head");
	assert_true(o.job.test_head);
	options_release(&o);
	good(&o, VERB_TEST, "TEST --data_integrity --mode=sample=2.5%");
	assert_true(o.job.sample_percent > 2.4 && o.job.sample_percent < 2.6);
	options_release(&o);
	/* The last one counts. */
	good(&o, VERB_TEST, "TEST -di --mode sample=5% --mode full");
	assert_true(o.job.sample_percent <= 0);
	options_release(&o);
	bad(VERB_TEST, "TEST", "--data_integrity");
	bad(VERB_TEST, "TEST -di --mode fast", "sample=N%");
	bad(VERB_TEST, "TEST -di --mode sample=5", "sample=N%");
	bad(VERB_TEST, "TEST -di --mode sample=0%", "sample=N%");
	bad(VERB_TEST, "TEST -di --mode sample=-1%", "sample=N%");
	bad(VERB_TEST, "TEST -di --mode sample=100.1%", "sample=N%");
	bad(VERB_TEST, "TEST -di --mode sample=nan%", "sample=N%");
	bad(VERB_TEST, "TEST -di --dryrun", "unknown option --dryrun");
}

static void
list_has_its_options(void **state)
{
	struct options o;

	(void)state;
	good(&o, VERB_LIST, "list --all --print0 --quiet");
	assert_true(o.job.all);
	assert_true(o.job.print0);
	options_release(&o);
	good(&o, VERB_LIST, "LIST --distributed -dist");
	options_release(&o);
	bad(VERB_LIST, "LIST --checksum", "unknown option --checksum");
	bad(VERB_PUT, "PUT --all", "unknown option --all");
}

static void
sql_takes_one_query(void **state)
{
	struct options o;

	(void)state;
	good(&o, VERB_SQL, "sql --catalog=/c.db SELECT --format csv");
	assert_int_equal(o.word_count, 1);
	assert_string_equal(o.words[0], "SELECT");
	assert_string_equal(o.format, "csv");
	options_release(&o);
	good(&o, VERB_SQL, "sql -- --SELECT");
	assert_string_equal(o.words[0], "--SELECT");
	options_release(&o);
	good(&o, VERB_SQL, "sql");
	assert_int_equal(o.word_count, 0);
	options_release(&o);
	bad(VERB_SQL, "sql --file f SELECT", "one query");
	bad(VERB_SQL, "sql SELECT 1", "one query");
	good(&o, VERB_STATUS, "status --json --catalog c");
	assert_true(o.job.json);
	options_release(&o);
}

static void
catalog_takes_an_action(void **state)
{
	struct options o;

	(void)state;
	good(&o, VERB_CATALOG, "catalog backup --replace /b.db -y");
	assert_int_equal(o.word_count, 2);
	assert_string_equal(o.words[1], "/b.db");
	assert_true(o.replace && o.job.yes);
	options_release(&o);
	bad(VERB_CATALOG, "catalog", "backup, check");
	bad(VERB_STATUS, "status --replace", "--replace");
}

static void
undo_takes_one_run(void **state)
{
	struct options o;

	(void)state;
	good(&o, VERB_UNDO, "undo --yes 12");
	assert_int_equal(o.job.op, OP_UNDO);
	assert_int_equal(o.job.run, 12);
	options_release(&o);
	bad(VERB_UNDO, "undo", "one run");
	bad(VERB_UNDO, "undo 1 2", "one run");
	bad(VERB_UNDO, "undo 0", "one run");
	bad(VERB_UNDO, "undo 1x", "one run");
	bad(VERB_UNDO, "undo 99999999999999999999", "one run");
	bad(VERB_PUT, "PUT 12", "has no place here");
}

static void
mistakes_are_named(void **state)
{
	(void)state;
	bad(VERB_PUT, "PUT --bogus", "unknown option --bogus");
	bad(VERB_PUT, "PUT --bogus=secret", "unknown option --bogus");
	bad(VERB_PUT, "PUT -x", "unknown option -x");
	bad(VERB_PUT, "PUT -prefix a/", "unknown option -prefix");
	bad(VERB_PUT, "PUT --p a/", "unknown option --p");
	bad(VERB_PUT, "PUT --pref a/", "unknown option --pref");
	bad(VERB_PUT, "PUT --prefix", "--prefix needs a value");
	bad(VERB_PUT, "PUT --prefix --json", "--prefix needs a value");
	bad(VERB_PUT, "PUT --prefix=", "--prefix is empty");
	bad(VERB_PUT, "PUT --json=yes", "--json takes no value");
	bad(VERB_PUT, "PUT word", "\"word\"");
	bad(VERB_PUT, "PUT --thread 0", "1 to 256");
	bad(VERB_PUT, "PUT --thread 257", "1 to 256");
	bad(VERB_PUT, "PUT --thread 4x", "1 to 256");
	bad(VERB_PUT, "PUT --thread 99999999999999999999", "1 to 256");
	bad(VERB_PUT, "PUT --min-size 4Q", "--min-size: ");
	bad(VERB_PUT, "PUT --links maybe", "skip or follow");
	bad(VERB_PUT, "PUT --delete --max-delete=101%", "0% to 100%");
	bad(VERB_PUT, "PUT --delete --max-delete 1%%", "0% to 100%");
	bad(VERB_PUT, "PUT --delete --max-delete 9999999999999999999",
	    "0% to 100%");
	bad(VERB_PUT, "PUT --delete --max-delete ten", "0% to 100%");
	bad(VERB_PUT, "PUT --compaction true", "yes or no");
	bad(VERB_PUT, "PUT -sp YES", "yes or no");
	bad(VERB_PUT, "PUT --nfs-server h", "need each other");
	bad(VERB_PUT, "PUT --nfs-share /s", "need each other");
	bad(VERB_PUT, "PUT --nfs-server h --nfs-share s", "begin with /");
}

static void
what_excludes_each_other_is_refused(void **state)
{
	(void)state;
	bad(VERB_PUT, "PUT --files-from f --retry-failed", "exclude each");
	bad(VERB_PUT, "PUT --files-from f -p h/s/", "exclude each");
	bad(VERB_PUT, "PUT --dryrun --retry-failed", "exclude each");
	bad(VERB_PUT, "PUT --min-size 2K --max-size 1K", "no file is left");
	bad(VERB_PUT, "PUT --max-delete 5", "without --delete");
	bad(VERB_PUT, "PUT --delete --retry-failed", "exclude each");
	bad(VERB_PUT, "PUT --delete --files-from -", "exclude each");
	bad(VERB_DEL, "DEL --all -p h/s/", "exclude each");
	bad(VERB_LIST, "LIST --yes", "unknown option");
	bad(VERB_LIST, "LIST --all -p h/s/", "exclude each");
	bad(VERB_LIST, "LIST --print0 --json", "exclude each");
	bad(VERB_LIST, "LIST --print0 -dp /", "exclude each");
}

static void
options_override_settings(void **state)
{
	struct err err = ERR_INIT;
	struct options o;
	struct conf c;

	(void)state;
	conf_init(&c);
	conf_set_nfs(&c, "other", "/x");
	good(&o, VERB_PUT, "PUT -np 20049 --bwlimit 10M --limit-memory=64M "
	    "--tpslimit 7 "
	    "-b bucket -sp no -ns filer -nsh /exp/a// --sse AES256");
	if (options_apply(&o, &c, &err) == -1)
		fail_msg("%s", err.msg);
	assert_int_equal(c.fs_config.access.nfsport, 20049);
	assert_int_equal(c.bwlimit, 10 * MIB);
	assert_int_equal(c.tpslimit, 7);
	assert_int_equal(c.limit_memory, 64 * MIB);
	assert_string_equal(c.s3_storage.bucket, "bucket");
	assert_string_equal(c.s3_storage.sse, "AES256");
	assert_false(c.fs_config.server_as_prefix);
	assert_int_equal(c.fs_config.nfs_count, 1);
	assert_string_equal(c.fs_config.nfs[0].server, "filer");
	assert_string_equal(c.fs_config.nfs[0].shares.v[0], "/exp/a");
	options_release(&o);
	good(&o, VERB_PUT, "PUT -np 99999");
	assert_int_equal(options_apply(&o, &c, &err), -1);
	assert_non_null(strstr(err.msg, "--nfs-port"));
	options_release(&o);
	conf_release(&c);
}

/* ret is what options_check says of this line and these settings. */
static int
check(const struct conf *c, enum verb verb, const char *line, struct err *err)
{
	struct options o;
	int rc;

	good(&o, verb, line);
	rc = options_check(&o, c, err);
	options_release(&o);
	return rc;
}

static void
what_is_for_later_says_so(void **state)
{
	struct err err = ERR_INIT;
	struct conf c;

	(void)state;
	conf_init(&c);
	conf_set_nfs(&c, "h", "/s");
	assert_int_equal(check(&c, VERB_PUT, "PUT", &err), 0);
	strlist_add(&c.client.hosts, "client1");
	assert_int_equal(check(&c, VERB_PUT, "PUT", &err), 0);
	assert_int_equal(check(&c, VERB_PUT, "PUT -sa", &err), 0);
	assert_int_equal(check(&c, VERB_LIST, "LIST", &err), 0);
	assert_int_equal(conf_set(&c, "dss_targets t", "nqn", "nqn.x", "test",
	    &err), 0);
	assert_int_equal(check(&c, VERB_PUT, "PUT -com yes", &err), 0);
	assert_int_equal(check(&c, VERB_DEL, "DEL -com no", &err), 0);
	conf_release(&c);
}

static void
settings_may_refuse_the_rest(void **state)
{
	struct err err = ERR_INIT;
	struct conf c;

	(void)state;
	conf_init(&c);
	conf_set_nfs(&c, "h", "/s");
	c.fs_config.server_as_prefix = true;
	assert_int_equal(check(&c, VERB_LIST, "LIST -p h/s/a/", &err), 0);
	assert_int_equal(check(&c, VERB_LIST, "LIST -p h/s1/", &err), -1);
	assert_int_equal(err.kind, ERR_USAGE);
	assert_non_null(strstr(err.msg, "--prefix"));
	strlist_add(&c.general.operations, "PUT");
	c.file = xstrdup("the.conf");
	assert_int_equal(check(&c, VERB_PUT, "PUT", &err), 0);
	assert_int_equal(check(&c, VERB_LIST, "LIST", &err), -1);
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.msg, "the.conf does not allow LIST"));
	conf_release(&c);
}

static void
help_is_asked_for_in_any_place(void **state)
{
	struct options o;

	(void)state;
	good(&o, VERB_SQL, "sql --help");
	assert_true(o.help);
	options_release(&o);
	good(&o, VERB_PUT, "PUT --nfs-server h -h");
	assert_true(o.help);
	options_release(&o);
	good(&o, VERB_PUT, "PUT --version x");
	assert_true(o.version);
	options_release(&o);
}

static void
command_line_can_be_pasted(void **state)
{
	char *argv[] = { (char[]){ "PUT" }, (char[]){ "--exclude=*.o" },
		(char[]){ "--prefix" }, (char[]){ "h/it's a/" },
		(char[]){ "--bucket=" } };
	struct options o;

	(void)state;
	assert_int_equal(options_parse(&o, VERB_PUT, ARRAY_LEN(argv), argv,
	    NULL), 0);
	assert_string_equal(o.job.command_line, "datamover PUT "
	    "'--exclude=*.o' --prefix 'h/it'\\''s a/' --bucket=");
	options_release(&o);
}

static void
help_fits(void **state)
{
	static const enum verb verbs[] = { VERB_PUT, VERB_LIST, VERB_STATUS,
		VERB_SQL, VERB_REPORT, VERB_CHECK, VERB_TEST, VERB_GET,
		VERB_DEL, VERB_CLIENT, VERB_STOP, VERB_CATALOG, VERB_UNDO,
		VERB_DIFF };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		FILE *f = tmpfile();
		char line[256];

		assert_non_null(f);
		options_help(f, verbs[i]);
		rewind(f);
		while (fgets(line, sizeof(line), f) != NULL) {
			if (strlen(line) > 80)
				fail_msg("too wide: %s", line);
			assert_null(strstr(line, " \n"));
			strncat(text, line, sizeof(text) - strlen(text) - 1);
		}
		fclose(f);
	}
	/* Every option is shown, and has a help text that says something. */
	for (size_t i = 0; i < options_count; i++) {
		char name[64];

		snprintf(name, sizeof(name), "--%s", options_table[i].name);
		assert_non_null(strstr(text, name));
		assert_true(strlen(options_table[i].help) > 8);
	}
}

/* In one verb no two options may be meant by the same name. */
static void
names_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < options_count; i++) {
		for (size_t j = 0; j < i; j++) {
			const struct option *a = &options_table[i];
			const struct option *b = &options_table[j];

			if ((a->verbs & b->verbs) == 0)
				continue;
			assert_string_not_equal(a->name, b->name);
			if (a->brief != NULL && b->brief != NULL)
				assert_string_not_equal(a->brief, b->brief);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_forms_are_the_originals),
		cmocka_unit_test(all_options_of_the_original_are_there),
		cmocka_unit_test(spellings_mean_the_same),
		cmocka_unit_test(put_has_its_options),
		cmocka_unit_test(filters_keep_their_order),
		cmocka_unit_test(test_has_its_options),
		cmocka_unit_test(list_has_its_options),
		cmocka_unit_test(sql_takes_one_query),
		cmocka_unit_test(undo_takes_one_run),
		cmocka_unit_test(catalog_takes_an_action),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(what_excludes_each_other_is_refused),
		cmocka_unit_test(options_override_settings),
		cmocka_unit_test(what_is_for_later_says_so),
		cmocka_unit_test(settings_may_refuse_the_rest),
		cmocka_unit_test(help_is_asked_for_in_any_place),
		cmocka_unit_test(command_line_can_be_pasted),
		cmocka_unit_test(help_fits),
		cmocka_unit_test(names_are_unique),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
