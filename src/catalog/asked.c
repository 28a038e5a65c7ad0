/*
 * A restored catalog: of which exports the target was asked since.
 */
#include "catalog/catalog_internal.h"
#include "db/stand.h"

/* Is the export one of those whose objects at the target aren't known? */
static bool
is_unasked(struct db *db, int64_t target, const char *path)
{
	bool is = DB_ROW(db, UNASKED, TEXT(path), INT(target));

	if (is)
		db_done(db, STMT_UNASKED);
	return is;
}

int
catalog_unasked(const char *path, const struct run_spec *spec, bool *ret,
    struct err *err)
{
	struct db db;
	int64_t target;
	bool newest;

	*ret = false;
	if (!db_is_restored(path) && !stand_may_be_older(path))
		return 0;
	if (db_open_older(&db, path, err) == -1)
		return -1;
	/* An older schema has the table only if the catalog was restored. */
	newest = db_is_newest(&db);
	*ret = (!newest && db_was_restored(&db)) || stand_is_older(&db);
	target = newest ? catalog_find_target(&db, spec) : 0;
	for (size_t i = 0; newest && i < spec->export_count && !*ret; i++)
		*ret = is_unasked(&db, target, spec->exports[i].path);
	if (db.err.kind != ERR_NONE)
		*err = db.err;
	db_close(&db);
	return err->kind == ERR_NONE ? 0 : -1;
}

void
catalog_note_asked(struct writer *w)
{
	for (size_t i = 0; w->crawls && i < w->export_count; i++)
		if (strlen(w->exports[i].start) == w->exports[i].path_len)
			DB_RUN(&w->db, ASKED_DONE, INT(w->target),
			    INT(w->exports[i].id));
}
