#include "run/leftovers.h"

#include "base/clock.h"
#include "base/log.h"
#include "model/key.h"
#include "run/master.h"
#include "run/plan.h"

#define LIMIT_MS	30000	/* for all of them */
#define TURN_MS		200	/* how often signals are looked at */

struct leftover {
	struct s3 *s3;
	const struct left_upload *u;
	struct str key;
	size_t	 calls;		/* that are not answered yet */
	bool	 failed;
};

static void
aborted(void *arg, const struct s3_reply *r UNUSED, const struct err *err)
{
	struct leftover *a = arg;

	a->calls--;
	if (err == NULL || err->kind == ERR_GONE)
		return;
	a->failed = true;
	if (err->kind != ERR_STOPPED)
		log_event(LOG_WARN, "upload_left", "%s: %s", a->u->path,
		    err->msg);
}

static void
abort_id(struct leftover *a, struct str id)
{
	a->calls++;
	s3_mpu_abort(a->s3, a->key, id, aborted, a);
}

/* The answer with the id was never seen: ours are those of this very key that
 * began after the intent. */
static void
listed(void *arg, const struct s3_upload *u)
{
	struct leftover *a = arg;

	if (str_eq(u->key, a->key) && u->initiated_sec >= a->u->intent_sec)
		abort_id(a, u->upload_id);
}

static void
begin(struct leftover *a, struct s3 *s3, const struct conf *c,
    const struct left_upload *u)
{
	a->s3 = s3;
	a->u = u;
	a->key = str_of(c->fs_config.server_as_prefix ? u->path :
	    key_without_server(u->path));
	if (u->upload_id != NULL) {
		abort_id(a, str_of(u->upload_id));
	} else {
		a->calls++;
		s3_mpu_list(s3, a->key, listed, aborted, a);
	}
}

static void
ended(struct catalog *cat, int64_t object)
{
	struct upload_note *n = xcalloc(1, sizeof(*n));

	n->event = UPLOAD_ENDED;
	n->object = object;
	catalog_put_upload(cat, n, NULL);
}

static void
abort_all(const struct conf *c, struct catalog *cat, struct s3 *s3,
    const struct left_upload *v, size_t n)
{
	struct leftover *a AUTOFREE = xcalloc(n, sizeof(*a));
	uint64_t end_ms = clock_mono_ms() + LIMIT_MS;
	size_t left = 0;

	for (size_t i = 0; i < n; i++)
		begin(&a[i], s3, c, &v[i]);
	while (s3_pending(s3) > 0 && clock_mono_ms() < end_ms &&
	    !master_interrupted())
		s3_wait(s3, NULL, 0, TURN_MS);
	for (size_t i = 0; i < n; i++) {
		if (a[i].calls == 0 && !a[i].failed)
			ended(cat, v[i].object);
		else
			left++;
	}
	/* What is under way ends here, and says so. */
	s3_free(&s3);
	if (left > 0)
		log_event(LOG_WARN, "upload_left", "%zu of %zu unfinished "
		    "uploads could not be aborted: the next run tries again",
		    left, n);
}

void
leftovers_abort(const struct conf *c, struct catalog *cat)
{
	struct s3_config sc = plan_s3(c);
	struct left_upload *v AUTOFREE = NULL;
	struct err err = ERR_INIT;
	struct s3 *s3 = NULL;
	size_t n = 0;

	sc.retry_for_ms = MIN(sc.retry_for_ms, (uint64_t)LIMIT_MS);
	if (catalog_left_uploads(cat, &v, &n, &err) == -1 ||
	    (n > 0 && s3_new(&s3, &sc, &err) == -1))
		log_event(LOG_WARN, "upload_left", "%s", err.msg);
	else if (n > 0)
		abort_all(c, cat, s3, v, n);
	for (size_t i = 0; i < n; i++) {
		free(v[i].path);
		free(v[i].upload_id);
	}
}
