/*
 * The work for more than one cluster. Each key belongs to one cluster. A
 * missing object may still be in the cluster of the key before a cluster was
 * added: a read-only request then goes on to the next cluster by weight.
 * Requests without a key go to every cluster.
 */
#include "s3/s3_internal.h"

#include "base/log.h"

size_t
s3_cluster_count(const struct s3 *s)
{
	return s->cluster_count;
}

/* --- keys --- */

void
s3_cluster_set(struct s3 *s, struct s3_request *r, struct str key)
{
	if (s->cluster_count == 1)
		return;
	r->cluster = s3_place(key, s->cluster_count);
	if (r->op->follows)
		buf_add(&r->key, key.p, key.len);
}

bool
s3_cluster_follow(struct s3_slot *t, const struct err *err)
{
	struct s3 *s = t->s3;
	struct s3_request *r = t->req;

	if (!r->op->follows || r->place + 1 >= s->cluster_count ||
	    t->status != 404 || err->kind != ERR_GONE || r->got > 0)
		return false;
	r->cluster = s3_place_nth(buf_str(&r->key), s->cluster_count,
	    ++r->place);
	/* The request to the next cluster gets attempts and time of its own. */
	r->attempts = 0;
	r->first_failure_ms = 0;
	s3_request_resubmit(s, r);
	return true;
}

void
s3_cluster_found(struct s3 *s, const struct s3_request *r)
{
	char shown[400];

	if (r->place == 0)
		return;
	atomic_fetch_add(&s->map->found_astray, 1);
	if (log_enabled(LOG_DEBUG))
		log_event(LOG_DEBUG, EVENT_ASTRAY,
		    LOG_WITH(LOG_TEXT("key", r->key.data),
			LOG_NUMBER("cluster", r->cluster)),
		    "%s: found in cluster %zu; "
		    "it belongs to cluster %zu",
		    str_escape(buf_str(&r->key), shown, sizeof(shown)),
		    r->cluster, s3_place(buf_str(&r->key), s->cluster_count));
}

void
s3_cluster_listed_astray(struct s3 *s)
{
	atomic_fetch_add(&s->map->listed_astray, 1);
}

/* --- uploads --- */

void
s3_cluster_tag(struct s3 *s, size_t cluster, struct str *upload_id)
{
	if (s->map == NULL)
		return;
	buf_clear(&s->upload_id);
	buf_addf(&s->upload_id, "%zu.", cluster);
	buf_add(&s->upload_id, upload_id->p, upload_id->len);
	*upload_id = buf_str(&s->upload_id);
}

struct str
s3_cluster_untag(struct s3 *s, struct s3_request *r, struct str upload_id)
{
	struct str id = upload_id;
	size_t cluster = 0;

	if (s->map == NULL)
		return upload_id;
	for (; id.len > 0 && id.p[0] >= '0' && id.p[0] <= '9' &&
	    cluster < S3_CLUSTERS_MAX; id.p++, id.len--)
		cluster = cluster * 10 + (size_t)(id.p[0] - '0');
	if (id.len == upload_id.len || id.len == 0 || id.p[0] != '.' ||
	    cluster >= s->cluster_count) {
		err_set(&r->refused, ERR_GONE, 0, "the upload's cluster is "
		    "not in the cluster map");
		return upload_id;
	}
	r->cluster = cluster;
	return (struct str){ id.p + 1, id.len - 1 };
}

/* --- all clusters at once --- */

struct fan {
	struct s3 *s3;
	size_t	 left;		/* answers to come */
	s3_done_fn *done;
	void	*arg;
	struct err err;		/* the first */
	struct buf version_id;	/* the reply's */
	struct s3_reply reply;
};

/* One cluster's part of a request to every cluster. */
struct fan_part {
	struct fan *fan;
	size_t	 cluster;
};

static struct fan *
fan_new(struct s3 *s, s3_done_fn *done, void *arg)
{
	struct fan *f = xcalloc(1, sizeof(*f));

	f->s3 = s;
	f->left = s->cluster_count;
	f->done = done;
	f->arg = arg;
	f->reply = (struct s3_reply){ .version_id = STR(""),
	    .upload_id = STR(""), .next = STR("") };
	buf_init(&f->version_id, 1024);
	return f;
}

static void
fan_end(struct fan *f)
{
	f->reply.version_id = buf_str(&f->version_id);
	f->done(f->arg, &f->reply, f->err.kind == ERR_NONE ? NULL : &f->err);
	buf_release(&f->version_id);
	free(f);
}

static void
fan_answered(void *arg, const struct s3_reply *reply, const struct err *err)
{
	struct fan_part *p = arg;
	struct fan *f = p->fan;

	if (err != NULL && f->err.kind == ERR_NONE) {
		f->err = *err;
		f->reply.status = reply->status;
		err_wrap(&f->err, "cluster %zu (bucket %s)", p->cluster,
		    f->s3->clusters[p->cluster].bucket);
	} else if (err == NULL) {
		if (f->err.kind == ERR_NONE)
			f->reply.status = reply->status;
		f->reply.attempts = MAX(f->reply.attempts, reply->attempts);
		f->reply.delete_marker = f->reply.delete_marker ||
		    reply->delete_marker;
		if (f->version_id.len == 0)
			buf_add(&f->version_id, reply->version_id.p,
			    reply->version_id.len);
	}
	free(p);
	if (--f->left == 0)
		fan_end(f);
}

static struct fan_part *
fan_part(struct fan *f, size_t cluster)
{
	struct fan_part *p = xcalloc(1, sizeof(*p));

	p->fan = f;
	p->cluster = cluster;
	return p;
}

void
s3_bucket(struct s3 *s, s3_done_fn *done, void *arg)
{
	struct fan *f;

	if (s->map == NULL) {
		s3_bucket_in(s, 0, done, arg);
		return;
	}
	f = fan_new(s, done, arg);
	for (size_t i = 0; i < s->cluster_count; i++)
		s3_bucket_in(s, i, fan_answered, fan_part(f, i));
}

bool
s3_cluster_tidy(const struct s3 *s)
{
	return s->cluster_count == 1 || (s->map->deletes_listed &&
	    atomic_load(&s->map->listed_astray) == 0);
}

/* Delete the key in every cluster: an object left in another cluster would
 * appear again. */
void
s3_delete(struct s3 *s, struct str key, s3_done_fn *done, void *arg)
{
	struct fan *f;

	if (s3_cluster_tidy(s)) {
		s3_delete_in(s, s3_place(key, s->cluster_count), key, done,
		    arg);
		return;
	}
	f = fan_new(s, done, arg);
	for (size_t i = 0; i < s->cluster_count; i++)
		s3_delete_in(s, i, key, fan_answered, fan_part(f, i));
}

void
s3_list(struct s3 *s, struct str prefix, struct str start_after,
    struct str token, char delimiter, s3_done_fn *done, void *arg)
{
	s3_list_in(s, 0, prefix, start_after, token, delimiter, done, arg);
}
