/*
 * Keys and their possible catalog paths. With server_as_prefix a key is the
 * path; without, any server with such a share may be meant: the names of the
 * key. The names share a single object: a run that changes the object, or finds
 * the object changed, ends the rows of the remaining names.
 */
#include "catalog/catalog_internal.h"
#include "model/key.h"

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
	return share.len == 0 || (str_starts(key, share) &&
	    (key.len == share.len || key.p[share.len] == '/'));
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

/* --- the other names of a path --- */

bool
core_names_meet(struct str a, struct str b)
{
	struct str x = share_of(a), y = share_of(b);

	return (lies_in(x, y) || lies_in(y, x)) &&
	    !str_eq((struct str){ a.p, a.len - x.len },
	    (struct str){ b.p, b.len - y.len });
}

bool
core_any_names_meet(struct db *db)
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
			meet = core_names_meet(str_of(v[i]), str_of(v[j]));
	for (size_t i = 0; i < n; i++)
		free(v[i]);
	free(v);
	return meet;
}

struct others {
	struct str path;
	void	 (*fn)(void *, struct str path);
	void	*arg;
};

static void
if_other(void *arg, struct str path)
{
	struct others *x = arg;

	if (!str_eq(path, x->path))
		x->fn(x->arg, path);
}

void
core_other_names(struct own *o, const char *path,
    void (*fn)(void *, struct str path), void *arg)
{
	struct others x = { str_of(path), fn, arg };

	if (o->has_names)
		core_names_of_key(&o->db, false,
		    str_of(key_without_server(path)), if_other, &x);
}

struct telling {
	struct own *own;
	const struct there *there;
};

/* Put the name in doubt: the next run coming to the file asks S3 before
 * sending. */
static void
settle_name(struct own *o, struct str path, bool also_gone)
{
	DB_RUN(&o->db, NAME_SETTLE, INT(o->target), BYTES(path),
	    INT(also_gone));
	o->has_doubts = true;
}

/* The remaining row of the name is right: settle the doubt of a run, if any. */
static void
name_stands(struct own *o, struct str path)
{
	DB_RUN(&o->db, NAME_STANDS, INT(o->target), BYTES(path));
	if (db_changes(&o->db) > 0)
		DB_RUN(&o->db, SETTLE_PATH_DONE, INT(o->target), BYTES(path));
}

static void
end_name(void *arg, struct str path)
{
	struct telling *t = arg;
	struct own *o = t->own;
	const struct there *e = t->there;
	const struct attrs *a = e->attrs;
	bool ended;

	DB_RUN(&o->db, NAME_ENDS, TEXT(e->reason), INT(o->target),
	    BYTES(path), TEXT(e->etag), a == NULL ? NOTHING : INT(a->size),
	    a == NULL ? NOTHING : INT(a->mtime_ns),
	    a == NULL ? NOTHING : INT(a->mode),
	    a == NULL ? NOTHING : INT(a->uid),
	    a == NULL ? NOTHING : INT(a->gid));
	ended = db_changes(&o->db) > 0;
	if (a != NULL)
		name_stands(o, path);
	if (!ended)
		return;
	settle_name(o, path, false);
	if (o->has_verified)
		DB_RUN(&o->db, VERIFIED_CLEAR_PATH, INT(o->target),
		    BYTES(path));
	if (o->has_doomed)
		DB_RUN(&o->db, DOOMED_DONE, INT(o->target), BYTES(path));
}

void
core_names_end(struct own *o, const char *path, const struct there *e)
{
	struct telling t = { o, e };

	core_other_names(o, path, end_name, &t);
}

static void
doubt_name(void *arg, struct str path)
{
	struct own *o = arg;

	DB_RUN(&o->db, NAME_DOUBT, INT(o->target), BYTES(path));
	if (db_changes(&o->db) == 0)
		return;
	settle_name(o, path, true);
	if (o->has_verified)
		DB_RUN(&o->db, VERIFIED_CLEAR_PATH, INT(o->target),
		    BYTES(path));
}

void
core_names_doubt(struct own *o, const char *path)
{
	core_other_names(o, path, doubt_name, o);
}
