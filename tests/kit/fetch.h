/*
 * fetch.h: the fetcher of GET and TEST over a fake S3, a directory to
 * write into, and one that is an export.
 */
#ifndef KIT_FETCH_H
#define KIT_FETCH_H

#include <fcntl.h>
#include <sys/stat.h>

#include "fetch/fetch.h"
#include "kit/fake_s3.h"

struct fixture {
	struct fake_s3 f;
	char	 dir[64];	/* has back/ and export/ */
	char	*back;
	char	*source;
	char	*endpoint;
	struct tree_spec spec;
	struct fetch_config c;
	struct dest *dest;
	struct fetcher *fetcher;
	struct s3_gate gate;
	uint64_t bytes_read;	/* of files, by the last fetched */
};

/* Bytes that depend on seed. */
char *bytes(size_t size, unsigned seed);

/* An object in parts of this size (0: put whole), with these header lines;
 * its MD5s go to md5s (or NULL), the whole one if it is whole. */
void put_object(struct fixture *x, const char *key, size_t size, unsigned seed,
    size_t part, const char *meta, uint8_t *md5s);

/* As listed. */
struct fetch_item *item(struct fixture *x, const char *key);

void write_source(const struct fixture *x, const char *name, size_t size,
    unsigned seed);
struct fixture *fetch_setup(void);
void with_dest(struct fixture *x);
void fetch_begin(struct fixture *x);
struct fetch_item *fetch_take(struct fixture *x);

/* From beginning to end. */
struct fetch_item *fetched(struct fixture *x, struct fetch_item *it);

void expect(const struct fetch_item *it, enum outcome outcome,
    enum err_kind kind);
void fetch_teardown(struct fixture *x);

#endif
