/*
 * cluster_map.h: the cluster map of a DSS store, where client_lib is
 * dss_client: fetched once, at the start of a run, and kept here until the end
 * of the run, as a process has a single run. The main thread fetches the map
 * before starting threads; then any thread may read the map.
 */
#ifndef TARGET_CLUSTER_MAP_H
#define TARGET_CLUSTER_MAP_H

#include "conf/conf.h"
#include "model/setup.h"
#include "rest/map.h"

/* Take the map as fetched from this endpoint, unless there is a map already. */
int	 cluster_map_parse(struct str text, const char *endpoint,
	    struct err *) MUST_USE;
/* Take the map from the setup, in a process that fetches none. */
int	 cluster_map_set(const struct setup *, struct err *) MUST_USE;
/* This run deletes only objects listed before by the run itself: see
 * rest/map.h. */
void	 cluster_map_deletes_listed(void);
/* NULL: no map. */
struct s3_map *cluster_map(void);
/* At the end of a run: log how many keys were in a different cluster than in
 * the map. */
void	 cluster_map_end(void);

#endif
