/* Checks and values that need all settings: call after the options are set. */
#include <sys/stat.h>
#include <unistd.h>

#include "conf/table.h"

static int
bad_endpoint(const char *endpoint, const char *what, struct err *err)
{
	char shown[80];

	/* The text in front of an @ may be a password. */
	str_escape(str_of(strchr(endpoint, '@') == NULL ? endpoint : "(...)"),
	    shown, sizeof(shown));
	return err_set(err, ERR_CONFIG, 0, "[s3_storage] endpoint = %s: %s",
	    shown, what);
}

/* A path in front of the bucket, as behind a proxy that serves several
 * services. Its characters are those that stay as they are in a signature. */
static bool
is_path(const char *path)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";

	return path[strspn(path, allowed)] == '\0' &&
	    strstr(path, "//") == NULL && strstr(path, "/.") == NULL;
}

static int
check_endpoint(char *endpoint, struct err *err)
{
	struct str s = str_of(endpoint);
	const char *host;
	size_t len;

	while (s.len > 0 && endpoint[s.len - 1] == '/')
		endpoint[--s.len] = '\0';
	if (!str_starts(s, STR("http://")) && !str_starts(s, STR("https://")))
		return bad_endpoint(endpoint, "begin it with http:// or "
		    "https://", err);
	host = strstr(endpoint, "://") + 3;
	len = strcspn(host, "/?#@ \t\\");
	if (len == 0)
		return bad_endpoint(endpoint, "a host is missing; write "
		    "http://HOST:PORT", err);
	if (host[len] != '\0' && (host[len] != '/' || !is_path(host + len)))
		return bad_endpoint(endpoint, "only a host, a port and a plain "
		    "path may follow; write http://HOST:PORT", err);
	for (const char *p = host; *p != '\0'; p++)
		if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f)
			return bad_endpoint(endpoint, "no host is named so",
			    err);
	return 0;
}

/* A name and a password would go to the log and to clients as text. */
static int
check_proxy(const char *proxy, struct err *err)
{
	char shown[80];

	if (proxy == NULL)
		return 0;
	if (strchr(proxy, '@') != NULL)
		return err_set(err, ERR_CONFIG, 0, "[s3_storage] proxy: no "
		    "name and password are allowed here");
	if ((str_starts(str_of(proxy), STR("http://")) ||
	    str_starts(str_of(proxy), STR("https://"))) &&
	    strpbrk(strstr(proxy, "://") + 3, "/?# \t\\") == NULL &&
	    strstr(proxy, "://")[3] != '\0')
		return 0;
	str_escape(str_of(proxy), shown, sizeof(shown));
	return err_set(err, ERR_CONFIG, 0, "[s3_storage] proxy = %s: write "
	    "http://HOST:PORT or https://HOST:PORT", shown);
}

/* Refuse only characters and lengths that could change the meaning of a
 * request: stores differ in the names that they allow. */
static int
check_bucket(const char *bucket, struct err *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t len = strlen(bucket);
	char shown[80];

	if (len >= 3 && len <= 255 && strspn(bucket, allowed) == len &&
	    strstr(bucket, "..") == NULL)
		return 0;
	str_escape(str_of(bucket), shown, sizeof(shown));
	return err_set(err, ERR_CONFIG, 0, "[s3_storage] bucket = %s: no "
	    "bucket is named so; write 3 to 63 letters, digits, dots and "
	    "hyphens", shown);
}

/* The buckets of a DSS store follow from its cluster map. The sample
 * settings of the original name a bucket all the same. */
static int
refuse_bucket(struct conf *c, struct err *err)
{
	if (conf_origin_of(c, "s3_storage", "bucket") == CONF_OPTION)
		return err_set(err, ERR_USAGE, 0, "--bucket: with client_lib "
		    "= dss_client the buckets are dss0, dss1, ...; take it "
		    "out");
	if (c->s3_storage.bucket != NULL)
		strlist_addf(&c->notices, "[s3_storage] bucket: passed over, "
		    "as with client_lib = dss_client the buckets are dss0, "
		    "dss1, ...");
	return 0;
}

int
conf_check_s3(struct conf *c, bool required, struct err *err)
{
	struct strlist *endpoints = &c->s3_storage.endpoints;

	for (size_t i = 0; i < endpoints->n; i++)
		if (check_endpoint(endpoints->v[i], err) == -1)
			return -1;
	if (check_proxy(c->s3_storage.proxy, err) == -1)
		return -1;
	if (c->s3_storage.client_lib == CLIENT_LIB_DSS) {
		if (refuse_bucket(c, err) == -1)
			return -1;
	} else if (c->s3_storage.bucket != NULL &&
	    check_bucket(c->s3_storage.bucket, err) == -1)
		return -1;
	if (!required)
		return 0;
	if (endpoints->n == 0)
		return err_set(err, ERR_CONFIG, 0, "no S3 endpoint; set "
		    "endpoint = http://HOST:PORT in [s3_storage]");
	if (c->s3_storage.bucket == NULL &&
	    c->s3_storage.client_lib != CLIENT_LIB_DSS)
		return err_set(err, ERR_CONFIG, 0, "no bucket; set bucket = "
		    "NAME in [s3_storage]");
	return 0;
}

/* The place for the state of a user other than root (XDG). */
static char *
state_path(const char *name)
{
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");

	/* The XDG rules: programs must ignore a relative path in this
	 * variable. */
	if (state != NULL && state[0] == '/')
		return xasprintf("%s/datamover%s", state, name);
	if (home != NULL && home[0] == '/')
		return xasprintf("%s/.local/state/datamover%s", home, name);
	return NULL;
}

/* The installation gives the system's directories to a dedicated user; the
 * catalog of that user belongs into these directories, too. */
static bool
owns(const char *dir)
{
	struct stat st;

	return geteuid() == 0 ||
	    (stat(dir, &st) == 0 && st.st_uid == geteuid());
}

/* Where this program is. */
static char *
own_path(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path));

	/* The file was renamed, or /proc is missing: rely on the PATH of the
	 * host. */
	if (n <= 0 || n == (ssize_t)sizeof(path) ||
	    str_ends((struct str){ path, (size_t)n }, STR(" (deleted)")))
		return xstrdup("datamover");
	return xstrndup(path, (size_t)n);
}

static int
fill_paths(struct conf *c, struct err *err)
{
	if (c->client.path == NULL)
		c->client.path = own_path();
	if (c->catalog.path == NULL)
		c->catalog.path = owns("/var/lib/datamover") ?
		    xstrdup("/var/lib/datamover/catalog.db") :
		    state_path("/catalog.db");
	if (c->logging.path == NULL)
		c->logging.path = owns("/var/log/dss") ?
		    xstrdup("/var/log/dss") : state_path("");
	if (c->catalog.path == NULL)
		return err_set(err, ERR_CONFIG, 0, "no place for the catalog: "
		    "HOME is not set; set path in [catalog]");
	return 0;
}

/* A relative path would mean another file in each directory, and collectors
 * pass over a file with another end of its name. */
static int
check_ends(const struct conf *c, struct err *err)
{
	const char *metrics = c->general.metrics_file;
	const char *after = c->general.after_run;
	char shown[80];

	if (metrics != NULL && (metrics[0] != '/' ||
	    !str_ends(str_of(metrics), STR(".prom"))))
		return err_set(err, ERR_CONFIG, 0, "[general] metrics_file = "
		    "%s: write an absolute path that ends in .prom",
		    str_escape(str_of(metrics), shown, sizeof(shown)));
	if (after != NULL && after[0] != '/')
		return err_set(err, ERR_CONFIG, 0, "[general] after_run = "
		    "%s: write the absolute path of a program, without "
		    "arguments",
		    str_escape(str_of(after), shown, sizeof(shown)));
	return 0;
}

static void
fill_workers(struct conf *c)
{
	if (c->client.workers == 0)
		c->client.workers = 16;
}

static int
finish(struct conf *c, bool needs_s3, bool needs_nfs, struct err *err)
{
	if (conf_check_s3(c, needs_s3, err) == -1 ||
	    conf_credentials(c, needs_s3, err) == -1 ||
	    conf_check_shares(c, err) == -1)
		return -1;
	if (needs_nfs && c->fs_config.nfs_count == 0)
		return err_set(err, ERR_CONFIG, 0, "no share; add [nfs "
		    "SERVER] with share = /PATH, or use --nfs-server and "
		    "--nfs-share");
	if (c->message.port_index == c->message.port_status)
		return err_set(err, ERR_CONFIG, 0, "[message] port_index and "
		    "port_status are the same; choose two ports");
	if (check_ends(c, err) == -1)
		return -1;
	fill_workers(c);
	return fill_paths(c, err);
}

int
conf_finish(struct conf *c, bool needs_s3, bool needs_nfs, struct err *err)
{
	if (finish(c, needs_s3, needs_nfs, err) == -1)
		return c->file == NULL ? -1 : err_wrap(err, "%s", c->file);
	return 0;
}

void
conf_advise(const struct conf *c, struct strlist *out)
{
	if (c->fs_config.mounted && c->fs_config.server_as_prefix)
		strlist_add(out, "mounted = yes with server_as_prefix = yes: "
		    "keys begin with the server, which the original left out "
		    "here; for its keys set server_as_prefix = no");
}
