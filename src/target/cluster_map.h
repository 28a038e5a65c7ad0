/*
 * cluster_map.h: the cluster map of a DSS store, where client_lib is
 * dss_client: fetched once, at the start of a run, and kept here until its
 * end, as there is one run in a process. Fetched by the main thread before
 * others begin; then any thread.
 */
#ifndef TARGET_CLUSTER_MAP_H
#define TARGET_CLUSTER_MAP_H

#include "conf/conf.h"
#include "model/setup.h"
#include "s3/map.h"

/* Nothing to do for another kind of store, or if it is there already. An
 * error as of plan_check_s3, or CONFIG where the map is wrong. */
int	 cluster_map_fetch(const struct conf *, struct err *) MUST_USE;
/* The map of the setup, in a process that fetches none. */
int	 cluster_map_set(const struct setup *, struct err *) MUST_USE;
/* What this run deletes was listed by it before: see s3/map.h. */
void	 cluster_map_deletes_listed(void);
/* NULL: there is none. */
struct s3_map *cluster_map(void);
/* At the end of a run: say how many keys were not where the map has them. */
void	 cluster_map_end(void);

#endif
