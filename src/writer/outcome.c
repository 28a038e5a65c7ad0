/*
 * The outcomes of GET, DEL and TEST, and the deletions of PUT --delete: rows
 * and counters, in the catalog's thread.
 */
#include "base/clock.h"
#include "base/log.h"
#include "writer/writer.h"

/* --- deletions that are under way --- */

static void
intend_version(void *arg, int64_t version)
{
	struct writer *w = arg;

	DB_RUN(&w->db, DELETION_INSERT, INT(w->run), INT(w->target),
	    INT(version));
}

static void
intend(void *arg, struct str path)
{
	writer_each_version(arg, path, intend_version, arg);
}

/* Return the catalog path of the row; NULL if only the key is given. */
static char *
path_of(struct writer *w, const struct outcome_row *r)
{
	char *path = NULL;

	if (r->object != 0 && DB_ROW(&w->db, VERSION_PATH, INT(r->object))) {
		path = db_strdup(&w->db, STMT_VERSION_PATH, 0);
		db_done(&w->db, STMT_VERSION_PATH);
	}
	if (path == NULL && !r->is_key && r->path != NULL)
		path = xstrdup(r->path);
	return path;
}

/* Calls fn for each path possibly meant by the row. */
static void
each_path(struct writer *w, const struct outcome_row *r,
    void (*fn)(void *, struct str path), void *arg)
{
	AUTOFREE char *path = path_of(w, r);

	if (path != NULL)
		fn(arg, str_of(path));
	else if (r->path != NULL)
		names_of_key(&w->db, w->server_as_prefix,
		    str_of(r->path), fn, arg);
}

/* The same, and for each further path with the same key. */
static void
each_name(struct writer *w, const struct outcome_row *r,
    void (*fn)(void *, struct str path), void *arg)
{
	AUTOFREE char *path = path_of(w, r);

	each_path(w, r, fn, arg);
	if (path != NULL)
		writer_other_names(w, path, fn, arg);
	else if (r->path != NULL)
		writer_names_beyond(w, str_of(r->path), fn, arg);
}

/* Put further names of the key in doubt: if the run dies, nothing records for
 * the names whether the object was deleted. */
static void
doubt_names(struct writer *w, const struct outcome_row *r)
{
	AUTOFREE char *path = w->has_names || w->other_target != 0 ?
	    path_of(w, r) : NULL;

	if (path != NULL)
		writer_names_doubt(w, path);
	else if (r->path != NULL)
		writer_key_doubt(w, str_of(r->path));
}

void
writer_deletes(struct writer *w, struct intent *i)
{
	struct outcomes *v = i->deletes;

	if (!w->failed && w->run != 0) {
		v->intended = w->has_notes = true;
		for (size_t k = 0; k < v->count; k++) {
			each_path(w, &v->v[k], intend, w);
			doubt_names(w, &v->v[k]);
		}
	}
	writer_intend(w, i);
}

void
writer_settle_deletes(struct writer *w)
{
	if (!DB_ROW0(&w->db, NOTE_ANY))
		return;
	db_done(&w->db, STMT_NOTE_ANY);
	DB_RUN(&w->db, DELETION_RESULTS, INT(clock_wall_ns()));
	DB_RUN0(&w->db, DELETION_SETTLE);
	DB_RUN0(&w->db, DELETION_UNVERIFIED);
	DB_RUN0(&w->db, RESTORING_SETTLE);
}

/* --- outcomes --- */

struct row {
	struct writer *writer;
	const struct outcome_row *in;
	int64_t	 object;	/* 0: the catalog does not know it */
	char	*path;		/* catalog path, if so */
	const char *reason;
	bool	 held;		/* the object is what the target holds */
	bool	 known;		/* the object that was deleted was a version */
	int64_t	 stored_ns;	/* if so: since when */
};

/* Take the version held by the target; else the newest version of the path. If
 * several paths hold a version, take the version recorded last. */
static void
look_up(void *arg, struct str path)
{
	struct row *r = arg;
	struct db *db = &r->writer->db;
	int64_t id = 0, stored_ns = 0;
	bool held = false;

	if (DB_ROW(db, STORED_FIND, INT(r->writer->target), BYTES(path))) {
		stored_ns = db_int(db, STMT_STORED_FIND, 7);
		held = !r->held || stored_ns > r->stored_ns;
		id = held ? db_int(db, STMT_STORED_FIND, 0) : 0;
		db_done(db, STMT_STORED_FIND);
	} else if (r->object == 0 && DB_ROW(db, OBJECT_ID, BYTES(path))) {
		id = db_int(db, STMT_OBJECT_ID, 0);
		db_done(db, STMT_OBJECT_ID);
	}
	if (id == 0)
		return;
	r->held = held;
	r->stored_ns = stored_ns;
	r->object = id;
	free(r->path);
	r->path = xstrndup(path.p, path.len);
}

/* True if the target still holds the version read by the caller from the
 * catalog. */
static bool
is_held(struct row *r)
{
	const struct outcome_row *in = r->in;
	struct writer *w = r->writer;

	if (in->object == 0 || in->is_key || in->path == NULL ||
	    !DB_ROW(&w->db, HELD_FIND, INT(in->object), INT(w->target)))
		return false;
	db_done(&w->db, STMT_HELD_FIND);
	r->held = true;
	r->object = in->object;
	r->path = xstrdup(in->path);
	return true;
}

static void
identify(struct row *r)
{
	if (is_held(r))
		return;
	each_path(r->writer, r->in, look_up, r);
	if (r->path == NULL && r->in->path != NULL)
		r->path = xstrdup(r->in->path);
}

/* Record the verdict on the version held by the target, if any. */
static void
put_verdict(struct row *r, int64_t now)
{
	const struct outcome_row *in = r->in;
	struct writer *w = r->writer;

	if (!r->held || in->verdict == VERDICT_DOUBT)
		return;
	w->has_verified = true;
	DB_RUN(&w->db, VERIFIED_PUT, INT(r->object), INT(w->target),
	    INT(w->run), TEXT(verify_method_name(in->method)),
	    TEXT(verdict_name(in->verdict)), INT(now));
}

static void
version_deleted(void *arg, int64_t version)
{
	struct row *r = arg;
	struct writer *w = r->writer;

	DB_RUN(&w->db, RESULT_DELETED, INT(w->run), INT(writer_ms(w)),
	    INT(w->target), INT(version));
	if (db_changes(&w->db) > 0) {
		r->known = true;
		writer_version_ends(w, version, EVENT_DELETED,
		    r->in->version_id);
	}
	if (w->has_verified)
		DB_RUN(&w->db, VERIFIED_CLEAR, INT(version), INT(w->target));
	writer_version_settled(w, version);
}

static void
mark_deleted(void *arg, struct str path)
{
	struct row *r = arg;

	writer_each_version(r->writer, path, version_deleted, r);
}

/* No version can have an event of an object that the catalog does not know: the
 * log is the record of it. */
static void
delete(struct row *r)
{
	struct writer *w = r->writer;

	each_name(w, r->in, mark_deleted, r);
	if (r->known || !w->no_backlog)
		return;
	w->unknown++;
	log_event(LOG_INFO, EVENT_DELETED_UNKNOWN,
	    LOG_WITH(LOG_TEXT("key", r->in->path)),
	    "%s: deleted, and not known to the catalog", r->in->path);
}

/* The object belongs to further names of the key too: record the same verdict
 * for each name. */
static void
verdict_on_name(struct row *r, struct str path)
{
	struct row other = { .writer = r->writer, .in = r->in };

	if (r->in->verdict == VERDICT_NONE || r->path == NULL ||
	    str_eq(path, str_of(r->path)))
		return;
	look_up(&other, path);
	put_verdict(&other, writer_verdict_ns(other.writer));
	free(other.path);
}

/* The target has this version again, or another object under its key. */
static void
mark_restored(struct writer *w, const struct outcome_row *in,
    const char *reason)
{
	int64_t event;

	if (in->outcome == OUTCOME_FAILED) {
		DB_RUN(&w->db, RESULT_OTHER, INT(w->run), INT(writer_ms(w)),
		    TEXT(reason), INT(w->target), INT(in->object));
		return;
	}
	event = writer_event(w, EVENT_RESTORED, in->object, in->version_id);
	DB_RUN(&w->db, RESULT_RESTORED, INT(w->run), TEXT(in->version_id),
	    INT(event), INT(w->target), INT(in->object));
	writer_version_settled(w, in->object);
}

static void
mark_lost(void *arg, struct str path)
{
	struct row *r = arg;
	struct writer *w = r->writer;

	verdict_on_name(r, path);
	/* A PUT counts the failed results of its run: this is none. */
	DB_RUN(&w->db, RESULT_LOST, w->no_backlog ? INT(w->run) : NOTHING,
	    w->no_backlog ? INT(writer_ms(w)) : NOTHING, TEXT(r->reason),
	    INT(w->target), BYTES(path));
	DB_RUN(&w->db, HISTORY_LOST, INT(w->target), BYTES(path));
	/* Without a verdict the answer to a deletion was lost: nothing is
	 * known. */
	if (r->in->verdict == VERDICT_MISSING)
		writer_path_ends(w, path, EVENT_LOST);
	else if (r->in->verdict != VERDICT_NONE ||
	    r->in->outcome == OUTCOME_EXCLUDED)
		writer_path_ends(w, path, EVENT_DIFFERED);
}

/* The result of the deletion is unknown: leave the object to be deleted. */
static void
version_in_doubt(void *arg, int64_t version)
{
	struct row *r = arg;
	struct writer *w = r->writer;

	DB_RUN(&w->db, DELETION_LOST, TEXT(r->reason), INT(w->target),
	    INT(version));
	DB_RUN(&w->db, DELETION_IN_DOUBT, INT(w->target), INT(version));
	w->has_doubts = true;
}

static void
mark_doubt(void *arg, struct str path)
{
	struct row *r = arg;

	writer_each_version(r->writer, path, version_in_doubt, r);
}

static void
spare_version(void *arg, int64_t version)
{
	struct writer *w = arg;

	DB_RUN(&w->db, DELETION_REFUSED, INT(w->target), INT(version),
	    INT(w->run));
	DB_RUN(&w->db, RESTORING_OVER, INT(w->target), INT(version),
	    INT(w->run));
	if (db_changes(&w->db) > 0)
		DB_RUN(&w->db, SETTLE_DONE, INT(w->target), INT(version));
}

static void
spare(void *arg, struct str path)
{
	struct writer *w = ((struct row *)arg)->writer;

	writer_each_version(w, path, spare_version, w);
}

static void
note_verdict(struct row *r)
{
	const struct outcome_row *in = r->in;
	struct writer *w = r->writer;
	int64_t now = writer_verdict_ns(w);

	put_verdict(r, now);
	if (in->verdict == VERDICT_OK && r->held)
		return;		/* an event of a range: writer_verified */
	DB_RUN(&w->db, VERIFICATION_INSERT, INT(w->run), INT(r->object),
	    INT(w->target), TEXT(verify_method_name(in->method)),
	    TEXT(verdict_name(in->verdict)), in->err.kind == ERR_NONE ?
	    NOTHING : TEXT(in->err.msg), INT(now),
	    TEXT(r->object == 0 ? r->path : NULL));
}

static void
note_failure(struct row *r)
{
	struct err err = r->in->err;

	if (err.kind == ERR_NONE)
		err_set(&err, ERR_CORRUPT, 0, "%s", r->reason);
	writer_failure(r->writer, r->object, 0,
	    str_of(r->path == NULL ? "" : r->path), &err, r->in->attempts);
}

static void
count_plain(struct totals *t, const struct outcome_row *in)
{
	switch (in->outcome) {
	case OUTCOME_GONE:
		t->gone++;
		return;
	case OUTCOME_DELETED:
		t->deleted++;
		/* FALLTHROUGH */
	case OUTCOME_MOVED:
		t->moved++;
		t->bytes = add_capped(t->bytes, in->size);
		break;
	case OUTCOME_UNCHANGED:
		t->unchanged++;
		break;
	case OUTCOME_FAILED:
		t->failed++;
		break;
	case OUTCOME_EXCLUDED:
		t->excluded++;
		break;
	case OUTCOME_CHANGED:	/* of a PUT alone */
	case OUTCOME_LEFT:
		return;
	}
	t->found++;
	t->found_bytes = add_capped(t->found_bytes, in->size);
}

static void
count(struct writer *w, const struct outcome_row *in)
{
	if (w->no_backlog) {
		count_plain(&w->totals, in);
	} else if (in->outcome == OUTCOME_DELETED) {
		w->totals.deleted++;
	} else if (in->outcome == OUTCOME_FAILED) {
		w->totals.found++;
		w->totals.failed++;
		w->delete_failed++;
	}
}

static void
outcome(struct writer *w, const struct outcome_row *in)
{
	struct row r = { .writer = w, .in = in };

	r.reason = in->err.kind != ERR_NONE ? in->err.msg :
	    in->verdict != VERDICT_NONE ? verdict_name(in->verdict) : "failed";
	if (in->verdict != VERDICT_NONE || in->outcome == OUTCOME_FAILED)
		identify(&r);
	if (in->verdict != VERDICT_NONE)
		note_verdict(&r);
	if (in->outcome == OUTCOME_FAILED)
		note_failure(&r);
	if (in->restored)
		mark_restored(w, in, r.reason);
	if (in->outcome == OUTCOME_DELETED)
		delete(&r);
	else if (in->lost)
		each_name(w, in, mark_lost, &r);
	if (w->has_notes && in->outcome == OUTCOME_FAILED &&
	    in->verdict == VERDICT_NONE)
		each_path(w, in, in->lost ? mark_doubt : spare, &r);
	count(w, in);
	w->results++;
	free(r.path);
}

void
writer_outcomes(struct writer *w, struct outcomes *v)
{
	if (!w->failed && w->run != 0)
		for (size_t i = 0; i < v->count; i++)
			outcome(w, &v->v[i]);
	outcomes_free(&v);
}
