/*
 * cluster.h: a struct s3 over several clusters (see map.h), for the
 * files of this folder that don't see its inside.
 */
#ifndef S3_CLUSTER_H
#define S3_CLUSTER_H

#include "s3/s3.h"

size_t	 s3_cluster_count(const struct s3 *);
/* s3_list of one cluster. */
void	 s3_list_in(struct s3 *, size_t cluster, struct str prefix,
	    struct str start_after, struct str token, char delimiter,
	    s3_done_fn *, void *arg);
/* A key was listed in clusters that are not, or not only, the one that it
 * belongs to. */
void	 s3_cluster_listed_astray(struct s3 *);

#endif
