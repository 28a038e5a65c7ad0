/*
 * unseen.c: what the catalog knows in a directory, and a reading of it has not
 * met. The files of a directory stand among those below it in the order of
 * paths: a subdirectory is passed over by one search.
 */
#include "reader/reader_internal.h"

struct unseen {
	struct catalog_reader *reader;
	int64_t	 first_object;	/* of the run */
	const struct idset *seen;
	void	 (*fn)(void *, int64_t object);
	void	*arg;
};

/* Rows made by this run are newer than the look-ups of the crawl and so missing
 * in seen, though their files exist. */
static void
one(const struct unseen *u, int64_t object)
{
	struct db *db = &u->reader->db;

	if (object >= u->first_object || idset_has(u->seen, object) ||
	    !DB_ROW(db, OBJECT_THERE, INT(object)))
		return;
	db_done(db, STMT_OBJECT_THERE);
	u->fn(u->arg, object);
}

/* Go through the files until a path lies in a subdirectory. Return the path's
 * length up to the slash; 0: the directory is at its end. */
static size_t
until_subdirectory(const struct unseen *u, size_t dir_len,
    const struct buf *from, const struct buf *end, struct buf *ret_path)
{
	struct db *db = &u->reader->db;
	const enum stmt s = STMT_DIR_OBJECTS;
	const char *slash = NULL;
	bool more = DB_ROW(db, DIR_OBJECTS, BYTES(buf_str(from)),
	    BYTES(buf_str(end)));

	buf_clear(ret_path);
	while (more) {
		struct str path = db_bytes(db, s, 0);

		slash = memchr(path.p + dir_len, '/', path.len - dir_len);
		if (slash != NULL) {
			buf_add(ret_path, path.p, (size_t)(slash - path.p));
			db_done(db, s);
			break;
		}
		one(u, db_int(db, s, 1));
		more = db_next(db, s);
	}
	return ret_path->len;
}

int
catalog_unseen(struct catalog_reader *r, int64_t dir, const struct idset *seen,
    void (*fn)(void *, int64_t object), void *arg, struct err *err)
{
	const struct unseen u = { r, reader_run(r).first_object, seen, fn,
	    arg };
	struct buf from, end, path;
	struct str dir_path;
	size_t len;

	if (!DB_ROW(&r->db, DIR_PATH, INT(dir)))
		return reader_fault(r, err);
	buf_init(&from, 64 * KIB);
	buf_init(&end, 64 * KIB);
	buf_init(&path, 64 * KIB);
	dir_path = db_bytes(&r->db, STMT_DIR_PATH, 0);
	buf_add(&from, dir_path.p, dir_path.len);
	buf_add(&end, dir_path.p, dir_path.len);
	db_done(&r->db, STMT_DIR_PATH);
	buf_addch(&from, '/');
	buf_addch(&end, '/' + 1);
	len = from.len;
	while (until_subdirectory(&u, len, &from, &end, &path) > 0) {
		buf_clear(&from);
		buf_add(&from, path.data, path.len);
		buf_addch(&from, '/' + 1);
	}
	buf_release(&from);
	buf_release(&end);
	buf_release(&path);
	return reader_fault(r, err);
}
