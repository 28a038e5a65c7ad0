#include "run/leftovers.h"

#include "base/log.h"
#include "model/key.h"
#include "run/plan.h"

struct abort_one {
	struct s3 *s3;
	const struct left_upload *u;
	struct str key;
	bool	 ok;
};

static void
aborted(void *arg, const struct s3_reply *r UNUSED, const struct err *err)
{
	struct abort_one *a = arg;

	if (err == NULL || err->kind == ERR_GONE)
		return;
	a->ok = false;
	log_event(LOG_WARN, "upload_left", "%s: %s", a->u->path, err->msg);
}

/* The answer with the id was never seen: ours are those of this very key that
 * began after the intent. */
static void
listed(void *arg, const struct s3_reply *r, const struct err *err)
{
	struct abort_one *a = arg;

	if (err != NULL) {
		aborted(a, r, err);
		return;
	}
	for (size_t i = 0; i < r->upload_count; i++)
		if (str_eq(r->uploads[i].key, a->key) &&
		    r->uploads[i].initiated_sec >= a->u->intent_sec)
			s3_mpu_abort(a->s3, a->key, r->uploads[i].upload_id,
			    aborted, a);
}

static bool
abort_upload(struct s3 *s3, const struct conf *c, const struct left_upload *u)
{
	struct abort_one a = { .s3 = s3, .u = u, .key = str_of(u->path),
	    .ok = true };

	if (!c->fs_config.server_as_prefix)
		a.key = str_of(key_without_server(u->path));
	if (u->upload_id != NULL)
		s3_mpu_abort(s3, a.key, str_of(u->upload_id), aborted, &a);
	else
		s3_mpu_list(s3, a.key, STR(""), STR(""), listed, &a);
	while (s3_pending(s3) > 0)
		s3_wait(s3, NULL, 0, 1000);
	return a.ok;
}

void
leftovers_abort(const struct conf *c, struct catalog *cat)
{
	struct s3_config sc = plan_s3(c);
	struct left_upload *v AUTOFREE = NULL;
	struct err err = ERR_INIT;
	struct s3 *s3 = NULL;
	size_t n = 0;

	if (catalog_left_uploads(cat, &v, &n, &err) == -1 ||
	    (n > 0 && s3_new(&s3, &sc, &err) == -1)) {
		log_event(LOG_WARN, "upload_left", "%s", err.msg);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (abort_upload(s3, c, &v[i])) {
			struct upload_note *u = xcalloc(1, sizeof(*u));

			u->event = UPLOAD_ENDED;
			u->object = v[i].object;
			catalog_put_upload(cat, u, NULL);
		}
		free(v[i].path);
		free(v[i].upload_id);
	}
	s3_free(&s3);
}
