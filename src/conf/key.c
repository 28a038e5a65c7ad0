/* Shares and prefixes: what the keys and the catalog paths of a share begin
 * with, and whether two shares would meet in one key. */
#include "conf/table.h"
#include "model/key.h"

#define PREFIX_MAX (64 * 1024)

/* S of the keys: without the leading slash, as key text. */
static int
add_share(const char *share, struct buf *out)
{
	while (*share == '/')
		share++;
	return key_from_path(out, str_of(share));
}

int
conf_key_prefix(const struct conf *c, const char *server, const char *share,
    struct buf *out)
{
	(void)c;
	if (key_from_path(out, str_of(server)) == -1)
		return -1;
	if (share[strspn(share, "/")] == '\0')
		return 0;
	if (buf_addch(out, '/') == -1)
		return -1;
	return add_share(share, out);
}

int
conf_s3_prefix(const struct conf *c, const char *server, const char *share,
    struct buf *out)
{
	if (c->fs_config.server_as_prefix)
		return conf_key_prefix(c, server, share, out);
	return add_share(share, out);
}

bool
conf_share_of(const struct conf *c, const char *key,
    const struct conf_nfs **ret_nfs, const char **ret_share,
    const char **ret_rest)
{
	CLEANUP(buf_release) struct buf prefix;
	size_t best = 0;
	bool found = false;

	buf_init(&prefix, PREFIX_MAX);
	for (size_t i = 0; i < c->fs_config.nfs_count; i++) {
		const struct conf_nfs *nfs = &c->fs_config.nfs[i];

		for (size_t j = 0; j < nfs->shares.n; j++) {
			const char *share = nfs->shares.v[j];

			buf_clear(&prefix);
			if (conf_s3_prefix(c, nfs->server, share,
			    &prefix) == -1)
				continue;
			/* By component: S/dir1 has nothing to do with
			 * S/dir10. */
			if (prefix.len > 0 && buf_addch(&prefix, '/') == -1)
				continue;
			if (!str_starts(str_of(key), buf_str(&prefix)) ||
			    (found && prefix.len < best))
				continue;
			found = true;
			best = prefix.len;
			*ret_nfs = nfs;
			*ret_share = share;
			*ret_rest = key + prefix.len;
		}
	}
	return found;
}

/* True if a component between slashes is empty, "." or "..". */
static bool
has_odd_component(const char *path)
{
	for (;;) {
		size_t len = strcspn(path, "/");

		if (len == 0 || (len == 1 && path[0] == '.') ||
		    (len == 2 && path[0] == '.' && path[1] == '.'))
			return true;
		path += len;
		if (path[0] == '\0' || path[1] == '\0')
			return false;
		path++;
	}
}

static int
bad_prefix(const char *prefix, const char *what, struct err *err)
{
	char shown[64];

	str_escape(str_of(prefix), shown, sizeof(shown));
	return err_set(err, ERR_USAGE, 0, "--prefix %s: %s", shown, what);
}

int
conf_check_prefix(const struct conf *c, const char *prefix, struct err *err)
{
	const struct conf_nfs *nfs;
	const char *share, *rest;

	if (prefix[0] == '/')
		return bad_prefix(prefix, "begins with a slash; keys don't, "
		    "take it out", err);
	if (!str_ends(str_of(prefix), STR("/")))
		return bad_prefix(prefix, "must end in a slash; add it", err);
	if (has_odd_component(prefix))
		return bad_prefix(prefix, "holds an empty component, . or "
		    "..; write the plain path", err);
	if (!conf_share_of(c, prefix, &nfs, &share, &rest))
		return bad_prefix(prefix, c->fs_config.server_as_prefix ?
		    "is not under a configured share; write SERVER/SHARE/ "
		    "or a directory below (server_as_prefix is yes)" :
		    "is not under a configured share; write SHARE/ or a "
		    "directory below (server_as_prefix is no)", err);
	return 0;
}

/* Make the share absolute and plain: a single slash between components, no
 * slash at the end. */
static int
normalise_share(const struct conf_nfs *nfs, char **share, struct err *err)
{
	char shown[80], *to = *share;
	const char *from = *share;

	str_escape(str_of(*share), shown, sizeof(shown));
	if (from[0] != '/')
		return err_set(err, ERR_CONFIG, 0, "[nfs %s] share = %s: not "
		    "an absolute path; begin it with a slash", nfs->name,
		    shown);
	for (; *from != '\0'; from++)
		if (*from != '/' || (from[1] != '/' && from[1] != '\0'))
			*to++ = *from;
	if (to == *share)
		*to++ = '/';
	*to = '\0';
	if ((*share)[1] != '\0' && has_odd_component(*share + 1))
		return err_set(err, ERR_CONFIG, 0, "[nfs %s] share = %s: "
		    "holds . or ..; write the plain path", nfs->name, shown);
	return 0;
}

static int
check_server(const struct conf_nfs *nfs, struct err *err)
{
	char shown[64];

	str_escape(str_of(nfs->server), shown, sizeof(shown));
	if (strpbrk(nfs->server, "/ \t") != NULL ||
	    has_odd_component(nfs->server))
		return err_set(err, ERR_CONFIG, 0, "[nfs %s] server = %s: no "
		    "host is named so; write a name or an address",
		    nfs->name, shown);
	if (nfs->shares.n == 0)
		return err_set(err, ERR_CONFIG, 0, "[nfs %s] has no share; "
		    "add share = /PATH or take the section out", nfs->name);
	return 0;
}

struct place {
	char	*prefix;	/* ends in '/', or is empty */
	const struct conf_nfs *nfs;
	const char *share;
};

static int
compare_places(const void *a, const void *b)
{
	return strcmp(((const struct place *)a)->prefix,
	    ((const struct place *)b)->prefix);
}

/* A share may lie inside another share of the same server: the crawl of the
 * outer share leaves the inner share out. */
static bool
may_meet(const struct place *a, const struct place *b)
{
	return !str_starts(str_of(b->prefix), str_of(a->prefix)) ||
	    (strcmp(a->prefix, b->prefix) != 0 &&
	    strcmp(a->nfs->server, b->nfs->server) == 0);
}

static int
check_meeting(const struct conf *c, struct place *places, size_t n,
    struct err *err)
{
	qsort(places, n, sizeof(*places), compare_places);
	for (size_t i = 1; i < n; i++) {
		const struct place *a = places, *b = &places[i];

		while (a < b && may_meet(a, b))
			a++;
		if (a == b)
			continue;
		return err_set(err, ERR_CONFIG, 0, "%.48s:%.48s %s "
		    "%.48s:%.48s%s", b->nfs->server, b->share,
		    strcmp(a->prefix, b->prefix) == 0 ?
		    "has the same keys as" : "lies inside",
		    a->nfs->server, a->share,
		    c->fs_config.server_as_prefix ? "; keep one of them" :
		    "; keep one, or set server_as_prefix = yes");
	}
	return 0;
}

int
conf_check_shares(struct conf *c, struct err *err)
{
	struct place *places = NULL;
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < c->fs_config.nfs_count; i++) {
		struct conf_nfs *nfs = &c->fs_config.nfs[i];

		if (check_server(nfs, err) == -1)
			return -1;
		for (size_t j = 0; j < nfs->shares.n; j++)
			if (normalise_share(nfs, &nfs->shares.v[j],
			    err) == -1)
				return -1;
		n += nfs->shares.n;
	}
	places = xcalloc(n + 1, sizeof(*places));
	n = 0;
	for (size_t i = 0; i < c->fs_config.nfs_count; i++) {
		const struct conf_nfs *nfs = &c->fs_config.nfs[i];

		for (size_t j = 0; j < nfs->shares.n; j++) {
			struct buf b;

			buf_init(&b, PREFIX_MAX);
			if (conf_s3_prefix(c, nfs->server, nfs->shares.v[j],
			    &b) == 0 && b.len > 0)
				(void)buf_addch(&b, '/');
			places[n++] = (struct place){ b.data == NULL ?
			    xstrdup("") : b.data, nfs, nfs->shares.v[j] };
		}
	}
	rc = check_meeting(c, places, n, err);
	for (size_t i = 0; i < n; i++)
		free(places[i].prefix);
	free(places);
	return rc;
}
