/*
 * last.c: a file is given up if its clients were lost with the file in hand
 * again and again. A lost client may have stored the file without reporting the
 * result, so the master asks the store before the file fails. The master does
 * not read the file, as reading may be what kills the clients. The object is
 * proved by
 *
 *	- its size, and the metadata that PUT writes, which must be the file's,
 *	- its time of storage, after the run began, and an ETag that differs
 *	  from the previous object's ETag,
 *	- its ETag, if the ETag is a digest: S3 computed the digest from bytes
 *	  that S3 compared with the digest of the bytes that a client read. If
 *	  the clients were lost as they completed the upload of a split file,
 *	  the ETag must be that of the parts,
 *	- the file, which must be as it was when last seen before the transfer.
 */
#include "base/clock.h"
#include "crypto/crypto.h"
#include "model/key.h"
#include "target/plan.h"
#include "team/team_internal.h"
#include "verify/etag.h"
#include "verify/part_plan.h"

#define TURN_MS		200

/* --- the question, in the thread that looks --- */

static void
answered(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct look *l = arg;

	s3_head_answer(r, err, &l->store.answer);
	if (r->version_id.len > 0)
		l->store.version_id = xstrndup(r->version_id.p,
		    r->version_id.len);
}

static bool
has_s3(const struct team *t, struct s3 **s3, struct err *err)
{
	struct s3_config sc;

	if (*s3 != NULL)
		return true;
	sc = plan_s3(t->conf);
	return s3_new(s3, &sc, err) == 0;
}

void
team_last_ask(struct team *t, struct s3 **s3, struct look **v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct look *l = v[i];
		const char *path = l->task->item.path;

		if (l->client != 0 || !has_s3(t, s3, &l->store.answer.err))
			continue;
		s3_head(*s3, str_of(key_of_path(path,
		    t->conf->fs_config.server_as_prefix)), answered, l);
	}
	while (*s3 != NULL && s3_pending(*s3) > 0) {
		if (atomic_load(&t->look.stop))
			s3_free(s3);
		else
			s3_wait(*s3, NULL, 0, TURN_MS);
	}
}

/* --- what the answer proves --- */

/* The second, by S3's clock, in which the run began. */
static int64_t
begin_sec(const struct team *t)
{
	return t->setup.s3_clock_ms == 0 ? INT64_MAX : MAX((int64_t)1,
	    (t->setup.s3_clock_ms + (int64_t)t->began_ms) / 1000);
}

static bool
has_parts(const char *etag, unsigned count)
{
	const char *dash = strchr(etag, '-');

	return dash != NULL && strtoul(dash + 1, NULL, 10) == count;
}

/* The last step of a file that several clients have sent: the digests of its
 * parts are known. */
static bool
take_digests(const struct team *t, const struct item *it, const char *etag,
    struct result *r)
{
	char want[72];

	etag_multipart(it->part_md5s, it->part_count, want);
	if (etag_is_digest(t->conf->s3_storage.sse) ? strcmp(etag, want) != 0 :
	    !has_parts(etag, it->part_count))
		return false;
	r->proved = strcmp(etag, want) == 0 ? PROVED_ETAG : PROVED_NOT;
	r->part_size = it->upload_part_size;
	r->part_count = it->part_count;
	r->part_md5s = xmemdup(it->part_md5s,
	    (size_t)it->part_count * MD5_LEN);
	return true;
}

/* Decode the ETag for the parts that a client would have used. Return false if
 * no client of ours can have made the ETag. */
static bool
take_etag(const struct team *t, const struct item *it, const char *etag,
    struct result *r)
{
	struct part_plan plan;
	struct err err = ERR_INIT;

	if (it->step == SPLIT_END)
		return take_digests(t, it, etag, r);
	if (part_plan(it->attrs.size, t->conf->s3_storage.part_size,
	    &t->conf->s3_storage, &plan, &err) == -1)
		return false;
	r->part_size = plan.part_size;
	if (plan.part_size > 0)
		return has_parts(etag, plan.count);
	r->has_md5 = etag_is_digest(t->conf->s3_storage.sse) &&
	    hex_decode(etag, r->md5, MD5_LEN);
	return r->has_md5;
}

static bool
is_stored(const struct team *t, const struct look *l, struct result *r)
{
	const struct item *it = &l->task->item;
	struct held_record sent = { .attrs = &it->attrs, .etag = "",
	    .before = it->prev_etag, .since_sec = begin_sec(t) };

	return l->q.verdict == ABSENCE_PRESENT &&
	    l->q.attrs.kind == ENTRY_FILE && attrs_same(&l->q.attrs,
	    &it->attrs, t->conf->fs_config.ignore_inode) &&
	    held_judge(&l->store.answer, &sent) == HELD_OURS &&
	    take_etag(t, it, l->store.answer.etag, r);
}

void
team_last_decide(const struct team *t, struct look *l)
{
	struct result *r = &l->result, found = *r;

	if (is_stored(t, l, &found)) {
		*r = found;
		r->outcome = OUTCOME_MOVED;
		r->event = EVENT_STORED;
		err_clear(&r->err);
		memcpy(r->etag, l->store.answer.etag, sizeof(r->etag));
		r->version_id = STEAL(l->store.version_id);
	} else if (l->store.answer.err.kind != ERR_NONE &&
	    l->store.answer.err.kind != ERR_GONE) {
		err_wrap(&r->err, "whether the store has it is not known "
		    "(%.120s)", l->store.answer.err.msg);
	}
	free(STEAL(l->store.version_id));
}
