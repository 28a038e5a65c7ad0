/*
 * Directories to read and leases of the backlog.
 */
#include "base/clock.h"
#include "model/key.h"
#include "writer/writer.h"

bool
core_crawl_done(const struct own *o)
{
	return o->frontier_left == 0 && !o->list_open;
}

/* --- directories --- */

void
dir_batch_free(struct dir_batch **bp)
{
	struct dir_batch *b = *bp;

	if (b == NULL)
		return;
	for (size_t i = 0; i < b->count; i++)
		free(b->v[i].path);
	free(b->v);
	free(b);
	*bp = NULL;
}

static void
copy_handle(const struct db *db, enum stmt s, int column, struct handle *fh)
{
	struct str v = db_bytes(db, s, column);

	fh->len = (uint8_t)MIN(v.len, sizeof(fh->data));
	memcpy(fh->data, v.p, fh->len);
}

static void
hand_out(struct own *o, struct dir_job *j, bool again)
{
	const enum stmt s = STMT_FRONTIER_READ;
	struct open_dir *d = xcalloc(1, sizeof(*d));

	d->frontier = db_int(&o->db, s, 0);
	d->id = db_int(&o->db, s, 1);
	d->export = db_int(&o->db, s, 5);
	idset_init(&d->seen);
	d->next = o->dirs;
	o->dirs = d;
	d->since_ns = clock_wall_ns();
	d->again = again;
	o->dirs_out++;
	o->again_out += again;
	*(again ? &o->again_cursor : &o->dir_cursor) = d->frontier;
	j->dir = d->id;
	j->export = (unsigned)db_int(&o->db, s, 4);
	j->path = db_strdup(&o->db, s, 3);
	j->fh.len = 0;
	if (d->frontier >= o->first_frontier)
		copy_handle(&o->db, s, 2, &j->fh);
	j->fresh = d->id >= o->first_new_dir;
	core_fs_place(o, d, j);
}

/* Leave a directory of a lost export to the next run. */
static void
leave_dir(struct own *o, bool again)
{
	*(again ? &o->again_cursor : &o->dir_cursor) =
	    db_int(&o->db, STMT_FRONTIER_READ, 0);
	o->frontier_left--;
	o->again_left -= again;
}

/* Take up to max directories; fewer, or none, if the next rows belong to lost
 * exports. */
struct dir_batch *
core_take_dirs(struct own *o, size_t max, bool again)
{
	struct dir_batch *b = xcalloc(1, sizeof(*b));
	bool more;

	b->mail.type = MAIL_DIRS;
	b->v = xreallocarray(NULL, max, sizeof(*b->v));
	more = DB_ROW(&o->db, FRONTIER_READ,
	    INT(again ? o->again_cursor : o->dir_cursor), INT(again),
	    INT(max));
	while (more) {
		if (core_is_lost(o, db_int(&o->db, STMT_FRONTIER_READ, 5)))
			leave_dir(o, again);
		else
			hand_out(o, &b->v[b->count++], again);
		more = db_next(&o->db, STMT_FRONTIER_READ);
	}
	return b;
}

/* --- leases --- */

static const struct run_export_row *
export_of(const struct own *o, int64_t id, unsigned *ret_index)
{
	for (size_t i = 0; i < o->export_count; i++)
		if (o->exports[i].id == id) {
			*ret_index = (unsigned)i;
			return &o->exports[i];
		}
	*ret_index = 0;
	return NULL;
}

/* The name bytes below the export's root. */
static char *
raw_name(const struct item *it, size_t root_len, bool escaped)
{
	struct str below = str_of(it->path);
	struct buf b;

	if (below.len > root_len) {
		below.p += root_len + 1;
		below.len -= root_len + 1;
	}
	if (!escaped)
		return xstrndup(below.p, below.len);
	buf_init(&b, below.len);
	if (key_to_path(&b, below) == -1 || b.data == NULL) {
		buf_release(&b);
		return xstrndup(below.p, below.len);
	}
	return b.data;
}

/* True if the target is known to hold this very version: S3 has answered every
 * later request for the path. */
static bool
add_previous(struct own *o, struct item *it, int64_t prev)
{
	const enum stmt s = STMT_PREV_READ;
	struct db *db = &o->db;
	struct str v;
	bool known;

	if (!DB_ROW(db, PREV_READ, INT(prev), INT(o->target)))
		return false;
	it->has_prev = true;
	v = db_bytes(db, s, 0);
	it->prev_has_md5 = v.len == sizeof(it->prev_md5);
	if (it->prev_has_md5)
		memcpy(it->prev_md5, v.p, sizeof(it->prev_md5));
	v = db_bytes(db, s, 1);
	snprintf(it->prev_etag, sizeof(it->prev_etag), "%.*s", (int)v.len,
	    v.p);
	it->prev_part_size = (uint64_t)db_int(db, s, 2);
	if (db_null(db, s, 3))
		it->prev_attrs = it->attrs;	/* it is this version */
	else
		row_attrs(db, s, 3, &it->prev_attrs);
	known = prev == it->object && db_int(db, s, 11) != 0;
	db_done(db, s);
	return known;
}

static void
add_upload(struct own *o, struct item *it)
{
	const enum stmt s = STMT_UPLOAD_FIND;
	struct db *db = &o->db;

	if (!DB_ROW(db, UPLOAD_FIND, INT(it->object), INT(o->target)))
		return;
	it->upload_id = db_strdup(db, s, 0);
	it->upload_intent_sec = db_int(db, s, 1);
	it->upload_part_size = (uint64_t)db_int(db, s, 2);
	db_done(db, s);
}

static void
fill_item(struct own *o, struct item *it)
{
	const enum stmt s = STMT_TODO_READ;
	const struct run_export_row *x;
	struct db *db = &o->db;
	bool known;

	it->object = db_int(db, s, 1);
	x = export_of(o, db_int(db, s, 2), &it->export);
	it->flags = (uint32_t)db_int(db, s, 3);
	if (idset_has(&o->settle, it->object))
		it->flags |= ITEM_SETTLE;
	/* A handle is valid only in the run that got the handle; else look the
	 * path up. */
	if (db_int(db, s, 0) >= o->first_todo)
		copy_handle(db, s, 5, &it->fh);
	it->path = db_strdup(db, s, 6);
	it->raw = raw_name(it, x == NULL ? 0 : x->path_len,
	    !db_null(db, s, 7));
	row_attrs(db, s, 8, &it->attrs);
	known = !db_null(db, s, 4) && add_previous(o, it, db_int(db, s, 4));
	/* Equal bytes prove nothing for an object in doubt: ask S3 instead. */
	if (!known || (it->flags & ITEM_SETTLE) != 0)
		it->flags &= ~(uint32_t)ITEM_CHECKSUM;
	if (idset_has(&o->uploads, it->object))
		add_upload(o, it);
}

static int
by_object(const void *a, const void *b)
{
	int64_t x = ((const struct open_item *)a)->object;
	int64_t y = ((const struct open_item *)b)->object;

	return (x > y) - (x < y);
}

/* What the results will be compared with. */
static void
remember(struct own *o, struct lease *l, struct open_lease *out)
{
	bool sorted = true;

	for (size_t i = 1; i < out->count; i++)
		if (out->items[i - 1].object > out->items[i].object)
			sorted = false;
	if (!sorted)
		qsort(out->items, out->count, sizeof(*out->items), by_object);
	DB_RUN(&o->db, LEASE_INSERT, INT(o->run), INT(out->first),
	    INT(out->last));
	out->id = o->db.err.kind == ERR_NONE ? db_last_id(&o->db) : 0;
	l->id = out->id;
	out->left = out->count;
	out->next = o->leases;
	o->leases = out;
}

/* Return the newest time met before the item is read. For the backlog of an
 * earlier run return 0: the crawl of this run has met no time as new yet. */
static int64_t
met(const struct own *o, const struct item *it, int64_t todo)
{
	return todo < o->first_todo || it->export >= o->export_count ? 0 :
	    o->exports[it->export].times.newest_ns;
}

/* Take the next rows of the backlog; rows of lost exports stay for the next
 * run. NULL if none of these max_count rows is left. */
struct lease *
core_take_lease(struct own *o, size_t max_count, uint64_t max_bytes)
{
	const enum stmt s = STMT_TODO_READ;
	struct lease *l = xcalloc(1, sizeof(*l));
	struct open_lease *out = xcalloc(1, sizeof(*out));
	bool more, full = false;
	size_t rows = 0;

	l->mail.type = MAIL_LEASE;
	out->since_ns = clock_wall_ns();
	l->items = xcalloc(max_count, sizeof(*l->items));
	out->items = xcalloc(max_count, sizeof(*out->items));
	out->first = o->todo_cursor + 1;
	more = DB_ROW(&o->db, TODO_READ, INT(o->todo_cursor), INT(max_count));
	while (more && !full) {
		uint64_t size = (uint64_t)db_int(&o->db, s, 9);
		struct item *it = &l->items[l->count];

		if (core_is_lost(o, db_int(&o->db, s, 2))) {
			o->todo_cursor = db_int(&o->db, s, 0);
			core_leave_todo(o, o->todo_cursor);
			rows++;
			more = db_next(&o->db, s);
			continue;
		}
		if (l->count > 0 && l->bytes + size > max_bytes) {
			full = true;
			db_done(&o->db, s);
			break;
		}
		fill_item(o, it);
		core_names_doubt(o, it->path);
		out->items[l->count++] = (struct open_item){
			.object = it->object, .attrs = it->attrs,
			.todo = db_int(&o->db, s, 0), .export = it->export,
			.newest_ns = met(o, it, db_int(&o->db, s, 0)),
		};
		l->bytes += size;
		rows++;
		o->todo_cursor = db_int(&o->db, s, 0);
		more = db_next(&o->db, s);
	}
	out->count = l->count;
	out->last = o->todo_cursor;
	if (!full && rows < max_count)
		o->todo_cursor = o->next_todo - 1;	/* that was all */
	if (l->count == 0) {
		lease_free(&l);
		free(out->items);
		free(out);
		return NULL;
	}
	remember(o, l, out);
	return l;
}

/* Delete backlog rows after every lease up to the row is closed. */
void
core_trim(struct own *o)
{
	int64_t last = o->todo_cursor;

	if (o->run == 0)
		return;
	if (o->first_left > 0)
		last = MIN(last, o->first_left - 1);
	for (const struct open_lease *l = o->leases; l != NULL; l = l->next)
		last = MIN(last, l->first - 1);
	if (last <= o->trimmed)
		return;
	DB_RUN(&o->db, TODO_TRIM, INT(last));
	DB_RUN(&o->db, LEASE_TRIM, INT(last));
	o->trimmed = last;
}
