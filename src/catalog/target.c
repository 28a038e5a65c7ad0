/*
 * The target of a run in the catalog, and a reader of what the target holds. A
 * target is known by its name, or by its endpoints and bucket.
 */
#include <unistd.h>

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
	int64_t id = 0;

	if (spec->name != NULL && DB_ROW(db, TARGET_BY_NAME, TEXT(spec->name),
	    TEXT(spec->bucket), INT(spec->server_as_prefix))) {
		id = db_int(db, STMT_TARGET_BY_NAME, 0);
		db_done(db, STMT_TARGET_BY_NAME);
	}
	if (id == 0)
		id = target_at(db, spec, spec->endpoint);
	for (size_t i = 0; i < spec->also_count && id == 0; i++)
		id = target_at(db, spec, spec->also[i]);
	return id;
}

/* The same bucket, with keys of the other kind. */
static int64_t
find_other(struct db *db, const struct run_spec *spec)
{
	struct run_spec other = *spec;

	other.server_as_prefix = !spec->server_as_prefix;
	return catalog_find_target(db, &other);
}

/* --- a target that is asked about --- */

/* Has the target another name than that of the settings? */
static int
check_name(struct db *db, const struct run_spec *spec, int64_t target,
    struct err *err)
{
	const enum stmt s = STMT_TARGET_NAME;
	char name[80];
	bool same;

	if (spec->name == NULL || !DB_ROW(db, TARGET_NAME, INT(target)))
		return 0;
	same = str_eq(db_bytes(db, s, 0), str_of(spec->name));
	str_escape(db_bytes(db, s, 0), name, sizeof(name));
	db_done(db, s);
	return same ? 0 : err_set(err, ERR_CONFIG, 0, "the catalog knows the "
	    "store of bucket %s by the name %s: set name in [s3_storage] to "
	    "that", spec->bucket, name);
}

/* A new endpoint with a bucket of a known name may be a new store, or the known
 * one by another way: then all would be sent again. */
static int
check_new(struct db *db, const struct run_spec *spec, struct err *err)
{
	char known[80];

	if (!DB_ROW(db, TARGET_SAME_BUCKET, TEXT(spec->bucket)))
		return 0;
	str_escape(db_bytes(db, STMT_TARGET_SAME_BUCKET, 0), known,
	    sizeof(known));
	db_done(db, STMT_TARGET_SAME_BUCKET);
	return err_set(err, ERR_CONFIG, 0, "the catalog knows bucket %.64s at "
	    "%s: if that is the same store, add it as endpoint, or give it a "
	    "name (name in [s3_storage]); if not: --new-target", spec->bucket,
	    known);
}

static int
check_target(struct db *db, const struct run_spec *spec, int64_t target,
    int64_t other, struct err *err)
{
	if (target != 0 || other != 0)
		return check_name(db, spec, target != 0 ? target : other, err);
	return spec->new_target ? 0 : check_new(db, spec, err);
}

int
catalog_check_target(const char *path, const struct run_spec *spec,
    struct err *err)
{
	struct db db;
	int rc = 0;

	if (access(path, F_OK) == -1)
		return 0;
	if (db_open_older(&db, path, err) == -1)
		return -1;
	if (db_is_newest(&db))
		rc = check_target(&db, spec, catalog_find_target(&db, spec),
		    find_other(&db, spec), err);
	if (rc == 0 && db.err.kind != ERR_NONE) {
		*err = db.err;
		rc = -1;
	}
	db_close(&db);
	return rc;
}

int
catalog_take_target(struct writer *w, const struct run_spec *spec,
    struct err *err)
{
	struct db *db = &w->db;

	w->target = catalog_find_target(db, spec);
	w->other_target = find_other(db, spec);
	if (check_target(db, spec, w->target, w->other_target, err) == -1)
		return -1;
	if (w->target == 0) {
		DB_RUN(db, TARGET_INSERT, TEXT(spec->endpoint),
		    TEXT(spec->bucket), INT(spec->server_as_prefix));
		w->target = db_last_id(db);
	}
	if (DB_ROW(db, TARGET_KNOWN, INT(w->target))) {
		w->known = (unsigned)db_int(db, STMT_TARGET_KNOWN, 0) &
		    KNOWN_ALL;
		db_done(db, STMT_TARGET_KNOWN);
	}
	if (spec->name != NULL) {
		DB_RUN(db, TARGET_SET_NAME, TEXT(spec->name), INT(w->target));
		if (w->other_target != 0)
			DB_RUN(db, TARGET_SET_NAME, TEXT(spec->name),
			    INT(w->other_target));
	}
	return 0;
}

/* --- a reader --- */

int64_t
catalog_target_id(struct catalog_reader *r, const struct run_spec *spec)
{
	return catalog_find_target(reader_db(r), spec);
}

int
catalog_know_target(struct catalog_reader *r, const struct run_spec *spec,
    struct err *err)
{
	struct db *db = reader_db(r);
	int64_t target = catalog_find_target(db, spec);

	if (check_target(db, spec, target, find_other(db, spec), err) == -1 ||
	    reader_fault(r, err) == -1)
		return -1;
	return target != 0 ? 0 : err_set(err, ERR_CONFIG, 0, "the catalog "
	    "knows nothing of bucket %.64s at %.64s%s: are the settings those "
	    "of the runs in it?", spec->bucket, spec->endpoint,
	    find_other(db, spec) == 0 ? "" : spec->server_as_prefix ?
	    " with the server in the keys" :
	    " without the server in the keys");
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
