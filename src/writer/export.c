/*
 * export.c: recognize an export by its file system; see
 * catalog/export.h.
 */
#include "writer/writer.h"

static bool
lies_in(struct str path, const struct run_export_row *x)
{
	return path.len >= x->path_len &&
	    memcmp(path.p, x->start, x->path_len) == 0 &&
	    (path.len == x->path_len || path.p[x->path_len] == '/');
}

/* Return the index of the run's export with the path inside. If an export lies
 * inside another export, take the inner export. Outside of every export: return
 * the count of exports. */
size_t
core_export_of(const struct own *o, struct str path)
{
	size_t best = o->export_count;

	for (size_t i = 0; i < o->export_count; i++)
		if (lies_in(path, &o->exports[i]) &&
		    (best == o->export_count ||
		    o->exports[i].path_len > o->exports[best].path_len))
			best = i;
	return best;
}

bool
core_holds_export(const struct own *o, const char *path)
{
	size_t n = strlen(path);

	for (size_t i = 0; i < o->export_count; i++) {
		const struct run_export_row *x = &o->exports[i];

		if (x->path_len >= n && memcmp(x->start, path, n) == 0 &&
		    (x->path_len == n || x->start[n] == '/'))
			return true;
	}
	return false;
}

struct run_export_row *
core_export(const struct own *o, int64_t id)
{
	for (size_t i = 0; i < o->export_count; i++)
		if (o->exports[i].id == id)
			return &o->exports[i];
	return NULL;
}

bool
core_export_stays(struct own *o, int64_t id, uint64_t unseen)
{
	struct run_export_row *x = core_export(o, id);

	if (x == NULL || (!x->away && !x->other))
		return false;
	x->unseen += unseen;
	return true;
}

/* Compare the file system of the export with the known file system. */
static void
compare(struct own *o, struct run_export_row *x, uint64_t fsid)
{
	bool noted = false, mixed = false;
	uint64_t known = 0;

	if (x->other || x->away)
		return;
	if (DB_ROW(&o->db, EXPORT_FSID, INT(o->crawl), INT(fsid),
	    INT(o->run), INT(x->id))) {
		noted = !db_null(&o->db, STMT_EXPORT_FSID, 0);
		known = (uint64_t)db_int(&o->db, STMT_EXPORT_FSID, 0);
		mixed = db_int(&o->db, STMT_EXPORT_FSID, 1) != 0;
		db_done(&o->db, STMT_EXPORT_FSID);
	}
	if (!noted || (known == fsid && !mixed))
		return;
	if (x->accepted) {
		DB_RUN(&o->db, EXPORT_ACCEPT, INT(fsid), INT(x->id));
		return;
	}
	/* Where nothing is known, nothing can be lost. */
	DB_RUN(&o->db, EXPORT_OTHER, INT(o->crawl), INT(known), INT(x->id));
	x->other = db_changes(&o->db) > 0;
}

void
core_note_export(struct own *o, struct export_note *n)
{
	if (!o->failed && o->run != 0 && n->export < o->export_count) {
		struct run_export_row *x = &o->exports[n->export];

		if (!n->by_crawl) {
			x->accepted = n->sight == EXPORT_ACCEPTED;
			x->away = n->sight == EXPORT_AWAY;
			x->fsid = n->fsid;
		}
		compare(o, x, n->fsid);
		if (n->by_crawl)
			DB_RUN(&o->db, EXPORT_NOTE, INT(o->crawl),
			    INT(n->fsid), INT(n->empty), INT(x->id));
	}
	free(n);
}

/* True if another file system holds the files of the known file system, as far
 * as the crawl can tell. */
static bool
is_copy(struct own *o, const struct run_export_row *x)
{
	uint64_t known, again;

	/* The files not found by earlier runs of this crawl were not
	 * counted. */
	if (o->run != o->crawl || strlen(x->start) != x->path_len ||
	    !DB_ROW(&o->db, EXPORT_COPY, INT(x->id), INT(o->crawl)))
		return false;
	known = (uint64_t)db_int(&o->db, STMT_EXPORT_COPY, 0);
	again = (uint64_t)db_int(&o->db, STMT_EXPORT_COPY, 1);
	db_done(&o->db, STMT_EXPORT_COPY);
	again -= MIN(again, x->unseen);
	return known > 0 && again >= known - known / 10;
}

void
core_keep_exports(struct own *o)
{
	for (size_t i = 0; i < o->export_count; i++) {
		const struct run_export_row *x = &o->exports[i];

		if (x->doubt.kind == ERR_NONE && !x->away &&
		    (!x->other || is_copy(o, x)))
			DB_RUN(&o->db, EXPORT_KEEP, INT(x->id),
			    INT(o->crawl));
	}
}
