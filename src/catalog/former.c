/*
 * Former names of exports. Without the server in the keys, an export no longer
 * in the settings may have put objects under the keys of a share of today: a
 * server was renamed, or an old name comes back. If both names lead to the same
 * file system, and a file met under both names is the same, the objects belong
 * to the share of today. The knowledge about
 * such an object moves to a row of today's path, made as the row of a vanished
 * file if no run has seen a file there; today's path then has to prove that the
 * file is gone.
 */
#include "catalog/catalog_internal.h"
#include "model/key.h"
#include "model/path.h"

#define PAGE	1000

struct former {
	struct writer *writer;
	struct str server;	/* of today; with the slash */
	struct buf today;	/* the path at hand */
	struct buf below;	/* paths of before begin so */
};

static bool
is_of_settings(const struct mirror_rules *r, const char *path)
{
	for (size_t i = 0; i < r->share_count; i++)
		if (path_lies_in(str_of(path), str_of(r->shares[i])))
			return true;
	return false;
}

/* True if both names lead to the same file system where both have the same
 * keys: one of them may begin below the other, in another file system. */
static bool
is_same_fs(struct writer *w, const char *former,
    const struct run_export_row *x, uint64_t seen)
{
	const struct str root = { x->start, x->path_len };
	AUTOFREE char *then = names_place(str_of(former), root);
	AUTOFREE char *now = names_place(root, str_of(former));
	uint64_t fsid;

	if (!rows_fs_noted(&w->db, then, &fsid) &&
	    !rows_fs_noted(&w->db, former, &fsid))
		return false;
	if (strlen(now) > root.len)
		seen = writer_fs_at(w, str_of(now), seen);
	return fsid == seen;
}

/* Set the server of the path, with the slash. */
static void
set_server(struct buf *server, const char *path)
{
	buf_clear(server);
	buf_add(server, path, (size_t)(key_without_server(path) - path));
	if (server->len == 0 || server->data[server->len - 1] != '/')
		buf_addch(server, '/');
}

/* Set what the paths of the former export begin with that lie below the start
 * of the export of today. */
static void
set_below(struct buf *below, const char *former,
    const struct run_export_row *x)
{
	const char *share = key_without_server(former);
	const char *start = key_without_server(x->start);

	set_server(below, former);
	/* Share and start are nested: the longer path is their common part. */
	buf_addstr(below, strlen(start) > strlen(share) ? start : share);
	if (below->data[below->len - 1] != '/')
		buf_addch(below, '/');
}

/* Two servers may give equal numbers to their file systems and roots: true if a
 * file that was seen under the former name is the one that stands under the
 * name of today. */
static bool
is_same_tree(struct writer *w, const char *former,
    const struct run_export_row *x)
{
	CLEANUP(buf_release) struct buf below, before, today;
	CLEANUP(range_release) struct range range;
	bool same;

	buf_init(&below, 64 * KIB);
	buf_init(&before, 64 * KIB);
	buf_init(&today, 64 * KIB);
	set_server(&before, former);
	set_server(&today, x->start);
	set_below(&below, former, x);
	range_init(&range, buf_str(&below), (struct str){ "", 0 });
	same = DB_ROW(&w->db, FORMER_SEEN, range.bind_from, range.bind_end,
	    BYTES(buf_str(&today)), INT(before.len),
	    INT((w->ignore & ATTRS_INO) != 0));
	if (same)
		db_done(&w->db, STMT_FORMER_SEEN);
	return same;
}

/* True if the run's export has replaced the former export, in the same file
 * system. */
static bool
succeeds(struct writer *w, const char *former, size_t export,
    const struct mirror_plan *p)
{
	const struct run_export_row *x = &w->exports[export];

	if (!names_meet(str_of(former),
	    (struct str){ x->start, x->path_len }) ||
	    (p->exports[export] != MIRROR_OPEN &&
	    p->exports[export] != MIRROR_NEW_FS))
		return false;
	return w->accept_fs || (is_same_fs(w, former, x, p->fsids[export]) &&
	    is_same_tree(w, former, x));
}

void
catalog_find_formers(struct writer *w, struct mirror_plan *p)
{
	bool more;

	if (!w->has_names || p->rules == NULL)
		return;
	more = DB_ROW0(&w->db, EXPORT_PATHS);
	while (more) {
		char *path = db_strdup(&w->db, STMT_EXPORT_PATHS, 0);
		bool is = false;

		for (size_t i = 0; i < w->export_count && !is &&
		    !is_of_settings(p->rules, path); i++)
			is = succeeds(w, path, i, p);
		if (is)
			strlist_take(&p->formers, path);
		else
			free(path);
		more = db_next(&w->db, STMT_EXPORT_PATHS);
	}
}

/* --- rows of today --- */

/* A directory never seen by a run under this name is gone. */
static int64_t
directory(struct writer *w, struct str path, int64_t export)
{
	int64_t first = w->next_dir, dir = writer_dir(w, path, export);

	if (w->next_dir > first)
		DB_RUN(&w->db, DIRS_UNSEEN, INT(w->run), INT(first));
	return dir;
}

static int64_t
gone_row(struct writer *w, struct str path, const struct attrs *a)
{
	size_t export = writer_export_of(w, path);
	int64_t id;

	if (export == w->export_count ||
	    !writer_fs_stands(w, &w->exports[export], path))
		return 0;
	id = writer_insert(w, directory(w, path_dir(path),
	    w->exports[export].id), path, a, NULL);
	if (id != 0)
		DB_RUN(&w->db, OBJECT_GONE, INT(w->run), INT(id));
	return id;
}

/* Return the row of today's path, to inherit the knowledge; 0: today's path has
 * its own. */
static int64_t
heir(struct former *f, const char *path, const struct attrs *a)
{
	struct writer *w = f->writer;
	const char *key = key_without_server(path);
	bool known = false;
	int64_t id = 0;

	buf_clear(&f->today);
	if (buf_add(&f->today, f->server.p, f->server.len) == -1 ||
	    buf_addstr(&f->today, key) == -1)
		return 0;
	if (DB_ROW(&w->db, NAME_TODAY, INT(w->target),
	    BYTES(buf_str(&f->today)))) {
		known = true;
		if (db_int(&w->db, STMT_NAME_TODAY, 1) == 0)
			id = db_int(&w->db, STMT_NAME_TODAY, 0);
		db_done(&w->db, STMT_NAME_TODAY);
	}
	return known ? id : gone_row(w, buf_str(&f->today), a);
}

struct row {
	bool	 held;		/* else: what the target holds is in doubt */
	int64_t	 object;
	char	*path;
	struct attrs attrs;
};

/* Read up to PAGE rows; the statement's first columns are a struct row. */
static size_t
take_rows(struct db *db, enum stmt s, bool more, struct row *v)
{
	size_t n = 0;

	for (; more; more = n < PAGE && db_next(db, s)) {
		v[n].held = db_int(db, s, 0) != 0;
		v[n].object = db_int(db, s, 1);
		v[n].path = db_strdup(db, s, 2);
		row_attrs(db, s, 3, &v[n].attrs);
		n++;
	}
	if (n == PAGE)
		db_done(db, s);
	return n;
}

static void
inherit(struct former *f, const struct row *r)
{
	struct writer *w = f->writer;
	int64_t id = heir(f, r->path, &r->attrs);

	if (id == 0)
		return;
	if (r->held) {
		DB_RUN(&w->db, NAME_RESULT, INT(id), INT(r->object),
		    INT(w->target));
		writer_adopted(w, id);
		return;
	}
	DB_RUN(&w->db, SETTLE_ADD, INT(w->target), INT(id));
	DB_RUN(&w->db, SETTLE_DONE, INT(w->target), INT(r->object));
	w->has_doubts = true;
}

static void
inherit_all(struct former *f, bool held)
{
	struct row *v = xcalloc(PAGE, sizeof(*v));
	struct writer *w = f->writer;
	CLEANUP(buf_release) struct buf after;
	size_t n = PAGE;

	buf_init(&after, 64 * KIB);
	while (n == PAGE && w->db.err.kind == ERR_NONE) {
		CLEANUP(range_release) struct range range;

		range_init(&range, buf_str(&f->below), buf_str(&after));
		n = held ? take_rows(&w->db, STMT_FORMER_HELD,
		    DB_ROW(&w->db, FORMER_HELD, INT(w->target),
		    range.bind_from, range.bind_end), v) :
		    take_rows(&w->db, STMT_FORMER_DOUBT,
		    DB_ROW(&w->db, FORMER_DOUBT, INT(w->target),
		    range.bind_from, range.bind_end), v);
		for (size_t i = 0; i < n; i++)
			inherit(f, &v[i]);
		buf_clear(&after);
		if (n > 0)
			buf_addstr(&after, v[n - 1].path);
		for (size_t i = 0; i < n; i++)
			free(v[i].path);
	}
	free(v);
}

/* Inherit the objects of a former name below the start of an export of
 * today. */
static void
succeed(struct writer *w, const char *former, const struct run_export_row *x)
{
	struct former f = { .writer = w };
	CLEANUP(buf_release) struct buf today;

	buf_init(&today, 64 * KIB);
	set_server(&today, x->start);
	f.server = buf_str(&today);
	buf_init(&f.today, 64 * KIB);
	buf_init(&f.below, 64 * KIB);
	set_below(&f.below, former, x);
	inherit_all(&f, true);
	inherit_all(&f, false);
	buf_release(&f.today);
	buf_release(&f.below);
}

static bool
start_meets(const char *former, const struct run_export_row *x)
{
	return names_meet(str_of(former), str_of(x->start));
}

void
catalog_take_formers(struct writer *w, const struct mirror_plan *p)
{
	for (size_t i = 0; i < p->formers.n; i++)
		for (size_t k = 0; k < w->export_count; k++)
			if (start_meets(p->formers.v[i], &w->exports[k]) &&
			    succeeds(w, p->formers.v[i], k, p))
				succeed(w, p->formers.v[i], &w->exports[k]);
}
