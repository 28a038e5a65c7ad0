/*
 * The beginning of a run: afresh, or from the end of a cut run.
 */
#include <unistd.h>

#include "base/clock.h"
#include "catalog/catalog_internal.h"

struct begin {
	const struct run_spec *spec;
	struct run_info *info;
};

/* The last run that had a backlog. */
struct last_run {
	int64_t	 run;
	int64_t	 ended_ns;
	int64_t	 leased;	/* backlog rows up to this row were handed
				   out */
};

static void
load_marks(struct own *o, int64_t *last_leased)
{
	const enum stmt s = STMT_MARKS;
	struct db *db = &o->db;

	*last_leased = 0;
	if (!DB_ROW0(db, MARKS))
		return;
	o->next_dir = db_int(db, s, 0) + 1;
	o->next_object = db_int(db, s, 1) + 1;
	o->next_todo = db_int(db, s, 2) + 1;
	o->next_result = db_int(db, s, 3) + 1;
	*last_leased = db_int(db, s, 4);
	o->has_history = db_int(db, s, 5) != 0;
	o->has_verified = db_int(db, s, 6) != 0;
	o->has_doubts = db_int(db, s, 7) != 0;
	o->has_doomed = db_int(db, s, 8) != 0;
	db_done(db, s);
	o->first_new_dir = o->next_dir;
	o->first_object = o->next_object;
}

static int64_t
find_target(struct db *db, const struct run_spec *spec, struct run_info *info)
{
	const enum stmt s = STMT_TARGET_OTHER;
	int64_t id = core_find_target(db, spec);

	if (id != 0)
		return id;
	if (DB_ROW(db, TARGET_OTHER, TEXT(spec->bucket),
	    INT(spec->server_as_prefix))) {
		str_escape(db_bytes(db, s, 0), info->other,
		    sizeof(info->other));
		db_done(db, s);
	}
	DB_RUN(db, TARGET_INSERT, TEXT(spec->endpoint), TEXT(spec->bucket),
	    INT(spec->server_as_prefix));
	return db_last_id(db);
}

static void
load_exports(struct own *o, const struct run_spec *spec)
{
	const struct run_export *x;

	DB_RUN0(&o->db, EXPORT_CLEAR);
	o->exports = xcalloc(MAX(spec->export_count, (size_t)1),
	    sizeof(*o->exports));
	o->export_count = spec->export_count;
	for (size_t i = 0; i < spec->export_count; i++) {
		x = &spec->exports[i];
		DB_RUN(&o->db, EXPORT_INSERT, TEXT(x->server), TEXT(x->share),
		    TEXT(x->path), INT(i));
		if (DB_ROW(&o->db, EXPORT_FIND, TEXT(x->path))) {
			o->exports[i].id = db_int(&o->db, STMT_EXPORT_FIND, 0);
			db_done(&o->db, STMT_EXPORT_FIND);
		}
		o->exports[i].path_len = strlen(x->path);
		o->exports[i].start = xstrdup(x->start);
	}
}

/* Return the crawl to be continued by this run, or 0. The backlog belongs to
 * the last run, so no earlier crawl can be continued. */
static int64_t
cut_crawl(struct own *o, const struct run_spec *spec, struct last_run *last)
{
	const enum stmt s = STMT_RUN_LAST;
	struct db *db = &o->db;
	int64_t crawl = 0;

	if (!DB_ROW0(db, RUN_LAST))
		return 0;
	last->run = db_int(db, s, 0);
	last->ended_ns = db_int(db, s, 6);
	if (!spec->no_crawl && !spec->retry_failed && !spec->fresh &&
	    str_eq(db_bytes(db, s, 2), str_of(op_name(spec->op))) &&
	    db_int(db, s, 3) == o->target &&
	    str_eq(db_bytes(db, s, 4), str_of(spec->scope)) &&
	    !str_eq(db_bytes(db, s, 5), STR("complete")))
		crawl = db_int(db, s, 1);
	db_done(db, s);
	return crawl;
}

static void
insert_run(struct own *o, const struct run_spec *spec)
{
	DB_RUN(&o->db, RUN_INSERT, TEXT(op_name(spec->op)), INT(o->target),
	    TEXT(spec->scope), TEXT(spec->command_line), INT(getpid()),
	    INT(clock_wall_ns()), INT(o->next_result - 1),
	    INT(!spec->no_backlog), INT(spec->late_ms));
	if (o->db.err.kind != ERR_NONE)
		return;
	o->run = db_last_id(&o->db);
	if (o->crawl == 0)
		o->crawl = o->run;
	DB_RUN(&o->db, RUN_CRAWL, INT(o->crawl), INT(o->run));
}

static void
load_set(struct own *o, enum stmt s, struct idset *set)
{
	const struct value target = INT(o->target);
	bool more = db_row(&o->db, s, &target, 1);

	while (more) {
		idset_add(set, db_int(&o->db, s, 0));
		more = db_next(&o->db, s);
	}
}

/* Queue the objects that failed at this target in the runs from since to
 * until. */
static void
queue_failed(struct own *o, const struct run_spec *spec, size_t export,
    int64_t since, int64_t until, struct counts *n)
{
	const char *start = spec->exports[export].start;
	const struct handle no_handle = { .len = 0 };
	const enum stmt s = STMT_FAILED_LIST;
	const struct value v[] = { INT(o->target), INT(OUTCOME_FAILED),
	    INT(since), INT(until), TEXT(start) };
	bool more = db_row(&o->db, s, v, ARRAY_LEN(v));

	for (; more; more = db_next(&o->db, s)) {
		int64_t object = db_int(&o->db, s, 0);

		if (core_export_of(o, db_bytes(&o->db, s, 1)) != export)
			continue;
		/* The target may hold the bytes of this version, if only the
		 * verification failed. */
		core_queue(o, object, o->exports[export].id, 0,
		    db_int(&o->db, s, 3) != 0 ? object :
		    core_held_before(o, db_bytes(&o->db, s, 1)), &no_handle);
		if (spec->retry_failed)
			idset_add(&o->retried, object);
		n->found++;
		n->queued++;
		n->found_bytes = add_capped(n->found_bytes,
		    (uint64_t)db_int(&o->db, s, 2));
	}
	n->queued_bytes = n->found_bytes;
}

static void
push_dir(struct own *o, int64_t dir, int64_t export)
{
	DB_RUN(&o->db, DIR_EXPORT, INT(export), INT(dir));
	DB_RUN(&o->db, FRONTIER_PUSH, NOTHING, INT(dir), NOTHING);
}

/* Push failed directories, and directories of entries that the crawl could not
 * take. */
static void
push_failed_dirs(struct own *o, const char *start, size_t index)
{
	const int64_t export = o->exports[index].id;
	const struct value dirs[] = { TEXT(start) };
	const struct value holders[] = { INT(o->target), TEXT(start) };
	bool more = db_row(&o->db, STMT_FAILED_DIRS, dirs, 1);

	while (more) {
		if (core_export_of(o, db_bytes(&o->db, STMT_FAILED_DIRS,
		    1)) == index)
			push_dir(o, db_int(&o->db, STMT_FAILED_DIRS, 0),
			    export);
		more = db_next(&o->db, STMT_FAILED_DIRS);
	}
	more = db_row(&o->db, STMT_FAILED_HOLDERS, holders, 2);
	while (more) {
		if (core_export_of(o, db_bytes(&o->db, STMT_FAILED_HOLDERS,
		    1)) == index)
			push_dir(o, db_int(&o->db, STMT_FAILED_HOLDERS, 0),
			    export);
		more = db_next(&o->db, STMT_FAILED_HOLDERS);
	}
}

/* Count the entries of a list, not brought by a directory page, in their own
 * row. */
static void
open_list(struct own *o)
{
	DB_RUN(&o->db, DIR_INSERT, INT(o->next_dir++), INT(0), NOTHING,
	    TEXT(""));
	o->dirs = xcalloc(1, sizeof(*o->dirs));
	idset_init(&o->dirs->seen);
}

static void
start_afresh(struct own *o, const struct run_spec *spec)
{
	struct counts n = { .found = 0 };

	DB_RUN0(&o->db, TODO_CLEAR);
	DB_RUN0(&o->db, FRONTIER_CLEAR);
	o->next_todo = 1;
	if (spec->no_crawl || spec->retry_failed)
		open_list(o);
	o->list_open = spec->no_crawl && !spec->retry_failed;
	for (size_t i = 0; i < spec->export_count; i++) {
		struct str start = str_of(spec->exports[i].start);

		if (spec->retry_failed) {
			push_failed_dirs(o, start.p, i);
			queue_failed(o, spec, i, 0, INT64_MAX, &n);
		} else if (!spec->no_crawl) {
			push_dir(o, core_dir(o, start, o->exports[i].id),
			    o->exports[i].id);
		}
	}
	if (n.found == 0)
		return;
	core_add_counts(&o->totals, &n);
	core_add_list(o, &n);
}

/* Count the files found by the earlier runs of the crawl, and their results. */
static void
resume_totals(struct own *o)
{
	struct db *db = &o->db;
	struct counts n = { .found = 0 };
	uint64_t left = 0, gone = 0, done;

	core_sum_dirs(o, &n);
	if (DB_ROW(db, TODO_COUNT, INT(0))) {
		left = (uint64_t)db_int(db, STMT_TODO_COUNT, 0);
		db_done(db, STMT_TODO_COUNT);
	}
	if (DB_ROW(db, PRIOR_GONE, INT(o->target), INT(o->crawl),
	    INT(o->run))) {
		gone = (uint64_t)db_int(db, STMT_PRIOR_GONE, 0);
		db_done(db, STMT_PRIOR_GONE);
	}
	done = n.queued - left - gone;
	n.found -= gone;
	n.unchanged += done;
	n.queued = left;
	core_add_counts(&o->totals, &n);
}

/* Push the directories read too long ago, to be read again. Add none while
 * directories of an earlier cut are left, or a crawl cut every night would
 * never end; but do add them if no run has continued the crawl for so long. */
static void
push_old_dirs(struct own *o, const struct run_spec *spec,
    const struct last_run *last)
{
	int64_t now = clock_wall_ns(), oldest = now - spec->resume_within_ns;

	if (last->ended_ns >= oldest && last->ended_ns <= now &&
	    DB_ROW0(&o->db, AGAIN_LEFT)) {
		db_done(&o->db, STMT_AGAIN_LEFT);
		return;
	}
	DB_RUN(&o->db, AGAIN_OLD, INT(o->crawl), INT(oldest), INT(now));
}

/* What was read of an export whose root is another directory now was not read
 * of what is there: all of it is to be read again. */
static void
push_replaced(struct own *o, const struct run_spec *spec)
{
	for (size_t i = 0; i < spec->export_count; i++) {
		const struct attrs *root = spec->exports[i].root;

		if (root == NULL || !core_root_differs(o, &o->exports[i],
		    root->ino, root->fsid, spec->ignore_inode))
			continue;
		DB_RUN(&o->db, AGAIN_EXPORT, INT(o->crawl),
		    INT(o->exports[i].id));
		DB_RUN(&o->db, ROOT_FORGET, INT(o->exports[i].id));
	}
}

/* What the run takes over, for people. */
static void
tell_continued(struct own *o, struct run_info *info)
{
	struct db *db = &o->db;

	info->continued = true;
	if (DB_ROW(db, RUN_STARTED, INT(o->crawl))) {
		info->since_ns = db_int(db, STMT_RUN_STARTED, 0);
		db_done(db, STMT_RUN_STARTED);
	}
	if (DB_ROW(db, KEPT_DIRS, INT(o->crawl))) {
		info->dirs_kept = (uint64_t)db_int(db, STMT_KEPT_DIRS, 0);
		db_done(db, STMT_KEPT_DIRS);
	}
}

/* Continue the crawl of the last run. Objects that failed before the last run
 * are in the backlog already, queued by the last run. Objects lost since lie in
 * directories to be read again. */
static void
resume(struct own *o, const struct begin *b, const struct last_run *last)
{
	struct counts n = { .found = 0 };
	struct db *db = &o->db;

	push_old_dirs(o, b->spec, last);
	push_replaced(o, b->spec);
	DB_RUN(db, AGAIN_DIRS, INT(o->crawl));
	DB_RUN(db, AGAIN_LOST, INT(o->target), INT(o->crawl));
	DB_RUN(db, AGAIN_RESET, INT(o->crawl));
	DB_RUN(db, TODO_DONE, INT(last->leased), INT(o->target),
	    INT(o->crawl), INT(last->run));
	DB_RUN0(db, TODO_REREAD);
	for (size_t i = 0; i < b->spec->export_count; i++)
		queue_failed(o, b->spec, i, last->run, last->run, &n);
	tell_continued(o, b->info);
	resume_totals(o);
}

/* Put the items on their way when their run was cut in doubt: their objects
 * may have other bytes by now. */
static void
settle_open(struct own *o)
{
	DB_RUN0(&o->db, SETTLE_OPEN);
	DB_RUN0(&o->db, DOUBT_UNVERIFIED);
}

/* A run without a backlog leaves the backlog of a cut run unchanged. */
static void
begin_plain(struct own *o, const struct begin *b)
{
	int64_t last_leased;

	settle_open(o);
	load_marks(o, &last_leased);
	o->has_names = !o->server_as_prefix && names_meet_any(&o->db);
	o->next_todo = 1;
	insert_run(o, b->spec);
}

static void
begin_backlog(struct own *o, const struct begin *b)
{
	struct last_run last = { .run = 0 };
	bool continued;

	o->crawl = cut_crawl(o, b->spec, &last);
	o->crawls = !b->spec->no_crawl && !b->spec->retry_failed;
	continued = o->crawl != 0;
	load_marks(o, &last.leased);
	o->first_todo = o->next_todo;
	load_exports(o, b->spec);
	o->has_names = !o->server_as_prefix && names_meet_any(&o->db);
	DB_RUN0(&o->db, SETTLE_DOUBT);
	core_fs_load(o);
	o->accept_fs = b->spec->accept_filesystem;
	o->follow_links = b->spec->follow_links;
	settle_open(o);
	load_set(o, STMT_SETTLE_LIST, &o->settle);
	load_set(o, STMT_UPLOAD_LIST, &o->uploads);
	insert_run(o, b->spec);
	if (continued) {
		resume(o, b, &last);
	} else {
		start_afresh(o, b->spec);
		o->first_todo = 1;
	}
	DB_RUN0(&o->db, LEASE_CLEAR);
	if (DB_ROW0(&o->db, FRONTIER_COUNT)) {
		o->frontier_left = db_int(&o->db, STMT_FRONTIER_COUNT, 0);
		o->next_frontier = db_int(&o->db, STMT_FRONTIER_COUNT, 1) + 1;
		o->again_left = db_int(&o->db, STMT_FRONTIER_COUNT, 2);
		o->first_frontier = o->next_frontier;
		db_done(&o->db, STMT_FRONTIER_COUNT);
	}
}

static uint64_t
late_ms(struct own *o)
{
	uint64_t ms = 0;

	if (DB_ROW0(&o->db, RUN_LATE)) {
		ms = (uint64_t)db_int(&o->db, STMT_RUN_LATE, 0);
		db_done(&o->db, STMT_RUN_LATE);
	}
	return ms;
}

static void
late_over(struct catalog *c, void *arg UNUSED)
{
	if (c->own.run != 0)
		DB_RUN(&c->own.db, RUN_LATE_OVER, INT(c->own.run));
}

int
catalog_late_over(struct catalog *c, struct err *err)
{
	return core_call(c, late_over, NULL, err);
}

static void
begin_run(struct catalog *c, void *arg)
{
	struct begin *b = arg;
	struct own *o = &c->own;
	struct run_spec other = *b->spec;

	core_reset_run(o);
	o->over = false;
	o->target = find_target(&o->db, b->spec, b->info);
	other.server_as_prefix = !other.server_as_prefix;
	o->other_target = core_find_target(&o->db, &other);
	o->server_as_prefix = b->spec->server_as_prefix;
	o->no_backlog = b->spec->no_backlog;
	o->ignore = (b->spec->ignore_inode ? ATTRS_INO : 0) |
	    (b->spec->ignore_ctime ? ATTRS_CTIME : 0);
	o->clock_skew_ns = b->spec->clock_skew_ns;
	DB_RUN0(&o->db, RUNS_DIED);
	b->info->late_ms = late_ms(o);
	core_settle_doomed(o);
	if (o->no_backlog)
		begin_plain(o, b);
	else
		begin_backlog(o, b);
	b->info->run = o->run;
	b->info->crawl = o->crawl;
	b->info->target = o->target;
}

int
catalog_begin_run(struct catalog *c, const struct run_spec *spec,
    struct run_info *info, struct err *err)
{
	struct begin b = { spec, info };

	memset(info, 0, sizeof(*info));
	return core_call(c, begin_run, &b, err);
}
