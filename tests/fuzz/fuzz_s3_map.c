/* Any bytes as a cluster map. */
#include "rest/map.h"
#include "rest/place.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str text = { (const char *)data, len };
	struct err err = ERR_INIT;
	struct s3_map *m = NULL;

	if (s3_map_parse(&m, text, "http", &err) == -1) {
		if (err.kind != ERR_CONFIG || m != NULL)
			abort();
		return 0;
	}
	/* Whoever uses it relies on this. */
	if (m->count == 0 || m->count > S3_CLUSTERS_MAX)
		abort();
	for (size_t i = 0; i < m->count; i++) {
		const struct s3_map_cluster *c = &m->clusters[i];

		if (c->bucket == NULL || c->endpoint_count == 0 ||
		    c->endpoint_count > S3_MAP_ENDPOINTS_MAX)
			abort();
		for (size_t k = 0; k < c->endpoint_count; k++)
			if (strpbrk(c->endpoints[k] + 7, "/@?# ") != NULL)
				abort();
	}
	if (s3_place(text, m->count) >= m->count)
		abort();
	s3_map_free(&m);
	return 0;
}
