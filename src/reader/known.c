/*
 * known.c: what the catalog knows of an export, a directory, a path in doubt.
 */
#include "reader/reader_internal.h"
#include "reader/stored.h"

static int
answer(struct catalog_reader *r, enum stmt s, bool found, struct err *err)
{
	if (found)
		db_done(&r->db, s);
	if (reader_fault(r, err) == -1)
		return -1;
	return found ? 1 : 0;
}

int
catalog_export_noted(struct catalog_reader *r, const char *path,
    uint64_t *ret_fsid, struct err *err)
{
	bool found = rows_fs_noted(&r->db, path, ret_fsid);

	return reader_fault(r, err) == -1 ? -1 : found;
}

static bool
fs_of(struct db *db, struct str dir, uint64_t *ret_fsid)
{
	int64_t id;

	if (!DB_ROW(db, DIR_FIND, BYTES(dir)))
		return false;
	id = db_int(db, STMT_DIR_FIND, 0);
	db_done(db, STMT_DIR_FIND);
	return rows_fs_of_dir(db, id, ret_fsid);
}

int
catalog_dir_fs(struct catalog_reader *r, struct str dir, const char *root,
    uint64_t *ret_fsid, struct err *err)
{
	uint64_t of_root;
	bool found = fs_of(&r->db, dir, ret_fsid);

	if (found && fs_of(&r->db, str_of(root), &of_root) &&
	    of_root == *ret_fsid)
		*ret_fsid = 0;
	return reader_fault(r, err) == -1 ? -1 : found;
}

int
catalog_export_seen(struct catalog_reader *r, const char *path,
    uint64_t *ret_fsid, struct err *err)
{
	bool found = DB_ROW(&r->db, EXPORT_SEEN, TEXT(path));

	if (found)
		*ret_fsid = (uint64_t)db_int(&r->db, STMT_EXPORT_SEEN, 0);
	return answer(r, STMT_EXPORT_SEEN, found, err);
}

int
catalog_export_holds(struct catalog_reader *r, const char *path,
    bool also_gone, struct err *err)
{
	return answer(r, STMT_EXPORT_HOLDS, DB_ROW(&r->db, EXPORT_HOLDS,
	    TEXT(path), INT(also_gone)), err);
}

int
catalog_former_holds(struct catalog_reader *r, const char *path,
    struct err *err)
{
	bool found = names_hold(&r->db, path, BELOW_NEWER);

	return reader_fault(r, err) == -1 ? -1 : found;
}

int
catalog_knows_below(struct catalog_reader *r, const char *path, bool here,
    struct err *err)
{
	bool prefix, found;

	(void)reader_target(r, &prefix);
	found = rows_below(&r->db, path, (prefix ? 0U : BELOW_NAMES) |
	    (here ? BELOW_HERE : 0U));
	return reader_fault(r, err) == -1 ? -1 : found;
}

int
catalog_knew_dir(struct catalog_reader *r, const char *path, struct err *err)
{
	bool found = DB_ROW(&r->db, DIR_KNOWN, TEXT(path));

	if (found)
		db_done(&r->db, STMT_DIR_KNOWN);
	else
		found = rows_below(&r->db, path, 0);
	return reader_fault(r, err) == -1 ? -1 : found;
}

int
catalog_in_doubt(struct catalog_reader *r, struct str path, struct err *err)
{
	bool prefix, found;
	int64_t target = reader_target(r, &prefix);

	found = DB_ROW(&r->db, SETTLE_PATH, INT(target), BYTES(path));
	if (found)
		db_done(&r->db, STMT_SETTLE_PATH);
	return reader_fault(r, err) == -1 ? -1 : found;
}
