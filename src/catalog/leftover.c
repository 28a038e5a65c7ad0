/*
 * Multipart uploads that nothing will go on with.
 */
#include "catalog/core.h"

struct left {
	struct left_upload *v;
	size_t	 n;
};

static void
list_left(struct catalog *c, void *arg)
{
	const enum stmt s = STMT_UPLOADS_LEFT;
	struct db *db = &c->own.db;
	struct left *l = arg;
	bool more = DB_ROW(db, UPLOADS_LEFT, INT(c->own.target));

	while (more) {
		struct left_upload *u;

		l->v = xreallocarray(l->v, l->n + 1, sizeof(*l->v));
		u = &l->v[l->n++];
		u->object = db_int(db, s, 0);
		u->path = db_strdup(db, s, 1);
		u->upload_id = db_null(db, s, 2) ? NULL : db_strdup(db, s, 2);
		u->intent_sec = db_int(db, s, 3);
		more = db_next(db, s);
	}
}

int
catalog_left_uploads(struct catalog *c, struct left_upload **ret,
    size_t *ret_count, struct err *err)
{
	struct left l = { .v = NULL };

	if (core_call(c, list_left, &l, err) == -1)
		return -1;
	*ret = l.v;
	*ret_count = l.n;
	return 0;
}
