#include "target/cluster_map.h"

#include <strings.h>

#include "base/log.h"

static struct s3_map *map;

static const char *
scheme_of(const char *endpoint)
{
	return strncasecmp(endpoint, "https:", 6) == 0 ? "https" : "http";
}

int
cluster_map_parse(struct str text, const char *endpoint, struct err *err)
{
	return map != NULL ? 0 : s3_map_parse(&map, text, scheme_of(endpoint),
	    err);
}

int
cluster_map_set(const struct setup *s, struct err *err)
{
	if (s->cluster_map == NULL || map != NULL)
		return 0;
	if (s->conf->s3_storage.endpoints.n == 0)
		return err_set(err, ERR_CONFIG, 0, "endpoint: not set");
	return cluster_map_parse(str_of(s->cluster_map),
	    s->conf->s3_storage.endpoints.v[0], err);
}

void
cluster_map_deletes_listed(void)
{
	if (map != NULL)
		map->deletes_listed = true;
}

struct s3_map *
cluster_map(void)
{
	return map;
}

void
cluster_map_end(void)
{
	uint64_t n;

	if (map == NULL)
		return;
	n = MAX(atomic_load(&map->listed_astray),
	    atomic_load(&map->found_astray));
	if (n > 0)
		log_event(LOG_WARN, EVENT_ASTRAY,
		    LOG_WITH(LOG_NUMBER("count", n)),
		    "%ju keys are in another "
		    "cluster than the one that the cluster map gives them, or "
		    "in more than one, as after a cluster was added: they "
		    "were found there",
		    (uintmax_t)n);
	s3_map_free(&map);
}
