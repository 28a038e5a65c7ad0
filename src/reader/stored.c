/*
 * The objects held by the target: a single file, or pages of files.
 */
#include "base/clock.h"
#include "reader/reader_internal.h"
#include "reader/stored.h"

#define COUNT_TURN	4096	/* rows */

/* --- questions --- */

int
catalog_find_stored(struct catalog_reader *r, struct str path,
    struct stored *out, struct err *err)
{
	bool prefix;
	int64_t target = reader_target(r, &prefix);

	if (!DB_ROW(&r->db, STORED_FIND, INT(target), BYTES(path)))
		return reader_fault(r, err);
	row_stored(&r->db, STMT_STORED_FIND, out);
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

	(void)reader_target(r, &server_as_prefix);
	names_of_key(&r->db, server_as_prefix, key, find_name, &k);
	return k.found ? 1 : reader_fault(r, err);
}

int
catalog_names_of_key(struct catalog_reader *r, struct str key,
    void (*fn)(void *, struct str path), void *arg, struct err *err)
{
	bool server_as_prefix;

	(void)reader_target(r, &server_as_prefix);
	names_of_key(&r->db, server_as_prefix, key, fn, arg);
	return reader_fault(r, err);
}

static void
take_rows(struct catalog_reader *r, enum stmt s, bool more, struct stored *v,
    size_t n, size_t *count)
{
	while (more && *count < n) {
		row_stored(&r->db, s, &v[*count]);
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
	CLEANUP(range_release) struct range range;
	bool server_as_prefix;
	int64_t target = reader_target(r, &server_as_prefix);

	*ret_count = 0;
	range_init(&range, prefix, after);
	take_rows(r, STMT_STORED_PAGE, DB_ROW(&r->db, STORED_PAGE,
	    INT(target), range.bind_from, range.bind_end), v, n, ret_count);
	return reader_fault(r, err);
}

int
catalog_lost_page(struct catalog_reader *r, struct str prefix,
    struct str after, struct stored *v, size_t n, size_t *ret_count,
    struct err *err)
{
	CLEANUP(range_release) struct range range;
	bool server_as_prefix;
	int64_t target = reader_target(r, &server_as_prefix);

	*ret_count = 0;
	range_init(&range, prefix, after);
	take_rows(r, STMT_LOST_PAGE, DB_ROW(&r->db, LOST_PAGE, INT(target),
	    range.bind_from, range.bind_end), v, n, ret_count);
	return reader_fault(r, err);
}

int
catalog_count_stored(struct catalog_reader *r, struct str prefix,
    uint64_t enough, const struct count_turn *turn, uint64_t *ret_count,
    uint64_t *ret_bytes, struct err *err)
{
	CLEANUP(range_release) struct range range;
	const enum stmt s = STMT_STORED_SIZES;
	bool more, server_as_prefix;
	int64_t target = reader_target(r, &server_as_prefix);

	*ret_count = 0;
	*ret_bytes = 0;
	range_init(&range, prefix, (struct str){ "", 0 });
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
	return reader_fault(r, err);
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
	int64_t target = reader_target(r, &server_as_prefix);

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
			return reader_fault(r, err);
		c->second = true;
		c->last = 0;
		c->last_object = 0;
	}
	sample_rows(r, STMT_SAMPLE_OLD, prefix, c, DB_ROW(&r->db, SAMPLE_OLD,
	    INT(target), INT(c->last), INT(c->started_ns),
	    INT(c->last_object)), v, n, ret_count);
	return reader_fault(r, err);
}
