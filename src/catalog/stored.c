/*
 * The objects held by the target: a single file, or pages of files.
 */
#include "base/clock.h"
#include "catalog/catalog_internal.h"

#define COUNT_TURN	4096	/* rows */

/* --- ranges of paths --- */

void
core_range(struct range *r, struct str prefix, struct str after)
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
core_range_release(struct range *r)
{
	buf_release(&r->from);
	buf_release(&r->end);
}

/* --- one row --- */

static void *
copy_bytes(struct str v)
{
	return v.len == 0 ? NULL : xmemdup(v.p, v.len);
}

void
core_read_stored(const struct db *db, enum stmt s, struct stored *out)
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
	core_attrs(db, s, 12, &out->attrs);
	out->fresh = s != STMT_GONE_PAGE && db_int(db, s, 20) != 0;
}

/* --- questions --- */

int
catalog_find_stored(struct catalog_reader *r, struct str path,
    struct stored *out, struct err *err)
{
	bool prefix;
	int64_t target = core_reader_target(r, &prefix);

	if (!DB_ROW(&r->db, STORED_FIND, INT(target), BYTES(path)))
		return core_reader_fault(r, err);
	core_read_stored(&r->db, STMT_STORED_FIND, out);
	db_done(&r->db, STMT_STORED_FIND);
	return 1;
}

struct by_key {
	struct catalog_reader *reader;
	struct stored *out;
	bool	 found;
};

/* Of several, the last that was recorded. */
static void
find_name(void *arg, struct str path)
{
	struct by_key *k = arg;
	struct stored s;

	if (catalog_find_stored(k->reader, path, &s, NULL) != 1)
		return;
	if (k->found && s.stored_ns <= k->out->stored_ns) {
		stored_release(&s);
		return;
	}
	if (k->found)
		stored_release(k->out);
	*k->out = s;
	k->found = true;
}

int
catalog_find_key(struct catalog_reader *r, struct str key, struct stored *out,
    struct err *err)
{
	struct by_key k = { .reader = r, .out = out };
	bool server_as_prefix;

	(void)core_reader_target(r, &server_as_prefix);
	core_names_of_key(&r->db, server_as_prefix, key, find_name, &k);
	return k.found ? 1 : core_reader_fault(r, err);
}

int
catalog_names_of_key(struct catalog_reader *r, struct str key,
    void (*fn)(void *, struct str path), void *arg, struct err *err)
{
	bool server_as_prefix;

	(void)core_reader_target(r, &server_as_prefix);
	core_names_of_key(&r->db, server_as_prefix, key, fn, arg);
	return core_reader_fault(r, err);
}

static void
take_rows(struct catalog_reader *r, enum stmt s, bool more, struct stored *v,
    size_t n, size_t *count)
{
	while (more && *count < n) {
		core_read_stored(&r->db, s, &v[*count]);
		if (++*count == n)
			db_done(&r->db, s);
		else
			more = db_next(&r->db, s);
	}
}

int
catalog_stored_page(struct catalog_reader *r, struct str prefix,
    struct str after, struct stored *v, size_t n, size_t *ret_count,
    struct err *err)
{
	CLEANUP(core_range_release) struct range range;
	bool server_as_prefix;
	int64_t target = core_reader_target(r, &server_as_prefix);

	*ret_count = 0;
	core_range(&range, prefix, after);
	take_rows(r, STMT_STORED_PAGE, DB_ROW(&r->db, STORED_PAGE,
	    INT(target), range.bind_from, range.bind_end), v, n, ret_count);
	return core_reader_fault(r, err);
}

int
catalog_lost_page(struct catalog_reader *r, struct str prefix,
    struct str after, struct stored *v, size_t n, size_t *ret_count,
    struct err *err)
{
	CLEANUP(core_range_release) struct range range;
	bool server_as_prefix;
	int64_t target = core_reader_target(r, &server_as_prefix);

	*ret_count = 0;
	core_range(&range, prefix, after);
	take_rows(r, STMT_LOST_PAGE, DB_ROW(&r->db, LOST_PAGE, INT(target),
	    range.bind_from, range.bind_end), v, n, ret_count);
	return core_reader_fault(r, err);
}

int
catalog_count_stored(struct catalog_reader *r, struct str prefix,
    uint64_t enough, const struct count_turn *turn, uint64_t *ret_count,
    uint64_t *ret_bytes, struct err *err)
{
	CLEANUP(core_range_release) struct range range;
	const enum stmt s = STMT_STORED_SIZES;
	bool more, server_as_prefix;
	int64_t target = core_reader_target(r, &server_as_prefix);

	*ret_count = 0;
	*ret_bytes = 0;
	core_range(&range, prefix, (struct str){ "", 0 });
	more = DB_ROW(&r->db, STORED_SIZES, INT(target), range.bind_from,
	    range.bind_end);
	while (more) {
		++*ret_count;
		*ret_bytes = add_capped(*ret_bytes,
		    (uint64_t)db_int(&r->db, s, 0));
		if (*ret_count == enough) {
			db_done(&r->db, s);
			break;
		}
		if (turn != NULL && *ret_count % COUNT_TURN == 0 &&
		    !turn->turn(turn->arg)) {
			db_done(&r->db, s);
			return err_set(err, ERR_STOPPED, 0, "stopped");
		}
		more = db_next(&r->db, s);
	}
	return core_reader_fault(r, err);
}

/* --- samples --- */

/* Take the row's version, if the target holds this version of the path. */
static bool
take_sample(struct catalog_reader *r, enum stmt s, struct str prefix,
    struct stored *out)
{
	struct str path = db_bytes(&r->db, s, 2);

	if (!str_starts(path, prefix) ||
	    catalog_find_stored(r, path, out, NULL) != 1)
		return false;
	if (out->object == db_int(&r->db, s, 1))
		return true;
	stored_release(out);
	return false;
}

static void
sample_rows(struct catalog_reader *r, enum stmt s, struct str prefix,
    struct sample_cursor *c, bool more, struct stored *v, size_t n,
    size_t *count)
{
	while (more) {
		c->last = db_int(&r->db, s, 0);
		c->last_object = db_int(&r->db, s, 1);
		if (take_sample(r, s, prefix, &v[*count]) && ++*count == n) {
			db_done(&r->db, s);
			return;
		}
		more = db_next(&r->db, s);
	}
}

int
catalog_sample_page(struct catalog_reader *r, struct str prefix,
    struct sample_cursor *c, struct stored *v, size_t n, size_t *ret_count,
    struct err *err)
{
	bool server_as_prefix;
	int64_t target = core_reader_target(r, &server_as_prefix);

	*ret_count = 0;
	if (n == 0)
		return 0;
	if (c->started_ns == 0)
		c->started_ns = clock_wall_ns();
	if (!c->second) {
		sample_rows(r, STMT_SAMPLE_NEW, prefix, c,
		    DB_ROW(&r->db, SAMPLE_NEW, INT(c->last), INT(target)),
		    v, n, ret_count);
		if (*ret_count == n)
			return core_reader_fault(r, err);
		c->second = true;
		c->last = 0;
		c->last_object = 0;
	}
	sample_rows(r, STMT_SAMPLE_OLD, prefix, c, DB_ROW(&r->db, SAMPLE_OLD,
	    INT(target), INT(c->last), INT(c->started_ns),
	    INT(c->last_object)), v, n, ret_count);
	return core_reader_fault(r, err);
}
