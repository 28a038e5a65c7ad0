/*
 * fs_names.c: file systems known by another name of a share. Without the server
 * in the keys, a share may have been crawled by another name of its server. If
 * the share lies in the same file system by both names, it is the same share,
 * and what was noted below the other name last counts for today's.
 */
#include "writer/writer.h"

/* The last that a run found out of the directory. */
static int64_t
decided(struct writer *w, const char *path)
{
	int64_t run = 0;

	if (DB_ROW(&w->db, DIR_DECIDED, TEXT(path))) {
		run = db_int(&w->db, STMT_DIR_DECIDED, 0);
		db_done(&w->db, STMT_DIR_DECIDED);
	}
	return run;
}

static void
take(struct writer *w, const struct run_export_row *x, const struct fs_note *n)
{
	AUTOFREE char *path = names_place((struct str){ x->start,
	    x->path_len }, str_of(n->path));
	const struct fs_note *own = writer_fs_own(w, str_of(path));
	int64_t dir;

	if ((own != NULL && own->fsid == n->fsid) ||
	    decided(w, path) >= n->run)
		return;
	dir = writer_dir(w, str_of(path), x->id);
	DB_RUN(&w->db, DIR_FSID_TAKEN, INT(n->fsid), INT(w->run), INT(dir));
	writer_fs_keep(w, dir, n->fsid, STEAL(path));
}

/* True if the note is one below another name of the export, and that name's
 * root lies in the file system of the export. */
static bool
is_of_name(struct writer *w, const struct run_export_row *x, uint64_t seen,
    const struct fs_note *n)
{
	const struct str root = { x->start, x->path_len };
	struct str path = str_of(n->path);
	AUTOFREE char *today = NULL, *former = NULL;
	uint64_t fsid;

	if (!names_meet(root, path) ||
	    writer_export_of(w, path) != w->export_count)
		return false;
	today = names_place(root, path);
	if (strlen(today) == root.len)
		return false;	/* above, or the root itself */
	former = xstrndup(path.p, path.len - (strlen(today) - root.len));
	return rows_fs_noted(&w->db, former, &fsid) && fsid == seen;
}

void
writer_fs_take_over(struct writer *w, const struct export_note *seen)
{
	const struct run_export_row *x;
	size_t count = w->fs_count;
	struct fs_note *v;

	if (w->failed || w->run == 0 || !w->has_names || seen->by_crawl ||
	    seen->sight == EXPORT_AWAY || seen->export >= w->export_count)
		return;
	x = &w->exports[seen->export];
	/* What is taken over is added to the notes. */
	v = xcalloc(MAX(count, (size_t)1), sizeof(*v));
	for (size_t i = 0; i < count; i++) {
		v[i] = w->fs[i];
		v[i].path = xstrdup(v[i].path);
	}
	for (size_t i = 0; i < count; i++)
		if (is_of_name(w, x, seen->fsid, &v[i]))
			take(w, x, &v[i]);
	for (size_t i = 0; i < count; i++)
		free(v[i].path);
	free(v);
}
