/*
 * live_s3.h: what the programs that try the S3 client on a real server share:
 * checks that are counted, what a request brought, requests one by one.
 */
#ifndef TESTS_FAULT_LIVE_S3_H
#define TESTS_FAULT_LIVE_S3_H

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "crypto/crypto.h"
#include "s3/s3.h"

static unsigned passed, failed;

static void
check(bool ok, const char *what, const char *detail)
{
	if (ok)
		passed++;
	else
		failed++;
	printf("%s %s%s%s\n", ok ? "ok  " : "FAIL", what,
	    ok || detail[0] == '\0' ? "" : ": ", ok ? "" : detail);
}

/* What a request brought, copied out of its callback. */
struct got {
	bool	 done;
	unsigned calls;
	struct err err;
	int	 status;
	unsigned attempts;
	char	 etag[72];
	uint64_t size;
	uint64_t object_size;
	unsigned parts_count;
	bool	 delete_marker;
	bool	 has_meta;
	struct s3_meta meta;
	int64_t	 modified_sec;
	struct buf upload_id;
	struct buf keys;	/* of a listing, each ends with NUL */
	size_t	 count;
	size_t	 prefixes;
	struct s3_part parts[8];
	bool	 truncated;
	struct buf next;
	struct buf body;
};

static void
got_init(struct got *g)
{
	memset(g, 0, sizeof(*g));
	buf_init(&g->upload_id, 4096);
	buf_init(&g->keys, 8 * MIB);
	buf_init(&g->next, 4096);
	buf_init(&g->body, 64 * MIB);
}

static void
got_release(struct got *g)
{
	buf_release(&g->upload_id);
	buf_release(&g->keys);
	buf_release(&g->next);
	buf_release(&g->body);
}

static void
add_key(struct got *g, struct str key)
{
	buf_add(&g->keys, key.p, key.len);
	buf_addch(&g->keys, '\0');
}

static void
on_done(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct got *g = arg;

	g->done = true;
	g->calls++;
	if (err != NULL)
		g->err = *err;
	g->status = r->status;
	g->attempts = r->attempts;
	memcpy(g->etag, r->etag, sizeof(g->etag));
	g->size = r->size;
	g->object_size = r->object_size;
	g->parts_count = r->parts_count;
	g->delete_marker = r->delete_marker;
	g->has_meta = r->has_meta;
	g->meta = r->meta;
	g->modified_sec = r->modified_sec;
	buf_add(&g->upload_id, r->upload_id.p, r->upload_id.len);
	for (size_t i = 0; i < r->listed_count; i++)
		add_key(g, r->listed[i].key);
	g->count += r->listed_count + r->part_count;
	g->prefixes += r->prefix_count;
	for (size_t i = 0; i < MIN(r->part_count, ARRAY_LEN(g->parts)); i++)
		g->parts[i] = r->parts[i];
	g->truncated = r->truncated;
	buf_clear(&g->next);
	buf_add(&g->next, r->next.p, r->next.len);
}

static enum s3_data
on_data(void *arg, const void *p, size_t len)
{
	struct got *g = arg;

	return buf_add(&g->body, p, len) == 0 ? S3_DATA_TAKEN : S3_DATA_STOP;
}

/* Turn until the request is done; true if it went well. */
static bool
run(struct s3 *s, struct got *g)
{
	uint64_t end = clock_mono_ms() + 120000;

	while (!g->done && clock_mono_ms() < end)
		s3_wait(s, NULL, 0, 1000);
	g->done = false;
	return g->calls == 1 && g->err.kind == ERR_NONE;
}

static char *
env(const char *name)
{
	char *v = getenv(name);

	return v == NULL || v[0] == '\0' ? NULL : v;
}

static struct s3 *
make(const struct s3_config *c)
{
	struct err err = ERR_INIT;
	struct s3 *s;

	if (s3_new(&s, c, &err) == -1) {
		printf("FAIL s3_new: %s\n", err.msg);
		exit(1);
	}
	return s;
}

static struct s3_config
settings(char **endpoint)
{
	return (struct s3_config){ .store = { .endpoints = { endpoint, 1 },
	    .region = "us-east-1", .bucket = env("S3_BUCKET"),
	    .access_key = env("S3_KEY"), .secret_key = env("S3_SECRET"),
	    .path_style = true, .max_inflight = 16 },
	    .retry_for_ms = 30000, .seed = 7 };
}

#define GOT(g) \
	CLEANUP(got_release) struct got g; \
	got_init(&g)

static bool
put(struct s3 *s, struct str key, const void *p, size_t len,
    const struct s3_meta *meta, struct got *g)
{
	struct s3_body body = { .data = p, .len = len };
	struct md5 m;
	uint8_t md5[MD5_LEN];
	char etag[72];

	md5_init(&m);
	md5_update(&m, p, len);
	md5_final(&m, md5);
	body.md5 = md5;
	etag_single(md5, etag);
	s3_put(s, key, &body, meta, on_done, g);
	return run(s, g) && strcmp(etag, g->etag) == 0;
}

static bool UNUSED
get_is(struct s3 *s, struct str key, uint64_t offset, uint64_t len,
    const void *want, size_t want_len)
{
	GOT(g);

	s3_get(s, key, offset, len, on_data, on_done, &g);
	return run(s, &g) && g.body.len == want_len &&
	    (want_len == 0 || memcmp(g.body.data, want, want_len) == 0);
}

static bool
delete(struct s3 *s, struct str key)
{
	GOT(g);

	s3_delete(s, key, on_done, &g);
	return run(s, &g);
}

#endif
