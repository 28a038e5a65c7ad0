#include <stddef.h>
#include <strings.h>

#include "base/units.h"
#include "cmd/options.h"
#include "model/filter.h"
#include "model/key.h"

static void *
field(struct options *o, const struct option *opt)
{
	return (char *)o + opt->offset;
}

static int
set_flag(struct options *o, const struct option *opt, const char *value,
    struct err *err)
{
	bool *flag = field(o, opt);

	(void)value;
	(void)err;
	*flag = true;
	return 0;
}

static int
set_text(struct options *o, const struct option *opt, const char *value,
    struct err *err)
{
	char **text = field(o, opt);

	if (value[0] == '\0')
		return err_set(err, ERR_USAGE, 0, "--%s is empty", opt->name);
	free(*text);
	*text = xstrdup(value);
	return 0;
}

static int
set_prefix(struct options *o, const struct option *opt, const char *value,
    struct err *err)
{
	CLEANUP(buf_release) struct buf key;

	buf_init(&key, 64 * KIB);
	if (key_from_either(&key, str_of(value)) == -1)
		return err_set(err, ERR_USAGE, 0, "--%s is too long",
		    opt->name);
	return set_text(o, opt, key.len > 0 ? key.data : "", err);
}

static int
set_size(struct options *o, const struct option *opt, const char *value,
    struct err *err)
{
	uint64_t *size = field(o, opt);

	if (units_parse(value, size, err) == -1)
		return err_wrap(err, "--%s", opt->name);
	return 0;
}

static int
set_time(struct options *o, const struct option *opt, const char *value,
    struct err *err)
{
	uint64_t *seconds = field(o, opt);

	if (units_parse_time(value, seconds, err) == -1)
		return err_wrap(err, "--%s", opt->name);
	if (*seconds == 0)
		return err_set(err, ERR_USAGE, 0, "--%s is a time such as "
		    "26h, not \"%s\"", opt->name, value);
	return 0;
}

/* An operation that the catalog has rows of, in any case. */
static int
set_operation(struct options *o, const struct option *opt, const char *value,
    struct err *err)
{
	static const enum op ops[] = { OP_PUT, OP_GET, OP_DEL, OP_TEST,
	    OP_UNDO };

	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		if (strcasecmp(value, op_name(ops[i])) == 0)
			return set_text(o, opt, op_name(ops[i]), err);
	return err_set(err, ERR_USAGE, 0, "--%s is PUT, GET, DEL, TEST or "
	    "undo, not \"%s\"", opt->name, value);
}

static int
set_setting(struct options *o, const struct option *opt, const char *value,
    struct err *err)
{
	struct override *v;

	(void)err;
	o->overrides = xreallocarray(o->overrides, o->override_count + 1,
	    sizeof(*o->overrides));
	v = &o->overrides[o->override_count++];
	v->section = opt->section;
	v->key = opt->key;
	v->value = xstrdup(value);
	v->where = xasprintf("--%s", opt->name);
	return 0;
}

/* Settings know more spellings; the option promises these two. */
static int
set_yes_no(struct options *o, const struct option *opt, const char *value,
    struct err *err)
{
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return err_set(err, ERR_USAGE, 0, "--%s is yes or no, not "
		    "\"%s\"", opt->name, value);
	return set_setting(o, opt, value, err);
}

static int
set_links(struct options *o, const struct option *opt, const char *value,
    struct err *err)
{
	if (strcmp(value, "skip") != 0 && strcmp(value, "follow") != 0)
		return err_set(err, ERR_USAGE, 0, "--%s is skip or follow, "
		    "not \"%s\"", opt->name, value);
	o->job.follow_links = strcmp(value, "follow") == 0;
	return 0;
}

static int
set_thread(struct options *o, const struct option *opt, const char *value,
    struct err *err)
{
	unsigned n = 0;

	for (const char *p = value; *p != '\0' && n < 1000; p++) {
		if (*p < '0' || *p > '9') {
			n = 0;
			break;
		}
		n = n * 10 + (unsigned)(*p - '0');
	}
	if (n < 1 || n > 256)
		return err_set(err, ERR_USAGE, 0, "--%s is a number from 1 to "
		    "256, not \"%s\"", opt->name, value);
	o->job.threads = n;
	return 0;
}

/* N or N%. */
static int
set_max_delete(struct options *o, const struct option *opt, const char *value,
    struct err *err)
{
	size_t digits = strspn(value, "0123456789");
	bool percent = value[digits] == '%';
	uint64_t n = digits > 18 ? UINT64_MAX : strtoull(value, NULL, 10);

	if (digits == 0 || digits > 18 || value[digits + percent] != '\0' ||
	    (percent && n > 100))
		return err_set(err, ERR_USAGE, 0, "--%s is a number of "
		    "objects, or 0%% to 100%%, not \"%s\"", opt->name, value);
	o->job.max_delete = n;
	o->job.max_delete_percent = percent;
	o->max_delete_given = true;
	return 0;
}

int
options_parse_run(const char *text, uint64_t *ret)
{
	uint64_t n = 0;

	for (const char *p = text; *p != '\0'; p++) {
		if (*p < '0' || *p > '9' || n > INT64_MAX / 10 - 1)
			return -1;
		n = n * 10 + (uint64_t)(*p - '0');
	}
	if (n == 0)
		return -1;
	*ret = n;
	return 0;
}

static int
set_run(struct options *o, const struct option *opt, const char *value,
    struct err *err)
{
	if (options_parse_run(value, field(o, opt)) == -1)
		return err_set(err, ERR_USAGE, 0, "--%s is the number of a "
		    "run, not \"%s\"", opt->name, value);
	return 0;
}

static int
set_filter(struct options *o, const struct option *opt, const char *value,
    struct err *err)
{
	if (o->job.filter == NULL)
		o->job.filter = filter_new();
	if (filter_add(o->job.filter, strcmp(opt->name, "include") == 0,
	    value, err) == -1)
		return err_wrap(err, "--%s", opt->name);
	return 0;
}

static int
set_mode(struct options *o, const struct option *opt, const char *value,
    struct err *err)
{
	struct job *j = &o->job;
	bool sample = strncmp(value, "sample=", 7) == 0;
	char *end = NULL;

	j->test_head = strcmp(value, "head") == 0;
	j->sample_percent = sample ? strtod(value + 7, &end) : 0;
	if (j->test_head || strcmp(value, "full") == 0)
		return 0;
	/* A number that is none, or has no end, is above nothing. */
	if (sample && value[7] >= '0' && value[7] <= '9' &&
	    strcmp(end, "%") == 0 && j->sample_percent > 0 &&
	    j->sample_percent <= 100)
		return 0;
	return err_set(err, ERR_USAGE, 0, "--%s is full, head or sample=N%%, "
	    "with N above 0 and at most 100, not \"%s\"", opt->name, value);
}

/* An option of the original that changes nothing here: accept and ignore. */
static int
pass_over(struct options *o, const struct option *opt, const char *value,
    struct err *err)
{
	(void)o;
	(void)opt;
	(void)value;
	(void)err;
	return 0;
}

#define AT(member)	.offset = offsetof(struct options, member)
#define MOVES		VERB_PUT
#define CARRIES		(VERB_PUT | VERB_GET)
#define WORKS		(CARRIES | VERB_TEST)
#define RUNS		(WORKS | VERB_LIST | VERB_DEL)
#define ASKS_S3		(RUNS | VERB_UNDO)
#define LOOKS		(VERB_STATUS | VERB_SQL | VERB_REPORT | VERB_STOP | \
			    VERB_CATALOG | VERB_DIFF)
#define ALL		(ASKS_S3 | LOOKS | VERB_CHECK)

const struct option options_table[] = {
	{ "config", "cfg", "FILE", ALL, set_text, AT(config), .help =
	    "the settings; *.json is the original's format [/etc/dss/"
	    "datamover/datamover.conf, else config.json there]" },
	{ "catalog", NULL, "FILE", LOOKS, set_text, AT(catalog), .help =
	    "this catalog; no settings are read then" },
	{ "format", NULL, "FORMAT", VERB_SQL | VERB_REPORT, set_text,
	    AT(format), .help = "sql: table, csv, tsv or json [table]; "
	    "report: text, json, csv or html [text]" },
	{ "file", "f", "FILE", VERB_SQL, set_text, AT(file), .help =
	    "the query stands in FILE; - is standard input" },
	{ "attach", NULL, "FILE", VERB_SQL, set_text, AT(attach), .help =
	    "another catalog: its views are other.objects, other.runs ..." },
	{ "target", NULL, "NAME", VERB_DIFF, set_text, AT(target),
	    .help = "the target that is compared, STORE/BUCKET [that of the "
	    "settings, else the only one]" },
	{ "run", NULL, "N", VERB_REPORT, set_run, AT(run), .help =
	    "the run to report, by its number [the last one]" },
	{ "output", "o", "FILE", VERB_REPORT, set_text, AT(output), .help =
	    "write to FILE, which appears when it is whole" },
	{ "prefix", "p", "PREFIX", RUNS, set_prefix, AT(job.prefix), .help =
	    "only keys that begin with it; ends in / and lies under a "
	    "configured share" },
	{ "files-from", NULL, "FILE", MOVES, set_text, AT(job.files_from),
	    .help = "no crawl: only the files named in FILE, one a line; "
	    "- is standard input" },
	{ "retry-failed", NULL, NULL, MOVES, set_flag, AT(job.retry_failed),
	    .help = "no crawl: only what failed before" },
	{ "fresh", NULL, NULL, MOVES, set_flag, AT(job.fresh), .help =
	    "begin a new crawl, also where the last one was cut" },
	{ "include", NULL, "PATTERN", MOVES, set_filter, .help =
	    "don't exclude what matches; the first pattern that matches "
	    "decides, the rules are rsync's" },
	{ "exclude", NULL, "PATTERN", MOVES, set_filter, .help =
	    "leave out what matches" },
	{ "min-size", NULL, "SIZE", MOVES, set_size, AT(job.min_size), .help =
	    "leave out smaller files" },
	{ "max-size", NULL, "SIZE", MOVES, set_size, AT(job.max_size), .help =
	    "leave out larger files" },
	{ "links", NULL, "skip|follow", MOVES, set_links, .help =
	    "symbolic links: leave out, or move what they point to [skip]" },
	{ "checksum", NULL, NULL, MOVES, set_flag, AT(job.checksum), .help =
	    "read and compare also files that look unchanged" },
	{ "adopt", NULL, NULL, MOVES, set_flag, AT(job.adopt), .help =
	    "first ask the bucket: what another tool put there is taken over "
	    "if it has the file's bytes" },
	{ "nfs-server", "ns", "HOST", MOVES | VERB_DEL, set_text,
	    AT(nfs_server), .help =
	    "with --nfs-share: this export instead of the configured ones" },
	{ "nfs-share", "nsh", "PATH", MOVES | VERB_DEL, set_text,
	    AT(nfs_share), .help =
	    "see --nfs-server" },
	{ "nfs-port", "np", "PORT", MOVES | VERB_DEL, set_setting,
	    .section = "fs_config", .key = "nfsport", .help =
	    "the NFS servers' port" },
	{ "bucket", "b", "NAME", ASKS_S3, set_setting, .section = "s3_storage",
	    .key = "bucket", .help = "instead of the configured bucket" },
	{ "new-target", NULL, NULL, WORKS | VERB_DEL, set_flag,
	    AT(job.new_target), .help = "the endpoint is another store than "
	    "the one where the catalog knows a bucket of this name" },
	{ "server-as-prefix", "sp", "yes|no", ASKS_S3, set_yes_no,
	    .section = "fs_config", .key = "server_as_prefix", .help =
	    "keys begin with the NFS server's name [yes]" },
	{ "storage-class", NULL, "CLASS", MOVES, set_setting,
	    .section = "s3_storage", .key = "storage_class", .help =
	    "of the new objects" },
	{ "sse", NULL, "ALGORITHM", MOVES, set_setting,
	    .section = "s3_storage", .key = "sse", .help =
	    "encryption by the store: AES256, aws:kms or aws:kms:KEY-ID" },
	{ "all", NULL, NULL, VERB_LIST | VERB_GET | VERB_DEL, set_flag,
	    AT(job.all), .help =
	    "the whole bucket, not only the configured shares" },
	{ "dest_path", "dp", "DIR|URL", VERB_LIST | VERB_GET | VERB_TEST,
	    set_text, AT(job.dest_path), .help = "LIST: write the keys to "
	    "DIR/listing_object_keys; GET: where the files come back, a "
	    "directory or nfs://SERVER[:PORT]/PATH; TEST: nothing is written "
	    "there" },
	{ "dest_shared", NULL, "yes|no", VERB_GET, set_yes_no,
	    .section = "client", .key = "dest_shared", .help = "the directory "
	    "is the same on all clients: they fetch large objects together "
	    "[no]" },
	{ "as-of", NULL, "RUN|TIME", VERB_LIST | VERB_GET | VERB_SQL,
	    set_text, AT(job.as_of), .help = "what the bucket held when that "
	    "run had ended, or at that time (2026-11-30T12:00:00Z; a day "
	    "alone is its end), by the catalog; sql: the view as_of" },
	{ "print0", NULL, NULL, VERB_LIST, set_flag, AT(job.print0), .help =
	    "end each key with NUL and don't escape it" },
	{ "data_integrity", "di", NULL, VERB_TEST, set_flag,
	    AT(job.data_integrity), .help =
	    "needed: compare what the bucket holds with what was put" },
	{ "mode", NULL, "MODE", VERB_TEST, set_mode, .help =
	    "full: read all objects; head: compare sizes and ETags, read "
	    "none; sample=N%: read so many, those unverified longest first "
	    "[full]" },
	{ "skip_upload", "su", NULL, VERB_TEST, set_flag,
	    AT(job.skip_upload), .help =
	    "no PUT before it; NFS is used only for objects that the catalog "
	    "does not know" },
	{ "distributed", "dist", NULL, VERB_LIST, pass_over, .help =
	    "changes nothing: the store lists, whoever asks" },
	{ "delete", NULL, NULL, MOVES, set_flag, AT(job.mirror), .help =
	    "delete objects that were put from files that are gone" },
	{ "max-delete", NULL, "N|N%", MOVES, set_max_delete, .help =
	    "with --delete: delete none if there are more; N% of the objects "
	    "stored [10%]" },
	{ "delete-excluded", NULL, NULL, MOVES, set_flag,
	    AT(job.delete_excluded), .help = "with --delete: also objects "
	    "of files that are gone and that filters or limits leave out" },
	{ "accept-empty", NULL, NULL, MOVES, set_flag, AT(job.accept_empty),
	    .help = "an export that is empty is right so, whatever the "
	    "catalog knows there" },
	{ "accept-filesystem", NULL, NULL, MOVES, set_flag,
	    AT(job.accept_filesystem), .help = "an export that is another "
	    "file system than before is right so, from now on" },
	{ "no-keep", NULL, NULL, WORKS | VERB_DEL, set_flag,
	    AT(job.no_keep), .help = "a catalog of an earlier version is "
	    "brought up to date without a copy of it" },
	{ "yes", "y", NULL, VERB_DEL | VERB_UNDO | VERB_CATALOG, set_flag,
	    AT(job.yes), .help = "don't ask first" },
	{ "replace", NULL, NULL, VERB_CATALOG, set_flag, AT(replace), .help =
	    "backup: FILE may be a former copy; the new copy takes its place "
	    "when it is whole" },
	{ "keep", NULL, "AGE", VERB_CATALOG, set_text, AT(keep), .help =
	    "prune: how much of the past stays, such as 13M; y, M, w, d" },
	{ "dryrun", "dr", NULL, CARRIES | VERB_LIST | VERB_DEL | VERB_UNDO,
	    set_flag, AT(job.dryrun), .help = "PUT: crawl and read every "
	    "file, upload nothing, show how fast; GET: say what would be "
	    "fetched; DEL, undo: print the keys; LIST: changes nothing "
	    "anyway" },
	{ "standalone", "sa", NULL, WORKS | VERB_DEL, set_flag,
	    AT(job.standalone), .help =
	    "this machine alone, whatever hosts are configured" },
	{ "compaction", "com", "yes|no", MOVES | VERB_DEL, set_yes_no,
	    .section = "general", .key = "compaction", .help =
	    "compact the DSS targets afterwards, where some are configured" },
	{ "thread", "t", "N", RUNS, set_thread, .help =
	    "threads that move data; LIST, DEL: requests at once" },
	{ "profile", "pro", NULL, CARRIES | VERB_LIST | VERB_DEL, pass_over,
	    .help = "changes nothing, as ever; see profile in [s3_storage]" },
	{ "bwlimit", NULL, "SIZE", WORKS, set_setting, .section = "general",
	    .key = "bwlimit", .help = "bytes a second, such as 10M" },
	{ "tpslimit", NULL, "N", ASKS_S3, set_setting,
	    .section = "general", .key = "tpslimit", .help =
	    "S3 requests a second" },
	{ "limit-memory", NULL, "SIZE", WORKS, set_setting,
	    .section = "general", .key = "limit_memory", .help =
	    "memory for data on its way, such as 64M" },
	{ "join", NULL, "HOST[:PORT[:PORT]]", VERB_CLIENT, set_text, AT(join),
	    .help = "the master, its port_index and port_status "
	    "[6000, 6001]" },
	{ "key-file", NULL, "FILE", WORKS | VERB_DEL, set_setting,
	    .section = "master", .key = "key_file", .help =
	    "clients that know this key may join; it is made if it is not "
	    "there" },
	{ "key-file", NULL, "FILE", VERB_CLIENT, set_text, AT(key_file),
	    .help = "the key of the run, as the master's key_file" },
	{ "metrics", NULL, "[HOST:]PORT", WORKS | VERB_DEL, set_setting,
	    .section = "general", .key = "metrics", .help =
	    "figures for Prometheus, at http://HOST:PORT/metrics while it "
	    "goes on; HOST is 127.0.0.1 unless given, * is everybody" },
	{ "max-age", NULL, "TIME", VERB_STATUS, set_time, AT(max_age),
	    .help = "for monitoring: exit status 1 if the last success is "
	    "older than TIME (26h), 2 if the last attempt failed" },
	{ "operation", NULL, "OP", VERB_STATUS, set_operation, AT(operation),
	    .help = "look at PUT, GET, DEL, TEST or undo alone [all]" },
	{ "now", NULL, NULL, VERB_STOP, set_flag, AT(now), .help =
	    "don't let end what is on the way: break it off" },
	{ "json", NULL, NULL, ASKS_S3 | VERB_STATUS | VERB_STOP | VERB_CHECK |
	    VERB_DIFF, set_flag, AT(job.json), .help =
	    "one JSON object as the last line of standard output" },
	{ "quiet", NULL, NULL, ASKS_S3, set_flag, AT(job.quiet), .help =
	    "no progress, and a summary only if something failed" },
	{ "debug", "d", NULL, ASKS_S3 | VERB_CLIENT, set_flag, AT(job.debug),
	    .help = "log everything" },
	{ "help", "h", NULL, ALL | VERB_CLIENT, set_flag, AT(help), .help =
	    "show this help" },
	{ "version", NULL, NULL, ALL | VERB_CLIENT, set_flag, AT(version),
	    .help = "show the version" },
};
const size_t options_count = ARRAY_LEN(options_table);
