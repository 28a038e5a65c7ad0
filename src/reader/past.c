#include "reader/past.h"

#include <sys/stat.h>
#include <time.h>

#include "db/view.h"
#include "model/key.h"
#include "reader/reader_internal.h"
#include "reader/rows.h"

#define NS		INT64_C(1000000000)
#define NS_A_MS		1000000
#define HELD_COLUMN	21

/* --- moments --- */

/* A time in UTC, as seconds since 1970, as far as nanoseconds can tell it. */
static bool
parse_time(const char *text, int64_t *ret)
{
	int64_t t;
	int day;

	static const char *const forms[] = { "%Y-%m-%d", "%Y-%m-%dT%H:%M",
	    "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S" };

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct tm tm = { .tm_sec = 0 };
		const char *end = strptime(text, forms[i], &tm);

		if (end == NULL || (strcmp(end, "") != 0 &&
		    (i == 0 || strcmp(end, "Z") != 0)))
			continue;
		day = tm.tm_mday;
		t = timegm(&tm) + (i == 0 ? 24 * 60 * 60 - 1 : 0);
		*ret = MIN(MAX(t, 0), INT64_MAX / NS - 1);
		/* The 30th of February would be the 2nd of March. */
		return tm.tm_mday == day;
	}
	return false;
}

/* Events of later runs have ids above this. */
static int64_t
last_event(struct db *db, int64_t run)
{
	return db_first(db, STMT_MOMENT_NEXT, &INT(run), 1);
}

/* The last run of before the journal; 0: none. What it left is known, and
 * nothing that was before. */
static int64_t
last_unrecorded(struct db *db)
{
	return db_first(db, STMT_MOMENT_FIRST, NULL, 0);
}

static int
not_recorded(const char *text, int64_t run, struct err *err)
{
	return err_set(err, ERR_USAGE, 0, "what targets held as of %s is not "
	    "recorded: the journal begins after run %jd", text,
	    (intmax_t)run);
}

static int
moment_of_run(struct db *db, const char *text, struct moment *m,
    struct err *err)
{
	int64_t run = strlen(text) > 18 ? -1 : strtoll(text, NULL, 10);
	int64_t first = last_unrecorded(db);

	if (!DB_ROW(db, RUN_STARTED, INT(run)))
		return err_set(err, ERR_USAGE, 0, "there is no run %s", text);
	db_done(db, STMT_RUN_STARTED);
	if (run < first)
		return not_recorded(text, first, err);
	*m = (struct moment){ .run = run };
	return 0;
}

static int
moment_of_time(struct db *db, const char *text, int64_t seconds,
    struct moment *m, struct err *err)
{
	int64_t first = last_unrecorded(db), run, ended;
	const enum stmt s = STMT_MOMENT_AT;

	if (!DB_ROW(db, MOMENT_AT, INT(seconds * NS + NS - 1)))
		return first != 0 ? not_recorded(text, first, err) :
		    err_set(err, ERR_USAGE, 0, "no run began before %s", text);
	run = db_int(db, s, 0);
	ended = db_int(db, s, 3);
	*m = (struct moment){ .run = run - 1, .part = run,
	    .ms = db_int(db, s, 2) };
	db_done(db, s);
	if (run < first || (run == first && ended > seconds * NS + NS - 1))
		return not_recorded(text, first, err);
	if (run == first)
		*m = (struct moment){ .run = run };
	return 0;
}

/* Is the answer left? */
static int
check_pruned(struct db *db, const char *text, const struct moment *m,
    struct err *err)
{
	const enum stmt s = STMT_PRUNED_UNTIL;
	int64_t event = last_event(db, m->run);
	char horizon[32];
	bool pruned;

	if (!DB_ROW0(db, PRUNED_UNTIL))
		return 0;
	pruned = event < db_int(db, s, 0);
	str_escape(db_bytes(db, s, 2), horizon, sizeof(horizon));
	db_done(db, s);
	return !pruned ? 0 : err_set(err, ERR_USAGE, 0, "what was before %s "
	    "has been pruned from the catalog: there is no answer for %s",
	    horizon, text);
}

int
past_moment(struct db *db, const char *text, struct moment *m,
    struct err *err)
{
	int64_t seconds;
	int rc;

	if (text[0] != '\0' && text[strspn(text, "0123456789")] == '\0')
		rc = moment_of_run(db, text, m, err);
	else if (parse_time(text, &seconds))
		rc = moment_of_time(db, text, seconds, m, err);
	else
		return err_set(err, ERR_USAGE, 0, "\"%s\" is neither the "
		    "number of a run nor a time such as 2026-11-30 or "
		    "2026-11-30T12:00:00Z", text);
	if (rc == 0)
		rc = check_pruned(db, text, m, err);
	if (db->err.kind == ERR_NONE)
		return rc;
	*err = db->err;
	return -1;
}

/* --- objects --- */

void
past_row_release(struct past_row *r)
{
	stored_release(&r->stored);
}

/* Versions of one table, by path: newest versions or earlier ones. */
struct versions {
	enum stmt s;
	bool	 more;
};

static void
take(struct db *db, struct versions *v, struct past_row *out)
{
	row_stored(db, v->s, &out->stored);
	out->held = db_int(db, v->s, HELD_COLUMN) != 0;
	out->ended_run = db_int(db, v->s, HELD_COLUMN + 1);
	v->more = db_next(db, v->s);
}

static int
by_path(const struct db *db, const struct versions *a,
    const struct versions *b)
{
	struct str x = db_bytes(db, a->s, 1), y = db_bytes(db, b->s, 1);
	int order = memcmp(x.p, y.p, MIN(x.len, y.len));

	return order != 0 ? order : x.len < y.len ? -1 : x.len > y.len;
}

int
past_page(struct catalog_reader *r, const struct moment *m, struct str prefix,
    struct str after, struct past_row *v, size_t n, size_t *ret_count,
    struct err *err)
{
	CLEANUP(range_release) struct range range;
	struct versions newest = { .s = STMT_PAST_NEWEST };
	struct versions earlier = { .s = STMT_PAST_EARLIER };
	struct db *db = &r->db;
	bool server_as_prefix;
	int64_t target = reader_target(r, &server_as_prefix);

	*ret_count = 0;
	range_init(&range, prefix, after);
	newest.more = DB_ROW(db, PAST_NEWEST, INT(target), INT(m->run),
	    INT(m->part), INT(m->ms), range.bind_from, range.bind_end);
	earlier.more = DB_ROW(db, PAST_EARLIER, INT(target), INT(m->run),
	    INT(m->part), INT(m->ms), range.bind_from, range.bind_end);
	while (*ret_count < n && (newest.more || earlier.more)) {
		bool first = !earlier.more || (newest.more &&
		    by_path(db, &newest, &earlier) < 0);

		take(db, first ? &newest : &earlier, &v[(*ret_count)++]);
	}
	if (newest.more)
		db_done(db, newest.s);
	if (earlier.more)
		db_done(db, earlier.s);
	return reader_fault(r, err);
}

struct naming {
	struct catalog_reader *reader;
	const struct moment *moment;
	const struct stored *own;
	bool	 newer;
};

/* Was a version of this path, another one of the key, recorded later? */
static void
compare_name(void *arg, struct str path)
{
	struct naming *n = arg;
	struct past_row other;
	size_t count;

	if (n->newer || str_eq(path, str_of(n->own->path)) ||
	    past_page(n->reader, n->moment, path, STR(""), &other, 1, &count,
	    NULL) == -1 || count == 0)
		return;
	n->newer = str_eq(path, str_of(other.stored.path)) &&
	    (other.stored.stored_ns > n->own->stored_ns ||
	    (other.stored.stored_ns == n->own->stored_ns &&
	    strcmp(other.stored.path, n->own->path) < 0));
	past_row_release(&other);
}

int
past_is_shadowed(struct catalog_reader *r, const struct moment *m,
    const struct past_row *row, bool *ret, struct err *err)
{
	struct naming n = { r, m, &row->stored, false };
	bool server_as_prefix;

	(void)reader_target(r, &server_as_prefix);
	if (!server_as_prefix)
		names_of_key(&r->db, false, str_of(key_without_server(
		    row->stored.path)), compare_name, &n);
	*ret = n.newer;
	return reader_fault(r, err);
}

/* --- what a run has deleted --- */

void
deleted_row_release(struct deleted_row *r)
{
	stored_release(&r->stored);
	free(STEAL(r->marker));
}

/* Did the run go to the target of the reader? One that had not begun went
 * nowhere, and has deleted nothing. */
static int
check_target(struct catalog_reader *r, int64_t run, struct err *err)
{
	struct db *db = &r->db;
	bool server_as_prefix, other;
	char name[120] = "";

	if (!DB_ROW(db, RUN_TARGET, INT(run)))
		return 0;
	other = db_int(db, STMT_RUN_TARGET, 0) !=
	    reader_target(r, &server_as_prefix);
	str_escape(db_bytes(db, STMT_RUN_TARGET, 1), name, sizeof(name));
	db_done(db, STMT_RUN_TARGET);
	return !other ? 0 : err_set(err, ERR_USAGE, 0, "run %jd went to %s, "
	    "which is not the target of these settings", (intmax_t)run, name);
}

int
past_recorded(struct catalog_reader *r, int64_t run, struct err *err)
{
	int64_t first = last_unrecorded(&r->db);
	bool known = DB_ROW(&r->db, RUN_STARTED, INT(run));
	bool pruned = false;

	if (known)
		db_done(&r->db, STMT_RUN_STARTED);
	else
		return reader_fault(r, err) == -1 ? -1 : err_set(err,
		    ERR_USAGE, 0, "there is no run %jd", (intmax_t)run);
	if (DB_ROW0(&r->db, PRUNED_UNTIL)) {
		pruned = run < db_int(&r->db, STMT_PRUNED_UNTIL, 1);
		db_done(&r->db, STMT_PRUNED_UNTIL);
	}
	if (pruned)
		return err_set(err, ERR_USAGE, 0, "what run %jd has deleted "
		    "has been pruned from the catalog", (intmax_t)run);
	if (run <= first)
		return err_set(err, ERR_USAGE, 0, "what run %jd has deleted is "
		    "not recorded: the journal begins after run %jd",
		    (intmax_t)run, (intmax_t)first);
	return check_target(r, run, err) == -1 ? -1 : reader_fault(r, err);
}

static void
take_deleted(struct db *db, enum stmt s, struct deleted_row *d)
{
	*d = (struct deleted_row){ .doubted = s == STMT_PAST_DOUBTED ||
	    db_int(db, s, HELD_COLUMN + 2) != 0 };
	row_stored(db, s, &d->stored);
	d->number = db_int(db, s, HELD_COLUMN);
	d->marker = db_strdup(db, s, HELD_COLUMN + 1);
}

/* A page of the rows of a statement that names the run, the last row of the
 * page before and the target, in this order. */
static int
deleted_page(struct catalog_reader *r, enum stmt s, int64_t run,
    int64_t after, struct deleted_row *v, size_t n, size_t *ret_count,
    struct err *err)
{
	bool server_as_prefix, more;
	int64_t target = reader_target(r, &server_as_prefix);
	const struct value of[] = { INT(run), INT(after), INT(target) };

	*ret_count = 0;
	more = db_row(&r->db, s, of, ARRAY_LEN(of));
	while (more && *ret_count < n) {
		take_deleted(&r->db, s, &v[(*ret_count)++]);
		more = db_next(&r->db, s);
	}
	if (more)
		db_done(&r->db, s);
	return reader_fault(r, err);
}

int
past_deleted_page(struct catalog_reader *r, int64_t run, int64_t after,
    struct deleted_row *v, size_t n, size_t *ret_count, struct err *err)
{
	return deleted_page(r, STMT_PAST_DELETED, run, after, v, n, ret_count,
	    err);
}

int
past_doubted_page(struct catalog_reader *r, int64_t run, int64_t after,
    struct deleted_row *v, size_t n, size_t *ret_count, struct err *err)
{
	return deleted_page(r, STMT_PAST_DOUBTED, run, after, v, n, ret_count,
	    err);
}

int
past_deletions(struct catalog_reader *r, int64_t run, uint64_t *ret_count,
    uint64_t *ret_unknown, struct err *err)
{
	const enum stmt s = STMT_PAST_DELETIONS;
	bool server_as_prefix;
	int64_t target = reader_target(r, &server_as_prefix);

	*ret_count = *ret_unknown = 0;
	if (DB_ROW(&r->db, PAST_DELETIONS, INT(run), INT(target))) {
		*ret_count = (uint64_t)db_int(&r->db, s, 0);
		*ret_unknown = (uint64_t)db_int(&r->db, s, 1);
		db_done(&r->db, s);
	}
	return reader_fault(r, err);
}

/* --- what a text names --- */

bool
past_is_file(const char *text)
{
	struct stat st;

	return strchr(text, '/') != NULL && stat(text, &st) == 0 &&
	    S_ISREG(st.st_mode);
}

int
past_find(struct catalog_reader *r, const char *text, struct moment *m,
    int64_t *ret_target, struct err *err)
{
	const struct value name = TEXT(text);

	*m = (struct moment){ .run = INT64_MAX };
	*ret_target = text[strspn(text, "0123456789")] == '\0' ? 0 :
	    db_first(&r->db, STMT_TARGET_NAMED, &name, 1);
	if (*ret_target == 0 && past_moment(&r->db, text, m, err) == -1)
		return strchr(text, '/') == NULL ? -1 : err_set(err, ERR_USAGE,
		    0, "\"%s\" is neither a target of the catalog nor the "
		    "file of a catalog", text);
	return reader_fault(r, err);
}

int
past_target(struct catalog_reader *r, const char *name, int64_t *ret_target,
    struct err *err)
{
	const enum stmt s = STMT_TARGET_NAMES;
	AUTOFREE char *first = NULL;
	AUTOFREE char *second = NULL;
	bool more = name == NULL && DB_ROW0(&r->db, TARGET_NAMES);
	struct value v;

	if (more) {
		first = db_strdup(&r->db, s, 0);
		more = db_next(&r->db, s);
	}
	if (more) {
		second = db_strdup(&r->db, s, 0);
		db_done(&r->db, s);
	}
	*ret_target = 0;
	if (second != NULL)
		return err_set(err, ERR_USAGE, 0, "catalog %s has several "
		    "targets: name one with --target, such as %s or %s",
		    r->db.path, first, second);
	if (name == NULL && first == NULL)
		return reader_fault(r, err);
	v = TEXT(name == NULL ? first : name);
	*ret_target = db_first(&r->db, STMT_TARGET_NAMED, &v, 1);
	if (reader_fault(r, err) == -1)
		return -1;
	return *ret_target != 0 ? 0 : err_set(err, ERR_USAGE, 0, "catalog %s "
	    "has no target %s", r->db.path, v.bytes.p);
}

char *
past_target_name(struct catalog_reader *r, int64_t target)
{
	char *name = NULL;

	if (DB_ROW(&r->db, TARGET_TITLE, INT(target))) {
		name = db_strdup(&r->db, STMT_TARGET_TITLE, 0);
		db_done(&r->db, STMT_TARGET_TITLE);
	}
	return name;
}

/* --- for people --- */

/* A condition on path goes into the union and finds its rows by an index. The
 * rest is joined, or asked where the column is asked for: SQLite opens a table
 * anew for each row of a subquery, and omits no join of an aggregate. */
#define AS_OF \
    "SELECT v.path AS path, coalesce(v.raw, CAST(v.path AS BLOB)) AS " \
    "path_raw, iif((SELECT server_as_prefix FROM target WHERE id = " \
    "e.target) = 0, substr(v.path, instr(v.path, '/') + 1), v.path) AS key, " \
    "v.size AS size, nullif(v.mtime_ns, -9223372036854775808) AS mtime_ns, " \
    "strftime('%%Y-%%m-%%dT%%H:%%M:%%SZ', nullif(v.mtime_ns, " \
    "-9223372036854775808) / 1000000000, 'unixepoch') AS mtime, " \
    "printf('%%04o', v.mode) AS mode, nullif(v.uid, 4294967295) AS uid, " \
    "nullif(v.gid, 4294967295) AS gid, lower(hex(r.md5)) AS md5, " \
    "iif(r.event = e.id OR r.version_id = nullif(e.version, 'null'), " \
    "nullif(coalesce(r.etag, lower(hex(r.md5))), ''), NULL) AS etag, " \
    "(SELECT coalesce(t.name, t.endpoint) || '/' || " \
    "t.bucket FROM target t WHERE t.id = e.target) AS target, " \
    "(SELECT strftime('%%Y-%%m-%%dT%%H:%%M:%%SZ', (y.started_ns / 1000000 " \
    "+ s.ms) / 1000, 'unixepoch') FROM event s JOIN run y ON y.id = s.run " \
    "WHERE s.id = " STORED ") AS stored_at, (SELECT s.run FROM event s " \
    "WHERE s.id = " STORED ") AS stored_run, e.version AS version_id, v.id " \
    "AS version, v.dir AS dir, " \
    "iif(r.crc64 IS NULL, NULL, printf('%%016x', r.crc64)) AS crc64 " \
    "FROM (SELECT " COLUMNS " FROM object UNION ALL SELECT " COLUMNS \
    " FROM history) v CROSS JOIN event e ON e.object = " \
    "v.id AND e.kind < 10 AND %s LEFT JOIN event x ON x.object = v.id AND " \
    "x.target = e.target AND x.kind < 20 AND x.id > e.id AND %s LEFT JOIN " \
    "result r ON r.object = v.id AND r.target = e.target WHERE x.id IS NULL"

/* Who stored it: undo brings back a version that the store had by another
 * event, unless it has made a copy. */
#define STORED \
    "coalesce((SELECT max(p.id) FROM event p WHERE e.kind = 6 AND p.object = " \
    "e.object AND p.target = e.target AND p.id < e.id AND p.kind < 6 AND " \
    "p.version = e.version), e.id)"

#define COLUMNS "id, dir, path, raw, size, mtime_ns, mode, uid, gid"

/* The events until the moment, of a table with this name. */
static char *
until(const char *name, const struct moment *m)
{
	return xasprintf("(%s.run <= %jd OR (%s.run = %jd AND %s.ms <= %jd))",
	    name, (intmax_t)m->run, name, (intmax_t)m->part, name,
	    (intmax_t)m->ms);
}

int
past_view(struct catalog_view *view, const char *text, struct err *err)
{
	AUTOFREE char *sql = NULL, *e = NULL, *x = NULL;
	struct moment m;

	if (past_moment(catalog_view_db(view), text, &m, err) == -1)
		return -1;
	e = until("e", &m);
	x = until("x", &m);
	sql = xasprintf("CREATE TEMP VIEW as_of AS " AS_OF, e, x);
	return catalog_view_define(view, sql, err);
}
