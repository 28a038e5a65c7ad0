#include "run/mirror.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "catalog/mirror.h"
#include "model/key.h"
#include "report/text.h"
#include "run/deleter.h"

#define TICK_MS		200
#define STOP_LIMIT_MS	5000	/* what is on the way may end in this time */

struct mirror {
	struct master *m;
	struct mirror_plan plan;
	struct catalog_reader *reader;
	struct deleter *deleter;
	char	*after;		/* last path of the page before */
	bool	 listed;	/* no page is left */
	uint64_t stop_at_ms;
};

static void
fail(struct master *m, const struct err *err)
{
	if (m->failed)
		return;
	m->failed = true;
	m->err = *err;
}

/* For people, also where there is no log file. */
static void
say(const struct master *m, const char *text)
{
	if (!m->job->quiet)
		fprintf(stderr, "%s\n", text);
	log_event(LOG_INFO, "mirror", "%s", text);
}

/* --- guards --- */

/* Say what the guards keep; true if there is any such. */
static bool
tell_guarded(struct mirror *x)
{
	const struct mirror_plan *p = &x->plan;
	const struct master *m = x->m;

	if (p->unproved > 0)
		log_event(LOG_WARN, "mirror", "%" PRIu64 " objects are kept: "
		    "not all directories could be read, or another export has "
		    "a file with the same key", p->unproved);
	if (p->guarded == 0)
		return false;
	log_event(LOG_ERROR, "mirror", "%" PRIu64 " objects of files that are "
	    "gone are kept: export %s: %s", p->guarded,
	    m->plan->roots[p->first_guarded],
	    mirror_guard_text(p->exports[p->first_guarded]));
	return true;
}

/* -1: --max-delete stops it. */
static int
check_limit(struct mirror *x, struct err *err)
{
	const struct job *job = x->m->job;
	uint64_t count = x->plan.count, stored;

	if (!job->max_delete_percent) {
		if (count <= job->max_delete)
			return 0;
		return err_set(err, ERR_STOPPED, 0, "--delete would delete %"
		    PRIu64 " objects, more than --max-delete %" PRIu64 ": "
		    "nothing was deleted; if that is meant, raise it", count,
		    job->max_delete);
	}
	if (catalog_mirror_stored(x->reader, &x->plan, 0, &stored, err) == -1)
		return -1;
	if (count * 100 <= job->max_delete * stored)
		return 0;
	return err_set(err, ERR_STOPPED, 0, "--delete would delete %" PRIu64
	    " of %" PRIu64 " objects (%" PRIu64 "%%), more than --max-delete %"
	    PRIu64 "%%: nothing was deleted; if that is meant, raise it",
	    count, stored, stored == 0 ? 100 : count * 100 / stored,
	    job->max_delete);
}

/* --- pages --- */

static struct str
key_of(const struct mirror *x, const char *path)
{
	return str_of(x->m->conf->fs_config.server_as_prefix ? path :
	    key_without_server(path));
}

static void
give_page(struct mirror *x, const struct stored *v, size_t n)
{
	struct outcomes *rows = xcalloc(1, sizeof(*rows));

	rows->v = xcalloc(n, sizeof(*rows->v));
	rows->count = n;
	for (size_t i = 0; i < n; i++) {
		rows->v[i].path = xstrdup(v[i].path);
		rows->v[i].object = v[i].object;
		rows->v[i].size = v[i].attrs.size;
	}
	deleter_give(x->deleter, rows);
}

/* The next page: print it, or have it deleted. */
static void
take_page(struct mirror *x)
{
	struct stored *v = xcalloc(DELETER_KEYS, sizeof(*v));
	struct err err = ERR_INIT;
	size_t n = 0;

	if (catalog_mirror_page(x->reader, &x->plan, str_of(x->after), v,
	    DELETER_KEYS, &n, &err) == -1)
		fail(x->m, &err);
	x->listed = n < DELETER_KEYS || x->m->failed;
	if (n > 0) {
		free(x->after);
		x->after = xstrdup(v[n - 1].path);
	}
	if (n > 0 && !x->m->failed && x->deleter != NULL)
		give_page(x, v, n);
	for (size_t i = 0; i < n; i++) {
		if (x->deleter == NULL)
			deleter_print(x->m->job, key_of(x, v[i].path),
			    v[i].attrs.size);
		stored_release(&v[i]);
	}
	free(v);
}

static void
read_signals(struct mirror *x)
{
	for (int no; (no = master_signal(x->m->signals)) != 0;) {
		x->stop_at_ms = clock_mono_ms() +
		    (x->m->stop_signal != 0 ? 0 : STOP_LIMIT_MS);
		x->m->stop_signal = no;
	}
}

static bool
is_over(const struct mirror *x)
{
	size_t batches = deleter_batches(x->deleter);

	if (x->m->failed)
		return true;
	if (x->m->stop_signal != 0)
		return batches == 0 || clock_mono_ms() >= x->stop_at_ms;
	return x->listed && batches == 0;
}

static void
delete_all(struct mirror *x)
{
	struct master *m = x->m;
	struct job job = *m->job;
	struct err err = ERR_INIT;
	struct totals t;

	/* A thousand keys a request: the master needs no help. */
	job.op = OP_DEL;
	job.standalone = true;
	if (deleter_new(&x->deleter, m->conf, &job, m->catalog, &err) == -1) {
		fail(m, &err);
		return;
	}
	while (!is_over(x)) {
		struct pollfd fd = { .fd = m->signals, .events = POLLIN };

		while (!x->listed && m->stop_signal == 0 &&
		    deleter_room(x->deleter))
			take_page(x);
		deleter_wait(x->deleter, &fd, 1, TICK_MS);
		read_signals(x);
		if (deleter_failed(x->deleter, &err)) {
			/* Why the catalog failed, the run's end will say. */
			if (err.kind != ERR_NONE)
				fail(m, &err);
			break;
		}
		catalog_totals(m->catalog, &t);
		monitor_update(m->monitor, NULL, m->catalog, &t, true,
		    clock_mono_ms());
	}
	deleter_free(&x->deleter);
}

static void
go(struct mirror *x, struct mirror_end *end)
{
	struct master *m = x->m;
	struct err err = ERR_INIT;
	char count[32], text[120];

	if (catalog_reader_open(m->catalog, &x->reader, &err) == -1 ||
	    catalog_mirror_plan(m->catalog, x->reader, &x->plan, &err) == -1) {
		fail(m, &err);
		return;
	}
	end->guarded = tell_guarded(x);
	end->planned = x->plan.count;
	if (m->job->dryrun)
		while (!x->listed)
			take_page(x);
	if (x->plan.count == 0)
		return;
	if (check_limit(x, &err) == -1) {
		if (err.kind != ERR_STOPPED) {
			fail(m, &err);
			return;
		}
		end->guarded = true;
		log_event(LOG_ERROR, "mirror", "%s", err.msg);
		return;
	}
	if (m->job->dryrun)
		return;
	snprintf(text, sizeof(text), "deleting %s objects whose files are gone",
	    text_count(x->plan.count, count));
	say(m, text);
	delete_all(x);
}

void
mirror_run(struct master *m, struct mirror_end *end)
{
	struct mirror x = { .m = m, .after = xstrdup("") };

	memset(end, 0, sizeof(*end));
	go(&x, end);
	catalog_reader_close(&x.reader);
	mirror_plan_release(&x.plan);
	free(x.after);
}
