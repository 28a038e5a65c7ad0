/*
 * plan_store.c: requests to the store at the start of a run.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/signals.h"
#include "crypto/crypto.h"
#include "target/cluster_map.h"
#include "target/plan.h"

#define START_LIMIT_MS	30000	/* give up at the start after so long */
#define TURN_MS		200	/* how often to look at signals */

struct answer {
	bool	 done;
	int64_t	 s3_boot_ms;	/* the S3 client's value at its end */
	struct err err;
};

static void
start_limits(struct s3_config *sc)
{
	sc->retry_for_ms = MIN(sc->retry_for_ms, (uint64_t)START_LIMIT_MS);
	sc->stall_timeout_ms = START_LIMIT_MS;
}

static void
answered(void *arg, const struct s3_reply *r UNUSED,
    const struct err *err)
{
	struct answer *a = arg;

	if (a->done)
		return;		/* given up; s3_free calls back too */
	a->done = true;
	if (err != NULL)
		a->err = *err;
}

/* Wait for the answer to a request, and free the S3 client. Without an answer
 * within 30 s, or after a signal, a->err says so. */
static void
wait_answer(struct s3 **s3, struct answer *a)
{
	uint64_t start = clock_mono_ms();

	while (!a->done && !signals_waiting()) {
		if (clock_mono_ms() - start > START_LIMIT_MS + 1000)
			break;
		s3_wait(*s3, NULL, 0, TURN_MS);
	}
	if (!a->done && signals_waiting()) {
		a->done = true;
		err_set(&a->err, ERR_STOPPED, 0, "interrupted");
	} else if (!a->done) {
		a->done = true;
		err_set(&a->err, ERR_UNREACHABLE, 0, "no answer for %d s",
		    START_LIMIT_MS / 1000);
	}
	a->s3_boot_ms = s3_boot_ms(*s3);
	s3_free(s3);
}

/* --- the cluster map --- */

struct fetching {
	struct answer answer;
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

	answered(&f->answer, r, err);
}

static int
explain(const struct fetching *f, const char *endpoint, struct err *err)
{
	*err = f->answer.err;
	if (buf_overflowed(&f->text))
		err_set(err, ERR_CONFIG, 0, "over 1 MiB: is that object the "
		    "cluster map?");
	if (err->kind == ERR_GONE || ((err->kind == ERR_UNREACHABLE ||
	    err->kind == ERR_REFUSED) && err->code == 404))
		err_set(err, ERR_UNREACHABLE, err->code, "the object "
		    S3_MAP_KEY " in bucket " S3_MAP_BUCKET " is missing; it "
		    "tells of the clusters. Is endpoint the discovery "
		    "endpoint? For one plain S3 service write client_lib = "
		    "minio");
	return err_wrap(err, "cluster map " S3_MAP_BUCKET "/" S3_MAP_KEY
	    " at %s", endpoint);
}

int
plan_fetch_map(const struct conf *c, struct err *err)
{
	struct fetching f = { .answer.done = false };
	struct s3_config sc = plan_s3(c);
	char bucket[] = S3_MAP_BUCKET;
	const char *endpoint;
	struct s3 *s3;
	int rc;

	if (c->s3_storage.client_lib != CLIENT_LIB_DSS ||
	    cluster_map() != NULL)
		return 0;
	sc.store.bucket = bucket;
	start_limits(&sc);
	if (s3_new(&s3, &sc, err) == -1)
		return -1;
	endpoint = c->s3_storage.endpoints.v[0];
	buf_init(&f.text, S3_MAP_MAX);
	s3_get(s3, STR(S3_MAP_KEY), 0, 0, take, taken, &f);
	wait_answer(&s3, &f.answer);
	if (f.answer.err.kind != ERR_NONE)
		rc = explain(&f, endpoint, err);
	else
		rc = cluster_map_parse(buf_str(&f.text), endpoint, err);
	buf_release(&f.text);
	if (rc == -1)
		return -1;
	log_event(LOG_INFO, EVENT_CLUSTER_MAP,
	    LOG_WITH(LOG_NUMBER("clusters", cluster_map()->count)),
	    "%zu clusters", cluster_map()->count);
	return 0;
}

/* --- the bucket --- */

int
plan_check_s3(const struct conf *c, int64_t *boot_ms, struct err *err)
{
	struct answer a = { .done = false };
	struct s3_config sc;
	const char *endpoint;
	struct s3 *s3 = NULL;

	if (plan_fetch_map(c, err) == -1)
		return -1;
	sc = plan_s3(c);
	start_limits(&sc);
	if (s3_new(&s3, &sc, err) == -1)
		return -1;
	endpoint = sc.store.endpoints.v[0];
	s3_bucket(s3, answered, &a);
	wait_answer(&s3, &a);
	if (boot_ms != NULL)
		*boot_ms = a.s3_boot_ms;
	if (a.err.kind == ERR_NONE)
		return 0;
	*err = a.err;
	if (sc.map != NULL)
		return err_wrap(err, "DSS store at %s", endpoint);
	if (err->code == 404)
		err_set(err, err->kind, err->code, "there is no such bucket "
		    "(HTTP 404): make it, or set bucket in [s3_storage]");
	else if (err->kind == ERR_DENIED)
		err_wrap(err, "the credentials have no right to this bucket");
	else if (err->kind == ERR_REFUSED)
		err_wrap(err, "the credentials are refused");
	return err_wrap(err, "S3 %s, bucket %s", endpoint, sc.store.bucket);
}

/* --- keys that may only write --- */

void
plan_probe(struct s3 *s3, s3_done_fn *done, void *arg)
{
	static const char text[] = "datamover: this object may be deleted\n";
	static const struct s3_meta meta = { .mode = 0644 };
	struct s3_body body = { .data = text, .len = sizeof(text) - 1 };
	uint8_t md5[MD5_LEN];
	struct md5 m;

	md5_init(&m);
	md5_update(&m, body.data, (size_t)body.len);
	md5_final(&m, md5);
	body.md5 = md5;
	s3_put(s3, STR(PROBE_KEY), &body, &meta, done, arg);
}

struct probe {
	struct answer answer;
	struct s3 *s3;
};

/* Such keys may not delete, either: then the object stays. */
static void
deleted(void *arg, const struct s3_reply *r, const struct err *err UNUSED)
{
	answered(arg, r, NULL);
}

static void
written(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct probe *p = arg;

	if (err != NULL || p->answer.done)
		answered(&p->answer, r, err);
	else
		s3_delete(p->s3, STR(PROBE_KEY), deleted, &p->answer);
}

int
plan_check_s3_writes(const struct conf *c, int64_t *boot_ms, struct err *err)
{
	struct probe p = { .answer.done = false };
	struct s3_config sc;

	if (plan_check_s3(c, boot_ms, err) == 0)
		return 0;
	if (err->kind != ERR_DENIED)
		return -1;
	sc = plan_s3(c);
	start_limits(&sc);
	if (s3_new(&p.s3, &sc, NULL) == -1)
		return -1;
	plan_probe(p.s3, written, &p);
	wait_answer(&p.s3, &p.answer);
	if (p.answer.err.kind != ERR_NONE)
		return -1;
	log_event(LOG_WARN, EVENT_WRITE_ONLY,
	    LOG_WITH(LOG_TEXT("reason", err->msg)), "the keys may write, and "
	    "not look at the bucket: what a run can't finish in one go may be "
	    "sent again; %s", err->msg);
	err_clear(err);
	return 0;
}
