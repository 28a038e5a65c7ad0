/* The settings as a whole: defaults, files, options. */
#include <unistd.h>

#include "conf/table.h"
#include "model/attrs.h"

#define DEFAULT_INI	"/etc/dss/datamover/datamover.conf"
#define DEFAULT_JSON	"/etc/dss/datamover/config.json"

/* A default may hold several values: ".snapshot, .zfs". */
static void
set_default(struct conf *c, const struct conf_row_info *row)
{
	const struct conf_place place = { "default", CONF_DEFAULT };
	/* An entry that isn't made yet has no default. */
	const char *p = conf_row_is_named(row) ? NULL : row->def;

	while (p != NULL) {
		const char *end = row->kind == CONF_LIST ? strstr(p, ", ") :
		    NULL;
		struct str value = str_of(p);
		struct err err = ERR_INIT;

		if (end != NULL)
			value.len = (size_t)(end - p);
		/* A default that its own row refuses is a fault of this
		 * program. */
		if (conf_assign(c, &place, row->section, row->key, value,
		    &err) == -1)
			abort();
		p = end == NULL ? NULL : end + 2;
	}
}

void
conf_init(struct conf *c)
{
	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < conf_table_len; i++)
		set_default(c, &conf_table[i]);
	c->fs_config.access.uid = geteuid();
	c->fs_config.access.gid = getegid();
}

static void
release_nfs(struct conf *c)
{
	for (size_t i = 0; i < c->fs_config.nfs_count; i++) {
		free(c->fs_config.nfs[i].name);
		free(c->fs_config.nfs[i].server);
		strlist_clear(&c->fs_config.nfs[i].shares);
	}
	free(c->fs_config.nfs);
	c->fs_config.nfs = NULL;
	c->fs_config.nfs_count = 0;
}

void
conf_release(struct conf *c)
{
	for (size_t i = 0; i < conf_table_len; i++) {
		const struct conf_row_info *row = &conf_table[i];
		char *at = (char *)c + row->offset;

		if (conf_row_is_named(row))
			continue;
		if (row->kind == CONF_TEXT)
			free_secret((char **)at);
		else if (row->kind == CONF_LIST)
			strlist_clear((struct strlist *)at);
	}
	release_nfs(c);
	for (size_t i = 0; i < c->dss_target_count; i++) {
		free(c->dss_targets[i].name);
		free(c->dss_targets[i].host);
		strlist_clear(&c->dss_targets[i].nqns);
	}
	free(c->dss_targets);
	free(c->s3_storage.ca_pem);
	keyring_free(&c->s3_storage.keyring);
	free(c->file);
	strlist_clear(&c->notices);
	memset(c, 0, sizeof(*c));
}

/* A server or target without a name of its own takes the name of its
 * section. */
static void
name_servers(struct conf *c)
{
	for (size_t i = 0; i < c->fs_config.nfs_count; i++) {
		struct conf_nfs *nfs = &c->fs_config.nfs[i];

		if (nfs->server == NULL)
			nfs->server = xstrdup(nfs->name);
	}
	for (size_t i = 0; i < c->dss_target_count; i++) {
		struct conf_dss_target *t = &c->dss_targets[i];

		if (t->host == NULL)
			t->host = xstrdup(t->name);
	}
}

/* Put all settings of the original that have no effect now into a single
 * notice. */
static void
notice_passed_over(struct conf *c, const char *name)
{
	CLEANUP(buf_release) struct buf names;

	buf_init(&names, 1024);
	for (size_t i = 0; i < conf_table_len; i++)
		if (conf_table[i].kind == CONF_NOTHING &&
		    c->origin[i] == CONF_FILE)
			buf_addf(&names, "%s [%s] %s", names.len == 0 ? "" :
			    ",", conf_table[i].section, conf_table[i].key);
	if (names.len > 0)
		strlist_addf(&c->notices, "%s: passed over, for these "
		    "settings of the original mean nothing now:%s", name,
		    names.data);
}

static int
default_file(const char **ret, struct err *err)
{
	*ret = DEFAULT_INI;
	if (access(DEFAULT_INI, F_OK) == 0)
		return 0;
	*ret = DEFAULT_JSON;
	if (access(DEFAULT_JSON, F_OK) == 0)
		return 0;
	return err_set(err, ERR_CONFIG, 0, "no settings: there is no " \
	    DEFAULT_INI "; make it from what \"datamover conf --example\" "
	    "prints, or name a file with --config");
}

int
conf_parse(struct conf *c, struct str text, const char *name, bool json,
    struct err *err)
{
	int rc = json ? conf_read_json(c, text, name, err) :
	    conf_read_ini(c, text, name, err);

	if (rc == -1)
		return -1;
	name_servers(c);
	notice_passed_over(c, name);
	return 0;
}

int
conf_load(struct conf *c, const char *path, struct err *err)
{
	CLEANUP(buf_release) struct buf text = { .data = NULL };
	bool open_to_all;

	conf_init(c);
	if (path == NULL && default_file(&path, err) == -1)
		return -1;
	c->file = xstrdup(path);
	if (conf_read_file(path, &text, &open_to_all, err) == -1)
		return -1;
	if (conf_parse(c, buf_str(&text), path,
	    str_ends(str_of(path), STR(".json")), err) == -1)
		return -1;
	if (open_to_all && (c->s3_storage.secret_key != NULL ||
	    c->s3_storage.session_token != NULL ||
	    c->client.password != NULL))
		strlist_addf(&c->notices, "%s holds a secret and is open to "
		    "every user: chmod o= it", path);
	return 0;
}

int
conf_from_master(struct conf *c, const char *text, struct err *err)
{
	conf_init(c);
	return conf_parse(c, str_of(text), "settings of the master", false,
	    err);
}

int
conf_set(struct conf *c, const char *section, const char *key,
    const char *value, const char *where, struct err *err)
{
	const struct conf_place place = { where, CONF_OPTION };

	if (conf_assign(c, &place, section, key, str_of(value), err) == -1)
		return -1;
	name_servers(c);
	return 0;
}

void
conf_set_nfs(struct conf *c, const char *server, const char *share)
{
	struct conf_nfs *nfs = xcalloc(1, sizeof(*nfs));

	release_nfs(c);
	nfs->name = xstrdup(server);
	nfs->server = xstrdup(server);
	strlist_add(&nfs->shares, share);
	c->fs_config.nfs = nfs;
	c->fs_config.nfs_count = 1;
}

unsigned
conf_ignored(const struct conf *c)
{
	return (c->fs_config.ignore_inode ? ATTRS_INO : 0) |
	    (c->fs_config.ignore_ctime ? ATTRS_CTIME : 0);
}

bool
conf_allows(const struct conf *c, const char *operation)
{
	const struct strlist *l = &c->general.operations;

	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i], operation) == 0 ||
		    (strcmp(l->v[i], "PUT") == 0 &&
		    (strcmp(operation, "TEST") == 0 ||
		    strcmp(operation, "undo") == 0)))
			return true;
	return l->n == 0;
}
