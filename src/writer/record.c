/*
 * record.c: single rows: a version of a file, a directory, a failure, the run.
 */
#include "base/clock.h"
#include "base/log.h"
#include "model/key.h"
#include "model/path.h"
#include "writer/writer.h"

void
writer_add_counts(struct totals *t, const struct totals *n)
{
	t->found += n->found;
	t->found_bytes = add_capped(t->found_bytes, n->found_bytes);
	t->unchanged += n->unchanged;
	t->excluded += n->excluded;
	t->failed += n->failed;
	t->queued += n->queued;
	t->queued_bytes = add_capped(t->queued_bytes, n->queued_bytes);
}

void
writer_failure(struct writer *w, int64_t object, int64_t dir, struct str path,
    const struct err *err, unsigned attempts)
{
	AUTOFREE char *name = xstrndup(path.p, path.len);

	DB_RUN(&w->db, FAILURE_INSERT, INT(w->run), INT(w->target),
	    object == 0 ? NOTHING : INT(object), dir == 0 ? NOTHING : INT(dir),
	    BYTES(path), TEXT(err_kind_name(err->kind)), INT(err->code),
	    TEXT(err->msg), INT(attempts), INT(clock_wall_ns()));
	log_failed(name, attempts, err);
}

bool
writer_retire(struct writer *w, int64_t object)
{
	DB_RUN(&w->db, OBJECT_TO_HISTORY, INT(w->run), INT(object));
	if (w->db.err.kind != ERR_NONE || db_changes(&w->db) == 0)
		return false;
	DB_RUN(&w->db, OBJECT_DELETE, INT(object));
	if (w->has_verified)
		DB_RUN(&w->db, VERIFIED_RETIRE, INT(object));
	w->has_history = true;
	return true;
}

void
writer_object_gone(struct writer *w, int64_t object)
{
	if (!DB_ROW(&w->db, OBJECT_STANDS, INT(object)))
		return;
	w->totals.gone += (uint64_t)db_int(&w->db, STMT_OBJECT_STANDS, 0);
	db_done(&w->db, STMT_OBJECT_STANDS);
	DB_RUN(&w->db, OBJECT_GONE, INT(w->run), INT(object));
}

void
writer_each_version(struct writer *w, struct str path,
    void (*fn)(void *, int64_t version), void *arg)
{
	const enum stmt s = STMT_PATH_VERSIONS;
	bool more = DB_ROW(&w->db, PATH_VERSIONS, BYTES(path));

	while (more) {
		fn(arg, db_int(&w->db, s, 0));
		more = db_next(&w->db, s);
	}
}

void
writer_version_settled(void *arg, int64_t version)
{
	struct writer *w = arg;

	if (w->has_doubts)
		DB_RUN(&w->db, SETTLE_DONE, INT(w->target), INT(version));
	if (!w->has_notes)
		return;
	DB_RUN(&w->db, DELETION_DONE, INT(w->target), INT(version));
	DB_RUN(&w->db, RESTORING_DONE, INT(w->target), INT(version));
}

/* Return the raw name bytes if the path shows them changed, or NOTHING. */
static struct value
raw_of(struct buf *raw, struct str path)
{
	if (memmem(path.p, path.len, "\xef\xbf\xbd", 3) == NULL ||
	    key_to_path(raw, path) == -1 || str_eq(buf_str(raw), path))
		return NOTHING;
	return BLOB(raw->data, raw->len);
}

int64_t
writer_insert(struct writer *w, int64_t dir, struct str path,
    const struct attrs *a, const char *why)
{
	CLEANUP(buf_release) struct buf raw;
	int64_t id = w->next_object;

	buf_init(&raw, path.len);
	DB_RUN(&w->db, OBJECT_INSERT, INT(id), INT(dir), BYTES(path),
	    raw_of(&raw, path), INT(a->kind), INT(a->size), INT(a->mtime_ns),
	    INT(a->ctime_ns), INT(a->ino), INT(a->mode), INT(a->uid),
	    INT(a->gid), INT(w->run), TEXT(why));
	if (w->db.err.kind != ERR_NONE || db_changes(&w->db) == 0)
		return 0;
	w->next_object++;
	return id;
}

void
writer_queue(struct writer *w, int64_t object, int64_t export, uint32_t flags,
    int64_t prev, const struct handle *fh)
{
	if (idset_has(&w->settle, object))
		flags |= ITEM_SETTLE;
	DB_RUN(&w->db, TODO_INSERT, INT(w->next_todo++), INT(object),
	    INT(export), INT(flags), prev == 0 ? NOTHING : INT(prev),
	    BLOB(fh->data, fh->len));
}

int64_t
writer_dir(struct writer *w, struct str path, int64_t export)
{
	struct str root, up;
	int64_t id = 0, parent = 0;

	if (DB_ROW(&w->db, DIR_FIND, BYTES(path))) {
		id = db_int(&w->db, STMT_DIR_FIND, 0);
		db_done(&w->db, STMT_DIR_FIND);
	}
	if (id != 0 || w->db.err.kind != ERR_NONE)
		return id;
	for (size_t i = 0; i < w->export_count; i++) {
		if (w->exports[i].id != export)
			continue;
		root = path;
		root.len = MIN(w->exports[i].path_len, path.len);
		up = path_dir(path);
		if (up.len >= root.len && path.len > root.len)
			parent = writer_dir(w, up, export);
	}
	id = w->next_dir++;
	DB_RUN(&w->db, DIR_INSERT, INT(id), INT(export),
	    parent == 0 ? NOTHING : INT(parent), BYTES(path));
	return id;
}

int64_t
writer_held_before(struct writer *w, struct str path)
{
	int64_t id = 0;

	if (w->has_history && DB_ROW(&w->db, HISTORY_HELD, INT(w->target),
	    BYTES(path))) {
		id = db_int(&w->db, STMT_HISTORY_HELD, 0);
		db_done(&w->db, STMT_HISTORY_HELD);
	}
	return id;
}

void
writer_dir_done(struct writer *w, int64_t dir, int64_t export, int64_t since_ns,
    bool clean, const struct totals *n)
{
	DB_RUN(&w->db, DIR_DONE, INT(w->run), INT(since_ns), INT(clean),
	    INT(export), INT(n->found), INT(n->found_bytes), INT(n->unchanged),
	    INT(n->excluded), INT(n->failed), INT(n->queued),
	    INT(n->queued_bytes), INT(dir));
	w->totals.dirs++;
}

void
writer_add_list(struct writer *w, const struct totals *n)
{
	DB_RUN(&w->db, DIR_ADD, INT(w->run), INT(n->found),
	    INT(n->found_bytes), INT(n->unchanged), INT(n->excluded),
	    INT(n->failed), INT(n->queued), INT(n->queued_bytes), TEXT(""));
}

void
writer_stat(struct writer *w, int64_t object, const struct attrs *a)
{
	DB_RUN(&w->db, OBJECT_STAT, INT(a->kind), INT(a->size),
	    INT(a->mtime_ns), INT(a->ctime_ns), INT(a->ino), INT(a->mode),
	    INT(a->uid), INT(a->gid), INT(object));
}

bool
writer_held(struct writer *w, int64_t object)
{
	if (!DB_ROW(&w->db, OBJECT_HELD, INT(object)))
		return false;
	db_done(&w->db, STMT_OBJECT_HELD);
	return true;
}

bool
writer_same(const struct attrs *a, const struct attrs *b)
{
	return attrs_same(a, b, false) && a->mode == b->mode &&
	    a->uid == b->uid && a->gid == b->gid;
}

void
writer_count_run(struct writer *w)
{
	const struct totals *t = &w->totals;

	DB_RUN(&w->db, RUN_COUNT, INT(clock_wall_ns()), INT(t->found),
	    INT(t->moved), INT(t->unchanged), INT(t->failed),
	    INT(t->excluded), INT(t->gone), INT(t->pending), INT(t->bytes),
	    INT(t->found_bytes), INT(t->dirs), INT(t->deleted), INT(w->run));
	writer_note_slowest(w);
}
