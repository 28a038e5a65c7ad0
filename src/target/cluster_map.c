#include "target/cluster_map.h"

#include <strings.h>

#include "base/log.h"
#include "target/plan.h"

static struct s3_map *map;

struct fetching {
	struct plan_answer answer;
	struct buf text;
};

static enum s3_data
take(void *arg, const void *data, size_t len)
{
	struct fetching *f = arg;

	return f->answer.done || buf_add(&f->text, data, len) == 0 ?
	    S3_DATA_TAKEN : S3_DATA_STOP;
}

static void
taken(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct fetching *f = arg;

	plan_answered(&f->answer, r, err);
}

static int
explain(const struct fetching *f, const char *endpoint, struct err *err)
{
	*err = f->answer.err;
	if (buf_overflowed(&f->text))
		err_set(err, ERR_CONFIG, 0, "over 1 MiB: is that object the "
		    "cluster map?");
	if (err->kind == ERR_GONE || (err->kind == ERR_UNREACHABLE &&
	    err->code == 404))
		err_set(err, ERR_UNREACHABLE, err->code, "the object "
		    S3_MAP_KEY " in bucket " S3_MAP_BUCKET " is missing; it "
		    "tells of the clusters. Is endpoint the discovery "
		    "endpoint? For one plain S3 service write client_lib = "
		    "minio");
	return err_wrap(err, "cluster map " S3_MAP_BUCKET "/" S3_MAP_KEY
	    " at %s", endpoint);
}

static const char *
scheme_of(const char *endpoint)
{
	return strncasecmp(endpoint, "https:", 6) == 0 ? "https" : "http";
}

int
cluster_map_fetch(const struct conf *c, struct err *err)
{
	struct fetching f = { .answer.done = false };
	struct s3_config sc = plan_s3(c);
	struct s3 *s3;
	int rc;

	if (c->s3_storage.client_lib != CLIENT_LIB_DSS || map != NULL)
		return 0;
	sc.bucket = S3_MAP_BUCKET;
	plan_start_limits(&sc);
	if (s3_new(&s3, &sc, err) == -1)
		return -1;
	buf_init(&f.text, S3_MAP_MAX);
	s3_get(s3, STR(S3_MAP_KEY), 0, 0, take, taken, &f);
	plan_wait_answer(&s3, &f.answer, sc.endpoints[0]);
	if (f.answer.err.kind != ERR_NONE)
		rc = explain(&f, sc.endpoints[0], err);
	else
		rc = s3_map_parse(&map, buf_str(&f.text),
		    scheme_of(sc.endpoints[0]), err);
	buf_release(&f.text);
	if (rc == -1)
		return -1;
	log_event(LOG_INFO, "cluster_map", "%zu clusters", map->count);
	return 0;
}

int
cluster_map_set(const struct setup *s, struct err *err)
{
	if (s->cluster_map == NULL || map != NULL)
		return 0;
	if (s->endpoint_count == 0)
		return err_set(err, ERR_CONFIG, 0, "endpoint: not set");
	return s3_map_parse(&map, str_of(s->cluster_map),
	    scheme_of(s->endpoints[0]), err);
}

void
cluster_map_deletes_listed(void)
{
	if (map != NULL)
		map->deletes_listed = true;
}

struct s3_map *
cluster_map(void)
{
	return map;
}

void
cluster_map_end(void)
{
	uint64_t n;

	if (map == NULL)
		return;
	n = MAX(atomic_load(&map->listed_astray),
	    atomic_load(&map->found_astray));
	if (n > 0)
		log_event(LOG_WARN, "astray", "%ju keys are in another "
		    "cluster than the one that the cluster map gives them, or "
		    "in more than one, as after a cluster was added: they "
		    "were found there", (uintmax_t)n);
	s3_map_free(&map);
}
