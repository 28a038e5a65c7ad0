/*
 * The further names of a key: below exports of other servers, and at the target
 * of the same bucket in the other mode of server_as_prefix. The names share a
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
writer_other_names(struct writer *w, const char *path,
    void (*fn)(void *, struct str path), void *arg)
{
	struct others x = { str_of(path), fn, arg };
	struct str key = str_of(key_of_path(path, w->server_as_prefix));

	if (w->has_names)
		names_of_key(&w->db, false, key, if_other, &x);
	writer_names_beyond(w, key, fn, arg);
}

void
writer_names_beyond(struct writer *w, struct str key,
    void (*fn)(void *, struct str path), void *arg)
{
	const int64_t target = w->target;

	if (w->other_target == 0)
		return;
	w->target = w->other_target;
	names_of_key(&w->db, !w->server_as_prefix, key, fn, arg);
	w->target = target;
}

struct telling {
	struct writer *writer;
	const struct there *there;
};

static void
clear_verdict(void *arg, int64_t version)
{
	struct writer *w = arg;

	DB_RUN(&w->db, VERIFIED_CLEAR, INT(version), INT(w->target));
}

/* Put the name in doubt: the next run coming to the file asks S3 before
 * sending, and no verdict on the object of before holds. */
static void
settle_name(struct writer *w, struct str path, bool also_gone)
{
	DB_RUN(&w->db, NAME_SETTLE, INT(w->target), BYTES(path),
	    INT(also_gone));
	w->has_doubts = true;
	if (w->has_verified)
		writer_each_version(w, path, clear_verdict, w);
}

static void
settle_done(void *arg, int64_t version)
{
	struct writer *w = arg;

	DB_RUN(&w->db, SETTLE_DONE, INT(w->target), INT(version));
}

/* The remaining row of the name is right: settle the doubt of a run, if any. */
static void
name_stands(struct writer *w, struct str path)
{
	DB_RUN(&w->db, NAME_STANDS, INT(w->target), BYTES(path));
	if (db_changes(&w->db) > 0)
		writer_each_version(w, path, settle_done, w);
}

static void
deletion_done(void *arg, int64_t version)
{
	struct writer *w = arg;

	DB_RUN(&w->db, DELETION_DONE, INT(w->target), INT(version));
}

static void
end_name(void *arg, struct str path)
{
	struct telling *t = arg;
	struct writer *w = t->writer;
	const struct there *e = t->there;
	const struct attrs *a = e->attrs;
	bool ended;

	DB_RUN(&w->db, NAME_ENDS, TEXT(e->reason), INT(w->target),
	    BYTES(path), TEXT(e->etag), a == NULL ? NOTHING : INT(a->size),
	    a == NULL ? NOTHING : INT(a->mtime_ns),
	    a == NULL ? NOTHING : INT(a->mode),
	    a == NULL ? NOTHING : INT(a->uid),
	    a == NULL ? NOTHING : INT(a->gid));
	ended = db_changes(&w->db) > 0;
	if (a != NULL)
		name_stands(w, path);
	if (!ended)
		return;
	settle_name(w, path, false);
	writer_path_ends(w, path, e->event);
	if (w->has_notes)
		writer_each_version(w, path, deletion_done, w);
}

void
writer_names_end(struct writer *w, const char *path, const struct there *e)
{
	struct telling t = { w, e };

	writer_other_names(w, path, end_name, &t);
}

static void
doubt_name(void *arg, struct str path)
{
	struct writer *w = arg;

	DB_RUN(&w->db, NAME_DOUBT, INT(w->target), BYTES(path));
	if (db_changes(&w->db) > 0)
		settle_name(w, path, true);
}

void
writer_names_doubt(struct writer *w, const char *path)
{
	writer_other_names(w, path, doubt_name, w);
}

void
writer_key_doubt(struct writer *w, struct str key)
{
	writer_names_beyond(w, key, doubt_name, w);
}
