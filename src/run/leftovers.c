#include "run/leftovers.h"

#include "base/clock.h"
#include "base/log.h"
#include "model/key.h"
#include "model/path.h"

#define LIMIT_MS	30000	/* for all of them */

struct uploads {
	struct run *r;
	struct open_upload *v;
	size_t	 n;
	const struct strlist *prefixes;	/* or NULL */
	struct strlist shares;	/* of the settings: catalog paths */
};

struct leftover {
	const struct uploads *all;
	struct open_upload *u;
	struct str key;
	size_t	 calls;		/* that are not answered yet */
	bool	 failed;
};

/* --- which --- */

static struct str
key_of(const struct open_upload *u)
{
	return str_of(key_of_path(u->path, u->server_as_prefix));
}

static void
find_shares(struct uploads *x)
{
	for (size_t i = 0; i < x->r->conf->fs_config.nfs_count; i++) {
		const struct conf_nfs *nfs = &x->r->conf->fs_config.nfs[i];

		for (size_t k = 0; k < nfs->shares.n; k++) {
			CLEANUP(buf_release) struct buf path;

			buf_init(&path, 64 * KIB);
			if (conf_key_prefix(x->r->conf, nfs->server,
			    nfs->shares.v[k], &path) == 0)
				strlist_add(&x->shares, path.data);
		}
	}
}

static bool
is_in_settings(const struct uploads *x, const char *path)
{
	for (size_t i = 0; i < x->shares.n; i++) {
		struct str share = str_of(x->shares.v[i]);

		if (path_lies_in(str_of(path), share) && path[share.len] != 0)
			return true;
	}
	return false;
}

static bool
is_left(const struct uploads *x, const struct open_upload *u)
{
	if (u->left || !is_in_settings(x, u->path))
		return true;
	for (size_t i = 0; x->prefixes != NULL && i < x->prefixes->n; i++)
		if (str_starts(key_of(u), str_of(x->prefixes->v[i])))
			return true;
	return false;
}

/* --- their end --- */

static void
aborted(void *arg, const struct s3_reply *r UNUSED, const struct err *err)
{
	struct leftover *a = arg;

	a->calls--;
	if (err == NULL || err->kind == ERR_GONE)
		return;
	a->failed = true;
	if (err->kind != ERR_STOPPED)
		log_event(LOG_WARN, EVENT_UPLOAD_LEFT,
		    LOG_WITH(LOG_TEXT("path", a->u->path),
			LOG_TEXT("reason", err->msg)),
		    "%s: %s", a->u->path, err->msg);
}

static void
abort_id(struct leftover *a, struct str id)
{
	a->calls++;
	s3_mpu_abort(a->all->r->s3, a->key, id, aborted, a);
}

/* Another file with the same key goes on with this upload. */
static bool
is_kept(const struct uploads *x, struct str id)
{
	for (size_t i = 0; i < x->n; i++)
		if (x->v[i].upload_id != NULL && !is_left(x, &x->v[i]) &&
		    str_eq(str_of(x->v[i].upload_id), id))
			return true;
	return false;
}

/* The answer with the upload id was never seen: our uploads are the uploads
 * of this very key that began after the intent. */
static void
listed(void *arg, const struct s3_upload *u)
{
	struct leftover *a = arg;

	if (str_eq(u->key, a->key) && u->initiated_sec >= a->u->intent_sec &&
	    !is_kept(a->all, u->upload_id))
		abort_id(a, u->upload_id);
}

static void
begin(struct leftover *a, const struct uploads *x, struct open_upload *u)
{
	a->all = x;
	a->u = u;
	a->key = key_of(u);
	if (u->upload_id != NULL) {
		abort_id(a, str_of(u->upload_id));
	} else {
		a->calls++;
		s3_mpu_list(x->r->s3, a->key, listed, aborted, a);
	}
}

static void
abort_all(const struct uploads *x)
{
	struct run *r = x->r;
	struct leftover *a AUTOFREE = xcalloc(x->n, sizeof(*a));
	uint64_t end_ms = clock_mono_ms() + LIMIT_MS;
	size_t count = 0, left = 0;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < x->n; i++)
		if (is_left(x, &x->v[i]))
			begin(&a[count++], x, &x->v[i]);
	while (s3_pending(r->s3) > 0 && clock_mono_ms() < end_ms &&
	    !run_stopped(r))
		run_turn(r, RUN_TICK_MS);
	for (size_t i = 0; i < count; i++) {
		a[i].u->ended = a[i].calls == 0 && !a[i].failed;
		left += !a[i].u->ended;
	}
	/* s3_free ends the requests under way and calls back for each of
	 * them. */
	s3_free(&r->s3);
	if (catalog_uploads_ended(r->catalog, x->v, x->n, &err) == -1)
		log_event(LOG_WARN, EVENT_UPLOAD_LEFT,
		    LOG_WITH(LOG_TEXT("reason", err.msg)), "%s", err.msg);
	if (left > 0)
		log_event(LOG_WARN, EVENT_UPLOAD_LEFT,
		    LOG_WITH(LOG_NUMBER("count", left)),
		    "%zu of %zu unfinished "
		    "uploads could not be aborted: the next run tries again",
		    left, count);
}

static bool
any_left(const struct uploads *x)
{
	bool any = false;

	for (size_t i = 0; i < x->n && !any; i++)
		any = is_left(x, &x->v[i]);
	return any;
}

void
leftovers_abort(struct run *r, const struct strlist *prefixes)
{
	struct uploads x = { .r = r, .prefixes = prefixes };
	struct err err = ERR_INIT;

	find_shares(&x);
	if (catalog_open_uploads(r->catalog, &x.v, &x.n, &err) == -1 ||
	    (any_left(&x) && run_s3(r, &err) == -1))
		log_event(LOG_WARN, EVENT_UPLOAD_LEFT,
		    LOG_WITH(LOG_TEXT("reason", err.msg)), "%s", err.msg);
	else if (any_left(&x))
		abort_all(&x);
	for (size_t i = 0; i < x.n; i++) {
		free(x.v[i].path);
		free(x.v[i].upload_id);
	}
	free(x.v);
	strlist_clear(&x.shares);
}
