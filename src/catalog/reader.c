/*
 * What a crawl thread looks up while it compares: a connection of its own
 * that only reads.
 */
#include "catalog/core.h"

struct catalog_reader {
	struct catalog *catalog;
	struct db db;
};

int
catalog_reader_open(struct catalog *c, struct catalog_reader **ret,
    struct err *err)
{
	struct catalog_reader *r = xcalloc(1, sizeof(*r));

	r->catalog = c;
	if (db_open_reader(&r->db, c->path, err) == -1) {
		free(r);
		return -1;
	}
	*ret = r;
	return 0;
}

void
catalog_reader_close(struct catalog_reader **rp)
{
	struct catalog_reader *r = *rp;

	if (r == NULL)
		return;
	db_close(&r->db);
	free(r);
	*rp = NULL;
}

static void
run_facts(struct catalog *c, int64_t *target, int64_t *first_object)
{
	pthread_mutex_lock(&c->shared.lock);
	*target = c->shared.target;
	*first_object = c->shared.first_object;
	pthread_mutex_unlock(&c->shared.lock);
}

int
catalog_find(struct catalog_reader *r, struct str path, struct known *k,
    struct err *err)
{
	const enum stmt s = STMT_KNOWN;
	int64_t target, first;
	bool found;
	struct str why;

	run_facts(r->catalog, &target, &first);
	found = DB_ROW(&r->db, KNOWN, INT(target), BYTES(path));
	if (r->db.err.kind != ERR_NONE) {
		*err = r->db.err;
		return -1;
	}
	if (!found)
		return 0;
	k->object = db_int(&r->db, s, 0);
	core_attrs(&r->db, s, 1, &k->attrs);
	k->tombstone = db_int(&r->db, s, 9) != 0;
	k->excluded = !db_null(&r->db, s, 10);
	why = db_bytes(&r->db, s, 10);
	snprintf(k->why, sizeof(k->why), "%.*s", (int)why.len, why.p);
	k->stored = !k->tombstone && !k->excluded &&
	    !db_null(&r->db, s, 11) && db_int(&r->db, s, 11) <= 1;
	db_done(&r->db, s);
	return 1;
}

/* Rows of this run are newer than what the crawl looked up: it can't have
 * them in its set, and they are there. */
int
catalog_unseen(struct catalog_reader *r, int64_t dir, const struct idset *seen,
    void (*fn)(void *, int64_t object), void *arg, struct err *err)
{
	int64_t target, first, object;
	bool more;

	run_facts(r->catalog, &target, &first);
	more = DB_ROW(&r->db, DIR_OBJECTS, INT(dir), INT(first));
	while (more) {
		object = db_int(&r->db, STMT_DIR_OBJECTS, 0);
		if (!idset_has(seen, object))
			fn(arg, object);
		more = db_next(&r->db, STMT_DIR_OBJECTS);
	}
	if (r->db.err.kind == ERR_NONE)
		return 0;
	*err = r->db.err;
	return -1;
}
