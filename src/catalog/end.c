/*
 * The end of a run: tombstones for vanished files, and the totals once more
 * from rows.
 */
#include "base/clock.h"
#include "catalog/catalog_internal.h"

struct end {
	enum run_end how;
	run_judge_fn *judge;	/* or NULL */
	void	*arg;
	struct run_closing *closing;
};

void
catalog_reset_run(struct writer *w)
{
	writer_open_dirs_free(w);
	writer_leases_free(w);
	idset_release(&w->settle);
	idset_release(&w->uploads);
	idset_release(&w->retried);
	for (size_t i = 0; i < w->export_count; i++) {
		free(w->exports[i].start);
		free(w->roots[i]);
	}
	free(STEAL(w->exports));
	free(STEAL(w->roots));
	w->export_count = 0;
	writer_fs_free(w);
	w->run = 0;
	w->crawl = 0;
	w->list_open = false;
	w->no_backlog = false;
	w->crawls = false;
	w->has_notes = false;
	w->delete_failed = 0;
	w->unknown = 0;
	w->dir_cursor = 0;
	w->again_cursor = 0;
	w->todo_cursor = 0;
	w->trimmed = 0;
	w->first_left = 0;
	w->frontier_left = 0;
	w->again_left = 0;
	w->dirs_out = 0;
	w->again_out = 0;
	memset(&w->totals, 0, sizeof(w->totals));
	memset(&w->slowest, 0, sizeof(w->slowest));
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
catalog_sum_dirs(struct writer *w, struct totals *n)
{
	const enum stmt s = STMT_SUM_DIRS;

	if (!DB_ROW(&w->db, SUM_DIRS, INT(w->crawl)))
		return;
	n->found = (uint64_t)db_int(&w->db, s, 0);
	n->unchanged = (uint64_t)db_int(&w->db, s, 1);
	n->excluded = (uint64_t)db_int(&w->db, s, 2);
	n->failed = (uint64_t)db_int(&w->db, s, 3);
	n->queued = (uint64_t)db_int(&w->db, s, 4);
	n->found_bytes = bytes_of(&w->db, s, 5);
	n->queued_bytes = bytes_of(&w->db, s, 7);
	db_done(&w->db, s);
}

static void
bury_one(struct writer *w, int64_t id, const char *path)
{
	const struct value below = TEXT(path);
	size_t export = writer_export_of(w, str_of(path));
	struct db *db = &w->db;

	/* A crawl of the outer share proves nothing about a directory with
	 * another share inside. */
	if ((export < w->export_count &&
	    writer_export_stays(w, w->exports[export].id, 0)) ||
	    writer_fs_missing(w, path) || writer_holds_export(w, path))
		return;
	DB_RUN(db, DIR_TOMBSTONE, INT(w->run), INT(id), TEXT(path));
	/* A row of an excluded entry, or of unknown kind, was no object. */
	w->totals.gone += (uint64_t)db_first(db, STMT_SUBTREE_COUNT, &below,
	    1);
	DB_RUN(db, SUBTREE_TOMBSTONE, INT(w->run), TEXT(path));
}

/* Bury directories no longer listed by their cleanly read parent, and vanished
 * start directories of a crawl. */
void
catalog_bury(struct writer *w)
{
	struct db *db = &w->db;
	bool more;

	writer_doubt_roots(w);
	more = DB_ROW(db, DIRS_GONE, INT(w->crawl));
	while (more) {
		AUTOFREE char *path = db_strdup(db, STMT_DIRS_GONE, 1);

		bury_one(w, db_int(db, STMT_DIRS_GONE, 0), path);
		more = db_next(db, STMT_DIRS_GONE);
	}
	for (size_t i = 0; i < w->export_count; i++) {
		const struct run_export_row *x = &w->exports[i];

		if (x->gone_start != 0 && x->doubt.kind == ERR_NONE)
			bury_one(w, x->gone_start, x->start);
	}
}

static void
add_outcomes(struct writer *w, struct totals *t)
{
	const int64_t first = db_first(&w->db, STMT_RUN_FIRST_EVENT,
	    &INT(w->run), 1);
	bool more = DB_ROW(&w->db, SUM_RESULTS, INT(first), INT(w->run),
	    INT(w->target));

	while (more) {
		int64_t outcome = db_int(&w->db, STMT_SUM_RESULTS, 0);
		uint64_t n = (uint64_t)db_int(&w->db, STMT_SUM_RESULTS, 1);

		if (outcome == OUTCOME_MOVED) {
			t->moved += n;
		} else if (outcome == OUTCOME_UNCHANGED) {
			t->unchanged += n;
		} else if (outcome == OUTCOME_FAILED) {
			t->failed += n;
		} else if (outcome == OUTCOME_GONE) {
			t->found -= n;
		}
		more = db_next(&w->db, STMT_SUM_RESULTS);
	}
}

/* Count the files finished by earlier runs of this crawl as unchanged. */
static void
add_prior(struct writer *w, struct totals *t)
{
	const int64_t first = db_first(&w->db, STMT_RUN_FIRST_EVENT,
	    &INT(w->crawl), 1);
	bool more;

	if (w->run == w->crawl)
		return;
	more = DB_ROW(&w->db, SUM_PRIOR, INT(first), INT(w->target),
	    INT(w->crawl), INT(w->run));
	while (more) {
		int64_t outcome = db_int(&w->db, STMT_SUM_PRIOR, 0);
		uint64_t n = (uint64_t)db_int(&w->db, STMT_SUM_PRIOR, 1);

		if (outcome == OUTCOME_MOVED || outcome == OUTCOME_UNCHANGED)
			t->unchanged += n;
		else if (outcome == OUTCOME_GONE)
			t->found -= n;
		more = db_next(&w->db, STMT_SUM_PRIOR);
	}
}

static void
count_again(struct writer *w, struct totals *t)
{
	const struct value left[] = { INT(w->todo_cursor) };
	const struct value open[] = { INT(w->todo_cursor), INT(w->target),
	    INT(w->run) };
	struct totals n = { .found = 0 };

	memset(t, 0, sizeof(*t));
	catalog_sum_dirs(w, &n);
	writer_add_counts(t, &n);
	/* Rows of directories whose reading was cut have no numbers yet. */
	for (const struct open_dir *d = w->dirs; d != NULL; d = d->next)
		writer_add_counts(t, &d->counts);
	add_outcomes(w, t);
	add_prior(w, t);
	t->pending = (uint64_t)(db_first(&w->db, STMT_TODO_COUNT, left, 1) +
	    db_first(&w->db, STMT_TODO_UNSETTLED, open, ARRAY_LEN(open)));
	t->dirs = (uint64_t)db_first(&w->db, STMT_COUNT_DIRS,
	    &INT(w->run), 1);
	t->lost = w->totals.lost;
	t->found += w->delete_failed + t->lost;
	t->failed += w->delete_failed + t->lost;
	t->bytes = w->totals.bytes;
	t->deleted = w->totals.deleted;
	t->gone = w->totals.gone;
	t->queued = w->totals.queued;
	t->queued_bytes = w->totals.queued_bytes;
}

/* Read the run's counters, written in the same transactions as the counted
 * rows; true if the failures counted equal the failure rows. */
static bool
count_plain(struct writer *w, struct totals *t)
{
	const enum stmt s = STMT_RUN_COUNTERS;
	struct db *db = &w->db;

	memset(t, 0, sizeof(*t));
	if (DB_ROW(db, RUN_COUNTERS, INT(w->run))) {
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
	return (uint64_t)db_first(db, STMT_FAILURES_COUNT, &INT(w->run), 1) ==
	    t->failed;
}

static void
copy_text(struct db *db, int column, char *out, size_t size)
{
	str_escape(db_bytes(db, STMT_FAILURES_FIRST, column), out, size);
}

static void
list_failures(struct writer *w, struct run_closing *c)
{
	bool more = DB_ROW(&w->db, FAILURES_FIRST, INT(w->run));

	while (more && c->failure_count < ARRAY_LEN(c->failures)) {
		struct run_failure *f = &c->failures[c->failure_count++];

		copy_text(&w->db, 0, f->path, sizeof(f->path));
		copy_text(&w->db, 1, f->kind, sizeof(f->kind));
		copy_text(&w->db, 2, f->reason, sizeof(f->reason));
		more = db_next(&w->db, STMT_FAILURES_FIRST);
	}
	if (more)
		db_done(&w->db, STMT_FAILURES_FIRST);
}

/* Delete rows of use only while a crawl can be continued. */
static void
empty_backlog(struct writer *w)
{
	struct db *db = &w->db;

	if (w->crawls)
		writer_keep_exports(w);
	DB_RUN0(db, TODO_CLEAR);
	DB_RUN0(db, FRONTIER_CLEAR);
	DB_RUN0(db, LEASE_CLEAR);
	DB_RUN(db, SETTLE_CLEAR, INT(w->target));
	DB_RUN(db, DELETION_KNOWN, INT(w->target));
	DB_RUN(db, RESTORING_KNOWN, INT(w->target));
}

/* The last words into the row of the run, or attempt. */
static void
write_end(struct writer *w, const struct end *e, int64_t run)
{
	static const char *const state[] = {
		[RUN_COMPLETE] = "complete",
		[RUN_INTERRUPTED] = "interrupted",
		[RUN_FAILED] = "failed",
	};
	char reason[RUN_REASON_MAX] = "";
	int status = 0;

	if (e->judge != NULL)
		status = e->judge(e->arg, e->closing, reason);
	DB_RUN(&w->db, RUN_END, INT(clock_wall_ns()), TEXT(state[e->how]),
	    reason[0] == '\0' ? NOTHING : TEXT(reason),
	    e->judge == NULL ? NOTHING : INT(status), INT(run));
}

/* What failed in the run before too, in the same way, becomes one row. */
static void
fold_failures(struct writer *w)
{
	const enum stmt s = STMT_RUN_BEFORE;
	struct db *db = &w->db;
	int64_t before = 0;

	if (DB_ROW(db, RUN_BEFORE, INT(w->run))) {
		before = db_int(db, s, 0);
		db_done(db, s);
	}
	if (before == 0)
		return;
	DB_RUN(db, FAILURE_REPEATS, INT(before), INT(w->run));
	DB_RUN(db, FAILURE_FOLDED, INT(before), INT(w->run));
}

static void
end_run(struct catalog *c, void *arg)
{
	struct end *e = arg;
	struct writer *w = &c->writer;
	struct totals *t = &e->closing->totals;
	bool complete = e->how == RUN_COMPLETE && !w->no_backlog, sound = true;

	c->remember = true;
	if (w->attempt != 0)
		write_end(w, e, w->attempt);
	w->attempt = 0;
	if (w->run == 0)
		return;
	if (complete)
		catalog_bury(w);
	writer_verified(w);
	if (w->no_backlog)
		sound = count_plain(w, t);
	else
		count_again(w, t);
	e->closing->closes = sound && t->found == t->moved + t->unchanged +
	    t->failed + t->excluded + t->pending;
	if (complete && t->pending > 0)
		e->closing->closes = false;
	e->closing->unknown = w->unknown;
	list_failures(w, e->closing);
	if (e->closing->failure_count > 0)
		fold_failures(w);
	w->totals = *t;
	writer_count_run(w);
	write_end(w, e, w->run);
	if (complete) {
		empty_backlog(w);
		catalog_note_asked(w);
	}
	catalog_reset_run(w);
	catalog_drop_wants(&c->want_dirs, NULL);
	catalog_drop_wants(&c->want_lease, NULL);
	w->totals = *t;
	w->over = true;
}

int
catalog_end_run(struct catalog *c, enum run_end how, run_judge_fn *judge,
    void *arg, struct run_closing *closing, struct err *err)
{
	struct end e = { how, judge, arg, closing };

	memset(closing, 0, sizeof(*closing));
	return catalog_call(c, end_run, &e, err);
}
