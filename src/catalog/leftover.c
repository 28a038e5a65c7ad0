/*
 * Multipart uploads still open at the end of a run.
 */
#include "catalog/catalog_internal.h"

struct uploads {
	struct open_upload *v;
	size_t	 n;
};

static void
list_open(struct catalog *c, void *arg)
{
	const enum stmt s = STMT_UPLOADS_OPEN;
	const struct writer *w = &c->writer;
	struct db *db = &c->writer.db;
	struct uploads *l = arg;
	bool more = DB_ROW(db, UPLOADS_OPEN, INT(w->other_target),
	    INT(w->target));

	while (more) {
		struct open_upload *u;

		l->v = xreallocarray(l->v, l->n + 1, sizeof(*l->v));
		u = &l->v[l->n++];
		u->object = db_int(db, s, 0);
		u->target = db_int(db, s, 1);
		u->server_as_prefix = w->server_as_prefix ==
		    (u->target == w->target);
		u->path = db_strdup(db, s, 2);
		u->upload_id = db_null(db, s, 3) ? NULL : db_strdup(db, s, 3);
		u->intent_sec = db_int(db, s, 4);
		u->left = db_int(db, s, 5) != 0;
		u->ended = false;
		more = db_next(db, s);
	}
}

int
catalog_open_uploads(struct catalog *c, struct open_upload **ret,
    size_t *ret_count, struct err *err)
{
	struct uploads l = { .v = NULL };

	if (catalog_call(c, list_open, &l, err) == -1)
		return -1;
	*ret = l.v;
	*ret_count = l.n;
	return 0;
}

struct ending {
	const struct open_upload *v;
	size_t	 n;
};

static void
forget(struct catalog *c, void *arg)
{
	const struct ending *e = arg;

	for (size_t i = 0; i < e->n; i++) {
		const struct open_upload *u = &e->v[i];

		if (!u->ended)
			continue;
		DB_RUN(&c->writer.db, UPLOAD_ENDED, INT(u->object),
		    INT(u->target));
		DB_RUN(&c->writer.db, UPLOAD_PARTS_END, INT(u->object),
		    INT(u->target));
	}
}

int
catalog_uploads_ended(struct catalog *c, const struct open_upload *v, size_t n,
    struct err *err)
{
	struct ending e = { v, n };

	return catalog_call(c, forget, &e, err);
}
