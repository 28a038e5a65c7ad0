/*
 * The target of a run in the catalog, and a reader of what the target holds.
 */
#include "catalog/catalog_internal.h"

static int64_t
target_at(struct db *db, const struct run_spec *spec, const char *endpoint)
{
	int64_t id = 0;

	if (DB_ROW(db, TARGET_FIND, TEXT(endpoint), TEXT(spec->bucket),
	    INT(spec->server_as_prefix))) {
		id = db_int(db, STMT_TARGET_FIND, 0);
		db_done(db, STMT_TARGET_FIND);
	}
	return id;
}

int64_t
catalog_find_target(struct db *db, const struct run_spec *spec)
{
	int64_t id = target_at(db, spec, spec->endpoint);

	for (size_t i = 0; i < spec->also_count && id == 0; i++)
		id = target_at(db, spec, spec->also[i]);
	return id;
}

int
catalog_look(struct catalog_reader **ret, const char *path,
    const struct run_spec *spec, struct err *err)
{
	struct catalog_reader *r;

	if (reader_look(&r, path, err) == -1)
		return -1;
	reader_aim(r, catalog_find_target(reader_db(r), spec),
	    spec->server_as_prefix);
	if (reader_fault(r, err) == -1) {
		catalog_reader_close(&r);
		return -1;
	}
	*ret = r;
	return 0;
}
