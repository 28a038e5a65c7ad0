/*
 * record.c: single rows: a version of a file, a directory, a failure, the run.
 */
#include "base/clock.h"
#include "model/key.h"
#include "writer/writer.h"

struct str
core_parent(struct str path)
{
	while (path.len > 0 && path.p[path.len - 1] != '/')
		path.len--;
	if (path.len > 0)
		path.len--;
	return path;
}

void
core_add_counts(struct totals *t, const struct counts *n)
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
core_failure(struct own *o, int64_t object, int64_t dir, struct str path,
    const struct err *err, unsigned attempts)
{
	DB_RUN(&o->db, FAILURE_INSERT, INT(o->run), INT(o->target),
	    object == 0 ? NOTHING : INT(object), dir == 0 ? NOTHING : INT(dir),
	    BYTES(path), TEXT(err_kind_name(err->kind)), INT(err->code),
	    TEXT(err->msg), INT(attempts), INT(clock_wall_ns()));
}

bool
core_retire(struct own *o, int64_t object)
{
	DB_RUN(&o->db, OBJECT_TO_HISTORY, INT(o->run), INT(object));
	if (o->db.err.kind != ERR_NONE || db_changes(&o->db) == 0)
		return false;
	DB_RUN(&o->db, OBJECT_DELETE, INT(object));
	if (o->has_verified)
		DB_RUN(&o->db, VERIFIED_RETIRE, INT(object));
	o->has_history = true;
	return true;
}

void
core_object_gone(struct own *o, int64_t object)
{
	if (!DB_ROW(&o->db, OBJECT_GONE, INT(o->run), INT(object)))
		return;
	o->totals.gone += (uint64_t)db_int(&o->db, STMT_OBJECT_GONE, 0);
	db_done(&o->db, STMT_OBJECT_GONE);
	o->db.rows++;
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
core_insert(struct own *o, int64_t dir, struct str path,
    const struct attrs *a, const char *why)
{
	CLEANUP(buf_release) struct buf raw;
	int64_t id = o->next_object;

	buf_init(&raw, path.len);
	DB_RUN(&o->db, OBJECT_INSERT, INT(id), INT(dir), BYTES(path),
	    raw_of(&raw, path), INT(a->kind), INT(a->size), INT(a->mtime_ns),
	    INT(a->ctime_ns), INT(a->ino), INT(a->mode), INT(a->uid),
	    INT(a->gid), INT(o->run), TEXT(why));
	if (o->db.err.kind != ERR_NONE || db_changes(&o->db) == 0)
		return 0;
	o->next_object++;
	return id;
}

void
core_queue(struct own *o, int64_t object, int64_t export, uint32_t flags,
    int64_t prev, const struct handle *fh)
{
	if (idset_has(&o->settle, object))
		flags |= ITEM_SETTLE;
	DB_RUN(&o->db, TODO_INSERT, INT(o->next_todo++), INT(object),
	    INT(export), INT(flags), prev == 0 ? NOTHING : INT(prev),
	    BLOB(fh->data, fh->len));
}

int64_t
core_dir(struct own *o, struct str path, int64_t export)
{
	struct str root, up;
	int64_t id = 0, parent = 0;

	if (DB_ROW(&o->db, DIR_FIND, BYTES(path))) {
		id = db_int(&o->db, STMT_DIR_FIND, 0);
		db_done(&o->db, STMT_DIR_FIND);
	}
	if (id != 0 || o->db.err.kind != ERR_NONE)
		return id;
	for (size_t i = 0; i < o->export_count; i++) {
		if (o->exports[i].id != export)
			continue;
		root = path;
		root.len = MIN(o->exports[i].path_len, path.len);
		up = core_parent(path);
		if (up.len >= root.len && path.len > root.len)
			parent = core_dir(o, up, export);
	}
	id = o->next_dir++;
	DB_RUN(&o->db, DIR_INSERT, INT(id), INT(export),
	    parent == 0 ? NOTHING : INT(parent), BYTES(path));
	return id;
}

int64_t
core_held_before(struct own *o, struct str path)
{
	int64_t id = 0;

	if (o->has_history && DB_ROW(&o->db, HISTORY_HELD, INT(o->target),
	    BYTES(path))) {
		id = db_int(&o->db, STMT_HISTORY_HELD, 0);
		db_done(&o->db, STMT_HISTORY_HELD);
	}
	return id;
}

void
core_dir_done(struct own *o, int64_t dir, int64_t export, int64_t since_ns,
    bool clean, const struct counts *n)
{
	DB_RUN(&o->db, DIR_DONE, INT(o->run), INT(since_ns), INT(clean),
	    INT(export), INT(n->found), INT(n->found_bytes), INT(n->unchanged),
	    INT(n->excluded), INT(n->failed), INT(n->queued),
	    INT(n->queued_bytes), INT(dir));
	o->totals.dirs++;
}

void
core_add_list(struct own *o, const struct counts *n)
{
	DB_RUN(&o->db, DIR_ADD, INT(o->run), INT(n->found),
	    INT(n->found_bytes), INT(n->unchanged), INT(n->excluded),
	    INT(n->failed), INT(n->queued), INT(n->queued_bytes), TEXT(""));
}

void
core_stat(struct own *o, int64_t object, const struct attrs *a)
{
	DB_RUN(&o->db, OBJECT_STAT, INT(a->kind), INT(a->size),
	    INT(a->mtime_ns), INT(a->ctime_ns), INT(a->ino), INT(a->mode),
	    INT(a->uid), INT(a->gid), INT(object));
}

bool
core_held(struct own *o, int64_t object)
{
	if (!DB_ROW(&o->db, OBJECT_HELD, INT(object)))
		return false;
	db_done(&o->db, STMT_OBJECT_HELD);
	return true;
}

bool
core_same(const struct attrs *a, const struct attrs *b)
{
	return attrs_same(a, b, false) && a->mode == b->mode &&
	    a->uid == b->uid && a->gid == b->gid;
}

void
core_count_run(struct own *o)
{
	const struct totals *t = &o->totals;

	DB_RUN(&o->db, RUN_COUNT, INT(clock_wall_ns()), INT(t->found),
	    INT(t->moved), INT(t->unchanged), INT(t->failed),
	    INT(t->excluded), INT(t->gone), INT(t->pending), INT(t->bytes),
	    INT(t->found_bytes), INT(t->dirs), INT(t->deleted), INT(o->run));
}
