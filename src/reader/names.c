/*
 * names.c: keys and their possible catalog paths. With server_as_prefix a key
 * is the path; without, any server with such a share may be meant: the names of
 * the key.
 */
#include "model/path.h"
#include "reader/rows.h"

static struct str
share_of(struct str root)
{
	const char *slash = memchr(root.p, '/', root.len);
	struct str share = { root.p + root.len, 0 };

	if (slash != NULL) {
		share.p = slash + 1;
		share.len = root.len - (size_t)(share.p - root.p);
	}
	return share;
}

/* True if the key is the share itself or lies below the share. */
static bool
lies_in(struct str key, struct str share)
{
	return share.len == 0 || path_lies_in(key, share);
}

/* root: "server/share"; true if the key lies below the share. */
static bool
below(struct str root, struct str key, struct buf *path)
{
	struct str share = share_of(root);

	if (!lies_in(key, share) || (share.len > 0 && key.len == share.len))
		return false;
	buf_clear(path);
	return buf_add(path, root.p, root.len - share.len) == 0 &&
	    (memchr(root.p, '/', root.len) != NULL ||
	    buf_addch(path, '/') == 0) &&
	    buf_add(path, key.p, key.len) == 0;
}

void
names_of_key(struct db *db, bool server_as_prefix, struct str key,
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

/* --- two exports --- */

bool
names_meet(struct str a, struct str b)
{
	struct str x = share_of(a), y = share_of(b);

	return (lies_in(x, y) || lies_in(y, x)) &&
	    !str_eq((struct str){ a.p, a.len - x.len },
	    (struct str){ b.p, b.len - y.len });
}

static struct str
server_of(struct str root, struct str share)
{
	size_t n = root.len - share.len;

	if (n > 0 && root.p[n - 1] == '/')
		n--;
	return (struct str){ root.p, n };
}

char *
names_place(struct str root, struct str path)
{
	struct str a = share_of(root), b = share_of(path);
	struct str server = server_of(root, a), common = a.len > b.len ? a : b;

	return xasprintf("%.*s%s%.*s", (int)server.len, server.p,
	    common.len == 0 ? "" : "/", (int)common.len, common.p);
}

static bool
name_holds(struct db *db, struct str root, const char *path, unsigned which)
{
	const int64_t all = (which & BELOW_HERE) == 0;
	AUTOFREE char *former = names_place(root, str_of(path));
	AUTOFREE char *today = names_place(str_of(path), root);
	bool found = DB_ROW(db, FORMER_HOLDS, TEXT(former), TEXT(today),
	    INT(all));

	if (found)
		db_done(db, STMT_FORMER_HOLDS);
	return found;
}

bool
names_hold(struct db *db, const char *path, unsigned which)
{
	bool newer = (which & BELOW_NEWER) != 0, found = false;
	const enum stmt s = newer ? STMT_EXPORT_NEWER : STMT_EXPORT_PATHS;
	bool more = newer ? DB_ROW(db, EXPORT_NEWER, TEXT(path)) :
	    DB_ROW0(db, EXPORT_PATHS);

	while (more && !found) {
		struct str root = db_bytes(db, s, 0);

		found = names_meet(root, str_of(path)) &&
		    name_holds(db, root, path, which);
		if (found)
			db_done(db, s);
		else
			more = db_next(db, s);
	}
	return found;
}

bool
names_meet_any(struct db *db)
{
	char **v = NULL;
	size_t n = 0;
	bool more, meet = false;

	if (!DB_ROW0(db, TARGET_KEYLESS))
		return false;
	db_done(db, STMT_TARGET_KEYLESS);
	more = DB_ROW0(db, EXPORT_PATHS);
	while (more) {
		v = xreallocarray(v, n + 1, sizeof(*v));
		v[n++] = db_strdup(db, STMT_EXPORT_PATHS, 0);
		more = db_next(db, STMT_EXPORT_PATHS);
	}
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i && !meet; j++)
			meet = names_meet(str_of(v[i]), str_of(v[j]));
	for (size_t i = 0; i < n; i++)
		free(v[i]);
	free(v);
	return meet;
}
