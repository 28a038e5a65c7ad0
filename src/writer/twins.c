/*
 * The further names of a key, below exports of other servers. The names share a
 * single object: a run that changes the object, or finds the object changed,
 * ends the rows of the remaining names.
 */
#include "model/key.h"
#include "writer/writer.h"

struct others {
	struct str path;
	void	 (*fn)(void *, struct str path);
	void	*arg;
};

static void
if_other(void *arg, struct str path)
{
	struct others *x = arg;

	if (!str_eq(path, x->path))
		x->fn(x->arg, path);
}

void
core_other_names(struct own *o, const char *path,
    void (*fn)(void *, struct str path), void *arg)
{
	struct others x = { str_of(path), fn, arg };

	if (o->has_names)
		names_of_key(&o->db, false,
		    str_of(key_without_server(path)), if_other, &x);
}

struct telling {
	struct own *own;
	const struct there *there;
};

/* Put the name in doubt: the next run coming to the file asks S3 before
 * sending. */
static void
settle_name(struct own *o, struct str path, bool also_gone)
{
	DB_RUN(&o->db, NAME_SETTLE, INT(o->target), BYTES(path),
	    INT(also_gone));
	o->has_doubts = true;
}

/* The remaining row of the name is right: settle the doubt of a run, if any. */
static void
name_stands(struct own *o, struct str path)
{
	DB_RUN(&o->db, NAME_STANDS, INT(o->target), BYTES(path));
	if (db_changes(&o->db) > 0)
		DB_RUN(&o->db, SETTLE_PATH_DONE, INT(o->target), BYTES(path));
}

static void
end_name(void *arg, struct str path)
{
	struct telling *t = arg;
	struct own *o = t->own;
	const struct there *e = t->there;
	const struct attrs *a = e->attrs;
	bool ended;

	DB_RUN(&o->db, NAME_ENDS, TEXT(e->reason), INT(o->target),
	    BYTES(path), TEXT(e->etag), a == NULL ? NOTHING : INT(a->size),
	    a == NULL ? NOTHING : INT(a->mtime_ns),
	    a == NULL ? NOTHING : INT(a->mode),
	    a == NULL ? NOTHING : INT(a->uid),
	    a == NULL ? NOTHING : INT(a->gid));
	ended = db_changes(&o->db) > 0;
	if (a != NULL)
		name_stands(o, path);
	if (!ended)
		return;
	settle_name(o, path, false);
	if (o->has_verified)
		DB_RUN(&o->db, VERIFIED_CLEAR_PATH, INT(o->target),
		    BYTES(path));
	if (o->has_doomed)
		DB_RUN(&o->db, DOOMED_DONE, INT(o->target), BYTES(path));
}

void
core_names_end(struct own *o, const char *path, const struct there *e)
{
	struct telling t = { o, e };

	core_other_names(o, path, end_name, &t);
}

static void
doubt_name(void *arg, struct str path)
{
	struct own *o = arg;

	DB_RUN(&o->db, NAME_DOUBT, INT(o->target), BYTES(path));
	if (db_changes(&o->db) == 0)
		return;
	settle_name(o, path, true);
	if (o->has_verified)
		DB_RUN(&o->db, VERIFIED_CLEAR_PATH, INT(o->target),
		    BYTES(path));
}

void
core_names_doubt(struct own *o, const char *path)
{
	core_other_names(o, path, doubt_name, o);
}
