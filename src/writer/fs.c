/*
 * fs.c: the file system of each directory. A note is made only where a file
 * system begins; every note is in memory, by path: there are as many notes as
 * file systems.
 */
#include "base/clock.h"
#include "writer/writer.h"

/* Return the index of the first note whose path does not sort before path. */
static size_t
first_from(const struct writer *w, struct str path)
{
	size_t low = 0, high = w->fs_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct str at = str_of(w->fs[middle].path);
		int order = memcmp(at.p, path.p, MIN(at.len, path.len));

		if (order < 0 || (order == 0 && at.len < path.len))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct fs_note *
writer_fs_own(const struct writer *w, struct str path)
{
	size_t at = first_from(w, path);

	return at < w->fs_count && str_eq(str_of(w->fs[at].path), path) ?
	    &w->fs[at] : NULL;
}

static const struct fs_note *
nearest_above(const struct writer *w, struct str path)
{
	const struct fs_note *n = NULL;

	while (n == NULL && path.len > 0) {
		while (path.len > 0 && path.p[path.len - 1] != '/')
			path.len--;
		if (path.len > 0)
			path.len--;
		n = writer_fs_own(w, path);
	}
	return n;
}

uint64_t
writer_fs_at(const struct writer *w, struct str path, uint64_t fsid)
{
	const struct fs_note *n = writer_fs_own(w, path);

	if (n == NULL)
		n = nearest_above(w, path);
	return n == NULL ? fsid : n->fsid;
}

void
writer_fs_load(struct writer *w)
{
	const enum stmt s = STMT_FS_NOTED;
	struct db *db = &w->db;
	bool more = DB_ROW0(db, FS_NOTED);

	while (more) {
		w->fs = xreallocarray(w->fs, w->fs_count + 1, sizeof(*w->fs));
		w->fs[w->fs_count++] = (struct fs_note){
			.dir = db_int(db, s, 0),
			.path = db_strdup(db, s, 1),
			.fsid = (uint64_t)db_int(db, s, 2),
			.run = db_int(db, s, 3),
		};
		more = db_next(db, s);
	}
}

void
writer_fs_free(struct writer *w)
{
	for (size_t i = 0; i < w->fs_count; i++)
		free(w->fs[i].path);
	free(STEAL(w->fs));
	w->fs_count = 0;
}

void
writer_fs_place(struct writer *w, struct open_dir *d, struct dir_job *j)
{
	const enum stmt s = STMT_FRONTIER_READ;
	const struct fs_note *above = nearest_above(w, str_of(j->path));
	struct fs_place *fs = &d->fs;
	int64_t read = db_int(&w->db, s, 7);

	fs->has_own = !db_null(&w->db, s, 6);
	fs->own = (uint64_t)db_int(&w->db, s, 6);
	fs->has_above = above != NULL;
	fs->above = above == NULL ? 0 : above->fsid;
	j->fs_noted = fs->has_own || above != NULL;
	j->fs_known = fs->has_own || (above != NULL && read >= above->run);
	j->fsid = fs->has_own ? fs->own : fs->above;
	j->fs_own = fs->has_own;
	j->fs_begins = fs->has_own && fs->own != (above == NULL ?
	    w->exports[j->export].fsid : above->fsid);
	j->fs_of_root = !fs->has_own && above != NULL &&
	    strlen(above->path) <= w->exports[j->export].path_len;
}

/* Keep the note in memory as well: directories below are compared with the
 * note. */
void
writer_fs_keep(struct writer *w, int64_t dir, uint64_t fsid, char *path)
{
	struct fs_note *n = writer_fs_own(w, str_of(path));
	size_t at;

	if (n == NULL) {
		at = first_from(w, str_of(path));
		w->fs = xreallocarray(w->fs, w->fs_count + 1, sizeof(*w->fs));
		n = &w->fs[at];
		memmove(n + 1, n, (w->fs_count - at) * sizeof(*n));
		w->fs_count++;
		*n = (struct fs_note){ .path = path };
	} else {
		free(path);
	}
	n->dir = dir;
	n->fsid = fsid;
	n->run = w->run;
}

void
writer_fs_note(struct writer *w, struct open_dir *d, const struct dir_page *in)
{
	const struct run_export_row *x = writer_export(w, d->export);
	struct fs_place *fs = &d->fs;

	if (!in->fs_seen || fs->noted || d->id == 0)
		return;
	/* What is concluded from neither a directory that couldn't be read nor
	 * an export in another file system stays unsaid. */
	if (!in->fs_other && (in->err.kind != ERR_NONE ||
	    (x != NULL && x->other && x->fsid == in->fsid)))
		return;
	fs->noted = true;
	if (fs->has_own ? fs->own == in->fsid : !in->fs_other &&
	    fs->has_above && fs->above == in->fsid)
		return;
	DB_RUN(&w->db, DIR_FSID, INT(in->fsid), INT(w->run), INT(d->id));
	if (!DB_ROW(&w->db, DIR_PATH, INT(d->id)))
		return;
	writer_fs_keep(w, d->id, in->fsid, db_strdup(&w->db, STMT_DIR_PATH, 0));
	db_done(&w->db, STMT_DIR_PATH);
}

bool
writer_fs_of_file(const struct writer *w, const struct run_export_row *x,
    struct str path, uint64_t *ret_fsid)
{
	const struct fs_note *above = nearest_above(w, path);

	*ret_fsid = 0;
	if (above != NULL && strlen(above->path) > x->path_len &&
	    above->fsid != x->fsid)
		*ret_fsid = above->fsid;
	return above != NULL;
}

/* Keys have several names: a place may be known by another one. */
static unsigned
names_of(const struct writer *w)
{
	return w->has_names ? BELOW_NAMES : 0U;
}

static bool
was_read_since(struct db *db, int64_t dir, int64_t run)
{
	bool read = false;

	if (DB_ROW(db, DIR_PROOF, INT(dir))) {
		read = db_int(db, STMT_DIR_PROOF, 1) >= run &&
		    db_int(db, STMT_DIR_PROOF, 2) != 0;
		db_done(db, STMT_DIR_PROOF);
	}
	return read;
}

bool
writer_fs_listed(struct writer *w, const struct run_export_row *x, int64_t dir,
    struct str path, uint64_t fsid)
{
	const struct fs_note *own = writer_fs_own(w, path);
	const struct fs_note *above = nearest_above(w, path);
	AUTOFREE char *name = xstrndup(path.p, path.len);

	if (own != NULL ? own->fsid == fsid :
	    fsid == (above == NULL ? x->fsid : above->fsid))
		return true;
	if (!w->accept_fs && (own != NULL || above != NULL) &&
	    rows_below(&w->db, name, names_of(w) |
	    (own == NULL ? BELOW_HERE : 0U)))
		return false;
	DB_RUN(&w->db, DIR_FSID, INT(fsid), INT(w->run), INT(dir));
	writer_fs_keep(w, dir, fsid, STEAL(name));
	return true;
}

bool
writer_fs_stands(struct writer *w, const struct run_export_row *x,
    struct str path)
{
	const struct fs_note *n = nearest_above(w, path);

	return n == NULL || strlen(n->path) <= strlen(x->start) ||
	    was_read_since(&w->db, n->dir, w->crawl);
}

/* True if the file system around the note is the note's own: compare with the
 * nearest note above or, if no note is above, with the root of the export. */
static bool
is_around(const struct writer *w, const struct fs_note *n, size_t export)
{
	const struct fs_note *above = nearest_above(w, str_of(n->path));

	if (above != NULL)
		return above->fsid == n->fsid;
	return export < w->export_count &&
	    w->exports[export].fsid == n->fsid;
}

/* True if the note's file system differs from the file system around, and files
 * would be lost. Then the directory has failed. */
static bool
is_missing(struct writer *w, struct fs_note *n)
{
	struct totals counts = { .found = 1, .failed = 1 };
	struct err err = ERR_INIT;
	size_t export = writer_export_of(w, str_of(n->path));

	if (is_around(w, n, export))
		return false;
	if (n->told)
		return true;
	if (!rows_below(&w->db, n->path, names_of(w)))
		return false;
	n->told = true;
	err_set(&err, ERR_UNREACHABLE, 0, "it was a file system of its own "
	    "and is not there now (not mounted?): what is known below stays as "
	    "it is (if it is gone for good: --accept-filesystem)");
	writer_failure(w, 0, n->dir, str_of(n->path), &err, 1);
	writer_dir_done(w, n->dir, export == w->export_count ? 0 :
	    w->exports[export].id, clock_wall_ns(), false, &counts);
	writer_add_counts(&w->totals, &counts);
	return true;
}

bool
writer_fs_missing(struct writer *w, const char *path)
{
	AUTOFREE char *below = xasprintf("%s/", path);
	struct fs_note *n = writer_fs_own(w, str_of(path));
	bool missing = false;

	if (w->accept_fs)
		return false;
	if (n != NULL)
		missing = is_missing(w, n);
	for (size_t i = first_from(w, str_of(below)); i < w->fs_count &&
	    str_starts(str_of(w->fs[i].path), str_of(below)); i++)
		missing = is_missing(w, &w->fs[i]) || missing;
	return missing;
}
