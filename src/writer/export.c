/*
 * export.c: recognize an export by its file system; see
 * catalog/export.h.
 */
#include "model/path.h"
#include "writer/writer.h"

/* Return the index of the run's export with the path inside. If an export lies
 * inside another export, take the inner export. Outside of every export: return
 * the count of exports. */
size_t
writer_export_of(const struct writer *w, struct str path)
{
	return path_innermost(path, (const char *const *)w->roots,
	    w->export_count);
}

bool
writer_holds_export(const struct writer *w, const char *path)
{
	for (size_t i = 0; i < w->export_count; i++)
		if (path_lies_in(str_of(w->roots[i]), str_of(path)))
			return true;
	return false;
}

struct run_export_row *
writer_export(const struct writer *w, int64_t id)
{
	for (size_t i = 0; i < w->export_count; i++)
		if (w->exports[i].id == id)
			return &w->exports[i];
	return NULL;
}

bool
writer_export_stays(struct writer *w, int64_t id, uint64_t unseen)
{
	struct run_export_row *x = writer_export(w, id);

	if (x == NULL || (!x->away && !x->other))
		return false;
	x->unseen += unseen;
	return true;
}

/* True if this crawl has seen another file system of the export, too. */
static bool
is_mixed(struct writer *w, const struct run_export_row *x, uint64_t fsid)
{
	bool mixed = DB_ROW(&w->db, EXPORT_MIXED, INT(x->id), INT(w->crawl),
	    INT(fsid));

	if (mixed)
		db_done(&w->db, STMT_EXPORT_MIXED);
	return mixed;
}

/* Compare the file system of the export with the known file system. */
static void
compare(struct writer *w, struct run_export_row *x, uint64_t fsid)
{
	const char *root = w->roots[x - w->exports];
	int64_t named;

	if (x->other || x->away || !x->has_known ||
	    (x->known == fsid && !is_mixed(w, x, fsid)))
		return;
	if (x->accepted) {
		DB_RUN(&w->db, EXPORT_ACCEPT, INT(fsid), INT(x->id));
		x->known = fsid;
		return;
	}
	/* Where nothing is known, nothing can be lost. */
	named = w->has_names && names_hold(&w->db, root, 0);
	DB_RUN(&w->db, EXPORT_OTHER, INT(w->crawl), INT(x->known),
	    INT(x->id), INT(named));
	x->other = db_changes(&w->db) > 0;
	x->has_known = x->other;
}

void
writer_note_export(struct writer *w, struct export_note *n)
{
	if (!w->failed && w->run != 0 && n->export < w->export_count) {
		struct run_export_row *x = &w->exports[n->export];

		if (!n->by_crawl) {
			x->accepted = n->sight == EXPORT_ACCEPTED;
			x->away = n->sight == EXPORT_AWAY;
			x->fsid = n->fsid;
		}
		compare(w, x, n->fsid);
		if (n->by_crawl)
			DB_RUN(&w->db, EXPORT_NOTE, INT(w->crawl),
			    INT(n->fsid), INT(n->empty), INT(x->id));
	}
	free(n);
}

/* True if another file system holds the files of the known file system, as far
 * as the crawl can tell. */
static bool
is_copy(struct writer *w, const struct run_export_row *x)
{
	uint64_t known, again;

	/* The files not found by earlier runs of this crawl were not
	 * counted. */
	if (w->run != w->crawl || strlen(x->start) != x->path_len ||
	    !DB_ROW(&w->db, EXPORT_COPY, INT(x->id), INT(w->crawl)))
		return false;
	known = (uint64_t)db_int(&w->db, STMT_EXPORT_COPY, 0);
	again = (uint64_t)db_int(&w->db, STMT_EXPORT_COPY, 1);
	db_done(&w->db, STMT_EXPORT_COPY);
	again -= MIN(again, x->unseen);
	return known > 0 && again >= known - known / 10;
}

void
writer_keep_exports(struct writer *w)
{
	for (size_t i = 0; i < w->export_count; i++) {
		const struct run_export_row *x = &w->exports[i];

		if (x->doubt.kind != ERR_NONE || x->away ||
		    (x->other && !is_copy(w, x)))
			continue;
		DB_RUN(&w->db, EXPORT_KEEP, INT(x->id), INT(w->crawl));
		/* No directory of the other one was noted yet. */
		if (x->other)
			DB_RUN(&w->db, DIR_FSID, INT(x->fsid), INT(w->run),
			    INT(writer_dir(w, str_of(x->start), x->id)));
	}
}
