/*
 * reader.c: the connections of the readers, and the questions of the crawl; see
 * reader.h.
 */
#include "reader/reader_internal.h"

/* --- all readers of a catalog --- */

struct readers *
readers_new(const char *path)
{
	struct readers *all = xcalloc(1, sizeof(*all));

	all->path = xstrdup(path);
	pthread_mutex_init(&all->lock, NULL);
	return all;
}

void
readers_tell(struct readers *all, const struct reader_run *run)
{
	pthread_mutex_lock(&all->lock);
	all->locked.run = *run;
	pthread_mutex_unlock(&all->lock);
}

int
readers_open(struct readers *all, struct catalog_reader **ret,
    struct err *err)
{
	struct catalog_reader *r;

	pthread_mutex_lock(&all->lock);
	r = STEAL(all->locked.idle);
	pthread_mutex_unlock(&all->lock);
	if (r == NULL) {
		r = xcalloc(1, sizeof(*r));
		r->all = all;
		if (db_open_reader(&r->db, all->path, err) == -1) {
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
	struct readers *all = r->all;

	if (all == NULL || r->db.err.kind != ERR_NONE)
		return;
	db_rest(&r->db);
	idset_release(&r->fresh);
	r->has_fresh = false;
	pthread_mutex_lock(&all->lock);
	if (all->locked.idle == NULL)
		all->locked.idle = STEAL(*rp);
	pthread_mutex_unlock(&all->lock);
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
readers_free(struct readers **allp)
{
	struct readers *all = *allp;

	if (all == NULL)
		return;
	reader_free(&all->locked.idle);
	pthread_mutex_destroy(&all->lock);
	free(all->path);
	free(all);
	*allp = NULL;
}

void
catalog_reader_close(struct catalog_reader **rp)
{
	if (*rp != NULL)
		keep_idle(rp);
	reader_free(rp);
}

/* --- one reader --- */

int
reader_look(struct catalog_reader **ret, const char *path, struct err *err)
{
	struct catalog_reader *r = xcalloc(1, sizeof(*r));

	if (db_open_look(&r->db, path, err) == -1) {
		free(r);
		return -1;
	}
	*ret = r;
	return 0;
}

void
reader_aim(struct catalog_reader *r, int64_t target, bool server_as_prefix)
{
	r->run.target = target;
	r->run.server_as_prefix = server_as_prefix;
}

struct db *
reader_db(struct catalog_reader *r)
{
	return &r->db;
}

struct reader_run
reader_run(const struct catalog_reader *r)
{
	struct reader_run run = r->run;

	if (r->all == NULL)
		return run;
	pthread_mutex_lock(&r->all->lock);
	run = r->all->locked.run;
	pthread_mutex_unlock(&r->all->lock);
	return run;
}

int64_t
reader_target(const struct catalog_reader *r, bool *ret_server_as_prefix)
{
	struct reader_run run = reader_run(r);

	*ret_server_as_prefix = run.server_as_prefix;
	return run.target;
}

int
reader_fault(const struct catalog_reader *r, struct err *err)
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
	struct reader_run run = reader_run(r);
	struct str why;
	bool found;

	if (!r->has_fresh)
		load_fresh(r, run.target);
	found = DB_ROW(&r->db, KNOWN, INT(run.target), BYTES(path));
	if (r->db.err.kind != ERR_NONE) {
		*err = r->db.err;
		return -1;
	}
	if (!found)
		return 0;
	k->object = db_int(&r->db, s, 0);
	row_attrs(&r->db, s, 1, &k->attrs);
	k->tombstone = db_int(&r->db, s, 9) != 0;
	k->excluded = !db_null(&r->db, s, 10);
	why = db_bytes(&r->db, s, 10);
	snprintf(k->why, sizeof(k->why), "%.*s", (int)why.len, why.p);
	k->stored = !k->tombstone &&
	    !db_null(&r->db, s, 11) && db_int(&r->db, s, 11) <= 1;
	k->fresh = idset_has(&r->fresh, k->object);
	k->ours = r->all != NULL && !k->tombstone &&
	    (k->object >= run.first_object ||
	    db_int(&r->db, s, 12) == run.run);
	db_done(&r->db, s);
	return 1;
}
