/*
 * map.h: the cluster map of a DSS store: the object conf.json in the bucket dss
 * at the discovery endpoint. Each cluster is an S3 service with some endpoints
 * and a data bucket, dss0, dss1 and so on; place.h gives the cluster of a key.
 *
 * Life cycle: s3_map_parse, then a struct s3_config holds the map, read-only
 * but for the counters; s3_map_free after the last s3_free. Any thread.
 */
#ifndef REST_MAP_H
#define REST_MAP_H

#include <stdatomic.h>

#include "base/buf.h"

#define S3_MAP_BUCKET	"dss"
#define S3_MAP_KEY	"conf.json"
#define S3_MAP_MAX	(1024 * 1024)	/* bytes of the map */
#define S3_MAP_ENDPOINTS_MAX 255	/* of a cluster */

struct s3_map_cluster {
	char	**endpoints;		/* "http://host:port" */
	size_t	 endpoint_count;
	char	*bucket;
};
struct s3_map {
	char	*json;			/* source text of the map */
	struct s3_map_cluster *clusters;	/* by their ids */
	size_t	 count;
	/* Set before first use: an s3_lister with this map lists every key
	 * before the key's deletion, so only stray keys need a look in every
	 * cluster. */
	bool	 deletes_listed;
	/* Keys met outside the cluster of the key (a cluster was added, say),
	 * or in more than one cluster: by listings, by requests. */
	_Atomic uint64_t listed_astray;
	_Atomic uint64_t found_astray;
};

/* The scheme ("http") is the discovery endpoint's: the map has none. ERR_CONFIG
 * names the fault in the map. */
int	 s3_map_parse(struct s3_map **, struct str json, const char *scheme,
	    struct err *) MUST_USE;
void	 s3_map_free(struct s3_map **);

#endif
