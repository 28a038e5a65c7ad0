/*
 * The look-ups of a crawl thread during its comparisons: a read-only connection
 * of its own.
 */
#include "catalog/catalog_internal.h"

int
catalog_look(struct catalog_reader **ret, const char *path,
    const struct run_spec *spec, struct err *err)
{
	struct catalog_reader *r = xcalloc(1, sizeof(*r));

	r->server_as_prefix = spec->server_as_prefix;
	if (db_open_look(&r->db, path, err) == -1) {
		free(r);
		return -1;
	}
	r->target = core_find_target(&r->db, spec);
	if (r->db.err.kind != ERR_NONE) {
		*err = r->db.err;
		catalog_reader_close(&r);
		return -1;
	}
	*ret = r;
	return 0;
}

int
catalog_reader_open(struct catalog *c, struct catalog_reader **ret,
    struct err *err)
{
	struct catalog_reader *r;

	pthread_mutex_lock(&c->shared.lock);
	r = STEAL(c->shared.idle);
	pthread_mutex_unlock(&c->shared.lock);
	if (r == NULL) {
		r = xcalloc(1, sizeof(*r));
		r->catalog = c;
		if (db_open_reader(&r->db, c->path, err) == -1) {
			free(r);
			return -1;
		}
	}
	*ret = r;
	return 0;
}

/* Keep the connection for the next caller: opening a connection costs as much
 * as a look at hundreds of files, mostly for SQLite's reading of the schema. */
static void
keep_idle(struct catalog_reader **rp)
{
	struct catalog_reader *r = *rp;
	struct catalog *c = r->catalog;

	if (c == NULL || r->db.err.kind != ERR_NONE)
		return;
	db_rest(&r->db);
	idset_release(&r->fresh);
	r->has_fresh = false;
	pthread_mutex_lock(&c->shared.lock);
	if (c->shared.idle == NULL)
		c->shared.idle = STEAL(*rp);
	pthread_mutex_unlock(&c->shared.lock);
}

static void
reader_free(struct catalog_reader **rp)
{
	struct catalog_reader *r = *rp;

	if (r == NULL)
		return;
	db_close(&r->db);
	idset_release(&r->fresh);
	free(r);
	*rp = NULL;
}

void
core_reader_close_idle(struct catalog *c)
{
	reader_free(&c->shared.idle);
}

void
catalog_reader_close(struct catalog_reader **rp)
{
	if (*rp != NULL)
		keep_idle(rp);
	reader_free(rp);
}

int64_t
core_reader_target(const struct catalog_reader *r, bool *ret_server_as_prefix)
{
	struct catalog *c = r->catalog;
	int64_t target = r->target;

	*ret_server_as_prefix = r->server_as_prefix;
	if (c == NULL)
		return target;
	pthread_mutex_lock(&c->shared.lock);
	target = c->shared.target;
	*ret_server_as_prefix = c->shared.server_as_prefix;
	pthread_mutex_unlock(&c->shared.lock);
	return target;
}

int
core_reader_fault(const struct catalog_reader *r, struct err *err)
{
	if (r->db.err.kind == ERR_NONE)
		return 0;
	if (err != NULL)
		*err = r->db.err;
	return -1;
}

/* Load the set once: a column in each row would cost time for each unchanged
 * file. Files becoming fresh later belong to this run. */
static void
load_fresh(struct catalog_reader *r, int64_t target)
{
	bool more = DB_ROW(&r->db, FRESH_LIST, INT(target));

	while (more) {
		idset_add(&r->fresh, db_int(&r->db, STMT_FRESH_LIST, 0));
		more = db_next(&r->db, STMT_FRESH_LIST);
	}
	r->has_fresh = true;
}

void
catalog_reader_hold(struct catalog_reader *r)
{
	if (!r->held)
		DB_RUN0(&r->db, READ_BEGIN);
	r->held = true;
}

void
catalog_reader_let_go(struct catalog_reader *r)
{
	if (r->held)
		DB_RUN0(&r->db, COMMIT);
	r->held = false;
}

int
catalog_find(struct catalog_reader *r, struct str path, struct known *k,
    struct err *err)
{
	const enum stmt s = STMT_KNOWN;
	struct catalog *c = r->catalog;
	bool found, prefix;
	int64_t target = core_reader_target(r, &prefix);
	struct str why;

	if (!r->has_fresh)
		load_fresh(r, target);
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
	k->stored = !k->tombstone &&
	    !db_null(&r->db, s, 11) && db_int(&r->db, s, 11) <= 1;
	k->fresh = idset_has(&r->fresh, k->object);
	k->ours = false;
	if (c != NULL && !k->tombstone) {
		pthread_mutex_lock(&c->shared.lock);
		k->ours = k->object >= c->shared.first_object ||
		    db_int(&r->db, s, 12) == c->shared.run;
		pthread_mutex_unlock(&c->shared.lock);
	}
	db_done(&r->db, s);
	return 1;
}

/* Skip rows made by this run: their files exist, but the rows are newer than
 * the crawl's look-ups and so missing in seen. */
int
catalog_unseen(struct catalog_reader *r, int64_t dir, const struct idset *seen,
    void (*fn)(void *, int64_t object), void *arg, struct err *err)
{
	struct catalog *c = r->catalog;
	int64_t first, object;
	bool more;

	pthread_mutex_lock(&c->shared.lock);
	first = c->shared.first_object;
	pthread_mutex_unlock(&c->shared.lock);
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
