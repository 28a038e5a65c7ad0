/*
 * place.h: which cluster of a DSS store a key belongs to. Where objects
 * are depends on it, so it is to the bit what the stores were filled with:
 * rendezvous hashing by the C++ library's hash of strings (MurmurHash64A),
 * the low 32 bits of the hash of the cluster's number followed by the key
 * being the cluster's weight; the highest wins, of equal ones the first.
 * Pure.
 */
#ifndef S3_PLACE_H
#define S3_PLACE_H

#include "base/buf.h"

#define S3_CLUSTERS_MAX	256

uint64_t s3_place_hash(struct str);
uint32_t s3_place_weight(struct str key, size_t cluster);
/* The cluster, of so many. */
size_t	 s3_place(struct str key, size_t clusters);
/*
 * The one that comes after so many others in the order of weights: 0 is
 * s3_place, and 1 is where the key belonged before the winner was there.
 */
size_t	 s3_place_nth(struct str key, size_t clusters, size_t nth);

#endif
