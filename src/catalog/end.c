/*
 * The end of a run: tombstones for vanished files, and the totals once more
 * from rows.
 */
#include "base/clock.h"
#include "catalog/catalog_internal.h"

struct end {
	enum run_end how;
	const char *reason;
	struct run_closing *closing;
};

void
core_reset_run(struct own *o)
{
	core_open_dirs_free(o);
	core_leases_free(o);
	idset_release(&o->settle);
	idset_release(&o->uploads);
	idset_release(&o->retried);
	for (size_t i = 0; i < o->export_count; i++)
		free(o->exports[i].start);
	free(STEAL(o->exports));
	o->export_count = 0;
	core_fs_free(o);
	o->run = 0;
	o->crawl = 0;
	o->list_open = false;
	o->no_backlog = false;
	o->crawls = false;
	o->has_doomed = false;
	o->delete_failed = 0;
	o->dir_cursor = 0;
	o->again_cursor = 0;
	o->todo_cursor = 0;
	o->trimmed = 0;
	o->first_left = 0;
	o->frontier_left = 0;
	o->again_left = 0;
	o->dirs_out = 0;
	o->again_out = 0;
	memset(&o->totals, 0, sizeof(o->totals));
}

/* A sum of bytes in two columns: above 32 bits, and the rest. */
static uint64_t
bytes_of(const struct db *db, enum stmt s, int column)
{
	int64_t high = db_int(db, s, column);

	if (high < 0 || high >= INT64_MAX >> 32)
		return INT64_MAX;
	return add_capped((uint64_t)high << 32,
	    (uint64_t)db_int(db, s, column + 1));
}

void
core_sum_dirs(struct own *o, struct counts *n)
{
	const enum stmt s = STMT_SUM_DIRS;

	if (!DB_ROW(&o->db, SUM_DIRS, INT(o->crawl)))
		return;
	n->found = (uint64_t)db_int(&o->db, s, 0);
	n->unchanged = (uint64_t)db_int(&o->db, s, 1);
	n->excluded = (uint64_t)db_int(&o->db, s, 2);
	n->failed = (uint64_t)db_int(&o->db, s, 3);
	n->queued = (uint64_t)db_int(&o->db, s, 4);
	n->found_bytes = bytes_of(&o->db, s, 5);
	n->queued_bytes = bytes_of(&o->db, s, 7);
	db_done(&o->db, s);
}

static int64_t
one_int(struct db *db, enum stmt s, const struct value *v, size_t n)
{
	int64_t number = 0;

	if (db_row(db, s, v, n)) {
		number = db_int(db, s, 0);
		db_done(db, s);
	}
	return number;
}

static void
bury_one(struct own *o, int64_t id, const char *path, int64_t export)
{
	const struct value below = TEXT(path);
	struct db *db = &o->db;

	/* A crawl of the outer share proves nothing about a directory with
	 * another share inside. */
	if (core_export_stays(o, export, 0) || core_fs_missing(o, path) ||
	    core_holds_export(o, path))
		return;
	DB_RUN(db, DIR_TOMBSTONE, INT(o->run), INT(id), TEXT(path));
	/* A row of an excluded entry, or of unknown kind, was no object. */
	o->totals.gone += (uint64_t)one_int(db, STMT_SUBTREE_COUNT, &below,
	    1);
	DB_RUN(db, SUBTREE_TOMBSTONE, INT(o->run), TEXT(path));
}

/* Bury directories no longer listed by their cleanly read parent, and vanished
 * start directories of a crawl. */
void
core_bury(struct own *o)
{
	struct db *db = &o->db;
	bool more;

	core_doubt_roots(o);
	more = DB_ROW(db, DIRS_GONE, INT(o->crawl));
	while (more) {
		AUTOFREE char *path = db_strdup(db, STMT_DIRS_GONE, 1);

		bury_one(o, db_int(db, STMT_DIRS_GONE, 0), path,
		    db_int(db, STMT_DIRS_GONE, 2));
		more = db_next(db, STMT_DIRS_GONE);
	}
	for (size_t i = 0; i < o->export_count; i++) {
		const struct run_export_row *x = &o->exports[i];

		if (x->gone_start != 0 && x->doubt.kind == ERR_NONE)
			bury_one(o, x->gone_start, x->start, x->id);
	}
}

static void
add_outcomes(struct own *o, struct totals *t)
{
	const int64_t first = one_int(&o->db, STMT_RUN_FIRST_RESULT,
	    &INT(o->run), 1);
	bool more = DB_ROW(&o->db, SUM_RESULTS, INT(first), INT(o->run));

	while (more) {
		int64_t outcome = db_int(&o->db, STMT_SUM_RESULTS, 0);
		uint64_t n = (uint64_t)db_int(&o->db, STMT_SUM_RESULTS, 1);

		if (outcome == OUTCOME_MOVED) {
			t->moved += n;
			t->bytes = add_capped(t->bytes, bytes_of(&o->db,
			    STMT_SUM_RESULTS, 2));
		} else if (outcome == OUTCOME_UNCHANGED) {
			t->unchanged += n;
		} else if (outcome == OUTCOME_FAILED) {
			t->failed += n;
		} else if (outcome == OUTCOME_GONE) {
			t->found -= n;
		}
		more = db_next(&o->db, STMT_SUM_RESULTS);
	}
}

/* Count the files finished by earlier runs of this crawl as unchanged. */
static void
add_prior(struct own *o, struct totals *t)
{
	const int64_t first = one_int(&o->db, STMT_RUN_FIRST_RESULT,
	    &INT(o->crawl), 1);
	bool more;

	if (o->run == o->crawl)
		return;
	more = DB_ROW(&o->db, SUM_PRIOR, INT(first), INT(o->target),
	    INT(o->crawl), INT(o->run));
	while (more) {
		int64_t outcome = db_int(&o->db, STMT_SUM_PRIOR, 0);
		uint64_t n = (uint64_t)db_int(&o->db, STMT_SUM_PRIOR, 1);

		if (outcome == OUTCOME_MOVED || outcome == OUTCOME_UNCHANGED)
			t->unchanged += n;
		else if (outcome == OUTCOME_GONE)
			t->found -= n;
		more = db_next(&o->db, STMT_SUM_PRIOR);
	}
}

static void
count_again(struct own *o, struct totals *t)
{
	const struct value left[] = { INT(o->todo_cursor) };
	const struct value open[] = { INT(o->todo_cursor), INT(o->target),
	    INT(o->run) };
	struct counts n = { .found = 0 };

	memset(t, 0, sizeof(*t));
	core_sum_dirs(o, &n);
	core_add_counts(t, &n);
	/* Rows of directories whose reading was cut have no numbers yet. */
	for (const struct open_dir *d = o->dirs; d != NULL; d = d->next)
		core_add_counts(t, &d->counts);
	add_outcomes(o, t);
	add_prior(o, t);
	t->pending = (uint64_t)(one_int(&o->db, STMT_TODO_COUNT, left, 1) +
	    one_int(&o->db, STMT_TODO_UNSETTLED, open, ARRAY_LEN(open)));
	t->dirs = (uint64_t)one_int(&o->db, STMT_COUNT_DIRS,
	    &INT(o->run), 1);
	t->lost = o->totals.lost;
	t->found += o->delete_failed + t->lost;
	t->failed += o->delete_failed + t->lost;
	t->deleted = o->totals.deleted;
	t->gone = o->totals.gone;
	t->queued = o->totals.queued;
	t->queued_bytes = o->totals.queued_bytes;
}

/* Read the run's counters, written in the same transactions as the counted
 * rows; true if the failures counted equal the failure rows. */
static bool
count_plain(struct own *o, struct totals *t)
{
	const enum stmt s = STMT_RUN_COUNTERS;
	struct db *db = &o->db;

	memset(t, 0, sizeof(*t));
	if (DB_ROW(db, RUN_COUNTERS, INT(o->run))) {
		t->found = (uint64_t)db_int(db, s, 0);
		t->moved = (uint64_t)db_int(db, s, 1);
		t->unchanged = (uint64_t)db_int(db, s, 2);
		t->failed = (uint64_t)db_int(db, s, 3);
		t->excluded = (uint64_t)db_int(db, s, 4);
		t->gone = (uint64_t)db_int(db, s, 5);
		t->bytes = (uint64_t)db_int(db, s, 6);
		t->found_bytes = (uint64_t)db_int(db, s, 7);
		t->deleted = (uint64_t)db_int(db, s, 8);
		db_done(db, s);
	}
	return (uint64_t)one_int(db, STMT_FAILURES_COUNT, &INT(o->run), 1) ==
	    t->failed;
}

static void
copy_text(struct db *db, int column, char *out, size_t size)
{
	str_escape(db_bytes(db, STMT_FAILURES_FIRST, column), out, size);
}

static void
list_failures(struct own *o, struct run_closing *c)
{
	bool more = DB_ROW(&o->db, FAILURES_FIRST, INT(o->run));

	while (more && c->failure_count < ARRAY_LEN(c->failures)) {
		struct run_failure *f = &c->failures[c->failure_count++];

		copy_text(&o->db, 0, f->path, sizeof(f->path));
		copy_text(&o->db, 1, f->kind, sizeof(f->kind));
		copy_text(&o->db, 2, f->reason, sizeof(f->reason));
		more = db_next(&o->db, STMT_FAILURES_FIRST);
	}
	if (more)
		db_done(&o->db, STMT_FAILURES_FIRST);
}

/* Delete rows of use only while a crawl can be continued. */
static void
empty_backlog(struct own *o)
{
	struct db *db = &o->db;

	if (o->crawls)
		core_keep_exports(o);
	DB_RUN0(db, TODO_CLEAR);
	DB_RUN0(db, FRONTIER_CLEAR);
	DB_RUN0(db, LEASE_CLEAR);
	DB_RUN(db, SETTLE_CLEAR, INT(o->target));
	DB_RUN(db, DOOMED_KNOWN, INT(o->target));
}

static void
end_run(struct catalog *c, void *arg)
{
	static const char *const state[] = {
		[RUN_COMPLETE] = "complete",
		[RUN_INTERRUPTED] = "interrupted",
		[RUN_FAILED] = "failed",
	};
	struct end *e = arg;
	struct own *o = &c->own;
	struct totals *t = &e->closing->totals;
	bool complete = e->how == RUN_COMPLETE && !o->no_backlog, sound = true;

	if (o->run == 0)
		return;
	if (complete)
		core_bury(o);
	if (o->no_backlog)
		sound = count_plain(o, t);
	else
		count_again(o, t);
	e->closing->closes = sound && t->found == t->moved + t->unchanged +
	    t->failed + t->excluded + t->pending;
	if (complete && t->pending > 0)
		e->closing->closes = false;
	list_failures(o, e->closing);
	o->totals = *t;
	core_count_run(o);
	DB_RUN(&o->db, RUN_END, INT(clock_wall_ns()), TEXT(state[e->how]),
	    TEXT(e->reason), INT(o->run));
	if (complete)
		empty_backlog(o);
	core_reset_run(o);
	core_forget(&c->want_dirs, NULL);
	core_forget(&c->want_lease, NULL);
	o->totals = *t;
	o->over = true;
}

int
catalog_end_run(struct catalog *c, enum run_end how, const char *reason,
    struct run_closing *closing, struct err *err)
{
	struct end e = { how, reason, closing };

	memset(closing, 0, sizeof(*closing));
	return core_call(c, end_run, &e, err);
}
