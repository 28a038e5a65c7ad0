/*
 * The beginning of a run: afresh, or from the end of a cut run.
 */
#include "base/clock.h"
#include "catalog/catalog_internal.h"
#include "model/path.h"

struct begin {
	const struct run_spec *spec;
	struct run_info *info;
	struct err refused;	/* kind NONE: the run has begun */
};

/* The last run that had a backlog. */
struct last_run {
	int64_t	 run;
	int64_t	 ended_ns;
	int64_t	 leased;	/* backlog rows up to this row were handed
				   out */
};

static void
load_marks(struct writer *w, int64_t *last_leased)
{
	const enum stmt s = STMT_MARKS;
	struct db *db = &w->db;

	*last_leased = 0;
	if (!DB_ROW0(db, MARKS))
		return;
	w->next_dir = db_int(db, s, 0) + 1;
	w->next_object = db_int(db, s, 1) + 1;
	w->next_todo = db_int(db, s, 2) + 1;
	w->next_event = db_int(db, s, 3) + 1;
	*last_leased = db_int(db, s, 4);
	w->has_history = db_int(db, s, 5) != 0;
	w->has_verified = db_int(db, s, 6) != 0;
	w->has_doubts = db_int(db, s, 7) != 0;
	w->has_notes = db_int(db, s, 8) != 0;
	db_done(db, s);
	w->first_new_dir = w->next_dir;
	w->first_object = w->next_object;
}

static void
load_exports(struct writer *w, const struct run_spec *spec)
{
	const struct run_export *x;

	DB_RUN0(&w->db, EXPORT_CLEAR);
	w->exports = xcalloc(MAX(spec->export_count, (size_t)1),
	    sizeof(*w->exports));
	w->roots = xcalloc(MAX(spec->export_count, (size_t)1),
	    sizeof(*w->roots));
	w->export_count = spec->export_count;
	for (size_t i = 0; i < spec->export_count; i++) {
		x = &spec->exports[i];
		DB_RUN(&w->db, EXPORT_INSERT, TEXT(x->server), TEXT(x->share),
		    TEXT(x->path), INT(i));
		if (DB_ROW(&w->db, EXPORT_FIND, TEXT(x->path))) {
			w->exports[i].id = db_int(&w->db, STMT_EXPORT_FIND, 0);
			db_done(&w->db, STMT_EXPORT_FIND);
		}
		w->exports[i].path_len = strlen(x->path);
		w->roots[i] = xstrdup(x->path);
		w->exports[i].start = xstrdup(x->start);
		w->exports[i].has_known = rows_fs_noted(&w->db, x->path,
		    &w->exports[i].known);
		w->exports[i].start_known = rows_fs_noted(&w->db, x->start,
		    &w->exports[i].start_fsid);
	}
}

/* Return the crawl to be continued by this run, or 0. The backlog belongs to
 * the last run, so no earlier crawl can be continued. */
static int64_t
cut_crawl(struct writer *w, const struct run_spec *spec, struct last_run *last)
{
	const enum stmt s = STMT_RUN_LAST;
	struct db *db = &w->db;
	int64_t crawl = 0;

	if (!DB_ROW0(db, RUN_LAST))
		return 0;
	last->run = db_int(db, s, 0);
	last->ended_ns = db_int(db, s, 6);
	if (!spec->no_crawl && !spec->retry_failed && !spec->fresh &&
	    str_eq(db_bytes(db, s, 2), str_of(op_name(spec->op))) &&
	    db_int(db, s, 3) == w->target &&
	    str_eq(db_bytes(db, s, 4), str_of(spec->scope)) &&
	    !str_eq(db_bytes(db, s, 5), STR("complete")))
		crawl = db_int(db, s, 1);
	db_done(db, s);
	return crawl;
}

/* The attempt becomes a run. */
static void
insert_run(struct writer *w, const struct run_spec *spec)
{
	if (w->attempt == 0)
		catalog_insert_attempt(w, spec);
	if (w->db.err.kind != ERR_NONE)
		return;
	w->run = w->attempt;
	w->attempt = 0;
	if (w->crawl == 0)
		w->crawl = w->run;
	DB_RUN(&w->db, RUN_BEGIN, INT(w->target), TEXT(spec->scope),
	    INT(clock_wall_ns()), INT(w->next_event - 1),
	    INT(!spec->no_backlog), INT(spec->late_ms), INT(w->crawl),
	    INT(w->run));
	if (DB_ROW(&w->db, RUN_STARTED, INT(w->run))) {
		w->began_ns = db_int(&w->db, STMT_RUN_STARTED, 0);
		w->verdict_ns = w->ranges_ns = w->began_ns - 1;
		w->ranges_ms = clock_mono_ms();
		db_done(&w->db, STMT_RUN_STARTED);
	}
}

static void
load_set(struct writer *w, enum stmt s, struct idset *set)
{
	const struct value target = INT(w->target);
	bool more = db_row(&w->db, s, &target, 1);

	while (more) {
		idset_add(set, db_int(&w->db, s, 0));
		more = db_next(&w->db, s);
	}
}

/* Queue the objects that failed at this target in the runs from since to
 * until. */
static void
queue_failed(struct writer *w, const struct run_spec *spec, size_t export,
    int64_t since, int64_t until, struct totals *n)
{
	const char *start = spec->exports[export].start;
	const struct handle no_handle = { .len = 0 };
	const enum stmt s = STMT_FAILED_LIST;
	const struct value v[] = { INT(w->target), INT(OUTCOME_FAILED),
	    INT(since), INT(until), TEXT(start) };
	bool more = db_row(&w->db, s, v, ARRAY_LEN(v));

	for (; more; more = db_next(&w->db, s)) {
		int64_t object = db_int(&w->db, s, 0);

		if (writer_export_of(w, db_bytes(&w->db, s, 1)) != export)
			continue;
		/* The target may hold the bytes of this version, if only the
		 * verification failed. */
		writer_queue(w, object, w->exports[export].id, 0,
		    db_int(&w->db, s, 3) != 0 ? object :
		    writer_held_before(w, db_bytes(&w->db, s, 1)), &no_handle);
		if (spec->retry_failed)
			idset_add(&w->retried, object);
		n->found++;
		n->queued++;
		n->found_bytes = add_capped(n->found_bytes,
		    (uint64_t)db_int(&w->db, s, 2));
	}
	n->queued_bytes = n->found_bytes;
}

static void
push_dir(struct writer *w, int64_t dir, int64_t export)
{
	DB_RUN(&w->db, DIR_EXPORT, INT(export), INT(dir));
	DB_RUN(&w->db, FRONTIER_PUSH, NOTHING, INT(dir), NOTHING);
}

/* Push failed directories, and directories of entries that the crawl could not
 * take. */
static void
push_failed_dirs(struct writer *w, const char *start, size_t index)
{
	const int64_t export = w->exports[index].id;
	const struct value dirs[] = { TEXT(start) };
	const struct value holders[] = { INT(w->target), TEXT(start) };
	bool more = db_row(&w->db, STMT_FAILED_DIRS, dirs, 1);

	while (more) {
		if (writer_export_of(w, db_bytes(&w->db, STMT_FAILED_DIRS,
		    1)) == index)
			push_dir(w, db_int(&w->db, STMT_FAILED_DIRS, 0),
			    export);
		more = db_next(&w->db, STMT_FAILED_DIRS);
	}
	more = db_row(&w->db, STMT_FAILED_HOLDERS, holders, 2);
	while (more) {
		if (writer_export_of(w, db_bytes(&w->db, STMT_FAILED_HOLDERS,
		    1)) == index)
			push_dir(w, db_int(&w->db, STMT_FAILED_HOLDERS, 0),
			    export);
		more = db_next(&w->db, STMT_FAILED_HOLDERS);
	}
}

/* Count the entries of a list, not brought by a directory page, in their own
 * row. */
static void
open_list(struct writer *w)
{
	DB_RUN(&w->db, DIR_INSERT, INT(w->next_dir++), INT(0), NOTHING,
	    TEXT(""));
	w->dirs = xcalloc(1, sizeof(*w->dirs));
	idset_init(&w->dirs->seen);
}

/* The root of a share that is no longer in the settings is a directory of the
 * share around it now. Give the directory its parent: the reading of the parent
 * tells whether the directory is gone. */
static void
adopt_roots(struct writer *w)
{
	struct db *db = &w->db;
	bool more = DB_ROW0(db, EXPORT_PATHS);

	for (; more; more = db_next(db, STMT_EXPORT_PATHS)) {
		AUTOFREE char *path = db_strdup(db, STMT_EXPORT_PATHS, 0);
		size_t i = writer_export_of(w, str_of(path));
		int64_t id;

		if (i == w->export_count ||
		    strlen(path) == w->exports[i].path_len ||
		    !DB_ROW(db, DIR_FIND, TEXT(path)))
			continue;
		id = db_int(db, STMT_DIR_FIND, 0);
		db_done(db, STMT_DIR_FIND);
		DB_RUN(db, DIR_PARENT, INT(w->exports[i].id),
		    INT(writer_dir(w, path_dir(str_of(path)),
		    w->exports[i].id)), INT(id));
	}
}

static void
start_afresh(struct writer *w, const struct run_spec *spec)
{
	struct totals n = { .found = 0 };

	DB_RUN0(&w->db, TODO_CLEAR);
	DB_RUN0(&w->db, FRONTIER_CLEAR);
	w->next_todo = 1;
	if (spec->no_crawl || spec->retry_failed)
		open_list(w);
	w->list_open = spec->no_crawl && !spec->retry_failed;
	if (!spec->no_crawl && !spec->retry_failed)
		adopt_roots(w);
	for (size_t i = 0; i < spec->export_count; i++) {
		struct str start = str_of(spec->exports[i].start);

		if (spec->retry_failed) {
			push_failed_dirs(w, start.p, i);
			queue_failed(w, spec, i, 0, INT64_MAX, &n);
		} else if (!spec->no_crawl) {
			push_dir(w, writer_dir(w, start, w->exports[i].id),
			    w->exports[i].id);
		}
	}
	if (n.found == 0)
		return;
	writer_add_counts(&w->totals, &n);
	writer_add_list(w, &n);
}

/* Count the files found by the earlier runs of the crawl, and their results. */
static void
resume_totals(struct writer *w)
{
	struct db *db = &w->db;
	struct totals n = { .found = 0 };
	uint64_t left = 0, gone = 0, done;

	catalog_sum_dirs(w, &n);
	if (DB_ROW(db, TODO_COUNT, INT(0))) {
		left = (uint64_t)db_int(db, STMT_TODO_COUNT, 0);
		db_done(db, STMT_TODO_COUNT);
	}
	if (DB_ROW(db, PRIOR_GONE, INT(w->target), INT(w->crawl),
	    INT(w->run))) {
		gone = (uint64_t)db_int(db, STMT_PRIOR_GONE, 0);
		db_done(db, STMT_PRIOR_GONE);
	}
	done = n.queued - left - gone;
	n.found -= gone;
	n.unchanged += done;
	n.queued = left;
	writer_add_counts(&w->totals, &n);
}

/* Push the directories read too long ago, to be read again. Add none while
 * directories of an earlier cut are left, or a crawl cut every night would
 * never end; but do add them if no run has continued the crawl for so long. */
static void
push_old_dirs(struct writer *w, const struct run_spec *spec,
    const struct last_run *last)
{
	int64_t now = clock_wall_ns(), oldest = now - spec->resume_within_ns;

	if (last->ended_ns >= oldest && last->ended_ns <= now &&
	    DB_ROW0(&w->db, AGAIN_LEFT)) {
		db_done(&w->db, STMT_AGAIN_LEFT);
		return;
	}
	DB_RUN(&w->db, AGAIN_OLD, INT(w->crawl), INT(oldest), INT(now));
}

/* What was read of an export whose root is another directory now was not read
 * of what is there: all of it is to be read again. */
static void
push_replaced(struct writer *w, const struct run_spec *spec)
{
	for (size_t i = 0; i < spec->export_count; i++) {
		const struct attrs *root = spec->exports[i].root;

		if (root == NULL || !writer_root_differs(w, &w->exports[i],
		    root->ino, root->fsid, (spec->ignore & ATTRS_INO) != 0))
			continue;
		DB_RUN(&w->db, AGAIN_EXPORT, INT(w->crawl),
		    INT(w->exports[i].id));
		DB_RUN(&w->db, ROOT_FORGET, INT(w->exports[i].id));
	}
}

/* What the run takes over, for people. */
static void
tell_continued(struct writer *w, struct run_info *info)
{
	struct db *db = &w->db;

	info->continued = true;
	if (DB_ROW(db, RUN_STARTED, INT(w->crawl))) {
		info->since_ns = db_int(db, STMT_RUN_STARTED, 0);
		db_done(db, STMT_RUN_STARTED);
	}
	if (DB_ROW(db, KEPT_DIRS, INT(w->crawl))) {
		info->dirs_kept = (uint64_t)db_int(db, STMT_KEPT_DIRS, 0);
		db_done(db, STMT_KEPT_DIRS);
	}
}

/* Continue the crawl of the last run. Objects that failed before the last run
 * are in the backlog already, queued by the last run. Objects lost since lie in
 * directories to be read again. */
static void
resume(struct writer *w, const struct begin *b, const struct last_run *last)
{
	struct totals n = { .found = 0 };
	struct db *db = &w->db;

	push_old_dirs(w, b->spec, last);
	push_replaced(w, b->spec);
	DB_RUN(db, AGAIN_DIRS, INT(w->crawl));
	DB_RUN(db, AGAIN_LOST, INT(w->target), INT(w->crawl));
	DB_RUN(db, AGAIN_RESET, INT(w->crawl));
	DB_RUN(db, TODO_DONE, INT(last->leased), INT(w->target),
	    INT(w->crawl), INT(last->run));
	DB_RUN0(db, TODO_REREAD);
	for (size_t i = 0; i < b->spec->export_count; i++)
		queue_failed(w, b->spec, i, last->run, last->run, &n);
	tell_continued(w, b->info);
	resume_totals(w);
}

/* Put the items on their way when their run was cut in doubt: their objects
 * may have other bytes by now. */
static void
settle_open(struct writer *w)
{
	DB_RUN0(&w->db, SETTLE_OPEN);
	DB_RUN0(&w->db, DOUBT_UNVERIFIED);
}

/* A run without a backlog leaves the backlog of a cut run unchanged. */
static void
begin_plain(struct writer *w, const struct begin *b)
{
	int64_t last_leased;

	settle_open(w);
	load_marks(w, &last_leased);
	w->has_names = !w->server_as_prefix && names_meet_any(&w->db);
	w->next_todo = 1;
	insert_run(w, b->spec);
}

static void
begin_backlog(struct writer *w, const struct begin *b)
{
	struct last_run last = { .run = 0 };
	bool continued;

	w->crawl = cut_crawl(w, b->spec, &last);
	w->crawls = !b->spec->no_crawl && !b->spec->retry_failed;
	continued = w->crawl != 0;
	DB_RUN0(&w->db, SETTLE_DOUBT);
	settle_open(w);
	load_marks(w, &last.leased);
	w->first_todo = w->next_todo;
	load_exports(w, b->spec);
	w->has_names = !w->server_as_prefix && names_meet_any(&w->db);
	writer_fs_load(w);
	w->accept_fs = b->spec->accept_filesystem;
	load_set(w, STMT_SETTLE_LIST, &w->settle);
	load_set(w, STMT_UPLOAD_LIST, &w->uploads);
	insert_run(w, b->spec);
	if (continued) {
		resume(w, b, &last);
	} else {
		start_afresh(w, b->spec);
		w->first_todo = 1;
	}
	DB_RUN0(&w->db, LEASE_CLEAR);
	if (DB_ROW0(&w->db, FRONTIER_COUNT)) {
		w->frontier_left = db_int(&w->db, STMT_FRONTIER_COUNT, 0);
		w->next_frontier = db_int(&w->db, STMT_FRONTIER_COUNT, 1) + 1;
		w->again_left = db_int(&w->db, STMT_FRONTIER_COUNT, 2);
		w->first_frontier = w->next_frontier;
		db_done(&w->db, STMT_FRONTIER_COUNT);
	}
}

static uint64_t
late_ms(struct writer *w)
{
	uint64_t ms = 0;

	if (DB_ROW0(&w->db, RUN_LATE)) {
		ms = (uint64_t)db_int(&w->db, STMT_RUN_LATE, 0);
		db_done(&w->db, STMT_RUN_LATE);
	}
	return ms;
}

static void
late_over(struct catalog *c, void *arg UNUSED)
{
	if (c->writer.run != 0)
		DB_RUN(&c->writer.db, RUN_LATE_OVER, INT(c->writer.run));
}

int
catalog_late_over(struct catalog *c, struct err *err)
{
	return catalog_call(c, late_over, NULL, err);
}

static void
begin_run(struct catalog *c, void *arg)
{
	struct begin *b = arg;
	struct writer *w = &c->writer;

	c->remember = true;
	catalog_reset_run(w);
	if (catalog_take_target(w, b->spec, &b->refused) == -1)
		return;
	w->over = false;
	w->server_as_prefix = b->spec->server_as_prefix;
	w->no_backlog = b->spec->no_backlog;
	w->ignore = b->spec->ignore;
	w->clock_skew_ns = b->spec->clock_skew_ns;
	writer_verified_dead(w);
	DB_RUN(&w->db, RUNS_DIED, INT(w->attempt));
	b->info->late_ms = late_ms(w);
	b->info->known = w->known;
	writer_settle_deletes(w);
	if (w->no_backlog)
		begin_plain(w, b);
	else
		begin_backlog(w, b);
	b->info->run = w->run;
	b->info->crawl = w->crawl;
	b->info->target = w->target;
}

int
catalog_begin_run(struct catalog *c, const struct run_spec *spec,
    struct run_info *info, struct err *err)
{
	struct begin b = { .spec = spec, .info = info };

	memset(info, 0, sizeof(*info));
	if (catalog_call(c, begin_run, &b, err) == -1)
		return -1;
	if (b.refused.kind == ERR_NONE)
		return 0;
	*err = b.refused;
	return -1;
}
