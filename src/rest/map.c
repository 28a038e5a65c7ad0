#include "rest/map.h"

#include "json/jval.h"
#include "rest/place.h"

#define NAME	"cluster map " S3_MAP_BUCKET "/" S3_MAP_KEY

static int
wrong(const char *what, struct err *err)
{
	return err_set(err, ERR_CONFIG, 0, NAME ": %s", what);
}

/* Check a host name or address for use in a URL; IPv6 comes without
 * brackets. */
static bool
is_host(const char *host)
{
	size_t len = strlen(host);
	bool six = strchr(host, ':') != NULL;

	if (len == 0 || len > 255)
		return false;
	for (const char *p = host; *p != '\0'; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		    (*p >= '0' && *p <= '9') ||
		    strchr(six ? ":." : "-._", *p) != NULL))
			return false;
	return true;
}

static void
add_endpoint(struct s3_map_cluster *c, char *endpoint)
{
	for (size_t i = 0; i < c->endpoint_count; i++)
		if (strcmp(c->endpoints[i], endpoint) == 0) {
			free(endpoint);
			return;
		}
	c->endpoints = xreallocarray(c->endpoints, c->endpoint_count + 1,
	    sizeof(*c->endpoints));
	c->endpoints[c->endpoint_count++] = endpoint;
}

static int
read_endpoint(struct s3_map_cluster *c, size_t id, const struct jval *v,
    const char *scheme, struct err *err)
{
	const struct jval *ip = jval_get(v, "ipv4");
	const struct jval *port = jval_get(v, "port");
	const char *host = ip == NULL ? NULL : jval_string(ip);
	int64_t n = port == NULL ? 0 : jval_int(port);
	bool six;

	if (host == NULL || !is_host(host))
		return err_set(err, ERR_CONFIG, 0, NAME ": cluster %zu: an "
		    "endpoint without a host in \"ipv4\"", id);
	if (n < 1 || n > 65535)
		return err_set(err, ERR_CONFIG, 0, NAME ": cluster %zu: "
		    "endpoint %s: no port from 1 to 65535 in \"port\"", id,
		    host);
	six = strchr(host, ':') != NULL;
	add_endpoint(c, xasprintf("%s://%s%s%s:%jd", scheme, six ? "[" : "",
	    host, six ? "]" : "", (intmax_t)n));
	return 0;
}

static int
read_cluster(struct s3_map *m, const struct jval *v, const char *scheme,
    struct err *err)
{
	const struct jval *number = jval_get(v, "id");
	const struct jval *endpoints = jval_get(v, "endpoints");
	struct s3_map_cluster *c;
	int64_t id = -1;

	if (number != NULL && jval_type(number) == JVAL_INT)
		id = jval_int(number);
	/* As many ids as clusters, none twice: then none is missing. */
	if (id < 0 || (uint64_t)id >= m->count)
		return err_set(err, ERR_CONFIG, 0, NAME ": a cluster whose "
		    "\"id\" is not a number from 0 to %zu: they count from 0 "
		    "without a gap", m->count - 1);
	c = &m->clusters[id];
	if (c->bucket != NULL)
		return err_set(err, ERR_CONFIG, 0, NAME ": two clusters have "
		    "the id %jd", (intmax_t)id);
	c->bucket = xasprintf(S3_MAP_BUCKET "%jd", (intmax_t)id);
	if (endpoints == NULL || jval_count(endpoints) == 0)
		return err_set(err, ERR_CONFIG, 0, NAME ": cluster %jd has "
		    "no \"endpoints\"", (intmax_t)id);
	if (jval_count(endpoints) > S3_MAP_ENDPOINTS_MAX)
		return err_set(err, ERR_CONFIG, 0, NAME ": cluster %jd has "
		    "more than %d endpoints", (intmax_t)id,
		    S3_MAP_ENDPOINTS_MAX);
	for (size_t i = 0; i < jval_count(endpoints); i++)
		if (read_endpoint(c, (size_t)id, jval_at(endpoints, i),
		    scheme, err) == -1)
			return -1;
	return 0;
}

int
s3_map_parse(struct s3_map **ret, struct str json, const char *scheme,
    struct err *err)
{
	CLEANUP(jval_free) struct jval *root = NULL;
	CLEANUP(s3_map_free) struct s3_map *m = NULL;
	const struct jval *clusters;

	if (json.len > S3_MAP_MAX)
		return wrong("over 1 MiB", err);
	if (jval_parse(json, NAME, &root, err) == -1)
		return -1;
	clusters = jval_get(root, "clusters");
	if (clusters == NULL || jval_count(clusters) == 0)
		return wrong("no \"clusters\" in it", err);
	if (jval_count(clusters) > S3_CLUSTERS_MAX)
		return wrong("more than 256 clusters", err);
	m = xcalloc(1, sizeof(*m));
	m->json = xstrndup(json.p, json.len);
	m->count = jval_count(clusters);
	m->clusters = xcalloc(m->count, sizeof(*m->clusters));
	for (size_t i = 0; i < m->count; i++)
		if (read_cluster(m, jval_at(clusters, i), scheme, err) == -1)
			return -1;
	*ret = STEAL(m);
	return 0;
}

void
s3_map_free(struct s3_map **mp)
{
	struct s3_map *m = STEAL(*mp);

	if (m == NULL)
		return;
	for (size_t i = 0; i < m->count; i++) {
		struct s3_map_cluster *c = &m->clusters[i];

		for (size_t k = 0; k < c->endpoint_count; k++)
			free(c->endpoints[k]);
		free(c->endpoints);
		free(c->bucket);
	}
	free(m->clusters);
	free(m->json);
	free(m);
}
