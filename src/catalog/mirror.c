/*
 * PUT --delete: decide between objects to delete at the target and objects to
 * keep.
 */
#include "catalog/catalog_internal.h"
#include "model/key.h"
#include "model/path.h"

const char *
mirror_guard_text(enum mirror_guard g)
{
	static const char *const text[] = {
		[MIRROR_OPEN] = "",
		[MIRROR_UNSEEN] = "its root was not read in this run",
		[MIRROR_EMPTY] = "it is empty (if that is right: "
		    "--accept-empty)",
		[MIRROR_OTHER_FS] = "it is another file system than it is "
		    "known by (if that is right: --accept-filesystem)",
		[MIRROR_NEW_FS] = "no earlier run has noted its file system",
	};

	return text[g];
}

/* --- the plan --- */

void
mirror_plan_release(struct mirror_plan *p)
{
	strlist_clear(&p->roots);
	for (size_t i = 0; p->paths != NULL && i < p->export_count; i++)
		free(p->paths[i]);
	free(p->paths);
	free(p->gone_starts);
	strlist_clear(&p->formers);
	free(p->exports);
	free(p->fsids);
	memset(p, 0, sizeof(*p));
}

/* If nothing is known of the root, what is known of the start counts. */
static enum mirror_guard
guard_of(struct writer *w, const struct run_export_row *x, uint64_t *ret_fsid)
{
	const enum stmt s = STMT_EXPORT_GUARD;
	struct db *db = &w->db;
	bool empty, mixed;

	if (!DB_ROW(db, EXPORT_GUARD, INT(x->id), INT(w->crawl)))
		return MIRROR_UNSEEN;
	empty = db_int(db, s, 0) != 0;
	mixed = db_null(db, s, 1);
	*ret_fsid = (uint64_t)db_int(db, s, 1);
	db_done(db, s);
	if (empty)
		return MIRROR_EMPTY;
	if (!x->has_known && (!x->start_known || mixed ||
	    x->start_fsid != *ret_fsid))
		return MIRROR_NEW_FS;
	if (mixed || (x->has_known && x->known != *ret_fsid))
		return MIRROR_OTHER_FS;
	return MIRROR_OPEN;
}

static int
by_root(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Set the start directories, with a slash appended, sorted, without starts
 * below another start. */
static void
set_roots(struct mirror_plan *p, const struct writer *w)
{
	struct strlist *l = &p->roots;
	size_t kept = 0;

	for (size_t i = 0; i < w->export_count; i++)
		strlist_take(l, xasprintf("%s/", w->exports[i].start));
	if (l->n > 0)
		qsort(l->v, l->n, sizeof(*l->v), by_root);
	for (size_t i = 0; i < l->n; i++) {
		if (kept > 0 && str_starts(str_of(l->v[i]),
		    str_of(l->v[kept - 1])))
			free(l->v[i]);
		else
			l->v[kept++] = l->v[i];
	}
	l->n = kept;
}

struct planning {
	struct mirror_plan *plan;
	bool	 refused;
};

static void
plan(struct catalog *c, void *arg)
{
	struct planning *pl = arg;
	struct mirror_plan *p = pl->plan;
	struct writer *w = &c->writer;

	if (w->run == 0 || !w->crawls || !writer_crawl_done(w)) {
		pl->refused = true;
		return;
	}
	catalog_bury(w);
	p->crawl = w->crawl;
	p->other_target = w->other_target;
	p->export_count = w->export_count;
	p->exports = xcalloc(MAX(w->export_count, (size_t)1),
	    sizeof(*p->exports));
	p->fsids = xcalloc(MAX(w->export_count, (size_t)1),
	    sizeof(*p->fsids));
	p->paths = xcalloc(MAX(w->export_count, (size_t)1),
	    sizeof(*p->paths));
	p->gone_starts = xcalloc(MAX(w->export_count, (size_t)1),
	    sizeof(*p->gone_starts));
	for (size_t i = 0; i < w->export_count; i++) {
		p->paths[i] = xstrdup(w->roots[i]);
		p->gone_starts[i] = w->exports[i].gone_start;
		p->exports[i] = guard_of(w, &w->exports[i], &p->fsids[i]);
	}
	catalog_find_formers(w, p);
	set_roots(p, w);
}

static void
take_formers(struct catalog *c, void *arg)
{
	struct planning *pl = arg;

	if (!c->writer.has_names)
		return;
	plan(c, pl);
	if (!pl->refused)
		catalog_take_formers(&c->writer, pl->plan);
}

static int
no_plan(struct err *err)
{
	return err_set(err, ERR_USAGE, 0, "what is gone is known only "
	    "when all directories have been read");
}

int
catalog_mirror_begin(struct catalog *c, const struct mirror_rules *rules,
    struct err *err)
{
	CLEANUP(mirror_plan_release) struct mirror_plan p = { .rules = rules };
	struct planning pl = { .plan = &p };

	if (catalog_call(c, take_formers, &pl, err) == -1)
		return -1;
	return pl.refused ? no_plan(err) : 0;
}

/* --- may it go? --- */

enum judgement { MAY_GO = 0, GUARDED, UNPROVED, LEFT_OUT };

struct mirror {
	struct catalog_reader *reader;
	const struct mirror_plan *plan;
	int64_t	 target;
	bool	 server_as_prefix;
	int64_t	 dir;		/* the last that was judged */
	enum judgement judgement;
	size_t	 export;
	uint64_t fsid;		/* in which it was seen */
};

static bool
is_gone_start(const struct mirror_plan *p, int64_t dir)
{
	for (size_t i = 0; i < p->export_count; i++)
		if (p->gone_starts[i] == dir)
			return true;
	return false;
}

/* MAY_GO if the directory was read cleanly in this crawl; for a vanished
 * directory, the nearest existing directory above counts, and its export. */
static enum judgement
judge_dir(struct mirror *m, int64_t dir)
{
	const enum stmt s = STMT_DIR_PROOF;
	struct db *db = reader_db(m->reader);
	bool clean = false, gone = true;
	size_t export = m->plan->export_count;

	while (gone && !clean && dir != 0) {
		if (!DB_ROW(db, DIR_PROOF, INT(dir)))
			return UNPROVED;
		gone = db_int(db, s, 3) != 0;
		clean = gone ? is_gone_start(m->plan, dir) :
		    db_int(db, s, 1) >= m->plan->crawl &&
		    db_int(db, s, 2) != 0;
		dir = db_int(db, s, 0);
		/* Whichever export an earlier run read the directory for. */
		export = path_innermost(db_bytes(db, s, 4),
		    (const char *const *)m->plan->paths,
		    m->plan->export_count);
		db_done(db, s);
	}
	if (!clean && !(m->plan->rules != NULL &&
	    m->plan->rules->unread))
		return UNPROVED;
	if (export == m->plan->export_count)
		return UNPROVED;
	m->export = export;
	m->fsid = m->plan->fsids[export];
	return m->plan->exports[export] == MIRROR_OPEN ? MAY_GO : GUARDED;
}

/* Another path with the same key. */
struct twin {
	const struct mirror *mirror;
	struct str path;	/* ours */
	int64_t	 target;	/* of the other path */
	int64_t	 put_ns;	/* when ours was put */
	bool	 keeps;		/* the key belongs to an existing file: keep the
				   object */
};

static bool
is_below(char *const *shares, size_t n, struct str path)
{
	for (size_t i = 0; i < n; i++) {
		struct str share = str_of(shares[i]);

		if (path_lies_in(path, share) && path.len > share.len)
			return true;
	}
	return false;
}

static bool
is_in_settings(const struct mirror_rules *r, struct str path)
{
	return r == NULL || is_below((char *const *)r->shares,
	    r->share_count, path);
}

/* Crawls never find a file gone from a share removed from the settings. Such a
 * file keeps the key only if the bytes at the key were put for the file, and
 * never if the share is ours under a former name. */
static void
look_for_twin(void *arg, struct str path)
{
	struct twin *t = arg;
	const struct mirror *m = t->mirror;
	struct db *db = reader_db(m->reader);

	if (str_eq(path, t->path) || is_below(m->plan->formers.v,
	    m->plan->formers.n, path) || !DB_ROW(db, OBJECT_LIVE,
	    INT(t->target), BYTES(path)))
		return;
	if (is_in_settings(m->plan->rules, path) ||
	    db_int(db, STMT_OBJECT_LIVE, 0) > t->put_ns)
		t->keeps = true;
	db_done(db, STMT_OBJECT_LIVE);
}

static bool
is_left_out(const struct mirror *m, struct str path)
{
	const struct mirror_plan *p = m->plan;
	const struct db *db = reader_db(m->reader);
	struct attrs held, last;

	if (p->rules == NULL || p->rules->keep == NULL)
		return false;
	row_attrs(db, STMT_GONE_PAGE, 12, &held);
	last = held;
	last.kind = (enum entry_kind)db_int(db, STMT_GONE_PAGE, 21);
	last.size = (uint64_t)db_int(db, STMT_GONE_PAGE, 22);
	return p->rules->keep(p->rules->keep_arg, path, &held, &last);
}

/* Judge the directory, unless it was the last to be judged. */
static void
judge_in(struct mirror *m, int64_t dir)
{
	if (dir == m->dir)
		return;
	m->judgement = judge_dir(m, dir);
	m->dir = dir;
	(void)rows_fs_of_dir(reader_db(m->reader), dir, &m->fsid);
}

/* Judge the row of gone_page at hand. */
static enum judgement
judge(struct mirror *m)
{
	struct str path = db_bytes(reader_db(m->reader), STMT_GONE_PAGE, 1);
	struct twin t = { .mirror = m, .path = path, .target = m->target,
	    .put_ns = db_int(reader_db(m->reader), STMT_GONE_PAGE, 7) };
	AUTOFREE char *name = NULL;
	struct str key;

	judge_in(m, db_int(reader_db(m->reader), STMT_GONE_PAGE, 20));
	if (m->judgement == GUARDED)
		return GUARDED;
	if (is_left_out(m, path))
		return LEFT_OUT;
	if (m->judgement != MAY_GO ||
	    (m->server_as_prefix && m->plan->other_target == 0))
		return m->judgement;
	name = xstrndup(path.p, path.len);
	key = str_of(key_of_path(name, m->server_as_prefix));
	if (!m->server_as_prefix)
		names_of_key(reader_db(m->reader), false, key, look_for_twin,
		    &t);
	t.target = m->plan->other_target;
	if (t.target != 0)
		names_of_key(reader_db(m->reader), !m->server_as_prefix, key,
		    look_for_twin, &t);
	return t.keeps ? UNPROVED : MAY_GO;
}

/* --- going through them --- */

/* Called for each object held for a vanished file; false stops the walk. */
typedef bool gone_fn(struct mirror *, enum judgement, void *arg);

/* False: fn had enough. */
static bool
each_below(struct mirror *m, struct str root, struct str after, gone_fn *fn,
    void *arg)
{
	CLEANUP(range_release) struct range range;
	struct db *db = reader_db(m->reader);
	bool more;

	range_init(&range, root, after);
	more = DB_ROW(db, GONE_PAGE, INT(m->target), range.bind_from,
	    range.bind_end, INT(m->plan->crawl));
	while (more) {
		if (!fn(m, judge(m), arg)) {
			db_done(db, STMT_GONE_PAGE);
			return false;
		}
		more = db_next(db, STMT_GONE_PAGE);
	}
	return true;
}

/* Walk the objects after the path given: roots before the path are done. */
static int
each_gone(struct mirror *m, const char *after, gone_fn *fn, void *arg,
    struct err *err)
{
	const struct mirror_plan *p = m->plan;
	const struct str begin = { "", 0 };
	bool more = true;

	m->target = reader_target(m->reader, &m->server_as_prefix);
	for (size_t i = 0; i < p->roots.n && more; i++) {
		struct str root = str_of(p->roots.v[i]);

		if (str_starts(str_of(after), root))
			more = each_below(m, root, str_of(after), fn, arg);
		else if (strcmp(root.p, after) > 0)
			more = each_below(m, root, begin, fn, arg);
	}
	return reader_fault(m->reader, err);
}

static bool
count_one(struct mirror *m, enum judgement j, void *arg)
{
	struct mirror_plan *p = arg;

	if (j == MAY_GO) {
		p->count++;
		p->bytes = add_capped(p->bytes, (uint64_t)db_int(
		    reader_db(m->reader), STMT_GONE_PAGE, 13));
	} else if (j == GUARDED) {
		if (p->guarded++ == 0)
			p->first_guarded = m->export;
	} else if (j == LEFT_OUT) {
		p->left_out++;
	} else {
		p->unproved++;
	}
	return true;
}

int
catalog_mirror_plan(struct catalog *c, struct catalog_reader *r,
    const struct mirror_rules *rules, struct mirror_plan *p, struct err *err)
{
	struct planning pl = { .plan = p };
	struct mirror m = { .reader = r, .plan = p };

	memset(p, 0, sizeof(*p));
	p->rules = rules;
	if (catalog_call(c, plan, &pl, err) == -1)
		return -1;
	if (pl.refused)
		return no_plan(err);
	if (each_gone(&m, "", count_one, p, err) == -1) {
		mirror_plan_release(p);
		return -1;
	}
	return 0;
}

int
catalog_mirror_stored(struct catalog_reader *r, const struct mirror_plan *p,
    uint64_t enough, const struct count_turn *turn, uint64_t *ret_count,
    struct err *err)
{
	uint64_t n, bytes;

	*ret_count = 0;
	for (size_t i = 0; i < p->roots.n; i++) {
		if (enough > 0 && *ret_count >= enough)
			break;
		if (catalog_count_stored(r, str_of(p->roots.v[i]),
		    enough == 0 ? 0 : enough - *ret_count, turn, &n, &bytes,
		    err) == -1)
			return -1;
		*ret_count += n;
	}
	return 0;
}

void
mirror_row_release(struct mirror_row *r)
{
	stored_release(&r->stored);
}

struct page {
	struct mirror_row *v;
	size_t	 n;
	size_t	 count;
};

static bool
take_one(struct mirror *m, enum judgement j, void *arg)
{
	struct page *p = arg;

	if (j == MAY_GO) {
		struct mirror_row *r = &p->v[p->count++];

		row_stored(reader_db(m->reader), STMT_GONE_PAGE, &r->stored);
		r->export = (unsigned)m->export;
		r->fsid = m->fsid;
	}
	return p->count < p->n;
}

int
catalog_mirror_page(struct catalog_reader *r, const struct mirror_plan *p,
    struct str after, struct mirror_row *v, size_t n, size_t *ret_count,
    struct err *err)
{
	struct mirror m = { .reader = r, .plan = p };
	AUTOFREE char *name = xstrndup(after.p, after.len);
	struct page page = { .v = v, .n = n };
	int rc = 0;

	if (n > 0)
		rc = each_gone(&m, name, take_one, &page, err);
	*ret_count = page.count;
	return rc;
}

/* --- what this crawl left out --- */

void
unread_cursor_release(struct unread_cursor *c)
{
	free(c->dir);
	free(c->after);
	*c = (struct unread_cursor){ .dir = NULL };
}

/* Move on to the next directory left out; false: no directory is left. */
static bool
next_unread(struct mirror *m, struct unread_cursor *c)
{
	struct db *db = reader_db(m->reader);
	AUTOFREE char *before = STEAL(c->dir);

	free(STEAL(c->after));
	if (!DB_ROW(db, UNREAD_DIR, TEXT(before == NULL ? "" : before),
	    INT(m->plan->crawl)))
		return false;
	c->dir = db_strdup(db, STMT_UNREAD_DIR, 0);
	db_done(db, STMT_UNREAD_DIR);
	return true;
}

static void
take_unread(struct mirror *m, struct page *p)
{
	const enum stmt s = STMT_UNREAD_PAGE;
	struct db *db = reader_db(m->reader);
	struct mirror_row *r = &p->v[p->count];

	judge_in(m, db_int(db, s, 3));
	if (m->judgement != MAY_GO)
		return;
	memset(r, 0, sizeof(*r));
	r->stored.object = db_int(db, s, 0);
	r->stored.path = db_strdup(db, s, 1);
	r->stored.attrs.size = (uint64_t)db_int(db, s, 2);
	r->export = (unsigned)m->export;
	r->fsid = m->fsid;
	p->count++;
}

/* False: the page is full. */
static bool
take_range(struct mirror *m, struct unread_cursor *c, struct page *p,
    struct value from, struct value end)
{
	struct db *db = reader_db(m->reader);
	bool more = DB_ROW(db, UNREAD_PAGE, from, end, INT(m->plan->crawl),
	    INT(m->plan->formers.n > 0), INT(m->target));

	while (more) {
		free(c->after);
		c->after = db_strdup(db, STMT_UNREAD_PAGE, 1);
		take_unread(m, p);
		if (p->count == p->n) {
			db_done(db, STMT_UNREAD_PAGE);
			return false;
		}
		more = db_next(db, STMT_UNREAD_PAGE);
	}
	return true;
}

/* Take a file that was in the place of the directory at hand, and the files
 * below; false: the page is full. */
static bool
take_unread_dir(struct mirror *m, struct unread_cursor *c, struct page *p)
{
	CLEANUP(range_release) struct range range;
	AUTOFREE char *prefix = xasprintf("%s/", c->dir);
	size_t len = strlen(c->dir);

	/* No path holds a NUL: only the directory's own is in this range. */
	if (c->after == NULL && !take_range(m, c, p, TEXT(c->dir),
	    BYTES(((struct str){ c->dir, len + 1 }))))
		return false;
	range_init(&range, str_of(prefix), str_of(c->after != NULL &&
	    strlen(c->after) > len ? c->after : ""));
	return take_range(m, c, p, range.bind_from, range.bind_end);
}

int
catalog_mirror_unread(struct catalog_reader *r, const struct mirror_plan *p,
    struct unread_cursor *c, struct mirror_row *v, size_t n,
    size_t *ret_count, struct err *err)
{
	struct mirror m = { .reader = r, .plan = p };
	struct page page = { .v = v, .n = n };

	m.target = reader_target(r, &m.server_as_prefix);
	while ((c->dir == NULL || take_unread_dir(&m, c, &page)) &&
	    next_unread(&m, c))
		continue;
	*ret_count = page.count;
	return reader_fault(r, err);
}

struct burying {
	const int64_t *gone;
	size_t	 n;
	const struct outcomes *unknown;
};

/* The failure is one of this run alone: the file may be there, as it was when
 * its object was put. */
static void
note_unknown(struct writer *w, const struct outcome_row *r)
{
	writer_failure(w, 0, 0, str_of(r->path), &r->err, r->attempts);
	w->totals.found++;
	w->totals.failed++;
	w->delete_failed++;
}

static void
bury(struct catalog *c, void *arg)
{
	const struct burying *b = arg;
	struct writer *w = &c->writer;

	if (w->run == 0)
		return;
	for (size_t i = 0; i < b->n; i++)
		writer_object_gone(w, b->gone[i]);
	for (size_t i = 0; i < b->unknown->count; i++)
		note_unknown(w, &b->unknown->v[i]);
}

int
catalog_mirror_bury(struct catalog *c, const int64_t *gone, size_t n,
    const struct outcomes *unknown, struct err *err)
{
	struct burying b = { gone, n, unknown };

	return catalog_call(c, bury, &b, err);
}
