/*
 * Directories to read and leases of the backlog.
 */
#include "base/clock.h"
#include "model/key.h"
#include "writer/writer.h"

bool
writer_crawl_done(const struct writer *w)
{
	return w->frontier_left == 0 && !w->list_open;
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
hand_out(struct writer *w, struct dir_job *j, bool again)
{
	const enum stmt s = STMT_FRONTIER_READ;
	struct open_dir *d = xcalloc(1, sizeof(*d));

	d->frontier = db_int(&w->db, s, 0);
	d->id = db_int(&w->db, s, 1);
	d->export = db_int(&w->db, s, 5);
	idset_init(&d->seen);
	d->next = w->dirs;
	w->dirs = d;
	d->since_ns = clock_wall_ns();
	d->again = again;
	w->dirs_out++;
	w->again_out += again;
	*(again ? &w->again_cursor : &w->dir_cursor) = d->frontier;
	j->dir = d->id;
	j->export = (unsigned)db_int(&w->db, s, 4);
	j->path = db_strdup(&w->db, s, 3);
	j->fh.len = 0;
	if (d->frontier >= w->first_frontier)
		copy_handle(&w->db, s, 2, &j->fh);
	j->fresh = d->id >= w->first_new_dir;
	writer_fs_place(w, d, j);
}

/* Leave a directory of a lost export to the next run. */
static void
leave_dir(struct writer *w, bool again)
{
	*(again ? &w->again_cursor : &w->dir_cursor) =
	    db_int(&w->db, STMT_FRONTIER_READ, 0);
	w->frontier_left--;
	w->again_left -= again;
}

/* Take up to max directories; fewer, or none, if the next rows belong to lost
 * exports. */
struct dir_batch *
writer_take_dirs(struct writer *w, size_t max, bool again)
{
	struct dir_batch *b = xcalloc(1, sizeof(*b));
	bool more;

	b->mail.type = MAIL_DIRS;
	b->v = xreallocarray(NULL, max, sizeof(*b->v));
	more = DB_ROW(&w->db, FRONTIER_READ,
	    INT(again ? w->again_cursor : w->dir_cursor), INT(again),
	    INT(max));
	while (more) {
		if (writer_is_lost(w, db_int(&w->db, STMT_FRONTIER_READ, 5)))
			leave_dir(w, again);
		else
			hand_out(w, &b->v[b->count++], again);
		more = db_next(&w->db, STMT_FRONTIER_READ);
	}
	return b;
}

/* --- leases --- */

static const struct run_export_row *
export_of(const struct writer *w, int64_t id, unsigned *ret_index)
{
	for (size_t i = 0; i < w->export_count; i++)
		if (w->exports[i].id == id) {
			*ret_index = (unsigned)i;
			return &w->exports[i];
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
add_previous(struct writer *w, struct item *it, int64_t prev)
{
	const enum stmt s = STMT_PREV_READ;
	struct db *db = &w->db;
	struct str v;
	bool known;

	if (!DB_ROW(db, PREV_READ, INT(prev), INT(w->target)))
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
add_upload(struct writer *w, struct item *it)
{
	const enum stmt s = STMT_UPLOAD_FIND;
	struct db *db = &w->db;

	if (!DB_ROW(db, UPLOAD_FIND, INT(it->object), INT(w->target)))
		return;
	it->upload_id = db_strdup(db, s, 0);
	it->upload_intent_sec = db_int(db, s, 1);
	it->upload_part_size = (uint64_t)db_int(db, s, 2);
	db_done(db, s);
	if (it->upload_id == NULL || !DB_ROW(db, UPLOAD_PARTS,
	    INT(it->object), INT(w->target)))
		return;
	it->upload_parts = db_strdup(db, STMT_UPLOAD_PARTS, 0);
	db_done(db, STMT_UPLOAD_PARTS);
}

static void
fill_item(struct writer *w, struct item *it)
{
	const enum stmt s = STMT_TODO_READ;
	const struct run_export_row *x;
	struct db *db = &w->db;
	bool known;

	it->object = db_int(db, s, 1);
	x = export_of(w, db_int(db, s, 2), &it->export);
	it->flags = (uint32_t)db_int(db, s, 3);
	if (idset_has(&w->settle, it->object))
		it->flags |= ITEM_SETTLE;
	/* A handle is valid only in the run that got the handle; else look the
	 * path up. */
	if (db_int(db, s, 0) >= w->first_todo)
		copy_handle(db, s, 5, &it->fh);
	it->path = db_strdup(db, s, 6);
	it->raw = raw_name(it, x == NULL ? 0 : x->path_len,
	    !db_null(db, s, 7));
	row_attrs(db, s, 8, &it->attrs);
	if (x == NULL || w->accept_fs ||
	    !writer_fs_of_file(w, x, str_of(it->path), &it->attrs.fsid))
		it->flags |= ITEM_ANY_FS;
	known = !db_null(db, s, 4) && add_previous(w, it, db_int(db, s, 4));
	/* Equal bytes prove nothing for an object in doubt: ask S3 instead. */
	if (!known || (it->flags & ITEM_SETTLE) != 0)
		it->flags &= ~(uint32_t)ITEM_CHECKSUM;
	if (idset_has(&w->uploads, it->object))
		add_upload(w, it);
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
remember(struct writer *w, struct lease *l, struct open_lease *out)
{
	bool sorted = true;

	for (size_t i = 1; i < out->count; i++)
		if (out->items[i - 1].object > out->items[i].object)
			sorted = false;
	if (!sorted)
		qsort(out->items, out->count, sizeof(*out->items), by_object);
	DB_RUN(&w->db, LEASE_INSERT, INT(w->run), INT(out->first),
	    INT(out->last));
	out->id = w->db.err.kind == ERR_NONE ? db_last_id(&w->db) : 0;
	l->id = out->id;
	out->left = out->count;
	out->next = w->leases;
	w->leases = out;
}

/* Return the newest time met before the item is read. For the backlog of an
 * earlier run return 0: the crawl of this run has met no time as new yet. */
static int64_t
met(const struct writer *w, const struct item *it, int64_t todo)
{
	return todo < w->first_todo || it->export >= w->export_count ? 0 :
	    w->exports[it->export].times.newest_ns;
}

/* Take the next rows of the backlog; rows of lost exports stay for the next
 * run. NULL if none of these max_count rows is left. */
struct lease *
writer_take_lease(struct writer *w, size_t max_count, uint64_t max_bytes)
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
	out->first = w->todo_cursor + 1;
	more = DB_ROW(&w->db, TODO_READ, INT(w->todo_cursor), INT(max_count));
	while (more && !full) {
		uint64_t size = (uint64_t)db_int(&w->db, s, 9);
		struct item *it = &l->items[l->count];

		if (writer_is_lost(w, db_int(&w->db, s, 2))) {
			w->todo_cursor = db_int(&w->db, s, 0);
			writer_leave_todo(w, w->todo_cursor);
			rows++;
			more = db_next(&w->db, s);
			continue;
		}
		if (l->count > 0 && l->bytes + size > max_bytes) {
			full = true;
			db_done(&w->db, s);
			break;
		}
		fill_item(w, it);
		writer_names_doubt(w, it->path);
		out->items[l->count++] = (struct open_item){
			.object = it->object, .attrs = it->attrs,
			.todo = db_int(&w->db, s, 0), .export = it->export,
			.newest_ns = met(w, it, db_int(&w->db, s, 0)),
			.prev = db_int(&w->db, s, 4),
		};
		l->bytes += size;
		rows++;
		w->todo_cursor = db_int(&w->db, s, 0);
		more = db_next(&w->db, s);
	}
	out->count = l->count;
	out->last = w->todo_cursor;
	if (!full && rows < max_count)
		w->todo_cursor = w->next_todo - 1;	/* that was all */
	if (l->count == 0) {
		lease_free(&l);
		free(out->items);
		free(out);
		return NULL;
	}
	remember(w, l, out);
	return l;
}

/* Delete backlog rows after every lease up to the row is closed. */
void
writer_trim(struct writer *w)
{
	int64_t last = w->todo_cursor;

	if (w->run == 0)
		return;
	if (w->first_left > 0)
		last = MIN(last, w->first_left - 1);
	for (const struct open_lease *l = w->leases; l != NULL; l = l->next)
		last = MIN(last, l->first - 1);
	if (last <= w->trimmed)
		return;
	DB_RUN(&w->db, TODO_TRIM, INT(last));
	DB_RUN(&w->db, LEASE_TRIM, INT(last));
	w->trimmed = last;
}
