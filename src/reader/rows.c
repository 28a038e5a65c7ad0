/*
 * rows.c: columns as structs, ranges of paths; see rows.h.
 */
#include "reader/rows.h"

/* --- ranges of paths --- */

void
range_init(struct range *r, struct str prefix, struct str after)
{
	buf_init(&r->from, 64 * KIB);
	buf_init(&r->end, 64 * KIB);
	/* No path holds a NUL: path plus NUL sorts directly after path. */
	if (after.len > 0) {
		buf_add(&r->from, after.p, after.len);
		buf_addch(&r->from, '\0');
	} else {
		buf_add(&r->from, prefix.p, prefix.len);
	}
	r->bind_from = BYTES(buf_str(&r->from));
	if (r->from.len == 0)
		r->bind_from = TEXT("");
	/* Text sorts before every BLOB. */
	r->bind_end = BLOB("", 1);
	if (prefix.len > 0) {
		buf_add(&r->end, prefix.p, prefix.len);
		/* The last byte of UTF-8 is never 0xff. */
		r->end.data[r->end.len - 1]++;
		r->bind_end = BYTES(buf_str(&r->end));
	}
}

void
range_release(struct range *r)
{
	buf_release(&r->from);
	buf_release(&r->end);
}

/* --- one row --- */

void
row_attrs(const struct db *db, enum stmt s, int column, struct attrs *a)
{
	memset(a, 0, sizeof(*a));
	a->kind = (enum entry_kind)db_int(db, s, column);
	a->size = (uint64_t)db_int(db, s, column + 1);
	a->mtime_ns = db_int(db, s, column + 2);
	a->ctime_ns = db_int(db, s, column + 3);
	a->ino = (uint64_t)db_int(db, s, column + 4);
	a->mode = (uint32_t)db_int(db, s, column + 5);
	a->uid = (uint32_t)db_int(db, s, column + 6);
	a->gid = (uint32_t)db_int(db, s, column + 7);
}

static void *
copy_bytes(struct str v)
{
	return v.len == 0 ? NULL : xmemdup(v.p, v.len);
}

void
row_stored(const struct db *db, enum stmt s, struct stored *out)
{
	struct str v;

	memset(out, 0, sizeof(*out));
	out->object = db_int(db, s, 0);
	out->path = db_strdup(db, s, 1);
	v = db_bytes(db, s, 2);
	out->has_md5 = v.len == sizeof(out->md5);
	if (out->has_md5)
		memcpy(out->md5, v.p, sizeof(out->md5));
	v = db_bytes(db, s, 3);
	snprintf(out->etag, sizeof(out->etag), "%.*s", (int)v.len, v.p);
	out->part_size = (uint64_t)db_int(db, s, 4);
	v = db_bytes(db, s, 5);
	out->part_count = v.len / 16;
	out->part_md5s = copy_bytes(v);
	out->version_id = db_strdup(db, s, 6);
	out->stored_ns = db_int(db, s, 7);
	out->newest = db_int(db, s, 8) != 0;
	out->gone = db_int(db, s, 9) != 0;
	out->verified_ns = db_int(db, s, 10);
	v = db_bytes(db, s, 11);
	out->verdict = verdict_of(v.p, v.len);
	row_attrs(db, s, 12, &out->attrs);
	out->fresh = s != STMT_GONE_PAGE && db_int(db, s, 20) != 0;
}

/* --- a few questions --- */

bool
rows_below(struct db *db, const char *path, unsigned which)
{
	const int64_t all = (which & BELOW_HERE) == 0;
	bool found = DB_ROW(db, FS_HOLDS, TEXT(path), INT(all));

	if (found)
		db_done(db, STMT_FS_HOLDS);
	return found || ((which & BELOW_NAMES) != 0 &&
	    names_hold(db, path, which));
}

bool
rows_fs_of_dir(struct db *db, int64_t dir, uint64_t *ret_fsid)
{
	if (!DB_ROW(db, FS_OF_DIR, INT(dir)))
		return false;
	*ret_fsid = (uint64_t)db_int(db, STMT_FS_OF_DIR, 0);
	db_done(db, STMT_FS_OF_DIR);
	return true;
}

bool
rows_fs_noted(struct db *db, const char *path, uint64_t *ret_fsid)
{
	if (!DB_ROW(db, EXPORT_NOTED, TEXT(path)))
		return false;
	*ret_fsid = (uint64_t)db_int(db, STMT_EXPORT_NOTED, 0);
	db_done(db, STMT_EXPORT_NOTED);
	return true;
}
