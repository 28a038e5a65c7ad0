/*
 * The root of an export: its identity when the crawl began, or when a run that
 * continues the crawl found the root replaced and read all of it again. If the
 * root is another directory at the end, or can't be looked at, nobody knows
 * whose files the crawl has read: nothing of the export becomes gone.
 */
#include "writer/writer.h"

static void
root_note_free(struct root_note **np)
{
	free(*np);
	*np = NULL;
}

/* Record the reason to doubt the export; the first reason stays. */
static void
doubt(struct run_export_row *x, enum err_kind kind, const char *text)
{
	if (x->doubt.kind == ERR_NONE)
		err_set(&x->doubt, kind, 0, "%s; nothing of it is taken for "
		    "gone", text);
}

bool
writer_root_differs(struct writer *w, const struct run_export_row *x,
    uint64_t ino, uint64_t fsid, bool ignore_inode)
{
	const enum stmt s = STMT_ROOT_NOTED;
	bool differs;

	if (!DB_ROW(&w->db, ROOT_NOTED, INT(w->crawl), INT(x->id)))
		return false;
	differs = (!ignore_inode && db_int(&w->db, s, 0) != (int64_t)ino) ||
	    db_int(&w->db, s, 1) != (int64_t)fsid;
	db_done(&w->db, s);
	return differs;
}

void
writer_note_root(struct writer *w, struct root_note *n)
{
	struct run_export_row *x;

	if (w->failed || w->run == 0 || n->export >= w->export_count) {
		root_note_free(&n);
		return;
	}
	x = &w->exports[n->export];
	if (n->err.kind != ERR_NONE) {
		doubt(x, n->err.kind, n->err.msg);
	} else if (writer_root_differs(w, x, n->ino, n->fsid,
	    n->ignore_inode)) {
		doubt(x, ERR_RETRY, "its root is another directory than when "
		    "the crawl began");
	} else {
		DB_RUN(&w->db, ROOT_NOTE, INT(n->ino), INT(n->fsid),
		    INT(w->crawl), INT(x->id));
	}
	root_note_free(&n);
}

static void
note_failure(struct writer *w, struct run_export_row *x)
{
	const struct totals one = { .found = 1, .failed = 1 };
	struct db *db = &w->db;
	int64_t dir = 0;

	if (DB_ROW(db, DIR_FIND, TEXT(x->start))) {
		dir = db_int(db, STMT_DIR_FIND, 0);
		db_done(db, STMT_DIR_FIND);
	}
	writer_failure(w, 0, dir, str_of(x->start), &x->doubt, 1);
	writer_add_counts(&w->totals, &one);
	writer_add_list(w, &one);
}

/* Take back the crawl's conclusions below the start: nothing is gone. */
static void
take_back(struct writer *w, struct run_export_row *x)
{
	struct db *db = &w->db;

	DB_RUN(db, ROOT_DOUBT_DIRS, INT(w->crawl), TEXT(x->start));
	if (DB_ROW(db, ROOT_DOUBT_COUNT, INT(w->run), TEXT(x->start))) {
		w->totals.gone -= (uint64_t)db_int(db, STMT_ROOT_DOUBT_COUNT,
		    0);
		db_done(db, STMT_ROOT_DOUBT_COUNT);
	}
	DB_RUN(db, ROOT_DOUBT_OBJECTS, INT(w->crawl), TEXT(x->start));
}

void
writer_doubt_roots(struct writer *w)
{
	for (size_t i = 0; i < w->export_count; i++) {
		struct run_export_row *x = &w->exports[i];

		if (x->doubt.kind == ERR_NONE)
			continue;
		/* Repeat at each call: pages may have come since the last
		 * call. */
		take_back(w, x);
		if (!x->doubted)
			note_failure(w, x);
		x->doubted = true;
	}
}
