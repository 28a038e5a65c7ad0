/*
 * Pages of directories, brought by the crawl: their rows, in the catalog's
 * thread.
 */
#include "base/clock.h"
#include "model/key.h"
#include "model/path.h"
#include "writer/writer.h"

struct page {
	struct writer *writer;
	struct dir_page *in;
	struct open_dir *dir;
	int64_t	 export;	/* id */
	struct totals counts;
	struct {		/* last directory of a list's entries */
		struct buf path;
		int64_t	 id;
	} cache;
};

/* --- entries --- */

static int64_t
dir_of_entry(struct page *p, struct str path)
{
	struct str dir = path_dir(path);

	if (p->dir->id != 0)
		return p->dir->id;
	if (p->cache.id == 0 || !str_eq(buf_str(&p->cache.path), dir)) {
		buf_clear(&p->cache.path);
		if (buf_add(&p->cache.path, dir.p, dir.len) == -1)
			return writer_dir(p->writer, dir, p->export);
		p->cache.id = writer_dir(p->writer, dir, p->export);
	}
	return p->cache.id;
}

struct row {
	int64_t	 object;	/* 0: there is none */
	struct attrs attrs;
	bool	 gone;
	bool	 excluded;
	bool	 held;		/* by this run's target */
};

static struct row
find_row(struct writer *w, const char *path)
{
	struct row r = { .object = 0 };
	struct db *db = &w->db;

	if (DB_ROW(db, OBJECT_FIND, INT(w->target), TEXT(path))) {
		r.object = db_int(db, STMT_OBJECT_FIND, 0);
		row_attrs(db, STMT_OBJECT_FIND, 1, &r.attrs);
		r.gone = db_int(db, STMT_OBJECT_FIND, 9) != 0;
		r.excluded = !db_null(db, STMT_OBJECT_FIND, 10);
		r.held = db_int(db, STMT_OBJECT_FIND, 11) != 0;
		db_done(db, STMT_OBJECT_FIND);
	}
	return r;
}

static void
count_bytes(struct page *p, uint64_t size)
{
	p->counts.found_bytes = add_capped(p->counts.found_bytes, size);
}

static void
count_queued(struct page *p, const struct attrs *a)
{
	p->counts.found++;
	count_bytes(p, a->size);
	p->counts.queued++;
	p->counts.queued_bytes = add_capped(p->counts.queued_bytes, a->size);
}

/* Queue a version seen for the first time by this crawl. */
static void
queue_new(struct page *p, const struct page_entry *e, int64_t object)
{
	if (object == 0)
		return;
	idset_add(&p->dir->seen, object);
	writer_queue(p->writer, object, p->export, e->flags,
	    writer_held_before(p->writer, str_of(e->path)), &e->fh);
	count_queued(p, &e->attrs);
}

static int64_t
insert(struct page *p, const struct page_entry *e, const char *why)
{
	struct str path = str_of(e->path);

	return writer_insert(p->writer, dir_of_entry(p, path), path, &e->attrs,
	    why);
}

/* The path has a row: the row decides, not the earlier look-up of the crawl. */
static void
queue_known(struct page *p, const struct page_entry *e)
{
	struct writer *w = p->writer;
	struct row r = find_row(w, e->path);
	bool same = !r.gone && writer_same(&r.attrs, &e->attrs);

	if (r.object == 0) {
		queue_new(p, e, insert(p, e, NULL));
		return;
	}
	if (idset_has(&p->dir->seen, r.object))
		return;		/* came twice */
	if ((e->action == PAGE_QUEUE || e->action == PAGE_INCLUDED) && !r.gone)
		same = true;	/* inode = ignore: the crawl compared */
	if (!same || e->action == PAGE_CHANGED) {
		writer_retire(w, r.object);
		queue_new(p, e, insert(p, e, NULL));
		return;
	}
	idset_add(&p->dir->seen, r.object);
	if (r.excluded)
		DB_RUN(&w->db, OBJECT_WHY, NOTHING, INT(r.object));
	if (r.held && (e->action == PAGE_NEW || e->action == PAGE_INCLUDED)) {
		p->counts.found++;
		count_bytes(p, e->attrs.size);
		p->counts.unchanged++;
		return;
	}
	writer_queue(w, r.object, p->export, e->flags,
	    r.held ? r.object : writer_held_before(w, str_of(e->path)), &e->fh);
	count_queued(p, &e->attrs);
}

static void
entry_queue(struct page *p, const struct page_entry *e)
{
	int64_t object = 0;

	if (e->action == PAGE_NEW)
		object = insert(p, e, NULL);
	if (object != 0)
		queue_new(p, e, object);
	else
		queue_known(p, e);
}

/* A directory that is left out is in the place of a file, or of whatever was
 * there: give the directory a row, so that the mirror looks for the file there
 * (catalog_mirror_unread). */
static void
hide_file(struct page *p, const struct page_entry *e)
{
	struct writer *w = p->writer;

	(void)writer_dir(w, str_of(e->path), p->export);
	DB_RUN(&w->db, DIR_KEPT, INT(w->crawl), TEXT(e->path));
}

/* Return the row of an entry that isn't queued: 0 if the entry came twice. */
static int64_t
entry_row(struct page *p, const struct page_entry *e, const char *why)
{
	struct writer *w = p->writer;
	struct row r = { .object = 0 };
	int64_t object = 0;
	bool same;

	if (e->object == 0)
		object = insert(p, e, why);
	if (object == 0)
		r = find_row(w, e->path);
	if (r.object != 0 && idset_has(&p->dir->seen, r.object))
		return 0;
	if (r.object != 0 && e->attrs.kind == ENTRY_DIR &&
	    r.attrs.kind != ENTRY_DIR)
		hide_file(p, e);
	same = attrs_same(&r.attrs, &e->attrs, w->ignore) &&
	    attrs_same_kept(&e->attrs, &r.attrs);
	if (r.object == 0) {
		if (object == 0)
			object = insert(p, e, why);
	} else if (r.gone || (why != NULL && !same &&
	    writer_held(w, r.object))) {
		writer_retire(w, r.object);
		object = insert(p, e, why);
	} else {
		object = r.object;
		if (why != NULL || r.excluded)
			DB_RUN(&w->db, OBJECT_WHY, TEXT(why), INT(object));
		if (why != NULL && !same)
			writer_stat(w, object, &e->attrs);
	}
	if (object != 0)
		idset_add(&p->dir->seen, object);
	return object;
}

static void
entry_excluded(struct page *p, const struct page_entry *e, const char *why)
{
	if (entry_row(p, e, why) == 0)
		return;
	p->counts.found++;
	p->counts.excluded++;
}

static void
entry_failed(struct page *p, const struct page_entry *e)
{
	struct writer *w = p->writer;
	int64_t object = entry_row(p, e, NULL);
	bool listed = p->dir->id == 0;

	if (object == 0)
		return;
	/* The entry may be a directory known to the catalog. */
	if (e->attrs.kind == ENTRY_UNKNOWN)
		DB_RUN(&w->db, DIR_UNKNOWN, INT(w->crawl), TEXT(e->path));
	DB_RUN(&w->db, RESULT_CRAWL_FAILED, INT(object), INT(w->target),
	    INT(w->run), INT(writer_ms(w)), TEXT(e->err.msg), INT(listed));
	writer_failure(w, object, dir_of_entry(p, str_of(e->path)),
	    str_of(e->path), &e->err, 1);
	p->counts.found++;
	count_bytes(p, e->attrs.size);
	p->counts.failed++;
}

/* The refused path names neither a known object nor a known directory: record
 * only the failure. */
static void
entry_refused(struct page *p, const struct page_entry *e)
{
	writer_failure(p->writer, 0, 0, str_of(e->path), &e->err, 1);
	p->counts.found++;
	p->counts.failed++;
}

static void
entry(struct page *p, const struct page_entry *e)
{
	/* Counted when queued for --retry-failed; the transfer sees the file's
	 * present state. */
	if (e->object != 0 && idset_has(&p->writer->retried, e->object)) {
		idset_add(&p->dir->seen, e->object);
		return;
	}
	if (e->action == PAGE_REFUSED)
		entry_refused(p, e);
	else if (e->action == PAGE_FAILED)
		entry_failed(p, e);
	else if (e->action == PAGE_EXCLUDED)
		entry_excluded(p, e, e->why == NULL ? "excluded" : e->why);
	else if (e->attrs.kind != ENTRY_FILE)
		entry_excluded(p, e, entry_kind_name(e->attrs.kind));
	else
		entry_queue(p, e);
}

/* Refuse a file of a list if its directory is in another file system than
 * before. */
static void
listed(struct page *p, struct page_entry *e)
{
	const struct run_export_row *x = writer_export(p->writer, p->export);
	struct str path = str_of(e->path);

	if (e->listed_fsid == 0 || e->attrs.kind != ENTRY_FILE ||
	    e->action == PAGE_REFUSED || e->action == PAGE_EXCLUDED ||
	    x == NULL || writer_fs_listed(p->writer, x, dir_of_entry(p, path),
	    path_dir(path), e->listed_fsid))
		return;
	e->action = e->object != 0 ? PAGE_FAILED : PAGE_REFUSED;
	err_set(&e->err, ERR_UNREACHABLE, 0, "its directory is in another file "
	    "system than it was (if this is right: --accept-filesystem)");
}

/* --- directories --- */

static void
subdirectory(struct page *p, const struct page_dir *d)
{
	struct writer *w = p->writer;
	struct db *db = &w->db;
	int64_t id = w->next_dir, export = p->export, run = 0;

	DB_RUN(db, DIR_INSERT, INT(id), INT(export),
	    p->dir->id == 0 ? NOTHING : INT(p->dir->id), TEXT(d->path));
	if (db->err.kind != ERR_NONE)
		return;
	if (db_changes(db) == 1) {
		w->next_dir++;
	} else if (DB_ROW(db, DIR_FIND, TEXT(d->path))) {
		id = db_int(db, STMT_DIR_FIND, 0);
		run = db_int(db, STMT_DIR_FIND, 1);
		export = db_int(db, STMT_DIR_FIND, 2);
		db_done(db, STMT_DIR_FIND);
	}
	if (run >= w->crawl)
		return;		/* read already: it came twice */
	/* The directory belonged to another export in an earlier run: adopt the
	 * directory. */
	if (export != p->export)
		DB_RUN(db, DIR_PARENT, INT(p->export), p->dir->id == 0 ?
		    NOTHING : INT(p->dir->id), INT(id));
	/* Choose the id here: SQLite would reuse ids of deleted rows, and the
	 * cursor is past such ids. */
	DB_RUN(db, FRONTIER_PUSH, INT(w->next_frontier++), INT(id),
	    BLOB(d->fh.data, d->fh.len));
	if (db->err.kind == ERR_NONE)
		w->frontier_left += db_changes(db);
}

/* The crawl was to begin in this directory, and no parent is read: only this
 * page can tell that the directory is gone. */
static void
note_gone_start(struct page *p)
{
	struct run_export_row *x = writer_export(p->writer, p->export);
	struct db *db = &p->writer->db;

	if (x == NULL || !DB_ROW(db, DIR_FIND, TEXT(x->start)))
		return;
	if (db_int(db, STMT_DIR_FIND, 0) == p->dir->id)
		x->gone_start = p->dir->id;
	db_done(db, STMT_DIR_FIND);
}

static void
directory_failed(struct page *p)
{
	struct writer *w = p->writer;
	AUTOFREE char *path = NULL;

	if (DB_ROW(&w->db, DIR_PATH, INT(p->dir->id))) {
		path = db_strdup(&w->db, STMT_DIR_PATH, 0);
		db_done(&w->db, STMT_DIR_PATH);
	}
	writer_failure(w, 0, p->dir->id, str_of(path == NULL ? "" : path),
	    &p->in->err, 1);
	p->counts.found++;
	p->counts.failed++;
}

static void
open_dir_free(struct open_dir *d)
{
	idset_release(&d->seen);
	free(d);
}

void
writer_open_dirs_free(struct writer *w)
{
	struct open_dir *next;

	for (struct open_dir *d = STEAL(w->dirs); d != NULL; d = next) {
		next = d->next;
		open_dir_free(d);
	}
}

static void
close_directory(struct writer *w, struct open_dir *d)
{
	struct open_dir **at = &w->dirs;

	DB_RUN(&w->db, FRONTIER_POP, INT(d->frontier));
	if (!d->left) {
		w->frontier_left--;
		w->dirs_out--;
		w->again_left -= d->again;
		w->again_out -= d->again;
	}
	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	open_dir_free(d);
}

/* Write the page's numbers to the rows used later by the count at the run's
 * end. */
static void
account(struct page *p)
{
	struct writer *w = p->writer;
	struct open_dir *d = p->dir;
	const struct totals *n = &p->counts;

	writer_add_counts(&w->totals, n);
	if (d->id == 0) {
		writer_add_list(w, n);
		if (p->in->last)
			w->list_open = false;
		return;
	}
	writer_add_counts(&d->counts, n);
	if (p->in->last) {
		/* A directory vanished before its reading is gone when the
		 * crawl is over. */
		if (!p->in->vanished || d->counts.found > 0)
			writer_dir_done(w, d->id, d->export, d->since_ns,
			    !p->in->vanished && p->in->err.kind == ERR_NONE,
			    &d->counts);
		close_directory(w, d);
	} else if (!d->started) {
		d->started = true;
		DB_RUN(&w->db, FRONTIER_STARTED, INT(d->frontier));
	}
}

static void
apply(struct page *p)
{
	struct dir_page *in = p->in;
	struct writer *w = p->writer;

	writer_fs_note(w, p->dir, in);
	for (size_t i = 0; i < in->entry_count; i++) {
		listed(p, &in->entries[i]);
		entry(p, &in->entries[i]);
	}
	for (size_t i = 0; i < in->dir_count; i++)
		subdirectory(p, &in->dirs[i]);
	for (size_t i = 0; i < in->kept_dir_count; i++)
		DB_RUN(&w->db, DIR_KEPT, INT(w->crawl),
		    TEXT(in->kept_dirs[i]));
	if (!writer_export_stays(w, p->export, in->gone_count))
		for (size_t i = 0; i < in->gone_count; i++)
			writer_object_gone(w, in->gone[i]);
	p->counts.found += in->unchanged + in->excluded;
	count_bytes(p, in->unchanged_bytes);
	p->counts.unchanged += in->unchanged;
	p->counts.excluded += in->excluded;
	if (in->last && in->vanished)
		note_gone_start(p);
	if (in->last && in->err.kind != ERR_NONE && p->dir->id != 0)
		directory_failed(p);
	account(p);
}

void
writer_page(struct writer *w, struct dir_page *in)
{
	struct page p = { .writer = w, .in = in };

	for (p.dir = w->dirs; p.dir != NULL; p.dir = p.dir->next)
		if (p.dir->id == in->dir)
			break;
	/* Ignore a late page of a directory not open any more, from an ended
	 * run. */
	if (p.dir != NULL && !w->failed && w->run != 0 &&
	    (in->dir != 0 || in->export < w->export_count)) {
		buf_init(&p.cache.path, 64 * KIB);
		p.export = in->dir == 0 ? w->exports[in->export].id :
		    p.dir->export;
		writer_note_times(w, p.export, &in->times);
		apply(&p);
		buf_release(&p.cache.path);
	}
	dir_page_free(&in);
}

void
dir_page_free(struct dir_page **pp)
{
	struct dir_page *p = *pp;

	if (p == NULL)
		return;
	for (size_t i = 0; i < p->entry_count; i++) {
		free(p->entries[i].path);
		free(p->entries[i].why);
	}
	for (size_t i = 0; i < p->dir_count; i++)
		free(p->dirs[i].path);
	for (size_t i = 0; i < p->kept_dir_count; i++)
		free(p->kept_dirs[i]);
	free(p->entries);
	free(p->dirs);
	free(p->kept_dirs);
	free(p->gone);
	free(p);
	*pp = NULL;
}
