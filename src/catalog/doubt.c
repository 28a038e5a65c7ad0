#include "catalog/doubt.h"

#include "base/clock.h"
#include "catalog/catalog_internal.h"

void
doubt_release(struct doubt *d)
{
	free(d->path);
	d->path = NULL;
}

/* --- which --- */

struct listing {
	enum doubt_kind kind;
	int64_t	 after;
	struct doubt *v;
	size_t	 n;
	size_t	 count;
};

static void
list(struct catalog *c, void *arg)
{
	struct writer *w = &c->writer;
	struct listing *l = arg;
	bool any = l->kind == DOUBT_ANY, more;
	const enum stmt s = any ? STMT_DOUBT_PAGE : l->kind == DOUBT_NOTED ?
	    STMT_NOTED_PAGE : STMT_SETTLE_PAGE;
	const struct value v[] = { INT(w->target), INT(l->after), INT(l->n) };

	if (w->run == 0)
		return;
	if (w->crawls && writer_crawl_done(w) && any)
		catalog_bury(w);
	more = any ? DB_ROW(&w->db, DOUBT_PAGE, INT(w->target), INT(l->after),
	    INT(w->run), INT(l->n)) : db_row(&w->db, s, v, ARRAY_LEN(v));
	while (more) {
		l->v[l->count].object = db_int(&w->db, s, 0);
		l->v[l->count++].path = db_strdup(&w->db, s, 1);
		more = db_next(&w->db, s);
	}
}

int
catalog_doubts(struct catalog *c, enum doubt_kind kind, int64_t after,
    struct doubt *v, size_t n, size_t *ret_count, struct err *err)
{
	struct listing l = { .kind = kind, .after = after, .v = v, .n = n };
	int rc = catalog_call(c, list, &l, err);

	*ret_count = l.count;
	return rc;
}

/* --- what became of them --- */

static void
note_failure(struct writer *w, const struct found *f)
{
	writer_failure(w, f->doubt->object, 0, str_of(f->doubt->path),
	    &f->answer.err, 1);
	w->totals.found++;
	w->totals.failed++;
	if (!w->no_backlog)
		w->delete_failed++;
}

struct asking {
	struct writer *writer;
	const struct found *found;
	bool	 holds;
};

static void
look_at_name(void *arg, struct str path)
{
	struct asking *a = arg;
	struct db *db = &a->writer->db;

	if (!DB_ROW(db, NAME_HOLDS, INT(a->writer->target),
	    TEXT(a->found->answer.etag), BYTES(path)))
		return;
	a->holds = true;
	db_done(db, STMT_NAME_HOLDS);
}

/* True if the object was put for a file of another server, with the same
 * key. */
static bool
is_of_other_name(struct writer *w, const struct found *f)
{
	struct asking a = { .writer = w, .found = f };

	writer_other_names(w, f->doubt->path, look_at_name, &a);
	return a.holds;
}

/* Is the object the version of the row at hand? */
static bool
is_version(const struct db *db, const struct held_answer *a)
{
	const enum stmt s = STMT_DOUBT_VERSIONS;
	struct str etag = db_bytes(db, s, 1);
	struct held_record r = { 0 };
	struct attrs attrs;
	char text[72];

	snprintf(text, sizeof(text), "%.*s", (int)etag.len, etag.p);
	row_attrs(db, s, 2, &attrs);
	r.attrs = &attrs;
	r.etag = text;
	return held_judge(a, &r) == HELD_OURS;
}

/* Return the newest version that the object is. A file may have changed between
 * crawl and sending, and then no version tells what was put: the object is ours
 * if it has all the metadata written by PUT. 0: the object is foreign. */
static int64_t
version_of(struct writer *w, const struct found *f)
{
	const enum stmt s = STMT_DOUBT_VERSIONS;
	struct db *db = &w->db;
	int64_t id = 0;
	bool more;

	more = DB_ROW(db, DOUBT_VERSIONS, TEXT(f->doubt->path),
	    INT(w->target));
	while (more) {
		if (id == 0 && is_version(db, &f->answer))
			id = db_int(db, s, 0);
		more = db_next(db, s);
	}
	return id == 0 && f->answer.has_all && !is_of_other_name(w, f) ?
	    f->doubt->object : id;
}

static void
note_there(struct writer *w, const struct found *f, size_t *foreign)
{
	int64_t id = version_of(w, f);

	if (id != 0) {
		DB_RUN(&w->db, DOUBT_HELD, INT(w->target),
		    INT(f->answer.size), INT(clock_wall_ns()),
		    TEXT(f->answer.etag), TEXT(f->version_id), INT(id));
		if (!writer_was_restored(w, id, f->version_id))
			writer_adopted(w, id);
		writer_replaced(w, id);
		return;
	}
	++*foreign;
	DB_RUN(&w->db, DOUBT_FOREIGN, INT(clock_wall_ns()), INT(w->target),
	    INT(w->run), TEXT(f->doubt->path));
	DB_RUN(&w->db, DOUBT_NOT_HELD, INT(w->target), TEXT(f->doubt->path));
	writer_path_ends(w, str_of(f->doubt->path), EVENT_DIFFERED);
}

/* A run that ended before the answer came has deleted the version, or else
 * nobody knows who did. */
static void
version_absent(void *arg, int64_t version)
{
	const struct asking *a = arg;

	if (!writer_was_deleted(a->writer, version, a->found->version_id))
		writer_version_ends(a->writer, version, EVENT_LOST, NULL);
}

static void
settle(struct writer *w, const struct found *f, bool tells, size_t *foreign)
{
	const char *path = f->doubt->path;
	struct asking asking = { .writer = w, .found = f };
	struct there there = { .reason = "S3 does not hold it any more",
	    .event = EVENT_LOST };

	/* Another version of the path may have settled the doubt just now. */
	if (!DB_ROW(&w->db, SETTLE_FIND, INT(w->target),
	    INT(f->doubt->object)))
		return;
	db_done(&w->db, STMT_SETTLE_FIND);
	if (f->answer.err.kind == ERR_NONE) {
		there.etag = f->answer.etag;
		there.event = EVENT_REPLACED;
		note_there(w, f, foreign);
	} else if (f->answer.err.kind == ERR_GONE) {
		DB_RUN(&w->db, DOUBT_ABSENT, INT(w->target), INT(w->run),
		    TEXT(path));
		DB_RUN(&w->db, DOUBT_NOT_HELD, INT(w->target), TEXT(path));
		writer_each_version(w, str_of(path), version_absent, &asking);
	} else {
		if (tells)
			note_failure(w, f);
		return;
	}
	writer_names_end(w, path, &there);
	writer_each_version(w, str_of(path), writer_version_settled, w);
}

struct finding {
	enum doubt_kind kind;
	const struct found *v;
	size_t	 n;
	size_t	 foreign;
};

static void
settle_all(struct catalog *c, void *arg)
{
	struct finding *f = arg;

	for (size_t i = 0; i < f->n && c->writer.run != 0; i++)
		settle(&c->writer, &f->v[i], f->kind == DOUBT_ANY,
		    &f->foreign);
}

int
catalog_put_found(struct catalog *c, enum doubt_kind kind,
    const struct found *v, size_t n, size_t *ret_foreign, struct err *err)
{
	struct finding f = { .kind = kind, .v = v, .n = n };
	int rc = catalog_call(c, settle_all, &f, err);

	*ret_foreign = f.foreign;
	return rc;
}

/* --- what undo is about to do --- */

struct noting {
	const int64_t *v;
	size_t	 n;
};

static void
note_restoring(struct catalog *c, void *arg)
{
	const struct noting *x = arg;
	struct writer *w = &c->writer;

	if (w->run == 0)
		return;
	for (size_t i = 0; i < x->n; i++) {
		DB_RUN(&w->db, RESTORING_INSERT, INT(w->target), INT(x->v[i]),
		    INT(w->run));
		DB_RUN(&w->db, SETTLE_ADD, INT(w->target), INT(x->v[i]));
	}
	w->has_notes = w->has_doubts = w->must_sync = true;
}

int
catalog_note_restoring(struct catalog *c, const int64_t *v, size_t n,
    struct err *err)
{
	struct noting x = { .v = v, .n = n };

	return catalog_call(c, note_restoring, &x, err);
}
