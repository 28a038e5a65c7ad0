/*
 * The config.json of the original, unchanged: the key names of the original,
 * old names included, and our own names in the same places. A list of values in
 * the JSON is a single setting, given several times, here.
 */
#include <ctype.h>

#include "conf/table.h"
#include "json/jval.h"

struct ctx {
	struct conf *conf;
	const char *name;	/* of the file */
	struct err *err;
};

/* Old and moved names. */
static const struct alias {
	const char *from;	/* path in the JSON */
	const char *section, *key;
} aliases[] = {
	{ "clients_hosts_or_ip_addresses", "client", "host" },
	{ "tess_clients_ip", "client", "host" },
	{ "operations", "general", "operation" },
	{ "master.ip_address", "master", "host_or_ip_address" },
	{ "environment.gcc.required", "environment", "gcc_required" },
	{ "environment.gcc.source", "environment", "gcc_source" },
	{ "environment.gcc.version", "environment", "gcc_version" },
};

/* What the original's file could hold of a command line. Passing over a
 * prefix would make a run larger than it was meant to be. */
static const char *const options[] = {
	"prefix", "dest_path", "dryrun", "debug", "standalone", "distributed",
	"skip_upload", "data_integrity", "nfs_server", "nfs_share",
	"nfs_port", "server_as_prefix", "bucket", "thread", "profile",
	"config",
};

static int
refuse(struct ctx *x, const char *path, const char *what)
{
	char shown[80];

	str_escape(str_of(path), shown, sizeof(shown));
	return err_set(x->err, ERR_CONFIG, 0, "%s: %s: %s", x->name, shown,
	    what);
}

static int
refuse_type(struct ctx *x, const char *path, const struct jval *v,
    const char *wanted)
{
	AUTOFREE char *what = xasprintf("%s stands where %s belongs",
	    jval_type_name(v), wanted);

	return refuse(x, path, what);
}

static int
assign_text(struct ctx *x, const char *path, const char *section,
    const char *key, struct str text)
{
	char shown[96];
	AUTOFREE char *where = xasprintf("%s: %s", x->name,
	    str_escape(str_of(path), shown, sizeof(shown)));
	const struct conf_place place = { where, CONF_FILE };

	return conf_assign(x->conf, &place, section, key, text, x->err);
}

/* Assign a single value to a setting; or a list to a setting that takes a
 * list. */
static int
assign(struct ctx *x, const char *path, const char *section, const char *key,
    const struct jval *v)
{
	CLEANUP(buf_release) struct buf text;
	const struct conf_row_info *row;
	const char *name;

	buf_init(&text, CONF_FILE_MAX);
	if (jval_type(v) == JVAL_NULL)
		return 0;
	row = conf_find_row(section, key, &name);
	if (jval_type(v) == JVAL_ARRAY && row != NULL &&
	    row->kind == CONF_LIST) {
		/* An empty list takes the default away. */
		if (jval_count(v) == 0)
			return assign_text(x, path, section, key, STR(""));
		for (size_t i = 0; i < jval_count(v); i++) {
			const struct jval *one = jval_at(v, i);

			if (jval_type(one) == JVAL_ARRAY)
				return refuse_type(x, path, one, "a string");
			if (assign(x, path, section, key, one) == -1)
				return -1;
		}
		return 0;
	}
	if (row != NULL && row->kind == CONF_NOTHING)
		return assign_text(x, path, section, key, STR(""));
	if (!jval_text(v, &text))
		return refuse_type(x, path, v, "one value");
	return assign_text(x, path, section, key, buf_str(&text));
}

/* True if the text can be NAME in [nfs NAME]. */
static bool
fits_section(const char *s)
{
	size_t len = strlen(s);

	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) &&
		    strchr(".-_:", s[i]) == NULL)
			return false;
	return len > 0 && len <= 36;
}

/* {"server": ["/share", ...], ...}: one section for each. */
static int
read_servers(struct ctx *x, const char *path, const struct jval *v,
    const char *kind, const char *host_key, const char *list_key)
{
	if (jval_type(v) != JVAL_OBJECT)
		return refuse_type(x, path, v, "an object of lists");
	for (void *it = jval_first(v); it != NULL; it = jval_next(v, it)) {
		const char *host = jval_key(it);
		AUTOFREE char *where = xasprintf("%s.%s", path, host);
		AUTOFREE char *section = fits_section(host) ?
		    xasprintf("%s %s", kind, host) :
		    xasprintf("%s #%zu", kind, 1 +
		    conf_named_count(x->conf, kind));

		if (host[0] == '\0')
			return refuse(x, path, "a server without a name");
		if (assign_text(x, where, section, host_key,
		    str_of(host)) == -1 || assign(x, where, section, list_key,
		    jval_value(it)) == -1)
			return -1;
	}
	return 0;
}

/* Old: ["host", ...] or {"host": [nqn, ...]}; new: {"subsystem_nqn": {...},
 * "installation_path": ...}. */
static int
read_targets(struct ctx *x, const struct jval *v)
{
	if (jval_type(v) == JVAL_ARRAY) {
		for (size_t i = 0; i < jval_count(v); i++) {
			const char *host = jval_string(jval_at(v, i));
			AUTOFREE char *section = NULL;

			if (host == NULL || host[0] == '\0')
				return refuse_type(x, "dss_targets",
				    jval_at(v, i), "the name of a host");
			section = xasprintf("dss_targets #%zu", i + 1);
			if (assign_text(x, "dss_targets", section, "host",
			    str_of(host)) == -1)
				return -1;
		}
		return 0;
	}
	if (jval_type(v) != JVAL_OBJECT)
		return refuse_type(x, "dss_targets", v, "an object or a list");
	if (jval_get(v, "subsystem_nqn") == NULL &&
	    jval_get(v, "installation_path") == NULL &&
	    jval_get(v, "compaction_timeout") == NULL)
		return read_servers(x, "dss_targets", v, "dss_targets",
		    "host", "nqn");
	for (void *it = jval_first(v); it != NULL; it = jval_next(v, it)) {
		AUTOFREE char *path = xasprintf("dss_targets.%s",
		    jval_key(it));
		int rc;

		if (strcmp(jval_key(it), "subsystem_nqn") == 0)
			rc = read_servers(x, path, jval_value(it),
			    "dss_targets", "host", "nqn");
		else
			rc = assign(x, path, "dss_targets", jval_key(it),
			    jval_value(it));
		if (rc == -1)
			return -1;
	}
	return 0;
}

/* "host:9000" meant http. */
static int
read_url(struct ctx *x, const char *path, const struct jval *v)
{
	const char *url = jval_string(v);
	AUTOFREE char *full = NULL;

	if (url == NULL)
		return refuse_type(x, path, v, "a string");
	full = xasprintf("%s%s", strstr(url, "://") == NULL &&
	    url[0] != '\0' ? "http://" : "", url);
	return assign_text(x, path, "s3_storage", "endpoint", str_of(full));
}

/* {"url": ..., "access_key": ..., "secret_key": ...} under the name of a
 * client library. */
static int
read_store(struct ctx *x, const char *block, const struct jval *v)
{
	if (jval_type(v) != JVAL_OBJECT)
		return refuse_type(x, block, v, "an object");
	for (void *it = jval_first(v); it != NULL; it = jval_next(v, it)) {
		AUTOFREE char *path = xasprintf("s3_storage.%s.%s", block,
		    jval_key(it));
		int rc;

		if (strcmp(jval_key(it), "url") == 0)
			rc = read_url(x, path, jval_value(it));
		else if (strcmp(jval_key(it), "access_key") == 0 ||
		    strcmp(jval_key(it), "secret_key") == 0)
			rc = assign(x, path, "s3_storage", jval_key(it),
			    jval_value(it));
		else
			rc = refuse(x, path, "unknown key; url, access_key "
			    "and secret_key stand here");
		if (rc == -1)
			return -1;
	}
	return 0;
}

static bool
is_store(const char *key)
{
	return strcmp(key, "minio") == 0 || strcmp(key, "boto3") == 0 ||
	    strcmp(key, "dss_client") == 0;
}

/* Return the block to use: the block of client_lib, else minio. */
static const char *
chosen_store(const struct jval *s3)
{
	const struct jval *lib = jval_get(s3, "client_lib");
	const char *name = lib == NULL ? NULL : jval_string(lib);

	for (void *it = jval_first(s3); name != NULL && it != NULL;
	    it = jval_next(s3, it))
		if (is_store(jval_key(it)) && strcasecmp(jval_key(it),
		    name) == 0)
			return jval_key(it);
	return "minio";
}

static int
read_s3(struct ctx *x, const struct jval *v)
{
	const char *chosen;

	if (jval_type(v) != JVAL_OBJECT)
		return refuse_type(x, "s3_storage", v, "an object");
	chosen = chosen_store(v);
	for (void *it = jval_first(v); it != NULL; it = jval_next(v, it)) {
		const char *key = jval_key(it);
		AUTOFREE char *path = xasprintf("s3_storage.%s", key);
		int rc = 0;

		if (!is_store(key))
			rc = assign(x, path, "s3_storage", key,
			    jval_value(it));
		else if (strcmp(key, chosen) == 0)
			rc = read_store(x, key, jval_value(it));
		else
			strlist_addf(&x->conf->notices, "%s: %s is not the "
			    "store in use (%s): passed over", x->name, path,
			    chosen);
		if (rc == -1)
			return -1;
	}
	return 0;
}

static const struct alias *
find_alias(const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
		if (strcmp(aliases[i].from, path) == 0)
			return &aliases[i];
	return NULL;
}

/* The members of a section. Only environment.gcc goes deeper, as in
 * environment.gcc.source. */
static int
read_section(struct ctx *x, const char *section, const char *above,
    const struct jval *v)
{
	if (jval_type(v) != JVAL_OBJECT)
		return refuse_type(x, above, v, "an object");
	for (void *it = jval_first(v); it != NULL; it = jval_next(v, it)) {
		const char *key = jval_key(it);
		AUTOFREE char *path = xasprintf("%s.%s", above, key);
		const struct alias *alias = find_alias(path);
		int rc;

		if (strcmp(path, "fs_config.nfs") == 0)
			rc = read_servers(x, path, jval_value(it), "nfs",
			    "server", "share");
		else if (strcmp(path, "environment.gcc") == 0)
			rc = read_section(x, section, path, jval_value(it));
		else if (alias != NULL)
			rc = assign(x, path, alias->section, alias->key,
			    jval_value(it));
		else
			rc = assign(x, path, section, key, jval_value(it));
		if (rc == -1)
			return -1;
	}
	return 0;
}

static int
read_top(struct ctx *x, const char *key, const struct jval *v)
{
	const struct alias *alias = find_alias(key);
	const char *name;

	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (strcmp(key, options[i]) == 0)
			return refuse(x, key, "an option, not a setting; "
			    "take it out and give it on the command line");
	if (alias != NULL)
		return assign(x, key, alias->section, alias->key, v);
	if (strcmp(key, "nfs_config") == 0)
		return read_servers(x, key, v, "nfs", "server", "share");
	if (strcmp(key, "s3_storage") == 0)
		return read_s3(x, v);
	if (strcmp(key, "dss_targets") == 0)
		return read_targets(x, v);
	if (conf_find_row("general", key, &name) != NULL)
		return assign(x, key, "general", key, v);
	if (strchr(key, ' ') == NULL && conf_known_section(key))
		return read_section(x, key, key, v);
	return refuse(x, key, "unknown key; take it out, or see "
	    "datamover.conf(5)");
}

int
conf_read_json(struct conf *c, struct str text, const char *name,
    struct err *err)
{
	CLEANUP(jval_free) struct jval *root = NULL;
	struct ctx x = { .conf = c, .name = name, .err = err };

	if (jval_parse(text, name, &root, err) == -1)
		return -1;
	if (jval_type(root) != JVAL_OBJECT)
		return refuse_type(&x, "the file", root, "an object");
	for (void *it = jval_first(root); it != NULL;
	    it = jval_next(root, it))
		if (read_top(&x, jval_key(it), jval_value(it)) == -1)
			return -1;
	conf_advise(c, &c->notices);
	return 0;
}
