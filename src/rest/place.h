/*
 * place.h: the cluster of a key in a DSS store. Existing stores were filled by
 * this rule, so the rule must match to the bit: rendezvous hashing by the C++
 * library's hash of strings (MurmurHash64A). The weight of a cluster is the low
 * 32 bits of the hash of the cluster's number followed by the key; the highest
 * weight wins, of equal weights the first cluster. Pure.
 */
#ifndef REST_PLACE_H
#define REST_PLACE_H

#include "base/buf.h"

#define S3_CLUSTERS_MAX	256

uint64_t s3_place_hash(struct str);
uint32_t s3_place_weight(struct str key, size_t cluster);
/* Return the cluster of the key, out of this number of clusters. */
size_t	 s3_place(struct str key, size_t clusters);
/*
 * Return the nth cluster in the order of weights: 0 is s3_place, and 1 is the
 * cluster of the key before the winner was added.
 */
size_t	 s3_place_nth(struct str key, size_t clusters, size_t nth);

#endif
