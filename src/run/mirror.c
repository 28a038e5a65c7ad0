#include "run/mirror.h"

#include <inttypes.h>

#include "absence/asker.h"
#include "base/log.h"
#include "catalog/mirror.h"
#include "crawl/judge.h"
#include "model/key.h"
#include "report/text.h"
#include "run/deleter.h"
#include "run/doubts.h"
#include "run/ours.h"

#define PATH_BYTES_MAX	(64 * KIB)

/* The fate of the objects whose files are proven gone. */
enum use { USE_COUNT = 0, USE_PRINT, USE_DELETE };

struct mirror {
	struct run *r;
	struct mirror_plan plan;
	struct crawl_config filters;	/* what this run leaves out */
	struct mirror_rules rules;
	struct asker *asker;
	enum use use;
	char	*after;		/* last path of the page before */
	bool	 listed;	/* no page is left */
	uint64_t proven;	/* of the pages so far: gone */
	uint64_t present;	/* ... there again */
	uint64_t unknown;	/* ... neither */
	uint64_t foreign;	/* gone, and the object is not ours any more */
	bool	*lost;		/* exports that gave no answer and have their
				   row for that; by index */
	bool	 store_lost;	/* nor does the store: nothing more is asked */
	uint64_t most;		/* deletions that --max-delete has allowed */
	bool	 beyond;	/* more files are gone by now than that */
};

/* Tell people on standard error, also where the run has no log file. */
static void
say(const struct run *r, const char *text)
{
	if (!r->job->quiet)
		fprintf(stderr, "%s\n", text);
	log_event(LOG_INFO, EVENT_MIRROR, NULL, "%s", text);
}

/* --- what is left out --- */

static bool
leaves_out(void *arg, struct str path, const struct attrs *held,
    const struct attrs *last)
{
	struct mirror *x = arg;
	const struct run_plan *p = &x->r->plan;
	AUTOFREE char *name = xstrndup(path.p, path.len);
	struct buf raw CLEANUP(buf_release);
	const char *rest;
	unsigned export;

	buf_init(&raw, PATH_BYTES_MAX);
	if (!absence_export_of((const char *const *)p->roots, p->count, name,
	    &export, &rest) || key_to_path(&raw, str_of(rest)) == -1)
		return true;
	if (judge_leaves_out(&x->filters, buf_str(&raw), held))
		return true;
	/* A link, a fifo or the like in the place of the file is not a file
	 * left out by a filter. */
	return last->kind == ENTRY_FILE &&
	    judge_leaves_out(&x->filters, buf_str(&raw), last);
}

/* --- guards --- */

/* Log what the guards keep; return true if the guards keep any objects. */
static bool
tell_guarded(struct mirror *x)
{
	const struct mirror_plan *p = &x->plan;
	struct run *r = x->r;
	bool others = false;

	if (p->unproved > 0)
		log_event(LOG_WARN, EVENT_MIRROR,
		    LOG_WITH(LOG_NUMBER("count", p->unproved)),
		    "%" PRIu64 " objects are kept: "
		    "not all directories could be read, or another export has "
		    "a file with the same key",
		    p->unproved);
	if (p->left_out > 0)
		log_event(LOG_INFO, EVENT_MIRROR,
		    LOG_WITH(LOG_NUMBER("count", p->left_out)),
		    "%" PRIu64 " objects of files "
		    "that are gone are kept, as this run leaves them out "
		    "(filters, limits)",
		    p->left_out);
	for (size_t i = 0; i < p->export_count; i++)
		if (p->exports[i] == MIRROR_OTHER_FS) {
			others = true;
			run_reason(r, "nothing of export %s is deleted: %s",
			    r->plan.roots[i],
			    mirror_guard_text(p->exports[i]));
			if (p->guarded == 0 || p->first_guarded != i)
				log_event(LOG_ERROR, EVENT_GUARD,
				    LOG_WITH(LOG_TEXT("path", r->plan.roots[i]),
					LOG_TEXT("reason",
					    mirror_guard_text(p->exports[i]))),
				    "nothing of "
				    "export %s is deleted: %s",
				    r->plan.roots[i],
				    mirror_guard_text(p->exports[i]));
		}
	if (p->guarded == 0)
		return others;
	run_reason(r, "%" PRIu64 " objects of files that are gone are kept: "
	    "export %s: %s", p->guarded, r->plan.roots[p->first_guarded],
	    mirror_guard_text(p->exports[p->first_guarded]));
	log_event(LOG_ERROR, EVENT_GUARD,
	    LOG_WITH(LOG_TEXT("path", r->plan.roots[p->first_guarded]),
		LOG_NUMBER("count", p->guarded),
		LOG_TEXT(
		    "reason", mirror_guard_text(p->exports[p->first_guarded]))),
	    "%" PRIu64 " objects of files that are "
	    "gone are kept: export %s: %s",
	    p->guarded, r->plan.roots[p->first_guarded],
	    mirror_guard_text(p->exports[p->first_guarded]));
	return true;
}

/* --- pages --- */

static struct str
key_of(const struct mirror *x, const char *path)
{
	return str_of(key_of_path(path,
	    x->r->conf->fs_config.server_as_prefix));
}

static bool
on_turn(void *arg)
{
	struct mirror *x = arg;

	run_turn(x->r, 0);
	return !run_stopped(x->r);
}

/* Count the objects that this run knows to be stored, without a look at
 * each: the unchanged and the uploaded objects, and the stored objects of files
 * that are gone. Return true if the crawled trees hold nothing else: no file or
 * directory was left out or has failed. */
static bool
known_stored(const struct mirror *x, uint64_t *ret_count)
{
	const struct mirror_plan *p = &x->plan;
	struct totals t;

	catalog_totals(x->r->catalog, &t);
	*ret_count = t.moved + t.unchanged + p->count + p->guarded +
	    p->unproved + p->left_out;
	return t.excluded == 0 && t.failed == 0;
}

/* Count the stored objects as far as the limit needs the number: stop at the
 * number of objects with which the limit allows the count, or count all
 * objects. */
static int
count_stored(struct mirror *x, uint64_t count, uint64_t *ret_stored,
    struct err *err)
{
	const struct count_turn turn = { .turn = on_turn, .arg = x };
	uint64_t percent = x->r->job->max_delete, known;
	bool all = known_stored(x, &known);

	*ret_stored = known;
	if (all || percent == 0 || count * 100 <= percent * known)
		return 0;
	return catalog_mirror_stored(x->r->reader, &x->plan, percent == 0 ? 0 :
	    (count * 100 + percent - 1) / percent, &turn, ret_stored, err);
}

/* -1: --max-delete stops it. */
static int
check_limit(struct mirror *x, uint64_t count, struct err *err)
{
	const struct job *job = x->r->job;
	uint64_t stored;

	if (!job->max_delete_percent) {
		if (count <= job->max_delete)
			return 0;
		return err_set(err, ERR_STOPPED, 0, "--delete would delete %"
		    PRIu64 " objects, more than --max-delete %" PRIu64 ": "
		    "nothing was deleted; if that is meant, raise it", count,
		    job->max_delete);
	}
	if (count_stored(x, count, &stored, err) == -1)
		return -1;
	if (count * 100 <= job->max_delete * stored)
		return 0;
	return err_set(err, ERR_STOPPED, 0, "--delete would delete %" PRIu64
	    " of %" PRIu64 " objects (%" PRIu64 "%%), more than --max-delete %"
	    PRIu64 "%%: nothing was deleted; if that is meant, raise it",
	    count, stored, stored == 0 ? 100 : count * 100 / stored,
	    job->max_delete);
}

static void
fill_row(struct outcome_row *r, const struct stored *s)
{
	r->path = xstrdup(s->path);
	r->object = s->object;
	r->size = s->attrs.size;
}

static struct outcomes *
new_rows(size_t n)
{
	struct outcomes *rows = xcalloc(1, sizeof(*rows));

	rows->v = xcalloc(MAX(n, (size_t)1), sizeof(*rows->v));
	return rows;
}

static void
add_failed(struct outcomes *kept, const struct stored *s,
    const struct err *err, const char *text)
{
	struct outcome_row *r = &kept->v[kept->count++];

	fill_row(r, s);
	r->outcome = OUTCOME_FAILED;
	r->attempts = 1;
	r->err = *err;
	err_wrap(&r->err, "%s", text);
}

/* Nobody can say whether the file is gone. An export that does not answer at
 * all gets a single row. */
static void
note_unknown(struct mirror *x, const struct absence_question *q,
    const struct stored *s, struct outcomes *kept)
{
	x->unknown++;
	if (q->everywhere && x->lost[q->export])
		return;
	if (q->everywhere)
		x->lost[q->export] = true;
	add_failed(kept, s, &q->why, q->everywhere ? "kept, with all that "
	    "seems gone of its export" : "kept, as it is not known whether "
	    "its file is gone");
}

/* The store does not say whether the object is ours. A store that gives no
 * answer at all gets a single row. */
static void
note_unsaid(struct mirror *x, const struct stored *s, const struct err *err,
    struct outcomes *kept)
{
	if (x->store_lost)
		return;
	x->store_lost = err->kind == ERR_RETRY ||
	    err->kind == ERR_UNREACHABLE || err->kind == ERR_REFUSED;
	add_failed(kept, s, err, x->store_lost ? "kept, with all that seems "
	    "gone and is not deleted yet" : "kept, as the store does not say "
	    "whether it is what was put");
}

/* Somebody else has put an object under the key. It is none of ours. */
static void
note_foreign(struct mirror *x, const struct stored *s, struct outcomes *kept)
{
	struct outcome_row *r = &kept->v[kept->count++];

	x->foreign++;
	fill_row(r, s);
	r->outcome = OUTCOME_EXCLUDED;
	r->lost = true;
	err_set(&r->err, ERR_GONE, 0, "the bucket holds another object under "
	    "this key");
}

/* An object that the bucket does not have any more is deleted without a
 * request, which would leave a delete marker in a bucket with versions. */
static void
note_gone(struct mirror *x, const struct stored *s,
    const struct ours_question *o, struct outcomes *gone,
    struct outcomes *kept)
{
	struct outcomes *rows = o->held == HELD_GONE ? kept : gone;
	struct outcome_row *r;

	if (x->use == USE_DELETE && x->proven == x->most) {
		x->beyond = true;
		return;
	}
	x->proven++;
	if (x->use == USE_PRINT)
		deleter_print(x->r->job, "delete", key_of(x, s->path),
		    s->attrs.size);
	if (x->use != USE_DELETE)
		return;
	r = &rows->v[rows->count++];
	fill_row(r, s);
	r->outcome = OUTCOME_DELETED;
	memcpy(r->etag, o->etag, sizeof(r->etag));
}

/* Each file of the page has its answer, and each object too. */
static void
use_page(struct mirror *x, const struct mirror_row *v,
    const struct absence_question *q, const struct ours_question *o, size_t n)
{
	struct outcomes *gone = new_rows(n), *kept = new_rows(n);

	for (size_t i = 0; i < n; i++) {
		const struct stored *s = &v[i].stored;

		if (q[i].verdict == ABSENCE_PRESENT)
			x->present++;
		else if (q[i].verdict == ABSENCE_UNKNOWN &&
		    x->use == USE_COUNT)
			x->unknown++;
		else if (q[i].verdict == ABSENCE_UNKNOWN)
			note_unknown(x, &q[i], s, kept);
		else if (o[i].held == HELD_OURS || o[i].held == HELD_GONE)
			note_gone(x, s, &o[i], gone, kept);
		else if (o[i].held == HELD_FOREIGN)
			note_foreign(x, s, kept);
		else
			note_unsaid(x, s, &o[i].err, kept);
	}
	if (gone->count > 0)
		deleter_give(x->r, STEAL(gone));
	if (kept->count > 0)
		catalog_put_outcomes(x->r->catalog, STEAL(kept));
	outcomes_free(&gone);
	outcomes_free(&kept);
}

static int
prove_page(struct mirror *x, const struct mirror_row *v, size_t n,
    struct err *err)
{
	AUTOFREE struct absence_question *q = xcalloc(n, sizeof(*q));
	AUTOFREE struct ours_question *o = xcalloc(n, sizeof(*o));

	for (size_t i = 0; i < n; i++) {
		q[i] = (struct absence_question){ .noted = true,
		    .path = v[i].stored.path, .fsid = v[i].fsid };
		o[i] = (struct ours_question){ .stored = &v[i].stored,
		    .key = key_of(x, v[i].stored.path).p,
		    .held = HELD_OURS };
	}
	/* Ask the source last: the answer of the source ages faster. For the
	 * limit ask the source alone: the source must not allow more deletions
	 * while the store is silent. */
	if ((x->use != USE_COUNT &&
	    ours_ask(x->r, o, n, err) == -1) ||
	    absence_ask(x->asker, q, n, err) == -1)
		return -1;
	use_page(x, v, q, o, n);
	return 0;
}

/* Take the next page: count or print the files that are gone, or delete the
 * objects of these files. */
static void
take_page(struct mirror *x)
{
	struct mirror_row *v = xcalloc(DELETER_KEYS, sizeof(*v));
	struct err err = ERR_INIT;
	size_t n = 0;

	if (catalog_mirror_page(x->r->reader, &x->plan, str_of(x->after), v,
	    DELETER_KEYS, &n, &err) == -1)
		run_fail(x->r, &err);
	x->listed = n < DELETER_KEYS || x->r->failed;
	if (n > 0) {
		free(x->after);
		x->after = xstrdup(v[n - 1].stored.path);
	}
	if (n > 0 && !x->r->failed && prove_page(x, v, n, &err) == -1) {
		x->listed = true;
		if (err.kind != ERR_STOPPED)
			run_fail(x->r, &err);
	}
	x->listed = x->listed || x->store_lost || x->beyond;
	for (size_t i = 0; i < n; i++)
		mirror_row_release(&v[i]);
	free(v);
}

static void
begin_pages(struct mirror *x, enum use use)
{
	x->use = use;
	free(x->after);
	x->after = xstrdup("");
	x->listed = false;
	x->proven = x->present = x->unknown = x->foreign = 0;
}

/* All pages, without a deletion. */
static void
prove_all(struct mirror *x, enum use use)
{
	begin_pages(x, use);
	while (!x->listed && !run_stopped(x->r))
		take_page(x);
}

/* --- deletion --- */

static bool
delete_more(void *arg)
{
	struct mirror *x = arg;

	while (!x->listed && !run_stopped(x->r) && deleter_room(x->r))
		take_page(x);
	return x->listed;
}

static void
delete_all(struct mirror *x)
{
	struct run *r = x->r;
	struct job job = *r->job;
	struct err err = ERR_INIT;

	/* A thousand keys a request: the master needs no help. */
	job.op = OP_DEL;
	job.standalone = true;
	if (deleter_start(r, &job, &err) == -1) {
		run_fail(r, &err);
		return;
	}
	begin_pages(x, USE_DELETE);
	run_loop(r, delete_more, x);
}

static void
tell_unknown(const struct mirror *x)
{
	if (x->unknown > 0)
		log_event(LOG_ERROR, EVENT_MIRROR,
		    LOG_WITH(LOG_NUMBER("count", x->unknown)),
		    "%" PRIu64 " objects are kept: "
		    "the source could not say whether their files are gone",
		    x->unknown);
}

/* What the source's answers kept. */
static void
tell_answers(const struct mirror *x)
{
	if (x->present > 0)
		log_event(LOG_WARN, EVENT_MIRROR,
		    LOG_WITH(LOG_NUMBER("count", x->present)),
		    "%" PRIu64 " objects are kept: "
		    "their files are there again, or something that is not "
		    "moved, such as a symlink, is in their place",
		    x->present);
	if (x->foreign > 0)
		log_event(LOG_WARN, EVENT_FOREIGN,
		    LOG_WITH(LOG_NUMBER("count", x->foreign)),
		    "%" PRIu64 " objects under the "
		    "keys of files that are gone are none that this catalog "
		    "put: they stay",
		    x->foreign);
	tell_unknown(x);
}

/* --- what the crawl left out --- */

/* Note those of a page that are proven gone, and those of which nobody
 * knows. */
static int
bury_page(struct mirror *x, const struct mirror_row *v, size_t n,
    struct err *err)
{
	AUTOFREE struct absence_question *q = xcalloc(n, sizeof(*q));
	AUTOFREE int64_t *gone = xcalloc(n, sizeof(*gone));
	struct outcomes *unknown;
	size_t count = 0;
	int rc;

	for (size_t i = 0; i < n; i++)
		q[i] = (struct absence_question){ .noted = true,
		    .path = v[i].stored.path, .fsid = v[i].fsid };
	if (absence_ask(x->asker, q, n, err) == -1)
		return -1;
	unknown = new_rows(n);
	for (size_t i = 0; i < n; i++) {
		if (q[i].verdict == ABSENCE_GONE)
			gone[count++] = v[i].stored.object;
		else if (q[i].verdict == ABSENCE_UNKNOWN)
			note_unknown(x, &q[i], &v[i].stored, unknown);
	}
	rc = catalog_mirror_bury(x->r->catalog, gone, count, unknown, err);
	outcomes_free(&unknown);
	return rc;
}

/* Ask for all files below directories that the crawl left out and did not
 * read; sets ret_last after the last page. */
static int
look_at_page(struct mirror *x, struct unread_cursor *c, bool *ret_last,
    struct err *err)
{
	AUTOFREE struct mirror_row *v = xcalloc(DELETER_KEYS, sizeof(*v));
	size_t n = 0;
	int rc;

	rc = catalog_mirror_unread(x->r->reader, &x->plan, c, v, DELETER_KEYS,
	    &n, err);
	*ret_last = n < DELETER_KEYS;
	if (rc == 0 && n > 0)
		rc = bury_page(x, v, n, err);
	for (size_t i = 0; i < n; i++)
		mirror_row_release(&v[i]);
	return rc;
}

/* --delete-excluded: the crawl did not look into the directories that it left
 * out. What is proven gone there becomes a part of the plan. */
static int
look_at_left_out(struct mirror *x, struct err *err)
{
	CLEANUP(unread_cursor_release) struct unread_cursor c = { .dir = NULL };
	bool last = false;

	if (catalog_mirror_plan(x->r->catalog, x->r->reader, &x->rules,
	    &x->plan, err) == -1)
		return -1;
	while (!last && !run_stopped(x->r))
		if (look_at_page(x, &c, &last, err) == -1)
			break;
	mirror_plan_release(&x->plan);
	tell_unknown(x);
	if (err->kind == ERR_STOPPED)
		err_clear(err);
	return err->kind == ERR_NONE ? 0 : -1;
}

/* --- the run --- */

/* 0: delete them. -1: a limit, or an error. */
static int
limit(struct mirror *x, struct mirror_end *end, struct err *err)
{
	if (x->r->job->dryrun)
		return check_limit(x, end->planned, err);
	x->most = x->plan.count;
	if (check_limit(x, x->plan.count, err) == 0)
		return 0;
	if (err->kind != ERR_STOPPED)
		return -1;
	/* Some of the files may still exist: ask before the number is told. */
	prove_all(x, USE_COUNT);
	x->most = end->planned = x->proven;
	return run_stopped(x->r) ? -1 : check_limit(x, x->proven, err);
}

static int
prepare(struct mirror *x, struct err *err)
{
	struct run *r = x->r;
	const struct asker_config c = {
		.exports = r->plan.specs,
		.roots = (const char *const *)r->plan.roots,
		.seen = r->plan.seen,
		.export_count = r->plan.count,
		.ignore_inode = r->conf->fs_config.ignore_inode,
		.looks_for_case = true,
		.retry_for_ms = plan_retry_ms(r->conf),
		.turn = on_turn,
		.arg = x,
	};

	x->filters = (struct crawl_config){
		.min_size = r->job->min_size,
		.max_size = r->job->max_size,
		.filter = r->job->filter,
		.skip_dirs = &r->conf->fs_config.skip_dirs,
	};
	x->lost = xcalloc(MAX(r->plan.count, (size_t)1), sizeof(*x->lost));
	x->asker = asker_new(&c);
	if (run_s3(r, err) == -1 ||
	    catalog_reader_open(r->catalog, &r->reader, err) == -1)
		return -1;
	x->rules = (struct mirror_rules){
		.keep = r->job->delete_excluded ? NULL : leaves_out,
		.keep_arg = x,
		.unread = r->job->delete_excluded,
		.shares = (const char *const *)r->plan.shares.v,
		.share_count = r->plan.shares.n,
	};
	/* A file proven gone takes over what was put under a former name. */
	if ((x->rules.unread && look_at_left_out(x, err) == -1) ||
	    catalog_mirror_begin(r->catalog, &x->rules, err) == -1)
		return -1;
	if (run_stopped(r))
		return 0;
	if (doubts_settle(r, err) == -1)
		return -1;
	return catalog_mirror_plan(r->catalog, r->reader, &x->rules, &x->plan,
	    err);
}

static void
go(struct mirror *x, struct mirror_end *end)
{
	struct run *r = x->r;
	struct err err = ERR_INIT;
	char count[32], text[120];

	if (prepare(x, &err) == -1) {
		run_fail(r, &err);
		return;
	}
	end->guarded = tell_guarded(x);
	end->planned = x->plan.count;
	if (r->job->dryrun) {
		prove_all(x, USE_PRINT);
		tell_answers(x);
		end->planned = x->proven;
	}
	if (end->planned == 0 || run_stopped(r))
		return;
	if (limit(x, end, &err) == -1) {
		if (run_stopped(r))
			return;
		if (err.kind != ERR_STOPPED) {
			run_fail(r, &err);
			return;
		}
		end->guarded = true;
		run_reason(r, "%s", err.msg);
		log_event(LOG_ERROR, EVENT_GUARD,
		    LOG_WITH(LOG_TEXT("reason", err.msg)), "%s", err.msg);
		return;
	}
	if (r->job->dryrun)
		return;
	snprintf(text, sizeof(text), "looking at %s objects whose files are "
	    "gone, to delete them", text_count(end->planned, count));
	say(r, text);
	delete_all(x);
	tell_answers(x);
	if (!x->beyond)
		return;
	end->guarded = true;
	run_reason(r, "more files are gone than were counted for --max-delete");
	log_event(LOG_ERROR, EVENT_GUARD, NULL,
	    "more files are gone than were counted "
	    "for --max-delete: what is left stays for the next run");
}

void
mirror_run(struct run *r, struct mirror_end *end)
{
	struct mirror x = { .r = r, .after = xstrdup("") };

	memset(end, 0, sizeof(*end));
	go(&x, end);
	asker_free(&x.asker);
	mirror_plan_release(&x.plan);
	free(x.lost);
	free(x.after);
}
