#include <arpa/inet.h>
#include <strings.h>

#include "base/buf.h"
#include "base/silence.h"
#include "s3/pace.h"

#define CUT_EVERY_MS	1000

void
s3_window_init(struct s3_window *w, unsigned max)
{
	*w = (struct s3_window){ .max = max, .now = max };
}

void
s3_window_ok(struct s3_window *w)
{
	if (w->now == w->max || ++w->successes < w->now)
		return;
	w->successes = 0;
	w->now++;
}

void
s3_window_slow(struct s3_window *w, uint64_t now_ms)
{
	if (w->cut_ms != 0 && now_ms - w->cut_ms < CUT_EVERY_MS)
		return;
	w->cut_ms = now_ms;
	w->successes = 0;
	w->now = MAX(w->now / 2, 1u);
}

/* Return true if bucket can be the first label of a host name, under a wildcard
 * certificate. */
static bool
is_label(const char *bucket, bool tls)
{
	size_t len = strlen(bucket);

	if (len < 3 || len > 63)
		return false;
	for (const char *p = bucket; *p != '\0'; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') ||
		    *p == '-' || (*p == '.' && !tls)))
			return false;
	return bucket[0] != '-' && bucket[0] != '.' &&
	    bucket[len - 1] != '-' && bucket[len - 1] != '.';
}

static bool
is_address(const char *host)
{
	struct in_addr a;

	return host[0] == '[' || inet_pton(AF_INET, host, &a) == 1;
}

/* Read host[:port], as written in the URL, into host and port. */
static bool
parse(const char *authority, char **ret_host, unsigned long *ret_port)
{
	const char *colon, *bracket = strrchr(authority, ']');
	char *end;

	for (const char *p = authority; *p != '\0'; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		    (*p >= '0' && *p <= '9') ||
		    strchr("-._:[]", *p) != NULL))
			return false;
	if ((authority[0] == '[') != (bracket != NULL))
		return false;
	colon = strchr(bracket != NULL ? bracket : authority, ':');
	*ret_port = 0;
	if (colon != NULL) {
		if (colon[1] < '0' || colon[1] > '9')
			return false;
		*ret_port = strtoul(colon + 1, &end, 10);
		if (*end != '\0' || *ret_port < 1 || *ret_port > 65535)
			return false;
	}
	*ret_host = xstrndup(authority, colon == NULL ? strlen(authority) :
	    (size_t)(colon - authority));
	return (*ret_host)[0] != '\0';
}

/* A path in front of the bucket, of characters that stay as they are in a
 * signature. */
static bool
is_path(const char *path, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!((path[i] >= 'a' && path[i] <= 'z') ||
		    (path[i] >= 'A' && path[i] <= 'Z') ||
		    (path[i] >= '0' && path[i] <= '9') ||
		    strchr("-._~/", path[i]) != NULL))
			return false;
	return memmem(path, len, "//", 2) == NULL &&
	    memmem(path, len, "/.", 2) == NULL;
}

/* Return the authority in an endpoint's URL, and the path that follows, without
 * a slash at its end; the caller frees both. NULL: something else follows. */
static char *
authority_of(const char *url, bool *ret_tls, char **ret_path)
{
	const char *p = url;
	size_t len, path_len;

	*ret_tls = strncasecmp(url, "https://", 8) == 0;
	if (*ret_tls)
		p += 8;
	else if (strncasecmp(url, "http://", 7) == 0)
		p += 7;
	len = strcspn(p, "/");
	path_len = strlen(p + len);
	while (path_len > 0 && p[len + path_len - 1] == '/')
		path_len--;
	if (!is_path(p + len, path_len))
		return NULL;
	*ret_path = xstrndup(p + len, path_len);
	return xstrndup(p, len);
}

int
s3_endpoint_init(struct s3_endpoint *e, const char *url, const char *bucket,
    bool path_style, struct err *err)
{
	AUTOFREE char *authority = NULL, *host = NULL, *label = NULL;
	AUTOFREE char *port_text = NULL, *named = NULL, *path = NULL;
	unsigned long port = 0;
	char shown[128];
	const char *scheme;

	memset(e, 0, sizeof(*e));
	authority = authority_of(url, &e->tls, &path);
	if (authority == NULL || !parse(authority, &host, &port))
		return err_set(err, ERR_CONFIG, 0,
		    "endpoint %s: not http://HOST[:PORT][/PATH]",
		    str_escape(str_of(url), shown, sizeof(shown)));
	if (port == 0 || port == (e->tls ? 443 : 80))
		port_text = xstrdup("");
	else
		port_text = xasprintf(":%lu", port);
	path_style = path_style || is_address(host) ||
	    !is_label(bucket, e->tls);
	label = path_style ? xstrdup("") : xasprintf("%s.", bucket);
	scheme = e->tls ? "https" : "http";
	e->name = xasprintf("%s://%s%s%s", scheme, host, port_text, path);
	named = xasprintf("S3 %s", e->name);
	e->silence = silence_of(named);
	e->host = xasprintf("%s%s%s", label, host, port_text);
	e->base = path_style ?
	    xasprintf("%s://%s%s/%s", scheme, e->host, path, bucket) :
	    xasprintf("%s://%s%s", scheme, e->host, path);
	return 0;
}

void
s3_endpoint_release(struct s3_endpoint *e)
{
	free(e->name);
	free(e->base);
	free(e->host);
	memset(e, 0, sizeof(*e));
}

size_t
s3_endpoint_pick(const struct s3_endpoint *e, size_t count, size_t *turn,
    uint64_t now_ms)
{
	size_t best = *turn % count;

	for (size_t i = 0; i < count; i++) {
		size_t n = (*turn + i) % count;

		if (e[n].rest_until_ms <= now_ms) {
			best = n;
			break;
		}
		if (e[n].rest_until_ms < e[best].rest_until_ms)
			best = n;
	}
	*turn = (best + 1) % count;
	return best;
}
