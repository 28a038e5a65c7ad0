/*
 * del.c: the verb DEL, from the parsed options to the last line of output. All
 * keys are listed twice if somebody is asked: to count them, and to delete the
 * objects.
 */
#include "base/exit_status.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/units.h"
#include "report/text.h"
#include "frame/confirm.h"
#include "run/deleter.h"
#include "run/doubts.h"
#include "run/leftovers.h"
#include "run/run.h"
#include "target/cluster_map.h"

#define PREFIXES_SHOWN	5

struct del {
	struct run r;
	struct strlist prefixes;
	uint64_t count;		/* of the keys listed, in the pass at hand */
	uint64_t bytes;
};

static struct del *
del_of(struct run *r)
{
	return (struct del *)(void *)r;
}

/* A share that is the whole bucket: the bucket may hold more than ours. */
static int
check_prefixes(struct del *d, struct err *err)
{
	if (source_prefixes(d->r.conf, d->r.job, &d->prefixes, err) == -1)
		return -1;
	for (size_t i = 0; i < d->prefixes.n && !d->r.job->all; i++)
		if (d->prefixes.v[i][0] == '\0')
			return err_set(err, ERR_USAGE, 0, "the keys of a "
			    "configured share are all keys of the bucket; if "
			    "that is meant, use --all");
	return 0;
}

/* --- the keys --- */

static int
list(struct del *d, struct err *err)
{
	d->count = d->bytes = 0;
	return run_list_bucket(&d->r, d->r.job->dryrun, err);
}

static void
count_page(struct del *d, const struct source_page *p)
{
	d->count += p->count;
	for (size_t i = 0; i < p->count; i++)
		d->bytes = add_capped(d->bytes, p->keys[i].size);
}

/* Count the keys; a dry run prints each of them. */
static bool
count_more(void *arg)
{
	struct del *d = arg;
	struct source_page *p;

	for (; (p = run_page(&d->r)) != NULL; run_page_used(&d->r)) {
		count_page(d, p);
		for (size_t i = 0; i < p->count && d->r.job->dryrun; i++)
			deleter_print(d->r.job, "delete", (struct str){
			    p->keys[i].key, p->keys[i].len },
			    p->keys[i].size);
	}
	return d->r.listed;
}

static void
delete_page(struct del *d, const struct source_page *p)
{
	struct outcomes *rows = xcalloc(1, sizeof(*rows));

	rows->v = xcalloc(p->count, sizeof(*rows->v));
	rows->count = p->count;
	for (size_t i = 0; i < p->count; i++) {
		rows->v[i].path = xstrndup(p->keys[i].key, p->keys[i].len);
		rows->v[i].is_key = true;
		rows->v[i].size = p->keys[i].size;
		memcpy(rows->v[i].etag, p->keys[i].etag,
		    sizeof(rows->v[i].etag));
	}
	deleter_give(&d->r, rows);
}

static bool
delete_more(void *arg)
{
	struct del *d = arg;
	struct source_page *p;

	while (deleter_room(&d->r) && (p = run_page(&d->r)) != NULL) {
		count_page(d, p);
		if (p->count > 0)
			delete_page(d, p);
		run_page_used(&d->r);
	}
	return d->r.listed;
}

static bool
progress(struct run *r, struct totals *t)
{
	if (r->catalog != NULL)
		catalog_totals(r->catalog, t);
	t->found = del_of(r)->count;
	t->found_bytes = del_of(r)->bytes;
	return r->listed;
}

/* --- the question --- */

static void
print_question(const struct del *d)
{
	char text[400], count[32], size[16];
	size_t shown = MIN(d->prefixes.n, (size_t)PREFIXES_SHOWN);

	fprintf(stderr, "DEL deletes %s objects (%s) of bucket %s, all ",
	    text_count(d->count, count), units_format(d->bytes, size),
	    plan_bucket(d->r.conf));
	if (d->prefixes.n == 1 && d->prefixes.v[0][0] == '\0') {
		fputs("that it holds.\n", stderr);
	} else {
		fputs("with the prefix\n", stderr);
		for (size_t i = 0; i < shown; i++)
			fprintf(stderr, "  %s\n", str_escape(
			    str_of(d->prefixes.v[i]), text, sizeof(text)));
		if (d->prefixes.n > shown)
			fprintf(stderr, "  and %zu more prefixes\n",
			    d->prefixes.n - shown);
	}
	fputs("Type \"yes\" to delete them: ", stderr);
	fflush(stderr);
}

/* Count, show, ask. The question needs the terminal: no progress is shown
 * meanwhile. */
static int
ask(struct del *d, struct err *err)
{
	struct run *r = &d->r;

	if (list(d, err) == -1)
		return -1;
	run_loop(r, count_more, d);
	monitor_end(&r->monitor);
	if (r->failed) {
		*err = r->err;
		return -1;
	}
	if (r->stop_signal == 0 && d->count > 0) {
		print_question(d);
		if (!confirm_yes(r->signals) && !signals_waiting()) {
			r->status = EXIT_GUARD;
			return err_set(err, ERR_STOPPED, 0, "not confirmed: "
			    "nothing was deleted");
		}
	}
	if (r->stop_signal != 0 || signals_waiting())
		return err_set(err, ERR_STOPPED, 0, "interrupted");
	return monitor_open(&r->monitor, r->conf, r->job, err);
}

/* --- the run --- */

static int
prepare(struct run *r, struct err *err)
{
	struct run_spec spec = { .scope = "", .no_backlog = true };
	struct del *d = del_of(r);

	if (confirm_possible(r->job, "nothing is deleted", err) == -1 ||
	    check_prefixes(d, err) == -1 ||
	    plan_check_s3(r->conf, NULL, err) == -1 ||
	    (confirm_needed(r->job) && ask(d, err) == -1))
		return -1;
	if (r->job->dryrun) {
		/* The keys go to the terminal. */
		monitor_end(&r->monitor);
		return list(d, err);
	}
	if (run_begin(r, &spec, err) == -1 || doubts_settle_all(r, err) == -1)
		return -1;
	cluster_map_deletes_listed();
	return deleter_start(r, r->job, err) == -1 ? -1 : list(d, err);
}

static void
go(struct run *r)
{
	struct del *d = del_of(r);

	run_loop(r, r->job->dryrun ? count_more : delete_more, d);
	monitor_end(&r->monitor);
	if (r->job->dryrun || run_stopped(r))
		return;
	leftovers_abort(r, &d->prefixes);
	if (!run_stopped(r))
		compact_run(r->conf, r->job, r->catalog, &r->compacted);
}

/* The closing of a dry run is made of the counts of this file. */
static void
closing(struct run *r)
{
	const struct del *d = del_of(r);
	uint64_t unknown = r->closing.unknown;

	if (unknown > 0)
		log_event(LOG_WARN, EVENT_FOREIGN,
		    LOG_WITH(LOG_NUMBER("count", unknown)),
		    "%ju of the deleted objects are none that the catalog "
		    "knows: the journal has no event of them, and undo does "
		    "not bring them back; the log names them",
		    (uintmax_t)unknown);
	if (!r->job->dryrun)
		return;
	r->closing.closes = true;
	r->closing.totals = (struct totals){ .found = d->count,
	    .moved = d->count, .bytes = d->bytes, .found_bytes = d->bytes,
	    .deleted = d->count };
}

int
run_del(const struct conf *conf, const struct job *job)
{
	static const struct run_ops ops = {
		.prepare = prepare,
		.go = go,
		.mail = deleter_mail,
		.progress = progress,
		.closing = closing,
	};
	struct del d = { .r = { .conf = conf, .job = job, .ops = &ops } };
	int status = run_verb(&d.r);

	strlist_clear(&d.prefixes);
	return status;
}
