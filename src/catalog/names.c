/*
 * Keys and the catalog paths that they may stand for. With server_as_prefix a
 * key is the path; without, any server that has such a share may be meant.
 */
#include "catalog/core.h"

/* root: "server/share"; true if the key is below its share. */
static bool
below(struct str root, struct str key, struct buf *path)
{
	const char *slash = memchr(root.p, '/', root.len);
	struct str share = { root.p + root.len, 0 };

	if (slash != NULL) {
		share.p = slash + 1;
		share.len = root.len - (size_t)(share.p - root.p);
	}
	if (share.len > 0 && (!str_starts(key, share) ||
	    key.len == share.len || key.p[share.len] != '/'))
		return false;
	buf_clear(path);
	return buf_add(path, root.p, root.len - share.len) == 0 &&
	    (slash != NULL || buf_addch(path, '/') == 0) &&
	    buf_add(path, key.p, key.len) == 0;
}

void
core_names_of_key(struct db *db, bool server_as_prefix, struct str key,
    void (*fn)(void *, struct str path), void *arg)
{
	CLEANUP(buf_release) struct buf path;
	bool more;

	buf_init(&path, 64 * KIB);
	if (server_as_prefix) {
		fn(arg, key);
		return;
	}
	more = DB_ROW0(db, EXPORT_PATHS);
	while (more) {
		if (below(db_bytes(db, STMT_EXPORT_PATHS, 0), key, &path))
			fn(arg, buf_str(&path));
		more = db_next(db, STMT_EXPORT_PATHS);
	}
}
