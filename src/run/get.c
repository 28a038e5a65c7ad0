/*
 * get.c: the verb GET, from the parsed options to the last line of output:
 * objects come back as files below --dest_path, each file under the path that
 * the key of the object names.
 */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/log.h"
#include "base/signals.h"
#include "catalog/outcome.h"
#include "catalog/stored.h"
#include "crew/setup.h"
#include "dest/dest.h"
#include "report/summary.h"
#include "run/frame.h"
#include "run/monitor.h"
#include "run/run.h"
#include "source/source.h"

#define TICK_MS		200
#define STOP_LIMIT_MS	5000	/* time for items under way to end after a
				   stop */
#define BATCH		256	/* outcomes in one message */
#define NFSERR_DQUOT	69

struct get {
	const struct conf *conf;
	const struct job *job;
	struct mailbox *in;
	int	 signals;
	struct catalog *catalog;	/* NULL in a dry run */
	struct catalog_reader *reader;	/* NULL: there is no catalog */
	struct run_info run;
	struct source *source;
	struct crew *crew;
	struct monitor *monitor;
	struct source_page *pages;	/* linked by mail.next; not yet given */
	size_t	 given;			/* keys of the first page */
	bool	 listed;		/* all keys are here */
	uint64_t out;			/* items that the crew has */
	struct outcomes *batch;
	struct totals totals;
	struct run_failure first[10];	/* a dry run's failures */
	bool	 corrupt;
	size_t	 no_room;		/* files that found no room since a
					   file was written last */
	int	 stop_signal;
	bool	 failed;
	struct err err;
};

static void
stop(struct get *g, uint64_t limit_ms)
{
	if (g->crew != NULL)
		crew_stop(g->crew, limit_ms);
}

static void
fail(struct get *g, const struct err *err)
{
	if (g->failed)
		return;
	g->failed = true;
	g->err = *err;
	stop(g, 0);
}

/* --- outcomes --- */

static void
flush(struct get *g)
{
	struct outcomes *b = STEAL(g->batch);

	if (b == NULL)
		return;
	if (g->catalog == NULL)
		outcomes_free(&b);
	else
		catalog_put_outcomes(g->catalog, b);
}

/* Keep a failure of a dry run for the summary: a dry run has no catalog. */
static void
keep_failure(struct get *g, const struct outcome_row *r)
{
	struct run_failure *f;

	if (g->totals.failed > ARRAY_LEN(g->first))
		return;
	f = &g->first[g->totals.failed - 1];
	str_escape(str_of(r->path), f->path, sizeof(f->path));
	snprintf(f->kind, sizeof(f->kind), "%s", err_kind_name(r->err.kind));
	str_escape(str_of(r->err.msg), f->reason, sizeof(f->reason));
}

static void
count(struct get *g, const struct outcome_row *r)
{
	struct totals *t = &g->totals;

	if (r->ended == ENDED_GONE) {
		t->gone++;
		return;
	}
	t->found++;
	t->found_bytes = add_capped(t->found_bytes, r->size);
	if (r->ended == ENDED_MOVED) {
		t->moved++;
		t->bytes = add_capped(t->bytes, r->size);
	} else if (r->ended == ENDED_UNCHANGED) {
		t->unchanged++;
	} else if (r->ended == ENDED_EXCLUDED) {
		t->excluded++;
	} else {
		t->failed++;
		keep_failure(g, r);
	}
}

/* Takes the row. */
static void
settle(struct get *g, struct outcome_row *r)
{
	struct outcomes *b = g->batch;

	count(g, r);
	if (b == NULL) {
		b = g->batch = xcalloc(1, sizeof(*b));
		b->v = xcalloc(BATCH, sizeof(*b->v));
	}
	b->v[b->count++] = *r;
	if (b->count == BATCH)
		flush(g);
}

static void
refuse(struct get *g, const struct source_key *k, const struct err *err)
{
	struct outcome_row r = { .path = xstrdup(k->key), .is_key = true,
	    .ended = err == NULL ? ENDED_EXCLUDED : ENDED_FAILED,
	    .size = k->size };

	if (err != NULL)
		r.err = *err;
	settle(g, &r);
}

/*
 * A large file may find no room where smaller files still fit, and the files
 * under way with the large file find no room either. When more files in a row
 * fail for lack of room than can have been under way at once, the destination
 * is full: do not fetch the remaining files in vain.
 */
static void
note_room(struct get *g, enum outcome outcome, const struct err *err)
{
	struct err full = *err;

	if (outcome == OUTCOME_MOVED)
		g->no_room = 0;
	if (outcome != OUTCOME_FAILED || err->kind != ERR_RESOURCE ||
	    (err->code != ENOSPC && err->code != EDQUOT &&
	    err->code != NFSERR_DQUOT))
		return;
	if (g->crew == NULL || ++g->no_room <= crew_enough(g->crew))
		return;
	err_wrap(&full, "the destination is full, the rest is not fetched");
	fail(g, &full);
}

static void
fetched(struct get *g, struct fetch_item *it)
{
	static const enum ended ends[] = {
		[OUTCOME_MOVED] = ENDED_MOVED,
		[OUTCOME_UNCHANGED] = ENDED_UNCHANGED,
		[OUTCOME_FAILED] = ENDED_FAILED,
		[OUTCOME_GONE] = ENDED_GONE,
	};
	struct outcome_row r = { .path = STEAL(it->key), .is_key = true,
	    .ended = ends[it->outcome], .size = it->size,
	    .attempts = it->attempts, .err = it->err };

	g->out--;
	if (it->has_stored)
		r.object = it->stored.object;
	if (r.ended == ENDED_FAILED) {
		log_event(LOG_DEBUG, "get_failed", "key=%s kind=%s %s",
		    r.path, err_kind_name(r.err.kind), r.err.msg);
		g->corrupt = g->corrupt || r.err.kind == ERR_CORRUPT;
	}
	note_room(g, it->outcome, &it->err);
	fetch_item_free(&it);
	settle(g, &r);
}

/* --- items --- */

/* A directory, as consoles and some tools put it: a key that ends in a slash,
 * without bytes. Directories come with their files. */
static bool
is_directory(const struct source_key *k)
{
	return k->size == 0 && k->len > 0 && k->key[k->len - 1] == '/';
}

static void
give(struct get *g, const struct source_key *k)
{
	struct buf path CLEANUP(buf_release);
	struct err err = ERR_INIT;
	struct fetch_item *it;
	int known = 0;

	if (is_directory(k)) {
		refuse(g, k, NULL);
		return;
	}
	buf_init(&path, 64 * KIB);
	if (dest_path(&path, (struct str){ k->key, k->len }, &err) == -1) {
		refuse(g, k, &err);
		return;
	}
	it = xcalloc(1, sizeof(*it));
	if (g->reader != NULL)
		known = catalog_find_key(g->reader, (struct str){ k->key,
		    k->len }, &it->stored, &err);
	if (known == -1) {
		fail(g, &err);
		free(it);
		return;
	}
	it->has_stored = known == 1;
	it->key = xstrdup(k->key);
	it->path = xstrdup(path.data);
	it->size = k->size;
	memcpy(it->etag, k->etag, sizeof(it->etag));
	it->only_check = g->job->dryrun;
	g->out++;
	g->totals.queued++;
	g->totals.queued_bytes = add_capped(g->totals.queued_bytes, k->size);
	crew_fetch(g->crew, it);
}

/* Keep enough items at hand that no worker has to wait. */
static void
give_more(struct get *g)
{
	size_t backlog = crew_backlog(g->crew), enough = crew_enough(g->crew);

	while (g->pages != NULL && backlog < enough && !g->failed) {
		struct source_page *p = g->pages;

		if (g->given < p->count) {
			give(g, &p->keys[g->given++]);
			backlog++;
			continue;
		}
		if (p->end) {
			g->listed = true;
			if (p->err.kind != ERR_NONE)
				fail(g, &p->err);
			crew_no_more(g->crew);
		}
		g->pages = (struct source_page *)(void *)p->mail.next;
		g->given = 0;
		source_page_free(g->source, &p);
	}
}

static void
take_page(struct get *g, struct source_page *p)
{
	struct source_page **tail = &g->pages;

	while (*tail != NULL)
		tail = (struct source_page **)(void *)&(*tail)->mail.next;
	p->mail.next = NULL;
	*tail = p;
}

/* --- the loop --- */

static void
take_mail(struct get *g)
{
	struct mail *mail = mailbox_take(g->in), *next;

	for (; mail != NULL; mail = next) {
		void *msg = mail;

		next = mail->next;
		if (mail->type == MAIL_FETCHED) {
			fetched(g, msg);
		} else if (mail->type == MAIL_SOURCE_PAGE) {
			take_page(g, msg);
		} else {
			if (mail->type == MAIL_CATALOG_FAILED)
				fail(g, &((struct catalog_failure *)msg)->err);
			else if (mail->type == MAIL_CREW_FAILED)
				fail(g, &((struct crew_failure *)msg)->err);
			free(msg);
		}
	}
	flush(g);
}

static void
read_signals(struct get *g)
{
	for (int no; (no = signals_next(g->signals)) != 0;) {
		/* A second signal does not wait for the items under way. */
		bool again = g->stop_signal != 0;

		g->stop_signal = no;
		log_event(LOG_WARN, "stopping", "%s", again ? "at once" :
		    "what is on the way may end within 5 s");
		stop(g, again ? 0 : STOP_LIMIT_MS);
	}
}

static void
show(struct get *g)
{
	struct totals t = g->totals;
	struct crew_stats s;

	/* Bytes that are under way count too: a large file takes long. */
	crew_stats(g->crew, &s);
	t.bytes = MAX(t.bytes, s.s3.bytes_received);
	t.found += g->out;
	monitor_update(g->monitor, g->crew, g->catalog, &t, g->listed,
	    clock_mono_ms());
}

static void
turn(struct get *g)
{
	struct pollfd fds[2] = {
		{ .fd = mailbox_fd(g->in), .events = POLLIN },
		{ .fd = g->signals, .events = POLLIN },
	};

	if (poll(fds, ARRAY_LEN(fds), TICK_MS) > 0) {
		take_mail(g);
		read_signals(g);
	}
	show(g);
}

static void
loop(struct get *g)
{
	while (g->stop_signal == 0 && !g->failed) {
		give_more(g);
		if (g->listed && g->pages == NULL && g->out == 0)
			break;
		turn(g);
	}
	/* Stopped: a second signal must be seen meanwhile. */
	while (g->stop_signal != 0 && !g->failed && !crew_idle(g->crew))
		turn(g);
	source_free(&g->source);
	monitor_clients(g->monitor, g->crew, g->catalog);
	crew_free(&g->crew);
	take_mail(g);
}

/* --- begin and end --- */

static int
open_catalog(struct get *g, struct err *err)
{
	const struct conf *c = g->conf;
	struct run_spec spec = {
		.op = OP_GET,
		.scope = "",
		.command_line = g->job->command_line,
		.no_backlog = true,
		.late_ms = crew_late_ms(c, g->job),
	};

	plan_target(&spec, c);
	/* A dry run writes nothing, not even a catalog. */
	if (g->job->dryrun)
		return access(c->catalog.path, F_OK) == -1 && errno == ENOENT ?
		    0 : catalog_look(&g->reader, c->catalog.path, &spec, err);
	if (catalog_open(&g->catalog, c->catalog.path, g->in, err) == -1 ||
	    catalog_begin_run(g->catalog, &spec, &g->run, err) == -1)
		return -1;
	plan_warn_target(&spec, &g->run);
	if (run_wait_late(g->catalog, &g->run, err) == -1)
		return -1;
	return catalog_reader_open(g->catalog, &g->reader, err);
}

/* Before anything else is asked: a wrong path is the likelier mistake. Where
 * clients work, it is on theirs. */
static int
check_dest(const struct get *g, const struct setup *s, struct err *err)
{
	struct dest *dest = NULL;

	if (crew_wants_team(g->conf, g->job))
		return 0;
	if (setup_dest(&dest, s, NULL, err) == -1)
		return -1;
	dest_free(&dest);
	return 0;
}

static int
prepare(struct get *g, struct err *err)
{
	struct source_config sc = { .conf = g->conf, .job = g->job,
	    .up = g->in };
	CLEANUP(setup_release) struct setup setup = { .op = OP_GET };

	if (setup_make(&setup, g->conf, g->job, NULL, err) == -1 ||
	    check_dest(g, &setup, err) == -1 ||
	    plan_check_s3(g->conf, NULL, err) == -1 ||
	    open_catalog(g, err) == -1)
		return -1;
	sc.reader = g->reader;
	if (run_crew(&g->crew, g->conf, g->job, &setup, g->in, err) == -1)
		return -1;
	if (source_start(&g->source, &sc, err) == -1) {
		crew_stop(g->crew, 0);
		crew_free(&g->crew);
		return -1;
	}
	return 0;
}

static int
status_of(const struct get *g, bool closes)
{
	if (g->stop_signal != 0)
		return exit_status_signal(g->stop_signal);
	if (g->failed)
		return exit_status_of(&g->err);
	if (g->corrupt)
		return EXIT_CORRUPT;
	return g->totals.failed > 0 || !closes ? EXIT_FAILED : EXIT_DONE;
}

/* The closing of a dry run is made of the counts of this file. */
static int
close_run(struct get *g, enum run_end end, struct run_closing *c,
    struct err *err)
{
	const struct totals *t = &g->totals;

	memset(c, 0, sizeof(*c));
	if (g->catalog != NULL)
		return catalog_end_run(g->catalog, end, g->failed ?
		    g->err.msg : "", c, err);
	c->totals = *t;
	c->closes = t->found == t->moved + t->unchanged + t->failed +
	    t->excluded;
	c->failure_count = (size_t)MIN(t->failed,
	    (uint64_t)ARRAY_LEN(g->first));
	memcpy(c->failures, g->first, sizeof(g->first));
	return 0;
}

static int
finish(struct get *g, uint64_t start_ms, struct err *err)
{
	enum run_end end = g->failed ? RUN_FAILED : g->stop_signal != 0 ?
	    RUN_INTERRUPTED : RUN_COMPLETE;
	struct run_closing c;
	struct summary s = { .op = OP_GET, .dryrun = g->job->dryrun,
	    .interrupted = end == RUN_INTERRUPTED, .run = g->run.run };

	if (close_run(g, end, &c, err) == -1 && !g->failed) {
		g->failed = true;
		g->err = *err;
	}
	s.broken = g->failed;
	s.seconds = (double)(clock_mono_ms() - start_ms) / 1000;
	summary_take(&s, &c, end != RUN_COMPLETE);
	if (!g->job->quiet || c.totals.failed > 0)
		summary_print(stderr, &s);
	summary_end(g->job, &s, g->failed ? g->err.msg : NULL);
	return status_of(g, c.closes);
}

static void
release(struct get *g)
{
	struct mail *mail = mailbox_take(g->in), *next;
	struct source_page *p;

	for (; mail != NULL; mail = next) {
		void *msg = mail;

		next = mail->next;
		if (mail->type == MAIL_SOURCE_PAGE)
			take_page(g, msg);
		else
			free(msg);
	}
	while ((p = g->pages) != NULL) {
		g->pages = (struct source_page *)(void *)p->mail.next;
		source_page_free(NULL, &p);
	}
	outcomes_free(&g->batch);
	catalog_reader_close(&g->reader);
	catalog_close(&g->catalog);
	mailbox_free(&g->in);
	close_fd(&g->signals);
}

int
run_get(const struct conf *conf, const struct job *job)
{
	struct get g = { .conf = conf, .job = job, .signals = -1 };
	uint64_t start_ms = clock_mono_ms();
	struct err err = ERR_INIT;
	int status;

	g.in = mailbox_new(0);
	g.signals = signals_block(&err);
	if (g.signals != -1 &&
	    monitor_open(&g.monitor, conf, job, &err) == 0 &&
	    prepare(&g, &err) == 0) {
		loop(&g);
		monitor_end(&g.monitor);
		status = finish(&g, start_ms, &err);
	} else {
		monitor_end(&g.monitor);
		run_not_begun(g.catalog, &g.run, &err);
		status = summary_error(job, &err);
		read_signals(&g);
		if (g.stop_signal != 0)
			status = status_of(&g, true);
	}
	release(&g);
	return status;
}
