/*
 * cluster.h: a struct s3 over several clusters (see map.h), for the files of
 * this folder without access to the struct's members.
 */
#ifndef S3_CLUSTER_H
#define S3_CLUSTER_H

#include "s3/s3.h"

size_t	 s3_cluster_count(const struct s3 *);
/* List one cluster's keys, as s3_list. */
void	 s3_list_in(struct s3 *, size_t cluster, struct str prefix,
	    struct str start_after, struct str token, char delimiter,
	    s3_done_fn *, void *arg);
/* Count a key listed outside the cluster of the key, or in more clusters than
 * this. */
void	 s3_cluster_listed_astray(struct s3 *);

#endif
