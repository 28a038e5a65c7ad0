/*
 * s3.c: each endpoint; then, through the first endpoint that answers, every
 * request that runs make in the bucket.
 */
#include "base/clock.h"
#include "check/check.h"
#include "check/check_internal.h"
#include "crypto/crypto.h"
#include "target/cluster_map.h"
#include "verify/etag.h"

#define ANSWER_MS	30000	/* as at the start of a run */
#define RETRY_MS	3000	/* somebody waits: no more than a few tries */
#define SKEW_WARN_S	60
#define SKEW_FAIL_S	900	/* S3 refuses what is further off */

static const char body_text[] = "datamover check: this object may be "
    "deleted\n";

/* One request at a time. */
struct probe {
	struct check *c;
	struct s3 *s3;
	const char *endpoint;
	bool	 done;
	bool	 dead;		/* no answer: nothing more is asked */
	struct err err;
	char	 etag[72];
	bool	 asked_md5;	/* whether it compares Content-MD5 */
	char	*upload_id;
	char	*given;		/* ETag of the part, as the store wrote it */
	char	 got[sizeof(body_text)];
	size_t	 got_len;
};

static void
answered(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct probe *p = arg;

	if (p->dead)
		return;
	p->done = true;
	if (err != NULL) {
		p->err = *err;
		return;
	}
	snprintf(p->etag, sizeof(p->etag), "%s", r->etag);
	if (r->upload_id.len > 0 && p->upload_id == NULL)
		p->upload_id = xstrndup(r->upload_id.p, r->upload_id.len);
	if (r->etag_given.len > 0 && p->given == NULL)
		p->given = xstrndup(r->etag_given.p, r->etag_given.len);
}

static void
deleted(void *arg, const struct s3_deleted *d, size_t count UNUSED)
{
	struct probe *p = arg;

	if (p->dead)
		return;
	p->done = true;
	if (d[0].err != NULL)
		p->err = *d[0].err;
}

static enum s3_data
take_data(void *arg, const void *data, size_t len)
{
	struct probe *p = arg;

	/* A retry may give bytes twice; then the bytes just differ from the
	 * sent bytes. */
	if (!p->dead && len <= sizeof(p->got) - p->got_len) {
		memcpy(p->got + p->got_len, data, len);
		p->got_len += len;
	}
	return S3_DATA_TAKEN;
}

/* Before a request is begun. */
static void
ready(struct probe *p)
{
	p->done = false;
	err_clear(&p->err);
}

/* Wait for the answer of the request. Return true if the request succeeded. */
static bool
went_well(struct probe *p)
{
	uint64_t end_ms = clock_mono_ms() + ANSWER_MS + 1000;

	while (!p->done && clock_mono_ms() < end_ms)
		s3_wait(p->s3, NULL, 0, 500);
	if (!p->done) {
		p->dead = true;
		err_set(&p->err, ERR_RETRY, 0, "no answer for %d s",
		    ANSWER_MS / 1000);
	}
	return p->err.kind == ERR_NONE;
}

static bool
is_refusal(const struct err *err)
{
	return err->kind == ERR_DENIED || err->kind == ERR_REFUSED;
}

static const char *
todo_of(const struct err *err)
{
	switch (err->kind) {
	case ERR_DENIED:
	case ERR_REFUSED:
		return "see access_key and secret_key in [s3_storage], and "
		    "what they are allowed to do in this bucket";
	case ERR_RETRY:
		return "is endpoint in [s3_storage] right, is the service up, "
		    "does a firewall let us through?";
	case ERR_UNREACHABLE:
		return "make the bucket, or set bucket in [s3_storage]";
	case ERR_CONFIG:
		return "see endpoint, region and ca_file in [s3_storage]";
	default:
		return "see the log of the server";
	}
}

/* Print the line of a step; return true if the step succeeded. */
static bool
say(struct probe *p, const char *step)
{
	if (p->err.kind == ERR_NONE)
		check_say(p->c, CHECK_OK, "s3", p->endpoint, NULL, "%s",
		    step);
	else
		check_say(p->c, CHECK_FAIL, "s3", p->endpoint,
		    todo_of(&p->err), "%s: %s", step, p->err.msg);
	return p->err.kind == ERR_NONE;
}

/* --- endpoints --- */

static void
check_clock(struct probe *p)
{
	int64_t ahead = s3_server_time(p->s3) -
	    clock_wall_ns() / 1000000000;
	int64_t off = ahead < 0 ? -ahead : ahead;
	enum check_result result = off >= SKEW_FAIL_S ? CHECK_FAIL :
	    off >= SKEW_WARN_S ? CHECK_WARN : CHECK_OK;

	if (off <= 1) {
		check_say(p->c, CHECK_OK, "s3", p->endpoint, NULL,
		    "its clock agrees with ours");
		return;
	}
	check_say(p->c, result, "s3", p->endpoint, result == CHECK_OK ? NULL :
	    "set the clock of this machine or of the server, by NTP for "
	    "instance", "its clock is %jd s %s ours",
	    (intmax_t)off, ahead < 0 ? "behind" : "ahead of");
}

static bool
check_bucket(struct probe *p, const char *bucket)
{
	AUTOFREE char *step = xasprintf("bucket %s is there", bucket);
	AUTOFREE char *not = xasprintf("bucket %s", bucket);

	ready(p);
	s3_bucket(p->s3, answered, p);
	went_well(p);
	if (p->err.code == 404)
		err_set(&p->err, ERR_UNREACHABLE, 404,
		    "there is no such bucket (HTTP 404)");
	return say(p, p->err.kind == ERR_NONE ? step : not);
}

/* --- what we may do --- */

/* The ETag is no digest: a wrong Content-MD5 must be refused. The probe is
 * there, whatever the answer. */
static bool
check_md5(struct probe *p, struct str key)
{
	p->asked_md5 = true;
	ready(p);
	s3_put_wrong(p->s3, key, answered, p);
	if (went_well(p)) {
		check_say(p->c, CHECK_FAIL, "s3", p->endpoint, "use a store "
		    "or a gateway that compares Content-MD5", "write: its "
		    "ETag is no digest, and it does not compare Content-MD5: "
		    "nothing proves what it holds");
	} else if (p->err.code == 500 || (p->err.code >= 400 &&
	    p->err.code < 500 && p->err.kind != ERR_DENIED)) {
		err_clear(&p->err);
		check_say(p->c, CHECK_OK, "s3", p->endpoint, NULL, "write a "
		    "probe object: its ETag is no digest, but Content-MD5 is "
		    "compared");
	} else {
		say(p, "write with a wrong Content-MD5");
	}
	return true;
}

/* What is written, and its MD5. */
static struct s3_body
probe_body(uint8_t md5[MD5_LEN])
{
	struct md5 m;

	md5_init(&m);
	md5_update(&m, body_text, sizeof(body_text) - 1);
	md5_final(&m, md5);
	return (struct s3_body){ .data = body_text,
	    .len = sizeof(body_text) - 1, .md5 = md5 };
}

static bool
check_write(struct probe *p, struct str key)
{
	uint8_t md5[MD5_LEN];
	struct s3_meta meta = { .mode = 0644 };
	struct s3_body body = probe_body(md5);
	struct etag_case c = { .of = ETAG_WHOLE, .got = p->etag };
	char expected[72];

	etag_single(md5, expected);
	ready(p);
	s3_put(p->s3, key, &body, &meta, answered, p);
	c.expected = expected;
	if (went_well(p) && etag_judge(&c) != ETAG_PROVES)
		return check_md5(p, key);
	return say(p, "write a probe object");
}

static void
check_read_back(struct probe *p, struct str key)
{
	ready(p);
	s3_get(p->s3, key, 0, 0, take_data, answered, p);
	if (went_well(p) && (p->got_len != sizeof(body_text) - 1 ||
	    memcmp(p->got, body_text, p->got_len) != 0))
		err_set(&p->err, ERR_CORRUPT, 0, "other bytes came back");
	say(p, "read it back");
}

static void
check_delete(struct probe *p, struct str key)
{
	AUTOFREE char *step = xasprintf("delete it (%.*s)", (int)key.len,
	    key.p);

	ready(p);
	s3_delete_many(p->s3, &key, 1, deleted, p);
	went_well(p);
	say(p, step);
}

/* The object gets one part, and replaces that of check_write. */
static bool
check_part(struct probe *p, struct str key, struct str id)
{
	uint8_t md5[MD5_LEN];
	struct s3_body body = probe_body(md5);
	char expected[72];
	struct etag_case c = { .of = ETAG_JOINED, .expected = expected,
	    .got = p->etag };

	ready(p);
	s3_mpu_part(p->s3, key, id, 1, &body, answered, p);
	went_well(p);
	if (!say(p, "send a part"))
		return false;
	ready(p);
	s3_mpu_complete(p->s3, key, id, md5, &p->given, 1, answered, p);
	went_well(p);
	if (!say(p, "complete it"))
		return false;
	etag_multipart(md5, 1, expected);
	if (p->etag[0] != '\0' && !p->asked_md5 &&
	    etag_judge(&c) != ETAG_PROVES)
		check_md5(p, key);
	return true;
}

static void
check_multipart(struct probe *p, struct str key)
{
	struct s3_meta meta = { .mode = 0644 };
	struct str id;

	ready(p);
	s3_mpu_create(p->s3, key, &meta, answered, p);
	went_well(p);
	if (!say(p, "begin a multipart upload"))
		return;
	id = str_of(p->upload_id == NULL ? "" : p->upload_id);
	if (check_part(p, key, id) || p->dead)
		return;
	ready(p);
	s3_mpu_abort(p->s3, key, id, answered, p);
	went_well(p);
	say(p, "abort it");
}

static void
check_rights(struct probe *p)
{
	uint8_t random[16];
	char hex[2 * sizeof(random) + 1];
	AUTOFREE char *name = NULL;
	bool there, refused;
	struct str key;

	random_bytes(random, sizeof(random));
	hex_encode(random, sizeof(random), hex);
	name = xasprintf(PROBE_PREFIX "%s", hex);
	key = str_of(name);
	ready(p);
	s3_list(p->s3, STR(PROBE_PREFIX), STR(""), STR(""), 0, answered, p);
	went_well(p);
	say(p, "list keys");
	if (p->dead)
		return;
	there = check_write(p, key);
	refused = is_refusal(&p->err);
	if (there && !p->dead)
		check_read_back(p, key);
	if (!refused && !p->dead)
		check_multipart(p, key);
	/* Also after a write whose answer was lost. */
	if (!refused && !p->dead)
		check_delete(p, key);
}

/* True if it answers as it should. */
static bool
check_endpoint(struct check *c, char *endpoint, char *bucket, bool rights)
{
	struct s3_config sc = plan_s3(c->conf);
	struct probe p = { .c = c, .endpoint = endpoint };
	bool ok = false;

	/* By itself, also where there are clusters. */
	sc.map = NULL;
	sc.store.bucket = bucket;
	sc.store.endpoints = (struct strlist){ &endpoint, 1 };
	sc.retry_for_ms = RETRY_MS;
	sc.stall_timeout_ms = ANSWER_MS;
	if (s3_new(&p.s3, &sc, &p.err) == -1)
		return say(&p, "client");
	ok = check_bucket(&p, bucket);
	if (p.err.kind != ERR_RETRY)
		check_clock(&p);
	if (ok && rights)
		check_rights(&p);
	p.dead = true;
	s3_free(&p.s3);
	free(p.upload_id);
	free(p.given);
	return ok;
}

static void
check_endpoints(struct check *c, char *const *endpoints, size_t count,
    char *bucket)
{
	bool tried = false;

	for (size_t i = 0; i < count; i++)
		tried = check_endpoint(c, endpoints[i], bucket, !tried) ||
		    tried;
}

static void
check_clusters(struct check *c)
{
	const char *endpoint = c->conf->s3_storage.endpoints.v[0];
	struct err err = ERR_INIT;

	if (plan_fetch_map(c->conf, &err) == -1) {
		check_say(c, CHECK_FAIL, "s3", endpoint, todo_of(&err), "%s",
		    err.msg);
		return;
	}
	check_say(c, CHECK_OK, "s3", endpoint, NULL,
	    "the cluster map tells of %zu clusters", cluster_map()->count);
	for (size_t i = 0; i < cluster_map()->count; i++) {
		const struct s3_map_cluster *k = &cluster_map()->clusters[i];

		check_endpoints(c, k->endpoints, k->endpoint_count,
		    k->bucket);
	}
	cluster_map_end();
}

void
check_s3(struct check *c)
{
	const struct strlist *e = &c->conf->s3_storage.endpoints;

	if (c->conf->s3_storage.client_lib == CLIENT_LIB_DSS)
		check_clusters(c);
	else
		check_endpoints(c, e->v, e->n, c->conf->s3_storage.bucket);
}
